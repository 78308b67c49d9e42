//! `oort console`: the web pages of an environment.

mod outlook;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use clap::Args;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use jiff::SignedDuration;
use secrecy::SecretString;

use crate::cli::console::outlook::desks;
use crate::cli::context::Loaded;
use crate::cli::target::WallClock;
use crate::cli::task::{DetectionArgs, EnvironmentArgs};
use crate::cli::{Exit, Failure, Global, Outcome, output, stop};
use crate::console::{Access, Console, Provider, ProviderSettings, Settings};

/// Answers that are under way get so long when the console ends.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
const HEADERS_COME_WITHIN: Duration = Duration::from_secs(20);

/// Show an environment's tenants, findings and users' activity in a browser.
///
/// Without further settings it is there for this machine alone. Elsewhere it wants TLS, or a proxy that has it, and an OpenID
/// provider at which readers sign in.
#[derive(Debug, Args)]
pub struct ConsoleVerb {
    #[command(flatten)]
    environment: EnvironmentArgs,
    #[command(flatten)]
    detections: DetectionArgs,
    /// Where to listen.
    #[arg(long, env = "OORT_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8477")]
    listen: SocketAddr,
    /// The address that readers use, as in <https://console.example.com>; by default that where it listens.
    #[arg(long, env = "OORT_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// The certificate chain, as PEM.
    #[arg(long, env = "OORT_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its private key, as PEM.
    #[arg(long, env = "OORT_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Networks of the proxies that have TLS and set X-Forwarded-Proto; whoever else comes is refused.
    #[arg(long, env = "OORT_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',')]
    trusted_proxy: Vec<IpNet>,
    #[command(flatten)]
    provider: ProviderArgs,
    /// How long a sign-in holds.
    #[arg(long, env = "OORT_SESSION_MINUTES", value_name = "MINUTES", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=1_440))]
    session_minutes: u32,
}

/// Where readers sign in.
#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "they are the names of arguments")]
#[command(next_help_heading = "OpenID Connect")]
struct ProviderArgs {
    /// The provider's issuer, as in <https://acme.okta.com>.
    #[arg(long, env = "OORT_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    oidc_issuer: Option<String>,
    /// The ID of the application that the console is there.
    #[arg(long, env = "OORT_OIDC_CLIENT_ID", value_name = "ID")]
    oidc_client_id: Option<String>,
    /// The application's secret, where it has one. Set the variable rather than the argument, which others can see.
    #[arg(long, env = "OORT_OIDC_CLIENT_SECRET", hide_env_values = true, value_name = "SECRET")]
    oidc_client_secret: Option<SecretString>,
    /// The claim of the ID token that holds roles, such as oort:acme:analyst, or oort:*:admin for every tenant.
    #[arg(long, env = "OORT_OIDC_CLAIM", value_name = "CLAIM", default_value = "groups")]
    oidc_claim: String,
    /// What a value of that claim begins with that grants a role.
    #[arg(long, env = "OORT_OIDC_PREFIX", value_name = "TEXT", default_value = "oort:")]
    oidc_prefix: String,
    /// What is asked for besides `openid`.
    #[arg(
        long,
        env = "OORT_OIDC_SCOPES",
        value_name = "SCOPES",
        value_delimiter = ',',
        default_value = "profile,email,groups"
    )]
    oidc_scopes: Vec<String>,
}

impl ConsoleVerb {
    pub async fn run(self, global: &Global) -> Outcome {
        let public_url = self.public_url();
        let access = self.access(&public_url)?;
        let loaded = Loaded::read(global, &self.environment.environment, None)?;
        let desks = Box::pin(desks(global, loaded, &self.detections)).await?;
        let count = desks.len();
        let settings = Settings {
            environment: self.environment.environment.clone(),
            public_url: public_url.clone(),
            proxies: self.trusted_proxy.clone(),
            session_lasts: SignedDuration::from_mins(i64::from(self.session_minutes)),
        };
        let console = Arc::new(Console::new(settings, access, desks, Arc::new(WallClock))?);
        let service = console.router().into_make_service_with_connect_info::<SocketAddr>();

        let listener = std::net::TcpListener::bind(self.listen).map_err(|error| {
            Failure::unavailable(error).hint(format!(
                "{} must be free; name another address with --listen",
                self.listen
            ))
        })?;
        listener.set_nonblocking(true).map_err(Failure::unavailable)?;
        let handle = Handle::new();
        let (ending, signals) = (handle.clone(), stop::on_signals()?);
        tokio::spawn(async move {
            signals.asked().await;
            ending.graceful_shutdown(Some(LAST_ANSWERS));
        });
        output::line(format!(
            "the console of {} ({count} tenants) is at {public_url}; Ctrl-C stops it",
            self.environment.environment
        ));
        let served = if let Some(tls) = self.tls().await? {
            let mut server = axum_server::from_tcp_rustls(listener, tls).map_err(Failure::unavailable)?;
            patient(server.http_builder());
            server.handle(handle).serve(service).await
        } else {
            let mut server = axum_server::from_tcp(listener).map_err(Failure::unavailable)?;
            patient(server.http_builder());
            server.handle(handle).serve(service).await
        };
        served.map_err(Failure::unavailable)?;
        Ok(Exit::Done)
    }

