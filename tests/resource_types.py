"""Compares the table of src/deploy/diff/types.rs with the resource provider schemas that cfn-lint carries.

Run with the Python that cfn-lint is installed in. Exits with 1 and a list when they differ, or when a rendered type is
missing from the table."""

import json
import pathlib
import re
import sys

import cfnlint

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMAS = pathlib.Path(cfnlint.__file__).parent / "data" / "schemas"
REGION = "us-east-2"


def table():
    """Each type's (create-only, conditional create-only) properties, as types.rs has them."""
    text = (ROOT / "src/deploy/diff/types.rs").read_text().split("static TYPES", 1)[1].split("#[cfg(test)]")[0]
    starts = [match.start() for match in re.finditer(r'"AWS::', text)]
    found = {}
    for start, end in zip(starts, starts[1:] + [len(text)]):
        name = re.match(r'"(AWS::[\w:]+)"', text[start:]).group(1)
        create_only = re.match(r'"AWS::[\w:]+",\s*&\[(.*?)\]', text[start:end], re.S).group(1)
        # What stands between the previous entry's end and this name belongs to this entry.
        before = text[:start].rsplit("ResourceType {", 1)[-1]
        conditional = re.search(r"maybe_create_only: &\[(.*?)\]", before) if ".." in before and "}" not in before else None
        words = lambda part: set(re.findall(r'"([^"]+)"', part))
        found[name] = (words(create_only), words(conditional.group(1)) if conditional else set())
    return found


def schema(name, providers):
    """The same as CloudFormation's schema has them."""
    resource = json.loads((SCHEMAS / "resources" / f"{providers[name]}.json").read_text())
    dotted = lambda key: {
        ".".join(part for part in pointer.split("/") if part not in ("", "properties")) for pointer in resource.get(key, [])
    }
    return dotted("createOnlyProperties"), dotted("conditionalCreateOnlyProperties")


def rendered():
    """Every type in a golden file."""
    files = (ROOT / "snapshots").glob("*/*.yaml")
    return {name for file in files for name in re.findall(r"^    Type: (AWS::[\w:]+)$", file.read_text(), re.M)}


def main():
    providers = json.loads((SCHEMAS / "providers" / f"{REGION}.json").read_text())
    known = table()
    problems = [f"{name} is rendered, and not in the table" for name in sorted(rendered() - set(known))]
    for name, (create_only, conditional) in sorted(known.items()):
        if name not in providers:
            problems.append(f"{name} has no schema in {REGION}")
            continue
        for what, ours, theirs in zip(("create-only", "conditional"), (create_only, conditional), schema(name, providers)):
            if ours != theirs:
                problems.append(f"{name}, {what}: the table has {sorted(ours)}, the schema {sorted(theirs)}")
    for problem in problems:
        print(problem)
    print(f"{len(known)} types compared, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
