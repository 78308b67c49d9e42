//! What a reviewer does before anything is deployed: layers of profiles, schemas, and diffs against golden files, revisions
//! and folders.

use std::path::Path;
use std::process::Command;

use oort_streams::deploy::cost::prices;
use oort_streams::deploy::diff::format::json::schema;
use oort_streams::deploy::diff::{Action, Change, DataEffect, compare};
use oort_streams::deploy::profile::origin::origins;
use oort_streams::deploy::schema::{self, File};
use oort_streams::deploy::tree::Tree;
use oort_streams::deploy::{lint, profile, source, template};
use serde_json::Value;

use crate::world::World;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_later_layer_has_the_last_word_and_says_where_it_stands() {
    let mut sources = source::read_environment(root(), "production").unwrap();
    let tenant = sources
        .tenants
        .iter()
        .position(|tenant| tenant.stem() == "initech")
        .unwrap();
    let origin = |sources: &source::SourceSet, key: &str| {
        let all = origins(sources, Some(&sources.tenants[tenant]));
        let found: Vec<_> = all.into_iter().filter(|origin| origin.key == key).collect();
        assert_eq!(found.len(), 1, "{key}");
        (
            found[0].value.clone(),
            found[0].path.rsplit('/').next().unwrap().to_owned(),
        )
    };
    let expected = [
        ("queue.visibility_timeout_seconds", "900", "defaults.yaml"),
        ("archive_retention_days", "90", "profile.yaml"),
        ("detector.jitter_minutes", "10", "busy.yaml"),
        ("queue.receive_limit", "10", "initech.yaml"),
        ("tags.product", "oort-log-streams", "defaults.yaml"),
    ];
    for (key, value, file) in expected {
        assert_eq!(origin(&sources, key), (value.to_owned(), file.to_owned()), "{key}");
    }
    // What is said to hold is what is rendered.
    let environment = profile::validate(&sources).unwrap();
    let settings = &environment.tenants[tenant].settings;
    assert_eq!(
        (
            settings.queue.visibility_timeout_seconds,
            settings.archive_retention_days
        ),
        (900, 90)
    );
    assert_eq!(
        (settings.detector.jitter_minutes, settings.queue.receive_limit),
        (10, 10)
    );
    sources.tenants[tenant].text = sources.tenants[tenant]
        .text
        .replace("queue:", "detector:\n  jitter_minutes: 3\nqueue:");
    assert_eq!(origin(&sources, "detector.jitter_minutes").0, "3");
    assert_eq!(
        profile::validate(&sources).unwrap().tenants[tenant]
            .settings
            .detector
            .jitter_minutes,
        3
    );
}

#[test]
fn a_group_that_is_not_there_and_a_quota_that_is_used_up_are_problems() {
    let mut sources = source::read_environment(root(), "staging").unwrap();
    let text = &mut sources.tenants[1].text;
    *text = text.replace("group: busy", "group: bussy");
    sources.profile.text.push_str("quotas:\n  event_buses: 1\n");
    let problems = profile::validate(&sources).unwrap_err().to_string();
    assert!(
        problems.contains("initech.yaml:3:8: there is no group `bussy`"),
        "{problems}"
    );
    assert!(
        problems.contains("2 tenants take as many event buses, and `quotas.event_buses` is 1"),
        "{problems}"
    );
}

#[test]
fn editors_get_the_schema_that_the_reader_follows() {
    let files = [
        (schema::of(File::Defaults), "defaults"),
        (schema::of(File::Profile), "profile"),
        (schema::of(File::Group), "group"),
        (schema::of(File::Tenant), "tenant"),
        (prices::schema(), "prices"),
    ];
    for (schema, name) in files {
        let path = root().join(format!("environments/schema/{name}.json"));
        let shipped: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(shipped, schema, "oort schema {name} > environments/schema/{name}.json");
    }
    let mut with_modeline = 0;
    for environment in source::environments(root()).unwrap() {
        let sources = source::read_environment(root(), &environment).unwrap();
        let own = [Some(&sources.profile), sources.defaults.as_ref()];
        for file in own.into_iter().flatten().chain(&sources.groups).chain(&sources.tenants) {
            let first = file.text.lines().next().unwrap();
            let target = first
                .strip_prefix("# yaml-language-server: $schema=")
                .unwrap_or_else(|| panic!("{}", file.path));
            assert!(
                root().join(&file.path).parent().unwrap().join(target).is_file(),
                "{}: {target}",
                file.path
            );
            with_modeline += 1;
        }
    }
    assert!(with_modeline >= 10, "{with_modeline}");
}

