//! That an event arrives, from where it should, or is kept where someone looks.

use crate::deploy::check::cursor::{Cursor, Resource, reference, text_of};
use crate::deploy::check::policy::{Statement, allowing};
use crate::deploy::check::{Found, Rule, Severity, Template};

pub const RULES: &[Rule] = &[
    Rule {
        id: "queue-policy-bound-to-rule",
        severity: Severity::Error,
        demand: "EventBridge may send to a queue only for the rule of this stack that targets it, and for that rule it may.",
        why: "Without the rule's ARN, any rule of any account could fill the queue with forged events. Without the statement, events are lost.",
        help: "Allow events.amazonaws.com sqs:SendMessage on the queue, with ArnEquals aws:SourceArn: {Fn::GetAtt: [<rule>, Arn]}.",
        admits: &[],
        find: queue_policy,
    },
    Rule {
        id: "dead-letter-queue",
        severity: Severity::Error,
        demand: "What a rule, a schedule or a queue cannot deliver goes to a dead-letter queue.",
        why: "Okta replays nothing: what is dropped here is gone, and nobody hears of it.",
        help: "Add DeadLetterConfig to the target, or RedrivePolicy to the queue, with the ARN of another queue.",
        admits: &[],
        find: dead_letters,
    },
];

const RULE: &str = "AWS::Events::Rule";
const QUEUE: &str = "AWS::SQS::Queue";
const SCHEDULE: &str = "AWS::Scheduler::Schedule";
const EVENTS: &str = "events.amazonaws.com";

fn queue_policy(template: &Template<'_>) -> Vec<Found> {
    let sendings: Vec<Sending<'_, '_>> = allowing(template)
        .filter(|statement| statement.services().iter().any(|service| service == EVENTS))
        .map(Sending::new)
        .filter(|send| send.is_to_queues(template))
        .collect();
    let mut found: Vec<Found> = sendings.iter().filter_map(|send| send.problem(template)).collect();
    for rule in template.of_type(RULE) {
        for destination in destinations(rule) {
            let text = destination.text();
            let is_own = template.of_type(QUEUE).any(|queue| queue.is_meant_by(&text));
            if is_own && !sendings.iter().any(|send| send.lets(rule, &text)) {
                found.push(destination.found(format!("no queue policy lets `{}` send to this queue", rule.id)));
            }
        }
    }
    found
}

/// Where a rule sends: its targets and their dead-letter queues.
fn destinations<'t>(rule: &Resource<'t>) -> Vec<Cursor<'t>> {
    let targets = rule.property(&["Targets"]).map(|targets| targets.many());
    targets
        .into_iter()
        .flatten()
        .flat_map(|target| [target.get("Arn"), target.at(&["DeadLetterConfig", "Arn"])])
        .flatten()
        .collect()
}

/// A statement that lets EventBridge do something with queues.
struct Sending<'s, 't> {
    statement: &'s Statement<'t>,
    sources: Vec<String>,
    queues: Vec<String>,
}

impl<'s, 't> Sending<'s, 't> {
    fn new(statement: &'s Statement<'t>) -> Self {
        let texts = |values: Vec<Cursor<'t>>| values.iter().map(Cursor::text).collect();
        Self {
            sources: texts(statement.required("aws:SourceArn")),
            queues: texts(statement.resources()),
            statement,
        }
    }

    fn is_to_queues(&self, template: &Template<'_>) -> bool {
        let acts_on_queues = |action: &Cursor<'_>| action.text().to_ascii_lowercase().starts_with("sqs:");
        let is_queue = |text: &String| template.of_type(QUEUE).any(|queue| queue.is_meant_by(text));
        self.statement.actions().iter().any(acts_on_queues) || self.queues.iter().any(is_queue)
    }

    fn problem(&self, template: &Template<'_>) -> Option<Found> {
        if !self.statement.acts_only_by(&["sqs:SendMessage"]) {
            return Some(
                self.statement
                    .found("EventBridge may do more with the queue than sqs:SendMessage"),
            );
        }
        if self.sources.is_empty() {
            return Some(self.statement.found("EventBridge may send to the queue for any rule"));
        }
        for source in &self.sources {
            let rule = template.of_type(RULE).find(|rule| rule.is_meant_by(source));
            let Some(rule) = rule.filter(|_| reference(source).is_some_and(|(_, attribute)| attribute == "Arn")) else {
                return Some(
                    self.statement
                        .found(format!("`{source}` is the ARN of no rule of this stack")),
                );
            };
            let targets: Vec<String> = destinations(rule).iter().map(Cursor::text).collect();
            if let Some(queue) = self.queues.iter().find(|queue| !targets.contains(queue)) {
                return Some(
                    self.statement
                        .found(format!("`{}` does not send to `{queue}`", rule.id)),
                );
            }
        }
        None
    }

    fn lets(&self, rule: &Resource<'_>, queue: &str) -> bool {
        self.sources.iter().any(|source| rule.is_meant_by(source)) && self.queues.iter().any(|own| own == queue)
    }
}

fn dead_letters(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let mut fed = Vec::new();
    for rule in template.of_type(RULE) {
        let targets = rule.property(&["Targets"]).map(|targets| targets.many());
        for target in targets.into_iter().flatten() {
            found.extend(lacks_dead_letters(&target));
            fed.extend(target.get("Arn").map(|arn| arn.text()));
        }
    }
    for schedule in template.of_type(SCHEDULE) {
        found.extend(
            schedule
                .property(&["Target"])
                .and_then(|target| lacks_dead_letters(&target)),
        );
    }
    for queue in template
        .of_type(QUEUE)
        .filter(|queue| fed.iter().any(|arn| queue.is_meant_by(arn)))
    {
        let path = ["RedrivePolicy", "deadLetterTargetArn"];
        match queue.property(&path) {
            None => found.push(queue.lacks(&path, "what cannot be processed has no dead-letter queue")),
            Some(own) if queue.is_meant_by(&own.text()) => {
                found.push(own.found("the queue is its own dead-letter queue"));
            }
            Some(_) => {}
        }
    }
    found
}

