//! That a tenant's stack names what is the tenant's own, and hears of nothing else.

use crate::deploy::check::cursor::Cursor;
use crate::deploy::check::{Admitted, Found, Rule, Severity, Template};
use crate::deploy::tree::Tree;

pub const RULES: &[Rule] = &[
    Rule {
        id: "name-under-prefix",
        severity: Severity::Error,
        demand: "What a stack names starts with the stack's prefix: oort-<environment>, and -<tenant> in a tenant's stack.",
        why: "Names are what policies, alarms and people tell tenants apart by. A name without the prefix can meet another stack's.",
        help: "Build the name from `prefix`, as in {{ prefix ~ \"-events\" }}, or leave it to CloudFormation.",
        admits: &[BUS],
        find: names,
    },
    Rule {
        id: "own-names-only",
        severity: Severity::Error,
        demand: "A tenant's stack names no other tenant's objects and no shared resource, which it imports.",
        why: "A setting that points to another tenant's queue or prefix sends events there although every policy is right.",
        help: "Use `prefix` or the tenant's folder; import what the foundation exports.",
        admits: &[],
        find: own_names,
    },
    Rule {
        id: "own-findings-only",
        severity: Severity::Error,
        demand: "A tenant's subscription to a shared topic takes that tenant's notifications and no others.",
        why: "All tenants' findings would pass through it. Without the filter a route tells one tenant of another's incidents.",
        help: "Subscribe to the tenant's own topic, or set FilterPolicy with tenant: [<tenant>] and FilterPolicyScope: MessageAttributes.",
        admits: &[],
        find: own_findings,
    },
];

const BUS: Admitted = Admitted {
    what: "an event bus named as its partner event source",
    reason: "A bus accepts a partner event source only under that very name (EventBridge API reference, CreateEventBus).",
};

/// How a name carries the prefix.
#[derive(Clone, Copy)]
enum Form {
    /// `oort-staging-acme-events`
    Plain,
    /// `alias/oort-staging-acme-data`
    Alias,
    /// `/oort/staging/acme/tasks`
    Path,
    /// `oort_staging_logs`
    Underscored,
    /// As its partner event source.
    Bus,
}

/// Where resources have their names.
const NAMES: &[(&str, &[&str], Form)] = &[
    ("AWS::SQS::Queue", &["QueueName"], Form::Plain),
    ("AWS::SNS::Topic", &["TopicName"], Form::Plain),
    ("AWS::S3::Bucket", &["BucketName"], Form::Plain),
    ("AWS::Events::EventBus", &["Name"], Form::Bus),
    ("AWS::Events::Rule", &["Name"], Form::Plain),
    ("AWS::Events::Archive", &["ArchiveName"], Form::Plain),
    ("AWS::Scheduler::Schedule", &["Name"], Form::Plain),
    ("AWS::Scheduler::ScheduleGroup", &["Name"], Form::Plain),
    ("AWS::IAM::Role", &["RoleName"], Form::Plain),
    ("AWS::IAM::ManagedPolicy", &["ManagedPolicyName"], Form::Plain),
    ("AWS::ECS::Cluster", &["ClusterName"], Form::Plain),
    ("AWS::ECS::TaskDefinition", &["Family"], Form::Plain),
    ("AWS::CloudWatch::Alarm", &["AlarmName"], Form::Plain),
    ("AWS::CloudWatch::Dashboard", &["DashboardName"], Form::Plain),
    ("AWS::Logs::LogGroup", &["LogGroupName"], Form::Path),
    ("AWS::SSM::Parameter", &["Name"], Form::Path),
    ("AWS::SecretsManager::Secret", &["Name"], Form::Plain),
    ("AWS::KMS::Alias", &["AliasName"], Form::Alias),
    ("AWS::Glue::Database", &["DatabaseInput", "Name"], Form::Underscored),
    ("AWS::Lambda::Function", &["FunctionName"], Form::Plain),
    ("AWS::DynamoDB::Table", &["TableName"], Form::Plain),
];