#[test]
fn the_shipped_templates_have_no_problem() {
    let (foundation, tenant) = source::read_templates(root()).unwrap();
    assert_eq!(
        lint::lint(&foundation, &tenant).to_string(),
        "0 problems in the environment's files"
    );
}

/// A template whose resources are these lines, at their own indentation.
fn resources(lines: &str) -> String {
    format!("Resources:\n{lines}")
}

fn changes(before: &str, after: &str) -> Vec<Change> {
    let tree = || template::read(after).unwrap();
    let after = compare::After {
        text: after,
        tree: &tree,
    };
    let diff = compare::compare("test", "acme", Some(before), Some(&after)).unwrap();
    diff.map_or_else(Vec::new, |diff| diff.changes)
}

#[test]
fn what_means_the_same_is_no_change() {
    let before = resources(
        "  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Sub a-b\n      DelaySeconds: \"10\"\n      SqsManagedSseEnabled: yes\n      Tags: [{Key: a, Value: 1}, {Key: b, Value: 2}]\n\
         \x20 R:\n    Type: AWS::IAM::Role\n    Properties:\n      ManagedPolicyArns: [x, y]\n      Policies:\n        - PolicyName: p\n          PolicyDocument:\n            Statement:\n              - {Sid: one, Effect: Allow, Action: [a:B, c:D], Resource: !GetAtt Q.Arn}\n              - {Sid: two, Effect: Allow, Action: e:F, Resource: [!Sub '${Q.Arn}/*']}\n",
    );
    let after = "{\"Resources\": {
        \"R\": {\"Properties\": {\"Policies\": [{\"PolicyDocument\": {\"Statement\": [
            {\"Sid\": \"two\", \"Action\": [\"e:F\"], \"Effect\": \"Allow\", \"Resource\": {\"Fn::Sub\": [\"${Q.Arn}/*\", {}]}},
            {\"Sid\": \"one\", \"Action\": [\"c:D\", \"a:B\"], \"Effect\": \"Allow\", \"Resource\": [{\"Fn::GetAtt\": [\"Q\", \"Arn\"]}]}
        ]}, \"PolicyName\": \"p\"}], \"ManagedPolicyArns\": [\"y\", \"x\"]}, \"Type\": \"AWS::IAM::Role\"},
        \"Q\": {\"Type\": \"AWS::SQS::Queue\", \"Properties\": {\"Tags\": [{\"Value\": \"2\", \"Key\": \"b\"}, {\"Key\": \"a\", \"Value\": \"1\"}],
            \"SqsManagedSseEnabled\": \"true\", \"DelaySeconds\": 10, \"QueueName\": {\"Fn::Join\": [\"-\", [\"a\", \"b\"]]}}}
    }}";
    assert_eq!(changes(&before, after), []);
    // Arguments of functions have an order also where lists have none.
    let rule = |arn: &str| {
        resources(&format!(
            "  P:\n    Type: AWS::SQS::QueuePolicy\n    Properties:\n      PolicyDocument:\n        Statement:\n          - {{Action: [a], Resource: {arn}, Condition: {{ArnEquals: {{aws:SourceArn: {arn}}}}}}}\n"
        ))
    };
    assert_eq!(changes(&rule("!GetAtt Q.Arn"), &rule("{'Fn::GetAtt': [Q, Arn]}")), []);
    assert_eq!(
        changes(&rule("!GetAtt Q.Arn"), &rule("{'Fn::GetAtt': [Arn, Q]}")).len(),
        1
    );
    let alone = |statement: &str| {
        resources(&format!(
            "  P:\n    Type: AWS::SQS::QueuePolicy\n    Properties: {{PolicyDocument: {{Statement: {statement}}}}}\n"
        ))
    };
    assert_eq!(
        changes(&alone("{Sid: a, Action: b}"), &alone("[{Action: [b], Sid: a}]")),
        []
    );
    // The order of what is no set counts.
    let listed = |order: &str| {
        resources(&format!(
            "  A:\n    Type: AWS::Unknown::Thing\n    Properties:\n      Steps: {order}\n"
        ))
    };
    assert_eq!(changes(&listed("[a, b]"), &listed("[b, a]")).len(), 1);
}

