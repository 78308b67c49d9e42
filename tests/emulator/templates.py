"""What templates of this project hold and MiniStack's CloudFormation lacks, and calls that it does not know. Operations
take as long, and fail where, a test wants."""

import asyncio
import json

import ministack.services.cloudformation.changesets as changesets
import ministack.services.cloudformation.handlers as handlers
import ministack.services.cloudformation.provisioners as provisioners
import ministack.services.cloudformation.stacks as stacks
import ministack.services.eventbridge as events
from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation.helpers import _error, _p, _xml

from sources import created

# Seconds that an operation on a stack takes at least.
SETTINGS = {"operation_seconds": 0.0}
# Resources that fail: {"stack", "resource", "reason", "times"}.
FAILURES = []
# Change sets that were carried out: {"account", "stack", "change_set"}.
EXECUTIONS = []
# (account, change set, token) of every execution that was accepted.
TOKENS = set()


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


def account_limits(params):
    limit = "<member><Name>StackLimit</Name><Value>2000</Value></member>"
    body = f"<DescribeAccountLimitsResult><AccountLimits>{limit}</AccountLimits></DescribeAccountLimitsResult>"
    return _xml(200, "DescribeAccountLimitsResponse", body)


def fail_where_wanted(stack, logical_id):
    for failure in FAILURES:
        if failure["stack"] == stack and failure["resource"] == logical_id and failure.get("times", 1) > 0:
            failure["times"] = failure.get("times", 1) - 1
            raise ValueError(failure["reason"])


def slow(operation):
    async def slowly(*arguments, **named):
        await asyncio.sleep(SETTINGS["operation_seconds"])
        return await operation(*arguments, **named)

    return slowly


def install():
    known = provisioners._RESOURCE_HANDLERS
    known["AWS::Events::EventBus"]["create"] = bus_create
    known["AWS::Events::Archive"] = {"create": archive_create, "update": archive_update, "delete": archive_delete}
    handlers._ACTION_HANDLERS["DescribeAccountLimits"] = account_limits

    provision, update = stacks._provision_keeping_seed, stacks._update_keeping_seed

    def provision_or_fail(resource_type, logical_id, properties, stack):
        fail_where_wanted(stack, logical_id)
        return provision(resource_type, logical_id, properties, stack)

    def update_or_fail(resource_type, physical_id, old, new, stack, logical_id, attributes):
        fail_where_wanted(stack, logical_id)
        return update(resource_type, physical_id, old, new, stack, logical_id, attributes)

    stacks._provision_keeping_seed = provision_or_fail
    stacks._update_keeping_seed = update_or_fail
    changesets._deploy_stack_async = slow(changesets._deploy_stack_async)
    handlers._delete_stack_async = slow(handlers._delete_stack_async)

    execute = handlers._ACTION_HANDLERS["ExecuteChangeSet"]

    def execute_once(params):
        """The same token again is no second execution, and no error."""
        account, token = get_account_id(), _p(params, "ClientRequestToken")
        identity, change_set = changesets._find_change_set(_p(params, "ChangeSetName"), _p(params, "StackName"))
        if token and (account, identity, token) in TOKENS:
            return _xml(200, "ExecuteChangeSetResponse", "<ExecuteChangeSetResult></ExecuteChangeSetResult>")
        answer = execute(params)
        if answer[0] == 200:
            TOKENS.add((account, identity, token))
            EXECUTIONS.append({"account": account, "stack": change_set["StackName"], "change_set": identity})
        return answer

    handlers._ACTION_HANDLERS["ExecuteChangeSet"] = execute_once


def set_status(account, region, stack, status, reason):
    """Puts a stack into a status that no operation here ends in."""
    from ministack.core.responses import request_scope
    from ministack.services.cloudformation import _stacks

    with request_scope(account, region):
        record = _stacks[stack]
        record["StackStatus"], record["StackStatusReason"] = status, reason
