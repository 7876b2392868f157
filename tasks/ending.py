"""How a backfill ends that is told to: cancelled in the UI, a signal, Ctrl-C. Between two windows, and not in one."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from prefect import get_client
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal

from sluice.clock import SystemClock
from tasks.never_failing import never_failing

Told = TypeVar("Told")
_LOOK_S: Final = 1.0  # a signal that comes the moment before a wait begins does not end it


class Ending:
    """Whether a run was told to end.

    Attributes:
        is_over: set then; and by the run itself, when it is to begin no other window for another reason.
    """

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self._asked = threading.Event()

    @property
    def is_asked_for(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        self._asked.set()
        self.is_over.set()

    @never_failing
    def look(self) -> None:
        """Ask Prefect: of a run that no worker watches over, nobody else says that a person cancelled it."""
        context = FlowRunContext.get()
        if context is not None and context.flow_run is not None:
            with get_client(sync_client=True) as client:
                state = client.read_flow_run(context.flow_run.id).state
            if state is not None and state.type in (StateType.CANCELLING, StateType.CANCELLED):
                self.ask()

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until the run is told to end."""
        self._asked.wait(seconds)


class EndingClock(SystemClock):
    """A clock whose waits are over when the run is told to end."""

    def __init__(self, ending: Ending) -> None:
        self._ending = ending

    def wait(self, seconds: float) -> None:
        self._ending.wait(seconds)


def until_told(
    story: Callable[[], Told], ending: Ending, *, begin: Callable[[], object], end: Callable[[Told], object]
) -> Told:
    """Tell a story in a thread of its own: a signal interrupts this one, wherever it is, and the story ends by itself.

    Behind Ctrl-C it returns like any other. SIGTERM is raised again: Prefect, who sent it, knows what comes then.

    Args:
        begin: what is to be done at once where a signal came: the process may be killed before the story's end.
        end: what is to be done with the result before SIGTERM is raised again.
    """
    told: Future[Told] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="story") as threads:
        try:
            told = threads.submit(contextvars.copy_context().run, story)
            while not wait([told], timeout=_LOOK_S).done:
                pass
            return told.result()
        except (KeyboardInterrupt, TerminationSignal) as signal:
            ending.ask()
            begin()
            if told is None:  # it came in the very moment in which the thread began
                raise
            found = told.result()
            if isinstance(signal, KeyboardInterrupt):
                return found
            end(found)
            raise
