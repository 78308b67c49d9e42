"""Operations that take time, fail, get stuck, and are asked for twice; what guards a stack; drift; many at once."""

import concurrent.futures
import time

from client import Stacks, queue, refusal


def check_operations_take_their_time(emulator):
    stacks = Stacks(emulator)
    emulator.ask("settings", {"operation_seconds": 0.2})
    stacks.api.execute_change_set(ChangeSetName=stacks.propose("one", queue("one")))
    assert stacks.status("one") == "CREATE_IN_PROGRESS" and stacks.settled("one") == "CREATE_COMPLETE"
    stacks.api.execute_change_set(ChangeSetName=stacks.propose("one", queue("one", 40), "UPDATE"))
    assert stacks.status("one") == "UPDATE_IN_PROGRESS"
    assert "UPDATE_IN_PROGRESS" in refusal(stacks.propose, stack="one", template=queue("one", 50), kind="UPDATE")[1]
    assert "UPDATE_IN_PROGRESS" in refusal(stacks.api.delete_stack, StackName="one")[1]
    assert stacks.settled("one") == "UPDATE_COMPLETE"
    identity = stacks.api.describe_stacks(StackName="one")["Stacks"][0]["StackId"]
    for _ in range(2):
        stacks.api.delete_stack(StackName="one", ClientRequestToken="gone")
        assert stacks.status("one") == "DELETE_IN_PROGRESS"
    assert stacks.settled(identity) == "DELETE_COMPLETE"
    ends = [
        one
        for one in stacks.api.describe_stack_events(StackName=identity)["StackEvents"]
        if one["ResourceStatus"] == "DELETE_COMPLETE"
    ]
    assert len([one for one in ends if one["LogicalResourceId"] == "one"]) == 1, "it is deleted once"


def check_a_failed_creation_is_rolled_back(emulator):
    stacks = Stacks(emulator)
    failure = {
        "stack": "one",
        "resource": "Policy",
        "reason": "no such policy",
        "times": 1,
        "cancels": {"Queue": "AWS::SQS::Queue"},
    }
    emulator.ask("failures", [failure])
    change_set = stacks.propose("one", queue("one"))
    assert stacks.execute("one", change_set, ClientRequestToken="run-1") == "ROLLBACK_COMPLETE"
    assert stacks.api.describe_change_set(ChangeSetName=change_set)["ExecutionStatus"] == "EXECUTE_FAILED"
    failed = stacks.api.describe_events(StackName="one", Filters={"FailedEvents": True})["OperationEvents"]
    told = [(one["LogicalResourceId"], one["ResourceStatus"], one["ResourceStatusReason"]) for one in failed]
    assert told == [
        ("Policy", "CREATE_FAILED", "no such policy"),
        ("Queue", "CREATE_FAILED", "Resource creation cancelled"),
    ]
    assert {(one["OperationType"], one["ClientRequestToken"]) for one in failed} == {("CREATE_STACK", "run-1")}
    left = emulator.client("sqs", stacks.account).list_queues().get("QueueUrls")
    assert not left, f"RetainExceptOnCreate: {left}"
    assert stacks.delete("one") == "DELETE_COMPLETE"
    assert stacks.deploy("one", queue("one")) == "CREATE_COMPLETE"


