//! The tenant's event queue in SQS.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    Message as SqsMessage, MessageSystemAttributeName, QueueAttributeName,
};
use futures::future::try_join_all;
use tokio::time::sleep;

use crate::aws::error::{from_sdk, required, unusable};
use crate::ports::jitter::jittered;
use crate::ports::{DeadLetter, DeadLetters, Message, Queue, QueueDepth, Receipt, Result};

/// Entries of a batch. Source: SQS's quotas.
pub const BATCH: usize = 10;
/// Calls under way at once.
pub const AT_ONCE: usize = 24;
/// A long poll asks all of SQS's servers, so that an empty answer means an empty queue; it ends at the first message.
const POLL_SECONDS: i32 = 1;
/// What SQS calls a receipt that names no delivery under way.
const STALE: [&str; 3] = ["ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"];
/// How often entries of a batch are tried that SQS itself failed at.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// A queue and its dead-letter queue.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// Makes no call. The SDK repeats what is throttled or unanswered: what was received twice comes twice, which the port
    /// allows.
    pub fn open(config: &SdkConfig, url: &str) -> Self {
        Self {
            client: Client::new(config),
            url: url.to_owned(),
        }
    }

    async fn receive_batch(&self, max: usize) -> Result<Vec<SqsMessage>> {
        const OP: &str = "sqs:ReceiveMessage";
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max.min(BATCH)).unwrap_or(1))
            .wait_time_seconds(POLL_SECONDS)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_attribute_names("All")
            .send()
            .await;
        Ok(answer
            .map_err(|error| from_sdk(OP, &error))?
            .messages
            .unwrap_or_default())
    }

    /// Up to `max` messages, as SQS gives them.
    async fn receive_all(&self, max: usize) -> Result<Vec<SqsMessage>> {
        let mut all: Vec<SqsMessage> = Vec::new();
        // Most runs find little, and every receive is paid for: one call first, and twice as many while there is more.
        let mut at_once = 1;
        while all.len() < max {
            let left = max - all.len();
            let calls = left.div_ceil(BATCH).min(at_once);
            at_once = (at_once * 2).min(AT_ONCE);
            let batches = (0..calls).map(|call| self.receive_batch((left - call * BATCH).min(BATCH)));
            // All are awaited, also beside a failure: what one of them took would be hidden and in nobody's hands.
            let batches = futures::future::join_all(batches).await;
            let (mut is_drained, mut first) = (false, None);
            for batch in batches {
                match batch {
                    Ok(batch) => {
                        is_drained |= batch.is_empty();
                        all.extend(batch);
                    }
                    Err(error) => first = first.or(Some(error)),
                }
            }
            match first {
                Some(error) if all.is_empty() => return Err(error),
                Some(_) => break,
                None if is_drained => break,
                None => {}
            }
        }
        Ok(all)
    }

    /// The queue of this one's dead letters; `None` when it has none.
    async fn dead_letter_queue(&self) -> Result<Option<Self>> {
        let redrive = QueueAttributeName::RedrivePolicy;
        let own = self.attributes(&self.url, std::slice::from_ref(&redrive)).await?;
        let url = own
            .all
            .get(&redrive)
            .and_then(|policy| dead_letter_url(&self.url, policy));
        Ok(url.map(|url| Self {
            client: self.client.clone(),
            url,
        }))
    }

    async fn send(&self, body: &str) -> Result<()> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body);
        let answer = request.send().await;
        answer.map_err(|error| from_sdk(format!("sqs:SendMessage {}", self.url), &error))?;
        Ok(())
    }

    async fn delete_batch(&self, receipts: &[Receipt]) -> Result<()> {
        let mut batch = Batch::new("sqs:DeleteMessageBatch", receipts.len());
        while batch.is_open().await {
            let entries = batch.open.iter().map(|index| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(&receipts[*index].0).build()
            });
            let entries = complete(batch.op, entries)?;
            let request = self.client.delete_message_batch().queue_url(&self.url);
            let answer = request.set_entries(Some(entries)).send().await;
            let answer = answer.map_err(|error| from_sdk(batch.op, &error))?;
            batch.answered(answer.failed())?;
        }
        Ok(())
    }

    async fn hide_batch(&self, receipts: &[Receipt], seconds: i32) -> Result<()> {
        let mut batch = Batch::new("sqs:ChangeMessageVisibilityBatch", receipts.len());
        while batch.is_open().await {
            let entries = batch.open.iter().map(|index| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
                let entry = entry.receipt_handle(&receipts[*index].0);
                entry.visibility_timeout(seconds).build()
            });
            let entries = complete(batch.op, entries)?;
            let request = self.client.change_message_visibility_batch().queue_url(&self.url);
            let answer = request.set_entries(Some(entries)).send().await;
            let answer = answer.map_err(|error| from_sdk(batch.op, &error))?;
            batch.answered(answer.failed())?;
        }
        Ok(())
    }

    async fn attributes(&self, url: &str, names: &[QueueAttributeName]) -> Result<Attributes> {
        let op = format!("sqs:GetQueueAttributes {url}");
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await;
        let answer = answer.map_err(|error| from_sdk(&op, &error))?;
        let all = answer.attributes.unwrap_or_default();
        Ok(Attributes { op, all })
    }
}

struct Attributes {
    op: String,
    all: std::collections::HashMap<QueueAttributeName, String>,
}

impl Attributes {
    fn count(&self, name: &QueueAttributeName) -> Result<u64> {
        let text = required(&self.op, name.as_str(), self.all.get(name).map(String::as_str))?;
        text.parse()
            .map_err(|_| unusable(&self.op, format!("{} is no number: {text}", name.as_str())))
    }
}

