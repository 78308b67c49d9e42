//! That a tenant's stack holds and reaches what is the tenant's own.

use crate::deploy::check::cursor::{Cursor, Part, has_wildcard, parts, segments};
use crate::deploy::check::policy::{Statement, allowing};
use crate::deploy::check::{Admitted, Found, Rule, Severity, Template};
use crate::deploy::tree::Tree;
use crate::model::name::TenantId;

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
        id: "own-objects-only",
        severity: Severity::Error,
        demand: "A tenant's policies reach the stack's own resources, objects under tenants/<tenant>/, the tenant's table, and of what is shared only what is listed.",
        why: "This is what keeps one tenant's events from another, whatever the program that runs with the role does.",
        help: "Name a resource of this stack, or add the tenant's prefix. If all tenants must share the resource, it is listed in the rule with its reason.",
        admits: &ADMITS,
        find: own_objects,
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
        why: "All tenants' findings pass through one topic. Without the filter a route tells one customer of another's incidents.",
        help: "Set FilterPolicy with tenant: [<tenant>] and FilterPolicyScope: MessageAttributes.",
        admits: &[],
        find: own_findings,
    },
];

const BUS: Admitted = Admitted {
    what: "an event bus named as its partner event source",
    reason: "A bus accepts a partner event source only under that very name (EventBridge API reference, CreateEventBus).",
};

/// Something shared that a tenant's policy may name.
struct Shared {
    /// As `text_of` gives it, with `{env}` for the environment.
    resource: &'static str,
    actions: &'static [&'static str],
    /// A condition key that the statement must have.
    condition: Option<&'static str>,
    admitted: Admitted,
}

const SHARED: [Shared; 8] = [
    Shared {
        resource: "${import oort-{env}-DataBucketArn}",
        actions: &["s3:ListBucket"],
        condition: Some("s3:prefix"),
        admitted: Admitted {
            what: "s3:ListBucket on the data bucket with s3:prefix tenants/<tenant>/",
            reason: "Listing is an action on the bucket; the condition admits the tenant's own objects.",
        },
    },
    Shared {
        resource: "${import oort-{env}-DataKeyArn}",
        actions: &["kms:Decrypt", "kms:GenerateDataKey"],
        condition: Some("kms:ViaService"),
        admitted: Admitted {
            what: "kms:Decrypt and kms:GenerateDataKey with the data key through a service",
            reason: "One key an environment; what may be read is decided by the service that holds it.",
        },
    },
    Shared {
        resource: "${import oort-{env}-NotificationTopicArn}",
        actions: &["sns:Publish"],
        condition: None,
        admitted: Admitted {
            what: "sns:Publish to the notification topic",
            reason: "One topic an environment; own-findings-only keeps tenants apart at the subscriptions.",
        },
    },
    Shared {
        resource: "${import oort-{env}-ExecutionRoleArn}",
        actions: &["iam:PassRole"],
        condition: Some("iam:PassedToService"),
        admitted: Admitted {
            what: "iam:PassRole of the execution role",
            reason: "It starts containers and reads no tenant's data.",
        },
    },
    Shared {
        resource: "${import oort-{env}-ScheduleDeadLetterQueueArn}",
        actions: &["sqs:SendMessage"],
        condition: None,
        admitted: Admitted {
            what: "sqs:SendMessage to the schedule dead-letter queue",
            reason: "The platform team reads it; no tenant can.",
        },
    },
    Shared {
        resource: "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:catalog",
        actions: GLUE,
        condition: None,
        admitted: GLUE_ADMITTED,
    },
    Shared {
        resource: "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:database/${import oort-{env}-DatabaseName}",
        actions: GLUE,
        condition: None,
        admitted: Admitted {
            what: "the same on the database",
            ..GLUE_ADMITTED
        },
    },
    Shared {
        resource: "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:task/oort-{env}/*",
        actions: &["ecs:TagResource"],
        condition: Some("ecs:CreateAction"),
        admitted: Admitted {
            what: "ecs:TagResource on the cluster's tasks while RunTask creates them",
            reason: "A task has no name before it runs.",
        },
    },
];

const GLUE: &[&str] = &[
    "glue:GetDatabase",
    "glue:GetTable",
    "glue:CreateTable",
    "glue:UpdateTable",
];
const GLUE_ADMITTED: Admitted = Admitted {
    what: "reading the database and committing to a table, on the Glue catalog",
    reason: "Glue asks for the catalog and the database beside the table, and the table is the tenant's own (Glue developer guide, resource policies).",
};