fn lacks_dead_letters(target: &Cursor<'_>) -> Option<Found> {
    let dead_letters = target.at(&["DeadLetterConfig", "Arn"]);
    let Some(dead_letters) = dead_letters.filter(|arn| !arn.text().is_empty()) else {
        return Some(target.found("what cannot be delivered has no dead-letter queue"));
    };
    let to = target.tree.get("Arn").map(text_of);
    (to == Some(dead_letters.text())).then(|| dead_letters.found("the dead-letter queue is the target itself"))
}

#[cfg(test)]
mod tests {
    use crate::deploy::check::planted::found;

    /// A rule, its queue and its dead-letter queue.
    const GOOD: &str = "
Resources:
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Targets: [{Arn: !GetAtt Queue.Arn, DeadLetterConfig: {Arn: !GetAtt Dead.Arn}}]
  Queue:
    Type: AWS::SQS::Queue
    Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn}}
  Dead: {Type: AWS::SQS::Queue}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: [!GetAtt Queue.Arn, !GetAtt Dead.Arn]
            Condition: {ArnEquals: {aws:SourceArn: !GetAtt Rule.Arn}}
  Schedule:
    Type: AWS::Scheduler::Schedule
    Properties: {Target: {Arn: x, DeadLetterConfig: {Arn: !ImportValue dead}}}
";

    fn told(rule: &str, edit: &[(&str, &str)]) -> String {
        let text = edit.iter().fold(GOOD.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        found(rule, &text).join("\n")
    }

    #[test]
    fn a_queue_is_open_to_its_own_rule_only() {
        let told = |edit: &[(&str, &str)]| told("queue-policy-bound-to-rule", edit);
        assert_eq!(told(&[]), "");
        let statement = "/Resources/Policy/Properties/PolicyDocument/Statement/0: ";
        let loose = "EventBridge may send to the queue for any rule";
        let any_rule = told(&[("ArnEquals: {aws:SourceArn: !GetAtt Rule.Arn}", "")]);
        assert!(any_rule.starts_with(&format!("{statement}{loose}")), "{any_rule}");
        let if_exists = told(&[("ArnEquals:", "ArnEqualsIfExists:")]);
        assert!(if_exists.starts_with(&format!("{statement}{loose}")), "{if_exists}");
        let pattern = told(&[("SourceArn: !GetAtt Rule.Arn", "SourceArn: 'arn:aws:events:a:1:rule/*'")]);
        assert!(
            pattern.contains("`arn:aws:events:a:1:rule/*` is the ARN of no rule of this stack"),
            "{pattern}"
        );
        let name = told(&[("SourceArn: !GetAtt Rule.Arn", "SourceArn: !Ref Rule")]);
        assert!(name.contains("`${Rule}` is the ARN of no rule"), "{name}");
        assert_eq!(
            told(&[("Action: sqs:SendMessage", "Action: [sqs:SendMessage, sqs:PurgeQueue]")]),
            format!("{statement}EventBridge may do more with the queue than sqs:SendMessage")
        );
        assert_eq!(
            told(&[(
                "[!GetAtt Queue.Arn, !GetAtt Dead.Arn]",
                "[!GetAtt Queue.Arn, !GetAtt Dead.Arn, '*']"
            )]),
            format!("{statement}`Rule` does not send to `*`")
        );
        assert_eq!(
            told(&[("[!GetAtt Queue.Arn, !GetAtt Dead.Arn]", "!GetAtt Queue.Arn")]),
            "/Resources/Rule/Properties/Targets/0/DeadLetterConfig/Arn: no queue policy lets `Rule` send to this queue"
        );
    }

    #[test]
    fn what_cannot_be_delivered_is_kept() {
        let told = |edit: &[(&str, &str)]| told("dead-letter-queue", edit);
        assert_eq!(told(&[]), "");
        assert_eq!(
            told(&[(", DeadLetterConfig: {Arn: !GetAtt Dead.Arn}", "")]),
            "/Resources/Rule/Properties/Targets/0: what cannot be delivered has no dead-letter queue"
        );
        assert_eq!(
            told(&[(
                "DeadLetterConfig: {Arn: !GetAtt Dead.Arn}",
                "DeadLetterConfig: {Arn: !GetAtt Queue.Arn}"
            )]),
            "/Resources/Rule/Properties/Targets/0/DeadLetterConfig/Arn: the dead-letter queue is the target itself"
        );
        assert_eq!(
            told(&[(", DeadLetterConfig: {Arn: !ImportValue dead}", "")]),
            "/Resources/Schedule/Properties/Target: what cannot be delivered has no dead-letter queue"
        );
        assert_eq!(
            told(&[("{RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn}}", "{}")]),
            "/Resources/Queue/Properties: what cannot be processed has no dead-letter queue"
        );
        assert_eq!(
            told(&[(
                "deadLetterTargetArn: !GetAtt Dead.Arn",
                "deadLetterTargetArn: !GetAtt Queue.Arn"
            )]),
            "/Resources/Queue/Properties/RedrivePolicy/deadLetterTargetArn: the queue is its own dead-letter queue"
        );
    }
}
