"""What the Dockerfile does, done in a directory: what is installed runs where nothing but the scratch may be written.

Left out: the base image, and Docker itself. Where root runs this, what is installed runs without root's capabilities,
so that a file without the right to be written is not written.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs") if os.geteuid() == 0 else ()


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A directory that stands for the image's `/`."""

    root: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.root}/opt/sluice/bin:/usr/bin:/bin",
            "HOME": f"{self.root}/config",
            "TMPDIR": f"{self.root}/scratch",
            "PREFECT_HOME": f"{self.root}/scratch/prefect",
            "SLUICE_PIPELINES": f"{self.root}/pipelines",
        }
        return subprocess.run(
            [*UNPRIVILEGED, *command],
            env=environment,
            cwd=self.root / "pipelines",
            capture_output=True,
            text=True,
            check=False,
        )

    def files(self) -> dict[str, int]:
        """Every path outside the scratch, with the moment of its last change."""
        found = (path for path in self.root.rglob("*") if "scratch" not in path.relative_to(self.root).parts)
        return {str(path): path.lstat().st_mtime_ns for path in found}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    root = tmp_path_factory.mktemp("image")
    for name in ("opt", "config", "scratch"):
        (root / name).mkdir()
    for name in ("pipelines", "environments"):
        shutil.copytree(ROOT / "deployments" / name, root / name)
    build = tmp_path_factory.mktemp("build")
    for name in ("sluice", "flows", "tasks"):
        shutil.copytree(ROOT / name, build / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, build)
    wheel = ("-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    _do(*wheel, "--wheel-dir", "dist", ".", at=build)
    venv, lock = str(root / "opt" / "sluice"), str(ROOT / "deployments" / "docker" / "requirements.lock")
    _do("-m", "uv", "venv", "--quiet", "--python", sys.executable, venv)
    install = ("-m", "uv", "pip", "install", "--quiet", "--python", venv, "--no-deps", "--compile-bytecode")
    _do(*install, "--require-hashes", "--only-binary", ":all:", "-r", lock)
    _do(*install, "--no-index", *map(str, (build / "dist").glob("*.whl")))
    _set_writable(root, False)
    _set_writable(root / "scratch", True)
    yield Installed(root=root)
    _set_writable(root, True)


def _do(*arguments: str, at: Path = ROOT) -> None:
    subprocess.run([sys.executable, *arguments], cwd=at, check=True)


def _set_writable(top: Path, writable: bool) -> None:
    for path in (top, *top.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200 if writable else path.stat().st_mode & ~0o222)


def test_the_root_may_not_be_written(installed: Installed) -> None:
    done = installed.run("touch", f"{installed.root}/scratch/a", f"{installed.root}/config/b")
    assert done.returncode == 1
    assert "config/b" in done.stderr
    assert "scratch/a" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("sluice", "check", "flights"),
        ("sluice", "check", "flights-imported", "--json"),
        ("python", "-c", "import flows.ingest, tasks.blocks, sluice.trials, arize, aws_msk_iam_sasl_signer"),
        ("prefect", "flow-run", "execute", "--help"),
    ],
    ids=lambda command: " ".join(command[:3]),
)
def test_what_a_run_needs_is_there_and_writes_nothing_outside_the_scratch(
    installed: Installed, command: tuple[str, ...]
) -> None:
    before = installed.files()
    done = installed.run(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert installed.files() == before


def test_the_image_is_sluice_and_neither_its_tests_nor_its_demo(installed: Installed) -> None:
    for name in ("deployments", "tests", "pytest", "setuptools", "moto"):
        assert "ModuleNotFoundError" in installed.run("python", "-c", f"import {name}").stderr
