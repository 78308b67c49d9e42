"""What goes wrong between a program and AWS: calls that are refused, late, cut off, or done without an answer."""

import asyncio
from urllib.parse import parse_qs

import answers

# {operation?, service?, account?, stack?, times, skip?, status?, code?, message?, latency_ms?, drop?, after?}: the next
# `times` matching calls, behind the first `skip` of them, are late by `latency_ms`, and then refused with `status`, `code`
# and `message`, or cut off (`drop`), or answered in half (`half`). With `after` the work is done first, and what was only to
# be done is cut off.
FAULTS = []
# Peer -> the writer of its connection.
CONNECTIONS = {}
OF_OBJECTS = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
# By method and parameter: what is asked of an object or bucket besides.
OF_PARAMETERS = {
    ("GET", "list-type"): "ListObjectsV2",
    ("POST", "delete"): "DeleteObjects",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("PUT", "partNumber"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}


def of_s3(method, path, parameters):
    """S3 names its operations by method, path and parameters."""
    for (its_method, parameter), operation in OF_PARAMETERS.items():
        if method == its_method and parameter in parameters:
            return operation
    return OF_OBJECTS.get(method, "") if path.strip("/").count("/") else ""


class Call:
    """A request to AWS, as far as its protocol tells who wants what."""

    def __init__(self, scope, body):
        headers = {key.decode().lower(): value.decode("latin-1") for key, value in scope["headers"]}
        credential = headers.get("authorization", "").partition("Credential=")[2].split("/")
        self.account = credential[0]
        self.region = credential[2] if len(credential) > 2 else ""
        self.service = credential[3] if len(credential) > 3 else ""
        self.peer = tuple(scope["client"])
        self.is_json = "x-amz-target" in headers
        self.is_cbor = headers.get("smithy-protocol", "").startswith("rpc-v2-cbor")
        self.body = body
        if self.is_json:
            self.operation = headers["x-amz-target"].rpartition(".")[2]
        elif self.is_cbor:
            self.operation = scope["path"].rpartition("/")[2]
        elif self.service == "s3":
            parameters = parse_qs(scope["query_string"].decode(errors="replace"), keep_blank_values=True)
            self.operation = of_s3(scope["method"], scope["path"], parameters)
        else:
            # The action stands at the very beginning of what every SDK sends; templates are long.
            head = parse_qs(body[:200].decode(errors="replace"))
            self.operation = head["Action"][0] if "Action" in head else self.parameter("Action")

    def parameter(self, name):
        """A parameter of a query protocol's call."""
        if self.is_json or self.is_cbor:
            return ""
        return parse_qs(self.body.decode(errors="replace")).get(name, [""])[0]

    def stack(self):
        """The name of the stack that the call is about."""
        if change_set := self.parameter("ChangeSetName"):
            from ministack.services.cloudformation import _change_sets

            known = _change_sets.get_scoped(self.account, self.region, change_set)
            if known:
                return known["StackName"]
        name = self.parameter("StackName")
        return name.split("/")[1] if name.startswith("arn:") else name


def matches(fault, call):
    wanted = [(key, getattr(call, key)) for key in ("operation", "service", "account") if key in fault]
    return all(fault[key] == value for key, value in wanted) and fault.get("stack") in (None, call.stack())


def fault_of(call):
    """The fault that this call meets, which then is one time less to come."""
    for fault in FAULTS:
        if not matches(fault, call):
            continue
        if fault.get("skip", 0) > 0:
            fault["skip"] -= 1
        elif fault.get("times", 1) > 0:
            fault["times"] = fault.get("times", 1) - 1
            return fault
    return None


async def send_answer(send, status, headers, body):
    headers = {**headers, "content-length": str(len(body))}
    pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def discard(_message):
    """Where an answer goes that nobody gets."""


def half_of(send):
    """Lets the head of an answer through and half of its body."""

    async def begin(message):
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await send(message)
        await asyncio.sleep(0.05)

    return begin


async def meet(call, fault, work, send):
    """Does what a fault says; `work` carries the call out and answers through what it is given."""
    is_refused = "status" in fault or "code" in fault
    if fault.get("after"):
        await work(discard)
    if fault.get("latency_ms"):
        await asyncio.sleep(fault["latency_ms"] / 1000)
    if fault.get("half"):
        await work(half_of(send))
        CONNECTIONS[call.peer].transport.abort()
    elif fault.get("drop") or (fault.get("after") and not is_refused):
        CONNECTIONS[call.peer].transport.abort()
    elif is_refused:
        code, message = fault.get("code", "InternalFailure"), fault.get("message", "")
        await send_answer(send, *answers.refusal(call, fault.get("status", 400), code, message))
    else:
        await work(send)


def install():
    """Keeps the connections at hand, so that one can be cut."""
    from hypercorn.asyncio.tcp_server import TCPServer

    run = TCPServer.run

    async def run_known(self):
        peer = tuple(self.writer.get_extra_info("peername"))
        CONNECTIONS[peer] = self.writer
        try:
            await run(self)
        finally:
            CONNECTIONS.pop(peer, None)

    TCPServer.run = run_known
