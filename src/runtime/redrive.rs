//! Dead letters: why each died, and putting them back.

use serde::Serialize;

use crate::model::event::Head;
use crate::ports::{DeadLetter, DeadLetters, Result};
use crate::runtime::ingest::usable_line;

/// A dead letter as a person looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Autopsy {
    pub why: String,
    pub attempts: u32,
    /// Of its event, where it can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    pub bytes: usize,
}

/// What came of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub letters: Vec<Autopsy>,
    /// Whether they are in the event queue again.
    pub is_redriven: bool,
}

/// Looks at up to `max` dead letters, and puts them back if that is wanted.
pub async fn run(dead: &dyn DeadLetters, max: usize, redrives: bool) -> Result<Report> {
    let letters = dead.letters(max).await?;
    if redrives {
        dead.redrive(&letters).await?;
    }
    Ok(Report {
        letters: letters.iter().map(autopsy).collect(),
        is_redriven: redrives,
    })
}

fn autopsy(letter: &DeadLetter) -> Autopsy {
    let line = usable_line(&letter.body);
    let event = crate::model::event::detail(&letter.body);
    let head = event.and_then(|event| Head::parse(event).ok());
    let why = match (&letter.undelivered, line) {
        (Some(said), _) => format!("the rule could not deliver it: {said}"),
        (None, Err(reason)) => format!("it holds no event that can be kept: {reason}; a run will set it aside"),
        (None, Ok(_)) => "runs received it and did not come to their end; nothing is wrong with the event".to_owned(),
    };
    Autopsy {
        why,
        attempts: letter.attempts,
        uuid: head.as_ref().map(|head| head.uuid.to_string()),
        event_type: head.as_ref().map(|head| head.event_type.to_string()),
        bytes: letter.body.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Receipt;

    fn why(body: &str, undelivered: Option<&str>) -> String {
        let letter = DeadLetter {
            body: body.to_owned(),
            receipt: Receipt(String::new()),
            attempts: 6,
            undelivered: undelivered.map(str::to_owned),
        };
        autopsy(&letter).why
    }

    #[test]
    fn every_letter_tells_why_it_died() {
        let event = r#"{"detail":{"uuid":"1","published":"2026-11-01T00:00:00Z","eventType":"user.session.start"}}"#;
        assert!(why(event, None).contains("did not come to their end"));
        assert!(why("{", None).contains("no event that can be kept"));
        assert_eq!(
            why(event, Some("NO_PERMISSIONS: not allowed")),
            "the rule could not deliver it: NO_PERMISSIONS: not allowed"
        );
    }
}
