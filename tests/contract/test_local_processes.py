"""No child outlives its parent, no stranger passes for a child, and a port or a directory belongs to one."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from deployments.local.ports import LOOPBACK, PortTakenError, free_port
from deployments.local.processes import (
    Child,
    ChildError,
    DeadlineError,
    DirectoryInUseError,
    only_one,
    running,
    wait_until,
)

ROOT = Path(__file__).parents[2]
# A parent that waits for ever, of a child that has started one of its own, as Java or weed might.
PARENT = """
import os, signal, sys, threading, time
from pathlib import Path
from deployments.local.processes import only_one, running, unwinding_on_sigterm

pids = Path(sys.argv[1])

def family(prelude="", **options):
    shell = f"{prelude} sleep 600 & echo $! $$ > {pids}.part; mv {pids}.part {pids}; wait"
    log = pids.with_suffix(".log")
    return running(["sh", "-c", shell], log_path=log, ready=pids.exists, deadline_s=20, name="family", **options)

def wait_for_ever():
    with family():
        print("ready", flush=True)
        time.sleep(600)

def wait_with_a_fork_that_holds_all_descriptors():
    with family():
        if os.fork():
            print("ready", flush=True)
            time.sleep(600)
        while not pids.with_suffix(".seen").exists():
            time.sleep(0.05)
        os._exit(0)

def wait_holding_the_directory():
    with only_one(pids.parent / "held") as lock, family("trap 'sleep 1; exit' TERM;", keep_open=[lock]):
        print("ready", flush=True)
        time.sleep(600)

def wait_unwinding():
    with unwinding_on_sigterm():
        wait_for_ever()

def wait_in_a_thread():
    threading.Thread(target=wait_for_ever).start()

# Whoever starts the tests in the background may ignore these, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
globals()[sys.argv[2]]()
"""


@pytest.mark.parametrize(
    ("way", "number"),
    [
        ("wait_for_ever", signal.SIGKILL),
        ("wait_for_ever", signal.SIGTERM),
        ("wait_for_ever", signal.SIGINT),
        ("wait_for_ever", signal.SIGHUP),
        ("wait_unwinding", signal.SIGTERM),
        ("wait_in_a_thread", signal.SIGKILL),
        ("wait_with_a_fork_that_holds_all_descriptors", signal.SIGKILL),
    ],
)
def test_no_child_outlives_its_parent_whatever_way_that_ends(tmp_path: Path, way: str, number: int) -> None:
    with killed_parent(tmp_path, way, number) as family:
        wait_until(lambda: all(map(is_gone, family)), 20, "the family to be gone")


def test_a_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    with ExitStack() as stack:
        starter = threading.Thread(target=lambda: stack.enter_context(sleeping(tmp_path)))
        starter.start()
        starter.join()
        child = stack.enter_context(sleeping(tmp_path))  # time enough for a death signal to arrive
        assert not is_gone(child.pid)
        assert not (tmp_path / "ended").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent by itself")
def test_a_killed_supervisor_takes_its_command_along(tmp_path: Path) -> None:
    with sleeping(tmp_path) as child:
        assert child._supervisor is not None
        child._supervisor.kill()
        wait_until(lambda: is_gone(child.pid), 20, "the command to be gone")


def test_a_killed_child_is_gone_on_return_and_can_be_started_again(tmp_path: Path) -> None:
    with sleeping(tmp_path) as child:
        first = child.pid
        child.kill()
        assert is_gone(first)
        assert child.exit_status == 128 + signal.SIGKILL
        child.restart()
        assert child.alive
        assert child.pid != first
    assert is_gone(child.pid)


def test_a_child_that_ignores_nothing_is_asked_to_end_before_it_is_made_to(tmp_path: Path) -> None:
    with sleeping(tmp_path):
        pass
    assert (tmp_path / "ended").exists()


def test_a_child_that_ends_early_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo no space left; exit 3"]
    with (
        pytest.raises(ChildError, match=r"mill ended with status 3(?s:.*)no space left"),
        running(command, log_path=tmp_path / "log", ready=lambda: False, deadline_s=20, name="mill"),
    ):
        pass


def test_a_child_that_is_never_ready_is_ended_and_reported(tmp_path: Path) -> None:
    command = ["sh", "-c", f"echo $$ > {tmp_path}/pid; echo still thinking; exec sleep 600"]
    with (
        pytest.raises(ChildError, match=r"in vain for mill(?s:.*)still thinking"),
        running(command, log_path=tmp_path / "log", ready=lambda: False, deadline_s=1, name="mill"),
    ):
        pass
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_program_that_is_missing_is_reported(tmp_path: Path) -> None:
    with (
        pytest.raises(ChildError, match="No such file"),
        running(["/no/such/mill"], log_path=tmp_path / "log", ready=lambda: True, deadline_s=20, name="mill"),
    ):
        pass


def test_a_stale_server_does_not_pass_for_the_child(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as stale:
        port = stale.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)), sleeping(tmp_path, ports=[port]):
            pass


def test_no_port_is_given_out_twice_by_any_process() -> None:
    ours = {free_port() for _ in range(50)}
    code = "from deployments.local.ports import free_port; print(*{free_port() for _ in range(500)})"
    theirs = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(ours) == 50
    assert ours.isdisjoint(map(int, theirs.split()))


def test_a_directory_belongs_to_one(tmp_path: Path) -> None:
    with only_one(tmp_path):  # noqa: SIM117 - the second is refused because the first is open
        with pytest.raises(DirectoryInUseError, match="in use by another process"), only_one(tmp_path, deadline_s=0.1):
            pass
    with only_one(tmp_path, deadline_s=0.1):
        pass


def test_a_directory_is_held_until_the_child_of_a_killed_parent_has_ended(tmp_path: Path) -> None:
    with killed_parent(tmp_path, "wait_holding_the_directory", signal.SIGKILL) as family:
        assert not all(map(is_gone, family))
        with only_one(tmp_path / "held", deadline_s=20):
            assert all(map(is_gone, family))


def test_a_wait_in_vain_names_what_it_waited_for() -> None:
    with pytest.raises(DeadlineError, match="the moon"):
        wait_until(lambda: False, 0.01, "the moon")


@contextmanager
def killed_parent(folder: Path, way: str, number: int) -> Iterator[list[int]]:
    """Start a parent, signal it when it waits, and yield the pids of its child and grandchild."""
    pids = folder / "pids"
    with subprocess.Popen([sys.executable, "-c", PARENT, str(pids), way], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.send_signal(number)
        try:
            yield [int(pid) for pid in pids.read_text().split()]
        finally:
            pids.with_suffix(".seen").touch()


def sleeping(
    folder: Path, *, ports: list[int] | None = None, keep_open: list[int] | None = None
) -> AbstractContextManager[Child]:
    """Run a child that is ready at once and leaves a file behind when it is asked to end."""
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    return running(
        ["sh", "-c", f"trap 'touch {folder}/ended; exit' TERM; touch {ready}; sleep 600 & wait"],
        log_path=folder / "log",
        ready=ready.exists,
        deadline_s=20,
        name="sleeper",
        ports=ports or [],
        keep_open=keep_open or [],
    )


def is_gone(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not state.strip() or state.startswith("Z")  # a zombie is dead: whoever inherited it has not looked yet
