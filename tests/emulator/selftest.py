"""Proves what the tests count on in the emulator: `python tests/emulator/selftest.py [part of a check's name]`."""

import sys
import time
import traceback

sys.dont_write_bytecode = True

import selftest_events
import selftest_operations
import selftest_stacks
import selftest_wire
from client import Emulator


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    emulator, failed, begun = Emulator(), [], time.time()
    checks = [
        (name, check)
        for part in (selftest_wire, selftest_events, selftest_stacks, selftest_operations)
        for name, check in vars(part).items()
        if name.startswith("check_") and wanted in name
    ]
    try:
        for name, check in checks:
            emulator.ask("reset")
            start = time.time()
            try:
                check(emulator)
            except Exception:
                failed.append(name)
                traceback.print_exc()
            print(f"{name.removeprefix('check_').replace('_', ' ')}: {time.time() - start:.2f} s", flush=True)
    finally:
        emulator.end()
    print(f"{len(checks)} checks of the emulator, {len(failed)} failed, {time.time() - begun:.1f} s")
    return 1 if failed or not checks else 0


sys.exit(main())
