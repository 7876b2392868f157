"""`sluice sweep`: what a killed run left over goes, and nothing that an entry names."""

from __future__ import annotations

import pytest

from tests.end_to_end.bench import Bench
from tests.end_to_end.events import Written


@pytest.mark.parametrize("store", ["bench", "bench_on_s3"])
def test_what_a_killed_run_staged_and_no_entry_names_goes(
    request: pytest.FixtureRequest, store: str, thirty: Written
) -> None:
    bench: Bench = request.getfixturevalue(store)
    name = bench.pipeline("sweep-left-over", thirty.topic)
    bench.killed(name, "window.staged:1")
    (left,) = bench.books(name).store.keys(f"staged/{name}/")
    bench.pipeline(name, thirty.topic, limits={"max_records": 10})
    assert bench.sluice("sweep", name).found["swept"] == [], "a sleeping run may still seal it"
    bench.finished(name)
    trial = bench.sluice("sweep", name, "--dry-run")
    assert (trial.code, trial.found["swept"]) == (0, [left])
    assert bench.sluice("sweep", name).found["swept"] == [left]
    assert bench.sluice("sweep", name).found["swept"] == []
    books = bench.books(name)
    books.audit(thirty)
    assert len(list(books.store.keys(f"staged/{name}/"))) == 3
