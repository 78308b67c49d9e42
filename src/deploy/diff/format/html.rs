//! One page that needs nothing besides itself.

use std::fmt::Write as _;

use crate::deploy::diff::fleet::{Fleet, Group};
use crate::deploy::diff::format::{headline, property_line, remarks, stacks, title, warnings};
use crate::deploy::diff::{Action, DataEffect};
use crate::deploy::html::escape;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--red:#c62828;--green:#2e7d32;--amber:#b26a00}\
@media(prefers-color-scheme:dark){:root{--red:#ff8a80;--green:#a5d6a7;--amber:#ffcc80}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem}\
.warning{border-left:4px solid var(--red);padding:.25rem .75rem;font-weight:600}\
details{border:1px solid var(--line);border-radius:6px;margin:.75rem 0;padding:.5rem .75rem}\
summary{cursor:pointer}\
summary b{margin-right:.5rem}\
pre{overflow-x:auto;margin:.5rem 0;white-space:pre-wrap;overflow-wrap:anywhere}\
.add,.Create{color:var(--green)}.remove,.Delete,.Replace{color:var(--red)}.update,.Update{color:var(--amber)}\
.stacks{columns:14rem;list-style:none;padding:0;font-size:.9rem}";

/// Outliers first. Grave groups are open.
pub fn html(fleet: &Fleet) -> String {
    let summary = fleet.summary();
    let headline = escape(&headline(&summary));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{headline}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{headline}</h1>\n"
    );
    for warning in warnings(&summary) {
        let _ = writeln!(out, "<p class=\"warning\">{}</p>", escape(&warning));
    }
    for group in fleet.outliers_first() {
        block(group, &mut out);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn block(group: &Group, out: &mut String) {
    let change = &group.change;
    let is_grave = change.action >= Action::MaybeReplace || change.data > DataEffect::LeftBehind;
    let open = if is_grave { " open" } else { "" };
    let class = change.action.as_str().trim_end_matches('?');
    let _ = writeln!(
        out,
        "<details{open}>\n<summary><b class=\"{class}\">{}</b> in {}</summary>",
        escape(&title(change)),
        stacks(group.stacks.len())
    );
    for remark in remarks(change) {
        let _ = writeln!(out, "<p>{}</p>", escape(&remark));
    }
    if !change.properties.is_empty() {
        out.push_str("<pre>");
        for property in &change.properties {
            let (mark, line) = property_line(property);
            let class = match mark {
                '+' => "add",
                '-' => "remove",
                _ => "update",
            };
            let _ = writeln!(out, "<span class=\"{class}\">{mark} {}</span>", escape(&line));
        }
        out.push_str("</pre>\n");
    }
    out.push_str("<ul class=\"stacks\">");
    for stack in &group.stacks {
        let _ = write!(out, "<li>{}</li>", escape(stack));
    }
    out.push_str("</ul>\n</details>\n");
}
