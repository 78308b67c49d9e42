//! A tenant's roles reach nothing of another tenant: every action that the rendered policies name, and the worst of the
//! others, is asked for on every resource of the other, and IAM's own rules decide.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use self::policy::{Policy, Request, is_allowed, matches};
use crate::emulator::{PRODUCTION, STAGING};
use crate::rendered::{self, Stack};

mod policy;

const REGION: &str = "us-east-2";
const MINE: &str = "acme";
const THEIRS: &str = "initech";
/// What nobody's task may do to anybody, itself included, unless a policy says so.
const WORST: [&str; 34] = [
    "sqs:SendMessage",
    "sqs:PurgeQueue",
    "sqs:DeleteQueue",
    "sqs:SetQueueAttributes",
    "sqs:StartMessageMoveTask",
    "sns:Subscribe",
    "sns:SetTopicAttributes",
    "sns:DeleteTopic",
    "s3:GetObjectVersion",
    "s3:DeleteObjectVersion",
    "s3:PutObjectAcl",
    "s3:PutBucketPolicy",
    "s3:GetBucketPolicy",
    "s3:ListBucketVersions",
    "events:PutEvents",
    "events:PutRule",
    "events:PutTargets",
    "events:DeleteRule",
    "events:DeleteEventBus",
    "events:StartReplay",
    "glue:DeleteTable",
    "glue:GetTables",
    "glue:DeleteDatabase",
    "iam:PutRolePolicy",
    "iam:PassRole",
    "sts:AssumeRole",
    "ecs:RunTask",
    "ecs:StopTask",
    "ecs:RegisterTaskDefinition",
    "scheduler:UpdateSchedule",
    "scheduler:DeleteSchedule",
    "kms:Decrypt",
    "kms:ScheduleKeyDeletion",
    "logs:DeleteLogGroup",
];

struct Account {
    stacks: BTreeMap<String, Stack>,
    policies: Vec<Policy>,
    id: &'static str,
    environment: &'static str,
}

impl Account {
    fn read(environment: &'static str, account: &'static str) -> Self {
        let stacks = rendered::read(environment, account, REGION);
        let policies = stacks.values().flat_map(policies).collect();
        Self {
            stacks,
            policies,
            id: account,
            environment,
        }
    }

    fn roles(&self, tenant: &str) -> Vec<String> {
        let roles = self.stacks[tenant].of_type("AWS::IAM::Role");
        roles.map(|(_, role)| role_arn(self.id, role)).collect()
    }

    fn bucket(&self) -> String {
        format!("arn:aws:s3:::oort-{}-data-{}-{REGION}", self.environment, self.id)
    }

    /// The ARNs of all that is a tenant's, with objects, tables and running tasks that no template names.
    fn belongings(&self, tenant: &str) -> Vec<String> {
        let (account, environment) = (self.id, self.environment);
        let here = |service: &str, rest: &str| format!("arn:aws:{service}:{REGION}:{account}:{rest}");
        let mut all: Vec<String> = Vec::new();
        for (kind, service, before, name, after) in [
            ("AWS::SQS::Queue", "sqs", "", "QueueName", ""),
            ("AWS::SNS::Topic", "sns", "", "TopicName", ""),
            ("AWS::Events::EventBus", "events", "event-bus/", "Name", ""),
            ("AWS::Events::Archive", "events", "archive/", "ArchiveName", ""),
            ("AWS::ECS::TaskDefinition", "ecs", "task-definition/", "Family", ":1"),
        ] {
            let found = self.stacks[tenant].of_type(kind);
            let arns: Vec<String> = found
                .map(|(_, resource)| {
                    here(
                        service,
                        &format!("{before}{}{after}", text(&resource["Properties"][name])),
                    )
                })
                .collect();
            assert!(!arns.is_empty(), "{tenant} has no {kind}");
            all.extend(arns);
        }
        all.extend(self.roles(tenant));
        for (_, schedule) in self.stacks[tenant].of_type("AWS::Scheduler::Schedule") {
            let name = text(&schedule["Properties"]["Name"]);
            all.push(here("scheduler", &format!("schedule/oort-{environment}/{name}")));
        }
        let bus = self.stacks[tenant].of_type("AWS::Events::Rule").next().unwrap().1;
        let (bus, rule) = (
            text(&bus["Properties"]["EventBusName"]),
            text(&bus["Properties"]["Name"]),
        );
        all.push(here("events", &format!("rule/{bus}/{rule}")));
        for key in [
            "segments/000000000000.jsonl.zst",
            "activity/metadata/0.metadata.json",
            "",
        ] {
            all.push(format!("{}/tenants/{tenant}/{key}", self.bucket()));
        }
        all.push(here(
            "glue",
            &format!("table/oort_{environment}_logs/{tenant}_activity"),
        ));
        all.push(self.secret(tenant, "slack-webhook"));
        all
    }

