"""The process, its accounts, its faults and its audit."""

import time

import botocore.exceptions

from client import PRODUCTION, STAGING, Emulator, Stacks, queue, refusal


def check_a_key_of_12_digits_is_an_account(emulator):
    for account in (STAGING, PRODUCTION):
        assert emulator.client("sts", account).get_caller_identity()["Account"] == account


def check_it_ends_with_its_standard_input(emulator):
    other = Emulator()
    other.process.stdin.close()
    assert other.process.wait(timeout=5) == 0
    assert other.process.stdout.read() == b"", "one line tells the port, and nothing else is printed"


def check_faults_in_the_words_of_each_protocol(emulator):
    account = Stacks(emulator).account
    asked = [
        (emulator.client("cloudformation", account).list_stacks, {}),
        (emulator.client("sts", account).get_caller_identity, {}),
        (emulator.client("events", account).list_event_buses, {}),
        (emulator.client("cloudwatch", account).describe_alarms, {}),
        (emulator.client("s3", account).put_object, {"Bucket": "b", "Key": "k"}),
    ]
    fault = {"account": account, "times": len(asked), "status": 400, "code": "Throttling", "message": "Rate <exceeded>"}
    emulator.ask("faults", [fault])
    for call, arguments in asked:
        assert refusal(call, **arguments) == ("Throttling", "Rate <exceeded>"), call
    emulator.client("sts", account).get_caller_identity()


def check_faults_find_their_call(emulator):
    stacks = Stacks(emulator)
    mine = {
        "service": "cloudformation",
        "operation": "DescribeStacks",
        "stack": "two",
        "status": 503,
        "code": "ServiceUnavailable",
    }
    emulator.ask("faults", [{**mine, "skip": 1, "times": 1}])
    stacks.deploy("one", queue("one"))
    change_set = stacks.propose("two", queue("two"))
    stacks.status("two")
    assert refusal(stacks.api.describe_stacks, StackName="two")[0] == "ServiceUnavailable"
    assert stacks.status("two") == "REVIEW_IN_PROGRESS"
    emulator.ask("faults", [{"stack": "two", "status": 400, "code": "Throttling"}])
    assert refusal(stacks.api.describe_change_set, ChangeSetName=change_set)[0] == "Throttling", (
        "a change set is of its stack"
    )
    emulator.ask("faults", [{"operation": "ListStacks", "latency_ms": 300}])
    begun = time.time()
    stacks.api.list_stacks()
    assert time.time() - begun > 0.3


def check_lost_answers(emulator):
    stacks = Stacks(emulator)
    change_set = stacks.propose("one", queue("one"))
    for fault, is_done in ({"drop": True}, False), ({"after": True}, True):
        emulator.ask("faults", [{"operation": "ExecuteChangeSet", **fault}])
        try:
            stacks.api.execute_change_set(ChangeSetName=change_set, ClientRequestToken="t")
            raise AssertionError("an answer came")
        except botocore.exceptions.HTTPClientError:
            assert len(emulator.ask("executions")) == int(is_done)
    assert stacks.execute("one", change_set, ClientRequestToken="t") == "CREATE_COMPLETE"
    assert [(run["account"], run["stack"]) for run in emulator.ask("executions")] == [(stacks.account, "one")]
    assert emulator.ask("executions")[0]["at"] <= time.time()
    assert emulator.ask("calls")[stacks.account]["cloudformation:ExecuteChangeSet"] == 3


def check_a_reset_forgets_every_account(emulator):
    emulator.ask("settings", {"operation_seconds": 0.3})
    stacks, other = Stacks(emulator), Stacks(emulator)
    stacks.api.execute_change_set(ChangeSetName=stacks.propose("one", queue("one")))
    emulator.ask("faults", [{"status": 500, "times": 9}])
    emulator.ask("reset")
    assert emulator.ask("calls") == {} and emulator.ask("executions") == []
    time.sleep(0.4)
    assert stacks.api.list_stacks()["StackSummaries"] == other.api.list_stacks()["StackSummaries"] == []