fn names(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (kind, path, form) in NAMES {
        for resource in template.of_type(kind) {
            let Some(name) = resource.property(path) else { continue };
            let text = name.text();
            let (start, separator) = form.start(template);
            let is_source = matches!(form, Form::Bus)
                && text.starts_with("aws.partner/")
                && resource
                    .property(&["EventSourceName"])
                    .map(|source| source.text())
                    .as_ref()
                    == Some(&text);
            if !is_source && !is_under(&text, &start, separator) {
                found.push(name.found(format!("`{text}` does not start with `{start}{separator}`")));
            }
        }
    }
    for (_, output) in template.root.get("Outputs").iter().flat_map(Cursor::entries) {
        let Some(name) = output.at(&["Export", "Name"]) else {
            continue;
        };
        let prefix = template.prefix();
        if !is_under(&name.text(), &prefix, '-') {
            found.push(name.found(format!("the export `{}` does not start with `{prefix}-`", name.text())));
        }
    }
    found
}

impl Form {
    /// What a name starts with, and what may follow.
    fn start(self, template: &Template<'_>) -> (String, char) {
        let prefix = template.prefix();
        match self {
            Self::Plain | Self::Bus => (prefix, '-'),
            Self::Alias => (format!("alias/{prefix}"), '-'),
            Self::Underscored => (prefix.replace('-', "_"), '_'),
            Self::Path => {
                let tenant = template
                    .subject
                    .tenant
                    .map(|tenant| format!("/{tenant}"))
                    .unwrap_or_default();
                (format!("/oort/{}{tenant}", template.subject.environment), '/')
            }
        }
    }
}

pub(super) fn is_under(name: &str, start: &str, separator: char) -> bool {
    name.strip_prefix(start)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

fn own_names(template: &Template<'_>) -> Vec<Found> {
    let Some(tenant) = template.subject.tenant else {
        return Vec::new();
    };
    let environment = format!("oort-{}-", template.subject.environment);
    let mut found = Vec::new();
    template.root.walk(&mut |at| {
        let Tree::Text(text) = at.tree else { return };
        let mut foreign = words_after(text, "tenants/").filter(|name| *name != tenant.as_str());
        if let Some(name) = foreign.next() {
            found.push(at.found(format!("`tenants/{name}` is not the tenant's own folder")));
        }
        // Exports of the foundation go on with a capital.
        let mut foreign = words_after(text, &environment)
            .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()) && !is_under(name, tenant.as_str(), '-'));
        if let Some(name) = foreign.next() {
            found.push(at.found(format!("`{environment}{name}` is not the tenant's own")));
        }
    });
    found
}

/// What follows each `start` in a text, up to what cannot stand in a name.
fn words_after<'s>(text: &'s str, start: &'s str) -> impl Iterator<Item = &'s str> {
    text.match_indices(start).map(|(at, found)| {
        let rest = &text[at + found.len()..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | '?' | '$' | '{' | '}');
        &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]
    })
}