#[test]
fn a_replacement_takes_along_what_is_made_from_it_and_says_what_is_lost() {
    let template = |name: &str, retention: u32| {
        resources(&format!(
            "  Bus:\n    Type: AWS::Events::EventBus\n    Properties:\n      Name: {name}\n\
             \x20 Archive:\n    Type: AWS::Events::Archive\n    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n      ArchiveName: kept\n      SourceArn: !GetAtt Bus.Arn\n\
             \x20 Rule:\n    Type: AWS::Events::Rule\n    Properties:\n      EventBusName: !Ref Bus\n\
             \x20 Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      MessageRetentionPeriod: {retention}\n\
             Outputs:\n  BusArn:\n    Value: !GetAtt Bus.Arn\n    Export: {{Name: bus}}\n"
        ))
    };
    let found = changes(&template("a", 100), &template("b", 50));
    let told: Vec<String> = found
        .iter()
        .map(|change| {
            let because = change.because_of.as_deref().unwrap_or("-");
            format!(
                "{:?} {} {:?} {because} {:?}",
                change.action,
                change.subject.name(),
                change.data,
                change.notes
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    Replace Archive LeftBehind Bus ["CloudFormation refuses this: a resource that keeps its custom name cannot be replaced. Change ArchiveName too."]
    Replace Bus ArrivalsDropped - ["Changes the exports BusArn, which CloudFormation refuses while another stack imports them."]
    MaybeReplace Rule None Bus []
    Update Queue Lost - ["What is older than the new MessageRetentionPeriod is deleted."]
    "#);
    assert_eq!(found[0].action, Action::Replace);
    assert!(found.iter().any(|change| change.data == DataEffect::ArrivalsDropped));
}

#[test]
fn a_change_in_place_that_the_service_refuses_is_told() {
    let template = |group: &str, zone: &str| {
        resources(&format!(
            "  S:\n    Type: AWS::Scheduler::Schedule\n    Properties:\n      GroupName: {group}\n      ScheduleExpressionTimezone: {zone}\n"
        ))
    };
    let notes = |group: &str, zone: &str| {
        let mut found = changes(&template("one", "UTC"), &template(group, zone));
        assert_eq!((found.len(), found[0].action), (1, Action::Update));
        found.remove(0).notes
    };
    let expected = "CloudFormation tries to change GroupName in place, and the service refuses it; give the resource another logical ID.";
    assert_eq!(notes("two", "UTC"), [expected]);
    assert_eq!(notes("one", "Europe/Oslo"), [""; 0]);
}

#[test]
fn every_format_tells_a_fleets_changes_and_exits_with_2() {
    let world = World::new();
    world.ok(&["render"]);
    assert!(world.ok(&["diff"]).starts_with("No change in 3 stacks"));
    world.edit_profile(|profile| *profile = profile.replace("queue:", "queue:\n  receive_limit: 6"));
    let diff = |format: &str| {
        let output = world.run(&["diff", "--format", format]);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    insta::assert_snapshot!(diff("text"), @"
    ~ Update EventQueue (AWS::SQS::Queue)
      in 2 stacks: local/acme, local/globex
        ~ RedrivePolicy.maxReceiveCount: 5 -> 6

    2 of 3 stacks change, all alike.
    ");
    insta::assert_snapshot!(diff("markdown"), @"
    ### 2 of 3 stacks change, all alike.

    **Update EventQueue (AWS::SQS::Queue)** in 2 stacks: local/acme, local/globex

    ```diff
    ! RedrivePolicy.maxReceiveCount: 5 -> 6
    ```
    ");
    let html = diff("html");
    assert!(html.starts_with("<!doctype html>") && html.contains("RedrivePolicy.maxReceiveCount: 5 -&gt; 6"));
    let json: Value = serde_json::from_str(&diff("json")).unwrap();
    assert_eq!(
        json["groups"][0]["stacks"],
        serde_json::json!(["local/acme", "local/globex"])
    );
    assert_fits(&json, &schema());
    let one = world.run(&["diff", "-e", "local", "-t", "acme"]);
    assert!(String::from_utf8_lossy(&one.stdout).contains("1 of 1 stack change"));
}

/// Checks a value against the part of JSON Schema that our own schemas use.
fn assert_fits(value: &Value, schema: &Value) {
    if let Some(one_of) = schema["oneOf"].as_array() {
        let kind = &value["kind"];
        let fitting = one_of
            .iter()
            .find(|schema| schema["properties"]["kind"]["const"] == *kind);
        return assert_fits(value, fitting.unwrap_or_else(|| panic!("no kind {kind}")));
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{value} is none of {words:?}");
    }
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(entries)) => {
            for name in schema["required"].as_array().unwrap() {
                assert!(entries.contains_key(name.as_str().unwrap()), "{name} is missing");
            }
            for (key, value) in entries {
                let known = &schema["properties"][key];
                assert!(!known.is_null(), "{key} is not in the schema");
                assert_fits(value, known);
            }
        }
        (Some("array"), Value::Array(items)) => items.iter().for_each(|item| assert_fits(item, &schema["items"])),
        (Some("string"), Value::String(_)) | (Some("integer"), Value::Number(_)) | (None, _) => {}
        (kind, value) => panic!("{value} is no {kind:?}"),
    }
}

#[test]
fn a_revision_and_a_folder_are_compared_with() {
    let world = World::new();
    world.ok(&["render"]);
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
        let status = Command::new("git")
            .current_dir(world.root())
            .args(identity)
            .args(arguments)
            .status()
            .unwrap();
        assert!(status.success(), "git {arguments:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "reviewed"]);
    std::fs::create_dir_all(world.root().join("deployed/local")).unwrap();
    for file in ["acme.yaml", "foundation.yaml"] {
        let golden = world.root().join("snapshots/local").join(file);
        std::fs::copy(golden, world.root().join("deployed/local").join(file)).unwrap();
    }
    std::fs::remove_file(world.root().join("environments/local/tenants/globex.yaml")).unwrap();
    world.edit_profile(|profile| *profile = profile.replace("queue:", "queue:\n  receive_limit: 6"));
    world.ok(&["render"]);
    assert!(world.ok(&["diff"]).starts_with("No change"));
    let against = |arguments: &[&str]| {
        let output = world.run(&[&["diff", "--format", "json"], arguments].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let summary = serde_json::from_str::<Value>(&text).unwrap()["summary"].clone();
        (
            output.status.code().unwrap(),
            summary["changed"].as_u64().unwrap(),
            summary["deleted"].as_u64().unwrap(),
        )
    };
    assert_eq!(against(&["--against", "HEAD"]), (2, 2, 1));
    let folder = world.root().join("deployed");
    assert_eq!(against(&["--folder", folder.to_str().unwrap()]), (2, 1, 0));
    assert_eq!(world.run(&["diff", "--against", "nothing"]).status.code(), Some(3));
    assert_eq!(world.run(&["diff", "--folder", "nowhere"]).status.code(), Some(3));
}

#[test]
fn a_template_of_others_that_cannot_be_read_is_told_with_its_line() {
    let tree = || Tree::Null;
    let after = compare::After {
        text: "A: 1\n",
        tree: &tree,
    };
    let error = compare::compare("test", "acme", Some("Resources:\n  A: [\n"), Some(&after)).unwrap_err();
    assert!(error.at.line >= 2, "{error:?}");
}

/// The same template as another tool may write it: keys sorted, numbers as texts, sets the other way round, attributes in
/// their short form, single values where a list of one stood.
fn rewritten(value: &Value, key: &str) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| rewritten(item, "")).collect();
            if [
                "Tags",
                "Statement",
                "Action",
                "Resource",
                "Service",
                "Environment",
                "Dimensions",
            ]
            .contains(&key)
            {
                items.reverse();
                if items.len() == 1 && ["Statement", "Action", "Resource", "Service"].contains(&key) {
                    return items.remove(0);
                }
            }
            items.into()
        }
        Value::Object(entries) => entries
            .iter()
            .map(
                |(key, value)| match (key.as_str(), value.as_array().map(Vec::as_slice)) {
                    ("Fn::GetAtt", Some([Value::String(resource), Value::String(attribute)])) => {
                        (key.clone(), format!("{resource}.{attribute}").into())
                    }
                    _ => (key.clone(), rewritten(value, key)),
                },
            )
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn every_shipped_stack_means_the_same_in_another_tools_words() {
    let mut compared = 0;
    for environment in source::environments(root()).unwrap() {
        for file in source::golden_names(root(), &environment).unwrap() {
            let golden = source::read_golden(root(), &environment, &file).unwrap().unwrap();
            let value: serde_yaml::Value = serde_yaml::from_str(&golden).unwrap();
            let other = rewritten(&serde_json::to_value(value).unwrap(), "");
            assert_eq!(changes(&format!("{other:#}"), &golden), [], "{environment}/{file}");
            // And one character more is seen.
            let other = other.to_string().replacen("Retain", "Delete", 1);
            assert_ne!(changes(&other, &golden), [], "{environment}/{file}");
            compared += 1;
        }
    }
    assert_eq!(compared, 9);
}

#[test]
fn one_tenant_reads_no_file_of_another() {
    let world = World::new();
    world.ok(&["render"]);
    std::fs::write(world.root().join("environments/local/tenants/globex.yaml"), "tenant: [").unwrap();
    std::fs::write(world.root().join("snapshots/local/globex.yaml"), "Resources: [").unwrap();
    for verb in [&["diff"][..], &["render", "--check"], &["check"], &["profile", "show"]] {
        world.ok(&[verb, &["-e", "local", "-t", "acme"]].concat());
    }
    assert_eq!(world.run(&["diff", "-e", "local"]).status.code(), Some(3));
}
