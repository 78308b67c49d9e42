//! What is left of a tenant when every process has died: its queue, its objects, what its receivers got, its org's log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use oort_streams::model::notification::Alert;
use oort_streams::ports::{
    DeadLetter, DeadLetters, Error, Kind, Message, Notifier, Objects, Precondition, Queue, QueueDepth, Receipt, Result,
    Undelivered, Version,
};
use tokio::time::Instant;

use super::process::{Nature, Process, Weather};

/// How long a message that was received stays hidden.
const HIDDEN: Duration = Duration::from_mins(5);

/// A message on its way. `receipt` names its newest delivery.
#[derive(Clone)]
struct Sent {
    id: u64,
    body: String,
    visible: Instant,
    attempts: u32,
    receipt: String,
}

#[derive(Default)]
pub struct Kept {
    next_message: AtomicU64,
    next_version: AtomicU64,
    messages: Mutex<Vec<Sent>>,
    dead: Mutex<Vec<Sent>>,
    objects: Mutex<BTreeMap<String, (Vec<u8>, String)>>,
    /// The marks of all messages that are in a segment or set aside.
    landed: Mutex<BTreeSet<String>>,
    /// By outlet, in the order in which they came.
    pub told: Mutex<BTreeMap<&'static str, Vec<Alert>>>,
}

/// A tenant's durable state.
pub struct Tenant {
    pub name: &'static str,
    pub weather: Arc<Weather>,
    /// A message that was received more often is a dead letter.
    pub receive_limit: u32,
    pub kept: Kept,
    /// The System Log: when Okta stored it, and the event.
    pub log: Mutex<Vec<(jiff::Timestamp, String)>>,
}

/// Marks such as `acme-000017`, which are in everything that a tenant's org sends.
pub fn marks(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut marks = BTreeSet::new();
    for (at, _) in text.match_indices("-0") {
        let before = text[..at].rfind(|letter: char| !letter.is_ascii_lowercase());
        let from = before.map_or(0, |place| {
            place + text[place..].chars().next().map_or(1, char::len_utf8)
        });
        let digits: String = text[at + 1..].chars().take_while(char::is_ascii_digit).collect();
        if digits.len() == 6 && ["acme", "birch"].contains(&&text[from..at]) {
            marks.insert(format!("{}-{digits}", &text[from..at]));
        }
    }
    marks
}

impl Tenant {
    pub fn send(&self, body: &str) {
        let id = self.kept.next_message.fetch_add(1, Ordering::Relaxed);
        self.kept.messages.lock().unwrap().push(Sent {
            id,
            body: body.to_owned(),
            visible: Instant::now(),
            attempts: 0,
            receipt: String::new(),
        });
    }

