"""The coverage-guided fuzzer's own process: `python -m tests.fuzz` starts it. Its arguments are libFuzzer's.

Atheris sees which branches of `sluice` a window reaches, and changes windows so that they reach others. What runs
outside of Python (Arrow's reader, polars) it does not see: there it only notices a crash.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sluice"]):
    from tests.fuzz.files import prove
    from tests.fuzz.pipelines import PIPELINES
    from tests.fuzz.proof import Proof


def main() -> None:
    logging.disable()
    with tempfile.TemporaryDirectory() as scratch:
        proofs = {name: Proof(name, Path(scratch)) for name in PIPELINES}
        atheris.Setup(sys.argv, lambda data: prove(data, proofs))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
