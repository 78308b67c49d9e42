//! What the embedded queue promises beyond the port.

use super::*;

#[tokio::test]
async fn dead_letters_tell_how_often_they_were_received() {
    let rig = LocalRig::fresh().await;
    rig.send(&["poison \u{0} \u{1f480}\n"]).await;
    for _ in 0..=LIMIT {
        receive(&rig, 1).await;
        rig.pass(TIMEOUT).await;
    }
    let found = rig.queue.letters(10).await.unwrap();
    assert_eq!(
        (found.len(), found[0].body.as_str(), found[0].attempts),
        (1, "poison \u{0} \u{1f480}\n", LIMIT)
    );
    assert!(rig.queue.letters(0).await.unwrap().is_empty());
}

#[tokio::test]
async fn without_a_receive_limit_nothing_dies() {
    let rig = LocalRig::fresh().await;
    let settings = QueueSettings {
        receive_limit: None,
        ..SETTINGS
    };
    let queue = LocalQueue::open(rig.folder.path(), "acme", settings, rig.clock.clone())
        .await
        .unwrap();
    queue.send(&owned(&["a"])).await.unwrap();
    for attempt in 1..20 {
        assert_eq!(queue.receive(1).await.unwrap()[0].attempt, attempt);
        rig.pass(TIMEOUT).await;
    }
}

#[tokio::test]
async fn a_foreign_receipt_is_refused_and_tenants_are_apart() {
    let rig = LocalRig::fresh().await;
    let error = rig
        .queue
        .acknowledge(&[Receipt("nonsense".to_owned())])
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    rig.send(&["a"]).await;
    let other = LocalQueue::open(rig.folder.path(), "globex", SETTINGS, rig.clock.clone())
        .await
        .unwrap();
    assert!(other.receive(1).await.unwrap().is_empty());
    let named = LocalQueue::open(rig.folder.path(), "../acme", SETTINGS, rig.clock.clone()).await;
    assert_eq!(named.err().unwrap().kind, Kind::Invalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_receivers_share_the_messages_out() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    // Opening at the same time must work too: a schedule may start two tasks at once.
    let opened = (0..6).map(|_| {
        let (data, clock) = (folder.path().to_owned(), clock.clone());
        tokio::spawn(async move { open(&data, &clock).await })
    });
    let mut queues = Vec::new();
    for queue in opened.collect::<Vec<_>>() {
        queues.push(queue.await.unwrap());
    }
    let all: Vec<String> = (0..2_000).map(|number| format!("{number}")).collect();
    for batch in all.chunks(150) {
        queues[0].send(batch).await.unwrap();
    }
    let receivers = queues.into_iter().map(|queue| {
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let messages = queue.receive(37).await.unwrap();
                if messages.is_empty() {
                    return mine;
                }
                queue.acknowledge(&receipts(&messages)).await.unwrap();
                mine.extend(messages.into_iter().map(|message| message.body));
            }
        })
    });
    let mut received = Vec::new();
    for receiver in receivers.collect::<Vec<_>>() {
        received.extend(receiver.await.unwrap());
    }
    assert_eq!(received.len(), all.len(), "a message was delivered twice or not at all");
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>(), all.into_iter().collect());
}

#[tokio::test]
async fn the_space_of_acknowledged_messages_is_used_again() {
    let rig = LocalRig::fresh().await;
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{state:016x}")
    };
    let batch: Vec<String> = (0..1_500).map(|_| (0..60).map(|_| noise()).collect()).collect();
    let mut sizes = Vec::new();
    for _ in 0..20 {
        rig.queue.send(&batch).await.unwrap();
        let received = receive(&rig, batch.len()).await;
        assert_eq!(received.len(), batch.len());
        rig.queue.acknowledge(&receipts(&received)).await.unwrap();
        let files = std::fs::read_dir(rig.folder.path().join("queues")).unwrap();
        sizes.push(files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>());
    }
    // The write-ahead log needs a few rounds to reach its full size.
    assert!(sizes[19] <= sizes[9], "{sizes:?}");
}
