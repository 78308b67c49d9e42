//! Every route: its address, what it needs, who answers, and what the API's description says of it. A test walks this table.

use axum::http::{Method, StatusCode};
use futures::future::BoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::console::desk::Integration;
use crate::console::findings::Page as FindingsPage;
use crate::console::job::Job;
use crate::console::people::{Found, Search};
use crate::console::problem::Problem;
use crate::console::rules::{Line as RuleLine, Whole};
use crate::console::runs::Page as RunsPage;
use crate::console::visit::{Outcome, Visit};
use crate::console::visitor::Role;
use crate::console::{
    activity, assets, findings, integration, judgements, openapi, overview, people, refreshes, rules, runs, sign_in,
};
use crate::lake::page::ActivityPage;
use crate::model::activity::ActivityRow;
use crate::model::finding::Finding;
use crate::model::prerequisite;
use crate::runtime::ledger::Gaps;

/// What a reader must be to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Whoever comes; nothing of a tenant is shown.
    Nobody,
    /// Somebody; what is shown is only of tenants that they may see.
    SignedIn,
    /// So much on the tenant that the address names.
    On(Role),
}

/// One address.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub needs: Needs,
    pub handler: fn(Visit) -> BoxFuture<'static, Outcome>,
    /// Of the routes of the API.
    pub api: Option<Operation>,
}

/// What the API's description says.
pub struct Operation {
    pub id: &'static str,
    pub summary: &'static str,
    pub query: &'static [Field],
    pub body: &'static [Field],
    pub answer: fn(&mut SchemaGenerator) -> Schema,
}

/// A value that a caller gives.
pub struct Field {
    pub name: &'static str,
    pub about: &'static str,
    pub kind: FieldKind,
    pub is_required: bool,
}

pub enum FieldKind {
    Text,
    Number { most: usize },
    One(&'static [&'static str]),
    Many(&'static [&'static str]),
}

const fn text(name: &'static str, about: &'static str) -> Field {
    Field {
        name,
        about,
        kind: FieldKind::Text,
        is_required: false,
    }
}

const fn limit(most: usize) -> Field {
    Field {
        name: "limit",
        about: "How many at most.",
        kind: FieldKind::Number { most },
        is_required: false,
    }
}

const AFTER: Field = text("after", "The `next` of the page before.");
const REASON: Field = Field {
    name: "reason",
    about: "Why, in a sentence.",
    kind: FieldKind::Text,
    is_required: true,
};

const fn get(path: &'static str, needs: Needs, handler: fn(Visit) -> BoxFuture<'static, Outcome>) -> Route {
    Route {
        method: Method::GET,
        path,
        needs,
        handler,
        api: None,
    }
}

const fn post(path: &'static str, needs: Needs, handler: fn(Visit) -> BoxFuture<'static, Outcome>) -> Route {
    Route {
        method: Method::POST,
        path,
        needs,
        handler,
        api: None,
    }
}

impl Route {
    const fn told(
        mut self,
        (id, summary): (&'static str, &'static str),
        query: &'static [Field],
        answer: fn(&mut SchemaGenerator) -> Schema,
    ) -> Self {
        self.api = Some(Operation {
            id,
            summary,
            query,
            body: &[],
            answer,
        });
        self
    }

