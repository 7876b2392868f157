"""`sluice audit` on real parts: in a directory, in a bucket, by the import path."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from sluice.ledger.keys import Keys
from tests.end_to_end.bench import Bench
from tests.end_to_end.events import Written


@pytest.mark.parametrize("store", ["bench", "bench_on_s3"])
def test_what_a_killed_run_left_is_no_damage_and_a_file_that_is_gone_is(
    request: pytest.FixtureRequest, store: str, flights: Written
) -> None:
    bench: Bench = request.getfixturevalue(store)
    name = bench.pipeline(f"audit-{uuid.uuid4().hex[:8]}", flights.topic, limits={"max_records": 60})
    bench.killed(name, "delivery.accepted:1")
    early = bench.sluice("audit", name)
    assert (early.code, early.found["errors"], early.found["waiting"] != []) == (0, 0, True)
    bench.finished(name)
    found = bench.sluice("audit", name).found
    again = [item["entry"] for item in early.found["waiting"]]
    assert (found["state"], found["findings"], found["looked_at_again"]) == ("done", [], again)
    totals = found["totals"]
    assert totals["rows_accepted"] == totals["staged"] == len(flights.good) == len(bench.ids(name))
    assert {row["group"] for row in found["partitions"]} == {"at"}
    deep = bench.sluice("audit", name, "--full", "--deep").found
    assert (deep["findings"], deep["totals"], deep["files_nobody_needs"]) == ([], totals, 0)
    books = bench.books(name)
    books.store.delete(books.entries[2]["staged"]["key"])
    assert (bench.sluice("audit", name).code, bench.sluice("audit", name, "--full").code) == (0, 1), "it was there"
    damaged = bench.sluice("audit", name)
    assert (damaged.code, damaged.found["error"], damaged.found["see"]) == (
        *(1, "AuditFailed", "docs/runbook.md#audit-failed"),
    )
    (finding,) = damaged.found["findings"]
    assert (finding["entry"], "is gone from the store" in finding["what"]) == (2, True)


@pytest.mark.parametrize("at", ["audit.walked:1", "audit.recorded:1"])
def test_an_audit_that_is_killed_is_made_again_with_the_same_result(bench: Bench, thirty: Written, at: str) -> None:
    name = bench.pipeline(f"audit-{uuid.uuid4().hex[:8]}", thirty.topic, limits={"max_records": 10})
    bench.finished(name)
    books = bench.books(name)
    books.store.delete(books.entries[2]["staged"]["key"])
    bench.killed(name, at, verb="audit")
    found = bench.sluice("audit", name, "--full")
    assert found.code == 1
    assert [(item["entry"], item["severity"]) for item in found.found["findings"]] == [(2, "error")]
    assert found.found["totals"]["staged"] == 30


def test_an_entry_that_somebody_changed_is_named_with_its_offsets(bench: Bench, thirty: Written) -> None:
    name = bench.pipeline(f"audit-{uuid.uuid4().hex[:8]}", thirty.topic, limits={"max_records": 10})
    bench.finished(name)
    entry = Path(bench.store) / Keys(name).entry(2)
    found = json.loads(entry.read_text())
    found["ranges"][0]["balance"]["staged"] = 9
    entry.chmod(0o600)
    entry.write_text(json.dumps(found))
    audited = bench.sluice("audit", name)
    assert "its balance counts 9 offsets of 10" in audited.said
    where = [(item["entry"], item["start"], item["stop"]) for item in audited.found["findings"][:2]]
    assert (audited.code, where) == (1, [(2, 10, 20), (3, 10, 20)])


def test_the_files_of_the_import_path_are_followed(imports: Bench, thirty: Written) -> None:
    name = imports.pipeline(f"audit-{uuid.uuid4().hex[:8]}", thirty.topic, arize={"path": "object_store"})
    imports.finished(name)
    found = imports.sluice("audit", name).found
    assert (found["findings"], found["totals"]["rows_accepted"], found["files"]["complete"]) == ([], 30, 1)
