//! A planned event written out as Okta writes a `LogEvent`, its deviations from the published schema included.

use std::borrow::Cow;

use super::debug::debug_data;
use super::dice::Dice;
use super::kind::{Facts, Kind};
use super::people::{AGENTS, APPS, Agent, GROUPS, PLACES, PROGRAM, Person, Place, SERVICES};
use super::plan::{By, From, Planned};
use super::wire::{
    Authentication, Change, Changes, Client, DebugContext, Device, Geography, Hop, LogEvent, Loose, Outcome, Pairs,
    Party, Point, Request, Security, Targets, Transaction, UserAgent,
};

/// Keys of an event's own choices, apart from those of its uuid.
const CHOICES: u64 = 1 << 58;
const SESSION: u64 = 1 << 57;

/// The uuid of the event with this number.
pub fn uuid(seed: u64, number: u64) -> String {
    Dice::new(seed, number).uuid()
}

/// Where a request came from, looked up.
struct Origin<'a> {
    place: &'static Place,
    agent: &'static Agent,
    ip: Cow<'a, str>,
}

/// One event as a line of compact JSON.
pub fn write(seed: u64, event: &Planned) -> serde_json::Result<String> {
    let mut dice = Dice::new(seed, event.number | CHOICES);
    let facts = event.kind.facts();
    let user = Person::new(seed, event.user);
    let other = match event.by {
        By::Other(number) => Some(Person::new(seed, number)),
        _ => None,
    };
    let origin = origin(event, other.as_ref().unwrap_or(&user));
    let at_work = event.by == By::User && event.from == From::Home;
    let session = match event.visit {
        0 => Cow::Borrowed("unknown"),
        visit => Cow::Owned(Dice::new(seed, visit | SESSION).id("102", 22)),
    };
    let log_event = LogEvent {
        actor: actor(event, other.as_ref().unwrap_or(&user), origin.as_ref()),
        client: client(event, origin.as_ref(), &mut dice),
        device: (at_work && dice.once_in(4)).then(|| device(&user, origin.as_ref())),
        authentication_context: authentication(event.kind, session, &mut dice),
        display_message: facts.message,
        event_type: facts.event_type,
        outcome: Outcome {
            result: facts.result,
            reason: facts.reason,
        },
        published: format!("{:.3}", super::moment(event.at)),
        security_context: security(event, origin.as_ref()),
        severity: facts.severity,
        legacy_event_type: facts.legacy,
        transaction: Transaction {
            kind: if origin.is_some() { "WEB" } else { "JOB" },
            id: dice.hex("", 32),
            detail: Pairs(Vec::new()),
        },
        uuid: uuid(seed, event.number),
        version: if dice.once_in(20) {
            Loose::Whole(0)
        } else {
            Loose::Text("0")
        },
        request: Request {
            ip_chain: origin.iter().map(|origin| hop(origin, &mut dice)).collect(),
        },
        target: targets(event, &facts, &user, &mut dice),
        debug_context: DebugContext {
            debug_data: debug_data(event, &facts, &user, &mut dice),
        },
    };
    serde_json::to_string(&log_event)
}

fn origin<'a>(event: &Planned, who: &'a Person) -> Option<Origin<'a>> {
    match (event.from, event.by) {
        (From::Inside, _) => None,
        (From::Home, By::Service(service)) => Some(Origin {
            place: &PLACES[0],
            agent: &AGENTS[PROGRAM],
            ip: Cow::Owned(format!("192.0.2.{}", 10 + service)),
        }),
        (From::Home, _) => Some(Origin {
            place: &PLACES[who.home],
            agent: &AGENTS[who.agent],
            ip: Cow::Borrowed(&who.ip),
        }),
        (From::Away { place, agent, host }, _) => Some(Origin {
            place: &PLACES[place],
            agent: &AGENTS[agent],
            ip: Cow::Owned(format!("203.0.113.{host}")),
        }),
    }
}

