//! A fresh embedded target in a folder of its own, driven through the real binary as a person would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use futures::TryStreamExt;
use oort_streams::lake::Lake;
use oort_streams::local::catalog;
use serde_json::Value;
use tempfile::TempDir;

pub struct World {
    folder: TempDir,
}

/// What a person could see of a tenant: rows by user and event, findings by ID, notifications by route and ID, each with
/// how often it is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sight {
    pub rows: BTreeMap<(String, String), usize>,
    pub findings: BTreeMap<String, usize>,
    pub notifications: BTreeMap<(String, String), usize>,
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl World {
    /// The shipped local environment.
    pub fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for shared in ["templates", "detections"] {
            copy(&project().join(shared), &world.root().join(shared));
        }
        copy(
            &project().join("environments/local"),
            &world.root().join("environments/local"),
        );
        for shared in ["environments/defaults.yaml", "environments/prices.yaml"] {
            std::fs::copy(project().join(shared), world.root().join(shared)).unwrap();
        }
        world
    }

    /// The same, where a message that a killed run had received comes back after two seconds. On a busy machine it also comes
    /// back to a run that lives.
    pub fn with_messages_that_come_back() -> Self {
        let world = Self::new();
        world.edit_profile(|profile| {
            let lines = profile
                .lines()
                .map(|line| match line.split_once("visibility_timeout_seconds:") {
                    Some((indent, _)) => format!("{indent}visibility_timeout_seconds: 2\n"),
                    None => format!("{line}\n"),
                });
            let edited: String = lines.collect();
            assert_ne!(edited, *profile, "the profile names no visibility timeout");
            *profile = edited;
        });
        world
    }

    /// Every shipped environment, as it is.
    pub fn of_all_environments() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for shared in ["templates", "detections", "environments"] {
            copy(&project().join(shared), &world.root().join(shared));
        }
        world
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The local environment's part of the data folder.
    pub fn stored(&self) -> PathBuf {
        self.data().join("local")
    }

    pub fn edit_profile(&self, edit: impl FnOnce(&mut String)) {
        let path = self.root().join("environments/local/profile.yaml");
        let mut profile = std::fs::read_to_string(&path).unwrap();
        edit(&mut profile);
        std::fs::write(&path, profile).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oort"));
        command
            .args([
                "--root",
                self.root().to_str().unwrap(),
                "--data",
                self.data().to_str().unwrap(),
                "--log",
                "warn",
            ])
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs to the end, whatever that is.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs to a good end and gives standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "oort {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// As [`World::ok`], for the commands that print JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments)).unwrap()
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Sample events of a seed as JSON lines.
    pub fn sample(&self, events: u32, seed: u32) -> String {
        let (events, seed) = (events.to_string(), seed.to_string());
        self.ok(&[
            "sample", "--users", "40", "--days", "3", "--events", &events, "--seed", &seed,
        ])
    }

    pub fn send(&self, text: &str) -> Value {
        let file = self.file("events", text);
        self.json(&["local", "send", &file, "--tenant", "acme"])
    }

    pub async fn sight(&self) -> Sight {
        let mut sight = Sight::default();
        let catalog = catalog::open(&self.stored()).await.unwrap();
        if let Some(table) = Lake::new(catalog, "acme").load().await.unwrap() {
            let scan = table.scan().select(["user_id", "event_uuid"]).build().unwrap();
            let mut batches = scan.to_arrow().await.unwrap();
            while let Some(batch) = batches.try_next().await.unwrap() {
                let (user, uuid) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
                for row in 0..user.len() {
                    *sight
                        .rows
                        .entry((user.value(row).to_owned(), uuid.value(row).to_owned()))
                        .or_default() += 1;
                }
            }
        }
        let all = ["--tenant", "acme", "--limit", "1000000", "--format", "json"];
        for finding in self.json(&[&["findings"], &all[..]].concat()).as_array().unwrap() {
            *sight
                .findings
                .entry(finding["id"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        for delivery in oort_streams::local::topic::delivered(&self.stored(), "acme")
            .await
            .unwrap()
        {
            *sight
                .notifications
                .entry((delivery.route, delivery.notification.id))
                .or_default() += 1;
        }
        sight
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
