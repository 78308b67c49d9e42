"""Renders and diffs fleets of up to 10,000 tenants and reports what that cost.

usage: bench_fleet.py BINARY [--peers]

Each figure is the best of three runs: CPU seconds are user and system together, memory is the child's peak as the kernel
counts it. With --peers the same stacks are also rendered by Sceptre, by the AWS CDK and by jinja2 with PyYAML, which are
installed from the package registries into a scratch folder. A peer gets a rendered stack as its template, in which only
the tenant's name is left to fill in, and checks nothing: less work than a profile is.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZES = (10, 100, 1_000, 10_000)
CHANGES = 2  # exit code: there are changes
SECONDS = 300  # a command that takes longer is ended
SCEPTRE = "sceptre==4.7.0"
CDK_PACKAGES = ("aws-cdk-lib@2.276.0", "constructs@10.8.1")

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


def run(command, codes=(0,), cwd=None, env=None):
    """CPU seconds, wall seconds and peak MiB of one run."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as complaint:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=complaint, cwd=cwd, env=env)
        watchdog = threading.Timer(SECONDS, child.kill)
        watchdog.start()
        _, status, usage = os.wait4(child.pid, 0)
        watchdog.cancel()
        seconds = time.monotonic() - started
        # Keeps `child` from waiting for what is gone.
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in codes:
            complaint.seek(0)
            said = complaint.read().decode()[-2000:]
            sys.exit(f"{' '.join(map(str, command))} exited with {child.returncode}\n{said}")
    return usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss / 1024


def best(command, times=3, before=lambda: None, **how):
    """The run that took the least CPU; wall seconds are the least of all. `before` makes the start of each the same."""
    runs = []
    for _ in range(times):
        before()
        runs.append(run(command, **how))
    cpu, _, memory = min(runs)
    return cpu, min(wall for _, wall, _ in runs), memory


def table(*columns):
    print(f"\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}", flush=True)


def row(name, tenants, measured):
    cpu, wall, memory = measured
    print(f"| {name} | {tenants:,} | {cpu:.3f} | {wall:.3f} | {memory:.0f} | {1000 * cpu / tenants:.3f} |", flush=True)


def opened(command):
    """How many of the project's files a command opens; `None` without strace."""
    if not shutil.which("strace"):
        return None
    trace = subprocess.run(["strace", "-f", "-e", "trace=openat", *command], capture_output=True, text=True)
    root = command[command.index("--root") + 1]
    return sum(1 for line in trace.stderr.splitlines() if root in line and "O_DIRECTORY" not in line and "ENOENT" not in line)


def fleet(binary, scratch):
    """Measures the tool itself; gives a rendered stack, and the CPU seconds of rendering by number of tenants."""
    table("command", "tenants", "CPU s", "wall s", "MiB", "CPU ms a tenant")
    rendered = {}
    for tenants in SIZES:
        folder = make_root(scratch / f"root-{tenants}", tenants)
        oort = [binary, "--root", str(folder)]
        measured = best([*oort, "render", "-e", "fleet", "--stdout"])
        rendered[tenants] = measured[0]
        row("render --stdout", tenants, measured)
    one = [*oort, "render", "-e", "fleet", "-t", tenant_id(0), "--stdout"]
    stack = subprocess.run(one, capture_output=True, text=True, check=True).stdout
    resources = len(re.findall(r"^    Type: AWS::", stack, re.M))
    assert resources >= 20, f"a stack has {resources} resources"
    forget = lambda: shutil.rmtree(folder / "snapshots", ignore_errors=True)
    row("render (writes every file)", tenants, best([*oort, "render", "-e", "fleet"], before=forget))
    row("render --check", tenants, best([*oort, "render", "-e", "fleet", "--check"]))
    row("check", tenants, best([*oort, "check", "-e", "fleet"]))
    profile = folder / "environments/fleet/profile.yaml"
    profile.write_text(profile.read_text() + "compactor:\n  jitter_minutes: 119\n")
    row("diff, every tenant changed", tenants, best([*oort, "diff", "-e", "fleet"], codes=(CHANGES,)))
    one = [*oort, "diff", "-e", "fleet", "-t", "t00042"]
    row(f"diff of one of the {tenants:,}", 1, best(one, times=10, codes=(CHANGES,)))
    print(f"\n{resources} resources and {len(stack):,} bytes a stack.", end=" ")
    files = opened(one)
    print("" if files is None else f"The diff of one opens {files} of the project's {2 * tenants:,} files.")
    return stack, rendered


def jinja(stack):
    """The rendered stack of t00000 as a Jinja template of equal size."""
    prefix = "oort-fleet-t00000"
    return stack.replace(prefix, "{{ v.prefix }}").replace("t00000", "{{ v.tenant }}")


def values(index):
    name = tenant_id(index)
    return {"prefix": f"oort-fleet-{name}", "tenant": name}


