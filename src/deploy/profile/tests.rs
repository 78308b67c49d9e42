use super::*;

const PROFILE: &str = "\
environment: test
target: aws
account_id: \"012345678901\"
region: us-east-2
image: oort-streams:1
network: {subnets: [subnet-1], security_groups: [sg-1]}
detector: {schedule: rate(1 hour), jitter_minutes: 30, cpu: 512, memory_mib: 1024}
compactor: {schedule: cron(15 3 * * ? *), jitter_minutes: 0, cpu: 256, memory_mib: 512}
maintainer: {schedule: cron(45 5 ? * SUN *), jitter_minutes: 0, cpu: 256, memory_mib: 512}
reconciler: {schedule: rate(6 hours), jitter_minutes: 0, cpu: 256, memory_mib: 512}
queue: {visibility_timeout_seconds: 60, receive_limit: 5, retention_days: 14}
archive_retention_days: 14
data_retention_days: 0
log_retention_days: 30
tags: {stage: test}
";

const ACME: &str = "\
tenant: acme
okta: {subdomain: acme, integration_id: 5f1d7a42-acme}
";

fn sources(profile: &str, tenants: &[(&str, &str)]) -> SourceSet {
    let source = |path: String, text: &str| Source {
        path,
        text: text.to_owned(),
    };
    SourceSet {
        environment: "test".to_owned(),
        defaults: None,
        groups: Vec::new(),
        profile: source("environments/test/profile.yaml".to_owned(), profile),
        tenants: tenants
            .iter()
            .map(|(id, text)| source(format!("environments/test/tenants/{id}.yaml"), text))
            .collect(),
        foundation_template: source("templates/foundation.yaml.j2".to_owned(), ""),
        tenant_template: source("templates/tenant.yaml.j2".to_owned(), ""),
    }
}

fn problems(profile: &str, tenants: &[(&str, &str)]) -> String {
    validate(&sources(profile, tenants)).unwrap_err().to_string()
}

#[test]
fn an_environment_is_read_as_it_is_written() {
    let environment = validate(&sources(PROFILE, &[("acme", ACME)])).unwrap();
    assert_eq!(environment.profile.account_id.as_str(), "012345678901");
    let tenant = &environment.tenants[0];
    assert_eq!(tenant.event_source.as_str(), "aws.partner/okta.com/acme/5f1d7a42-acme");
    assert_eq!(tenant.settings, environment.profile.settings);
    let text = format!("{ACME}detector: {{memory_mib: 4096}}\n");
    let environment = validate(&sources(PROFILE, &[("acme", &text)])).unwrap();
    let detector = &environment.tenants[0].settings.detector;
    assert_eq!((detector.cpu, detector.memory_mib), (512, 4_096));
}

