"""Script how the stand-in fails, one call at a time. `imports.faults` has the faults of the import side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deployments.local.arize.wire import Upload

Kind = Literal["status", "store_then_drop", "drop", "hang", "drip", "slow", "accept_then_lose"]
_STORES = {"store_then_drop", "slow", "accept_then_lose"}
_SECONDS = {"slow": 1.0, "drip": 0.2}


class Fault(BaseModel):
    """One scripted failure.

    - ``status``: answer with `status`, and `retry_after_s` as Retry-After.
    - ``store_then_drop``, ``drop``: read the body, then cut the connection without an answer.
    - ``hang``: read the body and answer nothing until the client leaves or faults are cleared (then 200 if it stored,
      else a cut).
    - ``drip``: begin a 200 and send one byte of it every `seconds`, for ever.
    - ``slow``: answer after `seconds`.
    - ``accept_then_lose``: answer 200; the file is gone `seconds` later, by default before the answer is.

    store says whether the rows are kept; None means what the kind's name says. times is how many calls it meets, None
    for all; after is how many matching calls it lets pass first. model and version narrow which calls match.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: Literal["upload"] = "upload"
    kind: Kind
    status: int = Field(default=503, ge=200, le=599)
    retry_after_s: float | None = None
    message: str | None = None
    store: bool | None = None
    seconds: float | None = Field(default=None, ge=0)
    times: int | None = Field(default=1, ge=1)
    after: int = Field(default=0, ge=0)
    model: str | None = None
    version: str | None = None

    @model_validator(mode="after")
    def _named_kinds_do_what_they_are_named_for(self) -> Self:
        fixed = {"store_then_drop": True, "drop": False, "accept_then_lose": True}
        if self.store is not None and self.store is not fixed.get(self.kind, self.store):
            raise ValueError(f"{self.kind} cannot be told store={self.store}")
        return self

    @property
    def stores(self) -> bool:
        return self.kind in _STORES if self.store is None else self.store

    @property
    def answers(self) -> int | None:
        """The status that the client gets to see in a whole answer, if it gets one."""
        return {"status": self.status, "slow": 200, "accept_then_lose": 200}.get(self.kind)

    @property
    def pause_s(self) -> float:
        return _SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds

    def shown(self) -> dict[str, Any]:
        """Give the fields that mean something for this kind."""
        irrelevant = {"on"} if self.kind == "status" else {"on", "status"}
        return {**self.model_dump(exclude_none=True, exclude=irrelevant), "times": self.times}

    def matches(self, upload: Upload) -> bool:
        return self.model in (None, upload.model) and self.version in (None, upload.version)


class Scriptable(Protocol):
    """What every fault has; the members are read only."""

    @property
    def times(self) -> int | None: ...
    @property
    def after(self) -> int: ...
    def shown(self) -> dict[str, Any]: ...


F = TypeVar("F", bound=Scriptable)


@dataclass(slots=True)
class _Scripted(Generic[F]):
    fault: F
    passed: int = 0
    met: int = 0

    def due(self) -> bool:
        """Count one matching call, and say whether the fault may meet it."""
        self.passed += 1
        return self.passed > self.fault.after and (self.fault.times is None or self.met < self.fault.times)


class Script(Generic[F]):
    """The faults in the order they were scripted; the first that is due meets the call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripted: list[_Scripted[F]] = []
        self._released = threading.Event()

    def add(self, fault: F) -> None:
        with self._lock:
            self._scripted.append(_Scripted(fault))

    def pick(self, matches: Callable[[F], bool]) -> tuple[F | None, threading.Event]:
        """Choose the fault that meets this call, if any, and the event that releases it."""
        with self._lock:
            due = [scripted for scripted in self._scripted if matches(scripted.fault) and scripted.due()]
            if not due:
                return None, self._released
            due[0].met += 1
            return due[0].fault, self._released

    def clear(self) -> None:
        """Forget all faults and let go of the calls that hang, drip or wait."""
        with self._lock:
            self._scripted.clear()
            self._released.set()
            self._released = threading.Event()

    def listing(self) -> list[dict[str, Any]]:
        with self._lock:
            return [{**scripted.fault.shown(), "met": scripted.met} for scripted in self._scripted]
