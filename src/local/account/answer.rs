//! How the embedded account answers: what a call refuses, and lists in pages.

use super::gate::Api;
use crate::ports::cloud::Page;
use crate::ports::{Error, Kind};

pub(super) type Answer<T> = Result<T, Refusal>;

/// Why a call is not answered as it was asked.
pub(super) struct Refusal {
    pub kind: Kind,
    /// In the service's words.
    pub said: String,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

impl Refusal {
    pub fn new(kind: Kind, said: impl Into<String>) -> Self {
        let said = said.into();
        Self { kind, said }
    }

    pub fn no_stack(name: &str) -> Self {
        Self::new(Kind::NotFound, format!("Stack [{name}] does not exist"))
    }

    /// The error of a call. Of an ID, the name in it tells what the call was about.
    pub fn of(self, api: Api, about: &str) -> Error {
        let name = about.strip_prefix("arn:").and_then(|arn| arn.split('/').nth(1));
        let op = format!("{api} {}", name.unwrap_or(about));
        Error::caused(self.kind, op.trim_end(), Said(self.said))
    }
}

/// The part of a list that begins where `next` says.
pub(super) fn page<T: Clone>(all: &[T], next: Option<&str>, size: usize) -> Answer<Page<T>> {
    let start = next.map_or(Some(0), |next| next.parse().ok());
    let rest = start.and_then(|start: usize| Some((start, all.get(start..)?)));
    let (start, rest) = rest.ok_or_else(|| Refusal::new(Kind::Invalid, "The next token is not valid"))?;
    Ok(Page {
        items: rest.iter().take(size).cloned().collect(),
        next: (rest.len() > size).then(|| (start + size).to_string()),
    })
}
