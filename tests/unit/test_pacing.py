"""The pace of a space: on the average the rate holds, whoever sends, and nobody waits for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.pacing import MachinePace


class Clock:
    """One clock of a machine; who waits moves it."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def epoch_s(self) -> float:
        return self.now_s

    elapsed_s = epoch_s

    def wait(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += seconds


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 100_000), st.floats(0, 10)), max_size=20),
    st.sampled_from([0.5, 100.0, 50_000.0]),
)
def test_never_more_than_the_rate_and_one_part_goes_whoever_sends(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, int, float]], rate: float
) -> None:
    clock, directory = Clock(), tmp_path_factory.mktemp("pace")
    runs = [MachinePace("space", rate, clock, directory) for _ in range(3)]
    gone: list[tuple[float, int]] = []
    for run, rows, idle_s in parts:
        clock.now_s += idle_s
        runs[run](rows)
        gone.append((clock.now_s, rows))
    for first, (began_s, _) in enumerate(gone):
        for last in range(first, len(gone)):
            ended_s, largest = gone[last][0], gone[last][1]
            sent = sum(rows for _, rows in gone[first : last + 1])
            assert sent - largest <= rate * (ended_s - began_s) + 1, "what is behind the last part is paid for"


def test_the_first_part_waits_for_nothing_and_another_space_neither(tmp_path: Path) -> None:
    clock = Clock()
    MachinePace("space", 10, clock, tmp_path)(1000)
    MachinePace("other", 10, clock, tmp_path)(1000)
    assert clock.now_s == 1_000_000.0
    MachinePace("space", 10, clock, tmp_path)(1)
    assert clock.now_s == 1_000_100.0


def test_a_clock_that_was_set_back_makes_nobody_wait_for_ever(tmp_path: Path) -> None:
    clock = Clock()
    pace = MachinePace("space", 1_000_000, clock, tmp_path)
    pace(10)
    clock.now_s -= 100_000
    pace(10)
    assert clock.now_s == pytest.approx(1_000_000.0 - 100_000 + 1)


@pytest.mark.parametrize("text", ["", "half a num", "\0\0\0\0", "nan"])
def test_a_file_that_says_nothing_costs_nothing(tmp_path: Path, text: str) -> None:
    clock = Clock()
    pace = MachinePace("space", 10, clock, tmp_path)
    pace(0)
    (file,) = tmp_path.iterdir()
    file.write_text(text)
    pace(10)
    assert clock.now_s == 1_000_000.0
    assert file.stat().st_mode & 0o077 == 0, "nobody else's to write"
