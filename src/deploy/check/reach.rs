//! What a tenant's policies reach: the tenant's own, and of what is shared only what is listed here with its reason.

use crate::deploy::check::cursor::{Cursor, Part, has_wildcard, parts, segments};
use crate::deploy::check::isolation::is_under;
use crate::deploy::check::policy::{Statement, allowing};
use crate::deploy::check::{Admitted, Found, Rule, Severity, Template};
use crate::model::name::TenantId;
use crate::model::resources::{devices_table, table_name, users_table};

pub const RULES: &[Rule] = &[Rule {
    id: "own-objects-only",
    severity: Severity::Error,
    demand: "A tenant's policies reach the stack's own resources, objects under tenants/<tenant>/, the tenant's table, and of what is shared only what is listed.",
    why: "This is what keeps one tenant's events from another, whatever the program that runs with the role does.",
    help: "Name a resource of this stack, or add the tenant's prefix. If all tenants must share the resource, it is listed in the rule with its reason.",
    admits: &ADMITS,
    find: own_objects,
}];

/// Something shared that a tenant's policy may name.
struct Shared {
    /// As `text_of` gives it, with `{env}` for the environment.
    resource: &'static str,
    actions: &'static [&'static str],
    /// A condition key that the statement must have.
    condition: Option<&'static str>,
    admitted: Admitted,
}

const SHARED: [Shared; 7] = [
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

fn own_objects(template: &Template<'_>) -> Vec<Found> {
    let Some(tenant) = template.subject.tenant else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for statement in allowing(template) {
        for resource in statement.resources() {
            let text = resource.text();
            if !(is_own(template, tenant, statement, &text) || is_shared(template, statement, &text)) {
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
    if let Some((_, name)) = resource.split_once(":secret:") {
        let own = format!("oort/{}/{tenant}/", template.subject.environment);
        return name.starts_with(&own);
    }
    let prefix = template.prefix();
    let tables = [table_name, users_table, devices_table].map(|name| name(tenant.as_str()));
    // A wildcard after the prefix would also reach a tenant whose ID starts with this one's.
    let names_own = |piece: &String| !has_wildcard(piece) && (is_under(piece, &prefix, '-') || tables.contains(piece));
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

#[cfg(test)]
mod tests {
    use crate::deploy::check::planted::{found, found_in_foundation};

    fn policy(action: &str, resource: &str, condition: &str) -> String {
        format!(
            "Resources: {{Queue: {{Type: AWS::SQS::Queue}}, Role: {{Type: AWS::IAM::Role, Properties: {{Policies: [{{PolicyDocument: {{Statement: [{{Effect: Allow, Action: {action}, Resource: {resource}, Condition: {condition}}}]}}}}]}}}}}}\n"
        )
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
                "secretsmanager:GetSecretValue",
                "!Sub 'arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:oort/staging/acme/hook-??????'",
                "{}",
            ),
            (
                "iam:PassRole",
                "!Sub 'arn:aws:iam::${AWS::AccountId}:role/oort-staging-acme-x'",
                "{}",
            ),
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
                "secretsmanager:GetSecretValue",
                "'arn:aws:secretsmanager:a:1:secret:oort/staging/globex/hook-??????'",
                "{}",
            ),
            (
                "secretsmanager:GetSecretValue",
                "'arn:aws:secretsmanager:a:1:secret:oort/staging/acme-two/oort-staging-acme-x-??????'",
                "{}",
            ),
            ("sqs:SendMessage", "!ImportValue oort-production-AlarmTopicArn", "{}"),
        ] {
            let template = policy(action, resource, condition);
            assert_eq!(found("own-objects-only", &template).len(), 1, "{template}");
            assert_eq!(found_in_foundation("own-objects-only", &template), [""; 0]);
        }
    }
}
