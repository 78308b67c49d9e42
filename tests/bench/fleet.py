"""Renders, checks and compares fleets of tenants."""

import pathlib
import re
import shutil
import subprocess

from record import ROOT, Record, best, run

GROUP = "fleet"
CHANGES = 2  # exit code: there are changes

TENANT = """tenant: {id}

okta:
  subdomain: org-{id}
  integration_id: b7702e15-{id}

detector:
  schedule: rate(30 minutes)
  jitter_minutes: 10
queue:
  receive_limit: 10

notifications:
{routes}"""

ROUTE = """  - name: r{index}
    protocol: email
    endpoint: soc{index}@{id}.example
    minimum_severity: high
"""


def tenant_id(index):
    return f"t{index:05}"


def make_root(folder, tenants):
    """A project with one environment of so many tenants, each with four notification routes."""
    environment = folder / "environments" / "fleet"
    (environment / "tenants").mkdir(parents=True)
    shutil.copytree(ROOT / "templates", folder / "templates")
    shutil.copy(ROOT / "environments" / "defaults.yaml", folder / "environments")
    profile = (ROOT / "environments/staging/profile.yaml").read_text().replace("environment: staging", "environment: fleet")
    (environment / "profile.yaml").write_text(profile + "quotas:\n  event_buses: 20000\n")
    for index in range(tenants):
        name = tenant_id(index)
        routes = "".join(ROUTE.format(id=name, index=route) for route in range(4))
        (environment / "tenants" / f"{name}.yaml").write_text(TENANT.format(id=name, routes=routes))
    return folder


def change_every_tenant(root):
    profile = root / "environments/fleet/profile.yaml"
    profile.write_text(profile.read_text() + "compactor:\n  jitter_minutes: 119\n")


def opened(command):
    """How many of the project's files a command opens; `None` without strace."""
    if not shutil.which("strace"):
        return None
    trace = subprocess.run(["strace", "-f", "-e", "trace=openat", *command], capture_output=True, text=True)
    root = command[command.index("--root") + 1]
    return sum(1 for line in trace.stderr.splitlines() if root in line and "O_DIRECTORY" not in line and "ENOENT" not in line)


def record(book, name, tenants, took, **more):
    command = f"oort {name} -e fleet"
    book.add(Record(GROUP, name, took.cpu, "CPU s", "less", f"{tenants:,} tenants", **took.figures(), command=command, **more))


def seconds_of_copying(book, size):
    rate = book.value("machine", "memory, copied")
    return {"limit": "to copy that much memory", "limit_value": size / 1e6 / rate} if rate else {}


def seconds_of_writing(book, size):
    rate = book.value("machine", "disk, written and synced")
    return {"limit": "to write and sync that much", "limit_value": size / 1e6 / rate} if rate else {}


def measure(book, scratch, sizes):
    """Gives a rendered stack, for peers."""
    for tenants in sizes:
        folder = make_root(scratch / f"root-{tenants}", tenants)
        oort = [book.binary, "--root", str(folder)]
        took = best([*oort, "render", "-e", "fleet", "--stdout"])
        record(book, "render --stdout", tenants, took, **seconds_of_copying(book, took.output_bytes))
        size = took.output_bytes
    stack = run([*oort, "render", "-e", "fleet", "-t", tenant_id(0), "--stdout"]).output.decode()
    resources = len(re.findall(r"^    Type: AWS::", stack, re.M))
    assert resources >= 20, f"a stack has {resources} resources"
    note = f"{resources} resources and {len(stack):,} bytes a stack"
    forget = lambda: shutil.rmtree(folder / "snapshots", ignore_errors=True)
    written = best([*oort, "render", "-e", "fleet"], before=forget)
    record(book, "render, every file written", tenants, written, note=note, **seconds_of_writing(book, size))
    record(book, "render --check", tenants, best([*oort, "render", "-e", "fleet", "--check"]), **seconds_of_copying(book, size))
    record(book, "check", tenants, best([*oort, "check", "-e", "fleet"]), **seconds_of_copying(book, size))
    change_every_tenant(folder)
    changed = best([*oort, "diff", "-e", "fleet"], codes=(CHANGES,))
    record(book, "diff, every tenant changed", tenants, changed, **seconds_of_copying(book, 2 * size))
    one = [*oort, "diff", "-e", "fleet", "-t", tenant_id(min(42, tenants - 1))]
    files = opened(one)
    note = f"of {tenants:,}; opens {files} files" if files else f"of {tenants:,}"
    record(book, "diff of one tenant", 1, best(one, times=10, codes=(CHANGES,)), note=note)
    return stack
