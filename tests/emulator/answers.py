"""Answers in the words of AWS's protocols: XML of its query services, JSON, CBOR."""

import json
from xml.sax.saxutils import escape

from ministack.services.cloudformation.helpers import _xml


def fields(value):
    """A value as the inside of an XML element; what is None is left out."""
    if isinstance(value, dict):
        return "".join(f"<{key}>{fields(item)}</{key}>" for key, item in value.items() if item is not None)
    if isinstance(value, (list, tuple)):
        return "".join(f"<member>{fields(item)}</member>" for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    return escape(str(value))


def cloudformation(operation, result):
    """What an operation of CloudFormation answers."""
    inner = f"<{operation}Result>{fields(result)}</{operation}Result>" if result is not None else ""
    return _xml(200, f"{operation}Response", inner)


def refusal(call, status, code, message):
    """An error in the words of the call's protocol: status, headers, body."""
    if call.is_cbor:
        import cbor2

        headers = {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        return status, headers, cbor2.dumps({"__type": code, "message": message})
    if call.is_json:
        body = json.dumps({"__type": code, "message": message}).encode()
        return status, {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": code}, body
    side = "Sender" if status < 500 else "Receiver"
    if call.service == "s3":
        body = f"<Error>{fields({'Code': code, 'Message': message, 'RequestId': '0'})}</Error>"
    else:
        error = fields({"Error": {"Type": side, "Code": code, "Message": message}, "RequestId": "0"})
        body = f"<ErrorResponse>{error}</ErrorResponse>"
    return status, {"content-type": "text/xml"}, body.encode()
