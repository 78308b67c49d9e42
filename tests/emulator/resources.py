"""What templates of this project hold and MiniStack's CloudFormation lacks: partner event buses and archives, which changes
replace a resource, names that are taken, and more types whose drift is found."""

import json

from ministack.services.cloudformation import drift
from ministack.services.cloudformation import provisioners
from ministack.services import cloudwatch
import ministack.services.cloudwatch_logs as logs
import ministack.services.eventbridge as events
from ministack.services import iam
from ministack.services import sns
from ministack.services import sqs
from ministack.core.responses import get_account_id, get_region

from sources import created

# The schemas' createOnlyProperties, of types that MiniStack has no list for. A change of any other is made in place.
REPLACING = {
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::ECS::Cluster": ("ClusterName",),
    "AWS::ECS::TaskDefinition": (
        "ContainerDefinitions",
        "Cpu",
        "EnableFaultInjection",
        "EphemeralStorage",
        "ExecutionRoleArn",
        "Family",
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
    ),
    "AWS::Events::Archive": ("ArchiveName", "SourceArn"),
    "AWS::Events::EventBus": ("Name",),
    "AWS::Events::Rule": ("Name",),
    "AWS::KMS::Alias": ("AliasName",),
    "AWS::KMS::Key": (),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::S3::Bucket": ("BucketName", "BucketNamePrefix", "BucketNamespace"),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::SNS::Subscription": ("Endpoint", "Protocol", "TopicArn"),
    "AWS::SNS::TopicPolicy": (),
    "AWS::SQS::QueuePolicy": (),
    "AWS::Scheduler::Schedule": ("Name",),
}
# The schemas' conditionalCreateOnlyProperties.
MAYBE_REPLACING = {"AWS::Events::Rule": ("EventBusName",)}
# Types that MiniStack makes over what has the name already: the property with the name, and where names are kept.
NAMED = {
    "AWS::CloudWatch::Alarm": ("AlarmName", lambda name: name in cloudwatch._alarms),
    "AWS::IAM::Role": ("RoleName", lambda name: name in iam._roles),
    "AWS::Logs::LogGroup": ("LogGroupName", lambda name: name in logs._log_groups),
    "AWS::SNS::Topic": ("TopicName", lambda name: topic_arn(name) in sns._topics),
    "AWS::SQS::Queue": ("QueueName", lambda name: name in sqs._queue_name_to_url),
}


def topic_arn(name):
    return f"arn:aws:sns:{get_region()}:{get_account_id()}:{name}"


def bus_create(logical_id, properties, stack):
    wanted = {key: properties[key] for key in ("Name", "EventSourceName", "Description", "Tags") if key in properties}
    created(events._create_event_bus(wanted))
    name = properties["Name"]
    arn = f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{name}"
    return name, {"Arn": arn, "Name": name}


def archive(properties, name):
    pattern = properties.get("EventPattern")
    wanted = {
        "ArchiveName": name,
        "EventSourceArn": properties["SourceArn"],
        "RetentionDays": int(properties.get("RetentionDays", 0)),
        "Description": properties.get("Description", ""),
    }
    if pattern:
        wanted["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
    return wanted


def archive_create(logical_id, properties, stack):
    name = properties.get("ArchiveName") or f"{stack}-{logical_id}"[:48]
    answer = created(events._create_archive(archive(properties, name)))
    return name, {"Arn": answer["ArchiveArn"], "ArchiveName": name}


def archive_update(name, old, new, stack=None, *_, **__):
    wanted = archive(new, name)
    del wanted["EventSourceArn"]
    answer = created(events._update_archive(wanted))
    return name, {"Arn": answer["ArchiveArn"], "ArchiveName": name}


def archive_delete(name, properties):
    events._delete_archive({"ArchiveName": name})


def only_where_free(resource_type, create):
    """Creates a resource unless its name is taken, as by what a deleted stack retained."""
    name_property, is_taken = NAMED[resource_type]

    def create_where_free(logical_id, properties, stack):
        name = properties.get(name_property)
        if name and is_taken(name):
            raise ValueError(f"Resource of type '{resource_type}' with identifier '{name}' already exists.")
        return create(logical_id, properties, stack)

    return create_where_free


def read_bus(name, properties):
    bus = events._event_buses.get(name)
    return bus and {"Name": name, "Description": bus.get("Description", "")}


def read_archive(name, properties):
    known = events._archives.get(name)
    if known is None:
        return None
    read = {key: known[key] for key in ("ArchiveName", "Description", "RetentionDays")}
    return {**read, "SourceArn": known["EventSourceArn"]}


def read_rule(physical_id, properties):
    rule = events._rules.get(events._rule_key(physical_id, provisioners._eb_rule_bus_name(properties)))
    if rule is None:
        return None
    pattern = json.loads(rule.get("EventPattern") or "{}")
    return {"State": rule["State"], "Description": rule.get("Description", ""), "EventPattern": pattern}


ALARM_PROPERTIES = (
    "AlarmDescription",
    "ComparisonOperator",
    "EvaluationPeriods",
    "MetricName",
    "Namespace",
    "Period",
    "Statistic",
    "Threshold",
    "TreatMissingData",
)


def read_alarm(name, properties):
    alarm = cloudwatch._alarms.get(name)
    if alarm is None:
        return None
    # MiniStack keeps a threshold as a float, and compares as text.
    whole = alarm["Threshold"] == int(alarm["Threshold"])
    alarm = {**alarm, "Threshold": int(alarm["Threshold"]) if whole else alarm["Threshold"]}
    return {key: alarm[key] for key in ALARM_PROPERTIES if alarm.get(key) is not None}


def install():
    known = provisioners._RESOURCE_HANDLERS
    known["AWS::Events::EventBus"]["create"] = bus_create
    known["AWS::Events::Archive"] = {"create": archive_create, "update": archive_update, "delete": archive_delete}
    for resource_type in NAMED:
        known[resource_type]["create"] = only_where_free(resource_type, known[resource_type]["create"])
    provisioners._REPLACING_PROPERTIES.update(REPLACING)
    provisioners._CONDITIONALLY_REPLACING_PROPERTIES.update(MAYBE_REPLACING)
    # What has a name of its own cannot be made a second time under that name.
    provisioners._CUSTOM_NAME_REPLACEMENT["AWS::Events::Archive"] = {"name": "ArchiveName"}
    drift._DRIFT_READERS.update(
        {
            "AWS::CloudWatch::Alarm": (read_alarm, frozenset(ALARM_PROPERTIES)),
            "AWS::Events::Archive": (
                read_archive,
                frozenset({"ArchiveName", "Description", "RetentionDays", "SourceArn"}),
            ),
            "AWS::Events::EventBus": (read_bus, frozenset({"Name", "Description"})),
            "AWS::Events::Rule": (read_rule, frozenset({"State", "Description", "EventPattern"})),
        }
    )
