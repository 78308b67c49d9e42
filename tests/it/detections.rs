//! The shipped rules against their own test events, and SigmaHQ's rules as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use oort_streams::model::finding::Severity;
use oort_streams::runtime::detect::shipped::shipped;
use oort_streams::runtime::detect::{Judged, Memory, OktaEvent, RuleFile, RuleSet, prove};
use oort_streams::sample::{Generator, Settings, stories};
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rule files of a folder, by name.
fn rule_files(folder: &Path) -> Vec<RuleFile> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths
        .iter()
        .map(|path| RuleFile {
            path: name(path),
            text: fs::read_to_string(path).unwrap(),
        })
        .collect()
}

fn fired(rules: &RuleSet, event: &Value) -> Vec<String> {
    let raw = event.to_string();
    rules
        .evaluate(&OktaEvent::new(raw.as_bytes()))
        .into_iter()
        .map(|found| found.rule_id)
        .collect()
}

#[test]
fn every_rule_of_the_folder_is_inside_the_binary_as_it_is() {
    let on_disk = rule_files(&root().join("detections"));
    let inside: Vec<RuleFile> = shipped();
    assert_eq!(on_disk.len(), inside.len());
    for (file, shipped) in on_disk.iter().zip(&inside) {
        assert_eq!(format!("detections/{}", file.path), shipped.path);
        assert_eq!(file.text, shipped.text, "{}", file.path);
    }
    let rules = RuleSet::load(&inside).unwrap();
    assert!(
        rules.len() >= 60 && rules.warnings().is_empty(),
        "{:?}",
        rules.warnings()
    );
}

#[test]
fn every_rule_fires_on_its_matching_events_and_on_no_other_of_its_events() {
    let folder = root().join("detections");
    for file in rule_files(&folder) {
        let examples = fs::read_to_string(folder.join(prove::examples_of(&file.path))).ok();
        let proof = prove::prove(&file, examples.as_deref()).unwrap();
        assert!(proof.failures.is_empty(), "{}: {:?}", file.path, proof.failures);
        assert!(proof.fired >= 2 && proof.silent >= 2, "{proof:?}");
    }
}

#[test]
fn every_shipped_rule_says_what_a_person_who_is_woken_needs() {
    for about in RuleSet::load(&shipped()).unwrap().about() {
        assert!(
            !about.description.is_empty() && about.status.is_some(),
            "{}",
            about.path
        );
        assert!(
            !about.techniques().is_empty() && !about.event_types.is_empty(),
            "{}",
            about.path
        );
        assert!(
            !about.false_positives.is_empty() && !about.response.is_empty(),
            "{}",
            about.path
        );
    }
}

