//! One HTTP request to a receiver, and what its answer means. Redirects are not followed, proxies are not asked, and no error
//! holds an address's path, which for some receivers is the secret.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, Url};

use crate::channels::answer;
use crate::channels::guard::Reach;
use crate::ports::{Clock, Error, Kind, Result, Undelivered};

const CONNECT: Duration = Duration::from_secs(5);
/// From the first byte of a request to the last of its answer.
const WHOLE: Duration = Duration::from_secs(15);
/// More of an answer is not read.
const MOST_BYTES: usize = 64 * 1024;
/// What is shorter is no secret of its own.
const LEAST_SECRET: usize = 8;

/// What is sent.
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Option<String>,
    /// What no error may hold.
    pub secrets: Vec<String>,
}

impl Request {
    pub fn post(url: impl Into<String>, body: &serde_json::Value) -> Self {
        Self {
            method: Method::POST,
            url: url.into(),
            headers: Vec::new(),
            body: Some(body.to_string()),
            secrets: Vec::new(),
        }
    }

    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            body: None,
            secrets: Vec::new(),
        }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn keeps(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// For an address that is a secret: what no error may hold is each of its parts that could be one.
    pub fn keeps_address(mut self) -> Self {
        let parts = self
            .url
            .split(['/', '?', '&', '='])
            .filter(|part| part.len() >= LEAST_SECRET);
        self.secrets.extend(parts.map(str::to_owned).collect::<Vec<_>>());
        self
    }
}

/// The way out.
#[derive(Clone)]
pub struct Http {
    client: Client,
    reach: Reach,
    clock: Arc<dyn Clock>,
}

impl Http {
    pub fn new(reach: Reach, clock: Arc<dyn Clock>) -> Result<Self> {
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(reach.clone())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .user_agent(concat!("oort-streams/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.map_err(|error| Error::caused(Kind::Invalid, "make ready for HTTP", error))?;
        Ok(Self { client, reach, clock })
    }

    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Sends what wants no answer: that it was taken is enough.
    pub async fn tell(&self, route: &str, request: Request) -> std::result::Result<(), Undelivered> {
        self.send(route, &request).await.map(drop)
    }

    /// Sends a question; returns the answer's text.
    pub async fn ask(&self, route: &str, request: Request) -> std::result::Result<String, Undelivered> {
        let response = self.send(route, &request).await?;
        let op = format!("read the answer to the route `{route}`");
        let text = body(response)
            .await
            .map_err(|error| Error::caused(Kind::Unavailable, op, error))?;
        Ok(text)
    }

    async fn send(&self, route: &str, request: &Request) -> std::result::Result<Response, Undelivered> {
        let op = |host: &str| format!("tell the route `{route}` at {host}");
        let url = Url::parse(&request.url).map_err(|error| Error::caused(Kind::Denied, op("its address"), error))?;
        let host = url.host_str().unwrap_or("nowhere").to_owned();
        self.check(&url, &host)
            .map_err(|why| Error::caused(Kind::Denied, op(&host), why))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let value = value.parse();
            let value =
                value.map_err(|_| Error::caused(Kind::Denied, op(&host), "its secret cannot stand in a header"))?;
            headers.insert(*name, value);
        }
        let mut asked = self.client.request(request.method.clone(), url).headers(headers);
        if let Some(body) = &request.body {
            asked = asked.header("content-type", "application/json").body(body.clone());
        }
        let response = asked.send().await.map_err(|error| {
            let kind = if is_private(&error) {
                Kind::Denied
            } else {
                Kind::Unavailable
            };
            Error::caused(kind, op(&host), error.without_url())
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = answer::retry_after(response.headers(), self.clock.now());
        let said = if status.is_redirection() {
            "redirects are not followed; name the address itself".to_owned()
        } else {
            answer::said(&body(response).await.unwrap_or_default(), &request.secrets)
        };
        let why = std::io::Error::other(format!(
            "answered {status}{}{said}",
            if said.is_empty() { "" } else { ": " }
        ));
        Err(Undelivered {
            error: Error::caused(answer::kind_of(status), op(&host), why),
            retry_after,
        })
    }

    /// What is not resolved has to be looked at here; and only a network that was allowed by name is spoken to in the clear.
    fn check(&self, url: &Url, host: &str) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        if let Some(address) = literal {
            self.reach.check(host, address)?;
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if literal.is_some_and(|address| self.reach.allows(address)) => Ok(()),
            _ => Err("its address does not begin with https://".into()),
        }
    }
}

/// Whether a request failed because of where it would have gone.
fn is_private(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<crate::channels::guard::Private>() {
            return true;
        }
        cause = error.source();
    }
    false
}

async fn body(mut response: Response) -> std::result::Result<String, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= MOST_BYTES {
            bytes.truncate(MOST_BYTES);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
