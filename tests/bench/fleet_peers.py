"""Renders equal stacks with other tools. A peer gets a rendered stack as its template, in which only the tenant's name is left to
fill in, and checks nothing: less work than a profile is.
"""

import os
import subprocess

from fleet import GROUP, tenant_id
from machine import venv
from record import Failed, Record, best

SCEPTRE = "sceptre==4.7.0"
CDK_PACKAGES = ("aws-cdk-lib@2.276.0", "constructs@10.8.1")
SECONDS = 300  # a command that takes longer is ended
# Larger fleets take these two minutes and gigabytes.
MOST = 1_000


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


def install_cdk(scratch):
    npm = ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", scratch / "cdk"]
    subprocess.run([*npm, *CDK_PACKAGES], stdout=subprocess.DEVNULL, check=True)


def installed(book, name, install, scratch):
    """Whether a peer could be installed; a line says so where not."""
    try:
        install(scratch)
        return True
    except (OSError, subprocess.CalledProcessError) as error:
        book.skip(GROUP, name, f"it could not be installed: {error}")
        return False


def measure(book, scratch, stack, sizes):
    has_python = installed(book, SCEPTRE, lambda scratch: venv(scratch / "venv", SCEPTRE), scratch)
    has_cdk = installed(book, CDK_PACKAGES[0], install_cdk, scratch) and has_python
    if not has_python:
        return
    as_json = [scratch / "venv/bin/python", "-c", "import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"]
    read = subprocess.run(as_json, input=stack, capture_output=True, text=True, check=True)
    (scratch / "cdk").mkdir(exist_ok=True)
    files = {"tenant.yaml.j2": jinja(stack), "tenant.json": jinja(read.stdout), "jinja.py": JINJA, "cdk/app.js": CDK}
    for name, text in files.items():
        (scratch / name).write_text(text)
    # Nothing here asks a service, nor finds credentials if it wanted to.
    env = {**os.environ, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "CDK_VALIDATION": "false"}
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

    few = [tenants for tenants in sizes if tenants <= MOST]
    tools = [
        ("jinja2, text only", with_text, sizes),
        ("jinja2, then PyYAML (C)", with_jinja, sizes),
        (f"{SCEPTRE} generate", with_sceptre, few),
    ]
    if has_cdk:
        tools.append((f"{CDK_PACKAGES[0]} L1, validation off", with_cdk, few))
    for name, prepare, wanted in tools:
        for tenants in wanted:
            command, cwd = prepare(tenants)
            try:
                took = best(command, times=3 if tenants <= 100 else 1, seconds=SECONDS, cwd=cwd, env=env)
            except Failed as error:
                book.skip(GROUP, name, str(error).splitlines()[0])
                break
            book.add(Record(GROUP, name, took.cpu, "CPU s", "less", f"{tenants:,} tenants", **took.figures(), is_peer=True))
