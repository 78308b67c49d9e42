//! What policies allow, on what.

use crate::deploy::check::cursor::{Cursor, has_wildcard, segments};
use crate::deploy::check::policy::{Attached, Statement, allowing, is_account, names_account};
use crate::deploy::check::{Admitted, Found, Rule, Severity, Template};

pub const RULES: &[Rule] = &[
    Rule {
        id: "iam-action-wildcard",
        severity: Severity::Error,
        demand: "A policy allows actions by their full names.",
        why: "A wildcard also allows what the service adds later, and nobody reviews that. NotAction allows everything else.",
        help: "List the actions that are needed by name.",
        admits: &[ACCOUNT_KEEPS_KEY],
        find: action_wildcard,
    },
    Rule {
        id: "iam-resource-wildcard",
        severity: Severity::Error,
        demand: "A policy allows actions on resources that it names.",
        why: "With a wildcard one leaked role reaches what belongs to others. NotResource allows everything else.",
        help: "Name the resource by a reference, an import or a whole ARN.",
        admits: &[NO_RESOURCE, KEY_ITSELF, OBJECTS, TASK_AT_START, SECRET_BY_NAME],
        find: resource_wildcard,
    },
    Rule {
        id: "pass-role-to-one-service",
        severity: Severity::Error,
        demand: "A role is passed on only to a service that is named.",
        why: "Who may pass a role to any service can use all that the role may do.",
        help: "Add the condition StringEquals iam:PassedToService.",
        admits: &[],
        find: pass_role,
    },
    Rule {
        id: "policy-as-text",
        severity: Severity::Error,
        demand: "A policy is written as YAML.",
        why: "What stands in a text is seen by no rule.",
        help: "Write the policy's statements as YAML.",
        admits: &[],
        find: policy_as_text,
    },
];

const ACCOUNT_KEEPS_KEY: Admitted = Admitted {
    what: "kms:* for the account's root in a key policy",
    reason: "A key that the account's administrators cannot manage may be lost for good (KMS developer guide, default key policy).",
};
const NO_RESOURCE: Admitted = Admitted {
    what: "ecr:GetAuthorizationToken on *",
    reason: "The call takes no resource (service authorization reference, Amazon ECR).",
};
const KEY_ITSELF: Admitted = Admitted {
    what: "Resource * in a key policy",
    reason: "There it means the key that the policy belongs to (KMS developer guide, key policies).",
};
const OBJECTS: Admitted = Admitted {
    what: "<bucket>/<prefix>/* for actions on objects",
    reason: "Names of objects are not known beforehand; own-objects-only holds a tenant's prefix.",
};
const TASK_AT_START: Admitted = Admitted {
    what: "ecs:TagResource on task/<cluster>/* while RunTask creates the task",
    reason: "A task has no name before it runs; the condition ecs:CreateAction admits no other time.",
};
/// What stands for the end of a secret's name.
const ENDING: &str = "-??????";
const SECRET_BY_NAME: Admitted = Admitted {
    what: "<secret's name>-?????? for secretsmanager:GetSecretValue",
    reason: "Secrets Manager adds six characters of its own to a name (its user guide, IAM policy examples); own-objects-only holds the name.",
};

fn action_wildcard(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for statement in allowing(template) {
        if let Some(not) = statement.at.get("NotAction") {
            found.push(not.found("NotAction allows every action besides those it lists"));
        }
        for action in statement.actions() {
            let name = action.text();
            if has_wildcard(&name) && !is_account_keeping_its_key(statement, &name) {
                found.push(action.found(format!("the action `{name}` is a wildcard")));
            }
        }
    }
    found
}

fn is_account_keeping_its_key(statement: &Statement<'_>, action: &str) -> bool {
    let principals = statement.principals();
    let is_root = |(kind, principal): &(&str, Cursor<'_>)| {
        let text = principal.text();
        *kind == "AWS"
            && (is_account(&text) || names_account(&text) && segments(&text).last().is_some_and(|name| name == "root"))
    };
    statement.attached == Attached::Key && action == "kms:*" && !principals.is_empty() && principals.iter().all(is_root)
}

