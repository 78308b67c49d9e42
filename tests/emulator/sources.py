"""Partner event sources as EventBridge has them: Okta offers one, a bus of the same name accepts it, and what is sent
before that is dropped."""

import json
import time

import ministack.services.eventbridge as events
from ministack.core.responses import (
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    new_uuid,
    request_scope,
)

import settings

# (the customer's account, region, name) -> what ListEventSources tells of it
SOURCES = {}
# How long a source stays pending before EventBridge deletes it, in seconds.
PENDING_SECONDS = 7 * 24 * 3600


def of(name, account=None):
    key = (account or get_account_id(), get_region(), name)
    source = SOURCES.get(key)
    if source and source["State"] == "PENDING" and source["ExpirationTime"] < time.time():
        del SOURCES[key]
        return None
    return source


def offer(account, region, name, expires=None):
    now = time.time()
    SOURCES[account, region, name] = {
        "Arn": f"arn:aws:events:{region}::event-source/{name}",
        "CreatedBy": "/".join(name.split("/")[:2]),
        "CreationTime": now,
        "ExpirationTime": now + PENDING_SECONDS if expires is None else expires,
        "Name": name,
        "State": "PENDING",
    }


def withdraw(account, region, name):
    if source := SOURCES.get((account, region, name)):
        source["State"] = "DELETED"


def told(source):
    return {key: value for key, value in source.items() if key != "ExpirationTime" or source["State"] == "PENDING"}


def list_sources(data):
    here = (get_account_id(), get_region())
    prefix = data.get("NamePrefix") or ""
    names = sorted(key[2] for key in SOURCES if key[:2] == here and key[2].startswith(prefix))
    return json_response(page("EventSources", [told(source) for source in map(of, names) if source], data))


def page(key, items, data):
    """The part of a list that a request asks for."""
    start = int(data.get("NextToken") or 0)
    size = int(data.get("Limit") or 100)
    end = start + min(size, settings.CURRENT["page_size"] or size)
    answer = {key: items[start:end]}
    if end < len(items):
        answer["NextToken"] = str(end)
    return answer


def describe_source(data):
    source = of(data.get("Name"))
    if source is None:
        return error_response_json("ResourceNotFoundException", f"Event source {data.get('Name')} does not exist.", 400)
    return json_response(told(source))


def create_partner_source(data):
    name, account = data["Name"], data["Account"]
    known = of(name, account)
    if known and known["State"] != "DELETED":
        return error_response_json("ResourceAlreadyExistsException", f"Event source {name} already exists.", 400)
    offer(account, get_region(), name)
    return json_response({"EventSourceArn": of(name, account)["Arn"]})


def delete_partner_source(data):
    withdraw(data["Account"], get_region(), data["Name"])
    return json_response({})


def put_partner_events(data):
    answers = []
    for entry in data.get("Entries", []):
        answers.append({"EventId": new_uuid()})
        for (account, region, name), source in list(SOURCES.items()):
            if name == entry.get("Source") and region == get_region() and source["State"] == "ACTIVE":
                with request_scope(account, region):
                    deliver(name, entry, account, answers[-1]["EventId"])
    return json_response({"FailedEntryCount": 0, "Entries": answers})


def deliver(bus, entry, account, identity):
    event = {
        "EventId": identity,
        "Source": entry["Source"],
        "DetailType": entry.get("DetailType", ""),
        "Detail": entry.get("Detail", "{}"),
        "EventBusName": bus,
        "Time": int(entry.get("Time") or time.time()),
        "Resources": entry.get("Resources", []),
        "Account": account,
        "Region": get_region(),
    }
    view = events._pattern_event_view(event)
    events._dispatch_event(event, view)
    events._archive_event(event, view)


def install():
    create_bus, delete_bus, list_whole = events._create_event_bus, events._delete_event_bus, events._list_event_buses

    def list_buses(data):
        return json_response(page("EventBuses", json.loads(list_whole(data)[2])["EventBuses"], data))

    def create_event_bus(data):
        name, wanted = data.get("Name", ""), data.get("EventSourceName")
        if name.startswith("aws.") and not wanted:
            return error_response_json("ValidationException", f"Event bus name {name} is not valid.", 400)
        if sum(bus != "default" for bus in events._event_buses) >= settings.CURRENT["event_buses"]:
            return error_response_json(
                "LimitExceededException", "The requested resource exceeds the maximum number allowed.", 400
            )
        if not wanted:
            return create_bus(data)
        if wanted != name:
            return error_response_json(
                "ValidationException", "The name of the bus must be that of the event source.", 400
            )
        source = of(wanted)
        if source is None or source["State"] == "DELETED":
            return error_response_json("ResourceNotFoundException", f"Event source {wanted} does not exist.", 400)
        answer = create_bus(data)
        if answer[0] < 400:
            source["State"] = "ACTIVE"
        return answer

    def delete_event_bus(data):
        answer = delete_bus(data)
        source = of(data.get("Name"))
        if answer[0] < 400 and source and source["State"] == "ACTIVE":
            source["State"] = "PENDING"
        return answer

    events._create_event_bus = create_event_bus
    events._delete_event_bus = delete_event_bus
    events._list_event_buses = list_buses
    events._list_event_sources = list_sources
    events._describe_event_source = describe_source
    events._create_partner_event_source = create_partner_source
    events._delete_partner_event_source = delete_partner_source
    events._put_partner_events = put_partner_events


def created(answer):
    """The content of an answer; raises its message where it is an error, as a resource of a stack has to."""
    status, _, body = answer[0], answer[1], answer[2]
    content = json.loads(body) if body else {}
    if status >= 400:
        raise ValueError(content.get("message") or content.get("Message") or str(content))
    return content
