//! Reads a CloudFormation template as anyone may have written it: YAML with short tags, YAML 1.1 scalars, or JSON. Pure.

use crate::deploy::tree::Tree;
use crate::deploy::yaml::{self, Node, Unreadable, Value};

/// A template as a tree, with every intrinsic function in its long form.
pub fn read(text: &str) -> Result<Tree, Unreadable> {
    yaml::parse_tagged(text).map(tree)
}

fn tree(node: Node) -> Tree {
    match node.value {
        Value::Scalar { text, is_plain: true } => plain(text),
        Value::Scalar { text, .. } => Tree::Text(text),
        Value::List(items) => Tree::List(items.into_iter().map(tree).collect()),
        Value::Map(entries) => Tree::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.text, tree(value)))
                .collect(),
        ),
    }
}

/// A plain scalar by the types of YAML 1.1 (yaml.org/type), as the common readers have them: `y` and `n` are texts, and so
/// are times.
fn plain(text: String) -> Tree {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Tree::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Tree::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Tree::Bool(false),
        _ => {}
    }
    whole_number(&text).map_or(Tree::Text(text), Tree::Int)
}

fn whole_number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) if text.starts_with('-') => (-1, rest),
        Some(rest) => (1, rest),
        None => (1, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let bare = digits.replace('_', "");
    let number = if let Some(hex) = bare.strip_prefix("0x") {
        i64::from_str_radix(hex, 16).ok()?
    } else if let Some(binary) = bare.strip_prefix("0b") {
        i64::from_str_radix(binary, 2).ok()?
    } else if bare.contains(':') {
        sexagesimal(&bare)?
    } else if bare.len() > 1 && bare.starts_with('0') {
        i64::from_str_radix(&bare, 8).ok()?
    } else {
        bare.parse().ok()?
    };
    number.checked_mul(sign)
}

/// `12:30:45` counts in sixties.
fn sexagesimal(text: &str) -> Option<i64> {
    text.split(':').try_fold(0_i64, |sum, part| {
        let part: i64 = part.parse().ok()?;
        sum.checked_mul(60)?.checked_add(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tags_are_their_long_forms() {
        let short = "A: !Ref Queue\nB: !GetAtt Queue.Arn\nC: !Sub '${A}-b'\nD: !Join ['', [a, !Ref B]]\nE: !Equals [a, b]\nF: !Condition X\nG: !GetAtt [Queue, Arn]\n";
        let long = "A: {Ref: Queue}\nB: {'Fn::GetAtt': Queue.Arn}\nC: {'Fn::Sub': '${A}-b'}\nD: {'Fn::Join': ['', [a, {Ref: B}]]}\nE: {'Fn::Equals': [a, b]}\nF: {Condition: X}\nG: {'Fn::GetAtt': [Queue, Arn]}\n";
        assert_eq!(read(short).unwrap(), read(long).unwrap());
        assert_eq!(
            read("{\n\t\"A\": {\"Ref\": \"Queue\"},\n\t\"B\": true\n}").unwrap(),
            read("A: !Ref Queue\nB: yes\n").unwrap()
        );
    }

    #[test]
    fn scalars_are_read_as_yaml_1_1() {
        for (text, meant) in [
            ("no", Tree::Bool(false)),
            ("On", Tree::Bool(true)),
            ("y", Tree::text("y")),
            ("1_000", Tree::Int(1_000)),
            ("12:30:45", Tree::Int(45_045)),
            ("0x1f", Tree::Int(31)),
            ("017", Tree::Int(15)),
            ("-5", Tree::Int(-5)),
            ("012345678901", Tree::text("012345678901")),
            ("2010-09-09", Tree::text("2010-09-09")),
            ("\"no\"", Tree::text("no")),
            ("a:b", Tree::text("a:b")),
            ("~", Tree::Null),
        ] {
            assert_eq!(read(&format!("A: {text}\n")).unwrap().get("A"), Some(&meant), "{text}");
        }
    }
}