#[test]
fn an_example_that_proves_the_contrary_is_told() {
    let file = rule_files(&root().join("detections")).remove(0);
    let examples = fs::read_to_string(root().join("detections").join(prove::examples_of(&file.path))).unwrap();
    let turned = examples
        .replace("\"match\"", "\"x\"")
        .replace("\"no_match\"", "\"match\"")
        .replace("\"x\"", "\"no_match\"");
    let proof = prove::prove(&file, Some(&turned)).unwrap();
    assert_eq!((proof.fired, proof.silent), (0, 0));
    assert!(
        proof.failures[0].contains("match[0] is not found"),
        "{:?}",
        proof.failures
    );
    for (text, why) in [
        (None, "no examples stand beside it"),
        (Some("{}"), "missing field `match`"),
        (
            Some(r#"{"match": [], "no_match": []}"#),
            "0 events of `match`: write 2 at least",
        ),
        (
            Some(r#"{"match": [{"uuid": "u"}], "no_match": []}"#),
            "match[0] would never be judged",
        ),
        (Some(r#"{"match": [[{"repeat": 2}]], "no_match": []}"#), "missing field"),
    ] {
        let proof = prove::prove(&file, text).unwrap();
        assert!(
            proof.failures.iter().any(|failure| failure.contains(why)),
            "{why}: {:?}",
            proof.failures
        );
    }
}

/// What SigmaHQ's rules look for, by file.
fn sigmahq_events() -> BTreeMap<&'static str, Value> {
    let typed = |event_type: &str| json!({"eventType": event_type});
    BTreeMap::from([
        (
            "okta_admin_activity_from_proxy_query.yml",
            json!({"debugContext": {"debugData": "{requestId=a, requestUri=/admin/users}"}, "securityContext": {"isProxy": true}}),
        ),
        (
            "okta_admin_role_assigned_to_user_or_group.yml",
            typed("group.privilege.grant"),
        ),
        (
            "okta_admin_role_assignment_created.yml",
            typed("iam.resourceset.bindings.add"),
        ),
        ("okta_api_token_created.yml", typed("system.api_token.create")),
        ("okta_api_token_revoked.yml", typed("system.api_token.revoke")),
        (
            "okta_application_modified_or_deleted.yml",
            typed("application.lifecycle.delete"),
        ),
        (
            "okta_application_sign_on_policy_modified_or_deleted.yml",
            typed("application.policy.sign_on.update"),
        ),
        (
            "okta_apt_suspicious_user_creation.yml",
            json!({"eventType": "user.lifecycle.create", "target": [{"type": "User", "displayName": "svc_network_backup 1"}, {"displayName": "x"}]}),
        ),
        (
            "okta_fastpass_phishing_detection.yml",
            json!({"eventType": "user.authentication.auth_via_mfa", "outcome": {"result": "FAILURE", "reason": "FastPass declined phishing attempt"}}),
        ),
        (
            "okta_identity_provider_created.yml",
            typed("system.idp.lifecycle.create"),
        ),
        ("okta_mfa_reset_or_deactivated.yml", typed("user.mfa.factor.reset_all")),
        ("okta_network_zone_deactivated_or_deleted.yml", typed("zone.delete")),
        (
            "okta_new_behaviours_admin_console.yml",
            json!({"eventType": "policy.evaluate_sign_on", "target": [{"displayName": "Policy"}, {"displayName": "Okta Admin Console"}],
            "debugContext": {"debugData": {"behaviors": {"New Device": "POSITIVE"}}}}),
        ),
        (
            "okta_password_health_report_query.yml",
            json!({"debugContext": {"debugData": {"requestUri": "/reports/password-health/async_csv_download_schedule"}}}),
        ),
        (
            "okta_password_in_alternateid_field.yml",
            json!({"legacyEventType": "core.user_auth.login_failed", "actor": {"alternateId": "Secret#1"}}),
        ),
        ("okta_policy_modified_or_deleted.yml", typed("policy.lifecycle.update")),
        ("okta_policy_rule_modified_or_deleted.yml", typed("policy.rule.delete")),
        ("okta_security_threat_detected.yml", typed("security.threat.detected")),
        (
            "okta_session_impersonation_granted.yml",
            json!({"eventType": "user.session.impersonation.grant", "actor": {"alternateId": "admin@example.com"}}),
        ),
        (
            "okta_suspicious_activity_enduser_report.yml",
            typed("user.account.report_suspicious_activity_by_enduser"),
        ),
        (
            "okta_unauthorized_access_to_app.yml",
            json!({"displayMessage": "User attempted unauthorized access to app"}),
        ),
        (
            "okta_user_account_locked_out.yml",
            json!({"displayMessage": "Max sign in attempts exceeded"}),
        ),
        ("okta_user_created.yml", typed("user.lifecycle.create")),
        (
            "okta_user_session_start_via_anonymised_proxy.yml",
            json!({"eventType": "user.session.start", "securityContext": {"isProxy": true}}),
        ),
    ])
}

#[test]
fn sigmahqs_okta_rules_load_as_they_are_and_each_fires() {
    let folder = root().join("../shared/sigmahq-okta");
    if !folder.is_dir() {
        eprintln!("skipped: no copy of SigmaHQ's rules at {}", folder.display());
        return;
    }
    let files = rule_files(&folder);
    let mut all = files.clone();
    all.extend(shipped());
    let all = RuleSet::load(&all).unwrap();
    let said: Vec<String> = all.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("%legtimate_identifiers%"), "{said:?}");
    let events = sigmahq_events();
    for file in &files {
        let rule = RuleSet::load(std::slice::from_ref(file)).unwrap();
        let id = rule.ids().next().unwrap().to_owned();
        let event = events.get(file.path.as_str()).expect("an event for each rule");
        assert_eq!(fired(&rule, event), [id.as_str()], "{}", file.path);
        assert!(fired(&all, event).contains(&id), "{} among all", file.path);
        assert_eq!(
            fired(&rule, &json!({"eventType": "user.session.end"})),
            Vec::<String>::new(),
            "{}",
            file.path
        );
    }
    let by_okta = json!({"eventType": "user.session.impersonation.grant", "actor": {"alternateId": "system@okta.com"}});
    let own: Vec<String> = RuleSet::load(&shipped()).unwrap().ids().map(str::to_owned).collect();
    let theirs: Vec<String> = fired(&all, &by_okta)
        .into_iter()
        .filter(|id| !own.contains(id))
        .collect();
    assert!(theirs.is_empty(), "{theirs:?}");
}

#[test]
fn every_story_of_the_sample_is_found_and_its_ordinary_days_are_quiet() {
    let settings = Settings {
        users: 200,
        days: 7,
        events: 10_000,
        ..Settings::default()
    };
    let stories = stories(&settings);
    let story_of: BTreeMap<&str, &str> = stories
        .iter()
        .flat_map(|story| story.uuids.iter().map(|uuid| (uuid.as_str(), story.name)))
        .collect();
    let rules = RuleSet::load(&shipped()).unwrap();
    let mut memory = Memory::default();
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut ordinary: BTreeMap<(String, Severity), u32> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for line in Generator::new(settings) {
        let Some((head, judged)) = rules
            .judge(&OktaEvent::new(line.as_bytes()), &line, &mut memory)
            .unwrap()
        else {
            continue;
        };
        let story = story_of.get(&*head.uuid);
        for Judged { matched, identity, .. } in judged {
            match story {
                Some(story) => drop(found.entry(story).or_default().insert(matched.title)),
                None if !told.insert((matched.rule_id, identity)) => {}
                None => *ordinary.entry((matched.title, matched.severity)).or_default() += 1,
            }
        }
    }
    let loud: u32 = ordinary
        .iter()
        .filter(|((_, severity), _)| *severity >= Severity::Medium)
        .map(|(_, count)| count)
        .sum();
    assert!(loud <= 5, "findings in ordinary events: {ordinary:?}");
    for (story, title) in [
        ("mfa-fatigue", "MFA push refused by the user"),
        ("mfa-fatigue", "User reported activity as suspicious"),
        ("mfa-fatigue", "Flood of MFA requests"),
        ("mfa-fatigue", "MFA push denied, then accepted"),
        ("password-spray", "Requests from an address with a bad name"),
        ("password-spray", "Password spray"),
        ("session-hijack", "API token created"),
        ("session-hijack", "One session on two machines"),
        ("help-desk-fraud", "MFA factor of a user removed by somebody else"),
        ("help-desk-fraud", "Sign-in through an anonymising service"),
        (
            "help-desk-fraud",
            "Factors reset, and a new one enrolled within the hour",
        ),
        ("impossible-travel", "Session from a new country on a new device"),
        ("impossible-travel", "Impossible travel"),
        ("admin-takeover", "Super administrator role granted"),
        ("admin-takeover", "New user made administrator"),
        ("admin-takeover", "Log stream deactivated or deleted"),
    ] {
        assert!(
            found[story].contains(title),
            "{story}: no {title} in {:?}",
            found[story]
        );
    }
}

/// What comes of a line, by the title of its rule: how grave, and why nobody is told.
fn told(rules: &RuleSet, memory: &mut Memory, event: &Value) -> BTreeMap<String, (Severity, Option<String>)> {
    let line = event.to_string();
    let judged = rules.judge(&OktaEvent::new(line.as_bytes()), &line, memory).unwrap();
    let judged = judged.map_or(Vec::new(), |(_, judged)| judged).into_iter();
    judged
        .map(|one| (one.matched.title, (one.matched.severity, one.exception)))
        .collect()
}

#[test]
fn a_tenants_settings_change_who_is_told_of_what() {
    const TITLE: &str = "API token created";
    let token = |actor: &str, day: &str, ip: &str| {
        json!({
            "uuid": format!("{actor}-{day}-{ip}"), "published": format!("{day}T10:00:00Z"), "eventType": "system.api_token.create",
            "actor": {"id": actor, "type": "User", "alternateId": format!("{actor}@example.com")},
            "outcome": {"result": "SUCCESS"}, "client": {"ipAddress": ip},
        })
    };
    let tuned = |text: &str| {
        let mut rules = RuleSet::load(&shipped()).unwrap();
        let idle = rules.tune(&serde_json::from_str(text).unwrap());
        (rules, idle)
    };
    let plain = token("ann", "2026-11-23", "198.51.100.7");
    let found = told(&tuned("{}").0, &mut Memory::default(), &plain);
    assert_eq!(found[TITLE].1, None);

    let (rules, idle) = tuned(r#"{"rules":[{"rule":"api_token_created","severity":"critical"}]}"#);
    assert!(idle.is_empty());
    assert_eq!(
        told(&rules, &mut Memory::default(), &plain)[TITLE].0,
        Severity::Critical
    );
    let (rules, _) = tuned(r#"{"rules":[{"rule":"api_token_created","enabled":false}]}"#);
    assert!(!told(&rules, &mut Memory::default(), &plain).contains_key(TITLE));
    assert!(!rules.about().any(|about| about.title == TITLE));

    let (rules, idle) = tuned(
        r#"{"exceptions":[
            {"rule":"api_token_created","field":"actor.alternateId","values":["ANN@example.com"],"until":"2026-11-23","reason":"a robot"},
            {"rule":"api_token_created","field":"client.ipAddress","values":["203.0.113.0/24"],"until":"2026-11-23","reason":"the office"}]}"#,
    );
    assert!(idle.is_empty());
    let reason = |event: &Value| told(&rules, &mut Memory::default(), event)[TITLE].1.clone();
    assert_eq!(reason(&plain).unwrap(), "an exception until 2026-11-23: a robot");
    assert_eq!(
        reason(&token("bob", "2026-11-23", "203.0.113.9")).unwrap(),
        "an exception until 2026-11-23: the office"
    );
    assert_eq!(reason(&token("bob", "2026-11-23", "203.0.114.9")), None);
    assert_eq!(
        reason(&token("ann", "2026-11-24", "198.51.100.7")),
        None,
        "its last day has passed, by the event's time"
    );

    let (_, idle) = tuned(
        r#"{"rules":[{"rule":"api_token_created","count":5},{"rule":"no_such_rule","enabled":false}],
            "exceptions":[{"rule":"gone","field":"a","values":["b"],"until":"2026-11-23","reason":"c"}]}"#,
    );
    assert_eq!(
        idle,
        [
            "api_token_created: the rule has no use for count",
            "no_such_rule: there is no such rule",
            "gone: there is no such rule to except from",
        ]
    );
}

#[test]
fn the_numbers_of_a_correlation_are_a_tenants_own() {
    let failure = |number: u32| {
        json!({
            "uuid": format!("e{number}"), "published": format!("2026-11-23T10:{:02}:00Z", number / 2), "eventType": "user.session.start",
            "actor": {"id": format!("user{number}"), "type": "User", "alternateId": format!("user{number}@example.com")},
            "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"}, "client": {"ipAddress": "198.51.100.7"},
        })
    };
    let users_until_told = |text: &str| {
        let mut rules = RuleSet::load(&shipped()).unwrap();
        assert!(rules.tune(&serde_json::from_str(text).unwrap()).is_empty());
        let mut memory = Memory::default();
        (0..60).find(|number| told(&rules, &mut memory, &failure(*number)).contains_key("Password spray"))
    };
    let usual = users_until_told("{}").unwrap();
    assert_eq!(
        users_until_told(r#"{"rules":[{"rule":"password_spray","count":5}]}"#),
        Some(4)
    );
    assert!(usual > 4, "{usual}");
    assert_eq!(
        users_until_told(r#"{"rules":[{"rule":"password_spray","minutes":1}]}"#),
        None
    );
}
