use super::*;

const STACK: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties:
      Name: "aws.partner/okta.com/acme/one"
      EventSourceName: "aws.partner/okta.com/acme/one"
  Archive:
    Type: AWS::Events::Archive
    Properties:
      SourceArn:
        Fn::GetAtt: [Bus, Arn]
  DeadLetters:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: 1209600
  Events:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 900
      RedrivePolicy:
        deadLetterTargetArn:
          Fn::GetAtt: [DeadLetters, Arn]
        maxReceiveCount: 5
  SystemLog:
    Type: AWS::Events::Rule
    Properties:
      EventBusName:
        Ref: Bus
      EventPattern:
        account:
          - Ref: AWS::AccountId
        region:
          - Fn::Sub: "${AWS::Region}"
        source:
          - prefix:
              Fn::Join: ["/", [aws.partner, okta.com, acme]]
          - Fn::GetAtt: [Bus, Name]
      State: ENABLED
      Targets:
        - Id: queue
          Arn:
            Fn::GetAtt: [Events, Arn]
  DetectorTask:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - Name: oort
          Command: ["detect"]
          Environment:
            - Name: OORT_TENANT
              Value: "acme"
            - Name: OORT_QUEUE_URL
              Value:
                Ref: Events
  Detector:
    Type: AWS::Scheduler::Schedule
    Properties:
      FlexibleTimeWindow:
        Mode: FLEXIBLE
        MaximumWindowInMinutes: 15
      ScheduleExpression: "cron(15 3 * * ? *)"
      ScheduleExpressionTimezone: "America/New_York"
      Target:
        Arn:
          Fn::ImportValue: cluster
        EcsParameters:
          TaskDefinitionArn:
            Ref: DetectorTask
  Asleep:
    Type: AWS::Scheduler::Schedule
    Properties:
      State: DISABLED
  Alerts:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn:
        Fn::ImportValue: topic
      Protocol: email
      Endpoint: "soc@acme.example"
      FilterPolicy:
        severity: ["high", "critical"]
        tenant: ["acme"]
"#;

fn read(text: &str) -> Result<TwinStack> {
    let pseudo = Pseudo {
        account: "012345678901".to_owned(),
        region: "us-east-2".to_owned(),
    };
    TwinStack::parse("snapshots/local/acme.yaml", text, &pseudo)
}

