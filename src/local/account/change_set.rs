//! Change sets: made, looked at, carried out, dropped. Must not live here: how two templates are compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::Executed;
use super::answer::{Answer, Refusal, page};
use super::changes::{Effect, Versions};
use super::estate::{Estate, Number};
use super::operation::Stage;
use super::state::{Content, Made, Stack, State, Timer, uuid};
use super::template::{Definition, Template};
use crate::model::stack::{
    ChangeSet, ChangeSetKind, ChangeSetState, Execution, INLINE_BYTES, NewChangeSet, TEMPLATE_BYTES, TemplateBody,
};
use crate::ports::Kind;
use crate::ports::cloud::Proposed;

/// Source: the limits of `CreateChangeSet`.
const TAGS: usize = 50;
const NAME_CHARS: usize = 128;

impl State {
    pub fn propose(&mut self, wanted: &NewChangeSet, now: Instant) -> Answer<Proposed> {
        check_name(&wanted.stack)?;
        check_name(&wanted.name)?;
        let found = self
            .by_name
            .get(&wanted.stack)
            .and_then(|number| self.stacks.get(number));
        if let Some((stack, id)) = found.and_then(|stack| Some((stack, stack.change_sets.get(&wanted.name)?))) {
            return self.same(wanted, stack, id);
        }
        let content = self.content(&wanted.stack, &wanted.template, &wanted.tags)?;
        let found = self
            .by_name
            .get(&wanted.stack)
            .and_then(|number| self.stacks.get(number));
        let found = found.map(|stack| (stack.number, stack.status));
        let number = match self.stack_for(wanted, found)? {
            Some(number) => number,
            None => self.add_stack(&wanted.stack, now),
        };
        self.make(wanted, content, number, now)
    }

    /// The change set that is there, if it was asked for in the same words.
    fn same(&self, wanted: &NewChangeSet, stack: &Stack, id: &str) -> Answer<Proposed> {
        let body = self.body(&wanted.template)?;
        let is_same =
            |made: &Made| made.content.body == body && made.content.tags == wanted.tags && made.adopts == wanted.adopts;
        if self.change_sets.get(id).is_some_and(is_same) {
            return Ok(Proposed {
                change_set: id.to_owned(),
                stack_id: stack.id.clone(),
            });
        }
        let said = format!(
            "AlreadyExistsException: ChangeSet {} cannot be created due to a mismatch with existing attribute Template",
            wanted.name
        );
        Err(Refusal::new(Kind::Conflict, said))
    }

