//! One page that needs nothing besides itself, and prints well.

use std::fmt::Write as _;

use crate::deploy::html::escape;
use crate::deploy::onboard::guide::{Guide, Part};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:17px/1.55 system-ui,sans-serif;max-width:46rem;margin:2.5rem auto;padding:0 1rem}\
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.15rem;margin-top:2rem}\
li{margin:.35rem 0}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.5rem .6rem;border-bottom:1px solid #8885}\
th{white-space:nowrap;font-weight:600}\
td small{display:block;opacity:.75}\
code{font:inherit;font-family:ui-monospace,monospace;user-select:all;background:#8882;padding:.1rem .35rem;border-radius:4px;overflow-wrap:anywhere}\
@media print{body{margin:0;max-width:none}code{background:none;border:1px solid #8888}}";

pub fn html(guide: &Guide) -> String {
    let title = escape(&guide.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    for section in &guide.sections {
        let _ = writeln!(out, "<h2>{}</h2>", escape(section.title));
        for part in &section.parts {
            match part {
                Part::Sentence(sentence) => {
                    let _ = writeln!(out, "<p>{}</p>", escape(sentence));
                }
                Part::List(items) => list("ul", items, &mut out),
                Part::Steps(steps) => list("ol", steps, &mut out),
                Part::Fields(fields) => {
                    out.push_str("<table>\n");
                    for field in fields {
                        let _ = writeln!(
                            out,
                            "<tr><th scope=\"row\">{}</th><td><code>{}</code><small>{}</small></td></tr>",
                            escape(field.name),
                            escape(&field.value),
                            escape(&field.remark)
                        );
                    }
                    out.push_str("</table>\n");
                }
            }
        }
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn list(kind: &str, items: &[String], out: &mut String) {
    let _ = writeln!(out, "<{kind}>");
    for item in items {
        let _ = writeln!(out, "<li>{}</li>", escape(item));
    }
    let _ = writeln!(out, "</{kind}>");
}