#[test]
fn the_whole_stack_is_read() {
    insta::assert_debug_snapshot!(read(STACK).unwrap(), @r#"
    TwinStack {
        event_source: "aws.partner/okta.com/acme/one",
        account: "012345678901",
        rules: [
            TwinRule {
                name: "SystemLog",
                pattern: Object {
                    "account": Array [
                        String("012345678901"),
                    ],
                    "region": Array [
                        String("us-east-2"),
                    ],
                    "source": Array [
                        Object {
                            "prefix": String("aws.partner/okta.com/acme"),
                        },
                        String("aws.partner/okta.com/acme/one"),
                    ],
                },
            },
        ],
        queue: QueueSettings {
            visibility_timeout: 900s,
            receive_limit: Some(
                5,
            ),
        },
        schedules: [
            TwinSchedule {
                name: "Detector",
                expression: Schedule(cron(15 3 * * ? *)),
                time_zone: TimeZone(
                    TZif(
                        "America/New_York",
                    ),
                ),
                jitter: 900s,
                command: [
                    "detect",
                ],
                environment: {
                    "OORT_TENANT": "acme",
                },
            },
        ],
        subscriptions: [
            Subscription {
                name: "Alerts",
                protocol: "email",
                endpoint: "soc@acme.example",
                filter_policy: Some(
                    Object {
                        "severity": Array [
                            String("high"),
                            String("critical"),
                        ],
                        "tenant": Array [
                            String("acme"),
                        ],
                    },
                ),
            },
        ],
    }
    "#);
}

#[test]
fn defaults_are_those_of_aws() {
    let plain = STACK
        .replace("      VisibilityTimeout: 900\n", "")
        .replace("      ScheduleExpressionTimezone: \"America/New_York\"\n", "")
        .replace(
            "        Mode: FLEXIBLE\n        MaximumWindowInMinutes: 15\n",
            "        Mode: \"OFF\"\n",
        );
    let start = plain.find("      RedrivePolicy").unwrap();
    let end = plain.find("  SystemLog").unwrap();
    let twin = read(
        &format!("{}{}", &plain[..start].replace("EventPattern", "x"), &plain[end..]).replace(
            "  Events:\n    Type: AWS::SQS::Queue\n    Properties:\n",
            "  Events:\n    Type: AWS::SQS::Queue\n",
        ),
    )
    .unwrap();
    assert_eq!(
        twin.queue,
        QueueSettings {
            visibility_timeout: Duration::from_secs(30),
            receive_limit: None
        }
    );
    assert_eq!(
        (twin.schedules[0].jitter, &twin.schedules[0].time_zone),
        (Duration::ZERO, &TimeZone::UTC)
    );
}

/// What is replaced in the stack, by what, and what is said of it.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "  Bus:\n    Type: AWS::Events::EventBus",
        "  Bus:\n    Type: AWS::S3::Bucket",
        "AWS::Events::EventBus: the stack has none; one is expected",
    ),
    (
        "  Archive:\n    Type: AWS::Events::Archive",
        "  Archive:\n    Type: AWS::Events::EventBus",
        "AWS::Events::EventBus: the stack has `Archive` and `Bus`; one is expected",
    ),
    (
        "EventSourceName: \"aws.partner/okta.com/acme/one\"",
        "EventSourceName: other",
        "resource `Bus` (AWS::Events::EventBus), EventSourceName: `other` differs from the bus's name `aws.partner/okta.com/acme/one`",
    ),
    (
        "      State: ENABLED",
        "      State: DISABLED",
        "AWS::Events::Rule: no enabled rule of the bus `Bus` has a target that is an AWS::SQS::Queue of this stack",
    ),
    (
        "Fn::GetAtt: [Events, Arn]",
        "Ref: Elsewhere",
        "AWS::Events::Rule: no enabled rule of the bus `Bus` has a target that is an AWS::SQS::Queue of this stack",
    ),
    (
        "        - Id: queue",
        "        - Id: queue\n          InputPath: $.detail",
        "resource `SystemLog` (AWS::Events::Rule), Targets/0/InputPath: is not supported by the embedded target",
    ),
    (
        "- Ref: AWS::AccountId",
        "- Ref: Elsewhere",
        "resource `SystemLog` (AWS::Events::Rule), EventPattern: `Elsewhere` has no value outside AWS",
    ),
    (
        "- Fn::GetAtt: [Bus, Name]",
        "- Fn::GetAtt: [Bus, Arn]",
        "resource `SystemLog` (AWS::Events::Rule), EventPattern: `Bus.Arn` has no value outside AWS",
    ),
    (
        "- Fn::Sub: \"${AWS::Region}\"",
        "- Fn::Sub: \"${AWS::Region\"",
        "resource `SystemLog` (AWS::Events::Rule), EventPattern: `${AWS::Region` has `${` without `}`",
    ),
    (
        "Fn::GetAtt: [DeadLetters, Arn]",
        "Fn::GetAtt: [Bus, Arn]",
        "resource `Events` (AWS::SQS::Queue), RedrivePolicy/deadLetterTargetArn: `{\"Fn::GetAtt\":[\"Bus\",\"Arn\"]}` refers to no AWS::SQS::Queue of this stack",
    ),
    (
        "        maxReceiveCount: 5\n",
        "",
        "resource `Events` (AWS::SQS::Queue), RedrivePolicy/maxReceiveCount: is missing",
    ),
    (
        "maxReceiveCount: 5",
        "maxReceiveCount: 0",
        "resource `Events` (AWS::SQS::Queue), RedrivePolicy/maxReceiveCount: must be from 1 to 1000",
    ),
    (
        "VisibilityTimeout: 900",
        "VisibilityTimeout: soon",
        "resource `Events` (AWS::SQS::Queue), VisibilityTimeout: `\"soon\"` is not a whole number",
    ),
    (
        "VisibilityTimeout: 900",
        "DelaySeconds: 10",
        "resource `Events` (AWS::SQS::Queue), DelaySeconds: is not supported by the embedded target",
    ),
    (
        "cron(15 3 * * ? *)",
        "rate(banana)",
        "resource `Detector` (AWS::Scheduler::Schedule), ScheduleExpression: cannot be followed",
    ),
    (
        "America/New_York",
        "Mars/Olympus",
        "resource `Detector` (AWS::Scheduler::Schedule), ScheduleExpressionTimezone: the time zone `Mars/Olympus` is not known on this machine",
    ),
    (
        "Mode: FLEXIBLE",
        "Mode: WILD",
        "resource `Detector` (AWS::Scheduler::Schedule), FlexibleTimeWindow/Mode: must be OFF or FLEXIBLE",
    ),
    (
        "Ref: DetectorTask",
        "Ref: Events",
        "resource `Detector` (AWS::Scheduler::Schedule), Target/EcsParameters/TaskDefinitionArn: `{\"Ref\":\"Events\"}` refers to no AWS::ECS::TaskDefinition of this stack",
    ),
    (
        "          Command: [\"detect\"]\n",
        "",
        "resource `DetectorTask` (AWS::ECS::TaskDefinition), ContainerDefinitions/0/Command: is missing",
    ),
    (
        "Command: [\"detect\"]",
        "Command: detect",
        "resource `DetectorTask` (AWS::ECS::TaskDefinition), ContainerDefinitions/0/Command: is not a list of texts",
    ),
    (
        "      Protocol: email\n",
        "",
        "resource `Alerts` (AWS::SNS::Subscription), Protocol: is missing",
    ),
    (
        "      FilterPolicy:",
        "      FilterPolicyScope: MessageBody\n      FilterPolicy:",
        "resource `Alerts` (AWS::SNS::Subscription), FilterPolicyScope: only MessageAttributes is supported by the embedded target",
    ),
    (
        "Resources:",
        "Outputs:",
        "template: has no `Resources`; a rendered stack is expected",
    ),
    ("Resources:", "Resources: [", "template: is not readable YAML"),
];

#[test]
fn what_is_wrong_names_the_file_the_resource_and_the_property() {
    for &(from, to, message) in WRONG {
        assert!(STACK.contains(from), "{from}");
        let error = read(&STACK.replacen(from, to, 1)).expect_err(to);
        assert_eq!(error.to_string(), format!("snapshots/local/acme.yaml: {message}"));
    }
}

#[test]
fn substitution_follows_cloudformation() {
    let table = [
        (
            "\"arn:${AWS::Partition}:${AWS::Region}:${AWS::AccountId}\"",
            "arn:aws:us-east-2:012345678901",
        ),
        (
            "\"${!Literal} ${Bus} ${Bus.Name}\"",
            "${Literal} aws.partner/okta.com/acme/one aws.partner/okta.com/acme/one",
        ),
        (
            "[\"${who}@${AWS::URLSuffix}\", {who: {Ref: AWS::AccountId}}]",
            "012345678901@amazonaws.com",
        ),
    ];
    for (sub, expected) in table {
        let text = STACK.replace("\"soc@acme.example\"", &format!("\n        Fn::Sub: {sub}"));
        assert_eq!(read(&text).unwrap().subscriptions[0].endpoint, expected);
    }
}
