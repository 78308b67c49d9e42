//! E-mail by SMTP, always encrypted but to a network that the environment allows by name. A message that comes twice has the
//! same Message-ID, by which mail programs show one.

use std::time::Duration;

use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::channels::clip;
use crate::channels::guard::Reach;
use crate::model::notification::Alert;
use crate::ports::{Error, Kind, Result};

const TIMEOUT: Duration = Duration::from_secs(15);
/// Where the connection is encrypted from its first byte; elsewhere encryption is asked for.
const ENCRYPTED_PORT: u16 = 465;
const SUBJECT: usize = 200;

/// Where mail goes.
pub struct Mail<'a> {
    pub to: &'a str,
    pub from: &'a str,
    /// `host:port`.
    pub server: &'a str,
    /// `user:password`.
    pub credentials: Option<&'a str>,
}

impl Mail<'_> {
    pub async fn send(&self, alert: &Alert, route: &str, reach: &Reach) -> Result<()> {
        let op = || format!("tell the route `{route}` at {}", self.server);
        let denied = |why: Box<dyn std::error::Error + Send + Sync>| Error::caused(Kind::Denied, op(), why);
        let message = self.message(alert).map_err(denied)?;
        let (host, port) = self
            .server
            .rsplit_once(':')
            .ok_or_else(|| denied("its server is no host:port".into()))?;
        let port: u16 = port
            .parse()
            .map_err(|_| denied("its server's port is no number".into()))?;
        let addresses = reach.resolve(host, port).await.map_err(|why| {
            let is_private = why.is::<crate::channels::guard::Private>();
            Error::caused(if is_private { Kind::Denied } else { Kind::Unavailable }, op(), why)
        })?;
        let mut last = Error::new(Kind::Unavailable, op());
        for address in addresses {
            let transport = self.transport(host, address, reach).map_err(denied)?;
            match transport.send(message.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) => {
                    let kind = match error.status().map(|code| code.to_string()) {
                        Some(code) if code.starts_with("53") => Kind::Denied,
                        Some(code) if code.starts_with('5') => Kind::Invalid,
                        _ => Kind::Unavailable,
                    };
                    last = Error::caused(kind, op(), error);
                    // Whoever answered would answer the same elsewhere.
                    if kind != Kind::Unavailable {
                        break;
                    }
                }
            }
        }
        Err(last)
    }

    fn transport(
        &self,
        host: &str,
        address: std::net::SocketAddr,
        reach: &Reach,
    ) -> std::result::Result<AsyncSmtpTransport<Tokio1Executor>, Box<dyn std::error::Error + Send + Sync>> {
        let tls = TlsParameters::new(host.to_owned())?;
        let tls = match address.port() {
            ENCRYPTED_PORT => Tls::Wrapper(tls),
            _ if reach.allows(address.ip()) => Tls::Opportunistic(tls),
            _ => Tls::Required(tls),
        };
        // The name is that of the certificate; the address is the one that was looked at.
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
            .port(address.port())
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((user, password)) = self.credentials.and_then(|text| text.split_once(':')) {
            builder = builder.credentials(Credentials::new(user.to_owned(), password.to_owned()));
        }
        Ok(builder.build())
    }

    fn message(&self, alert: &Alert) -> std::result::Result<Message, Box<dyn std::error::Error + Send + Sync>> {
        let named =
            |what: &str, text: &str, error: AddressError| format!("{what} `{text}` is no e-mail address: {error}");
        let from: Mailbox = self.from.parse().map_err(|error| named("`from`", self.from, error))?;
        let to: Mailbox = self.to.parse().map_err(|error| named("`endpoint`", self.to, error))?;
        let domain = from.email.domain().to_owned();
        let message = Message::builder()
            .message_id(Some(format!("<oort-{}@{domain}>", alert.key)))
            .from(from)
            .to(to)
            .subject(clip(&alert.headline(), SUBJECT))
            .header(ContentType::TEXT_PLAIN)
            .body(alert.text())?;
        Ok(message)
    }
}