#[test]
fn every_problem_is_reported_at_its_place() {
    let profile = PROFILE
        .replace("\"012345678901\"", "\"90961783444\"")
        .replace("target: aws", "target: [aws]")
        .replace("archive_retention_days: 14\n", "")
        .replace("log_retention_days: 30", "log_retention_days: 31")
        .replace("rate(1 hour)", "rate(1 hours)");
    let acme = "\
tenant: acme
okta:
  subdomain: acme
  integration_id: 5f1d7a42/acme
notifcations: []
tenant: acme
queue:
  receive_limit: five
  retention_days: 15
data_retention_days: 29
tags:
  aws:owner: me
  stage: no
";
    insta::assert_snapshot!(problems(&profile, &[("acme", acme)]), @r#"
    13 problems in the environment's files
    environments/test/profile.yaml:1:1: `archive_retention_days` is missing; add it here or in environments/defaults.yaml
         1 | environment: test
           | ^
    environments/test/profile.yaml:2:9: `target` is a text
         2 | target: [aws]
           |         ^
    environments/test/profile.yaml:3:13: `account_id`: "90961783444" is no account ID: exactly 12 digits, in quotes
         3 | account_id: "90961783444"
           |             ^
    environments/test/profile.yaml:7:22: `schedule`: a rate is 1 minute, hour or day, or 2 and more minutes, hours or days
         7 | detector: {schedule: rate(1 hours), jitter_minutes: 30, cpu: 512, memory_mib: 1024}
           |                      ^
    environments/test/profile.yaml:13:21: `log_retention_days` is one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
        13 | log_retention_days: 31
           |                     ^
    environments/test/tenants/acme.yaml:4:19: `integration_id`: "5f1d7a42/acme" is no integration ID: 1 to 75 letters, digits, dots, hyphens and underscores
         4 |   integration_id: 5f1d7a42/acme
           |                   ^
    environments/test/tenants/acme.yaml:5:1: a tenant has no key `notifcations`; is `notifications` meant?
         5 | notifcations: []
           | ^
    environments/test/tenants/acme.yaml:6:1: `tenant` stands here twice; line 1 has it already
         6 | tenant: acme
           | ^
    environments/test/tenants/acme.yaml:8:18: `receive_limit` is a whole number from 1 to 1000
         8 |   receive_limit: five
           |                  ^
    environments/test/tenants/acme.yaml:9:19: `retention_days` is a whole number from 1 to 14
         9 |   retention_days: 15
           |                   ^
    environments/test/tenants/acme.yaml:10:22: `data_retention_days`: at least 30, or 0 to keep everything for ever
        10 | data_retention_days: 29
           |                      ^
    environments/test/tenants/acme.yaml:12:3: the tag `aws:owner` starts with aws: or oort:, which are taken
        12 |   aws:owner: me
           |   ^
    environments/test/tenants/acme.yaml:13:10: `stage` is a text; write "no" in quotes, or it may be read as something else
        13 |   stage: no
           |          ^
    "#);
}

#[test]
fn a_number_that_is_no_number_is_one_problem() {
    let profile = PROFILE.replace("cpu: 512", "cpu: lots");
    let acme = format!("{ACME}detector: {{memory_mib: 4096}}\ncompactor: {{cpu: many, memory_mib: 8192}}\n");
    let told = problems(&profile, &[("acme", &acme)]);
    assert!(told.starts_with("2 problems"), "{told}");
}

#[test]
fn an_account_id_without_quotes_keeps_its_zero() {
    let told = problems(&PROFILE.replace("\"012345678901\"", "012345678901"), &[]);
    assert!(told.contains("write \"012345678901\" in quotes"), "{told}");
}

#[test]
fn names_of_the_foundation_are_no_tenants() {
    let text = ACME.replace("tenant: acme", "tenant: schedule");
    let told = problems(PROFILE, &[("schedule", &text)]);
    assert!(told.contains("foundation and schedule are taken"), "{told}");
    let text = ACME.replace("tenant: acme", "tenant: acme2");
    let told = problems(PROFILE, &[("acme", &text)]);
    assert!(told.contains("belongs into the file acme2.yaml"), "{told}");
}

#[test]
fn a_topic_has_each_endpoint_once() {
    let route = |name: &str| {
        format!("  - {{name: {name}, protocol: email, endpoint: soc@acme.example, minimum_severity: high}}\n")
    };
    let acme = format!("{ACME}notifications:\n{}{}", route("soc"), route("again"));
    let told = problems(PROFILE, &[("acme", &acme)]);
    assert!(told.starts_with("1 problem "), "{told}");
    assert!(
        told.contains("acme.yaml:5:46: route `soc` has this endpoint already"),
        "{told}"
    );
    // Each tenant has a topic of its own.
    let globex =
        format!("{}notifications:\n{}", ACME.replace("acme", "globex"), route("soc")).replace("@globex", "@acme");
    let acme = format!("{ACME}notifications:\n{}", route("soc"));
    assert!(validate(&sources(PROFILE, &[("acme", &acme), ("globex", &globex)])).is_ok());
}

#[test]
fn tags_of_profile_and_tenant_fit_together() {
    let tags = |prefix: &str, count: usize| -> String {
        let tags: Vec<String> = (0..count).map(|index| format!("{prefix}{index}: x")).collect();
        format!("tags: {{{}}}\n", tags.join(", "))
    };
    let profile = PROFILE.replace("tags: {stage: test}\n", &tags("p", 25));
    let with = |count| format!("{ACME}{}", tags("t", count));
    assert!(validate(&sources(&profile, &[("acme", &with(20))])).is_ok());
    let told = problems(&profile, &[("acme", &with(21))]);
    assert!(told.contains("46 tags with those of the layers below"), "{told}");
}

#[test]
fn a_route_says_what_its_protocol_lacks_and_what_means_nothing_to_it() {
    let acme = format!(
        "{ACME}notifications:\n\
         - {{name: topic, protocol: slack, minimum_severity: high, secret: hook}}\n\
         - {{name: mail, protocol: email, endpoint: soc@acme.example, minimum_severity: high, per_hour: 5}}\n\
         - {{name: chat, protocol: slack, minimum_severity: high, endpoint: \"https://hooks.example/x\"}}\n\
         - {{name: issue, protocol: jira, minimum_severity: high, endpoint: \"https://u:p@jira.example\", secret: jira}}\n\
         - {{name: smtp, protocol: smtp, minimum_severity: high, endpoint: soc, from: a@b.example, server: \"mail:25\"}}\n\
         - name: quiet\n\
         \x20 protocol: slack\n\
         \x20 minimum_severity: high\n\
         \x20 secret: hook\n\
         \x20 quiet_hours: {{from: \"25:00\", to: \"07:00\", time_zone: Mars/Base}}\n"
    );
    let told = problems(PROFILE, &[("acme", &acme)]);
    for what in [
        "acme.yaml:4:10: `topic` is what the tenant's topic is called",
        "acme.yaml:5:95: `per_hour` means nothing for email",
        "acme.yaml:6:3: `secret` is missing; slack needs it",
        "acme.yaml:7:67: `endpoint` of jira is an address that starts with https:// and holds no password",
        "acme.yaml:7:3: `project` is missing; jira needs it",
        "acme.yaml:8:66: `endpoint` is an e-mail address",
        "acme.yaml:13:23: `from` is a time of day such as \"22:00\"",
        "acme.yaml:13:56: `time_zone`: there is none of the name Mars/Base",
    ] {
        assert!(told.contains(what), "{what} is not in\n{told}");
    }
}

#[test]
fn a_route_that_the_detector_serves_reaches_its_task_as_json_and_names_its_secret() {
    let acme = format!(
        "{ACME}notifications:\n\
         - {{name: chat, protocol: slack, minimum_severity: high, secret: hook, tags: [attack.t1621], per_hour: 20}}\n\
         - {{name: soc, protocol: email, endpoint: soc@acme.example, minimum_severity: low, rules: [r1]}}\n"
    );
    let environment = validate(&sources(PROFILE, &[("acme", &acme)])).unwrap();
    let tenant = &environment.tenants[0];
    let shown = serde_json::to_value(tenant).unwrap();
    assert_eq!(shown["secrets"], serde_json::json!(["hook"]));
    let routes: Vec<Route> = serde_json::from_str(shown["routes"].as_str().unwrap()).unwrap();
    assert_eq!(routes, tenant.routes);
    assert_eq!((routes[0].pace.per_hour, routes[0].pace.give_up_hours), (20, 72));
    assert_eq!(tenant.notifications[0].rules, ["r1"]);
    let without = validate(&sources(PROFILE, &[("acme", ACME)])).unwrap();
    assert_eq!(serde_json::to_value(&without.tenants[0]).unwrap()["routes"], "");
}
