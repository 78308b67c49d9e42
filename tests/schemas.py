"""Validates every file under environments/ against the JSON Schema that its first line names, as an editor does, and what
`oort check` and `oort diff` print as JSON against `oort schema`.

usage: schemas.py BINARY

Run with a Python that has PyYAML and jsonschema. Exits with 1 and a list when something does not fit, or when a planted
mistake does."""

import json
import pathlib
import subprocess
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
    for verb in ("check", "diff"):
        # Against an empty folder every stack is new, so that the diff has something to say.
        against = ["--folder", "environments"] if verb == "diff" else []
        oort = lambda *arguments: json.loads(subprocess.run([sys.argv[1], *arguments], cwd=ROOT, stdout=subprocess.PIPE).stdout)
        validator = jsonschema.Draft202012Validator(oort("schema", verb))
        printed = oort(verb, "--format", "json", *against)
        problems += [f"oort {verb}: {error.json_path}: {error.message}" for error in validator.iter_errors(printed)]
        if validator.is_valid({}) or not any(printed.values()):
            problems.append(f"oort schema {verb} takes anything, or nothing was printed")
    print("\n".join([*problems, f"{len(files)} files compared with their schemas, {len(problems)} problems"]))
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
