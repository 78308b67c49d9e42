"""Looks for secrets in every file that git tracks, as they are in the working tree.

Run with the Python that bc-detect-secrets is installed in. Exits with 1 and a list when there is one that is not among the known
fakes of tests/find_secrets.json, or when one of those is gone. `--write` writes that file anew: a person then says why each is none.
First it plants secrets of many kinds, and exits with 1 if it does not find each of them. It needs no network."""

import base64
import concurrent.futures
import hashlib
import json
import pathlib
import random
import re
import string
import subprocess
import sys
import tempfile

from detect_secrets.core import scan
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.settings import transient_settings

ROOT = pathlib.Path(__file__).resolve().parent.parent
KNOWN = ROOT / "tests/find_secrets.json"
# What is none whoever wrote it, by kind: identifiers of events and commits are random and open nothing; an environment's files name
# secrets, by names that `oort` lets pass, and `oort check` looks for values in what is rendered.
EVENTS = re.compile(r"(detections/.*\.events|tests/fuzz/seeds/(envelope|log_event|stored)/[\w-]+)\.json|tests/bench/history\.jsonl")
NAMES = re.compile(r"(environments|snapshots)/.*\.yaml")
NEVER = {"Hex High Entropy String": EVENTS, "Base64 High Entropy String": EVENTS, "Secret Keyword": NAMES}
# What the library has no detector for, and what this project is trusted with.
OWN = {
    # Iceberg calls its files by a number and a UUID.
    "Okta API token": re.compile(r"(?<![\w-])00(?!\d{3}-[0-9a-f]{8}-)[\w-]{40}(?![\w-])"),
    "GitHub fine-grained token": re.compile(r"github_pat_\w{40,}"),
}


def secrets_in(path, name):
    """Each (file, kind, digest) that looks like a secret, with its line."""
    plugins = [{"name": plugin.__name__} for plugin in get_mapping_from_secret_type_to_class().values()]
    found = {}
    with transient_settings({"plugins_used": plugins}):
        for secret in scan.scan_file(str(path)):
            if not (secret.type in NEVER and NEVER[secret.type].fullmatch(name)):
                found[(name, secret.type, secret.secret_hash)] = secret.line_number
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        for kind, pattern in OWN.items():
            for match in pattern.finditer(line):
                found[(name, kind, hashlib.sha1(match.group().encode()).hexdigest())] = number
    return found


def scanned():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = [name for name in names.split("\0") if name and (ROOT / name).is_file()]
    # What it knows is digests, which look like secrets themselves.
    names.remove(str(KNOWN.relative_to(ROOT)))
    found = {}
    with concurrent.futures.ProcessPoolExecutor() as pool:
        for part in pool.map(secrets_in, [ROOT / name for name in names], names, chunksize=32):
            found.update(part)
    return names, found


def planted():
    """Texts that each hold a secret, made anew so that none stands in this file."""
    dice = random.Random(7)
    some = lambda letters, count: "".join(dice.choices(letters, k=count))
    word = string.ascii_letters + string.digits
    key = base64.b64encode(dice.randbytes(120)).decode()
    claims = base64.urlsafe_b64encode(json.dumps({"sub": some(word, 9)}).encode()).decode().rstrip("=")
    return {
        "an AWS access key": f'key = "AKIA{some(string.ascii_uppercase + string.digits, 16)}"',
        "an AWS secret key": f'aws_secret_access_key = "{some(word, 40)}"',
        "an Okta token": f"curl -H 'Authorization: SSWS 00{some(word, 40)}'",
        "a Slack webhook": f"https://hooks.slack.com/services/T{some(word.upper(), 8)}/B{some(word.upper(), 8)}/{some(word, 24)}",
        "a Slack token": f"xoxb-{some(string.digits, 12)}-{some(string.digits, 12)}-{some(word, 24)}",
        "a GitHub token": f"token: ghp_{some(word, 36)}",
        "a fine-grained GitHub token": f"github_pat_{some(word, 22)}_{some(word, 59)}",
        "a private key": f"-----BEGIN PRIVATE {'KEY'}-----\n{key}\n-----END PRIVATE {'KEY'}-----",
        "a password in an address": f"https://bot:{some(word, 16)}@acme.example/",
        "a signed token": f"eyJhbGciOiJIUzI1NiJ9.{claims}.{some(word, 43)}",
        "a random text in code": f'let it = "{some(word + "+/", 44)}";',
        "a password in YAML": f"password: {some(word, 14)}",
    }


def missed():
    with tempfile.TemporaryDirectory() as folder:
        for what, text in planted().items():
            for ending in ["rs", "yaml"]:
                path = pathlib.Path(folder) / f"planted.{ending}"
                path.write_text(f"// one line\n{text}\n")
                if not secrets_in(path, path.name) and not (ending == "rs" and "YAML" in what):
                    yield f"{what} is not found in a file that ends with .{ending}"


def main():
    problems = list(missed())
    names, found = scanned()
    known = {tuple(entry[:3]): entry[3] for entry in json.loads(KNOWN.read_text())} if KNOWN.exists() else {}
    if "--write" in sys.argv:
        entries = [[*secret, known.get(secret, "")] for secret in sorted(found)]
        KNOWN.write_text("[\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in entries) + "\n]\n")
        return 0
    for secret in sorted(found.keys() - known.keys()):
        problems.append(f"{secret[0]}:{found[secret]}: {secret[1]}")
    for name, kind, _ in sorted(known.keys() - found.keys()):
        problems.append(f"tests/find_secrets.json: {name} has no such {kind} any more")
    for (name, kind, _), why in known.items():
        if not why:
            problems.append(f"tests/find_secrets.json: nobody says why the {kind} of {name} is none")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(names)} files hold no secret; {len(known)} known fakes" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
