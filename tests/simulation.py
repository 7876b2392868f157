"""Simulated processes that move one operation at a time, in whatever order a test decides, under one settable clock.

Each process is real code of Sluice on the stand-ins of `tests.parts`. A stand-in calls `pause` before and after each of
its operations; there the process stops until the test lets it go on, kills it, or leaves it paused for hours. Greenlets
rather than threads: the order is the test's alone, and a switch costs a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # it ships no types

T = TypeVar("T")


class Killed(BaseException):
    """Goes through a process that was killed; whatever it still tries on the way out has no effect."""


class World:
    """The clock that all processes share, and which moves only when the test moves it, or when all wait for it."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0
        self.test = getcurrent()
        self.processes: list[Process] = []

    def start(self, name: str, work: Callable[[], object]) -> Process:
        process = Process(self, name)
        self.processes.append(process)
        process.main = process.thread(work)
        return process

    @property
    def alive(self) -> list[Process]:
        return [process for process in self.processes if process.is_alive]


class Process:
    """One simulated process with its threads; `error` or `result` says how it ended."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.is_killed = False
        self.threads: list[Thread] = []
        self.main: Thread

    def thread(self, work: Callable[[], object]) -> Thread:
        thread = Thread(self, work)
        self.threads.append(thread)
        return thread

    @property
    def is_alive(self) -> bool:
        return not self.is_killed and not self.main.future.done()

    @property
    def error(self) -> BaseException | None:
        return self.main.future.exception() if self.main.future.done() else None

    @property
    def result(self) -> object:
        return self.main.future.result()

    def move(self, which: int = 0) -> bool:
        """Let one thread go on to its next pause; False where all of them wait, or none is left."""
        ready = [thread for thread in self.threads if not thread.dead and thread.is_ready()]
        if ready:
            ready[which % len(ready)].switch()
        return bool(ready)

    def finish(self, most: int = 100_000) -> None:
        """Let it run to its end; the clock jumps where all of it waits for the clock."""
        for _ in range(most):
            if not self.is_alive:
                return
            if not self.move():
                self.world.now_s = min(thread.wakes_s for thread in self.threads if not thread.dead)
        raise AssertionError(f"{self.name} does not end; it is at {[thread.at for thread in self.threads]}")

    def kill(self) -> None:
        self.is_killed = True
        for thread in self.threads:
            if not thread.dead:
                with suppress(Killed):  # comes back from a thread that had not begun
                    thread.throw(Killed)


class Thread(greenlet):  # type: ignore[misc]
    """One thread of a process: where it paused, and what it waits for."""

    def __init__(self, process: Process, work: Callable[[], object]) -> None:
        super().__init__(parent=process.world.test)  # not who began it: a pause goes back to the test
        self.process = process
        self.future: Future[Any] = Future()
        self.future.set_running_or_notify_cancel()  # it has begun, as all do here: nobody can cancel it
        self.at = "start"
        self.wakes_s = float("inf")
        self._work = work
        self._until: Callable[[], bool] = lambda: True

    def run(self) -> None:
        try:
            self.future.set_result(self._work())
        except BaseException as error:  # noqa: BLE001  # as a thread pool does
            self.future.set_exception(error)

    def is_ready(self) -> bool:
        return self._until()

    def pause(self, at: str, until: Callable[[], bool] = lambda: True, wakes_s: float = float("inf")) -> None:
        if not self.process.is_killed:
            self.at, self._until, self.wakes_s = at, until, wakes_s
            self.parent.switch()
        if self.process.is_killed:
            raise Killed


def current_process() -> Process | None:
    thread = getcurrent()
    return thread.process if isinstance(thread, Thread) else None


def pause(at: str) -> None:
    """Stop here until the test goes on; outside a simulated process go on at once."""
    thread = getcurrent()
    if isinstance(thread, Thread):
        thread.pause(at)


class WorldClock:
    """A `Clock` on the world's time. Leaves out: clocks that drift apart, or stand still in a suspended machine."""

    def __init__(self, world: World) -> None:
        self._world = world

    def elapsed_s(self) -> float:
        return self._world.now_s

    def epoch_s(self) -> float:
        return self._world.now_s

    def wait(self, seconds: float) -> None:
        thread, wakes_s = getcurrent(), self._world.now_s + seconds
        if isinstance(thread, Thread):
            thread.pause("wait", lambda: self._world.now_s >= wakes_s, wakes_s)
        else:
            self._world.now_s = wakes_s


class Threads:
    """Stands in for `ThreadPoolExecutor`: threads of the simulated process; outside of one, and in `map`, no thread.

    Leaves out: the limit on workers (all begin at once, which allows more orders, not fewer) and cancelling.
    """

    def __init__(self, *_: object, **__: object) -> None:
        self._threads: list[Thread] = []

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def submit(self, work: Callable[..., T], *arguments: object) -> Future[T]:
        process = current_process()
        thread = (process or Process(World(), "none")).thread(lambda: work(*arguments))
        if process is None:
            thread.run()
        self._threads.append(thread)
        return thread.future

    def map(self, work: Callable[[Any], T], arguments: Iterable[Any]) -> Iterator[T]:
        return map(work, arguments)

    def shutdown(self, **_: object) -> None:
        for thread in self._threads:
            wait_for([thread.future])


def wait_for(futures: Iterable[Future[T]], **_: object) -> tuple[set[Future[T]], set[Future[T]]]:
    """Stand in for `concurrent.futures.wait`: until the first of them is done."""
    every = list(futures)
    thread = getcurrent()
    if isinstance(thread, Thread):
        thread.pause("join", lambda: any(future.done() for future in every))
    return {future for future in every if future.done()}, {future for future in every if not future.done()}
