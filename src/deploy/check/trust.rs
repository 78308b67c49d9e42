//! Whom policies allow something.

use crate::deploy::check::cursor::has_wildcard;
use crate::deploy::check::policy::{Attached, allowing, is_account, names_account};
use crate::deploy::check::{Admitted, Found, Rule, Severity, Template};

pub const RULES: &[Rule] = &[
    Rule {
        id: "iam-anyone",
        severity: Severity::Error,
        demand: "A policy names whom it allows something.",
        why: "The principal * is everyone on the internet, with an AWS account or without.",
        help: "Name the service, the role or the account.",
        admits: &[],
        find: anyone,
    },
    Rule {
        id: "confused-deputy",
        severity: Severity::Error,
        demand: "What trusts an AWS service says for whom the service must act: a role by aws:SourceArn and aws:SourceAccount, another policy by one of them.",
        why: "Anyone's account can make a service act. Without these conditions the service can be sent here from another account.",
        help: "Add StringEquals aws:SourceAccount: {Ref: AWS::AccountId}, and ArnEquals or ArnLike aws:SourceArn with the account in it. Operators that end in IfExists or start with ForAllValues do not count.",
        admits: &[LOGS_CONTEXT],
        find: confused_deputy,
    },
];

const LOGS_CONTEXT: Admitted = Admitted {
    what: "a key policy for CloudWatch Logs with kms:EncryptionContext:aws:logs:arn",
    reason: "The condition names the log group, as the guide of CloudWatch Logs asks for.",
};

fn anyone(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for statement in allowing(template) {
        if let Some(not) = statement.at.get("NotPrincipal") {
            found.push(not.found("NotPrincipal allows everyone besides those it lists"));
        }
        for (_, principal) in statement.principals() {
            if has_wildcard(&principal.text()) {
                found.push(principal.found("this allows everyone"));
            }
        }
    }
    found
}

fn confused_deputy(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for statement in allowing(template) {
        let services = statement.services();
        if services.is_empty() {
            continue;
        }
        let account = statement.required("aws:SourceAccount");
        let arn = statement.required("aws:SourceArn");
        let has_account = !account.is_empty() && account.iter().all(|value| is_account(&value.text()));
        let has_arn = !arn.is_empty() && arn.iter().all(|value| names_account(&value.text()));
        let log_group = statement.required("kms:EncryptionContext:aws:logs:arn");
        let has_context = !log_group.is_empty() && log_group.iter().all(|value| names_account(&value.text()));
        let lacks = match (has_account, has_arn) {
            (true, true) => continue,
            _ if statement.attached == Attached::Key && has_context => continue,
            (true, false) if statement.attached == Attached::Trust => "aws:SourceArn",
            (false, true) if statement.attached == Attached::Trust => "aws:SourceAccount",
            (false, false) => "aws:SourceAccount or aws:SourceArn",
            _ => continue,
        };
        found.push(statement.found(format!(
            "`{}` is trusted without a condition on {lacks} that names the account",
            services.join("`, `")
        )));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::deploy::check::planted::found;

    fn key(statement: &str) -> String {
        format!("Resources: {{Key: {{Type: AWS::KMS::Key, Properties: {{KeyPolicy: {{Statement: {statement}}}}}}}}}\n")
    }

    fn trust(service: &str, condition: &str) -> String {
        format!(
            "Resources: {{Role: {{Type: AWS::IAM::Role, Properties: {{AssumeRolePolicyDocument: {{Statement: [{{Effect: Allow, Principal: {{Service: {service}}}, Action: sts:AssumeRole, Condition: {condition}}}]}}}}}}}}\n"
        )
    }

    #[test]
    fn everyone_is_found_where_something_is_allowed() {
        for (principal, count) in [
            ("Principal: '*'", 1),
            ("Principal: {AWS: '*'}", 1),
            ("Principal: {AWS: ['123456789012', 'arn:aws:iam::*:root']}", 1),
            ("NotPrincipal: {AWS: '123456789012'}", 1),
            ("Principal: {Service: events.amazonaws.com}", 0),
        ] {
            let statement = |effect: &str| {
                key(&format!(
                    "{{Effect: {effect}, {principal}, Action: kms:Decrypt, Resource: a}}"
                ))
            };
            assert_eq!(found("iam-anyone", &statement("Allow")).len(), count, "{principal}");
            assert_eq!(found("iam-anyone", &statement("Deny")), [""; 0], "{principal}");
        }
    }

    #[test]
    fn a_role_for_a_service_names_the_account_and_the_source() {
        const ACCOUNT: &str = "aws:SourceAccount: !Ref AWS::AccountId";
        const ARN: &str = "aws:SourceArn: !Sub 'arn:${AWS::Partition}:ecs:a:${AWS::AccountId}:*'";
        let good = format!("{{StringEquals: {{{ACCOUNT}}}, ArnLike: {{{ARN}}}}}");
        assert_eq!(
            found("confused-deputy", &trust("ecs-tasks.amazonaws.com", &good)),
            [""; 0]
        );
        assert_eq!(
            found(
                "confused-deputy",
                &trust("ecs-tasks.amazonaws.com", &format!("{{StringEquals: {{{ACCOUNT}}}}}"))
            ),
            [
                "/Resources/Role/Properties/AssumeRolePolicyDocument/Statement/0: `ecs-tasks.amazonaws.com` is trusted without a condition on aws:SourceArn that names the account"
            ]
        );
        for bad in [
            "{}".to_owned(),
            format!("{{ArnLike: {{{ARN}}}}}"),
            format!("{{StringEqualsIfExists: {{{ACCOUNT}}}, ArnLike: {{{ARN}}}}}"),
            format!("{{'ForAllValues:StringEquals': {{{ACCOUNT}}}, ArnLike: {{{ARN}}}}}"),
            format!("{{StringEquals: {{{ACCOUNT}}}, ArnLike: {{aws:SourceArn: '*'}}}}"),
            format!("{{StringEquals: {{{ACCOUNT}}}, ArnLike: {{aws:SourceArn: 'arn:aws:ecs:*:*:*'}}}}"),
            format!("{{StringLike: {{aws:SourceAccount: '*'}}, ArnLike: {{{ARN}}}}}"),
            format!("{{StringNotEquals: {{{ACCOUNT}}}, ArnLike: {{{ARN}}}}}"),
        ] {
            assert_eq!(
                found("confused-deputy", &trust("[ecs-tasks.amazonaws.com]", &bad)).len(),
                1,
                "{bad}"
            );
        }
        let person = trust("x", "{}").replace("Service: x", "AWS: '123456789012'");
        assert_eq!(found("confused-deputy", &person), [""; 0]);
    }

    #[test]
    fn a_resource_that_admits_a_service_names_the_account_or_the_source() {
        for (condition, count) in [
            ("{}", 1),
            ("{StringEquals: {aws:SourceAccount: '123456789012'}}", 0),
            ("{ArnEquals: {AWS:sourcearn: !GetAtt Rule.Arn}}", 0),
            (
                "{ArnLike: {'kms:EncryptionContext:aws:logs:arn': !Sub 'arn:aws:logs:a:${AWS::AccountId}:log-group:x'}}",
                0,
            ),
            ("{ArnLike: {'kms:EncryptionContext:aws:logs:arn': '*'}}", 1),
        ] {
            let template = key(&format!(
                "{{Effect: Allow, Principal: {{Service: logs.amazonaws.com}}, Action: kms:Decrypt, Resource: '*', Condition: {condition}}}"
            ));
            assert_eq!(found("confused-deputy", &template).len(), count, "{condition}");
        }
    }
}
