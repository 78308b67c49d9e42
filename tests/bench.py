"""Runs a million sample events through each stage of the embedded target and reports what each stage cost.

usage: bench.py BINARY [EVENTS]

A stage's peak memory is the child's own, as the kernel counts it; CPU seconds are user and system together.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request


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


def pages(binary, data, user):
    """What a reader of the console waits for: the first time a page is asked for, and the best of five times after."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    console = subprocess.Popen([binary, *data, "console", "--listen", address], stdout=subprocess.PIPE)
    try:
        console.stdout.readline()
        tenant = f"http://{address}/tenants/acme"
        for path in [f"http://{address}/", *(f"{tenant}/{page}" for page in ["findings", "users", f"users/{user}", "rules"])]:
            times = []
            for _ in range(6):
                started = time.monotonic()
                size = len(urllib.request.urlopen(path).read())
                times.append((time.monotonic() - started) * 1_000)
            name = path.removeprefix(f"http://{address}")
            print(f"page {name:<45} {times[0]:>6.0f} ms, then {min(times[1:]):>5.1f} ms {size / 1_000:>6.1f} kB", flush=True)
    finally:
        console.terminate()
        _, _, usage = os.wait4(console.pid, 0)
        print(f"  {usage.ru_maxrss / 1024:.0f} MiB")


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
        pages(binary, data, findings[0]["event"]["actor"]["id"])


if __name__ == "__main__":
    main()
