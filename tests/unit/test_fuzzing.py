"""Hostile records through the run's own way: no crash, each in one class of the balance, no neighbour matters."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.records import Record
from tests.fuzz.files import KEPT, prove
from tests.fuzz.pipelines import PIPELINES
from tests.fuzz.proof import Proof
from tests.fuzz.values import good_record, windows

MANY = 100_000
LARGE_WINDOWS = (4_095, 4_097, 20_000, 500, 97)


def _search(proofs: dict[str, Proof], how: settings, keep: Callable[[str, list[Record]], None]) -> None:
    every = settings(how, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)

    @every
    @given(st.sampled_from([*PIPELINES]), windows)
    def each_record_has_one_fate(name: str, records: list[Record]) -> None:
        keep(name, records)
        proofs[name].window(records)

    each_record_has_one_fate()


def test_hostile_records_each_have_one_fate_that_is_theirs_alone(tmp_path: Path) -> None:
    proofs = {name: Proof(name, tmp_path) for name in PIPELINES}
    _search(proofs, settings(max_examples=9, derandomize=True), lambda *_: None)


@pytest.mark.parametrize("file", sorted(KEPT.iterdir()), ids=lambda file: file.name)
def test_what_a_fuzzer_once_found_stays_mended(file: Path, tmp_path: Path) -> None:
    prove(file.read_bytes(), {name: Proof(name, tmp_path) for name in PIPELINES})


@pytest.mark.parametrize("name", PIPELINES)
def test_the_good_record_is_taken(name: str, tmp_path: Path) -> None:
    assert Proof(name, tmp_path).alone(good_record()).startswith("row ")


@pytest.mark.long
def test_a_hundred_thousand_hostile_records_each_have_one_fate_that_is_theirs_alone(tmp_path: Path) -> None:
    proofs = {name: Proof(name, tmp_path) for name in PIPELINES}
    seen: dict[str, list[Record]] = {name: [] for name in PIPELINES}
    _search(proofs, settings(max_examples=3_000), lambda name, records: seen[name].extend(records))
    assert sum(map(len, seen.values())) >= MANY
    for name, records in seen.items():
        random.Random(0).shuffle(records)
        sizes = cycle(LARGE_WINDOWS)
        while records:
            size = next(sizes)
            proofs[name].window(records[:size])
            del records[:size]
