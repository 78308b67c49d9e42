"""Change sets as CloudFormation makes and tells of them: one a token, only for stacks that could carry them out, in pages,
with the values of properties where they are asked for."""

import json
import re
import time

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets
from ministack.services.cloudformation import handlers
from ministack.services.cloudformation.helpers import _error, _p

import answers
import listing
import settings

UPDATABLE = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}
# What CloudFormation shows of a value that it cannot know before it has made a resource.
LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
# A bucket as the host of a URL; MiniStack finds it in the path only.
VIRTUAL_HOST = re.compile(r"^https://([^/]+)\.s3[.-]((?:[a-z0-9-]+\.)?amazonaws\.com)/")
TOLD = (
    "ChangeSetId",
    "ChangeSetName",
    "StackId",
    "StackName",
    "Status",
    "StatusReason",
    "ExecutionStatus",
    "CreationTime",
    "Description",
    "ChangeSetType",
    "Parameters",
    "Tags",
    "Capabilities",
    "OnStackFailure",
)


def refused(params, stack):
    """The error where CloudFormation makes no change set for a stack in its state."""
    status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
    if status == "DELETE_COMPLETE":
        there = sum(1 for known in cloudformation._stacks.values() if known["StackStatus"] != "DELETE_COMPLETE")
        if there >= settings.CURRENT["stacks"]:
            return _error("LimitExceededException", f"Limit for stack has been exceeded: {there}")
        return None
    if _p(params, "ChangeSetType", "UPDATE") == "CREATE":
        if status == "REVIEW_IN_PROGRESS":
            return None
        name, change_set = stack["StackName"], _p(params, "ChangeSetName")
        return _error(
            "ValidationError",
            f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}].",
        )
    if status not in UPDATABLE:
        return _error("ValidationError", f"Stack:{stack['StackId']} is in {status} state and can not be updated.")
    return None


def of_token(params, stack):
    """The change set that the same request made before."""
    token = _p(params, "ClientToken")
    if not token or not stack:
        return None
    for change_set in cloudformation._change_sets.values():
        if change_set["StackId"] == stack["StackId"] and change_set["_token"] == token:
            return change_set if change_set["ChangeSetName"] == _p(params, "ChangeSetName") else None
    return None


def made(change_set):
    return answers.cloudformation(
        "CreateChangeSet", {"Id": change_set["ChangeSetId"], "StackId": change_set["StackId"]}
    )


def outputs_change(change_set, stack):
    """Whether there is something to carry out although no resource changes."""
    known = stack["_template"].get("Outputs") if stack else None
    return change_set["ChangeSetType"] == "UPDATE" and change_set["_template"].get("Outputs") != known


def missing_export(value):
    """The name of an export that a template takes and no stack gives."""
    if isinstance(value, list):
        return next(filter(None, map(missing_export, value)), None)
    if not isinstance(value, dict):
        return None
    name = value.get("Fn::ImportValue")
    if isinstance(name, str) and cloudformation._exports.get(name) is None:
        return name
    return missing_export(list(value.values()))


def create(params):
    stack = listing.resolve(_p(params, "StackName"))
    if known := of_token(params, stack):
        return made(known)
    if error := refused(params, stack):
        return error
    if _p(params, "StackName").startswith("arn:") and stack:
        params = {**params, "StackName": [stack["StackName"]]}
    if url := _p(params, "TemplateURL"):
        params = {**params, "TemplateURL": [VIRTUAL_HOST.sub(r"https://s3.\2/\1/", url)]}
    before = set(cloudformation._change_sets.keys())
    answer = changesets._create_change_set(params)
    # A stack in review stays the same one, whatever becomes of its further change sets.
    in_review = stack if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS" else None
    if in_review:
        placeholder = cloudformation._stacks.get(stack["StackName"])
        if placeholder is not stack:
            if placeholder:
                cloudformation._stack_events.pop(placeholder["StackId"], None)
            cloudformation._stacks[stack["StackName"]] = stack
    if answer[0] != 200:
        return answer
    change_set = cloudformation._change_sets[(set(cloudformation._change_sets.keys()) - before).pop()]
    if in_review:
        change_set["StackId"] = stack["StackId"]
    if not change_set["Changes"] and outputs_change(change_set, stack):
        change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")
    if name := missing_export(change_set["_template"].get("Resources")):
        reason = f"No export named {name} found."
        change_set.update(Status="FAILED", ExecutionStatus="UNAVAILABLE", StatusReason=reason)
    change_set["_token"] = _p(params, "ClientToken")
    change_set["_ready_at"] = time.time() + settings.CURRENT["change_set_seconds"]
    return made(change_set)


def changed(properties, name):
    """A property as text, as a change set shows it."""
    value = properties.get(name)
    return value if value is None or isinstance(value, str) else json.dumps(value, default=lambda _: LATER)


def with_values(change, before, after):
    """A change with what its properties are and will be."""
    resource = dict(change["ResourceChange"])
    old = before.get(resource["LogicalResourceId"], {}).get("Properties") or {}
    new = after.get(resource["LogicalResourceId"], {}).get("Properties") or {}
    if resource["Action"] != "Add":
        resource["BeforeContext"] = json.dumps({"Properties": old}, default=lambda _: LATER)
    if resource["Action"] != "Remove":
        resource["AfterContext"] = json.dumps({"Properties": new}, default=lambda _: LATER)
    details = []
    for detail in resource.get("Details", []):
        target, name = dict(detail["Target"]), detail["Target"].get("Name")
        if name:
            kind = "Add" if name not in old else "Remove" if name not in new else "Modify"
            target.update(Path=f"/Properties/{name}", AttributeChangeType=kind)
            target.update(BeforeValue=changed(old, name), AfterValue=changed(new, name))
        details.append({**detail, "Target": target})
    return {"ResourceChange": {**resource, "Details": details}}


def resolved(record, stack):
    """The resources of a template, with what is known of their properties."""
    template, parameters = record.get("_template") or {}, record.get("_resolved_params") or {}
    whole = changesets._resolve_props_for_diff(template, parameters, stack["StackName"], stack["StackId"])
    return whole.get("Resources", {})


def describe(params):
    _, change_set = listing.find_change_set(params)
    if change_set is None:
        return _error("ChangeSetNotFound", f"ChangeSet [{_p(params, 'ChangeSetName')}] does not exist", 404)
    told = {key: change_set[key] for key in TOLD if change_set.get(key) not in (None, "")}
    if change_set["_ready_at"] > time.time():
        told.update(Status="CREATE_IN_PROGRESS", ExecutionStatus="UNAVAILABLE", Changes=[])
        told.pop("StatusReason", None)
        return answers.cloudformation("DescribeChangeSet", told)
    changes, next_token, error = listing.page(change_set["Changes"], params, "DescribeChangeSet")
    if error:
        return error
    if _p(params, "IncludePropertyValues").lower() == "true":
        stack = listing.resolve(change_set["StackId"])
        before, after = resolved(stack, stack), resolved(change_set, stack)
        changes = [with_values(change, before, after) for change in changes]
    told["Changes"] = [{"Type": "Resource", **change} for change in changes]
    told["Tags"] = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in change_set["Tags"]]
    told["ImportExistingResources"] = change_set.get("ImportExistingResources") or None
    told["NextToken"] = listing.token(next_token)
    return answers.cloudformation("DescribeChangeSet", told)


def install():
    # MiniStack asks for capabilities only where it also asks for IAM permissions.
    handlers._capabilities_enforced = lambda: True
    handlers._ACTION_HANDLERS.update(CreateChangeSet=create, DescribeChangeSet=describe)