    /// The stack that a change set is for; `None` for a new one.
    fn stack_for(&self, wanted: &NewChangeSet, found: Option<(Number, &str)>) -> Answer<Option<Number>> {
        let name = &wanted.stack;
        let refusal = match (wanted.kind, found) {
            (ChangeSetKind::Create, None) => {
                let limit = self.behaviour.stack_limit;
                if u64::try_from(self.by_name.len()).is_ok_and(|stacks| stacks < limit) {
                    return Ok(None);
                }
                let said = format!("LimitExceededException: Limit for stack has been exceeded: {limit}");
                Refusal::new(Kind::Invalid, said)
            }
            (ChangeSetKind::Create, Some((number, "REVIEW_IN_PROGRESS")))
            | (
                ChangeSetKind::Update,
                Some((number, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE")),
            ) => return Ok(Some(number)),
            (ChangeSetKind::Create, Some(_)) => {
                let said = format!(
                    "Stack [{name}] already exists and cannot be created again with the changeSet [{}].",
                    wanted.name
                );
                Refusal::new(Kind::Conflict, said)
            }
            (ChangeSetKind::Update, None) => Refusal::no_stack(name),
            (ChangeSetKind::Update, Some((_, status))) => {
                let said = format!("Stack:{name} is in {status} state and can not be updated.");
                Refusal::new(Kind::Conflict, said)
            }
        };
        Err(refusal)
    }

    fn make(&mut self, wanted: &NewChangeSet, content: Content, stack: Number, now: Instant) -> Answer<Proposed> {
        let number = self.number();
        let (account, region) = (&self.place.account, &self.place.region);
        let id = format!(
            "arn:aws:cloudformation:{region}:{account}:changeSet/{}/{}",
            wanted.name,
            uuid(number)
        );
        let found = self
            .stacks
            .get_mut(&stack)
            .ok_or_else(|| Refusal::no_stack(&wanted.stack))?;
        found.change_sets.insert(wanted.name.clone(), id.clone());
        let stack_id = found.id.clone();
        let made = Made {
            id: id.clone(),
            stack,
            kind: wanted.kind,
            adopts: wanted.adopts,
            content,
            revision: found.revision,
            state: ChangeSetState::Pending,
            execution: Execution::NotStarted,
            changes: Vec::new(),
            is_gone: false,
        };
        self.change_sets.insert(id.clone(), made);
        self.schedule(now + self.behaviour.change_set, Timer::ChangeSet(id.clone()));
        Ok(Proposed {
            change_set: id,
            stack_id,
        })
    }

    /// Reads what a stack shall be.
    pub fn content(&self, stack: &str, template: &TemplateBody, tags: &BTreeMap<String, String>) -> Answer<Content> {
        let invalid = |said: String| Refusal::new(Kind::Invalid, said);
        let body = self.body(template)?;
        if tags.len() > TAGS {
            return Err(invalid(format!("{} tags; at most {TAGS} are taken", tags.len())));
        }
        let template = Template::read(&body, stack, &self.place).map_err(invalid)?;
        Ok(Content {
            body,
            template: Some(Arc::new(template)),
            tags: tags.clone(),
        })
    }

    fn body(&self, template: &TemplateBody) -> Answer<Arc<str>> {
        let invalid = |said: String| Refusal::new(Kind::Invalid, said);
        let (body, most) = match template {
            TemplateBody::Inline(body) => (Arc::from(body.as_str()), INLINE_BYTES),
            TemplateBody::Url(url) => {
                let body = self.objects.get(url).cloned();
                let body = body.ok_or_else(|| invalid(format!("S3 error: no object at {url}")))?;
                (body, TEMPLATE_BYTES)
            }
        };
        if body.len() > most {
            let bytes = body.len();
            return Err(invalid(format!(
                "the template has {bytes} bytes; at most {most} are taken"
            )));
        }
        Ok(body)
    }

    /// What CloudFormation finds when it has looked at a change set for a while.
    pub fn finish_change_set(&mut self, id: &str) {
        let Some(made) = self.change_sets.get_mut(id).filter(|made| !made.is_gone) else {
            return;
        };
        let (Some(stack), Some(new)) = (self.stacks.get(&made.stack), &made.content.template) else {
            return;
        };
        let versions = Versions {
            old: stack.content.template.as_deref(),
            new,
            is_retagged: stack.content.template.is_some() && stack.content.tags != made.content.tags,
            replaces: self.replaces,
        };
        let (estate, adopts) = (&self.estate, made.adopts);
        let unknown = new.imports.iter().find(|name| !estate.exports.contains_key(*name));
        let retyped: Vec<&str> = versions.retyped().collect();
        let validates_early = self.behaviour.validates_early;
        let in_the_way = || in_the_way(&versions, estate, adopts).filter(|_| validates_early);
        made.state = if let Some(name) = unknown {
            failed(format!("No export named {name} found."))
        } else if !retyped.is_empty() {
            failed(format!(
                "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{}]",
                retyped.join(", ")
            ))
        } else if let Some(reason) = in_the_way() {
            failed(format!(
                "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. {reason}"
            ))
        } else if versions.differ() {
            made.changes = versions.changes(|definition| adopts && estate.is_adoptable(definition));
            ChangeSetState::Ready
        } else {
            ChangeSetState::Empty
        };
    }

    pub fn describe(&self, id: &str, next: Option<&str>) -> Answer<(ChangeSet, Option<String>)> {
        let made = self.change_sets.get(id).filter(|made| !made.is_gone);
        let made = made.ok_or_else(|| no_change_set(id))?;
        let stack = self.stacks.get(&made.stack).ok_or_else(|| no_change_set(id))?;
        let changes = page(&made.changes, next, self.behaviour.list_page)?;
        let change_set = ChangeSet {
            id: made.id.clone(),
            stack_id: stack.id.clone(),
            state: made.state.clone(),
            execution: made.execution_in(stack.revision),
            changes: changes.items,
        };
        Ok((change_set, changes.next))
    }

    pub fn drop_change_set(&mut self, id: &str) -> Answer<()> {
        let Some(made) = self.change_sets.get_mut(id).filter(|made| !made.is_gone) else {
            return Ok(());
        };
        let wrong = match (&made.state, made.execution) {
            (ChangeSetState::Pending, _) => Some("CREATE_IN_PROGRESS"),
            (_, Execution::Started) => Some("EXECUTE_IN_PROGRESS"),
            _ => None,
        };
        if let Some(status) = wrong {
            let said = format!(
                "InvalidChangeSetStatus: ChangeSet [{id}] cannot be deleted in its current status of [{status}]"
            );
            return Err(Refusal::new(Kind::Conflict, said));
        }
        made.is_gone = true;
        made.content = Content::default();
        if let Some(stack) = self.stacks.get_mut(&made.stack) {
            stack.change_sets.retain(|_, other| other != id);
        }
        Ok(())
    }

    pub fn execute(&mut self, id: &str, token: &str, now: Instant) -> Answer<()> {
        let made = self.change_sets.get_mut(id).ok_or_else(|| no_change_set(id))?;
        let stack = self.stacks.get_mut(&made.stack).ok_or_else(|| no_change_set(id))?;
        if stack.is_known(token, id) {
            return Ok(());
        }
        if made.is_gone {
            return Err(no_change_set(id));
        }
        let execution = made.execution_in(stack.revision);
        if made.state != ChangeSetState::Ready || execution != Execution::NotStarted {
            let said = format!(
                "InvalidChangeSetStatus: ChangeSet [{id}] cannot be executed in its current status of [{:?}, {execution:?}]",
                made.state
            );
            return Err(Refusal::new(Kind::Conflict, said));
        }
        stack.takes(token, id)?;
        made.execution = Execution::Started;
        self.executions.push(Executed {
            stack: stack.name.clone(),
            change_set: id.to_owned(),
            token: token.to_owned(),
        });
        let (number, kind, adopts, content) = (made.stack, made.kind, made.adopts, made.content.clone());
        self.forget_change_sets(number, Some(id));
        let stage = match kind {
            ChangeSetKind::Create => Stage::Create { adopts },
            ChangeSetKind::Update => Stage::Update { adopts },
        };
        self.change_content(number, content, now);
        self.begin(number, stage, now, Some(token), Some(id));
        Ok(())
    }

    /// Notes what became of a change set that was carried out.
    pub fn executed(&mut self, id: Option<&str>, execution: Execution) {
        if let Some(made) = id.and_then(|id| self.change_sets.get_mut(id)) {
            made.execution = execution;
        }
    }
}

impl Made {
    fn execution_in(&self, revision: u64) -> Execution {
        if self.execution == Execution::NotStarted && self.revision != revision {
            Execution::Obsolete
        } else {
            self.execution
        }
    }
}

fn failed(reason: String) -> ChangeSetState {
    ChangeSetState::Failed { reason }
}

/// A new resource whose name something has already.
fn in_the_way(versions: &Versions<'_>, estate: &Estate, adopts: bool) -> Option<String> {
    let added = versions
        .effects()
        .into_iter()
        .filter(|(_, effect)| *effect == Effect::Add);
    let mut definitions = added.filter_map(|(id, _)| versions.new.resources.get(id));
    let is_blocked = |one: &&Definition| estate.has(one) && !(adopts && estate.is_adoptable(one));
    let blocked = definitions.find(is_blocked)?;
    let name = blocked.name.as_ref().map_or("", |name| &name.name);
    Some(format!(
        "Resource of type '{}' with identifier '{name}' already exists.",
        blocked.resource_type
    ))
}

fn no_change_set(id: &str) -> Refusal {
    Refusal::new(
        Kind::NotFound,
        format!("ChangeSetNotFound: ChangeSet [{id}] does not exist"),
    )
}

/// Source: `CreateChangeSet`: letters, digits and hyphens, a letter first.
fn check_name(name: &str) -> Answer<()> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if is_plain && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.len() <= NAME_CHARS {
        return Ok(());
    }
    let said =
        format!("1 validation error detected: Value '{name}' failed to satisfy constraint [a-zA-Z][-a-zA-Z0-9]*");
    Err(Refusal::new(Kind::Invalid, said))
}
