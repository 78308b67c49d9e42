use serde_json::json;

use super::*;
use crate::model::finding::{Change, Episode, Finding, RuleMatch, Severity, Status};
use crate::model::notification::Advice;

fn okta(event_type: &str, more: &Value) -> Value {
    let mut event = json!({
        "uuid": "u1", "published": "2026-11-23T10:00:00.500Z", "eventType": event_type, "severity": "WARN",
        "displayMessage": "Something happened", "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"},
        "actor": {"id": "00u1", "type": "User", "alternateId": "ann@example.com", "displayName": "Ann"},
        "client": {"ipAddress": "198.51.100.7", "userAgent": {"rawUserAgent": "Mozilla/5.0"},
            "geographicalContext": {"country": "Portugal", "city": "Porto", "geolocation": {"lat": 41.1, "lon": -8.6}}},
        "securityContext": {"asNumber": 64500, "asOrg": "Example", "isProxy": true},
        "authenticationContext": {"externalSessionId": "102"},
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

/// What the schema requires of each class, beside what it requires of all.
const REQUIRED: [(u64, &[&str]); 6] = [
    (2004, &["finding_info"]),
    (3001, &["user"]),
    (3002, &["user", "service"]),
    (3005, &["user", "privileges"]),
    (3006, &["group"]),
    (6003, &["actor", "api", "src_endpoint"]),
];
const OF_ALL: [&str; 7] = [
    "activity_id",
    "category_uid",
    "class_uid",
    "metadata",
    "severity_id",
    "time",
    "type_uid",
];

fn assert_complete(mapped: &Value) {
    let class = mapped["class_uid"].as_u64().unwrap();
    let (_, required) = REQUIRED.iter().find(|(uid, _)| *uid == class).unwrap();
    for key in required.iter().chain(&OF_ALL) {
        assert!(!is_empty(&mapped[key]), "{class} lacks {key}: {mapped:#}");
    }
    assert_eq!(
        mapped["type_uid"].as_u64().unwrap(),
        class * 100 + mapped["activity_id"].as_u64().unwrap()
    );
    assert_eq!(mapped["metadata"]["version"], VERSION);
}

#[test]
fn every_event_is_of_the_class_that_its_type_means() {
    let group = json!({"id": "00g", "type": "UserGroup", "displayName": "Admins"});
    let bob = json!({"id": "00u2", "type": "User", "alternateId": "bob@example.com", "displayName": "Bob"});
    let role = json!({"id": "r", "type": "ROLE", "displayName": "Super Administrator"});
    for (event_type, type_uid) in [
        ("user.session.start", 300_201),
        ("user.session.end", 300_202),
        ("user.authentication.auth_via_mfa", 300_201),
        ("user.authentication.sso", 300_204),
        ("user.mfa.okta_verify.deny_push", 300_299),
        ("user.mfa.factor.activate", 300_110),
        ("user.mfa.factor.deactivate", 300_111),
        ("user.lifecycle.create", 300_101),
        ("user.lifecycle.delete.initiated", 300_106),
        ("user.account.update_password", 300_103),
        ("user.account.lock", 300_109),
        ("user.account.unlock", 300_199),
        ("user.account.privilege.grant", 300_501),
        ("application.user_membership.remove", 300_502),
        ("group.user_membership.add", 300_603),
        ("group.lifecycle.create", 300_606),
        ("system.api_token.create", 600_301),
        ("policy.rule.update", 600_303),
        ("zone.delete", 600_304),
        ("never.heard.of", 600_399),
    ] {
        let mapped = event(&okta(event_type, &json!({"target": [bob, group, role]})));
        assert_eq!(mapped["type_uid"], type_uid, "{event_type}");
        assert_complete(&mapped);
        assert_complete(&event(&okta(
            event_type,
            &json!({"target": null, "actor": {"id": "x"}, "client": null}),
        )));
    }
}

#[test]
fn a_failed_sign_in_keeps_everything_that_okta_said() {
    let okta = okta("user.session.start", &json!({"target": []}));
    let mapped = event(&okta);
    assert_eq!(mapped["time"], 1_795_428_000_500_i64);
    assert_eq!(
        mapped["user"],
        json!({"uid": "00u1", "name": "ann@example.com", "full_name": "Ann", "email_addr": "ann@example.com", "type_id": 1})
    );
    assert_eq!(
        (&mapped["status_id"], &mapped["status_detail"]),
        (&json!(2), &json!("INVALID_CREDENTIALS"))
    );
    assert_eq!(
        mapped["src_endpoint"]["location"],
        json!({"city": "Porto", "country": "Portugal", "lat": 41.1, "long": -8.6})
    );
    assert_eq!(
        mapped["src_endpoint"]["autonomous_system"],
        json!({"number": 64500, "name": "Example"})
    );
    assert_eq!(mapped["unmapped"]["securityContext"]["isProxy"], true);
    let raw: Value = serde_json::from_str(mapped["raw_data"].as_str().unwrap()).unwrap();
    assert_eq!(raw, okta);
}

#[test]
fn what_is_no_event_is_still_of_a_class() {
    for strange in [
        json!(null),
        json!([]),
        json!({}),
        json!({"target": "x", "actor": 7, "published": "yesterday"}),
    ] {
        assert_eq!(event(&strange)["class_uid"], 6003);
    }
}

#[test]
fn a_finding_says_what_became_of_it() {
    let at = "2026-11-23T10:00:00Z".parse().unwrap();
    let mut one = Finding {
        id: "f1".to_owned(),
        tenant: "acme".to_owned(),
        matched: RuleMatch {
            rule_id: "rule".to_owned(),
            title: "Password spray".to_owned(),
            severity: Severity::High,
            tags: vec!["attack.credential-access".to_owned(), "attack.t1110.003".to_owned()],
            fields: vec![("client.ipAddress".to_owned(), json!("198.51.100.7"))],
        },
        published: at,
        event_uuid: "u1".to_owned(),
        event_type: "user.session.start".to_owned(),
        actor: "ann@example.com".to_owned(),
        event: okta("user.session.start", &json!({})),
        episode: Some(Episode {
            entity: "198.51.100.7".to_owned(),
            first_seen: at,
            last_seen: at,
            count: 1,
            events: vec!["u1".to_owned()],
        }),
        status: Status::New,
        history: Vec::new(),
        who: Vec::new(),
    };
    let advice = Advice {
        description: "Many users, one address.".to_owned(),
        response: vec!["Block it".to_owned()],
    };
    let mapped = finding(&one, &advice);
    assert_complete(&mapped);
    assert_eq!(
        (&mapped["type_uid"], &mapped["status_id"]),
        (&json!(200_401), &json!(1))
    );
    assert_eq!(
        mapped["finding_info"]["attacks"],
        json!([{"technique": {"uid": "T1110"}, "sub_technique": {"uid": "T1110.003"}}])
    );
    assert_eq!(mapped["finding_info"]["related_events"], json!([{"uid": "u1"}]));
    assert_eq!(mapped["remediation"]["desc"], "Block it");
    assert_eq!(mapped["evidences"][0]["src_endpoint"]["ip"], "198.51.100.7");
    one.change(Change {
        at,
        to: Status::Closed,
        by: "bob".to_owned(),
        why: "a scanner of ours".to_owned(),
        until: None,
    });
    let mapped = finding(&one, &Advice::default());
    assert_complete(&mapped);
    assert_eq!(
        (&mapped["type_uid"], &mapped["status_id"], &mapped["is_alert"]),
        (&json!(200_403), &json!(4), &json!(false))
    );
    assert_eq!(mapped["comment"], "bob: a scanner of ours");
}
