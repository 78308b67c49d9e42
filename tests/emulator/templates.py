"""Reads and copies templates fast: nine tenths of what a stack costs MiniStack is YAML parsed in Python. Nothing here
changes what a template means."""

import functools
import json
import types

import yaml
from ministack.services.cloudformation import changesets, engine, handlers, stacks

PARSED_BY_MINISTACK = engine._parse_template


class Unusual(Exception):
    """Tags, anchors, merges and empty templates, which are left to MiniStack."""


class Loader(yaml.CSafeLoader):
    yaml_constructors = engine.CfnLoader.yaml_constructors
    yaml_implicit_resolvers = engine.CfnLoader.yaml_implicit_resolvers


RESOLVER = Loader("")


@functools.lru_cache(maxsize=100_000)
def plain(text):
    """A scalar without quotes: templates say the same few thousand again and again."""
    tag = RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
    if tag == "tag:yaml.org,2002:str":
        return text
    if tag == "tag:yaml.org,2002:merge":
        raise Unusual
    return Loader("").construct_object(yaml.ScalarNode(tag, text), deep=True)


def value_of(event, following):
    """The value that begins with this event of libyaml's; `following` gives the next."""
    if not isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)) or event.tag or event.anchor:
        raise Unusual
    if isinstance(event, yaml.ScalarEvent):
        return plain(event.value) if event.implicit[0] else event.value
    if isinstance(event, yaml.MappingStartEvent):
        mapping = {}
        while not isinstance(event := following(), yaml.MappingEndEvent):
            key = value_of(event, following)
            mapping[key] = value_of(following(), following)
        return mapping
    sequence = []
    while not isinstance(event := following(), yaml.SequenceEndEvent):
        sequence.append(value_of(event, following))
    return sequence


def parse(body):
    body = body.strip()
    if body.startswith("{"):
        template = json.loads(body)
    else:
        loader = Loader(body)
        try:
            loader.get_event(), loader.get_event()
            template = value_of(loader.get_event(), loader.get_event)
        except Unusual:
            return PARSED_BY_MINISTACK(body)
    if not isinstance(template, dict):
        raise ValueError("Template must be a JSON or YAML mapping")
    return template


def copied(value):
    """A deep copy of what JSON can say; whatever else there is stays the same."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


def install():
    engine.CfnLoader = Loader
    for part in (engine, changesets, handlers):
        part._parse_template = parse
    for part in (changesets, handlers, stacks):
        part.copy = types.SimpleNamespace(deepcopy=copied)
