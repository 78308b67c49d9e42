"""Sample events through each stage of the embedded target, what the rules remember, and the console's pages."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import machine
from record import Record, run

GROUP = "events"
TENANT = ["--tenant", "acme"]


class Target:
    """A fresh embedded target in a folder."""

    def __init__(self, book, folder):
        self.book = book
        self.folder = folder
        self.data = folder / "data"
        self.oort = [book.binary, "--data", str(self.data), "--log", "warn"]

    def run(self, *words, **how):
        return run([*self.oort, *words], **how)

    def sample(self, file, users, days, events, seed=1):
        with open(file, "wb") as out:
            words = ["sample", "--users", str(users), "--days", str(days), "--events", str(events), "--seed", str(seed)]
            return self.run(*words, to=out)

    def send(self, file):
        return self.run("local", "send", str(file), *TENANT)


def sampled(book, scratch, events):
    """A file of events for the machine's limits and for other engines; its bytes an event."""
    file = scratch / "events.jsonl"
    Target(book, scratch / "sample").sample(file, 2000, 7, events)
    return file, file.stat().st_size / events


def pipeline(book, scratch, events):
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        target = Target(book, type(scratch)(folder))
        file = target.folder / "events.jsonl"
        scale = f"{events:,} events"

        def add(name, took, count=events, limit=None, note="", unit="events/CPU s"):
            value = machine.events_a_second(book, limit, size) if limit and limit != "JSON into values" else None
            value = book.value("machine", limit) if limit == "JSON into values" else value
            more = {"limit": limit or "", "limit_value": value, "note": note, "command": f"oort {name}"}
            book.add(Record(GROUP, name, count / took.cpu, unit, "more", scale, **took.figures(), **more))

        took = target.sample(file, 2000, 7, events)
        size = file.stat().st_size / events
        add("sample", took, limit="memory, copied", note=f"{size:,.0f} bytes an event")
        add("local send", target.send(file), limit="disk, written and synced")
        file.unlink()
        took = target.run("detect", *TENANT)
        report = json.loads(took.output)
        add("detect", took, limit="JSON into values", note=f"{report['new_findings']} findings, {report['segments']} segments")
        seconds(book, "detect again, with nothing new", target.run("detect", *TENANT), scale)
        found = first(target.run("findings", *TENANT, "--format", "json").output)
        user = ["--user", found["actor"]]
        add("refresh of one user, all events uncompacted", target.run("refresh", *TENANT, *user), limit="zstd, decompressed")
        took = target.run("compact", *TENANT)
        report = json.loads(took.output)
        add("compact", took, limit="zstd -3, compressed", note=f"{report['added']:,} rows added of {report['rows']:,}")
        seconds(book, "compact again, with nothing new", target.run("compact", *TENANT), scale)
        look_up(book, target, user, scale)
        pages(book, target, found["event"]["actor"]["id"], scale)


def first(output):
    """The first of a list in JSON, of which the end may be missing."""
    return json.JSONDecoder().raw_decode(output.decode(errors="replace").lstrip(" \n["))[0]


def seconds(book, name, took, scale, **more):
    book.add(Record(GROUP, name, took.cpu, "CPU s", "less", scale, **took.figures(), **more))


def look_up(book, target, user, scale):
    """One user's newest rows, and the same by DuckDB from the same files."""
    took = target.run("activity", *TENANT, *user, "--limit", "50", "--format", "json")
    rows = json.loads(took.output)
    rows = rows if isinstance(rows, list) else next(value for value in rows.values() if isinstance(value, list))
    seconds(book, "activity of one user, fifty rows", took, scale, command="oort activity --limit 50")
    python = machine.ROOT / "target/emulator/bin/python"
    name = "DuckDB, the same rows from the same files"
    if not python.exists():
        book.skip(GROUP, name, "make bench installs it into target/emulator")
        return
    query = """
import duckdb, sys
duckdb.sql("SET threads = 1")
found = duckdb.execute(
    "SELECT published::VARCHAR, event_type, event FROM read_parquet(?) WHERE user_id = ? ORDER BY published DESC LIMIT 50",
    [sys.argv[1], sys.argv[2]])
print(len(found.fetchall()))
"""
    files = str(target.data / "local/warehouse/acme/activity/data/**/*.parquet")
    took = run([python, "-c", query, files, rows[0]["user_id"]])
    seconds(book, name, took, scale, is_peer=True, note=f"{int(took.output)} rows")


