//! What is rendered, as other readers of YAML read it. CloudFormation follows YAML 1.1, as `PyYAML` does.

use std::path::Path;
use std::process::Command;

use oort_streams::deploy::render::RenderError;
use oort_streams::deploy::tree::Tree;
use oort_streams::deploy::{profile, render, source, template};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Texts that readers take for something else, and any others.
fn text() -> impl Strategy<Value = String> {
    let traps = [
        "no",
        "Yes",
        "on",
        "y",
        "~",
        "null",
        "12:30:45",
        "012345678901",
        "1_000",
        "0x1f",
        "1e3",
        ".inf",
        "2026-11-01",
        "<<",
        "=",
        "!",
        "!Ref x",
        "&a",
        "*a",
        "- a",
        "a: b",
        "a #b",
        "#",
        "|",
        ">",
        "%",
        "@",
        "`",
        "\"",
        "'",
        "\\",
        "{{ x }}",
        "{% x %}",
        "\n",
        "a\nb: c",
        "\r\n",
        "\t",
        " a",
        "a ",
        "---",
        "...",
        "?",
        "🚀",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{fffe}",
        "é",
    ];
    prop_oneof![
        4 => prop::sample::select(traps.to_vec()).prop_map(str::to_owned),
        3 => ".{0,40}",
        1 => any::<String>(),
        1 => "[a-z :'é\n]{10000}",
    ]
}

fn json(tree: &Tree) -> Value {
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => (*value).into(),
        Tree::Int(value) => (*value).into(),
        Tree::Text(value) => value.as_str().into(),
        Tree::List(items) => items.iter().map(json).collect(),
        Tree::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), json(value)))
                .collect::<Map<_, _>>(),
        ),
    }
}

/// A tenant's stack with these texts where a validated file could have others: its body, and the tree that is meant.
/// `None` when it is larger than what is sent inline, and refused for that.
fn rendered(texts: &[String]) -> Option<(String, Tree)> {
    let sources = source::read_environment(root(), "local").unwrap();
    let mut environment = profile::validate(&sources).unwrap();
    environment.profile.image.clone_from(&texts[0]);
    environment.profile.subnets = texts[1..3].to_vec();
    let mut tenant = environment.tenants.remove(0);
    tenant.notifications[0].endpoint.clone_from(&texts[3]);
    tenant.settings.detector.schedule.clone_from(&texts[4]);
    tenant.tags.insert(texts[5].clone(), texts[6].clone());
    let stack = render::Renderer::new(&environment.profile, &sources)
        .unwrap()
        .tenant(&tenant);
    let stack = match stack {
        Err(RenderError::Limit { why, .. }) if why.contains("bytes") => return None,
        stack => stack.unwrap(),
    };
    // The values arrive where they are meant.
    let tree = stack.tree();
    let container = tree
        .at(&["Resources", "DetectorTask", "Properties", "ContainerDefinitions"])
        .unwrap();
    assert_eq!(container.items()[0].get("Image"), Some(&Tree::text(&texts[0])));
    assert_eq!(
        tree.at(&["Metadata", "Oort", "Tags", &texts[5]]),
        Some(&Tree::text(&texts[6]))
    );
    Some((stack.spec.body, tree))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn readers_of_yaml_1_1_and_1_2_read_the_tree_that_was_meant(texts in prop::collection::vec(text(), 7)) {
        let stack = rendered(&texts);
        prop_assume!(stack.is_some());
        let (body, tree) = stack.unwrap();
        prop_assert_eq!(&template::read(&body).unwrap(), &tree);
        let other: serde_yaml::Value = serde_yaml::from_str(&body).unwrap();
        prop_assert_eq!(serde_json::to_value(other).unwrap(), json(&tree));
    }
}

/// Skipped without the project's Python tools, which `make test` installs.
#[test]
fn pyyaml_reads_the_tree_that_was_meant() {
    let python = root().join("target/venv/bin/python");
    if !python.is_file() {
        eprintln!("skipped: {} is missing; make test installs it", python.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for index in 0..60 {
        let (body, tree) = loop {
            let texts = prop::collection::vec(text(), 7)
                .new_tree(&mut runner)
                .unwrap()
                .current();
            if let Some(stack) = rendered(&texts) {
                break stack;
            }
        };
        std::fs::write(folder.path().join(format!("{index}.yaml")), body).unwrap();
        std::fs::write(folder.path().join(format!("{index}.json")), json(&tree).to_string()).unwrap();
    }
    let script = "
import json, pathlib, sys, yaml
folder = pathlib.Path(sys.argv[1])
for meant in sorted(folder.glob('*.json')):
    read = yaml.load(meant.with_suffix('.yaml').read_text(encoding='utf-8'), Loader=yaml.SafeLoader)
    assert read == json.loads(meant.read_text()), meant.name
print(len(list(folder.glob('*.json'))))
";
    let output = Command::new(python)
        .args(["-c", script])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "60");
}
