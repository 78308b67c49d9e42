"""Counts the instructions of small fixed workloads under valgrind, and compares them with the newest counts that were recorded.

usage: instructions.py BINARY [--record] [--repeat N] [--only NAME ...]

A count does not depend on what else the machine does; what is left of chance (seeds of hash tables, the order of threads) moved
it by less than a hundredth when this was written. So a fifth more is a regression. A count depends on the compiler and on the
profile, which is why lines of the history are compared with lines of the same compiler only. --record adds a line; --repeat
runs each workload so often and tells the spread.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import fleet
from record import ROOT, machine, said

HISTORY = pathlib.Path(__file__).with_name("history.jsonl")
# From which part more the check fails.
MOST = 0.20
TENANTS = 50
EVENTS = 2_000
TENANT = ["--tenant", "acme"]
USER = "jose.yilmaz@example.com"
CHANGES = 2  # exit code: there are changes
CALLGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]


def counted(command, codes=(0,), env=None):
    """Instructions of a command."""
    ended = subprocess.run([*CALLGRIND, *map(str, command)], capture_output=True, text=True, env=env)
    if ended.returncode not in codes:
        sys.exit(f"{' '.join(map(str, command))} exited with {ended.returncode}\n{ended.stderr[-2000:]}")
    return refs(ended.stderr)


def refs(told):
    return int(re.search(r"I\s+refs:\s+([\d,]+)", told)[1].replace(",", ""))


class Workloads:
    """Each workload, by name, from the same start every time."""

    def __init__(self, binary, scratch):
        self.binary = binary
        self.scratch = scratch
        self.root = fleet.make_root(scratch / "root", TENANTS)
        self.changed = fleet.make_root(scratch / "changed", TENANTS)
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        for root in (self.root, self.changed):
            subprocess.run([binary, "--root", root, "render", "-e", "fleet"], **quiet)
        fleet.change_every_tenant(self.changed)
        self.events = scratch / "events.jsonl"
        with open(self.events, "wb") as out:
            words = ["sample", "--users", "100", "--days", "2", "--events", str(EVENTS), "--seed", "1"]
            subprocess.run([binary, *words], check=True, stdout=out)
        # The same target after each step, so that each workload starts from what the one before leaves.
        self.steps = {}
        before = self.target("nothing")
        for step, words in [("sent", ["local", "send", self.events]), ("detected", ["detect"]), ("compacted", ["compact"])]:
            after = self.target(step)
            if before.exists():
                shutil.copytree(before, after)
            subprocess.run([binary, "--data", after, "--log", "error", *words, *TENANT], **quiet)
            before = after

    def target(self, step):
        return self.scratch / f"target-{step}"

    def on(self, step, *words):
        """Instructions of a verb on a copy of the target as a step left it."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            data = pathlib.Path(folder) / "data"
            if self.target(step).exists():
                shutil.copytree(self.target(step), data)
            return counted([self.binary, "--data", data, "--log", "error", *words, *TENANT])

    def fleet(self, root, *words, codes=(0,)):
        return counted([self.binary, "--root", root, *words, "-e", "fleet"], codes)

    def page(self):
        """Instructions of the console from its start to its end, with three pages of each kind between."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        told = self.scratch / "page.log"
        command = [self.binary, "--data", self.target("compacted"), "--log", "error", "console", "--listen", address]
        log = ["--log-file=" + str(told)]
        console = subprocess.Popen([*CALLGRIND, *log, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            console.stdout.readline()
            for path in ["/", "/tenants/acme/findings", "/tenants/acme/users"] * 3:
                urllib.request.urlopen(f"http://{address}{path}").read()
        finally:
            console.terminate()
            console.wait()
        return refs(told.read_text())

    def all(self):
        return {
            "render": lambda: self.fleet(self.root, "render", "--stdout"),
            "check": lambda: self.fleet(self.root, "check"),
            "diff": lambda: self.fleet(self.changed, "diff", codes=(CHANGES,)),
            "send": lambda: self.on("nothing", "local", "send", self.events),
            "detect": lambda: self.on("sent", "detect"),
            "refresh": lambda: self.on("detected", "refresh", "--user", USER),
            "compact": lambda: self.on("detected", "compact"),
            "activity": lambda: self.on("compacted", "activity", "--user", USER),
            "page": self.page,
        }


def compiler():
    """What a count depends on besides the code."""
    rust = said([os.environ.get("RUSTC", "rustc"), "-vV"])
    version = re.search(r"^release: (\S+)", rust, re.M)
    host = re.search(r"^host: (\S+)", rust, re.M)
    return f"rustc {version[1]} {host[1]}, dev profile" if version and host else "unknown"


def newest(key):
    """The newest line that was recorded with a compiler; nothing without one."""
    lines = [json.loads(line) for line in HISTORY.read_text().splitlines()] if HISTORY.exists() else []
    return next((line for line in reversed(lines) if line["compiler"] == key), None)


def compared(counts, before):
    """Each workload's line, and which grew by too much. One that nobody counted before passes; one that is gone does not."""
    grown = [name for name in before if name not in counts]
    for name, count in counts.items():
        old = before.get(name)
        change = f"{100 * (count / old - 1):+.2f} %" if old else "new"
        print(f"{name:<10} {count:>15,} {old or 0:>15,} {change:>10}", flush=True)
        if old and count > old * (1 + MOST):
            grown.append(name)
    return grown


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--record", action="store_true", help="add the counts to the history")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run each workload so often and tell the spread")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these workloads only")
    words = parser.parse_args()
    if words.record and words.only:
        parser.error("a line of the history has every workload")
    if not shutil.which("valgrind"):
        sys.exit("valgrind is missing: apt-get install valgrind")
    key, started = compiler(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="oort-instructions-", dir=os.environ.get("TMPDIR")) as folder:
        workloads = Workloads(os.path.abspath(words.binary), pathlib.Path(folder)).all()
        chosen = {name: workloads[name] for name in words.only or workloads}
        runs = {name: [work() for _ in range(words.repeat)] for name, work in chosen.items()}
    counts = {name: min(all_of_it) for name, all_of_it in runs.items()}
    if words.repeat > 1:
        for name, all_of_it in runs.items():
            spread = max(all_of_it) / min(all_of_it) - 1
            print(f"{name:<10} spread {100 * spread:.3f} % over {words.repeat} runs")
    line = newest(key)
    before = {name: count for name, count in (line or {}).get("instructions", {}).items() if name in chosen}
    grown = compared(counts, before)
    print(f"{time.monotonic() - started:.0f} s, {key}, compared with {line['commit'] if line else 'nothing'}")
    if words.record:
        about = {"date": datetime.date.today().isoformat(), "commit": said(["git", "rev-parse", "--short=12", "HEAD"])}
        about |= {"compiler": key, "valgrind": said(["valgrind", "--version"]), "machine": machine()["cpu"]}
        with open(HISTORY, "a") as history:
            history.write(json.dumps({**about, "instructions": counts}) + "\n")
        return
    if line is None:
        sys.exit(f"nothing was recorded with {key}: make bench-record adds it, once somebody looked at what changed")
    if grown:
        sys.exit(f"more than {100 * MOST:.0f} % more instructions, or gone: {', '.join(grown)}")


if __name__ == "__main__":
    main()