    fn public_url(&self) -> String {
        let scheme = if self.tls_certificate.is_some() {
            "https"
        } else {
            "http"
        };
        let usual = || format!("{scheme}://{}", self.listen);
        self.public_url
            .clone()
            .unwrap_or_else(usual)
            .trim_end_matches('/')
            .to_owned()
    }

    /// Who may come in. Beyond this machine nobody does without TLS and without signing in.
    fn access(&self, public_url: &str) -> Result<Access, Failure> {
        let is_here = self.listen.ip().is_loopback();
        let has_tls = self.tls_certificate.is_some() || !self.trusted_proxy.is_empty();
        let provider = self.provider.settings(public_url);
        if !is_here && !has_tls {
            return Err(Failure::refused(format!("{} is open to others, and there is no TLS", self.listen)).hint(
                "name a certificate with --tls-certificate and --tls-key, or the proxy that has TLS with --trusted-proxy",
            ));
        }
        if (!is_here || !self.trusted_proxy.is_empty()) && provider.is_none() {
            return Err(
                Failure::refused("others could come in, and nobody would have to sign in")
                    .hint("name an OpenID provider with --oidc-issuer and --oidc-client-id"),
            );
        }
        if has_tls && !public_url.starts_with("https://") {
            return Err(
                Failure::input(format!("{public_url} is where nobody finds it: readers come over TLS"))
                    .hint("name the address that they use with --public-url, beginning with https://"),
            );
        }
        let Some(settings) = provider else {
            if is_on_this_machine(public_url) {
                return Ok(Access::ThisMachine);
            }
            return Err(
                Failure::refused(format!("readers of {public_url} would not have to sign in"))
                    .hint("name an OpenID provider with --oidc-issuer and --oidc-client-id"),
            );
        };
        let is_safe = |url: &str| url.starts_with("https://") || is_on_this_machine(url);
        if !is_safe(public_url) {
            return Err(
                Failure::input(format!("sign-ins would come to {public_url} in the clear"))
                    .hint("name the address that readers use with --public-url, beginning with https://"),
            );
        }
        if !is_safe(&settings.issuer) {
            return Err(
                Failure::input(format!("the provider {} is asked in the clear", settings.issuer))
                    .hint("its address begins with https://"),
            );
        }
        Ok(Access::SignIn(Box::new(Provider::new(settings)?)))
    }

    async fn tls(&self) -> Result<Option<RustlsConfig>, Failure> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else {
            return Ok(None);
        };
        // The one that AWS's own client brings.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = RustlsConfig::from_pem_file(certificate, key).await;
        config.map(Some).map_err(|error| {
            Failure::input(format!(
                "cannot use {} with {}: {error}",
                certificate.display(),
                key.display()
            ))
            .hint("both are PEM files, and belong together")
        })
    }
}

impl ProviderArgs {
    fn settings(&self, public_url: &str) -> Option<ProviderSettings> {
        Some(ProviderSettings {
            issuer: self.oidc_issuer.clone()?,
            client_id: self.oidc_client_id.clone()?,
            client_secret: self.oidc_client_secret.clone(),
            claim: self.oidc_claim.clone(),
            prefix: self.oidc_prefix.clone(),
            scopes: self.oidc_scopes.clone(),
            public_url: public_url.to_owned(),
        })
    }
}

/// Nobody holds a connection for long who does not say what they want.
fn patient(builder: &mut Builder<TokioExecutor>) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_COME_WITHIN);
}

fn is_on_this_machine(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    let host = host.split('/').next().unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|own| host == *own || host.strip_prefix(own).is_some_and(|port| port.starts_with(':')))
}
