//! Environment files and templates: every problem at once with its place, and stacks that are what was reviewed.

use std::path::Path;

use oort_streams::deploy::profile::{self, Environment};
use oort_streams::deploy::render::{self, RenderError};
use oort_streams::deploy::source::{self, SourceSet};
use oort_streams::deploy::tree::Tree;
use oort_streams::deploy::{golden, problem::Problems};
use proptest::prelude::*;

use crate::world::World;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> SourceSet {
    source::read_environment(root(), "local").unwrap()
}

fn validate(edit: impl FnOnce(&mut SourceSet)) -> Result<Environment, Problems> {
    let mut sources = sources();
    edit(&mut sources);
    profile::validate(&sources)
}

#[test]
fn all_problems_of_all_files_are_reported_at_once() {
    let problems = validate(|sources| {
        sources.profile.text = sources
            .profile
            .text
            .replace("account_id: \"000000000000\"", "account_id: 12345678901")
            .replace("region: us-east-2", "regoin: us-east-2")
            .replace(
                "detector:\n  jitter_minutes: 0",
                "detector:\n  memory_mib: 3000\n  jitter_minutes: no",
            )
            .replace(
                "visibility_timeout_seconds: 60",
                "receive_limit: five\n  receive_limit: 6",
            );
        sources.tenants[0].text = sources.tenants[0]
            .text
            .replace("5f1d7a42-acme", "5f1d7a42/acme")
            .replace("minimum_severity: high", "minimum_severity: urgent")
            .replace("soc@acme.example", "https://soc.acme.example");
        sources.tenants[1].text = "tenant: globex\nokta: [subdomain]\nowner: me\ntenant: other\n".to_owned();
    })
    .unwrap_err();
    insta::assert_snapshot!(problems);
}

#[test]
fn what_is_no_yaml_is_reported_beside_the_problems_of_other_files() {
    let problems = validate(|sources| {
        sources.profile.text = "environment: [local\n".to_owned();
        sources.tenants[0].text = "tenant: !Ref acme\n".to_owned();
        sources.tenants[1].text.clear();
    })
    .unwrap_err();
    insta::assert_snapshot!(problems);
}

#[test]
fn one_event_source_belongs_to_one_tenant() {
    let problems = validate(|sources| {
        let acme = sources.tenants[0].clone();
        sources.tenants[1].text = acme.text.replace("tenant: acme", "tenant: globex");
    })
    .unwrap_err();
    assert!(
        problems.to_string().contains("belongs to tenant `acme` already"),
        "{problems}"
    );
}

#[test]
fn golden_files_are_what_is_rendered() {
    for name in source::environments(root()).unwrap() {
        let sources = source::read_environment(root(), &name).unwrap();
        let environment = profile::validate(&sources).unwrap();
        let rendered = render::render(&environment, &sources).unwrap();
        assert_eq!(rendered.len(), source::golden_names(root(), &name).unwrap().len());
        for stack in rendered {
            let file = stack.spec.file_name();
            let golden = source::read_golden(root(), &name, &file).unwrap();
            assert_eq!(golden::compare(&file, &stack.spec.body, golden.as_deref()), None);
        }
    }
}