const ADMITS: [Admitted; SHARED.len()] = {
    let mut admits = [SHARED[0].admitted; SHARED.len()];
    let mut index = 0;
    while index < SHARED.len() {
        admits[index] = SHARED[index].admitted;
        index += 1;
    }
    admits
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

fn is_under(name: &str, start: &str, separator: char) -> bool {
    name.strip_prefix(start)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

fn own_objects(template: &Template<'_>) -> Vec<Found> {
    let Some(tenant) = template.subject.tenant else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for statement in allowing(template) {
        for resource in statement.resources() {
            let text = resource.text();
            if !(is_own(template, tenant, &statement, &text) || is_shared(template, &statement, &text)) {
                found.push(resource.found(format!("`{text}` is not the tenant's own")));
            }
        }
        for prefix in statement.required("s3:prefix") {
            if !is_own_object(tenant, &prefix.text()) {
                found.push(prefix.found(format!("the prefix `{}` is not the tenant's own", prefix.text())));
            }
        }
    }
    found
}

fn is_own(template: &Template<'_>, tenant: &TenantId, statement: &Statement<'_>, resource: &str) -> bool {
    if let Some(Part::Unknown(name)) = parts(resource).first() {
        let id = name.split('.').next().unwrap_or_default();
        if template.resource(id).is_some() {
            return true;
        }
    }
    let pieces = segments(resource);
    let acts_on_s3 = |action: &Cursor<'_>| action.text().to_ascii_lowercase().starts_with("s3:");
    let objects = pieces.iter().position(|piece| piece == "tenants");
    if let Some(index) = objects.filter(|_| statement.actions().iter().all(acts_on_s3)) {
        return is_own_object(tenant, &pieces[index..].join("/"));
    }
    let prefix = template.prefix();
    let table = format!("{}_activity", tenant.as_str().replace('-', "_"));
    // A wildcard after the prefix would also reach a tenant whose ID starts with this one's.
    let names_own = |piece: &String| !has_wildcard(piece) && (is_under(piece, &prefix, '-') || *piece == table);
    pieces.iter().any(names_own)
}

/// Whether a key, or the start of keys, lies in the tenant's folder.
fn is_own_object(tenant: &TenantId, key: &str) -> bool {
    key.strip_prefix("tenants/")
        .and_then(|rest| rest.strip_prefix(tenant.as_str()))
        .is_some_and(|rest| rest.starts_with('/'))
}

fn is_shared(template: &Template<'_>, statement: &Statement<'_>, resource: &str) -> bool {
    SHARED.iter().any(|shared| {
        shared.resource.replace("{env}", template.subject.environment) == resource
            && statement.acts_only_by(shared.actions)
            && shared.condition.is_none_or(|key| !statement.required(key).is_empty())
    })
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

    fn policy(action: &str, resource: &str, condition: &str) -> String {
        format!(
            "Resources: {{Queue: {{Type: AWS::SQS::Queue}}, Role: {{Type: AWS::IAM::Role, Properties: {{Policies: [{{PolicyDocument: {{Statement: [{{Effect: Allow, Action: {action}, Resource: {resource}, Condition: {condition}}}]}}}}]}}}}}}\n"
        )
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
    fn a_tenants_policies_reach_its_own() {
        const DATA: &str = "!ImportValue oort-staging-DataBucketArn";
        let objects = |key: &str| format!("!Sub ['${{B}}/{key}', {{B: {DATA}}}]");
        for (action, resource, condition) in [
            ("sqs:SendMessage", "!GetAtt Queue.Arn", "{}"),
            ("s3:GetObject", objects("tenants/acme/*").as_str(), "{}"),
            ("s3:ListBucket", DATA, "{StringLike: {s3:prefix: tenants/acme/*}}"),
            (
                "glue:UpdateTable",
                "!Sub 'arn:${AWS::Partition}:glue:a:${AWS::AccountId}:table/db/acme_activity'",
                "{}",
            ),
            (
                "iam:PassRole",
                "!Sub 'arn:aws:iam::${AWS::AccountId}:role/oort-staging-acme-x'",
                "{}",
            ),
            ("sns:Publish", "!ImportValue oort-staging-NotificationTopicArn", "{}"),
            (
                "ecs:TagResource",
                "!Sub 'arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:task/oort-staging/*'",
                "{StringEquals: {ecs:CreateAction: RunTask}}",
            ),
        ] {
            let template = policy(action, resource, condition);
            assert_eq!(found("own-objects-only", &template), [""; 0], "{template}");
        }
        for (action, resource, condition) in [
            ("s3:GetObject", objects("tenants/globex/*").as_str(), "{}"),
            ("s3:GetObject", objects("tenants/acme*").as_str(), "{}"),
            ("s3:GetObject", objects("tenants/*").as_str(), "{}"),
            ("s3:GetObject", objects("*").as_str(), "{}"),
            ("s3:GetObject", DATA, "{}"),
            ("s3:ListBucket", DATA, "{}"),
            ("s3:ListBucket", DATA, "{StringLike: {s3:prefix: tenants/*}}"),
            ("s3:ListBucket", DATA, "{StringLike: {s3:prefix: tenants/acme*}}"),
            (
                "sqs:ReceiveMessage",
                "!ImportValue oort-staging-ScheduleDeadLetterQueueArn",
                "{}",
            ),
            ("kms:Decrypt", "!ImportValue oort-staging-DataKeyArn", "{}"),
            ("sqs:SendMessage", "!Sub 'arn:aws:sqs:a:1:oort-staging-acme-*'", "{}"),
            ("sqs:SendMessage", "'arn:aws:sqs:a:1:oort-staging-globex-events'", "{}"),
            ("glue:UpdateTable", "'arn:aws:glue:a:1:table/db/globex_activity'", "{}"),
            (
                "sqs:SendMessage",
                "!ImportValue oort-production-NotificationTopicArn",
                "{}",
            ),
        ] {
            let template = policy(action, resource, condition);
            assert_eq!(found("own-objects-only", &template).len(), 1, "{template}");
            assert_eq!(found_in_foundation("own-objects-only", &template), [""; 0]);
        }
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
