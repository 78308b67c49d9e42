//! The attacks among the ordinary days: who is attacked, when, and by which events.

use super::dice::Dice;
use super::kind::Kind;
use super::people::{self, CONSOLE, FAR_HOSTING, HEADLESS, HOSTING, PROGRAM, Person, TRANSIT};
use super::plan::{By, From, Planned};
use super::{Settings, Story};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// One attack, event by event.
struct Script {
    name: &'static str,
    summary: &'static str,
    users: Vec<u32>,
    events: Vec<Planned>,
}

/// Every story's events, in no order, with their times and numbers.
pub fn events(settings: &Settings) -> Vec<Planned> {
    scripts(settings).into_iter().flat_map(|script| script.events).collect()
}

/// The stories as they are listed.
pub fn list(settings: &Settings) -> Vec<Story> {
    let told = |script: &Script| -> Vec<(i64, String)> {
        let mut events = script.events.clone();
        events.sort_unstable();
        events
            .iter()
            .map(|event| (event.at, super::event::uuid(settings.seed, event.number)))
            .collect()
    };
    scripts(settings)
        .into_iter()
        .map(|script| {
            let events = told(&script);
            let moment = |event: Option<&(i64, String)>| event.map_or(settings.end, |(at, _)| super::moment(*at));
            Story {
                name: script.name,
                summary: script.summary,
                logins: script
                    .users
                    .iter()
                    .map(|&user| Person::new(settings.seed, user).login)
                    .collect(),
                start: moment(events.first()),
                end: moment(events.last()),
                uuids: events.into_iter().map(|(_, uuid)| uuid).collect(),
            }
        })
        .collect()
}

fn scripts(settings: &Settings) -> Vec<Script> {
    let (start, end) = settings.period();
    let cast = Cast::new(settings);
    let mut scripts = vec![
        mfa_fatigue(&cast),
        password_spray(&cast),
        session_hijack(&cast),
        help_desk_fraud(&cast),
        impossible_travel(&cast),
        admin_takeover(&cast),
    ];
    let slots = i64::try_from(scripts.len()).unwrap_or(1) + 1;
    let mut number = settings.events;
    for (slot, script) in (1..).zip(&mut scripts) {
        for event in &mut script.events {
            event.at = (start + (end - start) / slots * slot + event.at).min(end - 1);
            event.number = number;
            number += 1;
        }
    }
    scripts
}

/// Who plays whom.
struct Cast {
    users: u32,
    first: u32,
    admins: u32,
}

impl Cast {
    fn new(settings: &Settings) -> Self {
        let users = settings.users;
        let admins = people::administrators(users);
        let first = admins + Dice::new(settings.seed, CAST).below(users.saturating_sub(admins));
        Self { users, first, admins }
    }

    fn victim(&self, number: u32) -> u32 {
        (self.first + number) % self.users
    }

    fn admin(&self, number: u32) -> u32 {
        number % self.admins
    }
}

const CAST: u64 = 1 << 60;
/// Visits of stories are numbered from here on.
const VISITS: u64 = 1 << 59;

/// Writes one script; times count from the story's start.
struct Pen {
    from: From,
    visit: u64,
    events: Vec<Planned>,
}

impl Pen {
    fn new(story: u64, place: usize, agent: usize, host: u8) -> Self {
        let from = From::Away { place, agent, host };
        Self {
            from,
            visit: VISITS + story,
            events: Vec::new(),
        }
    }

    fn event(&self, kind: Kind, user: u32) -> Planned {
        Planned {
            from: self.from,
            unusual: true,
            ..Planned::new(kind, user, self.visit)
        }
    }

    fn add(&mut self, at: i64, event: Planned) {
        self.events.push(Planned { at, ..event });
    }

    fn write(&mut self, at: i64, kind: Kind, user: u32) {
        self.add(at, self.event(kind, user));
    }

    /// The attacker acts as `admin` upon `user`.
    fn act(&mut self, at: i64, kind: Kind, admin: u32, user: u32) {
        self.add(
            at,
            Planned {
                by: By::Other(admin),
                ..self.event(kind, user)
            },
        );
    }

    fn script(self, name: &'static str, summary: &'static str, users: Vec<u32>) -> Script {
        Script {
            name,
            summary,
            users,
            events: self.events,
        }
    }
}

fn mfa_fatigue(cast: &Cast) -> Script {
    let victim = cast.victim(0);
    let mut pen = Pen::new(1, TRANSIT, HEADLESS, 17);
    for push in 0..9 {
        let at = push * 10 * SECOND;
        pen.write(at, Kind::SignOnChallenged, victim);
        pen.add(
            at + SECOND,
            Planned {
                by: By::System,
                from: From::Inside,
                ..pen.event(Kind::PushSent, victim)
            },
        );
        pen.write(
            at + 6 * SECOND,
            if push % 2 == 0 {
                Kind::MfaRejected
            } else {
                Kind::PushDenied
            },
            victim,
        );
    }
    let in_at = 2 * MINUTE;
    pen.write(in_at, Kind::MfaPassed, victim);
    pen.write(in_at + 400, Kind::SignOnAllowed, victim);
    pen.write(in_at + 500, Kind::SessionStart, victim);
    pen.write(in_at + 2 * MINUTE, Kind::FactorActivated, victim);
    pen.write(in_at + 3 * MINUTE, Kind::Sso, victim);
    pen.add(
        in_at + 2 * MINUTE + SECOND,
        Planned {
            by: By::System,
            from: From::Inside,
            ..pen.event(Kind::NewDeviceMail, victim)
        },
    );
    pen.add(
        in_at + 38 * MINUTE,
        Planned {
            from: From::Home,
            visit: 0,
            unusual: false,
            ..pen.event(Kind::SuspiciousReport, victim)
        },
    );
    pen.script(
        "mfa-fatigue",
        "Push after push until the user gives in; then the attacker enrols a factor, and the user reports it",
        vec![victim],
    )
}