def sceptre_project(folder, template, tenants):
    (folder / "config/fleet").mkdir(parents=True)
    (folder / "templates").mkdir()
    (folder / "templates/tenant.yaml.j2").write_text(template.replace("{{ v.", "{{ sceptre_user_data."))
    (folder / "config/config.yaml").write_text("project_code: oort\nregion: us-east-2\n")
    for index in range(tenants):
        data = "".join(f"  {key}: {value}\n" for key, value in values(index).items())
        text = f"template:\n  path: tenant.yaml.j2\n  type: file\nsceptre_user_data:\n{data}"
        (folder / "config/fleet" / f"{tenant_id(index)}.yaml").write_text(text)
    return folder


# With a third argument the text is only filled in, and nothing looks at what became of it.
JINJA = """
import sys, jinja2, yaml
template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(open(sys.argv[1]).read())
for index in range(int(sys.argv[2])):
    name = f"t{index:05}"
    text = template.render(v={"prefix": "oort-fleet-" + name, "tenant": name})
    if len(sys.argv) == 3:
        text = yaml.dump(yaml.load(text, Loader=yaml.CSafeLoader), Dumper=yaml.CSafeDumper, sort_keys=False)
    print(text)
"""

CDK = """
const { App, CfnResource, Stack } = require('aws-cdk-lib');
const fs = require('fs');
const text = fs.readFileSync(process.argv[2], 'utf8');
const app = new App({ outdir: process.argv[4], analyticsReporting: false });
for (let index = 0; index < Number(process.argv[3]); index++) {
  const name = 't' + String(index).padStart(5, '0');
  const template = JSON.parse(text.replaceAll('{{ v.prefix }}', 'oort-fleet-' + name).replaceAll('{{ v.tenant }}', name));
  const stack = new Stack(app, 'oort-fleet-' + name);
  for (const [id, resource] of Object.entries(template.Resources)) {
    new CfnResource(stack, id, { type: resource.Type, properties: resource.Properties });
  }
}
app.synth({ validateOnSynthesis: false });
"""


def install(scratch, stack):
    """Everything a peer needs; gives the environment variables to run it with."""
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    subprocess.run([sys.executable, "-m", "venv", scratch / "venv"], **quiet)
    subprocess.run([scratch / "venv/bin/pip", "install", "--quiet", SCEPTRE], **quiet)
    npm = ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", scratch / "cdk"]
    subprocess.run([*npm, *CDK_PACKAGES], **quiet)
    as_json = [scratch / "venv/bin/python", "-c", "import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"]
    read = subprocess.run(as_json, input=stack, capture_output=True, text=True, check=True)
    files = {"tenant.yaml.j2": jinja(stack), "tenant.json": jinja(read.stdout), "jinja.py": JINJA, "cdk/app.js": CDK}
    for name, text in files.items():
        (scratch / name).write_text(text)
    # Nothing here asks a service, nor finds credentials if it wanted to.
    return {**os.environ, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "CDK_VALIDATION": "false"}


def peers(scratch, stack, rendered):
    env = install(scratch, stack)
    template = scratch / "tenant.yaml.j2"

    def with_jinja(tenants):
        return [scratch / "venv/bin/python", scratch / "jinja.py", template, str(tenants)], None

    def with_text(tenants):
        return [*with_jinja(tenants)[0], "text"], None

    def with_sceptre(tenants):
        project = sceptre_project(scratch / f"sceptre-{tenants}", template.read_text(), tenants)
        return [scratch / "venv/bin/sceptre", "generate", "fleet"], project

    def with_cdk(tenants):
        return ["node", scratch / "cdk/app.js", scratch / "tenant.json", str(tenants), scratch / f"cdk.out-{tenants}"], None

    tools = (
        ("jinja2, text only", with_text, SIZES),
        ("jinja2, then PyYAML (C)", with_jinja, SIZES),
        (f"{SCEPTRE} generate", with_sceptre, SIZES[:3]),
        (f"{CDK_PACKAGES[0]} L1, validation off", with_cdk, SIZES[:3]),
    )
    table("peer", "tenants", "CPU s", "wall s", "MiB", "CPU ms a tenant")
    ratios = {}
    for name, prepare, sizes in tools:
        for tenants in sizes:
            command, cwd = prepare(tenants)
            measured = best(command, times=3 if tenants <= 1_000 else 1, cwd=cwd, env=env)
            ratios[name, tenants] = measured[0] / rendered[tenants]
            row(name, tenants, measured)
    table("times the CPU of `oort render --stdout`", *(f"{tenants:,}" for tenants in SIZES))
    for name, _, _ in tools:
        cells = (f"{ratios[name, tenants]:.1f}" if (name, tenants) in ratios else "-" for tenants in SIZES)
        print(f"| {name} | {' | '.join(cells)} |")


def main():
    binary = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="oort-fleet-", dir=os.environ.get("TMPDIR")) as folder:
        scratch = pathlib.Path(folder)
        load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
        print(f"{os.cpu_count()} cores, load {load} at the start")
        stack, rendered = fleet(binary, scratch)
        if "--peers" in sys.argv:
            peers(scratch, stack, rendered)


if __name__ == "__main__":
    main()
