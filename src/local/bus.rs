//! The tenant's event bus: its rules decide which envelope enters the queue. Pure.

use crate::local::pattern::Pattern;
use crate::local::twin::TwinStack;
use crate::ports::{Error, Kind, Result};

/// The rules of a bus that lead to the tenant's queue.
pub struct Bus {
    rules: Vec<Pattern>,
}

impl Bus {
    /// Reads the patterns of the stack's rules. Fails with [`Kind::Invalid`] when one cannot be decided as AWS does.
    pub fn new(stack: &TwinStack) -> Result<Self> {
        let read = |rule: &crate::local::twin::TwinRule| {
            let op = || {
                format!(
                    "read the EventPattern of the rule `{}` of `{}`",
                    rule.name, stack.event_source
                )
            };
            Pattern::new(&rule.pattern).map_err(|error| Error::caused(Kind::Invalid, op(), error))
        };
        let rules = stack.rules.iter().map(read).collect::<Result<_>>()?;
        Ok(Self { rules })
    }

    /// Whether a rule lets the envelope into the queue. Fails with [`Kind::Invalid`] when it is no JSON object.
    ///
    /// `EventBridge` would deliver an envelope once for each rule that matches it; here it enters the queue once.
    pub fn admits(&self, envelope: &str) -> Result<bool> {
        for rule in &self.rules {
            let matched = rule.matches(envelope);
            if matched
                .map_err(|error| Error::caused(Kind::Invalid, "match an envelope with the rules of the bus", error))?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
