"""A run that is told to end ends between two windows; what was told stays told."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from prefect.exceptions import TerminationSignal

from tasks.ending import Ending, EndingClock, until_told


@pytest.fixture
def signalled(monkeypatch: pytest.MonkeyPatch) -> Callable[[signal.Signals, list[str]], str]:
    """A story that sends a signal to whoever waits for it, and goes on until it is over."""
    waits = threading.Event()

    def waiting(told: Sequence[Future[str]], timeout: float) -> Any:
        waits.set()
        return wait(told, timeout)

    def tell(number: signal.Signals, said: list[str]) -> str:
        ending = Ending()

        def story() -> str:
            waits.wait()
            signal.pthread_kill(threading.main_thread().ident or 0, number)
            ending.is_over.wait()
            said.append("story")
            return "three windows"

        return until_told(story, ending, begin=lambda: said.append("begin"), end=said.append)

    monkeypatch.setattr("tasks.ending.wait", waiting)
    return tell


@contextmanager
def handled(number: signal.Signals, handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Have a signal handled so, whatever the process inherited: in the background of a shell, Ctrl-C is ignored."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_ctrl_c_has_the_story_end_by_itself(signalled: Callable[[signal.Signals, list[str]], str]) -> None:
    said: list[str] = []
    with handled(signal.SIGINT, signal.default_int_handler):
        assert signalled(signal.SIGINT, said) == "three windows"
    assert sorted(said) == ["begin", "story"]


def test_a_sigterm_of_prefect_is_raised_behind_the_end_of_the_story(
    signalled: Callable[[signal.Signals, list[str]], str],
) -> None:
    def raises(number: int, _: object) -> None:
        raise TerminationSignal(number)

    said: list[str] = []
    with handled(signal.SIGTERM, raises), pytest.raises(TerminationSignal):
        signalled(signal.SIGTERM, said)
    assert (sorted(said[:2]), said[2:]) == (["begin", "story"], ["three windows"])


def never(*_: object) -> None:
    raise AssertionError


def test_a_story_that_nobody_ends_returns_what_it_told_and_raises_what_it_raised() -> None:
    ending = Ending()

    def fails() -> str:
        raise ValueError("a bug")

    assert until_told(lambda: "all of it", ending, begin=never, end=never) == "all of it"
    with pytest.raises(ValueError, match="a bug"):
        until_told(fails, ending, begin=never, end=never)
    assert not ending.is_asked_for


def test_a_story_that_ends_itself_was_not_told_to() -> None:
    ending = Ending()
    ending.is_over.set()
    assert not ending.is_asked_for


def test_rows_that_wait_for_their_time_wait_no_more_when_the_run_is_told_to_end() -> None:
    ending = Ending()
    ending.ask()
    EndingClock(ending).wait(3600)
