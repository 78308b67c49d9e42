"""What the machine can do at most, and other engines of Sigma rules, on the events of this run. Built from `harness/`."""

import json
import os
import subprocess
import sys

from record import ROOT, Failed, Record, run

LIMITS = "machine"
ENGINES = "rules"
HERE = ROOT / "tests/bench/harness"
TARGET = ROOT / "target/bench/harness"

# Name, what the harness calls it, and in what it is told.
MACHINE = [
    ("memory, copied", "memory", "MB/CPU s"),
    ("disk, written and synced", "disk", "MB/s"),
    ("JSON into values", "json", "events/CPU s"),
    ("zstd -1, compressed", "zstd-1", "MB/CPU s"),
    ("zstd -3, compressed", "zstd-3", "MB/CPU s"),
    ("zstd, decompressed", "unzstd", "MB/CPU s"),
]
SQL = ("pySigma==2.0.1", "pySigma-backend-sqlite==2.1.1", "duckdb==2.0.0")
PEERS = [
    ("the engine that detect uses, rules only: rsigma-eval 0.23", "rsigma"),
    ("sigma-rust 0.7, rules only", "sigma-rust"),
    ("sigmars 0.2, rules only", "sigmars"),
]


def build():
    cargo = os.environ.get("CARGO", "cargo")
    command = [cargo, "build", "--release", "--locked", "--quiet", "--manifest-path", HERE / "Cargo.toml", "--target-dir", TARGET]
    subprocess.run(command, check=True, cwd=ROOT)
    return TARGET / "release/bench-harness"


def best_of(harness, what, events, times=3):
    command = [harness, what, events, ROOT / "detections"]
    runs = [(json.loads((took := run(command)).output), took) for _ in range(times)]
    return min(runs, key=lambda one: one[0]["seconds"])


def measure(book, events):
    """Gives the harness, or nothing where it cannot be built."""
    try:
        harness = build()
    except (OSError, subprocess.CalledProcessError) as error:
        book.skip(LIMITS, "all limits of the machine, and engines of rules", f"the harness could not be built: {error}")
        return None
    for name, what, unit in MACHINE:
        told, took = best_of(harness, what, events)
        done = told["events"] if unit == "events/CPU s" else told["bytes"] / 1e6
        command = f"bench-harness {what}"
        book.add(Record(LIMITS, name, done / told["seconds"], unit, "more", **took.figures(), command=command))
    return harness


def events_a_second(book, name, bytes_an_event):
    """A limit of bytes as one of events."""
    rate = book.value(LIMITS, name)
    return rate * 1e6 / bytes_an_event if rate else None


def sql(book, events, scratch):
    """Rules as SQL in DuckDB, from a venv that is made for it."""
    name = "pySigma 2.0 to SQL, in DuckDB 2.0 with one thread, loading included"
    try:
        python = venv(scratch / "sigma", *SQL)
        took = run([python, HERE.parent / "sql_rules.py", events, ROOT / "detections"])
    except (OSError, subprocess.CalledProcessError, Failed) as error:
        book.skip(ENGINES, name, str(error).splitlines()[0])
        return
    told = json.loads(took.output)
    note = f"{told['rules']} of {told['asked']} queries run, {told['matches']:,} matches"
    scale = f"{told['events']:,} events"
    value = told["events"] / told["seconds"]
    limit = book.value(LIMITS, "JSON into values")
    more = {"is_peer": True, "limit": "JSON into values", "limit_value": limit, "note": note}
    book.add(Record(ENGINES, name, value, "events/CPU s", "more", scale, **took.figures(), command="sql_rules.py", **more))


def venv(folder, *packages):
    """A Python that has some packages, in a folder of its own: peers do not agree on what they rest on."""
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    subprocess.run([sys.executable, "-m", "venv", folder], **quiet)
    subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], **quiet)
    return folder / "bin/python"


def engines(book, harness, events):
    if harness is None:
        return
    limit = book.value(LIMITS, "JSON into values")
    for name, what in PEERS:
        try:
            told, took = best_of(harness, what, events, times=2)
        except Failed as error:
            book.skip(ENGINES, name, str(error).splitlines()[-1])
            continue
        note = f"{told['rules']} rules, {told['matches']:,} matches"
        scale = f"{told['events']:,} events"
        value = told["events"] / told["seconds"]
        more = {"is_peer": True, "limit": "JSON into values", "limit_value": limit, "note": note}
        book.add(Record(ENGINES, name, value, "events/CPU s", "more", scale, **took.figures(), command=f"bench-harness {what}", **more))
