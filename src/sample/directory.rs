//! Who works in the sample org, as Okta's management API tells of users, devices and factors.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Settings;
use super::dice::Dice;
use super::people::{AGENTS, Person, administrators};

const DEPARTMENTS: [&str; 6] = ["Engineering", "Finance", "Sales", "Support", "People", "Legal"];
const TITLES: [&str; 4] = ["Analyst", "Manager", "Specialist", "Director"];

/// Somebody who works there.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub id: String,
    pub user: Value,
    pub device_id: String,
    pub device: Value,
    /// A list.
    pub factors: Value,
}

/// Everybody, in order: the administrators first.
pub fn members(settings: &Settings) -> Vec<Member> {
    let settings = settings.sane();
    let began = settings
        .end
        .saturating_sub(SignedDuration::from_hours(24 * 400))
        .unwrap_or(settings.end);
    (0..settings.users)
        .map(|number| member(&settings, number, began))
        .collect()
}

fn member(settings: &Settings, number: u32, began: Timestamp) -> Member {
    let person = Person::new(settings.seed, number);
    // Whoever leads a department has one of the first numbers.
    let boss = Person::new(settings.seed, number % 6);
    let mut dice = Dice::new(settings.seed, u64::from(number) | MEMBER);
    let joined = began
        .saturating_add(SignedDuration::from_hours(24 * i64::from(dice.below(300))))
        .unwrap_or(began);
    let (first, last) = person.name.split_once(' ').unwrap_or((&person.name, ""));
    let agent = &AGENTS[person.agent];
    let is_mobile = agent.device == "Mobile";
    let platform = match agent.os {
        os if os.starts_with("Windows") => "WINDOWS",
        os if os.starts_with("Mac") => "MACOS",
        os if os.starts_with("iOS") => "IOS",
        _ => "ANDROID",
    };
    let department = if number < administrators(settings.users) {
        "IT"
    } else {
        dice.pick(&DEPARTMENTS)
    };
    let profile = json!({
        "login": person.login, "email": person.login, "firstName": first, "lastName": last, "displayName": person.name,
        "department": department, "title": dice.pick(&TITLES), "manager": boss.name,
    });
    let managed = if dice.once_in(4) { "NOT_MANAGED" } else { "MANAGED" };
    let factor = |kind: &str, provider: &str, place: u32| {
        json!({
            "id": format!("{}-{place}", person.id), "factorType": kind, "provider": provider, "status": "ACTIVE",
            "created": joined.to_string(), "lastUpdated": joined.to_string(),
        })
    };
    let mut factors = vec![factor("push", "OKTA", 1)];
    if dice.once_in(2) {
        factors.push(factor("webauthn", "FIDO", 2));
    } else {
        factors.push(factor("sms", "OKTA", 2));
    }
    Member {
        user: json!({
            "id": person.id, "status": if number > 0 && number.is_multiple_of(23) { "SUSPENDED" } else { "ACTIVE" },
            "created": joined.to_string(), "lastUpdated": joined.to_string(), "profile": profile,
        }),
        device: json!({
            "id": person.device_id, "status": "ACTIVE", "created": joined.to_string(), "lastUpdated": joined.to_string(),
            "profile": {
                "displayName": format!("{first}'s {}", if is_mobile { "phone" } else { "laptop" }), "platform": platform,
                "registered": true, "secureHardwarePresent": true, "diskEncryptionType": "ALL_INTERNAL_VOLUMES",
            },
            "_embedded": {"users": [{"user": {"id": person.id}, "managementStatus": managed}]},
        }),
        factors: Value::from(factors),
        device_id: person.device_id,
        id: person.id,
    }
}

const MEMBER: u64 = 1 << 60;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_has_an_account_a_device_and_factors_of_their_own() {
        let settings = Settings::default();
        let all = members(&settings);
        assert_eq!(all, members(&settings));
        assert_eq!(all.len(), 50);
        let ids: BTreeSet<&String> = all.iter().flat_map(|one| [&one.id, &one.device_id]).collect();
        assert_eq!(ids.len(), 100);
        assert!(
            all.iter()
                .all(|one| one.user["profile"]["department"].is_string() && one.factors[1].is_object())
        );
    }
}
