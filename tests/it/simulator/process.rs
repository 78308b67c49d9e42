//! One run of a role as a process of its own, whose every call to a port may go wrong. What goes wrong is drawn from the seed.

use std::future::pending;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use oort_streams::ports::{Clock, Error, Kind, Result};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::chance::Chance;

/// What may happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It takes long, before or after it is carried out.
    SlowBefore,
    SlowAfter,
    /// It fails, and is not carried out.
    FailBefore,
    /// It is carried out, and its answer is lost.
    FailAfter,
    /// It is not answered.
    TimeOut,
    /// It is not answered, and carried out later all the same.
    Late,
    /// It is carried out twice, now and a moment later.
    Twice,
    /// The process dies before or after it is carried out.
    CrashBefore,
    CrashAfter,
    /// The whole process stands still, and knows nothing of it.
    Freeze,
}

const FAULTS: [Fault; 10] = [
    Fault::SlowBefore,
    Fault::SlowAfter,
    Fault::FailBefore,
    Fault::FailAfter,
    Fault::TimeOut,
    Fault::Late,
    Fault::Twice,
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::Freeze,
];

/// Whether a call may be carried out when nobody waits for it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    Read,
    Write,
}

/// What the weather of one seed is, and what was seen of it.
pub struct Weather {
    pub chance: Chance,
    began: Instant,
    /// Those that this seed has.
    faults: Vec<Fault>,
    /// One in so many calls goes wrong.
    one_in: u64,
    /// How many seconds a process's clock may be wrong.
    skew: u64,
    is_calm: AtomicBool,
    runs: AtomicU64,
    story: Mutex<Story>,
}

/// What happened, in order.
#[derive(Default)]
struct Story {
    told: Vec<String>,
    hasher: DefaultHasher,
    broken: Vec<String>,
    faults: u64,
}

/// When the simulated time begins.
pub fn start() -> Timestamp {
    "2026-11-02T00:00:00Z".parse().unwrap()
}

impl Weather {
    /// As the seed has it.
    pub fn new(seed: u64) -> Self {
        let chance = Chance::new(seed);
        // Few kinds at once show what many hide.
        let mut faults: Vec<Fault> = FAULTS.into_iter().filter(|_| !chance.one_in(3)).collect();
        if faults.is_empty() {
            faults.push(Fault::CrashAfter);
        }
        let one_in = *chance.of(&[15, 40, 100]);
        // In a third of all seeds a clock that was set back, or ahead, by hours.
        let skew = *chance.of(&[2, 2, 3 * 3_600]);
        Self {
            skew,
            ..Self::of(chance, faults, one_in)
        }
    }

    /// Processes stand still, and nothing else.
    pub fn freezing(seed: u64) -> Self {
        Self::of(Chance::new(seed), vec![Fault::Freeze], 30)
    }

    fn of(chance: Chance, faults: Vec<Fault>, one_in: u64) -> Self {
        Self {
            one_in,
            skew: 2,
            faults,
            chance,
            began: Instant::now(),
            is_calm: AtomicBool::new(true),
            runs: AtomicU64::new(0),
            story: Mutex::default(),
        }
    }

    pub fn calm(&self, is_calm: bool) {
        self.is_calm.store(is_calm, Ordering::Relaxed);
    }

    pub fn now(&self) -> Timestamp {
        start() + SignedDuration::try_from(self.began.elapsed()).unwrap()
    }

    /// What happened, for whoever replays the seed.
    pub fn tell(&self, what: &str) {
        let told = format!("{} {what}", self.now());
        let mut story = self.story.lock().unwrap();
        told.hash(&mut story.hasher);
        story.told.push(told);
    }

    /// A promise that did not hold.
    pub fn broken(&self, promise: String) {
        self.tell(&format!("BROKEN: {promise}"));
        self.story.lock().unwrap().broken.push(promise);
    }

    pub fn all_broken(&self) -> Vec<String> {
        self.story.lock().unwrap().broken.clone()
    }

    pub fn story(&self) -> Vec<String> {
        self.story.lock().unwrap().told.clone()
    }

    /// The same for the same story.
    pub fn print(&self) -> u64 {
        self.story.lock().unwrap().hasher.finish()
    }

