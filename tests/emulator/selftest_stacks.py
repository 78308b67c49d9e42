"""Stacks, change sets and what becomes of them."""

import json
import time

from client import PRODUCTION, ROOT, STAGING, Stacks, queue, refusal

EMPTY = "The submitted information didn't contain changes. Submit different information to create a change set."


def snapshots(environment):
    """The rendered stacks of an environment by name, the foundation first."""
    paths = sorted(
        (ROOT / f"snapshots/{environment}").glob("*.yaml"), key=lambda path: (path.stem != "foundation", path.stem)
    )
    return {f"oort-{environment}-{path.stem}": path.read_text() for path in paths}


def check_every_rendered_stack_is_made_changed_and_deleted(emulator):
    for account, environment in (STAGING, "staging"), (PRODUCTION, "production"):
        stacks, templates = Stacks(emulator, account), snapshots(environment)
        for name, template in templates.items():
            stacks.offer(template)
            assert stacks.deploy(name, template) == "CREATE_COMPLETE", name
            made = {
                one["ResourceType"] for one in stacks.api.describe_stack_resources(StackName=name)["StackResources"]
            }
            assert (
                made and stacks.api.get_template(StackName=name, TemplateStage="Original")["TemplateBody"] is not None
            )
        for name, template in templates.items():
            changed = template.replace("MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 1209000")
            changed = changed.replace("RetentionDays: 14", "RetentionDays: 15").replace(
                'Description: "', 'Description: "New: '
            )
            assert stacks.drift(name) == ("IN_SYNC", {}), stacks.drift(name)
            assert stacks.deploy(name, changed, "UPDATE") == "UPDATE_COMPLETE", name
            assert stacks.drift(name) == ("IN_SYNC", {}), stacks.drift(name)
        archive = emulator.client("events", account).describe_archive(ArchiveName=f"oort-{environment}-acme")
        assert archive["EventSourceArn"].startswith("arn:aws:events:us-east-2")
        for name in reversed(templates):
            assert stacks.delete(name) == "DELETE_COMPLETE", name
        assert emulator.client("events", account).describe_archive(ArchiveName=f"oort-{environment}-acme"), (
            "it is retained"
        )
        assert emulator.client("iam", account).list_roles()["Roles"] == [], "roles are not"
        name, template = next(iter(templates.items()))
        assert stacks.deploy(name, template) == "ROLLBACK_COMPLETE", "what is retained has its name still"


def check_a_bus_waits_for_its_source(emulator):
    stacks, template = Stacks(emulator, STAGING), snapshots("staging")
    foundation, tenant = "oort-staging-foundation", "oort-staging-acme"
    stacks.deploy(foundation, template[foundation])
    assert stacks.deploy(tenant, template[tenant]) == "ROLLBACK_COMPLETE"
    failed = stacks.api.describe_events(StackName=tenant, Filters={"FailedEvents": True})["OperationEvents"]
    assert [one["LogicalResourceId"] for one in failed] == ["EventBus"] and "does not exist" in failed[0][
        "ResourceStatusReason"
    ]
    again = refusal(stacks.propose, stack=tenant, template=template[tenant])
    assert again[0] == "ValidationError" and "already exists and cannot be created again" in again[1]
    assert (
        "is in ROLLBACK_COMPLETE state and can not be updated"
        in refusal(stacks.propose, stack=tenant, template=template[tenant], kind="UPDATE")[1]
    )
    assert stacks.delete(tenant) == "DELETE_COMPLETE"
    stacks.offer(template[tenant])
    assert stacks.deploy(tenant, template[tenant]) == "CREATE_COMPLETE"
    gone, live = [one for one in stacks.api.list_stacks()["StackSummaries"] if one["StackName"] == tenant][::-1]
    assert {gone["StackStatus"], live["StackStatus"]} == {"DELETE_COMPLETE", "CREATE_COMPLETE"}
    assert stacks.status(gone["StackId"]) == gone["StackStatus"], "a deleted stack is found by its ID"


