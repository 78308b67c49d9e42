//! `oort local up`: the rendered schedules start the rendered commands, and a stop is clean.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::world::World;

fn interrupt(child: &std::process::Child) {
    let pid = child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn schedules_detect_and_compact_until_interrupted() {
    let world = World::new();
    let sample = world.sample(300, 11);
    world.send(&sample);
    // Two hours a second: the hourly detector runs at once, the daily compactor within twelve seconds.
    let mut up = world
        .command(&["local", "up", "--speed", "7200"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let mut seen = 0;
    while seen == 0 && started.elapsed() < Duration::from_secs(90) {
        tokio::time::sleep(Duration::from_millis(300)).await;
        seen = world.sight().await.rows.len();
    }
    assert!(seen >= 300, "the scheduled compaction brought {seen} rows");
    interrupt(&up);
    let stopping = Instant::now();
    while up.try_wait().unwrap().is_none() {
        assert!(stopping.elapsed() < Duration::from_secs(30), "it did not stop");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(up.wait().unwrap().success(), "a stop that was asked for is a good end");
    let sight = world.sight().await;
    assert!(!sight.findings.is_empty() && !sight.notifications.is_empty());
}