fn password_spray(cast: &Cast) -> Script {
    let mut pen = Pen::new(2, FAR_HOSTING, PROGRAM, 66);
    let tried = cast.users.min(24);
    for (step, number) in (0..).zip(10..10 + tried) {
        let failure = Planned {
            visit: 0,
            ..pen.event(Kind::SessionStartFailed, cast.victim(number))
        };
        pen.add(step * 11 * SECOND, failure);
    }
    let caught = Planned {
        by: By::Address,
        visit: 0,
        ..pen.event(Kind::ThreatDetected, cast.victim(10))
    };
    pen.add(3 * MINUTE, caught);
    let victim = cast.victim(10 + tried / 2);
    pen.write(9 * MINUTE, Kind::SignOnAllowed, victim);
    pen.write(9 * MINUTE + 200, Kind::SessionStart, victim);
    pen.script(
        "password-spray",
        "One address tries one password on many users, and gets in as one of them",
        vec![victim],
    )
}

fn session_hijack(cast: &Cast) -> Script {
    let admin = cast.admin(0);
    let mut pen = Pen::new(3, HOSTING, HEADLESS, 41);
    let own = Planned {
        from: From::Home,
        unusual: false,
        ..pen.event(Kind::SessionStart, admin)
    };
    pen.add(0, own);
    pen.add(
        MINUTE,
        Planned {
            kind: Kind::AdminApp,
            app: CONSOLE,
            ..own
        },
    );
    pen.write(19 * MINUTE, Kind::AdminApp, admin);
    pen.write(21 * MINUTE, Kind::TokenCreated, admin);
    pen.write(24 * MINUTE, Kind::PolicyRuleDeactivated, admin);
    pen.script(
        "session-hijack",
        "An administrator's session goes on from another machine, which makes an API token of its own",
        vec![admin],
    )
}

fn help_desk_fraud(cast: &Cast) -> Script {
    let (admin, victim) = (cast.admin(1), cast.victim(1));
    let mut pen = Pen::new(4, HOSTING, HEADLESS, 93);
    let reset = Planned {
        by: By::Other(admin),
        from: From::Home,
        unusual: false,
        visit: 0,
        ..pen.event(Kind::FactorsReset, victim)
    };
    pen.add(0, reset);
    pen.add(
        MINUTE,
        Planned {
            kind: Kind::PasswordReset,
            ..reset
        },
    );
    for (step, kind) in (0..).zip([
        Kind::SignOnAllowed,
        Kind::SessionStart,
        Kind::FactorActivated,
        Kind::Sso,
    ]) {
        let event = Planned {
            hidden: true,
            ..pen.event(kind, victim)
        };
        pen.add(6 * MINUTE + step * 40 * SECOND, event);
    }
    pen.script(
        "help-desk-fraud",
        "The help desk resets a user's factors for a caller, who signs in through a privacy service",
        vec![victim, admin],
    )
}

fn impossible_travel(cast: &Cast) -> Script {
    let victim = cast.victim(2);
    let mut pen = Pen::new(5, FAR_HOSTING, HEADLESS, 120);
    let home = Planned {
        from: From::Home,
        unusual: false,
        visit: VISITS + 50,
        ..pen.event(Kind::SessionStart, victim)
    };
    pen.add(0, home);
    pen.add(
        4 * MINUTE,
        Planned {
            kind: Kind::Sso,
            ..home
        },
    );
    pen.write(35 * MINUTE, Kind::SignOnAllowed, victim);
    pen.write(35 * MINUTE + 300, Kind::SessionStart, victim);
    pen.write(37 * MINUTE, Kind::Sso, victim);
    pen.script(
        "impossible-travel",
        "A user signs in at home, and half an hour later on another continent",
        vec![victim],
    )
}

fn admin_takeover(cast: &Cast) -> Script {
    let admin = cast.admin(1);
    let puppet = cast.users;
    let mut pen = Pen::new(6, TRANSIT, HEADLESS, 18);
    pen.write(0, Kind::SignOnAllowed, admin);
    pen.write(300, Kind::SessionStart, admin);
    pen.write(MINUTE, Kind::AdminApp, admin);
    pen.act(3 * MINUTE, Kind::UserCreated, admin, puppet);
    pen.act(3 * MINUTE + SECOND, Kind::UserActivated, admin, puppet);
    pen.act(5 * MINUTE, Kind::PrivilegeGranted, admin, puppet);
    pen.write(8 * MINUTE, Kind::ZoneUpdated, admin);
    pen.write(11 * MINUTE, Kind::ProviderCreated, admin);
    pen.write(14 * MINUTE, Kind::LogStreamDeactivated, admin);
    pen.script(
        "admin-takeover",
        "A hijacked administrator makes a super administrator of a new user, then blinds the defenders",
        vec![admin, puppet],
    )
}
