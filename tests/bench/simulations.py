"""What the integration tests measure when they are asked for more than a test is: rollouts, months, histories, large tables."""

import os
import re
import subprocess

from record import ROOT, Record

# Filter of the tests, settings, and figures: a pattern of what is printed, with name, unit and what is better of each group.
FULL = [
    (
        "simulation",
        {"OORT_TEST_ACCOUNTS": "20", "OORT_TEST_TENANTS": "500"},
        r"(?P<name>create|update|unchanged): .*?plan ([\d.]+) min, apply ([\d.]+) min, (\d+) calls",
        [("plan", "virtual min"), ("apply", "virtual min"), ("calls an account", "calls")],
    ),
    ("killed", {"OORT_TEST_TENANTS": "1000"}, r"(\d+) calls for \d+ stacks", [("1,000 tenants, killed 20 times", "calls")]),
    (
        "a_long_history",
        {"OORT_TEST_BACKFILL": "10000000"},
        r"(\d+) events in (\d+) requests, ([\d.]+)s, (\d+) MiB",
        [("events", "events"), ("requests", "requests"), ("time", "s"), ("memory", "MiB")],
    ),
    (
        "a_page_of_a_large",
        {"OORT_TEST_ROWS": "100000000", "OORT_TEST_BUSY": "10"},
        r"the first page of (?P<name>\w+): \d+ rows, ([\d.]+)ms, (\d+) kB",
        [("first page", "ms"), ("read", "kB")],
    ),
    ("month", {"OORT_TEST_MONTHS": "10"}, r"(?s)(.+)", []),
]
SMALL = [
    ("simulation", {"OORT_TEST_ACCOUNTS": "2", "OORT_TEST_TENANTS": "100"}, *FULL[0][2:]),
    (
        "a_long_history",
        {"OORT_TEST_BACKFILL": "43000"},
        r"(\d+) events in (\d+) requests, [\d.]+\w+, (\d+) MiB",
        [("events", "events"), ("requests", "requests"), ("memory", "MiB")],
    ),
    ("a_page_of_a_large", {"OORT_TEST_ROWS": "100000", "OORT_TEST_BUSY": "10"}, *FULL[3][2:]),
]


def measure(book, wanted):
    cargo = os.environ.get("CARGO", "cargo")
    for test, settings, pattern, figures in wanted:
        scale = ", ".join(f"{name.removeprefix('OORT_TEST_').lower()} {int(value):,}" for name, value in settings.items())
        command = [cargo, "test", "--locked", "--test", "it", "--", test, "--nocapture"]
        shown = " ".join([*(f"{name}={value}" for name, value in settings.items()), *command])
        ended = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True)
        if ended.returncode != 0:
            book.skip("simulation", test, f"it failed: {shown}")
            continue
        lines = [line for line in ended.stdout.splitlines() if not line.startswith(("test ", "running ")) and line]
        if not figures:
            book.add(Record("simulation", test, note=" / ".join(lines), scale=scale, command=shown))
        matches = [match for line in lines for match in re.finditer(pattern, line)] if figures else []
        if figures and not matches:
            book.skip("simulation", test, f"it printed nothing of the form {pattern}")
        for match in matches:
            name = match.groupdict().get("name")
            numbers = [group for group in match.groups() if group != name]
            for (what, unit), number in zip(figures, numbers, strict=True):
                full = ", ".join(part for part in [test, name, what] if part)
                book.add(Record("simulation", full, float(number), unit, "less", scale, command=shown))
