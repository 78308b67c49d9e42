//! `oort local`: the embedded target's bus and its schedules.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::embedded::Embedded;
use crate::cli::task::TenantArgs;
use crate::cli::tenant::stream::deliver;
use crate::cli::up::Up;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::lake::set_aside::{self, SetAside};
use crate::local::address::{Address, address};
use crate::local::bus::Bus;
use crate::local::export::{Export, Piece};
use crate::local::org::Recorded;

/// The embedded target: put events on a tenant's bus, run its schedules.
#[derive(Debug, Subcommand)]
pub enum Local {
    Send(Box<Send>),
    #[command(subcommand)]
    Org(Box<LocalOrg>),
    Up(Up),
}

/// The tenant's Okta org on this machine.
#[derive(Debug, Subcommand)]
pub enum LocalOrg {
    Record(Record),
    Fail(Fail),
}

/// Let a file of events happen in the org: its System Log has them, and its log stream, where it is active, sends them.
///
/// The file is a JSON array or JSON lines of bare System Log events.
#[derive(Debug, Args)]
pub struct Record {
    #[command(flatten)]
    tenant: TenantArgs,
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The log stream loses them on their way.
    #[arg(long)]
    lost: bool,
}

/// Deactivate the org's log streams, as Okta does after failed deliveries.
#[derive(Debug, Args)]
pub struct Fail {
    #[command(flatten)]
    tenant: TenantArgs,
}

/// Put a file of events on a tenant's bus, whose rule decides what enters the queue.
///
/// The file is a JSON array or JSON lines, of bare System Log events or of EventBridge envelopes.
#[derive(Debug, Args)]
pub struct Send {
    #[command(flatten)]
    tenant: TenantArgs,
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Give envelopes of another source a new one of this tenant's.
    #[arg(long)]
    readdress: bool,
}

impl Local {
    pub async fn run(self, global: &Global) -> Outcome {
        match self {
            Self::Send(send) => send.run(global).await,
            Self::Org(org) => match *org {
                LocalOrg::Record(record) => record.run(global).await,
                LocalOrg::Fail(fail) => fail.run(global).await,
            },
            Self::Up(up) => up.run(global).await,
        }
    }
}

impl Send {
    async fn run(self, global: &Global) -> Outcome {
        let target = Embedded::open(global, &self.tenant).await?;
        let export = Export::new(open(&self.file)?);
        output::json(&send(&target, export, self.readdress).await?);
        Ok(Exit::Done)
    }
}

impl Record {
    async fn run(self, global: &Global) -> Outcome {
        const AT_ONCE: usize = 1_000;
        let embedded = Embedded::open(global, &self.tenant).await?;
        let mut recorded = Recorded::default();
        let mut events = Vec::new();
        let mut pieces = Export::new(open(&self.file)?);
        loop {
            let piece = pieces.next().transpose();
            let piece = piece.map_err(|error| Failure::input(format!("cannot read the events: {error}")))?;
            let is_last = piece.is_none();
            events.extend(piece.map(|piece| piece.text));
            if is_last || events.len() >= AT_ONCE {
                recorded += embedded.org.record(&events).await?;
                events.clear();
            }
            if is_last {
                break;
            }
        }
        if self.lost {
            embedded.org.lose().await?;
        } else {
            deliver(&embedded).await?;
        }
        output::json(&recorded);
        Ok(Exit::Done)
    }
}

impl Fail {
    async fn run(self, global: &Global) -> Outcome {
        Embedded::open(global, &self.tenant).await?.org.fail_streams().await?;
        Ok(Exit::Done)
    }
}

/// A file to read, or standard input for `-`.
pub fn open(file: &Path) -> Result<BufReader<Box<dyn Read + std::marker::Send>>, Failure> {
    const BUFFER_BYTES: usize = 1 << 18;
    let reader: Box<dyn Read + std::marker::Send> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let opened = File::open(file);
        Box::new(opened.map_err(|error| Failure::input(format!("cannot read {}: {error}", file.display())))?)
    };
    Ok(BufReader::with_capacity(BUFFER_BYTES, reader))
}

/// Read = queued + not admitted + set aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    pub read: u64,
    pub queued: u64,
    /// Envelopes that no rule of the bus matched. `EventBridge` forgets those; here they are set aside with that reason.
    pub not_admitted: u64,
    pub set_aside: u64,
}

impl std::ops::AddAssign for Sent {
    fn add_assign(&mut self, more: Self) {
        self.read += more.read;
        self.queued += more.queued;
        self.not_admitted += more.not_admitted;
        self.set_aside += more.set_aside;
    }
}

/// Sends every piece of `export` and keeps, with its reason, each that does not reach the queue.
pub async fn send<R: io::BufRead>(target: &Embedded, export: Export<R>, readdress: bool) -> Result<Sent, Failure> {
    let to = Address {
        source: target.twin.event_source.clone(),
        account: target.twin.account.clone(),
        region: target.region.clone(),
    };
    let mut sender = Sender::new(target)?;
    for piece in export {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                sender.flush().await?;
                return Err(Failure::input(format!("cannot read the events: {error}")));
            }
        };
        sender.take(piece, &to, readdress);
        if sender.is_full() {
            sender.flush().await?;
        }
    }
    sender.flush().await?;
    Ok(sender.sent)
}

struct Sender<'a> {
    target: &'a Embedded,
    run: String,
    bus: Bus,
    envelopes: Vec<String>,
    aside: Vec<SetAside>,
    files_aside: u32,
    sent: Sent,
}

impl<'a> Sender<'a> {
    fn new(target: &'a Embedded) -> Result<Self, Failure> {
        Ok(Self {
            target,
            run: target.start("send").name,
            bus: Bus::new(&target.twin)?,
            envelopes: Vec::new(),
            aside: Vec::new(),
            files_aside: 0,
            sent: Sent::default(),
        })
    }

    fn take(&mut self, piece: Piece, to: &Address, readdress: bool) {
        self.sent.read += 1;
        let envelope = if piece.is_unicode {
            address(&piece.text, to, readdress).map_err(|reason| reason.to_string())
        } else {
            Err("not UTF-8".to_owned())
        };
        // A matcher that cannot read an envelope costs that envelope alone.
        let judged = envelope.and_then(|envelope| match self.bus.admits(&envelope) {
            Ok(admitted) => Ok((admitted, envelope.into_owned())),
            Err(error) => Err(error.source.map_or(error.op, |why| why.to_string())),
        });
        match judged {
            Ok((true, envelope)) => self.envelopes.push(envelope),
            Ok((false, _)) => {
                self.sent.not_admitted += 1;
                self.keep("no rule of the bus matches the envelope", piece.line, piece.text);
            }
            Err(reason) => {
                self.sent.set_aside += 1;
                self.keep(&reason, piece.line, piece.text);
            }
        }
    }

    fn keep(&mut self, reason: &str, line: u64, body: String) {
        self.aside.push(SetAside {
            reason: format!("{reason} (line {line} of the file)"),
            body,
        });
    }

    fn is_full(&self) -> bool {
        const BATCH: usize = 1_000;
        self.envelopes.len() >= BATCH || self.aside.len() >= BATCH
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        if !self.envelopes.is_empty() {
            self.target.local_queue.send(&self.envelopes).await?;
            self.sent.queued += self.envelopes.len() as u64;
            self.envelopes.clear();
        }
        if !self.aside.is_empty() {
            let name = format!("send-{}-{:06}", self.run, self.files_aside);
            set_aside::put(&*self.target.objects, &name, &self.aside).await?;
            self.files_aside += 1;
            self.aside.clear();
        }
        Ok(())
    }
}