    /// A secret, with the characters that Secrets Manager ends its name with.
    fn secret(&self, tenant: &str, name: &str) -> String {
        let (environment, account) = (self.environment, self.id);
        format!("arn:aws:secretsmanager:{REGION}:{account}:secret:oort/{environment}/{tenant}/{name}-a1B2c3")
    }

    /// Every action that a policy names, and the worst.
    fn actions(&self) -> BTreeSet<String> {
        let named = self.policies.iter().flat_map(|policy| {
            let statements = policy.document["Statement"].as_array().unwrap().iter();
            statements.flat_map(|statement| match &statement["Action"] {
                Value::Array(actions) => actions.iter().map(text).collect::<Vec<_>>(),
                one => vec![text(one)],
            })
        });
        let actions: BTreeSet<String> = named.chain(WORST.map(ToOwned::to_owned)).collect();
        actions.into_iter().filter(|action| !action.contains('*')).collect()
    }

    fn allows(&self, principal: &str, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
        // What a task can always say of itself.
        let mut all = BTreeMap::from([("aws:SecureTransport", "true"), ("aws:SourceAccount", self.id)]);
        all.extend(context.iter().copied());
        is_allowed(
            &self.policies,
            &Request {
                principal,
                action,
                resource,
                context: all,
            },
        )
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn role_arn(account: &str, role: &Value) -> String {
    format!("arn:aws:iam::{account}:role/{}", text(&role["Properties"]["RoleName"]))
}

/// Every policy of a stack: of its roles, and of its queues, topics, buckets and keys.
fn policies(stack: &Stack) -> Vec<Policy> {
    let mut all = Vec::new();
    for resource in stack.resources.values() {
        let properties = &resource["Properties"];
        match text(&resource["Type"]).as_str() {
            "AWS::IAM::Role" => {
                let account = text(
                    &properties["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"],
                );
                for policy in properties["Policies"].as_array().unwrap() {
                    all.push(Policy {
                        role: Some(role_arn(&account, resource)),
                        document: policy["PolicyDocument"].clone(),
                    });
                }
                assert!(
                    properties.get("ManagedPolicyArns").is_none(),
                    "a managed policy is not read here"
                );
            }
            "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy" | "AWS::S3::BucketPolicy" => all.push(Policy {
                role: None,
                document: properties["PolicyDocument"].clone(),
            }),
            "AWS::KMS::Key" => all.push(Policy {
                role: None,
                document: properties["KeyPolicy"].clone(),
            }),
            other => assert!(
                !other.ends_with("Policy") && !other.ends_with("Permission"),
                "{other} is not read here"
            ),
        }
    }
    all
}

fn environments() -> [Account; 2] {
    [
        Account::read("staging", STAGING),
        Account::read("production", PRODUCTION),
    ]
}

/// What a task can say of a request to make it look better than it is.
fn pretexts(account: &Account) -> Vec<Vec<(&'static str, String)>> {
    let prefix = |tenant: &str| vec![("s3:prefix", format!("tenants/{tenant}/"))];
    let through = |service: &str| vec![("kms:ViaService", format!("{service}.{REGION}.amazonaws.com"))];
    vec![
        Vec::new(),
        prefix(MINE),
        prefix(THEIRS),
        through("sqs"),
        vec![("iam:PassedToService", "ecs-tasks.amazonaws.com".to_owned())],
        vec![(
            "ecs:cluster",
            format!(
                "arn:aws:ecs:{REGION}:{}:cluster/oort-{}",
                account.id, account.environment
            ),
        )],
    ]
}

#[test]
fn no_role_of_a_tenant_reaches_what_is_another_tenants() {
    for account in environments() {
        let mut asked = 0;
        for role in account.roles(MINE) {
            for resource in account.belongings(THEIRS) {
                for action in account.actions() {
                    for pretext in pretexts(&account) {
                        let context: Vec<_> = pretext.iter().map(|(key, value)| (*key, value.as_str())).collect();
                        assert!(
                            !account.allows(&role, &action, &resource, &context),
                            "{role} may {action} on {resource} with {context:?}"
                        );
                        asked += 1;
                    }
                }
            }
        }
        assert!(asked > 10_000, "{asked} requests only");
    }
}

#[test]
fn of_the_shared_bucket_a_role_sees_its_tenants_part_only() {
    for account in environments() {
        for role in account.roles(MINE).iter().filter(|role| !role.ends_with("-launch")) {
            let list = |context: &[(&str, &str)]| account.allows(role, "s3:ListBucket", &account.bucket(), context);
            assert!(list(&[("s3:prefix", "tenants/acme/segments/")]));
            for prefix in [
                "",
                "tenants/",
                "tenants/acme",
                "tenants/initech/",
                "tenants/acme-2/",
                "templates/",
            ] {
                assert!(!list(&[("s3:prefix", prefix)]), "{role} lists {prefix:?}");
            }
            assert!(!list(&[]), "{role} lists everything");
            for key in ["templates/x.yaml", "tenants/acme-2/segments/0", "tenants/acme"] {
                let object = format!("{}/{key}", account.bucket());
                assert!(
                    !account.allows(role, "s3:GetObject", &object, &[]),
                    "{role} reads {key}"
                );
            }
        }
    }
}

#[test]
fn a_role_reaches_what_its_own_task_needs() {
    for account in environments() {
        let stack = format!("oort-{}-{MINE}", account.environment);
        let role = |name: &str| format!("arn:aws:iam::{}:role/{stack}-{name}", account.id);
        let here = |service: &str, rest: &str| format!("arn:aws:{service}:{REGION}:{}:{rest}", account.id);
        let (detector, compactor, maintainer) = (role("detector"), role("compactor"), role("maintainer"));
        let queue = here("sqs", &format!("{stack}-events"));
        let object = format!("{}/tenants/{MINE}/segments/0", account.bucket());
        let delivered = format!("{}/tenants/{MINE}/outbox/1.json", account.bucket());
        let table = here(
            "glue",
            &format!("table/oort_{}_logs/{MINE}_activity", account.environment),
        );
        let plain: &[(&str, &str)] = &[];
        for (who, action, what) in [
            (&detector, "sqs:ReceiveMessage", &queue),
            (&detector, "sqs:DeleteMessage", &queue),
            (&detector, "sqs:ChangeMessageVisibility", &queue),
            (&detector, "sqs:GetQueueAttributes", &queue),
            (&detector, "s3:GetObject", &object),
            (&detector, "s3:PutObject", &object),
            (&detector, "sns:Publish", &here("sns", &format!("{stack}-findings"))),
            (&compactor, "s3:GetObject", &object),
            (&compactor, "s3:PutObject", &object),
            (&compactor, "glue:GetTable", &table),
            (&compactor, "glue:UpdateTable", &table),
            (&detector, "s3:DeleteObject", &delivered),
            (&maintainer, "s3:DeleteObject", &object),
            (&maintainer, "glue:UpdateTable", &table),
        ] {
            assert!(
                account.allows(who, action, what, plain),
                "{who} may not {action} on {what}"
            );
        }
        assert!(!account.allows(&compactor, "sqs:ReceiveMessage", &queue, plain));
        assert!(!account.allows(&detector, "glue:UpdateTable", &table, plain));
        assert!(!account.allows(&detector, "s3:DeleteObject", &object, plain));
        assert!(!account.allows(&compactor, "s3:DeleteObject", &object, plain));
        // Without encryption in transit nothing is allowed.
        let bare = [("aws:SecureTransport", "false")];
        assert!(!account.allows(&detector, "s3:GetObject", &object, &bare));
    }
}

#[test]
fn a_detector_reads_the_secrets_that_its_routes_name_and_no_others() {
    let [_, production] = environments();
    let role = |name: &str| format!("arn:aws:iam::{}:role/oort-production-initech-{name}", production.id);
    let reads = |who: &str, secret: &str| {
        production.allows(
            &role(who),
            "secretsmanager:GetSecretValue",
            &production.secret("initech", secret),
            &[],
        )
    };
    assert!(reads("detector", "slack-webhook") && reads("detector", "pagerduty-key"));
    assert!(reads("detector", "okta-key") && reads("reconciler", "okta-key") && !reads("reconciler", "slack-webhook"));
    assert!(!reads("compactor", "okta-key") && !reads("maintainer", "okta-key"));
    assert!(!reads("detector", "okta-token") && !reads("detector", "slack-webhook-2"));
    assert!(!reads("compactor", "slack-webhook") && !reads("maintainer", "slack-webhook"));
}

#[test]
fn a_policy_that_is_too_wide_is_found() {
    for (action, resource) in [
        ("s3:GetObject", "arn:aws:s3:::oort-staging-data-*/tenants/*"),
        ("sqs:*", "*"),
        ("glue:GetTable", "arn:aws:glue:us-east-2:*:table/oort_staging_logs/*"),
    ] {
        let mut account = Account::read("staging", STAGING);
        account.policies.push(Policy {
            role: Some(account.roles(MINE)[0].clone()),
            document: json!({"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}),
        });
        let mine = account.roles(MINE);
        let reached = account.belongings(THEIRS).iter().any(|resource| {
            let actions = account.actions();
            actions
                .iter()
                .any(|action| account.allows(&mine[0], action, resource, &[]))
        });
        assert!(reached, "{action} on {resource}");
    }
}

proptest! {
    #[test]
    fn a_pattern_matches_as_a_regular_expression_would(pattern in "[ab*?]{0,6}", text in "[ab]{0,6}") {
        let expression = format!("^{}$", pattern.replace('*', ".*").replace('?', "."));
        let expected = regex::Regex::new(&expression).unwrap().is_match(&text);
        prop_assert_eq!(matches(&pattern, &text), expected);
    }
}
