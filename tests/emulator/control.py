"""What a test can ask of the emulator besides AWS's own APIs, under `/_oort/`: faults on the wire, failures and states of
stacks, partner event sources, and what was called and carried out. JSON in, JSON out."""

import asyncio
import json
from collections import Counter
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import sources
import templates

REGION = "us-east-2"
# Answers instead of, or after, the work: {"operation", "times", "skip", "status", "code", "message", "after", "account"}.
FAULTS = []
# (account, "service:Operation") -> calls.
CALLS = Counter()
# Alarms that go off when an operation was called so often: {"account", "operation", "calls", "alarm"}.
ALARMS = []


def sound(call):
    """Sets off the alarms that wait for this call."""
    import ministack.services.cloudwatch as cloudwatch
    from ministack.core.responses import request_scope

    for alarm in list(ALARMS):
        if (alarm["account"], alarm["operation"]) == (call.account, call.operation):
            alarm["calls"] -= 1
            if alarm["calls"] == 0:
                ALARMS.remove(alarm)
                with request_scope(call.account, REGION):
                    record = cloudwatch._alarms[alarm["alarm"]]
                    record["StateValue"], record["StateReason"] = "ALARM", "a test set it off"


class Call:
    """A request to AWS, as far as its protocol tells who wants what."""

    def __init__(self, scope, body):
        headers = {key.decode().lower(): value.decode() for key, value in scope["headers"]}
        credential = headers.get("authorization", "").partition("Credential=")[2].split("/")
        self.account = credential[0]
        self.service = credential[3] if len(credential) > 3 else ""
        self.is_json = "x-amz-target" in headers
        self.is_cbor = headers.get("smithy-protocol", "").startswith("rpc-v2-cbor")
        self.form = {}
        if self.is_json:
            self.operation = headers["x-amz-target"].rpartition(".")[2]
        elif self.is_cbor:
            self.operation = scope["path"].rpartition("/")[2]
        else:
            self.form = {key: values[0] for key, values in parse_qs(body.decode(errors="replace")).items()}
            self.operation = self.form.get("Action", "")

    def refusal(self, fault):
        """An error in the words of the call's protocol."""
        code, message = fault.get("code", "InternalFailure"), fault.get("message", "")
        if self.is_cbor:
            import cbor2

            return cbor2.dumps({"__type": code, "message": message}), "application/cbor"
        if self.is_json:
            return json.dumps({"__type": code, "message": message}).encode(), "application/x-amz-json-1.1"
        error = f"<Error><Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        return f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>".encode(), "text/xml"


def fault_for(call):
    for fault in FAULTS:
        if fault["operation"] != call.operation or fault.get("account", call.account) != call.account:
            continue
        if fault.get("stack") and fault["stack"] not in json.dumps(call.form):
            continue
        if fault.get("skip", 0) > 0:
            fault["skip"] -= 1
        elif fault.get("times", 1) > 0:
            fault["times"] = fault.get("times", 1) - 1
            return fault
    return None


async def read(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def answer(send, status, body, kind="application/json"):
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def discard(_message):
    """Where an answer goes that nobody gets."""


def reset():
    import ministack.app

    for kept in (FAULTS, CALLS, ALARMS, templates.FAILURES, templates.EXECUTIONS, templates.TOKENS, sources.SOURCES):
        kept.clear()
    templates.SETTINGS["operation_seconds"] = 0.0
    ministack.app._reset_all_state()


def control(path, wanted):
    """One request of a test."""
    region = wanted.get("region", REGION) if isinstance(wanted, dict) else REGION
    if path == "faults":
        FAULTS[:] = wanted
    elif path == "failures":
        templates.FAILURES[:] = wanted
    elif path == "settings":
        templates.SETTINGS.update(wanted)
    elif path == "status":
        templates.set_status(wanted["account"], region, wanted["stack"], wanted["status"], wanted["reason"])
    elif path == "offer":
        sources.offer(wanted["account"], region, wanted["name"], wanted.get("expires"))
    elif path == "withdraw":
        sources.withdraw(wanted["account"], region, wanted["name"])
    elif path == "alarm-after":
        ALARMS.append(wanted)
    elif path == "calls":
        calls = {}
        for (account, name), count in CALLS.items():
            calls.setdefault(account, {})[name] = count
        return calls
    elif path == "forget-calls":
        CALLS.clear()
    elif path == "executions":
        return templates.EXECUTIONS
    elif path == "reset":
        reset()
    else:
        raise ValueError(f"unknown: {path}")
    return {}


def install(inner):
    async def app(scope, receive, send):
        if scope["type"] != "http":
            return await inner(scope, receive, send)
        body = await read(receive)
        if scope["path"].startswith("/_oort/"):
            told = control(scope["path"].removeprefix("/_oort/"), json.loads(body or b"{}"))
            return await answer(send, 200, json.dumps(told).encode())
        call = Call(scope, body)
        if call.operation:
            CALLS[call.account, f"{call.service}:{call.operation}"] += 1
            sound(call)
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def again():
            return messages.pop() if messages else await receive()

        fault = fault_for(call) if call.operation else None
        if fault is None:
            return await inner(scope, again, send)
        if fault.get("after"):
            await inner(scope, again, discard)
        if fault.get("latency_ms"):
            await asyncio.sleep(fault["latency_ms"] / 1000)
        refusal, kind = call.refusal(fault)
        return await answer(send, fault.get("status", 400), refusal, kind)

    return app