    /// Every object, decompressed.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let objects = self.kept.objects.lock().unwrap();
        let plain = |key: &str, bytes: &[u8]| {
            if key.strip_suffix(".zst").is_some() {
                zstd::decode_all(bytes).unwrap()
            } else {
                bytes.to_vec()
            }
        };
        objects
            .iter()
            .map(|(key, (bytes, _))| (key.clone(), plain(key, bytes)))
            .collect()
    }

    /// Whether nothing waits anywhere.
    pub fn is_drained(&self) -> bool {
        self.kept.messages.lock().unwrap().is_empty() && self.kept.dead.lock().unwrap().is_empty()
    }

    fn receive(&self, max: usize) -> Vec<Message> {
        let (now, chance) = (Instant::now(), &self.weather.chance);
        let mut messages = self.kept.messages.lock().unwrap();
        let most = chance.between(1, max.min(40) as u64);
        let mut given = Vec::new();
        // In no order.
        for _ in 0..most {
            let visible: Vec<usize> = (0..messages.len())
                .filter(|place| messages[*place].visible <= now)
                .collect();
            if visible.is_empty() {
                break;
            }
            let place = *chance.of(&visible);
            messages[place].attempts += 1;
            if messages[place].attempts > self.receive_limit {
                self.kept.dead.lock().unwrap().push(messages.remove(place));
                continue;
            }
            let sent = &mut messages[place];
            sent.receipt = format!("{}/{}", sent.id, sent.attempts);
            // Now and then one of the queue's servers does not hear of it, and delivers it again.
            sent.visible = now
                + if chance.one_in(25) {
                    Duration::from_secs(1)
                } else {
                    HIDDEN
                };
            given.push(Message {
                body: sent.body.clone(),
                receipt: Receipt(sent.receipt.clone()),
                attempt: sent.attempts,
            });
        }
        given
    }

    /// Takes messages out; they must be kept elsewhere by then.
    fn acknowledge(&self, receipts: &[Receipt], who: &str) {
        let mut messages = self.kept.messages.lock().unwrap();
        for receipt in receipts {
            let Some(place) = messages.iter().position(|sent| sent.receipt == receipt.0) else {
                continue;
            };
            let landed = self.kept.landed.lock().unwrap();
            let lost: Vec<String> = marks(messages[place].body.as_bytes())
                .into_iter()
                .filter(|mark| !landed.contains(mark))
                .collect();
            if !lost.is_empty() {
                self.weather
                    .broken(format!("{who} acknowledged {lost:?}, which is nowhere"));
            }
            // Rarely a message comes again although it was taken out.
            if self.weather.chance.one_in(60) {
                messages[place].visible = Instant::now() + Duration::from_mins(7);
                messages[place].receipt = String::new();
            } else {
                messages.remove(place);
            }
        }
    }

    fn put(&self, key: &str, bytes: &[u8], precondition: &Precondition) -> Result<Version> {
        let mut objects = self.kept.objects.lock().unwrap();
        let holds = match (precondition, objects.get(key)) {
            (Precondition::None, _) | (Precondition::Absent, None) => true,
            (Precondition::Is(version), Some((_, current))) => version.0 == *current,
            (Precondition::Absent, Some(_)) | (Precondition::Is(_), None) => false,
        };
        if !holds {
            return Err(Error::new(Kind::Conflict, format!("write {key}")));
        }
        if key.starts_with("segments/") {
            let lines = zstd::decode_all(bytes).unwrap();
            self.kept.landed.lock().unwrap().extend(marks(&lines));
        } else if key.starts_with("set-aside/") {
            self.kept.landed.lock().unwrap().extend(marks(bytes));
        }
        let version = self.kept.next_version.fetch_add(1, Ordering::Relaxed).to_string();
        objects.insert(key.to_owned(), (bytes.to_vec(), version.clone()));
        Ok(Version(version))
    }
}

/// A tenant's ports as one process has them.
#[derive(Clone)]
pub struct Ports {
    pub tenant: Arc<Tenant>,
    pub process: Arc<Process>,
}

#[async_trait]
impl Queue for Ports {
    async fn receive(&self, max: usize) -> Result<Vec<Message>> {
        let tenant = Arc::clone(&self.tenant);
        // What is received changes: an answer that is lost hides its messages.
        self.process
            .call("receive", Nature::Write, move || Ok(tenant.receive(max)))
            .await
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> Result<()> {
        let (tenant, receipts, who) = (Arc::clone(&self.tenant), receipts.to_vec(), self.process.name.clone());
        let effect = move || {
            tenant.acknowledge(&receipts, &who);
            Ok(())
        };
        self.process.call("acknowledge", Nature::Write, effect).await
    }

    async fn extend(&self, receipts: &[Receipt], hidden: Duration) -> Result<()> {
        let (tenant, receipts) = (Arc::clone(&self.tenant), receipts.to_vec());
        let effect = move || {
            let mut messages = tenant.kept.messages.lock().unwrap();
            for sent in messages
                .iter_mut()
                .filter(|sent| receipts.iter().any(|one| one.0 == sent.receipt))
            {
                sent.visible = Instant::now() + hidden;
            }
            Ok(())
        };
        self.process.call("extend", Nature::Write, effect).await
    }

    async fn depth(&self) -> Result<QueueDepth> {
        let tenant = Arc::clone(&self.tenant);
        let effect = move || {
            let (messages, dead) = (tenant.kept.messages.lock().unwrap(), tenant.kept.dead.lock().unwrap());
            let visible = messages.iter().filter(|sent| sent.visible <= Instant::now()).count() as u64;
            Ok(QueueDepth {
                visible,
                in_flight: messages.len() as u64 - visible,
                dead: dead.len() as u64,
            })
        };
        self.process.call("depth", Nature::Read, effect).await
    }
}

#[async_trait]
impl DeadLetters for Ports {
    async fn letters(&self, max: usize) -> Result<Vec<DeadLetter>> {
        let tenant = Arc::clone(&self.tenant);
        let effect = move || {
            let dead = tenant.kept.dead.lock().unwrap();
            let letter = |sent: &Sent| DeadLetter {
                body: sent.body.clone(),
                receipt: Receipt(sent.id.to_string()),
                attempts: sent.attempts,
                undelivered: None,
            };
            Ok(dead.iter().take(max).map(letter).collect())
        };
        self.process.call("letters", Nature::Read, effect).await
    }

