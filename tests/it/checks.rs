//! The named rules over the shipped stacks: they meet every rule, and whatever is planted into a template is found on the
//! line that wrote it.

use std::path::Path;

use oort_streams::deploy::check::{self, Subject, Violation};
use oort_streams::deploy::source::{self, SourceSet};
use oort_streams::deploy::{profile, render};
use serde_json::Value;

use crate::world::World;

fn sources(environment: &str) -> SourceSet {
    source::read_environment(Path::new(env!("CARGO_MANIFEST_DIR")), environment).unwrap()
}

fn violations(sources: &SourceSet) -> Vec<Violation> {
    let environment = profile::validate(sources).unwrap();
    let stacks = render::render(&environment, sources).unwrap();
    let check = |stack: &render::Rendered| {
        check::check(&Subject {
            environment: &sources.environment,
            stack: stack.spec.name.as_str(),
            tenant: stack.spec.tenant.as_ref(),
            template: &stack.tree(),
            file: &stack.template,
            line_of: &|path| stack.line_of(path),
        })
    };
    stacks.iter().flat_map(check).collect()
}

#[test]
fn every_shipped_stack_meets_every_rule() {
    for name in source::environments(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap() {
        let sources = sources(&name);
        let accepted = profile::validate(&sources).unwrap().profile.suppressions;
        assert!(
            accepted
                .iter()
                .all(|suppression| suppression.tool != profile::Tool::Oort),
            "the shipped profiles accept nothing that our own rules find"
        );
        let told: Vec<String> = violations(&sources)
            .iter()
            .map(|violation| format!("{}: {}: {}", violation.rule.id, violation.pointer(), violation.message))
            .collect();
        assert_eq!(told, [""; 0], "{name}");
    }
}

/// What is taken out of the tenant's template or put into it, and the rule that must find it.
const PLANTED_IN_TENANT: &[(&str, &str, &str)] = &[
    (
        "                  - s3:AbortMultipartUpload",
        "                  - s3:Abort*",
        "iam-action-wildcard",
    ),
    (
        "                Resource: {{ shared(\"DataBucketArn\") }}",
        "                Resource: \"*\"",
        "iam-resource-wildcard",
    ),
    (
        "                    - {{ \"${Bucket}/\" ~ folder ~ \"/*\" }}",
        "                    - \"${Bucket}/tenants/*\"",
        "own-objects-only",
    ),
    (
        "                    s3:prefix: {{ folder ~ \"/*\" }}",
        "                    s3:prefix: {{ folder ~ \"*\" }}",
        "own-objects-only",
    ),
    (
        "                Resource: {{ shared(\"ScheduleDeadLetterQueueArn\") }}",
        "                Resource: {{ shared(\"DataKeyArn\") }}",
        "own-objects-only",
    ),
    (
        "              Value: {{ folder }}",
        "              Value: tenants/somebody-else",
        "own-names-only",
    ),
    (
        "        Ref: FindingTopic",
        "        Fn::ImportValue: findings-of-all",
        "own-findings-only",
    ),
    (
        "      QueueName: {{ prefix ~ \"-events\" }}",
        "      QueueName: {{ tenant.id ~ \"-events\" }}",
        "name-under-prefix",
    ),
    (
        "      SqsManagedSseEnabled: true",
        "      SqsManagedSseEnabled: false",
        "encrypted-at-rest",
    ),
    (
        "      RetentionDays: {{ tenant.settings.archive_retention_days }}",
        "      RetentionDays: 0",
        "retention",
    ),
    (
        "    DeletionPolicy: Retain",
        "    DeletionPolicy: Delete",
        "deletion-policy",
    ),
    (
        "            - Name: OORT_SCRATCH",
        "            - Name: OKTA_API_TOKEN",
        "no-secret",
    ),
];

/// The same for the foundation's.
const PLANTED_IN_FOUNDATION: &[(&str, &str, &str)] = &[
    (
        "              - kms:DescribeKey",
        "              - kms:Describe*",
        "iam-action-wildcard",
    ),
    (
        "              Service: logging.s3.amazonaws.com",
        "              AWS: \"*\"",
        "iam-anyone",
    ),
    (
        "      EnableKeyRotation: true",
        "      EnableKeyRotation: false",
        "key-rotated",
    ),
    (
        "        BlockPublicPolicy: true",
        "        BlockPublicPolicy: false",
        "bucket-private",
    ),
    (
        "      RetentionInDays: {{ profile.settings.log_retention_days }}",
        "      RetentionInDays: 0",
        "retention",
    ),
];

#[test]
fn what_is_planted_is_found_on_its_line() {
    let clean = sources("staging");
    let plants = PLANTED_IN_TENANT
        .iter()
        .map(|plant| (true, plant))
        .chain(PLANTED_IN_FOUNDATION.iter().map(|plant| (false, plant)));
    for (is_tenant, (from, to, rule)) in plants {
        let mut sources = clean.clone();
        let template = if is_tenant {
            &mut sources.tenant_template
        } else {
            &mut sources.foundation_template
        };
        let line = template.text.lines().position(|line| line == *from);
        let line = line.unwrap_or_else(|| panic!("{from:?} is no line of {}", template.path)) + 1;
        template.text = template.text.replacen(&format!("\n{from}\n"), &format!("\n{to}\n"), 1);
        let file = template.path.clone();
        let found = violations(&sources);
        let places: Vec<(&str, &str, usize)> = found
            .iter()
            .map(|found| (found.rule.id, found.file.as_str(), found.line.unwrap()))
            .collect();
        // A value may stand beside its name, below it, or within an intrinsic function; what is missing, where it could be.
        let is_there =
            |(id, path, at): &(&str, &str, usize)| id == rule && *path == file && (line - 2..=line + 4).contains(at);
        assert!(places.iter().any(is_there), "{to}: {places:?}, not line {line}");
    }
}

#[test]
fn what_is_taken_out_is_missed() {
    let clean = sources("staging");
    for (key, rule) in [
        ("aws:SourceArn", "confused-deputy"),
        ("aws:SourceAccount", "confused-deputy"),
        ("DeadLetterConfig", "dead-letter-queue"),
        ("RedrivePolicy", "dead-letter-queue"),
        ("iam:PassedToService", "pass-role-to-one-service"),
        ("UpdateReplacePolicy", "deletion-policy"),
        ("kms:ViaService", "own-objects-only"),
    ] {
        let mut sources = clean.clone();
        let text = sources
            .tenant_template
            .text
            .replace(&format!("{key}:"), &format!("x-{key}:"));
        assert_ne!(text, sources.tenant_template.text, "{key}");
        sources.tenant_template.text = text;
        assert!(violations(&sources).iter().any(|found| found.rule.id == rule), "{key}");
    }
    let mut sources = clean;
    sources.tenant_template.text = sources
        .tenant_template
        .text
        .replace("[EventRule, Arn]", "[EventBus, Arn]");
    let found = violations(&sources);
    assert!(found.iter().any(|found| found.rule.id == "queue-policy-bound-to-rule"));
}

fn plant(world: &World, from: &str, to: &str) {
    let path = world.root().join("templates/tenant.yaml.j2");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_violation_exits_with_2_unless_the_profile_accepts_it() {
    let world = World::new();
    assert!(world.ok(&["check"]).ends_with("nothing is wrong.\n"));
    plant(&world, "SqsManagedSseEnabled: true", "SqsManagedSseEnabled: false");
    let output = world.run(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("error[encrypted-at-rest]")
            && text.contains("EventQueue in 2 stacks: oort-local-acme, oort-local-globex")
            && text.contains("2 errors"),
        "{text}"
    );
    assert_eq!(
        world.run(&["check", "-e", "local", "-t", "globex"]).status.code(),
        Some(2)
    );

    let accept = |rule: &str, resource: &str| {
        world.edit_profile(|profile| {
            *profile += "\nsuppressions:\n  - {rule: RULE, resource: RESOURCE, reason: a test of it}\n"
                .replace("RULE", rule)
                .replace("RESOURCE", resource)
                .as_str();
        });
    };
    accept("encrypted-at-rest", "EventQueue");
    let text = world.ok(&["check"]);
    assert!(
        text.contains("reason: a test of it") && text.contains("2 accepted"),
        "{text}"
    );
    plant(&world, "SqsManagedSseEnabled: false", "SqsManagedSseEnabled: true");
    let text = world.ok(&["check"]);
    assert!(
        text.contains("warning[idle-suppression]") && text.contains("1 warning"),
        "{text}"
    );
    assert!(!world.ok(&["check", "-e", "local", "-t", "acme"]).contains("idle"));
}

#[test]
fn every_format_tells_the_same() {
    let world = World::new();
    plant(&world, "ReadonlyRootFilesystem: true", "User: \"https://a:hunter2@b\"");
    let json: Value = serde_json::from_slice(&world.run(&["check", "--format", "json"]).stdout).unwrap();
    let found = json["violations"].as_array().unwrap();
    // Three tasks of two tenants, and a fourth of the one whose org may be asked.
    assert_eq!((found.len(), &json["errors"]), (7, &Value::from(7)));
    let file = world.file("check.sarif", "");
    let output = world.run(&["check", "--format", "sarif", "--output", &file]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let sarif = std::fs::read_to_string(file).unwrap();
    let value: Value = serde_json::from_str(&sarif).unwrap();
    let results = value["runs"][0]["results"].as_array().unwrap();
    let occurrences: u64 = results
        .iter()
        .map(|result| result["occurrenceCount"].as_u64().unwrap())
        .sum();
    assert_eq!(occurrences, 7);
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], found[0]["file"]);
    assert_eq!(place["region"]["startLine"], found[0]["line"]);
    let junit = String::from_utf8(world.run(&["check", "--format", "junit"]).stdout).unwrap();
    assert_eq!(junit.matches("<failure ").count(), 2, "one case a rule and stack");
    let text = String::from_utf8(world.run(&["check"]).stdout).unwrap();
    for told in [&json.to_string(), &sarif, &junit, &text] {
        assert!(!told.contains("hunter2"), "a secret is never shown");
    }
}

#[test]
fn other_tools_are_told_what_the_profile_accepts() {
    let world = World::new();
    let baseline = world.json(&["check", "-e", "local", "--skips", "checkov"]);
    let findings = baseline["failed_checks"][0]["findings"].as_array().unwrap();
    let accepts = |resource: &str, check: &str| {
        let names = |finding: &&Value| finding["resource"] == resource;
        let finding = findings.iter().find(names).unwrap();
        finding["check_ids"].as_array().unwrap().contains(&Value::from(check))
    };
    assert!(
        accepts("AWS::S3::Bucket.AccessLogs", "CKV_AWS_18") && !accepts("AWS::S3::Bucket.DataBucket", "CKV_AWS_18")
    );
    assert_eq!(
        world.ok(&["check", "-e", "local", "--skips", "cfn-lint"]),
        "ignore_checks: []\n"
    );
    assert_eq!(world.run(&["check", "--skips", "checkov"]).status.code(), Some(3));
    let list = world.ok(&["check", "--list"]);
    assert!(
        list.contains("queue-policy-bound-to-rule (error)") && list.contains("admits kms:* for the account's root")
    );
}
