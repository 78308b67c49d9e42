//! What CloudFormation's resource types do to what they hold. Pure.
pub struct ResourceType {
    pub name: &'static str,
    pub create_only: &'static [&'static str],
    pub maybe_create_only: &'static [&'static str],
    pub identifier: Option<&'static str>,
    pub holds: Holds,
    pub sets: &'static [&'static str],
    pub keyed: &'static [(&'static str, &'static str)],
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Nothing,
    Data,
    Arrivals,
}
pub fn of(name: &str) -> Option<&'static ResourceType> {
    TYPES.iter().find(|t| t.name == name)
}
static TYPES: &[ResourceType] = &[
    ResourceType {
        name: "AWS::SQS::Queue",
        create_only: &["QueueName", "FifoQueue"],
        maybe_create_only: &[],
        identifier: Some("QueueName"),
        holds: Holds::Data,
        sets: &[],
        keyed: &[("Tags", "Key")],
    },
    ResourceType {
        name: "AWS::Events::EventBus",
        create_only: &["Name"],
        maybe_create_only: &[],
        identifier: Some("Name"),
        holds: Holds::Arrivals,
        sets: &[],
        keyed: &[("Tags", "Key")],
    },
    ResourceType {
        name: "AWS::Events::Rule",
        create_only: &["Name", "EventBusName"],
        maybe_create_only: &[],
        identifier: Some("Name"),
        holds: Holds::Nothing,
        sets: &[],
        keyed: &[("Targets", "Id")],
    },
    ResourceType {
        name: "AWS::Events::Archive",
        create_only: &["ArchiveName", "SourceArn"],
        maybe_create_only: &[],
        identifier: Some("ArchiveName"),
        holds: Holds::Data,
        sets: &[],
        keyed: &[],
    },
    ResourceType {
        name: "AWS::IAM::Role",
        create_only: &["Path", "RoleName"],
        maybe_create_only: &[],
        identifier: Some("RoleName"),
        holds: Holds::Nothing,
        sets: &[],
        keyed: &[("Policies", "PolicyName")],
    },
];
