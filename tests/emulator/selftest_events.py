"""Partner event sources and buses, what is sent to them, metrics and alarms."""

import datetime
import json
import time

from client import ROOT, STAGING, Stacks, queue, refusal

NAME = "aws.partner/okta.com/hooli/77aa-hooli"


def check_sources_of_their_account_and_region(emulator):
    account = Stacks(emulator).account
    events, other = emulator.client("events", account), emulator.client("events", Stacks(emulator).account)
    other.create_partner_event_source(Name=NAME, Account=account)
    assert refusal(other.create_partner_event_source, Name=NAME, Account=account)[0] == "ResourceAlreadyExistsException"
    source = events.describe_event_source(Name=NAME)
    assert (source["State"], source["CreatedBy"]) == ("PENDING", "aws.partner/okta.com")
    assert source["ExpirationTime"].timestamp() > time.time()
    assert other.list_event_sources()["EventSources"] == []
    for number in range(5):
        emulator.ask("offer", {"account": account, "name": f"aws.partner/okta.com/t{number}/id"})
    emulator.ask("offer", {"account": account, "name": "aws.partner/okta.com/late/id", "expires": time.time() - 1})
    first = events.list_event_sources(NamePrefix="aws.partner/okta.com/t", Limit=3)
    rest = events.list_event_sources(NamePrefix="aws.partner/okta.com/t", Limit=3, NextToken=first["NextToken"])
    assert [len(first["EventSources"]), len(rest["EventSources"])] == [3, 2] and "NextToken" not in rest
    assert len(events.list_event_sources()["EventSources"]) == 6, "one that expired is gone"


def check_a_bus_accepts_its_source(emulator):
    account = Stacks(emulator).account
    events = emulator.client("events", account)
    assert refusal(events.create_event_bus, Name=NAME, EventSourceName=NAME)[0] == "ResourceNotFoundException"
    emulator.ask("offer", {"account": account, "name": NAME})
    assert refusal(events.create_event_bus, Name="other", EventSourceName=NAME)[0] == "ValidationException"
    events.create_event_bus(Name=NAME, EventSourceName=NAME)

    def state():
        return events.describe_event_source(Name=NAME)["State"]

    assert state() == "ACTIVE" and events.describe_event_bus(Name=NAME)["Name"] == NAME
    names = [bus["Name"] for bus in events.list_event_buses(NamePrefix="aws.partner/")["EventBuses"]]
    assert names == [NAME] and len(events.list_event_buses(Limit=1)["EventBuses"]) == 1
    events.delete_event_bus(Name=NAME)
    assert state() == "PENDING"
    events.delete_partner_event_source(Name=NAME, Account=account)
    assert state() == "DELETED"
    assert refusal(events.create_event_bus, Name=NAME, EventSourceName=NAME)[0] == "ResourceNotFoundException"


