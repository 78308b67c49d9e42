"""Sigma rules as SQL in DuckDB: the whole file as one batch, loading included, one thread; its CPU time. Run in a venv of its own by peers.

usage: sql_rules.py EVENTS RULES
"""

import glob
import json
import re
import sys
import time

import duckdb
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError


def queries(folder):
    told = []
    for file in sorted(glob.glob(f"{folder}/*.yml")):
        try:
            told += sqliteBackend().convert(SigmaCollection.from_yaml(open(file).read()))
        except SigmaError as error:
            print(f"{file}: {error}", file=sys.stderr)
    # Correlations become SQL that only SQLite runs.
    return [query for query in told if not query.startswith("WITH ")]


def columns(events, told):
    """The shape of what the queries ask for, as DuckDB reads JSON at once, and the column of each name."""
    with open(events) as file:
        names = {name: [name] for name, value in json.loads(file.readline()).items() if not isinstance(value, (dict, list))}
    for query in told:
        names.update({name: name.split(".") for name in re.findall(r"`([^`]+)`", query)})
    shape = {}
    for path in names.values():
        # A list: the first of several targets is looked at.
        place = shape if path[0] != "target" else shape.setdefault("target", [{}])[0]
        steps = path if path[0] != "target" else path[1:]
        for step in steps[:-1]:
            place = place.setdefault(step, {})
        place.setdefault(steps[-1], "VARCHAR")
    quoted = lambda path: ".".join(f'"{step}"' for step in path).replace('"target"', '"target"[1]')
    return json.dumps(shape), ", ".join(f'event.{quoted(path)}::VARCHAR AS "{name}"' for name, path in sorted(names.items()))


def for_duckdb(query):
    """Where DuckDB and SQLite say the same otherwise."""
    query = query.replace("`", '"')
    query = re.sub(r'("[^"]+") REGEXP (\'[^\']*\')', r"regexp_matches(\1, \2)", query)
    # Every column is text.
    query = re.sub(r'("[^"]+")=(\d+)\b', r"\1='\2'", query)
    return re.sub(r'("oort[^"]+") (>=|<=|>|<) (\d+)', r"TRY_CAST(\1 AS DOUBLE) \2 \3", query)


def main():
    events, rules = sys.argv[1:]
    told = queries(rules)
    shape, wanted = columns(events, told)
    base = duckdb.connect()
    base.execute("SET threads = 1")
    started, matches, ran = time.process_time(), 0, 0
    base.execute(f"CREATE TABLE logs AS SELECT {wanted} FROM (SELECT from_json(json, '{shape}') AS event FROM read_ndjson_objects(?))", [events])
    for query in told:
        try:
            matches += len(base.execute(for_duckdb(query)).fetchall())
            ran += 1
        except duckdb.Error as error:
            print(f"{query[:80]}: {error}", file=sys.stderr)
    seconds = time.process_time() - started
    count = base.execute("SELECT count(*) FROM logs").fetchone()[0]
    print(json.dumps({"events": count, "matches": matches, "rules": ran, "asked": len(told), "seconds": seconds}))


main()
