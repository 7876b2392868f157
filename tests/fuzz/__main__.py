"""Look for a value that breaks a window, guided by coverage: `make fuzz SECONDS=60`. Or try what was found once more.

python -m tests.fuzz --seconds 60        look for one, starting from tests/fuzz/corpus and made-up windows
python -m tests.fuzz FILE …              take each file's window, and say what became of each of its values
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.files import KEPT, prove, starts, window_of
from tests.fuzz.pipelines import PIPELINES
from tests.fuzz.proof import Proof
from tests.fuzz.values import good_record

HERE = Path(".fuzz")
TRIED, FOUND = HERE / "corpus", HERE / "found"
LONGEST_S = 60  # for one window; the usual one takes a hundredth of a second
MOST_MB = 3_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="a window that was found")
    parser.add_argument("--seconds", type=int, default=60, help="how long to look (60)")
    options = parser.parse_args()
    if options.files:
        return max(map(_try_again, options.files))
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not here; its wheels are for Linux on x86-64. The hypothesis tests run anywhere: make races")
        return 2
    return _look(options.seconds)


def _look(seconds: int) -> int:
    for folder in (TRIED, FOUND):
        folder.mkdir(parents=True, exist_ok=True)
    for number, window in enumerate(starts(300)):
        (TRIED / f"start-{number}").write_bytes(window)
    before = set(FOUND.iterdir())
    limits = [f"-max_total_time={seconds}", f"-timeout={LONGEST_S}", f"-rss_limit_mb={MOST_MB}", "-max_len=4096"]
    words = [f"-dict={KEPT.parent / 'json.dict'}", f"-artifact_prefix={FOUND}/", "-print_final_stats=1"]
    ended = subprocess.run([sys.executable, "-m", "tests.fuzz.guided", *limits, *words, TRIED, KEPT], check=False)
    found = sorted(set(FOUND.iterdir()) - before)
    for file in found:
        _tell(file)
    if not found:
        print("nothing found" if ended.returncode == 0 else f"the fuzzer ended with {ended.returncode}")
    return 1 if found else ended.returncode


def _tell(file: Path) -> None:
    name, values = window_of(file.read_bytes())
    print(f"\n{file}: a window of the pipeline {name}")
    for value in values:
        print(f"    {value!r}")
    print(f"once more:    {sys.executable} -m tests.fuzz {file}")
    print(f"as a test:    cp {file} {KEPT.relative_to(Path.cwd())}/<what it is about>")


def _try_again(file: Path) -> int:
    data = file.read_bytes()
    name, values = window_of(data)
    with tempfile.TemporaryDirectory() as scratch:
        proofs = {name: Proof(name, Path(scratch)) for name in PIPELINES}
        _tell(file)
        prove(data, proofs)
        for value in values:
            print(f"    {proofs[name].alone(good_record(value=value))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
