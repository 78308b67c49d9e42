//! What the page on scale is reckoned from: the file of inputs, the code's own constants, and the rendered stacks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where something stands in the project.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Inputs by name.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    pub assumed: BTreeMap<String, Assumed>,
    pub measured: BTreeMap<String, Measured>,
    pub limits: BTreeMap<String, Limit>,
    /// Tasks of Fargate that are compared.
    pub task_sizes: Vec<Size>,
}

/// A task's size.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    pub vcpu: f64,
    pub memory_mib: f64,
}

/// Chosen by whoever plans.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Assumed {
    pub value: f64,
    pub unit: String,
    pub what: String,
}

/// Seen in a run.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    pub value: f64,
    pub unit: String,
    pub what: String,
    /// What gives it anew.
    pub command: String,
    /// A line of the README that has the number; without one, it was measured for the page.
    #[serde(default)]
    pub readme: Option<String>,
}

/// What a service allows, an account and region unless `what` says otherwise.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub value: f64,
    pub unit: String,
    pub what: String,
    /// Whether and how far the service raises it, in words.
    pub raised: String,
    pub source: String,
}

impl Inputs {
    pub fn read() -> Self {
        serde_yaml::from_str(&text("docs/scale/inputs.yaml")).unwrap()
    }

    pub fn assumed(&self, name: &str) -> f64 {
        self.assumed[name].value
    }

    pub fn measured(&self, name: &str) -> f64 {
        self.measured[name].value
    }

    pub fn limit(&self, name: &str) -> f64 {
        self.limits[name].value
    }
}

/// A rendered stack: how many resources of each type it has, and how its tasks run.
pub struct Stack(Value);

impl Stack {
    /// As it was reviewed, by the name of its golden file.
    pub fn read(environment: &str, name: &str) -> Self {
        Self(serde_yaml::from_str(&text(&format!("snapshots/{environment}/{name}.yaml"))).unwrap())
    }

    fn resources(&self) -> impl Iterator<Item = &Value> {
        self.0["Resources"].as_object().unwrap().values()
    }

    /// Resources of a type, or of every type.
    pub fn count(&self, kind: Option<&str>) -> f64 {
        let counted = self
            .resources()
            .filter(|resource| kind.is_none_or(|kind| resource["Type"] == kind))
            .count();
        number(counted)
    }

    /// A number of a task's definition: `Cpu` or `Memory`.
    pub fn task(&self, role: &str, property: &str) -> f64 {
        let value = &self.0["Resources"][format!("{role}Task")]["Properties"][property];
        value.as_str().unwrap().parse().unwrap()
    }

    /// Minutes over which the scheduler spreads a task's launch.
    pub fn window(&self, role: &str) -> f64 {
        let window = &self.0["Resources"][format!("{role}Schedule")]["Properties"]["FlexibleTimeWindow"];
        window["MaximumWindowInMinutes"].as_f64().unwrap()
    }
}

/// Counts are far below where a float would lose one.
pub fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// How a fleet is rolled out in production.
pub struct Settings {
    pub concurrency: f64,
    pub calls_per_second: f64,
    pub soak_minutes: f64,
    pub wave_percents: Vec<f64>,
}

impl Settings {
    pub fn read() -> Self {
        let read = |name: &str| -> Value { serde_yaml::from_str(&text(name)).unwrap() };
        let (defaults, profile) = (
            read("environments/defaults.yaml"),
            read("environments/production/profile.yaml"),
        );
        let number = |layer: &Value, name: &str| layer["rollout"][name].as_f64().unwrap();
        let percents = defaults["rollout"]["wave_percents"].as_array().unwrap();
        Self {
            concurrency: number(&defaults, "concurrency"),
            calls_per_second: number(&defaults, "calls_per_second"),
            soak_minutes: number(&profile, "soak_minutes"),
            wave_percents: percents.iter().map(|percent| percent.as_f64().unwrap()).collect(),
        }
    }
}
