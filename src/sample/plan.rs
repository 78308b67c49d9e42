//! What happens when: the ordinary days of the sample org, planned visit by visit and not yet written out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Settings;
use super::dice::Dice;
use super::kind::Kind;
use super::people::{self, EVERYDAY_APPS, PLACES, Person, SERVICES};

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;
const SECOND: i64 = 1_000;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The user whom the event is about.
    User,
    /// Another user, by number.
    Other(u32),
    /// Okta itself.
    System,
    /// A program, by its number among the services.
    Service(usize),
    /// Nobody that is known: an address.
    Address,
}

/// Where the request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum From {
    /// The usual place, address and browser of who did it.
    Home,
    /// No request: Okta did it by itself.
    Inside,
    /// An attacker's machine.
    Away { place: usize, agent: usize, host: u8 },
}

/// One event, in few bytes: everything else follows from the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Planned {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Tells events apart.
    pub number: u64,
    pub kind: Kind,
    pub user: u32,
    pub by: By,
    pub from: From,
    /// Events of one visit share a session.
    pub visit: u64,
    pub app: usize,
    /// Okta rates the request as a high risk, with unusual behaviour.
    pub unusual: bool,
    /// The address belongs to an anonymising service.
    pub hidden: bool,
}

impl Planned {
    pub fn new(kind: Kind, user: u32, visit: u64) -> Self {
        Self {
            at: 0,
            number: 0,
            kind,
            user,
            by: By::User,
            from: From::Home,
            visit,
            app: 0,
            unusual: false,
            hidden: false,
        }
    }
}

/// Spreads events over the period: busy by day, quiet at night and on weekends.
struct Curve {
    start: i64,
    /// Weights of the hours, added up.
    sums: Vec<u64>,
}

impl Curve {
    fn new(start: i64, hours: i64) -> Self {
        let mut sum = 0;
        let sums = (0..hours).map(|hour| {
            sum += weight(start + hour * HOUR);
            sum
        });
        Self {
            start,
            sums: sums.collect(),
        }
    }

    /// When `done` of `all` events have happened.
    fn at(&self, done: u64, all: u64) -> i64 {
        let total = self.sums.last().copied().unwrap_or(1);
        let reached = u64::try_from(u128::from(done) * u128::from(total) / u128::from(all.max(1))).unwrap_or(total);
        let hour = self
            .sums
            .partition_point(|&sum| sum <= reached)
            .min(self.sums.len().saturating_sub(1));
        let before = if hour == 0 { 0 } else { self.sums[hour - 1] };
        let within = (reached - before) * HOUR.unsigned_abs() / (self.sums[hour] - before).max(1);
        self.start + i64::try_from(hour).unwrap_or(0) * HOUR + i64::try_from(within).unwrap_or(0)
    }
}

fn weight(at: i64) -> u64 {
    PLACES[..people::HOMES]
        .iter()
        .map(|place| if at_work(place.ahead, at) { 10 } else { 1 })
        .sum()
}

fn at_work(ahead: i8, at: i64) -> bool {
    let local = at.div_euclid(HOUR) + i64::from(ahead);
    // The first of January 1970 was a Thursday.
    let weekend = matches!(local.div_euclid(24).rem_euclid(7), 2 | 3);
    !weekend && (8..18).contains(&local.rem_euclid(24))
}

/// All events in the order of their time, planned as far ahead as one visit reaches.
pub struct Plan {
    settings: Settings,
    curve: Curve,
    end: i64,
    waiting: BinaryHeap<Reverse<Planned>>,
    /// Ordinary events to plan, and those planned.
    quota: u64,
    planned: u64,
    visits: u64,
}

impl Plan {
    /// `stories` are events that happen besides, with numbers from [`Settings::events`] on.
    pub fn new(settings: Settings, stories: &[Planned]) -> Self {
        let told = settings.events.min(stories.len() as u64);
        let (start, end) = settings.period();
        Self {
            settings,
            curve: Curve::new(start, (end - start) / HOUR),
            end,
            waiting: stories
                .iter()
                .take(usize::try_from(told).unwrap_or(usize::MAX))
                .copied()
                .map(Reverse)
                .collect(),
            quota: settings.events - told,
            planned: 0,
            visits: 0,
        }
    }

    fn push(&mut self, at: i64, event: Planned) {
        if self.planned < self.quota {
            self.waiting.push(Reverse(Planned {
                at: at.min(self.end - 1),
                number: self.planned,
                ..event
            }));
            self.planned += 1;
        }
    }

    fn next_visit(&self) -> Option<i64> {
        (self.planned < self.quota).then(|| self.curve.at(self.planned, self.quota))
    }

    fn plan_visit(&mut self, at: i64) {
        self.visits += 1;
        let mut dice = Dice::new(self.settings.seed, self.visits | VISIT);
        let user = self.somebody_at_work(at, &mut dice);
        match dice.below(1000) {
            0..620 => self.sign_in(at, user, &mut dice),
            620..680 => {
                self.push(at, Planned::new(Kind::SessionStartFailed, user, 0));
                self.sign_in(at + 20 * SECOND, user, &mut dice);
            }
            680..820 => self.service_tokens(at, &mut dice),
            820..900 => self.housekeeping(at, user, &mut dice),
            900..950 => self.chores(at, user, &mut dice),
            950..975 => self.push(
                at,
                Planned::new(
                    *dice.pick(&[Kind::ProfileUpdated, Kind::PasswordUpdated]),
                    user,
                    self.visits,
                ),
            ),
            975..990 => {
                self.push(at, Planned::new(Kind::FactorActivated, user, self.visits));
                self.push(
                    at + 2 * SECOND,
                    Planned {
                        by: By::System,
                        from: From::Inside,
                        ..Planned::new(Kind::NewDeviceMail, user, 0)
                    },
                );
            }
            _ => self.mishaps(at, user, &mut dice),
        }
    }