fn resource_wildcard(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for statement in allowing(template) {
        if let Some(not) = statement.at.get("NotResource") {
            found.push(not.found("NotResource allows every resource besides those it lists"));
        }
        for resource in statement.resources() {
            let name = resource.text();
            if has_wildcard(&name) && !is_wildcard_admitted(statement, &name) {
                let actions: Vec<String> = statement.actions().iter().map(Cursor::text).collect();
                found.push(resource.found(format!(
                    "`{}` is allowed on the wildcard `{name}`",
                    actions.join("`, `")
                )));
            }
        }
    }
    found
}

fn is_wildcard_admitted(statement: &Statement<'_>, resource: &str) -> bool {
    if resource == "*" {
        return statement.attached == Attached::Key || statement.acts_only_by(&["ecr:GetAuthorizationToken"]);
    }
    if let Some(secret) = resource.strip_suffix(ENDING).filter(|before| !has_wildcard(before)) {
        return secret.contains(":secret:") && statement.acts_only_by(&["secretsmanager:GetSecretValue"]);
    }
    let Some(before) = resource.strip_suffix("/*").filter(|before| !has_wildcard(before)) else {
        return false;
    };
    let is_beneath_cluster = segments(before).iter().rev().nth(1).is_some_and(|kind| kind == "task");
    is_objects(statement, before)
        || is_beneath_cluster
            && statement.acts_only_by(&["ecs:TagResource"])
            && !statement.required("ecs:CreateAction").is_empty()
}

/// Whether all actions are on objects, and `before` is a bucket with a prefix.
fn is_objects(statement: &Statement<'_>, before: &str) -> bool {
    let is_on_objects = |action: &Cursor<'_>| {
        let action = action.text().to_ascii_lowercase();
        action.starts_with("s3:") && (action.contains("object") || action.contains("multipartupload"))
    };
    let actions = statement.actions();
    let bucket_and_prefix = before.rsplit(":::").next().unwrap_or_default();
    !actions.is_empty() && actions.iter().all(is_on_objects) && segments(bucket_and_prefix).len() > 1
}

fn pass_role(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for statement in allowing(template) {
        let services = statement.required("iam:PassedToService");
        let is_bound = !services.is_empty() && !services.iter().any(|service| has_wildcard(&service.text()));
        for action in statement.actions() {
            if action.text().eq_ignore_ascii_case("iam:PassRole") && !is_bound {
                found.push(action.found("roles may be passed to any service"));
            }
        }
    }
    found
}

