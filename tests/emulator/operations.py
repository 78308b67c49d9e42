"""Operations on stacks that take their time, fail where a test wants it, and are done once however often they are asked
for."""

import asyncio
import time
from collections import namedtuple

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets
from ministack.services.cloudformation import handlers
from ministack.services.cloudformation import stacks
from ministack.core.responses import get_account_id, request_scope
from ministack.services.cloudformation.helpers import _error, _p

import answers
import listing
import settings

# {stack, resource, reason, times?, on?, stuck?, cancels?}: a resource that fails when it is created or really changed, or
# with `on: delete` deleted. With `stuck` the rollback fails too; the resources in `cancels`, with their types, were under
# way and are given up.
FAILURES = []
# {account, stack, change_set, at} of every change set that really ran.
EXECUTIONS = []
# (account, change set, token) of every execution that was accepted.
TOKENS = set()
STUCK = "The following resource(s) failed to update: [{}]."

Stuck = namedtuple("Stuck", "resource reason")


def reset():
    FAILURES.clear()
    EXECUTIONS.clear()
    TOKENS.clear()


def failure_of(stack, logical_id, on):
    """The failure that a test wants of this resource now, which then is one time less to come."""
    for failure in FAILURES:
        if (failure["stack"], failure["resource"]) != (stack, logical_id) or failure.get("times", 1) < 1:
            continue
        if (failure.get("on", "deploy") == "delete") == (on == "delete"):
            failure["times"] = failure.get("times", 1) - 1
            return failure
    return None


def event(record, logical_id, resource_type, status, reason="", physical_id=""):
    stacks._add_event(record["StackId"], record["StackName"], logical_id, resource_type, status, reason, physical_id)


def fail_where_wanted(stack, logical_id, on):
    failure = failure_of(stack, logical_id, on)
    if failure is None:
        return
    record = cloudformation._stacks[stack]
    status, word = ("CREATE_FAILED", "creation") if on == "create" else ("UPDATE_FAILED", "update")
    for other, resource_type in failure.get("cancels", {}).items():
        event(record, other, resource_type, status, f"Resource {word} cancelled")
    if failure.get("stuck"):
        record["_stuck"] = Stuck(logical_id, failure["reason"])
    raise ValueError(failure["reason"])


def stay(record, resource, reason, resource_type):
    """Leaves a stack where its rollback got stuck; `ContinueUpdateRollback` can go on from there."""
    is_update = "UPDATE" in record["StackStatus"]
    status = "UPDATE_ROLLBACK_FAILED" if is_update else "ROLLBACK_FAILED"
    known = record["_resources"].get(resource, {})
    record["_rollback_failed"] = {
        resource: {
            "PhysicalResourceId": known.get("PhysicalResourceId", ""),
            "ResourceType": resource_type,
            "RevertFrom": known.get("Properties", {}),
            "RevertTo": known.get("Properties", {}),
            "Attributes": known.get("Attributes", {}),
        }
    }
    record["StackStatus"], record["StackStatusReason"] = status, STUCK.format(resource)
    event(record, resource, resource_type, "UPDATE_FAILED" if is_update else "DELETE_FAILED", reason)
    event(record, record["StackName"], "AWS::CloudFormation::Stack", status, STUCK.format(resource), record["StackId"])


def install_failures():
    provision, update, delete = stacks._provision_resource, stacks._update_resource, stacks._delete_resource
    roll_back, go_on = stacks._roll_back_operation, stacks._continue_update_rollback_async

    def provision_or_fail(resource_type, logical_id, properties, stack):
        fail_where_wanted(stack, logical_id, "create")
        return provision(resource_type, logical_id, properties, stack)

    def update_or_fail(resource_type, physical_id, old, new, stack, logical_id=None, attributes=None):
        # CloudFormation does not touch what stays the same.
        if old != new:
            fail_where_wanted(stack, logical_id, "update")
        return update(resource_type, physical_id, old, new, stack, logical_id, attributes)

    def delete_or_fail(resource_type, physical_id, properties, stack=None, logical_id=None):
        fail_where_wanted(stack, logical_id, "delete")
        return delete(resource_type, physical_id, properties, stack, logical_id)

    async def roll_back_or_stay(stack, stack_id, record, operation, reason_override=""):
        is_update = operation.get("is_update")
        record["StackStatus"] = "UPDATE_ROLLBACK_IN_PROGRESS" if is_update else "ROLLBACK_IN_PROGRESS"
        await asyncio.sleep(settings.CURRENT["operation_seconds"])
        if not is_update and operation.get("failed_logical_id"):
            failed = operation["failed_logical_id"]
            reason_override = f"The following resource(s) failed to create: [{failed}]. Rollback requested by user."
        await roll_back(stack, stack_id, record, operation, reason_override=reason_override)
        if stuck := record.pop("_stuck", None):
            told = cloudformation._stack_events[stack_id]
            ended = ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "ROLLBACK_COMPLETE")
            while told[-1]["LogicalResourceId"] == stack and told[-1]["ResourceStatus"] in ended:
                told.pop()
            resource_type = operation["template"]["Resources"][stuck.resource]["Type"]
            stay(record, stuck.resource, stuck.reason, resource_type)

    async def go_on_or_stay(stack, stack_id, skipped):
        record = cloudformation._stacks[stack]
        record["StackStatus"] = "UPDATE_ROLLBACK_IN_PROGRESS"
        await asyncio.sleep(settings.CURRENT["operation_seconds"])
        for logical_id, pending in dict(record.get("_rollback_failed", {})).items():
            failure = failure_of(stack, logical_id, "update") if logical_id not in skipped else None
            if failure is not None:
                return stay(record, logical_id, failure["reason"], pending["ResourceType"])
        await go_on(stack, stack_id, skipped)

    stacks._provision_resource, stacks._update_resource = provision_or_fail, update_or_fail
    stacks._delete_resource = delete_or_fail
    stacks._roll_back_operation = handlers._roll_back_operation = roll_back_or_stay
    handlers._continue_update_rollback_async = go_on_or_stay