fn actor<'a>(event: &Planned, who: &'a Person, origin: Option<&Origin<'a>>) -> Party<'a> {
    match event.by {
        By::User | By::Other(_) => person(who),
        By::System => party(
            "okta.2b1959c8-bcc0-56eb-a589-cfcfb7422f26",
            "SystemPrincipal",
            "system@okta.com",
            "Okta System",
        ),
        By::Service(service) => {
            let app = &SERVICES[service];
            party(app.id, "PublicClientApp", "unknown", app.name)
        }
        By::Address => {
            let ip = origin.map_or(Cow::Borrowed("unknown"), |origin| origin.ip.clone());
            Party {
                id: ip.clone(),
                display_name: ip,
                ..party("", "IpAddress", "unknown", "")
            }
        }
    }
}

fn person(who: &Person) -> Party<'_> {
    party(&who.id, "User", &who.login, &who.name)
}

fn party<'a>(id: &'a str, kind: &'a str, alternate_id: &'a str, display_name: &'a str) -> Party<'a> {
    Party {
        id: Cow::Borrowed(id),
        kind,
        alternate_id: Cow::Borrowed(alternate_id),
        display_name: Cow::Borrowed(display_name),
        detail_entry: None,
        change_details: None,
    }
}

fn client<'a>(event: &Planned, origin: Option<&'a Origin<'a>>, dice: &mut Dice) -> Client<'a> {
    let Some(origin) = origin else {
        return Client {
            user_agent: None,
            zone: None,
            device: None,
            id: None,
            ip_address: None,
            geographical_context: None,
        };
    };
    Client {
        user_agent: Some(UserAgent {
            raw_user_agent: origin.agent.raw,
            os: origin.agent.os,
            browser: origin.agent.browser,
        }),
        zone: Some(if event.from == From::Home && dice.once_in(6) {
            "Offices"
        } else {
            "null"
        }),
        device: Some(origin.agent.device),
        id: match event.by {
            By::Service(service) => Some(SERVICES[service].id),
            _ => None,
        },
        ip_address: Some(&origin.ip),
        geographical_context: Some(geography(origin.place, dice)),
    }
}

fn geography<'a>(place: &'static Place, dice: &mut Dice) -> Geography<'a> {
    let whole = dice.once_in(10);
    Geography {
        city: place.city,
        state: (!place.state.is_empty()).then_some(place.state),
        country: place.country,
        postal_code: match (dice.below(6), place.postal.parse()) {
            (0, _) => Loose::Nothing,
            (1, Ok(number)) => Loose::Whole(number),
            _ => Loose::Text(place.postal),
        },
        geolocation: Point {
            lat: degrees(place.latitude, whole),
            lon: degrees(place.longitude, whole),
        },
    }
}

#[expect(clippy::cast_possible_truncation, reason = "degrees are small")]
fn degrees<'a>(value: f64, whole: bool) -> Loose<'a> {
    if whole {
        Loose::Whole(value.round() as i64)
    } else {
        Loose::Broken(value)
    }
}

fn device<'a>(user: &'a Person, origin: Option<&Origin<'_>>) -> Device<'a> {
    Device {
        id: &user.device_id,
        name: origin.map_or("unknown", |origin| origin.agent.device),
        os_platform: origin.map_or("UNKNOWN", |origin| origin.agent.os),
        managed: !user.agent.is_multiple_of(3),
        registered: true,
        device_integrator: None,
    }
}

fn authentication<'a>(kind: Kind, session: Cow<'a, str>, dice: &mut Dice) -> Authentication<'a> {
    let (provider, credential) = match kind {
        Kind::MfaPassed | Kind::MfaRejected | Kind::PushDenied => (Some("FACTOR_PROVIDER"), Some("OTP")),
        Kind::SessionStart | Kind::SessionStartFailed => (Some("OKTA_AUTHENTICATION_PROVIDER"), Some("PASSWORD")),
        _ => (None, None),
    };
    Authentication {
        authentication_provider: provider,
        credential_provider: provider.map(|_| "OKTA_CREDENTIAL_PROVIDER"),
        credential_type: credential.filter(|_| !dice.once_in(5)),
        issuer: None,
        interface: None,
        authentication_step: 0,
        root_session_id: None,
        external_session_id: session,
    }
}

fn security<'a>(event: &Planned, origin: Option<&Origin<'_>>) -> Security<'a> {
    let place = origin.map(|origin| origin.place);
    Security {
        as_number: place.map(|place| place.as_number),
        as_org: place.map(|place| place.provider),
        isp: place.map(|place| place.provider),
        domain: place.map(|place| place.domain),
        is_proxy: place.map(|_| event.hidden),
    }
}