    /// A user at whose home it is working time, if a few tries find one.
    fn somebody_at_work(&self, at: i64, dice: &mut Dice) -> u32 {
        let mut user = 0;
        for _ in 0..4 {
            user = dice.below(self.settings.users);
            if at_work(PLACES[Person::new(self.settings.seed, user).home].ahead, at) {
                break;
            }
        }
        user
    }

    fn sign_in(&mut self, at: i64, user: u32, dice: &mut Dice) {
        let visit = self.visits;
        let event = |kind| Planned {
            hidden: through_privacy_service(visit),
            ..Planned::new(kind, user, visit)
        };
        let mut at = at;
        if !dice.once_in(3) {
            self.push(at, event(Kind::SignOnChallenged));
            if dice.once_in(2) {
                self.push(
                    at + 3 * SECOND,
                    Planned {
                        by: By::System,
                        from: From::Inside,
                        ..event(Kind::PushSent)
                    },
                );
            }
            at += 8 * SECOND + i64::from(dice.below(9_000));
            self.push(at, event(Kind::MfaPassed));
        }
        self.push(at + 400, event(Kind::SignOnAllowed));
        self.push(at + 500, event(Kind::SessionStart));
        for _ in 0..2 + dice.below(6) {
            at += 20 * SECOND + i64::from(dice.below(400_000));
            let app = dice.below(EVERYDAY_APPS) as usize;
            if dice.once_in(2) {
                self.push(
                    at - 300,
                    Planned {
                        app,
                        ..event(Kind::SignOnAllowed)
                    },
                );
            }
            if dice.once_in(3) {
                for (step, kind) in [Kind::AuthorizeCode, Kind::AccessToken, Kind::IdToken]
                    .into_iter()
                    .enumerate()
                {
                    self.push(
                        at + 150 * i64::try_from(step).unwrap_or(0),
                        Planned { app, ..event(kind) },
                    );
                }
            } else {
                self.push(
                    at,
                    Planned {
                        app,
                        ..event(Kind::Sso)
                    },
                );
            }
        }
        if dice.once_in(3) {
            self.push(at + 5 * MINUTE, event(Kind::SessionEnd));
        }
    }

    fn service_tokens(&mut self, at: i64, dice: &mut Dice) {
        let service = dice.below(3) as usize % SERVICES.len();
        for step in 0..=dice.below(4) {
            let event = Planned {
                by: By::Service(service),
                ..Planned::new(Kind::ServiceToken, 0, 0)
            };
            self.push(at + i64::from(step) * MINUTE, event);
        }
    }

    fn housekeeping(&mut self, at: i64, user: u32, dice: &mut Dice) {
        for step in 0..=dice.below(3) {
            let kind = *dice.pick(&[
                Kind::ProfilePushed,
                Kind::DirectoryImport,
                Kind::GroupAdd,
                Kind::ProfileUpdated,
            ]);
            let app = dice.below(EVERYDAY_APPS) as usize;
            let event = Planned {
                by: By::System,
                from: From::Inside,
                app,
                ..Planned::new(kind, user, 0)
            };
            self.push(at + i64::from(step) * 700, event);
        }
    }

    fn chores(&mut self, at: i64, user: u32, dice: &mut Dice) {
        let admin = By::Other(dice.below(people::administrators(self.settings.users)));
        let visit = self.visits;
        let event = |kind| Planned {
            by: admin,
            ..Planned::new(kind, user, visit)
        };
        self.push(
            at,
            Planned {
                app: people::CONSOLE,
                ..event(Kind::AdminApp)
            },
        );
        let chore = match dice.below(40) {
            0..12 => Kind::GroupAdd,
            12..18 => Kind::GroupRemove,
            18..28 => Kind::AppAssigned,
            28..33 => Kind::PasswordReset,
            33..37 => Kind::AccountUnlocked,
            37 => Kind::UserDeactivated,
            38 => Kind::AppUpdated,
            _ => Kind::UserCreated,
        };
        self.push(
            at + MINUTE,
            Planned {
                app: dice.below(EVERYDAY_APPS) as usize,
                ..event(chore)
            },
        );
        if chore == Kind::UserCreated {
            self.push(at + MINUTE + SECOND, event(Kind::UserActivated));
        }
    }

    fn mishaps(&mut self, at: i64, user: u32, dice: &mut Dice) {
        let visit = self.visits;
        match dice.below(60) {
            0 => self.push(at, Planned::new(Kind::PushDenied, user, visit)),
            1 => {
                let admin = By::Other(dice.below(people::administrators(self.settings.users)));
                self.push(
                    at,
                    Planned {
                        by: admin,
                        ..Planned::new(Kind::FactorsReset, user, visit)
                    },
                );
            }
            _ => {
                for step in 0..3 {
                    self.push(at + step * 9 * SECOND, Planned::new(Kind::SessionStartFailed, user, 0));
                }
                self.push(at + 30 * SECOND, Planned::new(Kind::AccountLocked, user, 0));
            }
        }
    }
}

/// A few visits of people who use a privacy service.
fn through_privacy_service(visit: u64) -> bool {
    visit % 1_999 == 1_000
}

const VISIT: u64 = 1 << 61;

impl Iterator for Plan {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        loop {
            let first = self.waiting.peek().map(|event| event.0.at);
            match self.next_visit() {
                Some(visit) if first.is_none_or(|at| at > visit) => self.plan_visit(visit),
                _ => return self.waiting.pop().map(|event| event.0),
            }
        }
    }
}