#[test]
fn a_stale_golden_file_is_shown_and_exits_with_2() {
    let world = World::new();
    world.ok(&["render"]);
    assert_eq!(world.ok(&["render", "--check"]), "");
    world.edit_profile(|profile| *profile = profile.replace("queue:", "queue:\n  receive_limit: 6"));
    let output = world.run(&["render", "--check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("-        maxReceiveCount: 5") && text.contains("+        maxReceiveCount: 6"),
        "{text}"
    );
    std::fs::write(world.root().join("snapshots/local/gone.yaml"), "").unwrap();
    world.ok(&["render"]);
    assert_eq!(world.ok(&["render", "--check"]), "");
}

#[test]
fn exit_codes_tell_bad_input_and_refusals_apart() {
    let world = World::new();
    assert_eq!(world.run(&["render", "-e", "nowhere"]).status.code(), Some(3));
    assert_eq!(world.run(&["detect", "--tenant", "nobody"]).status.code(), Some(3));
    assert_eq!(world.run(&["detect", "--no-such-flag"]).status.code(), Some(3));
    let project = [
        "--root",
        env!("CARGO_MANIFEST_DIR"),
        "detect",
        "-e",
        "staging",
        "--tenant",
        "acme",
    ];
    let data = world.data();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_oort"))
        .args(project)
        .arg("--data")
        .arg(data)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(4),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_template_error_shows_its_line_and_no_value() {
    let mut sources = sources();
    let environment = profile::validate(&sources).unwrap();
    sources.tenant_template.text = "Resources:\n  A: {{ tenant.id }}\n  B: {{ tenant.secret_of_nobody }}\n".to_owned();
    let error = render::render(&environment, &sources).unwrap_err();
    insta::assert_snapshot!(error, @r"
    templates/tenant.yaml.j2:3: undefined value: `tenant.secret_of_nobody` is undefined
         3 |   B: {{ tenant.secret_of_nobody }}
    ");
    sources.tenant_template.text = "A: {{ tenant.id }\n".to_owned();
    assert!(matches!(
        render::render(&environment, &sources),
        Err(RenderError::Template { line: 1, .. })
    ));
    sources.tenant_template.text =
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}".to_owned();
    assert!(matches!(
        render::render(&environment, &sources),
        Err(RenderError::Template { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_value_changes_a_template_around_it(value in prop_oneof![".{0,40}", prop::sample::select(vec![
        "no", "12:30:45", "012345678901", "1_000", "a\nb: c", "!Ref x", "\"", "{{ x }}", "#", "- a", "🚀",
    ]).prop_map(str::to_owned)]) {
        let sources = sources();
        let mut environment = profile::validate(&sources).unwrap();
        environment.tenants.truncate(1);
        let plain = render::render(&environment, &sources).unwrap().remove(1);
        environment.profile.image.clone_from(&value);
        let stack = render::render(&environment, &sources).unwrap().remove(1);
        let read = |text: &str| -> serde_yaml::Value { serde_yaml::from_str(text).unwrap() };
        let (mut expected, found) = (read(&plain.spec.body), read(&stack.spec.body));
        for task in ["DetectorTask", "CompactorTask", "MaintainerTask", "ReconcilerTask"] {
            expected["Resources"][task]["Properties"]["ContainerDefinitions"][0]["Image"] = value.clone().into();
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_tenants_retention_is_told_to_its_maintainer_alone() {
    let told = |days: &str| {
        let mut sources = sources();
        sources.tenants[0].text += &["data_retention_days: ", days, "\n"].concat();
        let environment = profile::validate(&sources).unwrap();
        let stack = render::render(&environment, &sources).unwrap().remove(1);
        let template: serde_yaml::Value = serde_yaml::from_str(&stack.spec.body).unwrap();
        let of = |task: &str| {
            let container = &template["Resources"][task]["Properties"]["ContainerDefinitions"][0];
            let variables = container["Environment"].as_sequence().unwrap().iter();
            let mut days = variables.filter(|variable| variable["Name"] == "OORT_RETENTION_DAYS");
            days.next()
                .map(|variable| variable["Value"].as_str().unwrap().to_owned())
        };
        [of("DetectorTask"), of("CompactorTask"), of("MaintainerTask")]
    };
    assert_eq!(told("90"), [None, None, Some("90".to_owned())]);
    assert_eq!(told("0"), [None, None, None]);
}

#[test]
fn a_permissions_boundary_bounds_every_role() {
    let mut sources = sources();
    let boundary = "arn:aws:iam::000000000000:policy/bounds";
    sources.profile.text += &["permissions_boundary: ", boundary, "\n"].concat();
    let environment = profile::validate(&sources).unwrap();
    let mut roles = 0;
    for stack in render::render(&environment, &sources).unwrap() {
        for (id, resource) in stack.tree().get("Resources").unwrap().entries() {
            if resource.get("Type") == Some(&Tree::text("AWS::IAM::Role")) {
                roles += 1;
                let bounded = resource.at(&["Properties", "PermissionsBoundary"]);
                assert_eq!(bounded, Some(&Tree::text(boundary)), "{id}");
            }
        }
    }
    // One tenant's org may be asked.
    assert_eq!(roles, 1 + 2 * 4 + 1);
    sources.profile.text = sources
        .profile
        .text
        .replace("iam::000000000000:policy", "iam::000000000001:policy");
    let problems = profile::validate(&sources).unwrap_err().to_string();
    assert!(
        problems.contains("`permissions_boundary`: the ARN is of account 000000000001"),
        "{problems}"
    );
}

#[test]
fn the_content_hash_follows_the_template_and_the_tags() {
    let sources = sources();
    let environment = profile::validate(&sources).unwrap();
    let hash = |environment: &Environment| {
        render::render(environment, &sources).unwrap()[1].spec.tags["oort:content-hash"].clone()
    };
    let first = hash(&environment);
    assert_eq!(hash(&environment), first);
    let mut tagged = environment.clone();
    tagged.tenants[0].tags.insert("new".to_owned(), "tag".to_owned());
    let mut changed = environment.clone();
    changed.tenants[0].settings.queue.receive_limit += 1;
    assert!(hash(&tagged) != first && hash(&changed) != first && hash(&tagged) != hash(&changed));
}
