"""Count the instructions of the pure kernel of a window under callgrind, beside the count that was kept.

A count, unlike a time, is nearly the same on a busy machine, so that a change of some percent can be seen. It depends
on the versions of the packages and on the processor's features: compare on one kind of machine, with one lock.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Final

from benchmarks.machine import machine_line
from benchmarks.systems import ROOT

KEPT: Final = ROOT / "benchmarks" / "instructions.json"
MORE: Final = 0.05  # of the kept count; counts of one state differ by one or two hundredths
_FEW, _MANY = 1, 11  # windows; their difference holds no start and no import


def main() -> int:
    """Count, compare, and return the exit code: 1 if a window takes clearly more instructions than it did."""
    parser = argparse.ArgumentParser(prog="make instructions ARGS=…", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the count as the one to compare with")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("not run: there is no valgrind in PATH")
        return 0
    count, machine = (counted(_MANY) - counted(_FEW)) // (_MANY - _FEW), machine_line()
    if options.keep:
        KEPT.write_text(json.dumps({"instructions": count, "machine": machine}, indent=2) + "\n")
    kept = json.loads(KEPT.read_text())
    words, is_worse = compared(count, machine, kept["instructions"], kept["machine"])
    print(f"{count:,} instructions a window of 2,000 records; {words}")
    return 1 if is_worse else 0


def compared(count: int, machine: str, kept: int, kept_on: str) -> tuple[str, bool]:
    """Say how a count compares with the kept one, and whether it is clearly worse."""
    if machine != kept_on:
        return f"not compared: {kept:,} were counted on {kept_on}, and this is {machine}", False
    change = count / kept - 1
    return f"kept: {kept:,} ({change:+.1%}; at most {MORE:+.0%})", count > kept * (1 + MORE)


def counted(windows: int) -> int:
    """Count the instructions of a whole process that handles so many windows."""
    with tempfile.TemporaryDirectory(prefix="sluice-callgrind-") as directory:
        done = subprocess.run(
            [
                *("valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out"),
                *(sys.executable, "-m", "benchmarks.jobs.kernel", str(windows)),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        raise RuntimeError(f"callgrind ended with status {done.returncode}: {done.stderr[-500:]}")
    return int(found[1])


if __name__ == "__main__":
    sys.exit(main())
