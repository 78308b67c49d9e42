"""What a test can ask of the emulator besides AWS's own APIs, under `/_oort/`, JSON in and JSON out: faults on the wire,
failures and states of stacks, partner event sources, metrics, and what was called and carried out."""

import json
import time
from collections import Counter

from ministack.core.responses import request_scope

import listing
import operations
import settings
import sources
import wire

REGION = "us-east-2"
# (account, "service:Operation") -> calls.
CALLS = Counter()
# The same -> bytes of the bodies that came, and of those that went.
RECEIVED = Counter()
SENT = Counter()
# Alarms that go off when an operation was called so often: {"account", "operation", "calls", "alarm"}.
ALARMS = []


def reset():
    import ministack.app

    for kept in (wire.FAULTS, CALLS, RECEIVED, SENT, ALARMS, sources.SOURCES, listing.PAST):
        kept.clear()
    operations.reset()
    settings.reset()
    ministack.app._reset_all_state()


def put_metric(wanted):
    """{account, namespace, name, dimensions, value, at?}: a value of a metric, at a Unix time or now."""
    from ministack.services import cloudwatch

    dimensions = [{"Name": name, "Value": value} for name, value in wanted.get("dimensions", {}).items()]
    datum = {"MetricName": wanted["name"], "Dimensions": dimensions, "Value": wanted["value"]}
    datum["Timestamp"] = wanted.get("at", time.time())
    data = {"Namespace": wanted["namespace"], "MetricData": [datum]}
    with request_scope(wanted["account"], wanted.get("region", REGION)):
        cloudwatch._put_metric_data({}, data, False, True)


def calls():
    counted = {}
    for (account, name), count in CALLS.items():
        counted.setdefault(account, {})[name] = count
    return counted


def traffic(wanted):
    """{account}: calls of each operation, and the bytes of their requests and answers."""
    account = wanted["account"]
    return {
        name: {"calls": count, "received": RECEIVED[account, name], "sent": SENT[account, name]}
        for (its_account, name), count in CALLS.items()
        if its_account == account
    }


def forget_calls():
    for counter in (CALLS, RECEIVED, SENT):
        counter.clear()


def counted(send, key):
    """Counts what goes out."""

    async def count(message):
        SENT[key] += len(message.get("body", b""))
        await send(message)

    return count


def put_partner_events(wanted):
    """{source, events: [{detail, detail_type?, time?}]}, as Okta sends them."""
    entries = [
        {
            "Source": wanted["source"],
            "DetailType": event.get("detail_type", "SystemLog"),
            "Detail": json.dumps(event["detail"]),
            "Time": event.get("time"),
        }
        for event in wanted["events"]
    ]
    with request_scope("000000000000", wanted.get("region", REGION)):
        sources.put_partner_events({"Entries": entries})


def place(wanted):
    return wanted["account"], wanted.get("region", REGION)


ROUTES = {
    "faults": lambda wanted: wire.FAULTS.__setitem__(slice(None), wanted),
    "failures": lambda wanted: operations.FAILURES.__setitem__(slice(None), wanted),
    "settings": settings.change,
    "status": lambda wanted: operations.set_status(*place(wanted), wanted["stack"], wanted["status"], wanted["reason"]),
    "offer": lambda wanted: sources.offer(*place(wanted), wanted["name"], wanted.get("expires")),
    "withdraw": lambda wanted: sources.withdraw(*place(wanted), wanted["name"]),
    "put-partner-events": put_partner_events,
    "metric": put_metric,
    "alarm-after": ALARMS.append,
    "calls": lambda _: calls(),
    "traffic": traffic,
    "forget-calls": lambda _: forget_calls(),
    "executions": lambda _: operations.EXECUTIONS,
    "reset": lambda _: reset(),
}


def sound(call):
    """Sets off the alarms that wait for this call."""
    from ministack.services import cloudwatch

    for alarm in list(ALARMS):
        if (alarm["account"], alarm["operation"]) == (call.account, call.operation):
            alarm["calls"] -= 1
            if alarm["calls"] == 0:
                ALARMS.remove(alarm)
                with request_scope(call.account, REGION):
                    record = cloudwatch._alarms[alarm["alarm"]]
                    record["StateValue"], record["StateReason"] = "ALARM", "a test set it off"


async def read(receive):
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def answer_control(path, body, send):
    try:
        told = ROUTES[path](json.loads(body or b"{}"))
        status = 200
    except (KeyError, TypeError, ValueError) as problem:
        told, status = {"error": f"{path}: {type(problem).__name__}: {problem}"}, 400
    body = json.dumps({} if told is None else told).encode()
    await wire.send_answer(send, status, {"content-type": "application/json"}, body)


def install(inner):
    """The emulator with `/_oort/` before it, faults on its way, and every call counted."""
    wire.install()

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return await inner(scope, receive, send)
        body = await read(receive)
        if scope["path"].startswith("/_oort/"):
            return await answer_control(scope["path"].removeprefix("/_oort/"), body, send)

        async def work(reply):
            messages = [{"type": "http.request", "body": body, "more_body": False}]

            async def again():
                return messages.pop() if messages else await receive()

            await inner(scope, again, reply)

        call = wire.Call(scope, body)
        if not call.operation:
            return await work(send)
        key = call.account, f"{call.service}:{call.operation}"
        CALLS[key] += 1
        RECEIVED[key] += len(body)
        send = counted(send, key)
        sound(call)
        fault = wire.fault_of(call)
        return await (work(send) if fault is None else wire.meet(call, fault, work, send))

    return app
