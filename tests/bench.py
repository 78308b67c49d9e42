"""Runs a million sample events through each stage of the embedded target and reports what each stage cost.

usage: bench.py BINARY [EVENTS]

A stage's peak memory is the child's own, as the kernel counts it; CPU seconds are user and system together.
"""

import json
import os
import subprocess
import sys
import tempfile
import time


def stage(name, events, command, stdout=subprocess.PIPE):
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE)
    output = child.stdout.read() if child.stdout else b""
    complaint = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - started
    if status != 0:
        sys.exit(f"{name} failed: {' '.join(command)}\n{complaint}")
    cpu = usage.ru_utime + usage.ru_stime
    print(
        f"{name:<22} {seconds:>8.1f} s {cpu:>8.1f} CPU s {events / seconds:>10,.0f} events/s "
        f"{events / cpu:>10,.0f} events/CPU s {usage.ru_maxrss / 1024:>7.0f} MiB",
        flush=True,
    )
    return output


def main():
    binary = os.path.abspath(sys.argv[1])
    events = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="oort-bench-", dir=os.environ.get("TMPDIR")) as folder:
        data = ["--data", os.path.join(folder, "data"), "--log", "warn"]
        tenant = ["--tenant", "acme"]
        file = os.path.join(folder, "events.jsonl")
        with open(file, "wb") as out:
            sample = ["sample", "--users", "2000", "--days", "7", "--events", str(events), "--seed", "1"]
            stage("sample", events, [binary, *data, *sample], stdout=out)
        print(f"  {os.path.getsize(file) / events:,.0f} bytes an event")
        stage("local send", events, [binary, *data, "local", "send", file, *tenant])
        os.remove(file)
        report = json.loads(stage("detect", events, [binary, *data, "detect", *tenant]))
        print(f"  {report['new_findings']} findings, {report['segments']} segments")
        stage("detect again", events, [binary, *data, "detect", *tenant])
        findings = json.loads(stage("findings", events, [binary, *data, "findings", *tenant, "--format", "json"]))
        user = ["--user", findings[0]["actor"]]
        stage("refresh of one user", events, [binary, *data, "refresh", *tenant, *user])
        report = json.loads(stage("compact", events, [binary, *data, "compact", *tenant]))
        print(f"  {report['added']:,} rows added of {report['rows']:,}")
        stage("compact again", events, [binary, *data, "compact", *tenant])
        stage("activity of one user", events, [binary, *data, "activity", *tenant, *user])


if __name__ == "__main__":
    main()
