//! What is known of the resource types that are rendered, or soon could be: which properties replace a resource, what it
//! holds, and which of its lists have no order. Pure.
//!
//! Source: the resource provider schemas of CloudFormation. `tests/resource_types.py` compares the table with the copies
//! that cfn-lint carries.

/// A resource type of CloudFormation. Properties are paths joined by dots, `*` for the items of a list.
#[derive(Debug)]
pub struct ResourceType {
    pub name: &'static str,
    /// A change of these replaces the resource: the schema's `createOnlyProperties`.
    pub create_only: &'static [&'static str],
    /// A change of these may: the schema's `conditionalCreateOnlyProperties`.
    pub maybe_create_only: &'static [&'static str],
    /// The property that is its name, where one can be given.
    pub identifier: Option<&'static str>,
    pub holds: Holds,
    /// Lists whose order means nothing: `insertionOrder` is false in the schema, or the service says so.
    pub sets: &'static [&'static str],
    /// Lists whose items have names, and the key of the name.
    pub keyed: &'static [(&'static str, &'static str)],
}

/// What is lost with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Nothing,
    /// Messages, objects, logs, keys.
    Data,
    /// What arrives while an event bus is missing is dropped for good.
    Arrivals,
}

/// What is known of a type.
pub fn of(name: &str) -> Option<&'static ResourceType> {
    let index = TYPES.binary_search_by(|known| known.name.cmp(name)).ok()?;
    Some(&TYPES[index])
}

/// A type that holds nothing and has nothing but what its create-only properties say.
const fn plain(
    name: &'static str,
    create_only: &'static [&'static str],
    identifier: Option<&'static str>,
) -> ResourceType {
    ResourceType {
        name,
        create_only,
        maybe_create_only: &[],
        identifier,
        holds: Holds::Nothing,
        sets: &[],
        keyed: &[],
    }
}

const fn data(
    name: &'static str,
    create_only: &'static [&'static str],
    identifier: Option<&'static str>,
) -> ResourceType {
    ResourceType {
        holds: Holds::Data,
        ..plain(name, create_only, identifier)
    }
}

/// By name.
static TYPES: [ResourceType; 28] = [
    plain("AWS::CloudWatch::Alarm", &["AlarmName"], Some("AlarmName")),
    plain("AWS::CloudWatch::Dashboard", &["DashboardName"], Some("DashboardName")),
    ResourceType {
        maybe_create_only: &["KeySchema"],
        ..data(
            "AWS::DynamoDB::Table",
            &["TableName", "ImportSourceSpecification"],
            Some("TableName"),
        )
    },
    ResourceType {
        sets: &["SecurityGroupEgress", "SecurityGroupIngress"],
        ..plain(
            "AWS::EC2::SecurityGroup",
            &["GroupDescription", "GroupName", "VpcId"],
            Some("GroupName"),
        )
    },
    plain("AWS::ECS::Cluster", &["ClusterName"], Some("ClusterName")),
    ResourceType {
        sets: &["ContainerDefinitions.*.LinuxParameters.Capabilities.Drop"],
        keyed: &[
            ("ContainerDefinitions", "Name"),
            ("ContainerDefinitions.*.Secrets", "Name"),
            ("ContainerDefinitions.*.MountPoints", "ContainerPath"),
            ("Volumes", "Name"),
        ],
        ..plain(
            "AWS::ECS::TaskDefinition",
            &[
                "Family",
                "ContainerDefinitions",
                "Cpu",
                "EnableFaultInjection",
                "ExecutionRoleArn",
                "InferenceAccelerators",
                "Memory",
                "NetworkMode",
                "PlacementConstraints",
                "ProxyConfiguration",
                "RequiresCompatibilities",
                "RuntimePlatform",
                "TaskRoleArn",
                "Volumes",
                "PidMode",
                "IpcMode",
                "EphemeralStorage",
            ],
            // A family has revisions: a new one takes the place of the old under the same name.
            None,
        )
    },
    data(
        "AWS::Events::Archive",
        &["ArchiveName", "SourceArn"],
        Some("ArchiveName"),
    ),
    ResourceType {
        holds: Holds::Arrivals,
        ..plain("AWS::Events::EventBus", &["Name"], Some("Name"))
    },
    plain(
        "AWS::Events::EventBusPolicy",
        &["EventBusName", "StatementId"],
        Some("StatementId"),
    ),
    ResourceType {
        maybe_create_only: &["EventBusName"],
        keyed: &[("Targets", "Id")],
        ..plain("AWS::Events::Rule", &["Name"], Some("Name"))
    },
    data("AWS::Glue::Database", &["DatabaseName"], Some("DatabaseName")),
    data(
        "AWS::Glue::Table",
        &["DatabaseName", "CatalogId", "TableInput.Name", "Name"],
        Some("Name"),
    ),
    ResourceType {
        sets: &["Groups", "Roles", "Users"],
        ..plain(
            "AWS::IAM::ManagedPolicy",
            &["ManagedPolicyName", "Description", "Path"],
            Some("ManagedPolicyName"),
        )
    },
    plain("AWS::IAM::Role", &["Path", "RoleName"], Some("RoleName")),
    plain("AWS::KMS::Alias", &["AliasName"], Some("AliasName")),
    data("AWS::KMS::Key", &[], None),
    data("AWS::Logs::LogGroup", &["LogGroupName"], Some("LogGroupName")),
    ResourceType {
        keyed: &[("LifecycleConfiguration.Rules", "Id")],
        ..data(
            "AWS::S3::Bucket",
            &["BucketName", "BucketNamePrefix", "BucketNamespace"],
            Some("BucketName"),
        )
    },
    plain("AWS::S3::BucketPolicy", &["Bucket"], None),
    ResourceType {
        maybe_create_only: &["Region"],
        ..plain("AWS::SNS::Subscription", &["Endpoint", "Protocol", "TopicArn"], None)
    },
    plain("AWS::SNS::Topic", &["TopicName", "FifoTopic"], Some("TopicName")),
    ResourceType {
        sets: &["Topics"],
        ..plain("AWS::SNS::TopicPolicy", &[], None)
    },
    data("AWS::SQS::Queue", &["FifoQueue", "QueueName"], Some("QueueName")),
    ResourceType {
        sets: &["Queues"],
        ..plain("AWS::SQS::QueuePolicy", &[], None)
    },
    data("AWS::SSM::Parameter", &["Name"], Some("Name")),
    plain("AWS::Scheduler::Schedule", &["Name"], Some("Name")),
    plain("AWS::Scheduler::ScheduleGroup", &["Name"], Some("Name")),
    data("AWS::SecretsManager::Secret", &["Name"], Some("Name")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_name() {
        assert!(TYPES.is_sorted_by_key(|known| known.name));
        for known in &TYPES {
            assert_eq!(of(known.name).map(|found| found.name), Some(known.name));
        }
        assert!(of("AWS::SQS").is_none());
    }
}
