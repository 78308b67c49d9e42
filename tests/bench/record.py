"""What was measured, how a command is measured, and the one table that all of it goes into."""

import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


# Bytes of a command's output that are kept.
MOST_OUTPUT = 4 << 20


@dataclass
class Record:
    """One figure. `value` is absent where something was skipped, and `note` says why."""

    group: str
    name: str
    value: float | None = None
    unit: str = ""
    better: str = "less"
    scale: str = ""
    # What the run took, where a command was measured.
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    peak_mib: float | None = None
    # Another tool that does the same work, or part of it.
    is_peer: bool = False
    # What the machine can do at most, in the same unit as the value.
    limit: str = ""
    limit_value: float | None = None
    command: str = ""
    note: str = ""


@dataclass
class Run:
    """One run of a command: CPU seconds of user and system together, wall seconds, and peak MiB as the kernel counts it.

    The kernel counts what this program had when it started the command, too: whatever is large must not be held here.
    """

    cpu: float
    wall: float
    mib: float
    # The first of it, and how much there was.
    output: bytes = b""
    output_bytes: int = 0

    def figures(self):
        return {"cpu_seconds": self.cpu, "wall_seconds": self.wall, "peak_mib": self.mib}


class Failed(Exception):
    """A command that did not end as it should."""


def run(command, codes=(0,), seconds=3600, to=None, **how):
    """Runs a command and measures it; one that takes longer than `seconds` is ended. `to` takes its output instead."""
    command = [str(word) for word in command]
    started = time.monotonic()
    with tempfile.TemporaryFile() as complaint, tempfile.TemporaryFile() as output:
        child = subprocess.Popen(command, stdout=to or output, stderr=complaint, **how)
        watchdog = threading.Timer(seconds, child.kill)
        watchdog.start()
        _, status, usage = os.wait4(child.pid, 0)
        watchdog.cancel()
        wall = time.monotonic() - started
        # Keeps `child` from waiting for what is gone.
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in codes:
            complaint.seek(0)
            said = complaint.read().decode(errors="replace")[-2000:]
            raise Failed(f"{' '.join(command)} exited with {child.returncode}\n{said}")
        size = output.seek(0, os.SEEK_END)
        output.seek(0)
        return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, output.read(MOST_OUTPUT), size)


def best(command, times=3, before=lambda: None, **how):
    """The run that took the least CPU; wall seconds are the least of all. `before` makes the start of each the same."""
    runs = []
    for _ in range(times):
        before()
        runs.append(run(command, **how))
    least = min(runs, key=lambda one: one.cpu)
    return Run(least.cpu, min(one.wall for one in runs), least.mib, least.output, least.output_bytes)


def said(command):
    """What a command says, or that there is none."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine():
    model = "unknown"
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), model)
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) / 1024**2
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "load_at_start": [round(load, 2) for load in os.getloadavg()],
    }


@dataclass
class Book:
    """All records of one run of the benchmark. Told on standard error as they come."""

    binary: str
    small: bool
    about: dict = field(default_factory=machine)
    records: list = field(default_factory=list)

    def add(self, record):
        self.records.append(record)
        what = f"{told(record.value)} {record.unit}" if record.value is not None else record.note
        cost = f" ({record.cpu_seconds:.2f} CPU s, {record.peak_mib:.0f} MiB)" if record.cpu_seconds is not None else ""
        print(f"{record.group}: {record.name} {record.scale}: {what}{cost}", file=sys.stderr, flush=True)

    def skip(self, group, name, why):
        self.add(Record(group, name, note=f"skipped: {why}"))

    def value(self, group, name):
        return next((one.value for one in self.records if (one.group, one.name) == (group, name)), None)

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        dirty = "with changes" if said(["git", "status", "--porcelain", "--untracked-files=no"]) else "clean"
        about = {
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "commit": f"{said(['git', 'rev-parse', '--short=12', 'HEAD'])} ({dirty})",
            "binary": self.binary,
            "command": " ".join(["python3", "tests/bench", *sys.argv[1:]]),
            "scale": "small" if self.small else "full",
            "load_at_end": [round(load, 2) for load in os.getloadavg()],
            **self.about,
        }
        whole = {"about": about, "records": [asdict(record) for record in self.records]}
        (folder / "bench.json").write_text(json.dumps(whole, indent=1) + "\n")
        (folder / "bench.md").write_text(markdown(about, self.records))
        print(f"written: {folder / 'bench.md'} and {folder / 'bench.json'}", file=sys.stderr)


def told(value):
    if value is None:
        return "-"
    size = abs(value)
    if 0 < size < 0.01:
        return f"{value:.2g}"
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}"


def markdown(about, records):
    lines = ["# Benchmark", ""]
    lines += [f"- {name.replace('_', ' ')}: {value}" for name, value in about.items()]
    columns = ["what", "scale", "value", "unit", "better", "CPU s", "wall s", "MiB", "limit", "of the limit"]
    lines += ["", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for one in records:
        share = ""
        if one.limit_value and one.value:
            part = one.value / one.limit_value if one.better == "more" else one.limit_value / one.value
            share = f"{100 * part:.1f} %" if part >= 0.001 else "under 0.1 %"
        limit = f"{told(one.limit_value)}, {one.limit}" if one.limit_value else ""
        value = told(one.value) if one.value is not None else one.note
        name = f"{one.group}: {one.name}" + (" (peer)" if one.is_peer else "")
        cost = [told(part) if part is not None else "" for part in (one.cpu_seconds, one.wall_seconds, one.peak_mib)]
        note = f" ({one.note})" if one.note and one.value is not None else ""
        better = one.better if one.unit else ""
        cells = [f"{name}{note}", one.scale, value, one.unit, better, *cost, limit, share]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
