"""Errors: the tree that is drawn is the tree that is, and each survives a trip to another process."""

from __future__ import annotations

import pickle
import re

import pytest

from sluice import errors
from sluice.errors import Held, SluiceError, Terminal, Transient, WrongUse, every_error

LEAVES = every_error()


def test_the_tree_that_is_drawn_names_every_error_under_its_branch() -> None:
    drawn: dict[str, list[str]] = {}
    for name in re.findall(r"[├└]── (\w+)", errors.__doc__ or ""):
        is_branch = getattr(errors, name) in SluiceError.__subclasses__()
        branch = name if is_branch else list(drawn)[-1]
        drawn.setdefault(branch, [])
        drawn[branch] += [] if is_branch else [name]
    branches = SluiceError.__subclasses__()
    found = {branch.__name__: {leaf.__name__ for leaf in branch.__subclasses__()} for branch in branches}
    assert {branch: set(leaves) for branch, leaves in drawn.items()} == found


def test_the_tree_has_two_levels_so_that_every_error_has_a_heading() -> None:
    assert all(not leaf.__subclasses__() for leaf in LEAVES)


@pytest.mark.parametrize("kind", LEAVES)
def test_an_error_comes_back_from_another_process_as_it_went(kind: type[SluiceError]) -> None:
    error = kind("flights[3] is gone", "Bring it back")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.what, again.next_step, str(again)) == (error.what, error.next_step, str(error))


@pytest.mark.parametrize("kind", LEAVES)
def test_an_error_says_what_where_and_the_next_step_in_sentences(kind: type[SluiceError]) -> None:
    said = str(kind("flights[3] is gone", "Bring it back"))
    assert said == f"flights[3] is gone. Bring it back. See docs/runbook.md#{kind.anchor()}."


def test_an_anchor_is_the_name_in_words() -> None:
    assert errors.OffsetsExpired.anchor() == "offsets-expired"
    assert len({kind.anchor() for kind in LEAVES}) == len(LEAVES)


def test_the_exit_code_tells_wrong_use_failure_and_waiting_apart() -> None:
    assert (WrongUse.exit_code, Transient.exit_code, Terminal.exit_code, Held.exit_code) == (2, 1, 1, 3)
    assert [branch.transient for branch in (WrongUse, Transient, Terminal, Held)] == [False, True, False, False]
