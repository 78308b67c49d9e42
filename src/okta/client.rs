//! The adapter: each request signed in, paced, bounded in time and size, and repeated while that may help.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::model::okta::{LogStream, SignIn};
use crate::okta::answer;
use crate::okta::pace::{Share, Window};
use crate::okta::sign_in::Keeper;
use crate::okta::target::{self, Target};
use crate::ports::jitter::jittered;
use crate::ports::okta::{Act, Ask, Next, Okta, Page};
use crate::ports::{Clock, Error, Kind, Result, Secrets};

const CONNECT: Duration = Duration::from_secs(10);
/// From the first byte of a request to the last of its answer.
const WHOLE: Duration = Duration::from_mins(1);
/// A page of a thousand events is 2 to 4 MB; what is larger than this is no page of Okta's.
const MOST_BYTES: usize = 64 << 20;
/// What is said of a failure is short.
const MOST_BYTES_OF_FAILURE: usize = 64 * 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How an org is asked.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// The part of each of the org's rate limits that may be used, in percent.
    pub share_percent: u8,
    /// How long one request is repeated, the waits for its turn included.
    pub patience: Duration,
}

impl Manners {
    /// For what runs by itself: half of each limit, and time enough for some windows to pass.
    pub fn of_a_task() -> Self {
        Self {
            share_percent: 50,
            patience: Duration::from_mins(10),
        }
    }

    /// For what somebody waits for.
    pub fn of_a_person() -> Self {
        Self {
            share_percent: 90,
            patience: Duration::from_secs(20),
        }
    }

    #[must_use]
    pub fn with_share(mut self, percent: u8) -> Self {
        self.share_percent = percent;
        self
    }
}

/// One org.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    keeper: Keeper,
    share: Share,
    patience: Duration,
    /// By rate limit.
    windows: Mutex<HashMap<&'static str, Window>>,
    requests: AtomicU64,
}

/// A request that Okta did not take, and whether it may take it later.
struct Refused {
    error: Error,
    /// Okta's own word for how long to wait.
    wait: Option<Duration>,
    /// Whether it is known that nothing was done.
    is_undone: bool,
}

