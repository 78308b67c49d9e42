"""Compares the table of src/deploy/diff/types.rs with the resource provider schemas that cfn-lint carries.

Run with the Python that cfn-lint is installed in. Exits with 1 and a list when they differ in another place than those
that are named below, or when a rendered type is missing from the table."""

import json
import pathlib
import re
import sys

import cfnlint

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMAS = pathlib.Path(cfnlint.__file__).parent / "data" / "schemas"
REGION = "us-east-2"

# Where the table knows better than the schema; types.rs says why. (type, property): what the table makes of it.
ICEBERG = "OpenTableFormatInput.IcebergInput.IcebergTableInput"
STORAGE = "TableInput.StorageDescriptor"
EXCEPTIONS = {
    ("AWS::DynamoDB::Table", "AttributeDefinitions"): "conditional",
    ("AWS::ECS::TaskDefinition", "ContainerDefinitions.*.DnsSearchDomains"): "ordered",
    ("AWS::ECS::TaskDefinition", "ContainerDefinitions.*.DnsServers"): "ordered",
    ("AWS::ECS::TaskDefinition", "ContainerDefinitions.*.MountPoints"): "unordered",
    ("AWS::Glue::Table", f"{ICEBERG}.PartitionSpec.Fields"): "ordered",
    ("AWS::Glue::Table", f"{ICEBERG}.Schema.Fields"): "ordered",
    ("AWS::Glue::Table", f"{ICEBERG}.WriteOrder.Fields"): "ordered",
    ("AWS::Glue::Table", "TableInput.PartitionKeys"): "ordered",
    ("AWS::Glue::Table", f"{STORAGE}.BucketColumns"): "ordered",
    ("AWS::Glue::Table", f"{STORAGE}.Columns"): "ordered",
    ("AWS::Glue::Table", f"{STORAGE}.SkewedInfo.SkewedColumnNames"): "ordered",
    ("AWS::Glue::Table", f"{STORAGE}.SkewedInfo.SkewedColumnValues"): "ordered",
    ("AWS::Glue::Table", f"{STORAGE}.SortColumns"): "ordered",
    ("AWS::S3::Bucket", "LifecycleConfiguration.Rules"): "unordered",
    ("AWS::Scheduler::Schedule", "Target.EcsParameters.PlacementStrategy"): "ordered",
}


def texts(pattern, text):
    """The Rust strings of the first `&[…]` or `[…]` that the pattern ends at."""
    found = re.search(pattern + r"&?\[(.*?)\]", text, re.S)
    return re.findall(r'"([^"]+)"', found.group(1)) if found else []


def pairs(names):
    return dict(zip(names[::2], names[1::2]))


def table():
    """What types.rs says of each type."""
    source = (ROOT / "src/deploy/diff/types.rs").read_text()
    source = re.sub(r"//.*", "", source.split("static TYPES", 1)[1].split("#[cfg(test)]")[0])
    entries = re.findall(r"^    (?:ResourceType \{.*?^    \}|(?:plain|data)\(.*?\)),$", source, re.S | re.M)
    return {re.search(r'"(AWS::[\w:]+)"', entry).group(1): said_of(entry) for entry in entries}


def said_of(entry):
    identifier = re.search(r'Some\("(\w+)"\)', entry)
    return {
        "create-only": set(texts(r'"AWS::[\w:]+",\s*', entry)),
        "conditional": set(texts("maybe_create_only: ", entry)),
        "refused": set(texts("refused: ", entry)),
        "identifier": identifier.group(1) if identifier else None,
        "sets": set(texts("sets: ", entry)),
        "keyed": pairs(texts("keyed: ", entry)),
    }


def unordered_everywhere():
    """The lists of normal.rs that have no order wherever they stand, and the keys of their items' names."""
    source = (ROOT / "src/deploy/diff/normal.rs").read_text()
    return set(texts(r"const SETS: .*? = ", source)), pairs(texts(r"const NAMED: .*? = ", source))