fn policy_as_text(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for resource in &template.resources {
        resource.at.walk(&mut |at| {
            let is_policy = ["Policy", "PolicyDocument", "PolicyText"]
                .iter()
                .any(|end| at.key().ends_with(end));
            if is_policy && at.text().contains("\"Statement\"") {
                found.push(at.found(format!("`{}` is a text", at.key())));
            }
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::deploy::check::planted::found;

    fn role(statement: &str) -> String {
        format!(
            "Resources: {{Role: {{Type: AWS::IAM::Role, Properties: {{Policies: [{{PolicyDocument: {{Statement: [{statement}]}}}}]}}}}}}\n"
        )
    }

    fn key(statement: &str) -> String {
        format!("Resources: {{Key: {{Type: AWS::KMS::Key, Properties: {{KeyPolicy: {{Statement: {statement}}}}}}}}}\n")
    }

    #[test]
    fn wildcard_actions_are_found_and_the_accounts_own_key_is_not() {
        for bad in [
            "{Effect: Allow, Action: 's3:*', Resource: a}",
            "{Effect: Allow, Action: [sqs:SendMessage, 'kms:ReEncrypt*'], Resource: a}",
            "{Effect: Allow, Action: 's3:Get?bject', Resource: a}",
            "{Effect: Allow, NotAction: 'iam:*', Resource: a}",
            "{Effect: Allow, Action: !If [c, s3:GetObject, '*'], Resource: a}",
            "{Action: '*', Resource: a}",
        ] {
            assert_eq!(found("iam-action-wildcard", &role(bad)).len(), 1, "{bad}");
        }
        for good in [
            "{Effect: Allow, Action: s3:GetObject, Resource: a}",
            "{Effect: Deny, Action: 's3:*', Resource: a}",
        ] {
            assert_eq!(found("iam-action-wildcard", &role(good)), [""; 0], "{good}");
        }
        let root = "!Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:root'";
        let own = key(&format!(
            "{{Effect: Allow, Principal: {{AWS: {root}}}, Action: 'kms:*', Resource: '*'}}"
        ));
        assert_eq!(found("iam-action-wildcard", &own), [""; 0]);
        for other in [
            "{AWS: 'arn:aws:iam::*:root'}",
            "{AWS: 'arn:aws:iam::123456789012:role/x'}",
            "{Service: logs.amazonaws.com}",
        ] {
            let template = key(&format!(
                "{{Effect: Allow, Principal: {other}, Action: 'kms:*', Resource: '*'}}"
            ));
            assert_eq!(found("iam-action-wildcard", &template).len(), 1, "{other}");
        }
    }

    #[test]
    fn wildcard_resources_are_found_unless_they_are_listed() {
        for bad in [
            "{Effect: Allow, Action: sqs:SendMessage, Resource: '*'}",
            "{Effect: Allow, Action: [ecr:GetAuthorizationToken, ecr:BatchGetImage], Resource: '*'}",
            "{Effect: Allow, Action: sqs:SendMessage, Resource: !Sub 'arn:${AWS::Partition}:sqs:us-east-2:${AWS::AccountId}:oort-*'}",
            "{Effect: Allow, Action: s3:GetObject, Resource: 'arn:aws:s3:::bucket/*'}",
            "{Effect: Allow, Action: s3:GetObject, Resource: !Sub '${Bucket.Arn}/*'}",
            "{Effect: Allow, Action: s3:GetObject, Resource: 'arn:aws:s3:::*/tenants/acme/*'}",
            "{Effect: Allow, Action: [s3:GetObject, s3:ListBucket], Resource: !Sub '${Bucket.Arn}/tenants/acme/*'}",
            "{Effect: Allow, Action: ecs:TagResource, Resource: 'arn:aws:ecs:a:1:task/oort/*'}",
            "{Effect: Allow, Action: ecs:StopTask, Resource: 'arn:aws:ecs:a:1:task/oort/*', Condition: {StringEquals: {ecs:CreateAction: RunTask}}}",
            "{Effect: Allow, Action: sqs:SendMessage, NotResource: a}",
        ] {
            assert_eq!(found("iam-resource-wildcard", &role(bad)).len(), 1, "{bad}");
        }
        for good in [
            "{Effect: Allow, Action: ecr:getauthorizationtoken, Resource: '*'}",
            "{Effect: Allow, Action: s3:GetObject, Resource: !Sub '${Bucket.Arn}/tenants/acme/*'}",
            "{Effect: Allow, Action: ecs:TagResource, Resource: 'arn:aws:ecs:a:1:task/oort/*', Condition: {StringEquals: {ecs:CreateAction: RunTask}}}",
            "{Effect: Allow, Action: sqs:SendMessage, Resource: !GetAtt Queue.Arn}",
            "{Effect: Deny, Action: sqs:SendMessage, Resource: '*'}",
        ] {
            assert_eq!(found("iam-resource-wildcard", &role(good)), [""; 0], "{good}");
        }
        let own = key("{Effect: Allow, Principal: {Service: logs.amazonaws.com}, Action: kms:Decrypt, Resource: '*'}");
        assert_eq!(found("iam-resource-wildcard", &own), [""; 0]);
    }

    #[test]
    fn a_passed_role_goes_to_one_service() {
        let statement = |condition: &str| {
            role(&format!(
                "{{Effect: Allow, Action: [iam:passrole], Resource: r, Condition: {condition}}}"
            ))
        };
        assert_eq!(
            found(
                "pass-role-to-one-service",
                &statement("{StringEquals: {iam:PassedToService: ecs-tasks.amazonaws.com}}")
            ),
            [""; 0]
        );
        for bad in [
            "{}",
            "{StringLike: {iam:PassedToService: '*'}}",
            "{StringEqualsIfExists: {iam:PassedToService: a}}",
        ] {
            assert_eq!(found("pass-role-to-one-service", &statement(bad)).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_policy_in_a_text_is_found() {
        let text = "Resources: {P: {Type: AWS::Logs::ResourcePolicy, Properties: {PolicyDocument: !Sub '{\"Statement\": []}'}}}\n";
        assert_eq!(found("policy-as-text", text).len(), 1);
        assert_eq!(
            found("policy-as-text", &role("{Effect: Allow, Action: a, Resource: b}")),
            [""; 0]
        );
    }
}
