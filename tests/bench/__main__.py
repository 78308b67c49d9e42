"""Measures everything that the README has a figure of, and writes it as one table.

usage: python3 tests/bench BINARY [--small] [--peers] [--only PART ...]

Parts are fleet, events, rules, upkeep, state, habits and simulations. The machine itself is always measured, because the rest
is held against it. The table is target/bench/bench.md, and the same is target/bench/bench.json. Progress goes to standard error.
--small is for trying the benchmark itself: it takes minutes, and its figures are no figures to quote.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import events
import fleet
import fleet_peers
import machine
import simulations
from record import ROOT, Book, Failed

PARTS = ("fleet", "events", "rules", "upkeep", "state", "habits", "simulations")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--small", action="store_true")
    peers = "also Sceptre, the AWS CDK, jinja2 and pySigma, from the package registries"
    parser.add_argument("--peers", action="store_true", help=peers)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "target/bench")
    words = parser.parse_args()
    book = Book(os.path.abspath(words.binary), words.small)
    sizes = (10, 100) if words.small else (10, 100, 1_000, 10_000)
    with tempfile.TemporaryDirectory(prefix="oort-bench-", dir=os.environ.get("TMPDIR")) as folder:
        scratch = pathlib.Path(folder)
        # The embedded target works with the environment of the project.
        os.chdir(ROOT)
        file, _ = events.sampled(book, scratch, 10_000 if words.small else 200_000)
        harness = machine.measure(book, file)
        small = words.small

        def of_fleets():
            stack = fleet.measure(book, scratch, sizes)
            if words.peers:
                fleet_peers.measure(book, scratch, stack, sizes)
            else:
                book.skip("fleet", "Sceptre, AWS CDK, jinja2", "PEERS=--peers measures them")

        def of_rules():
            machine.engines(book, harness, file)
            if words.peers:
                machine.sql(book, file, scratch)
            else:
                book.skip("rules", "pySigma and DuckDB", "PEERS=--peers measures them")

        parts = {
            "fleet": of_fleets,
            "events": lambda: events.pipeline(book, scratch, 20_000 if small else 1_000_000),
            "rules": of_rules,
            "upkeep": lambda: events.upkeep(book, scratch, 8_000 if small else 200_000),
            "state": lambda: events.state(book, scratch, (5_000, 10_000) if small else (50_000, 100_000, 300_000)),
            "habits": lambda: events.habits(book, scratch, 5_000 if small else 1_000_000),
            "simulations": lambda: simulations.measure(book, simulations.SMALL if small else simulations.FULL),
        }
        broken = []
        for part in words.only:
            try:
                parts[part]()
            # What was measured before is written all the same.
            except (Failed, OSError, subprocess.CalledProcessError) as error:
                book.skip(part, "all or the rest", f"it failed: {error}")
                broken.append(part)
    book.write(words.output)
    if broken:
        sys.exit(f"failed: {', '.join(broken)}")


if __name__ == "__main__":
    main()
