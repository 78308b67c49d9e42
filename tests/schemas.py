"""Validates every file under environments/ against the JSON Schema that its first line names, as an editor does.

Run with a Python that has PyYAML and jsonschema. Exits with 1 and a list when a file does not fit, or when a planted
mistake does."""

import json
import pathlib
import sys

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELINE = "# yaml-language-server: $schema="


def schema_of(file, text):
    first = text.splitlines()[0]
    assert first.startswith(MODELINE), f"{file} names no schema in its first line"
    schema = json.loads((file.parent / first.removeprefix(MODELINE)).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def main():
    files = sorted((ROOT / "environments").rglob("*.yaml"))
    problems = []
    for file in files:
        text = file.read_text()
        validator = schema_of(file, text)
        content = yaml.safe_load(text)
        problems += [f"{file}: {error.json_path}: {error.message}" for error in validator.iter_errors(content)]
        if validator.is_valid({**content, "detectr": {}}) or validator.is_valid({**content, "queue": {"receive_limit": "5"}}):
            problems.append(f"{file}: its schema takes a misspelt key or a text for a number")
    print("\n".join([*problems, f"{len(files)} files compared with their schemas, {len(problems)} problems"]))
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