fn hop<'a>(origin: &'a Origin<'a>, dice: &mut Dice) -> Hop<'a> {
    Hop {
        ip: &origin.ip,
        geographical_context: Some(geography(origin.place, dice)),
        version: if origin.ip.contains(':') { "V6" } else { "V4" },
        source: None,
    }
}

fn targets<'a>(event: &Planned, facts: &Facts, user: &'a Person, dice: &mut Dice) -> Targets<'a> {
    let app = &APPS[event.app];
    let instance = || party(app.id, "AppInstance", app.name, app.name);
    let account = |dice: &mut Dice| Party {
        id: Cow::Owned(dice.id("0ua", 17)),
        ..party("", "AppUser", &user.login, &user.name)
    };
    let named = |dice: &mut Dice, kind, name| Party {
        id: Cow::Owned(dice.id("", 20)),
        ..party("", kind, "unknown", name)
    };
    let targets = match event.kind {
        Kind::SessionStart | Kind::SessionStartFailed | Kind::SessionEnd => match dice.below(4) {
            0 => return Targets::Null,
            1 => return Targets::Absent,
            _ => Vec::new(),
        },
        Kind::SignOnAllowed | Kind::SignOnChallenged => {
            let rule = Party {
                detail_entry: Some(Pairs(vec![("policyType", "OktaSignOn")])),
                ..named(dice, "PolicyEntity", "Default sign-on policy")
            };
            vec![rule, named(dice, "PolicyRule", "Catch-all Rule"), instance()]
        }
        Kind::Sso | Kind::AppAssigned | Kind::ProfilePushed => vec![instance(), account(dice), person(user)],
        Kind::AdminApp | Kind::AppUpdated => vec![instance()],
        Kind::AuthorizeCode => vec![named(dice, "code", "Authorization Code"), instance()],
        Kind::AccessToken | Kind::ServiceToken => vec![named(dice, "access_token", "Access Token")],
        Kind::IdToken => vec![named(dice, "id_token", "ID Token"), person(user)],
        Kind::GroupAdd | Kind::GroupRemove => vec![person(user), named(dice, "UserGroup", group(event.number))],
        Kind::TokenCreated => vec![named(dice, "Token", "backup-reporting")],
        Kind::PolicyRuleDeactivated => vec![named(dice, "PolicyRule", "Second factor outside of offices")],
        Kind::PrivilegeGranted => vec![person(user), named(dice, "ROLE", "Super Administrator")],
        Kind::ProviderCreated => vec![named(dice, "AppInstance", "Partner federation")],
        Kind::ZoneUpdated => vec![Party {
            change_details: Some(zone_change()),
            ..named(dice, "NetworkZone", "Offices")
        }],
        Kind::LogStreamDeactivated => vec![named(dice, "LogStream", "EventBridge")],
        Kind::ProfileUpdated => vec![Party {
            change_details: Some(profile_change(dice)),
            ..person(user)
        }],
        Kind::FactorActivated => vec![person(user), named(dice, "AuthenticatorEnrollment", "Okta Verify")],
        _ if facts.result == "DENY" => Vec::new(),
        _ => vec![person(user)],
    };
    Targets::List(targets)
}

fn group(number: u64) -> &'static str {
    GROUPS[usize::try_from(number % 6).unwrap_or(0)]
}

fn zone_change<'a>() -> Changes<'a> {
    Changes {
        from: Change::Object(Pairs(vec![("gateways", "192.0.2.0/24")])),
        to: Change::Object(Pairs(vec![("gateways", "192.0.2.0/24, 203.0.113.18/32")])),
    }
}

fn profile_change<'a>(dice: &mut Dice) -> Changes<'a> {
    if dice.once_in(2) {
        return Changes {
            from: Change::Text("department: Vertrieb"),
            to: Change::Text("department: Vertrieb & Märkte"),
        };
    }
    Changes {
        from: Change::Object(Pairs(vec![("title", "Engineer"), ("costCenter", "1100")])),
        to: Change::Object(Pairs(vec![("title", "Senior Engineer"), ("costCenter", "1100")])),
    }
}