fn message(message: SqsMessage) -> Result<Message> {
    const OP: &str = "sqs:ReceiveMessage";
    let received = message
        .attributes()
        .and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    let attempt = received.and_then(|count| count.parse().ok()).unwrap_or(1);
    Ok(Message {
        receipt: Receipt(required(OP, "receipt handle", message.receipt_handle())?),
        attempt,
        // An empty body is a body.
        body: message.body.unwrap_or_default(),
    })
}

fn complete<T, E: std::fmt::Display>(
    op: &str,
    entries: impl Iterator<Item = std::result::Result<T, E>>,
) -> Result<Vec<T>> {
    let entries: std::result::Result<Vec<T>, E> = entries.collect();
    entries.map_err(|error| unusable(op, error.to_string()))
}

/// Something that is done to every entry of a batch, each named by its index.
struct Batch {
    op: &'static str,
    /// Entries that it is not done to yet.
    open: Vec<usize>,
    attempt: u32,
    pause: Duration,
}

impl Batch {
    fn new(op: &'static str, entries: usize) -> Self {
        Self {
            op,
            open: (0..entries).collect(),
            attempt: 0,
            pause: PAUSE,
        }
    }

    /// Whether there is something left to do; waits before a repeat.
    async fn is_open(&mut self) -> bool {
        if self.open.is_empty() {
            return false;
        }
        if self.attempt > 0 {
            sleep(jittered(self.pause)).await;
            self.pause *= 2;
        }
        self.attempt += 1;
        true
    }

    /// Keeps the entries that SQS failed at itself. A receipt that is out of date names a delivery that is over, which is no
    /// failure; any other fault of ours is one.
    fn answered(&mut self, failed: &[BatchResultErrorEntry]) -> Result<()> {
        self.open.clear();
        for entry in failed {
            if entry.sender_fault() && STALE.iter().any(|code| entry.code().ends_with(code)) {
                continue;
            }
            if entry.sender_fault() || self.attempt == ATTEMPTS {
                let why = entry.message().unwrap_or("no reason is given");
                return Err(unusable(self.op, format!("{}: {why}", entry.code())));
            }
            self.open.extend(entry.id().parse::<usize>());
        }
        Ok(())
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn receive(&self, max: usize) -> Result<Vec<Message>> {
        self.receive_all(max).await?.into_iter().map(message).collect()
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> Result<()> {
        for group in receipts.chunks(BATCH * AT_ONCE) {
            try_join_all(group.chunks(BATCH).map(|batch| self.delete_batch(batch))).await?;
        }
        Ok(())
    }

    async fn extend(&self, receipts: &[Receipt], hidden: Duration) -> Result<()> {
        let seconds = i32::try_from(hidden.as_secs()).unwrap_or(i32::MAX);
        for group in receipts.chunks(BATCH * AT_ONCE) {
            try_join_all(group.chunks(BATCH).map(|batch| self.hide_batch(batch, seconds))).await?;
        }
        Ok(())
    }

    async fn depth(&self) -> Result<QueueDepth> {
        let visible = QueueAttributeName::ApproximateNumberOfMessages;
        let in_flight = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let redrive = QueueAttributeName::RedrivePolicy;
        let own = self
            .attributes(&self.url, &[visible.clone(), in_flight.clone(), redrive.clone()])
            .await?;
        let dead = match own
            .all
            .get(&redrive)
            .and_then(|policy| dead_letter_url(&self.url, policy))
        {
            Some(url) => self
                .attributes(&url, std::slice::from_ref(&visible))
                .await?
                .count(&visible)?,
            None => 0,
        };
        Ok(QueueDepth {
            visible: own.count(&visible)?,
            in_flight: own.count(&in_flight)?,
            dead,
        })
    }
}

/// What `EventBridge` adds to an event that it could not deliver. Source: its documentation of dead-letter queues.
fn undelivered(message: &SqsMessage) -> Option<String> {
    let said = |name: &str| message.message_attributes()?.get(name)?.string_value();
    let code = said("ERROR_CODE")?;
    Some(match said("ERROR_MESSAGE") {
        Some(why) => format!("{code}: {why}"),
        None => code.to_owned(),
    })
}

#[async_trait]
impl DeadLetters for SqsQueue {
    async fn letters(&self, max: usize) -> Result<Vec<DeadLetter>> {
        let Some(dead) = self.dead_letter_queue().await? else {
            return Ok(Vec::new());
        };
        let letter = |found: SqsMessage| {
            let undelivered = undelivered(&found);
            let Message { body, receipt, attempt } = message(found)?;
            Ok(DeadLetter {
                body,
                receipt,
                attempts: attempt,
                undelivered,
            })
        };
        dead.receive_all(max).await?.into_iter().map(letter).collect()
    }

    async fn redrive(&self, letters: &[DeadLetter]) -> Result<()> {
        let Some(dead) = self.dead_letter_queue().await? else {
            return Ok(());
        };
        for group in letters.chunks(AT_ONCE) {
            try_join_all(group.iter().map(|letter| self.send(&letter.body))).await?;
            let receipts: Vec<Receipt> = group.iter().map(|letter| letter.receipt.clone()).collect();
            dead.acknowledge(&receipts).await?;
        }
        Ok(())
    }
}

/// The URL of the dead-letter queue that a redrive policy names by its ARN. Both queues are in one account and region.
pub fn dead_letter_url(url: &str, redrive_policy: &str) -> Option<String> {
    let policy: serde_json::Value = serde_json::from_str(redrive_policy).ok()?;
    let name = policy["deadLetterTargetArn"].as_str()?.rsplit(':').next()?;
    let (before, _) = url.rsplit_once('/')?;
    Some(format!("{before}/{name}"))
}