impl Client {
    /// `base` is the org's address; in the clear to this machine only. Nothing is sent yet.
    pub fn new(
        base: &str,
        sign_in: SignIn,
        secrets: Arc<dyn Secrets>,
        clock: Arc<dyn Clock>,
        manners: Manners,
    ) -> Result<Self> {
        let op = || format!("make ready for the Okta org {base}");
        let url = Url::parse(base).map_err(|error| Error::caused(Kind::Invalid, op(), error))?;
        let is_here = || matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here()) {
            return Err(Error::caused(
                Kind::Invalid,
                op(),
                "its address does not begin with https://",
            ));
        }
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .user_agent(concat!("oort-streams/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::caused(Kind::Invalid, op(), error))?;
        Ok(Self {
            http,
            base: url,
            keeper: Keeper::new(secrets, clock, sign_in),
            share: Share::percent(manners.share_percent),
            patience: manners.patience,
            windows: Mutex::default(),
            requests: AtomicU64::new(0),
        })
    }

    fn op(&self, target: &Target) -> String {
        format!(
            "ask Okta at {} for {}",
            self.base.host_str().unwrap_or("nowhere"),
            target.name()
        )
    }

    /// Sends until it is taken, it cannot be, or patience ends.
    async fn send(&self, target: &Target, url: &Url) -> Result<Response> {
        let until = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        let mut has_signed_in_again = false;
        loop {
            self.take_turn(target, until).await?;
            let refused = match self.send_once(target, url).await {
                Ok(response) => return Ok(response),
                Err(refused) => refused,
            };
            let wait = match refused.error.kind {
                // It may have been rotated since it was read.
                Kind::Denied if refused.is_undone && !has_signed_in_again => {
                    has_signed_in_again = true;
                    self.keeper.forget().await;
                    Duration::ZERO
                }
                // A window that is over already by its own word would be asked without a pause.
                Kind::Throttled => refused.wait.unwrap_or_default().max(pause) + jittered(FIRST_PAUSE),
                Kind::Unavailable if target.method == Method::GET => {
                    refused.wait.unwrap_or_default().max(jittered(pause))
                }
                _ => return Err(refused.error),
            };
            if Instant::now() + wait >= until {
                return Err(refused.error);
            }
            tracing::debug!(
                request = target.name(),
                wait_ms = wait.as_millis(),
                "Okta refused for now: {}",
                refused.error
            );
            sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits until the share of the rate limit has room.
    async fn take_turn(&self, target: &Target, until: Instant) -> Result<()> {
        loop {
            let wait = {
                let mut windows = self.windows.lock().await;
                let now = Instant::now();
                if windows.get(target.bucket).is_some_and(|window| window.is_over(now)) {
                    windows.remove(target.bucket);
                }
                windows.get_mut(target.bucket).map_or(Duration::ZERO, |window| {
                    let wait = window.wait(self.share, now);
                    if wait.is_zero() {
                        window.send();
                    }
                    wait
                })
            };
            if wait.is_zero() {
                return Ok(());
            }
            if Instant::now() + wait >= until {
                let why = format!("its rate limit leaves nothing for {} s", wait.as_secs());
                return Err(Error::caused(Kind::Throttled, self.op(target), why));
            }
            sleep(wait).await;
        }
    }

    async fn send_once(&self, target: &Target, url: &Url) -> std::result::Result<Response, Refused> {
        let mut request = self
            .http
            .request(target.method.clone(), url.clone())
            .header(ACCEPT, "application/json");
        if !target.is_public {
            let header = self.keeper.header(&self.http, &self.base).await;
            let header = header.map_err(|error| Refused {
                error,
                wait: None,
                is_undone: false,
            })?;
            request = request.header(AUTHORIZATION, header);
        }
        if let Some(body) = &target.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let response = request.send().await.map_err(|error| Refused {
            error: Error::caused(Kind::Unavailable, self.op(target), error.without_url()),
            wait: None,
            is_undone: false,
        })?;
        let (status, headers) = (response.status(), response.headers());
        let told = answer::rate_limit(headers);
        if let Some(told) = told {
            let mut windows = self.windows.lock().await;
            let before = windows.get(target.bucket).copied();
            windows.insert(target.bucket, Window::after(before, told, Instant::now()));
        }
        if status.is_success() {
            return Ok(response);
        }
        let wait = answer::retry_after(headers).or(told.map(|told| told.resets_in));
        if status == StatusCode::TOO_MANY_REQUESTS {
            let refused = Window::refused(Instant::now(), wait.unwrap_or(FIRST_PAUSE));
            self.windows.lock().await.insert(target.bucket, refused);
        }
        let said = body(response, MOST_BYTES_OF_FAILURE).await.unwrap_or_default();
        let said = answer::said(&said);
        let why = format!("answered {status}{}{said}", if said.is_empty() { "" } else { ": " });
        Err(Refused {
            error: Error::caused(answer::kind_of(status), self.op(target), why),
            wait,
            is_undone: status == StatusCode::UNAUTHORIZED,
        })
    }

    /// An answer and all of its body. One that breaks off is asked for again.
    async fn whole(&self, target: &Target, url: &Url) -> Result<(reqwest::header::HeaderMap, Vec<u8>)> {
        const ATTEMPTS: u32 = 4;
        let mut attempt = 1;
        loop {
            let response = self.send(target, url).await?;
            let headers = response.headers().clone();
            match body(response, MOST_BYTES).await {
                Ok(bytes) => return Ok((headers, bytes)),
                Err(Broken::TooLarge) => {
                    let why = format!("its answer is larger than {MOST_BYTES} bytes");
                    return Err(Error::caused(Kind::Invalid, self.op(target), why));
                }
                Err(error) if attempt == ATTEMPTS || target.method != Method::GET => {
                    return Err(Error::caused(Kind::Unavailable, self.op(target), error));
                }
                Err(_) => sleep(jittered(FIRST_PAUSE * 2u32.pow(attempt))).await,
            }
            attempt += 1;
        }
    }
}

#[async_trait]
impl Okta for Client {
    async fn ask(&self, ask: &Ask, next: Option<&Next>) -> Result<Page> {
        let target = target::ask(ask);
        let invalid = |why: String| Error::caused(Kind::Invalid, self.op(&target), why);
        let url = match next {
            Some(Next(address)) => answer::within(address, &self.base).map_err(invalid)?,
            None => target
                .url(&self.base)
                .ok_or_else(|| Error::caused(Kind::NotFound, self.op(&target), "no name of Okta's is like this"))?,
        };
        let (headers, bytes) = self.whole(&target, &url).await?;
        let items = answer::items(&bytes).map_err(|error| {
            Error::caused(
                Kind::Invalid,
                self.op(&target),
                format!("its answer cannot be read: {error}"),
            )
        })?;
        let next = answer::next(&headers, &self.base).map_err(invalid)?;
        // The last page of a bounded query may say that there is another, which is empty.
        let next = next.filter(|_| !items.is_empty());
        if next.as_ref() == Some(&url) {
            return Err(invalid("it names itself as its next page".to_owned()));
        }
        let next = next.map(|url| Next(url.into()));
        Ok(Page {
            items,
            next,
            at: answer::server_time(&headers),
        })
    }

    async fn act(&self, act: &Act) -> Result<Option<LogStream>> {
        let target = target::act(act);
        let url = target
            .url(&self.base)
            .ok_or_else(|| Error::new(Kind::NotFound, act.to_string()))?;
        let (_, bytes) = self.whole(&target, &url).await?;
        if target.method == Method::DELETE {
            return Ok(None);
        }
        let stream = serde_json::from_slice(&bytes);
        stream
            .map(Some)
            .map_err(|error| Error::caused(Kind::Invalid, act.to_string(), error))
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Why a body did not come whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("its answer broke off")]
    Cut(#[source] reqwest::Error),
    #[error("its answer is too large")]
    TooLarge,
}

pub(super) async fn body(mut response: Response, most: usize) -> std::result::Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Broken::Cut(error.without_url()))?
    {
        if bytes.len() + chunk.len() > most {
            return Err(Broken::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