def check_lists_come_in_pages(emulator):
    stacks = Stacks(emulator)
    for number in range(5):
        stacks.deploy(f"s{number}", queue(f"s{number}"), Tags=[{"Key": "oort:tenant", "Value": f"t{number}"}])
    emulator.ask("settings", {"page_size": 2})
    for operation, key in ("describe_stacks", "Stacks"), ("list_stacks", "StackSummaries"), ("list_exports", "Exports"):
        pages = [page[key] for page in stacks.api.get_paginator(operation).paginate()]
        assert [len(page) for page in pages] == [2, 2, 1], operation
    stack = stacks.api.describe_stacks(StackName="s0")["Stacks"][0]
    assert stack["Tags"] == [{"Key": "oort:tenant", "Value": "t0"}] and stack["Outputs"][0]["ExportName"] == "s0-arn"
    assert stack["DriftInformation"]["StackDriftStatus"] == "NOT_CHECKED" and not stack["EnableTerminationProtection"]
    assert stack["CreationTime"] <= stack["LastUpdatedTime"]
    assert stacks.status(stack["StackId"]) == "CREATE_COMPLETE"
    filtered = stacks.api.list_stacks(StackStatusFilter=["ROLLBACK_COMPLETE"])
    assert filtered["StackSummaries"] == []
    assert len(stacks.api.list_stack_resources(StackName="s0")["StackResourceSummaries"]) == 2
    assert len(stacks.api.describe_stack_events(StackName="s0")["StackEvents"]) == 2
    limits = {one["Name"]: one["Value"] for one in stacks.api.describe_account_limits()["AccountLimits"]}
    assert limits["StackLimit"] == 2000
    change_set = stacks.propose("s5", queue("s5"))
    emulator.ask("settings", {"page_size": 1})
    first = stacks.api.describe_change_set(ChangeSetName=change_set)
    rest = stacks.api.describe_change_set(ChangeSetName=change_set, NextToken=first["NextToken"])
    assert len(first["Changes"]) == len(rest["Changes"]) == 1 and "NextToken" not in rest


def check_change_sets(emulator):
    stacks = Stacks(emulator)
    named = {"ChangeSetName": "c", "ClientToken": "t"}
    first = stacks.propose("one", queue("one"), **named)
    assert stacks.propose("one", queue("one"), **named) == first, "the same request again"
    assert refusal(stacks.propose, stack="one", template=queue("one"), ChangeSetName="c")[0] == "AlreadyExistsException"
    identity = stacks.api.describe_stacks(StackName="one")["Stacks"][0]["StackId"]
    second = stacks.propose("one", queue("one"))
    stacks.api.delete_change_set(ChangeSetName=second)
    assert stacks.api.describe_stacks(StackName="one")["Stacks"][0]["StackId"] == identity, "the stack in review stays"
    other = stacks.propose("one", queue("one"))
    assert stacks.execute("one", first, ClientRequestToken="x") == "CREATE_COMPLETE"
    stacks.api.execute_change_set(ChangeSetName=first, ClientRequestToken="x")
    assert (
        refusal(stacks.api.execute_change_set, ChangeSetName=first, ClientRequestToken="y")[0]
        == "InvalidChangeSetStatus"
    )
    assert stacks.api.describe_change_set(ChangeSetName=first)["ExecutionStatus"] == "EXECUTE_COMPLETE"
    assert refusal(stacks.api.describe_change_set, ChangeSetName=other)[0] == "ChangeSetNotFound"
    same = stacks.api.describe_change_set(ChangeSetName=stacks.propose("one", queue("one"), "UPDATE"))
    assert (same["Status"], same["ExecutionStatus"], same["StatusReason"]) == ("FAILED", "UNAVAILABLE", EMPTY)
    stale = stacks.propose("one", queue("one", 40), "UPDATE")
    stacks.api.update_stack(StackName="one", TemplateBody=queue("one", 50))
    stacks.settled("one")
    assert stacks.api.describe_change_set(ChangeSetName=stale)["ExecutionStatus"] == "OBSOLETE"
    assert refusal(stacks.api.execute_change_set, ChangeSetName=stale)[0] == "InvalidChangeSetStatus"
    role = "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: r, AssumeRolePolicyDocument: {}}}}"
    for capabilities in [], ["CAPABILITY_IAM"]:
        asked = refusal(stacks.propose, stack="two", template=role, Capabilities=capabilities)
        assert asked == ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]")
    emulator.ask("settings", {"change_set_seconds": 0.2})
    assert len(stacks.api.list_change_sets(StackName="one")["Summaries"]) == 3
    late = stacks.propose("three", queue("three"))
    assert stacks.api.describe_change_set(ChangeSetName=late)["Status"] == "CREATE_IN_PROGRESS"
    assert refusal(stacks.api.execute_change_set, ChangeSetName=late)[0] == "InvalidChangeSetStatus"
    time.sleep(0.25)
    assert stacks.execute("three", late) == "CREATE_COMPLETE"


