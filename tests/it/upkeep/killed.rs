//! `kill -9` at any moment of a merge or an erasure: the table is as it was or as it should be, never between.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use oort_streams::lake::Lake;
use oort_streams::local::catalog;

use super::all_rows;
use crate::world::World;

async fn lake(world: &World) -> Lake {
    Lake::new(catalog::open(&world.stored()).await.unwrap(), "acme")
}

/// Kills the command after each of these milliseconds; gives how often it was still at work.
fn kill(world: &World, arguments: &[&str], after: u64) -> bool {
    let mut child = world.start(arguments);
    std::thread::sleep(Duration::from_millis(after));
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(
        status.signal() == Some(9) || status.success(),
        "a run after a kill failed by itself: {status}"
    );
    status.signal() == Some(9)
}

fn data_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                data_files(&path)
            } else {
                usize::from(path.extension().is_some_and(|extension| extension == "parquet"))
            }
        })
        .sum()
}

#[tokio::test]
async fn killed_upkeep_leaves_the_table_as_it_was_or_as_it_should_be() {
    let world = World::new();
    let sample = world.sample(6_000, 3);
    world.send(&sample);
    world.json(&["detect", "--tenant", "acme"]);
    let ids: Vec<String> = {
        let events = sample
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let users = events.filter(|event| event["actor"]["type"] == "User");
        let ids = users.map(|event| event["actor"]["id"].as_str().unwrap().to_owned());
        ids.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    };
    for user in &ids[..6] {
        world.json(&["refresh", "--tenant", "acme", "--user", user]);
    }
    world.json(&["compact", "--tenant", "acme"]);
    let rows = all_rows(&lake(&world).await).await;
    assert!(rows.len() > 6_000);

    let maintain = ["maintain", "--tenant", "acme"];
    let mut killed = 0;
    for after in [20, 60, 90, 120, 150, 180, 210, 240, 280, 330, 400, 480] {
        killed += u32::from(kill(&world, &maintain, after));
        assert_eq!(all_rows(&lake(&world).await).await, rows, "after {after} ms");
    }
    assert!(
        killed >= 4,
        "only {killed} of 12 runs were still going when they were killed"
    );
    world.json(&maintain);
    assert_eq!(all_rows(&lake(&world).await).await, rows);
    assert_eq!(world.json(&maintain)["merged"]["days"], 0);

    let user = &ids[3];
    let of_user = rows.keys().filter(|row| row[0] == *user).count();
    let rest = rows.len() - of_user;
    let erase = ["erase", "--tenant", "acme", "--user", user];
    for after in [60, 120, 160, 200, 240, 300, 360] {
        kill(&world, &erase, after);
        let now = all_rows(&lake(&world).await).await;
        let left = now.keys().filter(|row| row[0] == *user).count();
        assert!(left == of_user || left == 0, "{left} of {of_user} rows are left");
        assert_eq!(now.len() - left, rest);
    }
    world.json(&erase);
    let now = lake(&world).await.load().await.unwrap().unwrap();
    let summary = &now
        .metadata()
        .current_snapshot()
        .unwrap()
        .summary()
        .additional_properties;
    assert_eq!(all_rows(&lake(&world).await).await.len(), rest);
    // Nothing that a killed run left is on the disk any more.
    assert_eq!(
        summary["total-data-files"],
        data_files(&world.stored().join("warehouse")).to_string()
    );
    assert_eq!(world.json(&["compact", "--tenant", "acme"])["added"], 0);
}
