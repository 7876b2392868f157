"""Words for people."""

from __future__ import annotations

import pytest

from sluice.words import lasting


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "120 min"),
        (7_200, "2 h"),
        (12_600, "3.5 h"),
        (172_799, "48 h"),
        (172_800, "2 days"),
        (9 * 86_400 + 8_640, "9.1 days"),
        (10 * 86_400, "10 days"),
        (4_000 * 86_400, "4,000 days"),
        (-90, "-90 s"),
        (-12_600, "-3.5 h"),
    ],
)
def test_a_time_is_said_in_the_unit_of_a_person(seconds: int, said: str) -> None:
    assert lasting(seconds) == said