fn own_findings(template: &Template<'_>) -> Vec<Found> {
    let Some(tenant) = template.subject.tenant else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for subscription in template.of_type("AWS::SNS::Subscription") {
        let topic = subscription.property(&["TopicArn"]).map(|topic| topic.text());
        let is_own = topic.is_some_and(|topic| template.resources.iter().any(|own| own.is_meant_by(&topic)));
        let takes = subscription.property(&["FilterPolicy", "tenant"]);
        let names: Vec<String> = takes.iter().flat_map(Cursor::many).map(|name| name.text()).collect();
        let scope = subscription.property(&["FilterPolicyScope"]);
        let is_by_attribute = scope.is_none_or(|scope| scope.text() == "MessageAttributes");
        if !(is_own || names == [tenant.as_str()] && is_by_attribute) {
            let path = ["FilterPolicy", "tenant"];
            found.push(subscription.lacks(&path, "other tenants' notifications pass the filter"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::deploy::check::planted::{found, found_in_foundation};

    fn resource(kind: &str, properties: &str) -> String {
        format!("Resources: {{It: {{Type: {kind}, Properties: {{{properties}}}}}}}\n")
    }

    #[test]
    fn names_start_with_the_prefix_of_their_stack() {
        for (kind, property, good, bad) in [
            (
                "AWS::SQS::Queue",
                "QueueName",
                "oort-staging-acme-events",
                "oort-staging-acmex",
            ),
            (
                "AWS::IAM::Role",
                "RoleName",
                "oort-staging-acme",
                "oort-production-acme-x",
            ),
            (
                "AWS::KMS::Alias",
                "AliasName",
                "alias/oort-staging-acme-data",
                "alias/acme",
            ),
            (
                "AWS::Logs::LogGroup",
                "LogGroupName",
                "/oort/staging/acme/tasks",
                "/oort/staging/other",
            ),
            ("AWS::Events::EventBus", "Name", "oort-staging-acme-own", "default"),
            (
                "AWS::S3::Bucket",
                "BucketName",
                "!Sub 'oort-staging-acme-${AWS::Region}'",
                "!Sub '${AWS::Region}-acme'",
            ),
        ] {
            let told = |name: &str| found("name-under-prefix", &resource(kind, &format!("{property}: {name}")));
            assert_eq!(told(good), [""; 0], "{good}");
            assert_eq!(told(bad).len(), 1, "{bad}");
        }
        let bus = "Name: aws.partner/okta.com/a/b, EventSourceName: aws.partner/okta.com/a/b";
        assert_eq!(
            found("name-under-prefix", &resource("AWS::Events::EventBus", bus)),
            [""; 0]
        );
        let shared = resource("AWS::Glue::Database", "DatabaseInput: {Name: oort_staging_logs}");
        assert_eq!(found_in_foundation("name-under-prefix", &shared), [""; 0]);
        let shared = shared.replace("oort_staging", "logs");
        assert_eq!(
            found_in_foundation("name-under-prefix", &shared),
            ["/Resources/It/Properties/DatabaseInput/Name: `logs_logs` does not start with `oort_staging_`"]
        );
        let export = "Outputs: {A: {Export: {Name: oort-staging-globex-A}}}\n";
        assert_eq!(found("name-under-prefix", export).len(), 1);
        assert_eq!(found_in_foundation("name-under-prefix", export), [""; 0]);
    }

    #[test]
    fn a_tenants_stack_names_nobody_else() {
        for (text, count) in [
            ("oort-staging-acme-events", 0),
            ("https://sqs.us-east-2.amazonaws.com/1/oort-staging-acme", 0),
            ("oort-staging-DataKeyArn", 0),
            ("tenants/acme", 0),
            ("tenants/acme/x", 0),
            ("oort-staging-globex-events", 1),
            ("oort-staging-data", 1),
            ("tenants/globex", 1),
            ("tenants/acme-2/x", 1),
            ("tenants/*", 1),
        ] {
            let template = resource("AWS::ECS::TaskDefinition", &format!("X: ['{text}']"));
            assert_eq!(found("own-names-only", &template).len(), count, "{text}");
            assert_eq!(found_in_foundation("own-names-only", &template), [""; 0]);
        }
    }

    #[test]
    fn a_route_hears_of_its_own_tenant() {
        for (properties, count) in [
            ("TopicArn: !ImportValue topic, FilterPolicy: {tenant: [acme]}", 0),
            ("TopicArn: !Ref It", 0),
            ("TopicArn: !ImportValue topic", 1),
            (
                "TopicArn: !ImportValue topic, FilterPolicy: {tenant: [acme, globex]}",
                1,
            ),
            (
                "TopicArn: !ImportValue topic, FilterPolicy: {tenant: [{prefix: ac}]}",
                1,
            ),
            (
                "TopicArn: !ImportValue topic, FilterPolicy: {tenant: [acme]}, FilterPolicyScope: MessageBody",
                1,
            ),
        ] {
            let template = resource("AWS::SNS::Subscription", properties);
            assert_eq!(found("own-findings-only", &template).len(), count, "{properties}");
        }
    }
}