def check_what_a_change_set_tells_of_changes(emulator):
    stacks = Stacks(emulator)
    template = queue("one").replace("    DeletionPolicy", "    UpdateReplacePolicy: Retain\n    DeletionPolicy")
    assert stacks.deploy("one", template) == "CREATE_COMPLETE"
    renamed = stacks.propose("one", template.replace("QueueName: one", "QueueName: two"), "UPDATE")
    changes = stacks.changes(renamed, IncludePropertyValues=True)
    change = changes["Queue"]
    assert (change["Action"], change["Replacement"], change["PolicyAction"]) == ("Modify", "True", "ReplaceAndRetain")
    assert change["Scope"] == ["Properties"] and change["PhysicalResourceId"].endswith("/one")
    target = change["Details"][0]["Target"]
    assert (target["Name"], target["RequiresRecreation"]) == ("QueueName", "Always")
    assert (target["BeforeValue"], target["AfterValue"], target["Path"]) == ("one", "two", "/Properties/QueueName")
    assert json.loads(change["AfterContext"])["Properties"]["QueueName"] == "two"
    assert changes["Policy"]["Details"][0]["CausingEntity"] == "Queue", "who points at it changes with it"
    assert "BeforeContext" not in stacks.changes(renamed)["Queue"]
    assert stacks.execute("one", renamed) == "UPDATE_COMPLETE"
    names = emulator.client("sqs", stacks.account).list_queues()["QueueUrls"]
    assert sorted(url.rsplit("/", 1)[1] for url in names) == ["one", "two"], "the replaced queue is retained"
    removed = stacks.propose("one", "Resources: {W: {Type: AWS::SNS::Topic}}", "UPDATE")
    changes = stacks.changes(removed)
    assert (changes["Queue"]["Action"], changes["Queue"]["PolicyAction"]) == ("Remove", "Retain")
    assert (changes["Policy"]["PolicyAction"], changes["W"]["Action"]) == ("Delete", "Add")


def check_replacements_of_a_tenants_stack(emulator):
    stacks, templates = Stacks(emulator, STAGING), snapshots("staging")
    for name in ("oort-staging-foundation", "oort-staging-acme"):
        stacks.offer(templates[name])
        stacks.deploy(name, templates[name])
    template = templates["oort-staging-acme"]
    for before, after, resource, replacement in (
        ('Memory: "512"', 'Memory: "1024"', "DetectorTask", "True"),
        ("RetentionDays: 14", "RetentionDays: 15", "EventArchive", "False"),
        ("ArchiveName: oort", "ArchiveName: new", "EventArchive", "True"),
        ("      Name: oort-staging-acme-events", "      Name: new", "EventRule", "True"),
        ("RoleName: oort-staging-acme-detector", "RoleName: new", "DetectorRole", "True"),
        ("rate(1 hour)", "rate(2 hours)", "DetectorSchedule", "False"),
        ("AlarmName: oort", "AlarmName: new", "DeadLetterAlarm", "True"),
    ):
        assert before in template, before
        change_set = stacks.propose("oort-staging-acme", template.replace(before, after), "UPDATE")
        found = stacks.changes(change_set)
        assert found[resource]["Replacement"] == replacement, (resource, found[resource])
        assert stacks.execute("oort-staging-acme", change_set) == "UPDATE_COMPLETE", stacks.failures(
            "oort-staging-acme"
        )
        stacks.deploy("oort-staging-acme", template, "UPDATE")
        if resource == "EventArchive" and replacement == "True":
            # It was retained, so that its name is taken.
            assert stacks.settled("oort-staging-acme") == "UPDATE_ROLLBACK_COMPLETE"
            emulator.client("events", STAGING).delete_archive(ArchiveName="oort-staging-acme")
            assert stacks.deploy("oort-staging-acme", template, "UPDATE") == "UPDATE_COMPLETE"


def check_templates_from_s3(emulator):
    stacks = Stacks(emulator)
    s3 = emulator.client("s3", stacks.account)
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    s3.put_object(Bucket="templates", Key="deploy/one.yaml", Body=queue("one").encode())
    path = "https://s3.us-east-2.amazonaws.com/templates"
    for bucket in (path, f"{emulator.url}/templates", "https://templates.s3.us-east-2.amazonaws.com"):
        change_set = stacks.propose("one", None, TemplateURL=f"{bucket}/deploy/one.yaml")
        assert set(stacks.changes(change_set)) == {"Queue", "Policy"}
    assert stacks.execute("one", change_set) == "CREATE_COMPLETE"