def pages(book, target, user, scale):
    """What a reader of the console waits for: the best of five after the first, and the first in the note."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    console = subprocess.Popen([*target.oort, "console", "--listen", address], stdout=subprocess.PIPE)
    try:
        console.stdout.readline()
        tenant = "/tenants/acme"
        for name, path in [
            ("overview", "/"),
            ("findings", f"{tenant}/findings"),
            ("users", f"{tenant}/users"),
            ("a user", f"{tenant}/users/{user}"),
            ("rules", f"{tenant}/rules"),
        ]:
            times = []
            for _ in range(6):
                started = time.monotonic()
                size = len(urllib.request.urlopen(f"http://{address}{path}").read())
                times.append((time.monotonic() - started) * 1_000)
            note = f"{times[0]:.0f} ms the first time, {size / 1_000:.0f} kB"
            book.add(Record("console", name, min(times[1:]), "ms", "less", scale, command=f"GET {path}", note=note))
    finally:
        console.terminate()
        _, _, usage = os.wait4(console.pid, 0)
        console.returncode = 0
        book.add(Record("console", "memory of the process", usage.ru_maxrss / 1024, "MiB", "less", scale))


def upkeep(book, scratch, events):
    """Small files of four compactions, merged."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        target = Target(book, type(scratch)(folder))
        file = target.folder / "events.jsonl"
        for seed in range(1, 5):
            target.sample(file, 2000, 2, events // 4, seed)
            target.send(file)
            target.run("detect", *TENANT)
            target.run("compact", *TENANT)
        took = target.run("maintain", *TENANT)
        merged = json.loads(took.output)["merged"]
        note = ", ".join(f"{name} {count:,}" for name, count in merged.items())
        rows = merged.get("rows") or events
        more = {"note": note, "command": "oort maintain", **took.figures()}
        book.add(Record(GROUP, "maintain", rows / took.cpu, "rows/CPU s", "more", f"{events:,} events", **more))


def state(book, scratch, volumes):
    """What the rules remember after four days of equal volume, and what it costs each run: docs/scale.md rests on it."""
    users_a_volume, days = 71.4, 4
    points = []
    for events in volumes:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            target = Target(book, type(scratch)(folder))
            file = target.folder / "events.jsonl"
            target.sample(file, max(1, round(events / users_a_volume)), days, events * days)
            target.send(file)
            file.unlink()
            took = target.run("detect", *TENANT)
            stored = remembered(target).stat().st_size
            again = min((target.run("detect", *TENANT) for _ in range(3)), key=lambda one: one.cpu)
            share = sessions(target)
            scratch_peak = watched(target)
            points.append((stored, took, again))
            scale = f"{events:,} events a day"
            add = lambda name, value, unit, **more: book.add(Record("memory", name, value, unit, "less", scale, **more))
            add("stored for each event of a day", stored / events, "bytes", note=f"{stored / 1e6:.1f} MB in all", **took.figures())
            add("a run with nothing new", again.cpu, "CPU s", **again.figures())
            add("scratch disk of a compaction for each event", scratch_peak / (events * days), "bytes")
            if share is not None:
                add("the part that session_on_two_machines takes", 100 * share, "%")
    if len(points) > 1:
        (small, first, first_again), (large, last, last_again) = points[0], points[-1]
        megabytes = (large - small) / 1e6
        mib = (last.mib - first.mib) / megabytes
        slope = lambda name, value, unit: book.add(Record("memory", name, value, unit, "less", "from least to most"))
        slope("peak memory of a run for each MB stored", mib, "MiB")
        slope("peak memory of a run that remembers nothing", first.mib - mib * small / 1e6, "MiB")
        slope("to read and write each MB stored", (last_again.cpu - first_again.cpu) / megabytes, "CPU s")


def remembered(target):
    """The object that holds what the rules remember."""
    return next(path for path in target.data.rglob("state.json.zst") if path.parent.name == "detector")


# What follows the JSON is not text. Run apart, because it is large.
SHARE = """
import json, sys
tracks = json.JSONDecoder().raw_decode(sys.stdin.buffer.read().decode(errors="replace"))[0]["memory"]["tracks"]
sizes = {name: len(json.dumps(track)) for name, track in tracks.items()}
print(sum(size for name, size in sizes.items() if sys.argv[1] in name) / sum(sizes.values()))
"""


def sessions(target):
    """Which part of the correlations' memory is one rule's; `None` without the program zstd."""
    if not shutil.which("zstd"):
        return None
    documents = (machine.ROOT / "detections/session_on_two_machines.yml").read_text().split("\n---\n")
    rule = re.search(r"^id: (\S+)", documents[1], re.M)[1]
    text = subprocess.Popen(["zstd", "-dcq", remembered(target)], stdout=subprocess.PIPE)
    command = [sys.executable, "-c", SHARE, rule]
    share = subprocess.run(command, stdin=text.stdout, capture_output=True, check=True).stdout
    assert text.wait() == 0, "the memory cannot be read"
    return float(share)


def watched(target):
    """Bytes that a compaction's scratch folder has at most, looked at ten times a second."""
    folder = target.data / "local/scratch"
    child = subprocess.Popen([*target.oort, "compact", *TENANT], stdout=subprocess.DEVNULL)
    most = 0
    while child.poll() is None:
        total = 0
        for path in folder.rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except OSError:
                pass
        most = max(most, total)
        time.sleep(0.1)
    assert child.returncode == 0, "the compaction failed"
    return most


def habits(book, scratch, users):
    """A run of one event with the memory of so many users, each of whom has signed in once."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        target = Target(book, type(scratch)(folder))
        file = target.folder / "events.jsonl"
        target.sample(file, 50, 1, 2000)
        model = next(event for line in open(file) if (event := json.loads(line))["eventType"] == "user.session.start")
        with open(file, "w") as out:
            for index in range(users):
                model["uuid"] = f"00000000-0000-4000-8000-{index:012}"
                model["actor"] |= {"id": f"00u{index:017}", "alternateId": f"u{index}@example.com"}
                out.write(json.dumps(model) + "\n")
        target.send(file)
        target.run("detect", *TENANT)
        model["uuid"] = "00000000-0000-4000-9000-000000000000"
        file.write_text(json.dumps(model) + "\n")
        target.send(file)
        took = target.run("detect", *TENANT)
        stored = remembered(target).stat().st_size
        note = f"{stored / 1e6:.1f} MB stored"
        book.add(Record("memory", "a run of one event", took.cpu, "CPU s", "less", f"{users:,} users", **took.figures(), note=note))
