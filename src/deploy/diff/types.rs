//! What is known of the resource types that are rendered, or soon could be: which properties replace a resource, what it
//! holds, and which of its lists have no order. Pure.
//!
//! Source: the resource provider schemas of CloudFormation. `tests/resource_types.py` compares the table with the copies
//! that cfn-lint carries, and names each place where the table knows better.

/// A resource type of CloudFormation. Properties are paths joined by dots, `*` for the items of a list.
#[derive(Debug)]
pub struct ResourceType {
    pub name: &'static str,
    /// A change of these replaces the resource: the schema's `createOnlyProperties`.
    pub create_only: &'static [&'static str],
    /// A change of these may: the schema's `conditionalCreateOnlyProperties`.
    pub maybe_create_only: &'static [&'static str],
    /// CloudFormation tries a change of these in place, and the service refuses it.
    pub refused: &'static [&'static str],
    /// The property that is its name, where one can be given.
    pub identifier: Option<&'static str>,
    pub holds: Holds,
    /// Lists whose order means nothing: `insertionOrder` is false in the schema. What means nothing for every type, such
    /// as the order of tags, is known to `normal`.
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

/// Every known type, by name.
pub fn all() -> impl Iterator<Item = &'static ResourceType> {
    TYPES.iter()
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
        refused: &[],
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
static TYPES: [ResourceType; 30] = [
    ResourceType {
        sets: &[
            "ActionConfiguration.AlarmTagsPropagation.ExcludedTagKeys",
            "ActionConfiguration.AlarmTagsPropagation.IncludedTagKeys",
        ],
        ..plain("AWS::CloudWatch::Alarm", &["AlarmName"], Some("AlarmName"))
    },
    plain("AWS::CloudWatch::Dashboard", &["DashboardName"], Some("DashboardName")),
    ResourceType {
        // The schema leaves out the attributes, and its own description says that a new type of one replaces the table.
        maybe_create_only: &["AttributeDefinitions", "KeySchema"],
        sets: &["VectorIndexes.*.SearchSchema"],
        keyed: &[("VectorIndexes", "IndexName")],
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
    plain("AWS::ECS::ClusterCapacityProviderAssociations", &["Cluster"], None),
    ResourceType {
        maybe_create_only: &["LaunchType"],
        sets: &["GatewayConnectors.*.Filters.AccessTypes"],
        keyed: &[("ServiceConnectConfiguration.LogConfiguration.SecretOptions", "Name")],
        ..plain(
            "AWS::ECS::Service",
            &["Cluster", "Role", "SchedulingStrategy", "ServiceName"],
            Some("ServiceName"),
        )
    },
    ResourceType {
        // Name servers and search domains have no order in the schema, and a resolver asks them in their order.
        sets: &[
            "ContainerDefinitions.*.CredentialSpecs",
            "ContainerDefinitions.*.DockerSecurityOptions",
            "ContainerDefinitions.*.Links",
            "ContainerDefinitions.*.LinuxParameters.Capabilities.Add",
            "ContainerDefinitions.*.LinuxParameters.Capabilities.Drop",
            "ContainerDefinitions.*.LinuxParameters.Devices",
            "ContainerDefinitions.*.LinuxParameters.Devices.*.Permissions",
            "ContainerDefinitions.*.LinuxParameters.Tmpfs.*.MountOptions",
            "ContainerDefinitions.*.PortMappings",
            "ContainerDefinitions.*.RestartPolicy.IgnoredExitCodes",
            "PlacementConstraints",
        ],
        keyed: &[
            ("ContainerDefinitions", "Name"),
            ("ContainerDefinitions.*.DependsOn", "ContainerName"),
            ("ContainerDefinitions.*.ExtraHosts", "Hostname"),
            ("ContainerDefinitions.*.LinuxParameters.Tmpfs", "ContainerPath"),
            ("ContainerDefinitions.*.LogConfiguration.SecretOptions", "Name"),
            // In an order in the schema; a container has one mount a path, whatever the order.
            ("ContainerDefinitions.*.MountPoints", "ContainerPath"),
            ("ContainerDefinitions.*.ResourceRequirements", "Type"),
            ("ContainerDefinitions.*.Secrets", "Name"),
            ("ContainerDefinitions.*.SystemControls", "Namespace"),
            ("ContainerDefinitions.*.Ulimits", "Name"),
            ("ContainerDefinitions.*.VolumesFrom", "SourceContainer"),
            ("InferenceAccelerators", "DeviceName"),
            ("ProxyConfiguration.ProxyConfigurationProperties", "Name"),
            ("Volumes", "Name"),
        ],
        ..plain(
            "AWS::ECS::TaskDefinition",
            &[
                "ContainerDefinitions",
                "Cpu",
                "EnableFaultInjection",
                "EphemeralStorage",
                "ExecutionRoleArn",
                "Family",
                "InferenceAccelerators",
                "IpcMode",
                "Memory",
                "NetworkMode",
                "PidMode",
                "PlacementConstraints",
                "ProxyConfiguration",
                "RequiresCompatibilities",
                "RuntimePlatform",
                "TaskRoleArn",
                "Volumes",
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
    // A statement's ID is its name on one bus only, so that it may stay when the bus is another.
    plain("AWS::Events::EventBusPolicy", &["EventBusName", "StatementId"], None),
    ResourceType {
        maybe_create_only: &["EventBusName"],
        keyed: &[("Targets", "Id")],
        ..plain("AWS::Events::Rule", &["Name"], Some("Name"))
    },
    ResourceType {
        // UpdateDatabase answers that a database cannot be renamed.
        refused: &["DatabaseInput.Name"],
        sets: &[
            "DatabaseInput.CreateTableDefaultPermissions",
            "DatabaseInput.CreateTableDefaultPermissions.*.Permissions",
        ],
        ..data("AWS::Glue::Database", &["DatabaseName"], Some("DatabaseName"))
    },
    ResourceType {
        // No list of columns, keys or fields has an order in the schema; a table's columns stand in one.
        sets: &["OpenTableFormatInput.IcebergInput.IcebergTableInput.Schema.IdentifierFieldIds"],
        ..data(
            "AWS::Glue::Table",
            &["CatalogId", "DatabaseName", "Name", "TableInput.Name"],
            Some("Name"),
        )
    },
    ResourceType {
        sets: &["Groups", "Roles", "Users"],
        ..plain(
            "AWS::IAM::ManagedPolicy",
            &["Description", "ManagedPolicyName", "Path"],
            Some("ManagedPolicyName"),
        )
    },
    plain("AWS::IAM::Role", &["Path", "RoleName"], Some("RoleName")),
    plain("AWS::KMS::Alias", &["AliasName"], Some("AliasName")),
    ResourceType {
        // So that nobody loses a key by a change. Source: the schema's description of the type.
        refused: &["KeySpec", "KeyUsage", "MultiRegion", "Origin"],
        ..data("AWS::KMS::Key", &[], None)
    },
    ResourceType {
        sets: &["FieldIndexPolicies"],
        ..data("AWS::Logs::LogGroup", &["LogGroupName"], Some("LogGroupName"))
    },
    ResourceType {
        sets: &[
            "NotificationConfiguration.LambdaConfigurations.*.Filter.S3Key.Rules",
            "NotificationConfiguration.QueueConfigurations.*.Filter.S3Key.Rules",
            "NotificationConfiguration.TopicConfigurations.*.Filter.S3Key.Rules",
        ],
        // In an order in the schema; S3 applies every rule, whatever the order.
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
    ResourceType {
        sets: &["Subscription"],
        keyed: &[("DeliveryStatusLogging", "Protocol")],
        ..plain("AWS::SNS::Topic", &["FifoTopic", "TopicName"], Some("TopicName"))
    },
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
    ResourceType {
        // UpdateSchedule looks for the schedule in the new group, where it is not. Source: the API reference of
        // `UpdateSchedule`, and aws/aws-cdk#34216.
        refused: &["GroupName"],
        // Placement strategies have no order in the schema, and ECS applies them in theirs.
        sets: &[
            "Target.EcsParameters.CapacityProviderStrategy",
            "Target.EcsParameters.PlacementConstraints",
        ],
        keyed: &[("Target.SageMakerPipelineParameters.PipelineParameterList", "Name")],
        ..plain("AWS::Scheduler::Schedule", &["Name"], Some("Name"))
    },
    plain("AWS::Scheduler::ScheduleGroup", &["Name"], Some("Name")),
    ResourceType {
        keyed: &[("ReplicaRegions", "Region")],
        ..data("AWS::SecretsManager::Secret", &["Name"], Some("Name"))
    },
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
