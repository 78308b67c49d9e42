//! The web pages and the JSON API: what is known of every tenant, and the few things that a reader may do.
//!
//! Lives here: routes, who may reach them, pages and what they are made of. Must not live here: any adapter (the command line
//! hands them in), and any decision about events, findings or stacks.

mod activity;
mod assets;
mod cached;
mod chance;
pub mod desk;
mod export;
mod findings;
mod guard;
mod index;
mod integration;
mod job;
mod judgements;
pub mod openapi;
mod overview;
mod people;
mod problem;
mod refreshes;
pub mod route;
pub mod rulebook;
mod rules;
mod runs;
mod session;
mod sign_in;
mod timeline;
mod view;
mod visit;
pub mod visitor;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use crate::console::desk::Desk;
use crate::console::guard::Pace;
use crate::console::session::Sessions;
use crate::console::visitor::{Grants, Role, Visitor};
use crate::ports::{Clock, Result};

pub use sign_in::{Provider, ProviderSettings};

/// Who may come in.
pub enum Access {
    /// Whoever reaches the address, which is this machine's own.
    ThisMachine,
    /// Whoever this provider signs in, with the roles of a claim.
    SignIn(Box<Provider>),
}

/// How the console is reached.
pub struct Settings {
    pub environment: String,
    /// As readers write it, as in `https://console.example.com`.
    pub public_url: String,
    /// Networks of the proxies that requests come through; none where there is no proxy.
    pub proxies: Vec<IpNet>,
    pub session_lasts: SignedDuration,
}

/// The console of one environment.
pub struct Console {
    environment: String,
    /// Host and port of the public address.
    host: String,
    /// Whether readers come over TLS.
    is_secure: bool,
    proxies: Vec<IpNet>,
    access: Access,
    sessions: Sessions,
    /// The token of forms where nobody signs in.
    csrf: String,
    desks: BTreeMap<String, Arc<Desk>>,
    /// Tenants by integration ID.
    integrations: HashMap<String, String>,
    clock: Arc<dyn Clock>,
    pace: Pace,
}

impl Console {
    pub fn new(
        settings: Settings,
        access: Access,
        desks: impl IntoIterator<Item = Desk>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let (scheme, host) = settings
            .public_url
            .split_once("://")
            .unwrap_or(("http", &settings.public_url));
        let desks: BTreeMap<String, Arc<Desk>> = desks
            .into_iter()
            .map(|desk| (desk.tenant.to_string(), Arc::new(desk)))
            .collect();
        let integrations = desks
            .values()
            .map(|desk| (desk.integration.id.clone(), desk.tenant.to_string()))
            .collect();
        Ok(Self {
            environment: settings.environment,
            host: host.trim_end_matches('/').to_ascii_lowercase(),
            proxies: settings.proxies,
            access,
            is_secure: scheme == "https",
            sessions: Sessions::new(scheme == "https", settings.session_lasts)?,
            csrf: chance::token()?,
            desks,
            integrations,
            clock,
            pace: Pace::default(),
        })
    }

    /// Every route, each behind the one door.
    pub fn router(self: Arc<Self>) -> Router {
        let through = |route: &'static route::Route| {
            let console = Arc::clone(&self);
            move |request: Request| guard::answer(console, route, request)
        };
        let router = route::ROUTES.iter().fold(Router::new(), |router, route| {
            let filter = if route.method == Method::POST {
                MethodFilter::POST
            } else {
                MethodFilter::GET
            };
            router.route(route.path, on(filter, through(route)))
        });
        // It speaks for the routes that are there by now.
        router
            .method_not_allowed_fallback(through(&route::OTHERWISE))
            .fallback(through(&route::NOWHERE))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether a host, with its port where it has one, is this console's.
    fn is_ours(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        if host == self.host {
            return true;
        }
        // This machine has several names, which nobody else can have.
        let (own, port) = split_port(&self.host);
        let (asked, asked_port) = split_port(&host);
        port == asked_port && is_this_machine(own) && is_this_machine(asked)
    }

    /// Who a request is from, if anybody knows.
    fn visitor(&self, cookies: &str) -> Option<Visitor> {
        match &self.access {
            Access::ThisMachine => Some(Visitor {
                name: "this machine".to_owned(),
                grants: Grants::everywhere(Role::Admin),
                csrf: self.csrf.clone(),
                is_signed_in: false,
            }),
            Access::SignIn(_) => self.sessions.visitor(cookies, self.now()),
        }
    }

    /// The tenant that an address names.
    fn desk_of(&self, params: &HashMap<String, String>) -> Option<Arc<Desk>> {
        let tenant = match (params.get("tenant"), params.get("integration")) {
            (Some(tenant), _) => tenant,
            (None, Some(integration)) => self.integrations.get(integration)?,
            (None, None) => return None,
        };
        self.desks.get(tenant).cloned()
    }

    /// The tenants that somebody may see.
    fn seen_by<'a>(&'a self, visitor: &'a Visitor) -> impl Iterator<Item = &'a Arc<Desk>> {
        let desks = self.desks.values();
        desks.filter(|desk| visitor.grants.on(desk.tenant.as_str()).is_some())
    }
}

impl Visitor {
    /// Nobody whom we know.
    fn nobody() -> Self {
        Self {
            name: String::new(),
            grants: Grants::default(),
            csrf: String::new(),
            is_signed_in: false,
        }
    }
}

fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port),
        _ => (host, ""),
    }
}

fn is_this_machine(name: &str) -> bool {
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}