def install_duration():
    deploy, delete = stacks._deploy_stack_async, stacks._delete_stack_async

    def is_there(stack, stack_id):
        """Whether the stack is still the one whose operation began: a test may have forgotten everything since."""
        known = cloudformation._stacks.get(stack)
        return known is not None and known["StackId"] == stack_id

    async def deploy_slowly(stack, stack_id, *arguments, **named):
        await asyncio.sleep(settings.CURRENT["operation_seconds"])
        if is_there(stack, stack_id):
            await deploy(stack, stack_id, *arguments, **named)

    def delete_slowly(stack, stack_id, *arguments, **named):
        # At once, and not only when the task comes to it: the caller's next poll has to see it.
        cloudformation._stacks[stack]["StackStatus"] = "DELETE_IN_PROGRESS"

        async def wait_and_delete():
            await asyncio.sleep(settings.CURRENT["operation_seconds"])
            if is_there(stack, stack_id):
                await delete(stack, stack_id, *arguments, **named)
                cloudformation._stacks[stack]["DeletionTime"] = stacks.now_iso()

        return wait_and_delete()

    changesets._deploy_stack_async = handlers._deploy_stack_async = deploy_slowly
    handlers._delete_stack_async = delete_slowly


def install_guards():
    """An operation is begun once, and only where CloudFormation would begin it."""
    execute, delete = handlers._ACTION_HANDLERS["ExecuteChangeSet"], handlers._ACTION_HANDLERS["DeleteStack"]

    def execute_once(params):
        account, token = get_account_id(), _p(params, "ClientRequestToken")
        identity, change_set = listing.find_change_set(params)
        if token and (account, identity, token) in TOKENS:
            return answers.cloudformation("ExecuteChangeSet", {})
        if change_set and change_set["_ready_at"] > time.time():
            return _error("InvalidChangeSetStatus", f"ChangeSet [{identity}] is being created")
        answer = execute(params)
        if answer[0] == 200:
            TOKENS.add((account, identity, token))
            run = {"account": account, "stack": change_set["StackName"], "change_set": identity, "at": time.time()}
            EXECUTIONS.append(run)
        return answer

    def delete_once(params):
        stack = listing.resolve(_p(params, "StackName"))
        status = stack["StackStatus"] if stack else ""
        if status == "DELETE_IN_PROGRESS":
            return answers.cloudformation("DeleteStack", None)
        if status.endswith("_IN_PROGRESS") and status not in ("REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS"):
            return _error("ValidationError", f"Stack [{stack['StackId']}] cannot be deleted while in status {status}")
        return delete(params)

    handlers._ACTION_HANDLERS["ExecuteChangeSet"] = execute_once
    handlers._ACTION_HANDLERS["DeleteStack"] = delete_once


def install_exports():
    """An export that another stack uses stays as it is, and no two stacks export one name."""
    resolve = stacks._resolve_stack_outputs

    def resolve_and_guard(definitions, conditions, resources, parameters, mappings, stack, stack_id):
        outputs, exports = resolve(definitions, conditions, resources, parameters, mappings, stack, stack_id)
        for name, known in cloudformation._exports.items():
            if known["StackId"] != stack_id:
                if name in exports:
                    raise ValueError(
                        f"Export with name {name} is already exported by stack {known['StackId'].split('/')[1]}"
                    )
            elif name not in exports or exports[name]["Value"] != known["Value"]:
                word = "updated" if name in exports else "deleted"
                if users := listing.importers(name):
                    raise ValueError(f"Export {name} cannot be {word} as it is in use by {' and '.join(users)}")
                if name not in exports:
                    cloudformation._exports.pop(name)
        return outputs, exports

    stacks._resolve_stack_outputs = resolve_and_guard


def install():
    install_failures()
    install_duration()
    install_guards()
    install_exports()


def set_status(account, region, stack, status, reason):
    """Puts a stack into a status that no operation here ends in."""
    with request_scope(account, region):
        record = cloudformation._stacks[stack]
        record["StackStatus"], record["StackStatusReason"] = status, reason