def check_a_failed_update_is_rolled_back(emulator):
    stacks = Stacks(emulator)
    stacks.deploy("one", queue("one"))
    emulator.ask("failures", [{"stack": "one", "resource": "Queue", "reason": "not now"}])
    assert stacks.deploy("one", queue("one", 40), "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.api.get_template(StackName="one", TemplateStage="Original")["TemplateBody"] == queue("one")
    events = stacks.api.describe_stack_events(StackName="one")["StackEvents"]
    assert ("Queue", "UPDATE_FAILED", "not now") in [
        (one["LogicalResourceId"], one["ResourceStatus"], one.get("ResourceStatusReason")) for one in events
    ]
    assert stacks.deploy("one", queue("one", 40), "UPDATE") == "UPDATE_COMPLETE"


def check_a_stuck_rollback_is_continued(emulator):
    stacks = Stacks(emulator)
    stacks.deploy("one", queue("one"))
    emulator.ask("failures", [{"stack": "one", "resource": "Queue", "reason": "it hangs", "stuck": True, "times": 2}])
    assert stacks.deploy("one", queue("one", 40), "UPDATE") == "UPDATE_ROLLBACK_FAILED"
    stack = stacks.api.describe_stacks(StackName="one")["Stacks"][0]
    assert stack["StackStatusReason"] == "The following resource(s) failed to update: [Queue]."
    ended = [one["ResourceStatus"] for one in stacks.api.describe_stack_events(StackName="one")["StackEvents"]]
    assert ended[0] == "UPDATE_ROLLBACK_FAILED" and "UPDATE_ROLLBACK_COMPLETE" not in ended
    assert "UPDATE_ROLLBACK_FAILED" in refusal(stacks.propose, stack="one", template=queue("one", 50), kind="UPDATE")[1]
    for status in ("UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE"):
        stacks.api.continue_update_rollback(StackName="one", ClientRequestToken=status.replace("_", "-"))
        assert stacks.settled("one") == status
    assert stacks.deploy("one", queue("one", 40), "UPDATE") == "UPDATE_COMPLETE"
    emulator.ask("failures", [{"stack": "one", "resource": "Queue", "reason": "it hangs", "stuck": True, "times": 9}])
    assert stacks.deploy("one", queue("one", 60), "UPDATE") == "UPDATE_ROLLBACK_FAILED"
    stacks.api.continue_update_rollback(StackName="one", ResourcesToSkip=["Queue"])
    assert stacks.settled("one") == "UPDATE_ROLLBACK_COMPLETE"


def check_guards(emulator):
    stacks = Stacks(emulator)
    stacks.deploy("one", queue("one"))
    user = "Resources: {T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !ImportValue one-arn}}}"
    stacks.deploy("two", user)
    assert stacks.api.list_imports(ExportName="one-arn")["Imports"] == ["two"]
    assert "imported by" in refusal(stacks.api.delete_stack, StackName="one")[1]
    assert stacks.deploy("one", queue("one", export="other"), "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"
    reasons = [
        one.get("ResourceStatusReason", "") for one in stacks.api.describe_stack_events(StackName="one")["StackEvents"]
    ]
    assert "Export one-arn cannot be deleted as it is in use by two" in reasons
    assert stacks.deploy("three", queue("three", export="one-arn")) == "ROLLBACK_COMPLETE", "an export's name is taken"
    stacks.api.update_termination_protection(StackName="two", EnableTerminationProtection=True)
    assert "TerminationProtection is enabled" in refusal(stacks.api.delete_stack, StackName="two")[1]
    stacks.api.update_termination_protection(StackName="two", EnableTerminationProtection=False)
    policy = '{"Statement":[{"Effect":"Deny","Action":"Update:Replace","Principal":"*","Resource":"*"}]}'
    stacks.api.set_stack_policy(StackName="two", StackPolicyBody=policy)
    assert stacks.api.get_stack_policy(StackName="two")["StackPolicyBody"] == policy
    emulator.ask("failures", [{"stack": "two", "resource": "T", "reason": "in use", "on": "delete"}])
    assert stacks.delete("two") == "DELETE_FAILED"
    stacks.api.delete_stack(StackName="two", RetainResources=["T"])
    assert stacks.delete("one") == "DELETE_COMPLETE"
    stacks.propose("four", queue("four"))
    assert stacks.status("four") == "REVIEW_IN_PROGRESS"
    stacks.api.delete_stack(StackName="four")
    time.sleep(0.05)
    assert "does not exist" in refusal(stacks.api.describe_stacks, StackName="four")[1]


def check_drift(emulator):
    stacks = Stacks(emulator)
    template = queue("one").replace(
        "Outputs:",
        """
  Archive:
    Type: AWS::Events::Archive
    Properties:
      {ArchiveName: one, RetentionDays: 14, SourceArn: !Sub "arn:aws:events:us-east-2:${AWS::AccountId}:event-bus/default"}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties: {AlarmName: one, Namespace: N, MetricName: M, Statistic: Sum, Period: 60, EvaluationPeriods: 1,
      Threshold: 5, ComparisonOperator: GreaterThanThreshold}
Outputs:""",
    )
    assert stacks.deploy("one", template) == "CREATE_COMPLETE"
    assert stacks.drift("one") == ("IN_SYNC", {})
    sqs = emulator.client("sqs", stacks.account)
    url = sqs.get_queue_url(QueueName="one")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "99"})
    emulator.client("events", stacks.account).update_archive(ArchiveName="one", RetentionDays=1)
    emulator.client("cloudwatch", stacks.account).delete_alarms(AlarmNames=["one"])
    status, changed = stacks.drift("one")
    assert status == "DRIFTED" and set(changed) == {"Queue", "Archive", "Alarm"}
    difference = changed["Queue"]["PropertyDifferences"][0]
    assert (difference["PropertyPath"], difference["ExpectedValue"], difference["ActualValue"]) == (
        "/VisibilityTimeout",
        "30",
        "99",
    )
    assert changed["Alarm"]["StackResourceDriftStatus"] == "DELETED"


def check_many_stacks_at_once(emulator):
    stacks = Stacks(emulator)

    def make(number):
        name = f"s{number:03}"
        assert stacks.deploy(name, queue(name, number)) == "CREATE_COMPLETE"
        assert stacks.deploy(name, queue(name, number + 100), "UPDATE") == "UPDATE_COMPLETE"

    emulator.ask("settings", {"operation_seconds": 0.05})
    with concurrent.futures.ThreadPoolExecutor(8) as workers:
        list(workers.map(make, range(60)))
    sqs = emulator.client("sqs", stacks.account)
    for number in range(60):
        url = stacks.api.list_stack_resources(StackName=f"s{number:03}")["StackResourceSummaries"][0][
            "PhysicalResourceId"
        ]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        assert attributes["VisibilityTimeout"] == str(number + 100)
    runs = [run["stack"] for run in emulator.ask("executions")]
    assert len(runs) == 120 and len(set(runs)) == 60
