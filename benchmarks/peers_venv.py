"""The peers' own virtualenv: what they need may contradict what Sluice needs, and nothing else ever needs them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable

from benchmarks.systems import PEERS_PYTHON, ROOT

_VENV = PEERS_PYTHON.parents[1]
_LOCK = ROOT / "benchmarks" / "requirements.lock"
_STAMP = _VENV / ".complete"


def make(say: Callable[[str], None]) -> str:
    """Make the virtualenv as its lock says, unless it is there; return why it cannot be, or nothing."""
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest() + sys.version
    if _STAMP.exists() and _STAMP.read_text() == wanted:
        return ""
    say("installing the peers into benchmarks/.venv: a minute or two, 1.2 GB")
    shutil.rmtree(_VENV, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--python", str(PEERS_PYTHON), "install", "--quiet", "--require-hashes"]
    for command in ([sys.executable, "-m", "venv", "--without-pip", str(_VENV)], [*pip, "-r", str(_LOCK)]):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"the peers could not be installed ({' / '.join(done.stderr.strip().splitlines()[-2:])})"
    _STAMP.write_text(wanted)
    return ""