class Schema:
    """A type as CloudFormation's schema has it."""

    def __init__(self, name, providers):
        self.schema = json.loads((SCHEMAS / "resources" / f"{providers[name]}.json").read_text())
        self.definitions = self.schema.get("definitions", {})
        self.lists = {}
        self.properties = set()
        self.walk({"properties": self.schema["properties"]}, (), frozenset())

    def dotted(self, key):
        pointers = (pointer.split("/") for pointer in self.schema.get(key, []))
        return {".".join(part for part in pointer if part not in ("", "properties")) for pointer in pointers}

    def walk(self, node, path, seen):
        """Notes every property and every list; `seen` ends what refers to itself."""
        name = node.get("$ref")
        if name in seen:
            return
        if name:
            node = {**self.definitions[name.removeprefix("#/definitions/")], **node}
            seen = seen | {name}
        self.properties.add(".".join(path))
        if "items" in node:
            item = node["items"]
            item = self.definitions.get(item.get("$ref", "").removeprefix("#/definitions/"), item)
            keys = set(item.get("properties", {}))
            self.lists[".".join(path)] = (node.get("insertionOrder", True), keys)
            self.walk(node["items"], (*path, "*"), seen)
        for key, value in node.get("properties", {}).items():
            self.walk(value, (*path, key), seen)
        for choice in ("anyOf", "oneOf", "allOf"):
            for value in node.get(choice, []):
                self.walk({key: item for key, item in value.items() if key != "required"}, path, seen)


def problems_of(name, ours, schema, everywhere, used):
    """Every difference, in a sentence each. Exceptions that were needed go into `used`."""

    def is_excepted(path, what):
        if EXCEPTIONS.get((name, path)) != what:
            return False
        used.add((name, path))
        return True

    for what, key in (("create-only", "createOnlyProperties"), ("conditional", "conditionalCreateOnlyProperties")):
        theirs = schema.dotted(key)
        yield from (f"{path} is {what} in the schema, not in the table" for path in theirs - ours[what])
        more = (path for path in ours[what] - theirs if not is_excepted(path, what))
        yield from (f"{path} is {what} in the table, not in the schema" for path in more)
    replacing = ours["create-only"] | ours["conditional"]
    yield from (f"{path} is refused and replaces" for path in ours["refused"] & replacing)
    yield from (f"{path} is no property" for path in (ours["refused"] | replacing) - schema.properties)
    if ours["identifier"] and ours["identifier"] not in ours["create-only"]:
        yield f"its name {ours['identifier']} is not create-only"
    for path in (ours["sets"] | set(ours["keyed"])) - set(schema.lists):
        yield f"{path} is no list"
    sets, named = everywhere
    for path, (is_ordered, keys) in schema.lists.items():
        last = path.rsplit(".", 1)[-1]
        key = ours["keyed"].get(path)
        if key and key not in keys:
            yield f"items of {path} have no {key}"
        here = path in ours["sets"] or key
        if here and is_ordered and not is_excepted(path, "unordered"):
            yield f"{path} has an order in the schema, none in the table"
        if (path in ours["sets"] and (last in sets or last in named)) or (key and named.get(last) == key):
            yield f"{path} need not be in the table: normal.rs knows {last}"
        if not here and not is_ordered and last not in sets and last not in named and not is_excepted(path, "ordered"):
            yield f"{path} has no order in the schema, one in the table"


def rendered():
    """Every type in a golden file."""
    files = (ROOT / "snapshots").glob("*/*.yaml")
    return {name for file in files for name in re.findall(r"^    Type: (AWS::[\w:]+)$", file.read_text(), re.M)}


def main():
    providers = json.loads((SCHEMAS / "providers" / f"{REGION}.json").read_text())
    known, everywhere, used = table(), unordered_everywhere(), set()
    problems = [f"{name} is rendered, and not in the table" for name in sorted(rendered() - set(known))]
    for name, ours in known.items():
        if name in providers:
            found = problems_of(name, ours, Schema(name, providers), everywhere, used)
            problems += [f"{name}: {problem}" for problem in sorted(found)]
        else:
            problems.append(f"{name} has no schema in {REGION}")
    problems += [f"{name}: the exception for {path} is not needed" for name, path in sorted(set(EXCEPTIONS) - used)]
    print("\n".join([*problems, f"{len(known)} resource types compared, {len(problems)} problems"]))
    return 1 if problems or not known else 0


if __name__ == "__main__":
    sys.exit(main())