def check_what_okta_sends_reaches_the_queue(emulator):
    stacks = Stacks(emulator, STAGING)
    foundation, tenant = ((ROOT / f"snapshots/staging/{name}.yaml").read_text() for name in ("foundation", "acme"))
    assert stacks.deploy("oort-staging-foundation", foundation) == "CREATE_COMPLETE"
    source = stacks.offer(tenant)
    sqs, okta = emulator.client("sqs", STAGING), emulator.client("events", "100000000001")

    def send(mark):
        return okta.put_partner_events(
            Entries=[
                {
                    "Source": source,
                    "DetailType": "SystemLog",
                    "Detail": json.dumps({"uuid": mark}),
                    "Time": datetime.datetime(2026, 1, 1),
                }
            ]
        )

    assert send("before the bus")["FailedEntryCount"] == 0, "an event that is dropped is no error"
    assert stacks.deploy("oort-staging-acme", tenant) == "CREATE_COMPLETE"
    send("after")
    emulator.ask("put-partner-events", {"source": source, "events": [{"detail": {"uuid": "by the harness"}}]})
    url = sqs.get_queue_url(QueueName="oort-staging-acme-events")["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)["Messages"]
    bodies = [json.loads(message["Body"]) for message in messages]
    assert {body["detail"]["uuid"] for body in bodies} == {"after", "by the harness"}
    assert all((body["source"], body["account"]) == (source, STAGING) for body in bodies)


def check_metrics_and_alarms(emulator):
    stacks = Stacks(emulator)
    watch, now = emulator.client("cloudwatch", stacks.account), time.time()
    dimensions = [{"Name": "QueueName", "Value": "one"}]
    watch.put_metric_data(
        Namespace="AWS/SQS", MetricData=[{"MetricName": "Sent", "Dimensions": dimensions, "Value": 2.5}]
    )
    for ago, value in (300, 7.0), (0, 0.5):
        metric = {"account": stacks.account, "namespace": "AWS/SQS", "name": "Sent", "dimensions": {"QueueName": "one"}}
        emulator.ask("metric", {**metric, "value": value, "at": now - ago})
    stat = {
        "Metric": {"Namespace": "AWS/SQS", "MetricName": "Sent", "Dimensions": dimensions},
        "Period": 60,
        "Stat": "Sum",
    }
    asked = {
        "MetricDataQueries": [{"Id": f"q{number}", "MetricStat": stat} for number in range(3)],
        "StartTime": now - 3600,
        "EndTime": now + 60,
    }
    for order, values in ("TimestampDescending", [3.0, 7.0]), ("TimestampAscending", [7.0, 3.0]):
        told = watch.get_metric_data(ScanBy=order, **asked)["MetricDataResults"]
        assert [one["Values"] for one in told] == [values] * 3, told
    emulator.ask("settings", {"page_size": 2})
    first = watch.get_metric_data(**asked)
    assert [one["Id"] for one in first["MetricDataResults"]] == ["q0", "q1"]
    assert [one["Id"] for one in watch.get_metric_data(NextToken=first["NextToken"], **asked)["MetricDataResults"]] == [
        "q2"
    ]
    alarm = {
        "Namespace": "AWS/SQS",
        "MetricName": "Other",
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
    }
    for name in ("oort-a", "oort-b", "other"):
        watch.put_metric_alarm(AlarmName=name, Threshold=0, ComparisonOperator="GreaterThanThreshold", **alarm)
    watch.set_alarm_state(AlarmName="oort-b", StateValue="ALARM", StateReason="a test")
    form = {"MetricDataQueries.member.1.Id": "q0", "MetricDataQueries.member.1.MetricStat.Stat": "Sum"}
    metric = "MetricDataQueries.member.1.MetricStat.Metric."
    form.update({metric + "Namespace": "AWS/SQS", metric + "MetricName": "Sent", "Action": "GetMetricData"})
    form.update({metric + "Dimensions.member.1.Name": "QueueName", metric + "Dimensions.member.1.Value": "one"})
    told = emulator.query("monitoring", stacks.account, form)
    assert told.index("<member>3.0</member>") < told.index("<member>7.0</member>"), "the query protocol tells the same"
    emulator.ask("settings", {"page_size": 0})
    told = watch.describe_alarms(AlarmNamePrefix="oort-", StateValue="ALARM")["MetricAlarms"]
    assert [(one["AlarmName"], one["StateReason"]) for one in told] == [("oort-b", "a test")]
    watch.put_metric_alarm(
        AlarmName="full", Threshold=9, ComparisonOperator="GreaterThanThreshold", **{**alarm, "MetricName": "Full"}
    )
    emulator.ask("metric", {"account": stacks.account, "namespace": "AWS/SQS", "name": "Full", "value": 10})
    assert watch.describe_alarms(AlarmNames=["full"])["MetricAlarms"][0]["StateValue"] == "ALARM", (
        "a metric sets it off"
    )


def check_quotas(emulator):
    stacks = Stacks(emulator)
    events = emulator.client("events", stacks.account)
    emulator.ask("settings", {"event_buses": 1, "stacks": 1})
    for number in range(3):
        emulator.ask("offer", {"account": stacks.account, "name": f"aws.partner/okta.com/t{number}/id"})

    def make(number):
        return {
            "Name": f"aws.partner/okta.com/t{number}/id",
            "EventSourceName": f"aws.partner/okta.com/t{number}/id",
        }

    events.create_event_bus(**make(0))
    assert refusal(events.create_event_bus, **make(1))[0] == "LimitExceededException"
    stacks.deploy("one", queue("one"))
    assert refusal(stacks.propose, stack="two", template=queue("two"))[0] == "LimitExceededException"
    assert {
        one["Value"] for one in stacks.api.describe_account_limits()["AccountLimits"] if one["Name"] == "StackLimit"
    } == {1}