    async fn redrive(&self, letters: &[DeadLetter]) -> Result<()> {
        for letter in letters.iter().cloned() {
            let (tenant, body) = (Arc::clone(&self.tenant), letter.body.clone());
            let send = move || {
                tenant.send(&body);
                Ok(())
            };
            self.process.call("send again", Nature::Write, send).await?;
            let tenant = Arc::clone(&self.tenant);
            let delete = move || {
                tenant
                    .kept
                    .dead
                    .lock()
                    .unwrap()
                    .retain(|sent| sent.id.to_string() != letter.receipt.0);
                Ok(())
            };
            self.process.call("delete a letter", Nature::Write, delete).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Objects for Ports {
    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>> {
        let (tenant, name) = (Arc::clone(&self.tenant), key.to_owned());
        let effect = move || {
            let found = tenant.kept.objects.lock().unwrap().get(&name).cloned();
            Ok(found.map(|(bytes, version)| (bytes, Version(version))))
        };
        self.process.call(&format!("get {key}"), Nature::Read, effect).await
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, precondition: Precondition) -> Result<Version> {
        let (tenant, name) = (Arc::clone(&self.tenant), key.to_owned());
        let effect = move || tenant.put(&name, &bytes, &precondition);
        self.process.call(&format!("put {key}"), Nature::Write, effect).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        let (tenant, from, after) = (Arc::clone(&self.tenant), prefix.to_owned(), after.map(str::to_owned));
        let effect = move || {
            let objects = tenant.kept.objects.lock().unwrap();
            let is_wanted = |key: &&String| key.starts_with(&from) && after.as_ref().is_none_or(|after| *key > after);
            Ok(objects.keys().filter(is_wanted).take(limit).cloned().collect())
        };
        self.process.call(&format!("list {prefix}"), Nature::Read, effect).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let (tenant, name) = (Arc::clone(&self.tenant), key.to_owned());
        let effect = move || {
            tenant.kept.objects.lock().unwrap().remove(&name);
            Ok(())
        };
        self.process.call(&format!("delete {key}"), Nature::Write, effect).await
    }
}

/// A receiver of notifications, which keeps all that comes.
pub struct Receiver {
    pub ports: Ports,
    pub name: &'static str,
}

#[async_trait]
impl Notifier for Receiver {
    async fn deliver(&self, alert: &Alert) -> std::result::Result<Vec<String>, Undelivered> {
        let (tenant, alert, name) = (Arc::clone(&self.ports.tenant), alert.clone(), self.name);
        let effect = move || {
            let ids: Vec<&str> = alert.notifications.iter().map(|one| &one.finding_id[..6]).collect();
            tenant.weather.tell(&format!(
                "{}: {name} is told of {ids:?} with the key {}",
                tenant.name, alert.key
            ));
            tenant
                .kept
                .told
                .lock()
                .unwrap()
                .entry(name)
                .or_default()
                .push(alert.clone());
            Ok(vec![name.to_owned()])
        };
        Ok(self
            .ports
            .process
            .call(&format!("tell {name}"), Nature::Write, effect)
            .await?)
    }
}
