use proptest::prelude::*;
use serde_json::json;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn user(id: &str, department: &str, updated: i64) -> String {
    json!({
        "id": id, "status": "ACTIVE", "lastLogin": at(updated + 7).to_string(), "lastUpdated": at(updated).to_string(),
        "profile": {"login": format!("{id}@acme"), "firstName": "Ann", "lastName": "Example", "department": department, "manager": "Bob"},
    })
    .to_string()
}

fn seen(items: &[String], now: i64) -> Vec<Version> {
    items
        .iter()
        .map(|item| Version::of(&USERS, item, at(now)).unwrap())
        .collect()
}

#[test]
fn a_change_ends_a_version_where_the_next_begins() {
    let first = step(
        BTreeMap::new(),
        seen(&[user("a", "Sales", 0), user("b", "Sales", 0)], 10),
        true,
        at(10),
    );
    assert_eq!((first.begun, first.ended.len()), (2, 0));
    // A sign-in is no change.
    let again = step(first.current.clone(), seen(&[user("a", "Sales", 5)], 20), false, at(20));
    assert_eq!((again.begun, again.ended.len(), &again.current), (0, 0, &first.current));
    let moved = step(first.current, seen(&[user("a", "Finance", 15)], 20), false, at(20));
    assert_eq!((moved.begun, moved.ended.len(), moved.current.len()), (1, 1, 2));
    assert_eq!(moved.ended[0].valid_to, Some(moved.current["a"].valid_from));
    assert_eq!(moved.current["a"].valid_from, at(15).as_microsecond());
    assert_eq!(moved.current["a"].column(&USERS, "department"), Some("Finance"));
    // Only a look at everything tells what was deleted.
    let kept = step(
        moved.current.clone(),
        seen(&[user("a", "Finance", 15)], 30),
        false,
        at(30),
    );
    assert_eq!(kept.current.len(), 2);
    let gone = step(moved.current, seen(&[user("a", "Finance", 15)], 30), true, at(30));
    assert_eq!((gone.current.len(), gone.ended[0].id.as_str()), (1, "b"));
    assert_eq!(gone.ended[0].valid_to, Some(at(30).as_microsecond()));
}

#[test]
fn a_person_is_shown_with_their_devices() {
    let users = step(BTreeMap::new(), seen(&[user("a", "Sales", 0)], 1), true, at(1)).current;
    let device = json!({
        "id": "d1", "status": "ACTIVE", "profile": {"displayName": "Ann's Mac", "platform": "MACOS"},
        "_embedded": {"users": [{"user": {"id": "a"}, "managementStatus": "MANAGED"}, {"user": {"id": "x"}}]},
    })
    .to_string();
    let device = Version::of(&DEVICES, &device, at(1)).unwrap();
    let people = people(&users, &BTreeMap::from([(device.id.clone(), device)]));
    assert_eq!(
        people[0].line(),
        "Ann Example, Sales, manager Bob, ACTIVE; Ann's Mac (MACOS, ACTIVE, MANAGED)"
    );
    assert_eq!(Version::of(&USERS, "{}", at(1)), None);
}

proptest! {
    /// However often and in whatever steps an org is looked at, each user's versions follow each other without a gap.
    #[test]
    fn versions_follow_each_other(looks in prop::collection::vec((prop::collection::vec((0_u8..4, 0_u8..3), 0..5), any::<bool>()), 1..20)) {
        let (mut current, mut ended) = (BTreeMap::new(), Vec::new());
        for (number, (users, is_everything)) in looks.iter().enumerate() {
            let now = 100 * (i64::try_from(number).unwrap() + 1);
            let items: Vec<String> = users.iter().map(|(id, dept)| user(&format!("u{id}"), &format!("d{dept}"), now - i64::from(*dept) * 50)).collect();
            let step = step(current, seen(&items, now), *is_everything, at(now));
            current = step.current;
            ended.extend(step.ended);
        }
        let mut by_user: BTreeMap<&str, Vec<&Version>> = BTreeMap::new();
        for version in ended.iter().chain(current.values()) {
            by_user.entry(&version.id).or_default().push(version);
        }
        for versions in by_user.values_mut() {
            versions.sort_by_key(|version| version.valid_from);
            for pair in versions.windows(2) {
                let end = pair[0].valid_to.unwrap();
                prop_assert!(pair[0].valid_from < end && end <= pair[1].valid_from);
            }
        }
    }
}
