"""Renders and diffs fleets of up to 10,000 tenants and reports what that cost.

usage: bench_fleet.py BINARY [--peers]

Each figure is the best of three runs: CPU seconds are user and system together, memory is the child's peak as the kernel
counts it. With --peers the same stacks are also rendered by Sceptre, by the AWS CDK and by jinja2 with PyYAML, which are
installed from the package registries into a scratch folder.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZES = (10, 100, 1_000, 10_000)
CHANGES = 2  # exit code: there are changes
SECONDS = 300  # no command takes longer

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
        watchdog = subprocess.Popen(["sh", "-c", f"sleep {SECONDS}; kill -9 {child.pid}"], start_new_session=True)
        _, status, usage = os.wait4(child.pid, 0)
        os.killpg(watchdog.pid, 15)
        watchdog.wait()
        seconds = time.monotonic() - started
        if os.waitstatus_to_exitcode(status) not in codes:
            complaint.seek(0)
            sys.exit(f"failed: {' '.join(map(str, command))}\n{complaint.read().decode()[-2000:]}")
    return usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss / 1024


def best(command, times=3, **how):
    """The run that took the least CPU; wall seconds are the least of all."""
    runs = [run(command, **how) for _ in range(times)]
    cpu, _, memory = min(runs)
    return cpu, min(wall for _, wall, _ in runs), memory


def row(name, tenants, measured):
    cpu, wall, memory = measured
    print(f"| {name} | {tenants:,} | {cpu:.3f} | {wall:.3f} | {memory:.0f} | {1000 * cpu / tenants:.3f} |", flush=True)


def fleet(binary, scratch):
    """Measures the tool itself; gives the CPU seconds of rendering by number of tenants."""
    print("| command | tenants | CPU s | wall s | MiB | CPU ms a tenant |\n| --- | --- | --- | --- | --- | --- |")
    rendered = {}
    for tenants in SIZES:
        folder = make_root(scratch / f"root-{tenants}", tenants)
        oort = [binary, "--root", str(folder)]
        measured = best([*oort, "render", "-e", "fleet", "--stdout"])
        rendered[tenants] = measured[0]
        row("render --stdout", tenants, measured)
    stack = subprocess.run([*oort, "render", "-e", "fleet", "-t", "t00000", "--stdout"], capture_output=True, text=True).stdout
    resources = len(re.findall(r"^    Type: AWS::", stack, re.M))
    assert resources >= 20, f"a stack has {resources} resources"
    row("render (writes every file)", tenants, best([*oort, "render", "-e", "fleet"], times=1))
    row("render --check", tenants, best([*oort, "render", "-e", "fleet", "--check"]))
    row("check", tenants, best([*oort, "check", "-e", "fleet"]))
    template = folder / "templates/tenant.yaml.j2"
    text = template.read_text()
    template.write_text(text.replace("MaximumRetryAttempts: 185", "MaximumRetryAttempts: 184"))
    assert template.read_text() != text
    row("diff, every tenant changed", tenants, best([*oort, "diff", "-e", "fleet"], codes=(CHANGES,)))
    one = best([*oort, "diff", "-e", "fleet", "-t", "t00042"], times=10, codes=(CHANGES,))
    row("diff of one of the 10,000", 1, one)
    print(f"\n{resources} resources and {len(stack):,} bytes a stack")
    return rendered, stack


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
    (folder / "templates/tenant.yaml.j2").write_text(template.replace("v.", "sceptre_user_data."))
    (folder / "config/config.yaml").write_text("project_code: oort\nregion: us-east-2\n")
    for index in range(tenants):
        data = "".join(f"  {key}: {value}\n" for key, value in values(index).items())
        text = f"template:\n  path: tenant.yaml.j2\n  type: file\nsceptre_user_data:\n{data}"
        (folder / "config/fleet" / f"{tenant_id(index)}.yaml").write_text(text)
    return folder


JINJA = """
import sys, jinja2, yaml
template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(open(sys.argv[1]).read())
for index in range(int(sys.argv[2])):
    name = f"t{index:05}"
    text = template.render(v={"prefix": "oort-fleet-" + name, "tenant": name})
    print(yaml.dump(yaml.load(text, Loader=yaml.CSafeLoader), Dumper=yaml.CSafeDumper, sort_keys=False))
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


def peers(scratch, stack, rendered):
    python = scratch / "venv/bin/python"
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    subprocess.run([sys.executable, "-m", "venv", scratch / "venv"], **quiet)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "sceptre==4.7.0"], **quiet)
    body = stack.split("\n", 1)[1]
    template = scratch / "tenant.yaml.j2"
    template.write_text(jinja(body))
    as_json = "import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
    read = subprocess.run([python, "-c", as_json], input=body, capture_output=True, text=True, check=True)
    plain = scratch / "tenant.json"
    plain.write_text(jinja(read.stdout))
    print("\n| peer | tenants | CPU s | wall s | MiB | CPU ms a tenant |\n| --- | --- | --- | --- | --- | --- |")
    # Sceptre and the CDK ask no service here, and find no credentials if they wanted to.
    env = {**os.environ, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "CDK_VALIDATION": "false"}
    for tenants in SIZES:
        times = 3 if tenants < 1_000 else 1
        (scratch / "jinja.py").write_text(JINJA)
        row("jinja2 + PyYAML (C)", tenants, best([python, scratch / "jinja.py", template, str(tenants)], times=times))
        if tenants > 1_000:
            continue
        project = sceptre_project(scratch / f"sceptre-{tenants}", template.read_text(), tenants)
        generate = [scratch / "venv/bin/sceptre", "generate", "fleet"]
        measured = best(generate, times=times, cwd=project, env=env)
        row("Sceptre 4.7 generate", tenants, measured)
        print(f"  Sceptre takes {measured[0] / rendered[tenants]:.0f} times the CPU of oort render")
    subprocess.run(["npm", "install", "--silent", "--prefix", scratch / "cdk", "aws-cdk-lib", "constructs"], **quiet)
    (scratch / "cdk/app.js").write_text(CDK)
    for tenants in SIZES[:3]:
        synth = ["node", scratch / "cdk/app.js", plain, str(tenants), scratch / f"cdk.out-{tenants}"]
        measured = best(synth, times=3 if tenants < 1_000 else 1, env=env)
        row("AWS CDK L1, validation off", tenants, measured)
        print(f"  the CDK takes {measured[0] / rendered[tenants]:.0f} times the CPU of oort render")


def main():
    binary = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="oort-fleet-", dir=os.environ.get("TMPDIR")) as folder:
        scratch = pathlib.Path(folder)
        rendered, stack = fleet(binary, scratch)
        if "--peers" in sys.argv:
            peers(scratch, stack, rendered)


if __name__ == "__main__":
    main()
