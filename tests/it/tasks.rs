//! What the stacks launch: the container of a rendered task definition, with its command and its environment.

use std::collections::BTreeMap;

use oort_streams::model::resources::Resources;
use serde_json::Value;

use crate::emulator::{PRODUCTION, STAGING};
use crate::rendered;

const REGION: &str = "us-east-2";

/// A task's container.
struct Task {
    command: Vec<String>,
    environment: BTreeMap<String, String>,
}

/// The task of a tenant's role, as its stack's golden file defines it.
fn task(environment: &str, account: &str, tenant: &str, role: &str) -> Task {
    let stacks = rendered::read(environment, account, REGION);
    let definition = &stacks[tenant].resources[&format!("{role}Task")]["Properties"]["ContainerDefinitions"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Task {
        command: definition["Command"].as_array().unwrap().iter().map(text).collect(),
        environment: definition["Environment"]
            .as_array()
            .unwrap()
            .iter()
            .map(|variable| (text(&variable["Name"]), text(&variable["Value"])))
            .collect(),
    }
}

#[test]
fn a_task_is_told_the_names_that_follow_from_its_tenant() {
    for (environment, account) in [("staging", STAGING), ("production", PRODUCTION)] {
        let expected = Resources::of(environment, "acme", account, REGION);
        let table = expected.table.unwrap();
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        for (role, verb) in [("Detector", "detect"), ("Compactor", "compact")] {
            let task = task(environment, account, "acme", role);
            assert_eq!(task.command, [verb]);
            told.extend(task.environment);
        }
        for (name, value) in [
            ("OORT_ENVIRONMENT", environment),
            ("OORT_TENANT", "acme"),
            ("OORT_BUCKET", &expected.bucket),
            ("OORT_PREFIX", &expected.prefix),
            ("OORT_QUEUE_URL", &expected.queue_url.unwrap()),
            ("OORT_TOPIC_ARN", &expected.topic_arn.unwrap()),
            ("OORT_DATABASE", &table.database),
            ("OORT_TABLE", &table.table),
        ] {
            assert_eq!(told.get(name).map(String::as_str), Some(value), "{name}");
        }
    }
}