    pub fn faults(&self) -> u64 {
        self.story.lock().unwrap().faults
    }

    fn draw(&self, nature: Nature) -> Option<Fault> {
        if self.is_calm.load(Ordering::Relaxed) || !self.chance.one_in(self.one_in) {
            return None;
        }
        let fault = *self.chance.of(&self.faults);
        self.story.lock().unwrap().faults += 1;
        Some(match (fault, nature) {
            (Fault::Late | Fault::Twice, Nature::Read) => Fault::TimeOut,
            (fault, _) => fault,
        })
    }
}

/// One run.
pub struct Process {
    pub weather: Arc<Weather>,
    pub tenant: &'static str,
    /// As in `acme-detect-17`.
    pub name: String,
    /// How far its clock is from the others'.
    skew: SignedDuration,
    frozen_until: Mutex<Instant>,
    is_dead: AtomicBool,
    death: Notify,
}

impl Process {
    pub fn start(weather: &Arc<Weather>, tenant: &'static str, role: &str) -> Arc<Self> {
        let number = weather.runs.fetch_add(1, Ordering::Relaxed);
        let skew = weather.chance.below(2 * weather.skew + 1).cast_signed() - weather.skew.cast_signed();
        Arc::new(Self {
            weather: Arc::clone(weather),
            tenant,
            name: format!("{tenant}-{role}-{number:04}"),
            skew: SignedDuration::from_secs(skew),
            frozen_until: Mutex::new(Instant::now()),
            is_dead: AtomicBool::new(false),
            death: Notify::new(),
        })
    }

    /// Comes when it has died.
    pub async fn died(&self) {
        self.death.notified().await;
    }

    pub fn kill(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
        self.death.notify_one();
    }

    async fn die(&self) -> ! {
        self.kill();
        pending::<()>().await;
        unreachable!("a process that died goes on")
    }

    /// Waits while it stands still. Nothing that is left of a dead process goes on.
    async fn pass(&self) {
        loop {
            if self.is_dead.load(Ordering::Relaxed) {
                pending::<()>().await;
            }
            let until = *self.frozen_until.lock().unwrap();
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// A call to a port. What `effect` does happens at one moment.
    pub async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        what: &str,
        nature: Nature,
        effect: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.pass().await;
        let Some(fault) = self.weather.draw(nature) else {
            return effect();
        };
        self.weather.tell(&format!("{}: {what}: {fault:?}", self.name));
        let chance = &self.weather.chance;
        let seconds = |most: u64| Duration::from_secs(chance.between(1, most));
        let unanswered = || {
            let kind = *chance.of(&[Kind::Unavailable, Kind::Unavailable, Kind::Throttled]);
            Err(Error::new(kind, format!("{what} in bad weather")))
        };
        match fault {
            Fault::SlowBefore => {
                sleep(seconds(240)).await;
                self.pass().await;
                effect()
            }
            Fault::SlowAfter => {
                let done = effect();
                sleep(seconds(240)).await;
                self.pass().await;
                done
            }
            Fault::FailBefore => unanswered(),
            Fault::FailAfter => {
                let _ = effect();
                unanswered()
            }
            Fault::TimeOut => {
                sleep(Duration::from_mins(1)).await;
                self.pass().await;
                unanswered()
            }
            Fault::Late => {
                later(seconds(90), effect);
                sleep(Duration::from_secs(30)).await;
                self.pass().await;
                unanswered()
            }
            Fault::Twice => {
                let done = effect();
                later(seconds(20), effect);
                done
            }
            Fault::CrashBefore => self.die().await,
            Fault::CrashAfter => {
                let _ = effect();
                self.die().await
            }
            Fault::Freeze => {
                *self.frozen_until.lock().unwrap() = Instant::now() + seconds(90 * 60);
                self.pass().await;
                effect()
            }
        }
    }
}

/// What was asked for is done although nobody waits for it.
fn later<T: 'static>(after: Duration, effect: impl Fn() -> Result<T> + Send + Sync + 'static) {
    tokio::spawn(async move {
        sleep(after).await;
        let _ = effect();
    });
}

/// What time a process takes it to be.
impl Clock for Process {
    fn now(&self) -> Timestamp {
        self.weather.now() + self.skew
    }
}