    const fn taking(mut self, body: &'static [Field]) -> Self {
        if let Some(operation) = &mut self.api {
            operation.body = body;
        }
        self
    }
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

use Needs::{Nobody, SignedIn};
const VIEW: Needs = Needs::On(Role::Viewer);
const ACT: Needs = Needs::On(Role::Analyst);

const ACTIVITY: &[Field] = &[
    text("from", "None of what was published before: a time, or a day."),
    text("to", "None of what was published at or after: a time, or a day."),
    text("type", "What the event type begins with."),
    text("outcome", "As in FAILURE."),
    text("ip", "The address of the client."),
    text("application", "The application's name."),
    AFTER,
    limit(1_000),
];
const FINDINGS: &[Field] = &[
    Field {
        name: "status",
        about: "Only those that stand so.",
        kind: FieldKind::Many(&["new", "notified", "muted", "closed"]),
        is_required: false,
    },
    Field {
        name: "minimum_severity",
        about: "Only those that matter so much at least.",
        kind: FieldKind::One(&["informational", "low", "medium", "high", "critical"]),
        is_required: false,
    },
    text("rule", "Only those of a rule, by its ID."),
    text("q", "Words that title, entity, name or ID must hold."),
    AFTER,
    limit(500),
];

/// Every route.
pub static ROUTES: &[Route] = &[
    get("/", SignedIn, overview::page),
    get("/tenants.csv", SignedIn, overview::download),
    get("/tenants.jsonl", SignedIn, overview::download),
    get("/healthz", Nobody, assets::health),
    get("/assets/{file}", Nobody, assets::asset),
    get("/signin", Nobody, sign_in::page),
    get("/signin/go", Nobody, sign_in::go),
    get("/signin/callback", Nobody, sign_in::callback),
    post("/signout", SignedIn, sign_in::out),
    get("/integrations/{integration}", VIEW, integration::page),
    get("/integrations/{integration}/checks", VIEW, integration::checks),
    get("/integrations/{integration}/gaps.csv", VIEW, integration::download),
    get("/integrations/{integration}/gaps.jsonl", VIEW, integration::download),
    get("/tenants/{tenant}/users", VIEW, people::list),
    get("/tenants/{tenant}/users.csv", VIEW, people::download),
    get("/tenants/{tenant}/users.jsonl", VIEW, people::download),
    get("/tenants/{tenant}/users/{user}", VIEW, people::page),
    get("/tenants/{tenant}/users/{user}/account", VIEW, people::account),
    get("/tenants/{tenant}/users/{user}/activity.csv", VIEW, activity::download),
    get(
        "/tenants/{tenant}/users/{user}/activity.jsonl",
        VIEW,
        activity::download,
    ),
    get(
        "/tenants/{tenant}/users/{user}/events/{at}/{uuid}",
        VIEW,
        activity::event_page,
    ),
    post("/tenants/{tenant}/users/{user}/refresh", ACT, refreshes::begin),
    get("/tenants/{tenant}/refreshes/{refresh}", VIEW, refreshes::page),
    get("/tenants/{tenant}/findings", VIEW, findings::list),
    get("/tenants/{tenant}/findings.csv", VIEW, findings::download),
    get("/tenants/{tenant}/findings.jsonl", VIEW, findings::download),
    get("/tenants/{tenant}/findings/{finding}", VIEW, findings::page),
    post("/tenants/{tenant}/findings/{finding}/mute", ACT, judgements::mute),
    post("/tenants/{tenant}/findings/{finding}/close", ACT, judgements::close),
    post("/tenants/{tenant}/findings/{finding}/reopen", ACT, judgements::reopen),
    get("/tenants/{tenant}/rules", VIEW, rules::list),
    get("/tenants/{tenant}/rules.csv", VIEW, rules::download),
    get("/tenants/{tenant}/rules.jsonl", VIEW, rules::download),
    get("/tenants/{tenant}/rules/{rule}", VIEW, rules::page),
    get("/tenants/{tenant}/runs", VIEW, runs::list),
    get("/tenants/{tenant}/runs.csv", VIEW, runs::download),
    get("/tenants/{tenant}/runs.jsonl", VIEW, runs::download),
    get("/api/openapi.json", Nobody, openapi::serve),
    get("/api/v1/tenants", SignedIn, overview::api).told(
        (
            "listTenants",
            "The tenants that you may see, with what needs a look first",
        ),
        &[],
        of::<Vec<overview::Line>>,
    ),
    get(
        "/api/v1/tenants/{tenant}/integration",
        VIEW,
        integration::api_integration,
    )
    .told(
        ("getIntegration", "What the tenant's Okta admin types in"),
        &[],
        of::<Integration>,
    ),
    get("/api/v1/tenants/{tenant}/checks", VIEW, integration::api_checks).told(
        ("listChecks", "Every prerequisite, looked at now"),
        &[],
        of::<Vec<prerequisite::Line>>,
    ),
    get("/api/v1/tenants/{tenant}/gaps", VIEW, integration::api_gaps).told(
        ("listGaps", "What came, hour by hour, and what Okta has of it"),
        &[Field {
            name: "hours",
            about: "How many hours up to now.",
            kind: FieldKind::Number { most: 2_400 },
            is_required: false,
        }],
        of::<Gaps>,
    ),
    get("/api/v1/tenants/{tenant}/users", VIEW, people::api_list).told(
        ("findUsers", "The first fifty users that match, the riskiest first"),
        &[text("q", "Words that name, login, ID or department must hold.")],
        of::<Search>,
    ),
    get("/api/v1/tenants/{tenant}/users/{user}", VIEW, people::api_user).told(
        ("getUser", "A user, by ID or login"),
        &[],
        of::<Found>,
    ),
    get(
        "/api/v1/tenants/{tenant}/users/{user}/activity",
        VIEW,
        activity::api_list,
    )
    .told(
        ("listActivity", "A user's activity, newest first"),
        ACTIVITY,
        of::<ActivityPage>,
    ),
    get(
        "/api/v1/tenants/{tenant}/users/{user}/events/{at}/{uuid}",
        VIEW,
        activity::api_event,
    )
    .told(
        (
            "getEvent",
            "A row with its event as it was received; `at` is in microseconds since 1970",
        ),
        &[],
        of::<ActivityRow>,
    ),
    post("/api/v1/tenants/{tenant}/users/{user}/refresh", ACT, refreshes::begin).told(
        ("refreshUser", "Begin to fetch a user's newest events"),
        &[],
        of::<Job>,
    ),
    get("/api/v1/tenants/{tenant}/refreshes/{refresh}", VIEW, refreshes::api).told(
        ("getRefresh", "How far a refresh is"),
        &[],
        of::<Job>,
    ),
    get("/api/v1/tenants/{tenant}/findings", VIEW, findings::api_list).told(
        ("listFindings", "Findings, newest first"),
        FINDINGS,
        of::<FindingsPage<Finding>>,
    ),
    get(
        "/api/v1/tenants/{tenant}/findings/{finding}",
        VIEW,
        findings::api_finding,
    )
    .told(
        ("getFinding", "A finding with its evidence, by the beginning of its ID"),
        &[],
        of::<Finding>,
    ),
    post(
        "/api/v1/tenants/{tenant}/findings/{finding}/mute",
        ACT,
        judgements::mute,
    )
    .told(
        ("muteFinding", "Tell nobody of it, however it grows"),
        &[],
        of::<Finding>,
    )
    .taking(&[
        REASON,
        Field {
            name: "days",
            about: "For so long; 0 for ever.",
            kind: FieldKind::Number { most: 366 },
            is_required: true,
        },
    ]),
    post(
        "/api/v1/tenants/{tenant}/findings/{finding}/close",
        ACT,
        judgements::close,
    )
    .told(("closeFinding", "Say what it turned out to be"), &[], of::<Finding>)
    .taking(&[
        REASON,
        Field {
            name: "verdict",
            about: "What it turned out to be.",
            kind: FieldKind::One(&["true-positive", "benign", "false-positive"]),
            is_required: true,
        },
    ]),
    post(
        "/api/v1/tenants/{tenant}/findings/{finding}/reopen",
        ACT,
        judgements::reopen,
    )
    .told(("reopenFinding", "Open it again"), &[], of::<Finding>)
    .taking(&[REASON]),
    get("/api/v1/tenants/{tenant}/rules", VIEW, rules::api_list).told(
        (
            "listRules",
            "The rules as the tenant runs them, those that fired most first",
        ),
        &[text("q", "Words that title, ID or tags must hold.")],
        of::<Vec<RuleLine>>,
    ),
    get("/api/v1/tenants/{tenant}/rules/{rule}", VIEW, rules::api_rule).told(
        (
            "getRule",
            "All of a rule: its file, and the events by which it is tested",
        ),
        &[],
        of::<Whole>,
    ),
    get("/api/v1/tenants/{tenant}/runs", VIEW, runs::api_list).told(
        ("listRuns", "Runs of the tenant's tasks, newest first"),
        &[
            Field {
                name: "role",
                about: "Only those of a verb.",
                kind: FieldKind::One(&runs::ROLES),
                is_required: false,
            },
            AFTER,
            limit(1_000),
        ],
        of::<RunsPage>,
    ),
];

/// Answers whatever is no route. It goes through the same door.
pub static NOWHERE: Route = get("", Nobody, nowhere);

fn nowhere(_: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async { Err(Problem::not_found("page").to_do("Begin with the overview.")) })
}

/// Answers a method that a route does not have.
pub static OTHERWISE: Route = get("", Nobody, otherwise);

fn otherwise(_: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async {
        Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "This page is not asked so.",
        ))
    })
}
