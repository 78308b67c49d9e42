"""What CloudFormation tells of stacks and their past: lists in pages, deleted stacks by their ID, the events of operations,
who imports what, and how many stacks there may be."""

import contextlib
import uuid

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets
from ministack.services.cloudformation import handlers
from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation.helpers import _error, _p, _page

import answers
import settings
import stores

# (account, region, stack ID) -> a deleted stack whose name another has.
PAST = {}
# How an operation of a stack begins, and what it is then.
OPERATIONS = {
    "CREATE_IN_PROGRESS": "CREATE_STACK",
    "UPDATE_IN_PROGRESS": "UPDATE_STACK",
    "DELETE_IN_PROGRESS": "DELETE_STACK",
}


class StackStore(stores.ScopedStore):
    """Stacks by name, where a new stack of a name does not make the deleted one forgotten."""

    __slots__ = ()

    def _put(self, scoped, value):
        known = self._data.get(scoped)
        if known and known["StackStatus"] == "DELETE_COMPLETE" and known["StackId"] != value["StackId"]:
            PAST[(*scoped[:2], known["StackId"])] = known
        super()._put(scoped, value)


def resolve(name):
    """A stack by its name or ID."""
    if not name.startswith("arn:"):
        return cloudformation._stacks.get(name)
    stack = cloudformation._stacks.get(name.split("/")[1])
    if stack and stack["StackId"] == name:
        return stack
    return PAST.get((get_account_id(), get_region(), name))


def find_change_set(params):
    """The ID and record of the change set that a request names; None twice where there is none."""
    stack = resolve(_p(params, "StackName"))
    return changesets._find_change_set(_p(params, "ChangeSetName"), stack["StackName"] if stack else "")


def importers(export):
    """The stacks that import a value, by name."""
    users = []
    for name, stack in cloudformation._stacks.items():
        status = stack["StackStatus"]
        is_there = status.endswith("_COMPLETE") and "DELETE" not in status
        if is_there and export in handlers._imported_export_names(stack, name):
            users.append(name)
    return sorted(users)


@contextlib.contextmanager
def only(found):
    """Has MiniStack see these stacks alone, by whatever key. For as long as nothing waits."""
    kept, cloudformation._stacks = cloudformation._stacks, found
    try:
        yield
    finally:
        cloudformation._stacks = kept


def page(items, params, action, page_size=100):
    if settings.CURRENT["page_size"]:
        page_size = min(page_size, settings.CURRENT["page_size"])
    return _page(items, params, action, page_size)


def token(next_token_xml):
    return next_token_xml.removeprefix("<NextToken>").removesuffix("</NextToken>") or None


def account_limits(_params):
    limits = {"StackLimit": settings.CURRENT["stacks"], "StackOutputsLimit": 200, "ConcurrentResourcesLimit": 2500}
    limits = [{"Name": name, "Value": value} for name, value in limits.items()]
    return answers.cloudformation("DescribeAccountLimits", {"AccountLimits": limits})


def operation_events(stack):
    """A stack's events as those of its operations, in order."""
    operation, kind = None, None
    for event in cloudformation._stack_events.get(stack["StackId"], []):
        status = event["ResourceStatus"]
        if event["LogicalResourceId"] == stack["StackName"] and status in OPERATIONS:
            operation, kind = event["EventId"], OPERATIONS[status]
        is_failed = status.endswith("_FAILED")
        yield {
            "EventId": event["EventId"],
            "StackId": stack["StackId"],
            "OperationId": operation and str(uuid.uuid5(uuid.NAMESPACE_OID, operation)),
            "OperationType": kind,
            "OperationStatus": "FAILED" if is_failed else None,
            "EventType": "PROVISIONING_ERROR" if is_failed else "STACK_EVENT",
            "LogicalResourceId": event["LogicalResourceId"],
            "PhysicalResourceId": event["PhysicalResourceId"] or None,
            "ResourceType": event["ResourceType"],
            "Timestamp": event["Timestamp"],
            "ResourceStatus": status,
            "ResourceStatusReason": event["ResourceStatusReason"] or None,
            "ClientRequestToken": event.get("ClientRequestToken"),
        }


def describe_events(params):
    stack = resolve(_p(params, "StackName"))
    if stack is None:
        return _error("ValidationError", f"Stack [{_p(params, 'StackName')}] does not exist")
    told = list(operation_events(stack)) + list(stack.get("_operation_events") or [])
    if wanted := _p(params, "OperationId"):
        told = [event for event in told if event["OperationId"] == wanted]
    if _p(params, "Filters.FailedEvents").lower() == "true":
        told = [event for event in told if event["EventType"] != "STACK_EVENT"]
    shown, next_token, error = page(told[::-1], params, "DescribeEvents")
    return error or answers.cloudformation("DescribeEvents", {"OperationEvents": shown, "NextToken": token(next_token)})


def install():
    cloudformation._stacks = StackStore()
    describe, list_stacks, imported = handlers._describe_stacks, handlers._list_stacks, handlers._imported_export_names
    list_change_sets = changesets._list_change_sets

    def describe_stacks(params):
        name = _p(params, "StackName")
        stack = resolve(name) if name.startswith("arn:") else None
        if stack is None:
            return describe(params)
        with only({name: stack}):
            return describe(params)

    def list_all(params):
        past = [stack for key, stack in PAST.items() if key[:2] == (get_account_id(), get_region())]
        if not past:
            return list_stacks(params)
        with only({stack["StackId"]: stack for stack in [*cloudformation._stacks.values(), *past]}):
            return list_stacks(params)

    def list_of_stack(params):
        stack = resolve(_p(params, "StackName"))
        return list_change_sets({**params, "StackName": [stack["StackName"]]} if stack else params)

    def imported_once(stack, name):
        """The names that a stack imports; walking a fleet's templates again and again takes minutes."""
        known = stack.get("_imported")
        if known is None or known[0] is not stack["_template"]:
            known = stack["_imported"] = (stack["_template"], imported(stack, name))
        return known[1]

    handlers._imported_export_names = imported_once
    handlers._resolve_stack = resolve
    handlers._page = changesets._page = page
    handlers._ACTION_HANDLERS.update(
        DescribeStacks=describe_stacks,
        ListStacks=list_all,
        ListChangeSets=list_of_stack,
        DescribeEvents=describe_events,
        DescribeAccountLimits=account_limits,
    )
