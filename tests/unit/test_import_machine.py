"""The import path as a state machine: whatever interleaves, dies or wakes up late, each file is imported once.

The processes run the real run, ledger, placing and importing on stand-ins that pause at every operation, as in
`test_ledger_machine`. A job imports each path once, and two jobs on one prefix import it twice, as Arize's would.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sluice.connections import Connections
from sluice.errors import ImportJobGone, ImportJobRefused
from sluice.ingest import ingest
from sluice.ledger.entries import Sealed
from sluice.offsets import Partition
from sluice.report import RunReport
from sluice.run import Run
from tests import parts
from tests.books import Books
from tests.imports import Creation, MemoryImports, file_of
from tests.machines import Processes
from tests.parts import MARKER, MemoryKafka, pipeline_file
from tests.simulation import Process, Threads, wait_for

PARTITIONS = [Partition("a", 0), Partition("a", 1)]
FILES = {
    "both": pipeline_file(path="object_store", share="100%"),
    "a0": pipeline_file(path="object_store", share="100%", partitions="[0]"),
    "a1": pipeline_file(path="object_store", share="100%", partitions="[1]"),
}
PLACES = [
    "put staged", "entries/000000000000.json done", "put ledger/flights/imports/generations",
    "put ledger/flights/imports/generations/000001.json done", "put ledger/flights/imports/jobs", "arize create",
    "arize create done", "arize dry run", "arize jobs", "arize job", "arize files", "put import", "compare import",
    "intent.json", "intent.json done", "outcome.json", "outcome.json done", "read", "commit", "commit done", "wait",
]  # fmt: skip
VALUES = [b"good 1", b"good 2", b"bad 1", None, MARKER]
small = st.integers(1, 4)
places = st.sampled_from(PLACES)
then = st.sampled_from(["wait", "wait", "die", "end"])
creations = st.sampled_from(["made, unanswered", "not made, unanswered", "made", "refused"])


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.ingest.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.ingest.wait", wait_for)
        patch.setattr("sluice.ledger.log.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.ledger.deliveries.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.audit.walk.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        patch.setattr("sluice.ledger.log.CHECKPOINT_EVERY", 3)
        patch.setattr("sluice.importing.generations.FILES_A_GENERATION", 4)
        yield


class Places(Processes):
    """Some processes on one pipeline, and what happens to them."""

    def __init__(self) -> None:
        super().__init__(MemoryKafka({"a": 2}))
        self.imports = MemoryImports(self.world)
        self.books = Books(self.store, self.kafka, self.arize)
        self.kafka.on_commit = self.books.check_commit

    @initialize(values=st.lists(st.sampled_from(VALUES), min_size=3, max_size=9))
    def there_are_records_at_first(self, values: list[bytes | None]) -> None:
        for at in PARTITIONS:
            self.kafka.produce(at, *values)

    @rule(at=st.sampled_from(PARTITIONS), values=st.lists(st.sampled_from(VALUES), min_size=1, max_size=9))
    def records_come(self, at: Partition, values: list[bytes | None]) -> None:
        self.kafka.produce(at, *values)

    @rule(how=creations)
    def arize_makes_the_next_job_so(self, how: Creation) -> None:
        self.imports.creations.append(how)
        if how == "refused":
            self.expected.add(ImportJobRefused)

    @rule(seconds=st.sampled_from([1, 61, 400]))
    def time_passes(self, seconds: int) -> None:
        self.world.now_s += seconds

    @rule(looks=st.booleans())
    def arize_looks_or_does_not(self, looks: bool) -> None:
        self.imports.is_looking = looks

    @rule(n=small, after=st.booleans())
    def a_write_fails(self, n: int, after: bool) -> None:
        store = self.imports.store if n % 2 else self.store
        store.faults |= {process.name: "after" if after else "before" for process in self.world.alive[:n]}

    @precondition(lambda self: self.imports.jobs)
    @rule(which=small)
    def somebody_deletes_a_job(self, which: int) -> None:
        self.imports.delete(list(self.imports.jobs)[which % len(self.imports.jobs)])
        self.expected.add(ImportJobGone)

    @rule(file=st.sampled_from(sorted(FILES)), place=places, times=small, then=then)
    def run_starts(self, file: str, place: str, times: int, then: str) -> None:
        self.go(self.start(file), place, times, then)

    @precondition(lambda self: self.world.alive)
    @rule(which=small, place=places, times=small, then=then)
    def one_goes_on(self, which: int, place: str, times: int, then: str) -> None:
        self.go(self.alive(which), place, times, then)

    def start(self, file: str) -> Process:
        def work(name: str, opened: Connections) -> RunReport:
            run = Run(FILES[file], replace(opened, import_side=self.imports.side), name)
            return ingest(run, run.report(), parallel_windows=2)

        return self.begin(work)

    # ── what must be true

    @invariant()
    def every_file_is_sealed_and_imported_once_at_most(self) -> None:
        sealed = {file_of(entry) for entry in self.books.entries if isinstance(entry, Sealed)}
        placed = {key for key in self.imports.everything() if "/import/" in f"/{key}"}
        assert placed <= sealed
        assert not [key for key, times in Counter(key for _, key in self.imports.imported).items() if times > 1]

    @invariant()
    def no_prefix_has_two_jobs(self) -> None:
        prefixes = Counter(spec.prefix for spec, _ in self.imports.jobs.values())
        assert not [prefix for prefix, times in prefixes.items() if times > 1]

    def teardown(self) -> None:
        audited: dict[str, Any] = {"file": FILES["both"], "import_side": self.imports.side}
        try:
            self.check_an_audit_finds_nothing(**audited)
            self.bring_to_an_end()
            self.check_an_audit_finds_nothing(**audited, full=self.count % 2 == 0)
            self.books.check_chain()
            self.books.check_balances()
            self.check_all_is_imported()
        finally:
            for process in self.world.alive:
                process.kill()
            shutil.rmtree(self.scratch)

    def bring_to_an_end(self) -> None:
        for process in self.world.alive:
            process.finish()
        self.nobody_fails_without_cause()
        self.imports.creations.clear()
        self.imports.is_looking = True
        for store in (self.store, self.imports.store):
            store.faults.clear()
        for _ in range(20):
            self.world.now_s += 1000
            process = self.start("both")
            process.finish()
            self.nobody_fails_without_cause()
            ended = process.result if process.error is None else None
            if isinstance(ended, RunReport) and ended.state == "done" and not any(w.is_pending for w in ended.windows):
                return
            if ImportJobGone in self.expected and isinstance(ended, RunReport) and ended.error == "ImportJobGone":
                return  # a person's word is asked for
        raise AssertionError("it does not come to an end")

    def check_all_is_imported(self) -> None:
        """Each file of a job that was not deleted is imported; nothing waits but what was under one that was."""
        gone = {spec.prefix for spec, status in self.imports.jobs.values() if status == "deleted"}
        imported = {key for _, key in self.imports.imported}
        for number, entry in enumerate(self.books.entries):
            if isinstance(entry, Sealed) and entry.parts:
                key = file_of(entry)
                is_lost = key.rpartition("/")[0] + "/" in gone
                assert key in imported or is_lost, f"entry {number} was never imported"
                assert self.books.is_done(number) or is_lost


@pytest.fixture
def places_() -> Iterator[Places]:
    machine = Places()
    yield machine
    machine.teardown()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("then", ["die", "wait"])
def test_a_run_that_dies_or_sleeps_anywhere_leaves_what_the_next_one_finishes(
    places_: Places, place: str, then: str
) -> None:
    for at in PARTITIONS:
        places_.kafka.produce(at, *[b"good 1"] * 5)
    places_.go(places_.start("both"), place, 1, then)
    places_.world.now_s += 100
    places_.start("both").finish()


@pytest.mark.parametrize("place", [place for place in PLACES if "commit" not in place])
def test_of_two_first_runs_at_once_one_makes_the_job(places_: Places, place: str) -> None:
    for at in PARTITIONS:
        places_.kafka.produce(at, *[b"good 1"] * 3)
    one, other = places_.start("both"), places_.start("both")
    places_.go(one, place, 1, "wait")
    places_.go(other, place, 1, "wait")
    one.finish()
    other.finish()
    assert len({spec.prefix for spec, _ in places_.imports.jobs.values()}) == len(places_.imports.jobs)


def test_every_file_is_imported_once_whatever_happens() -> None:
    run_state_machine_as_test(
        Places,
        settings=settings(max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=[*HealthCheck]),
    )


@pytest.mark.long
def test_every_file_is_imported_once_whatever_happens_for_long() -> None:
    run_state_machine_as_test(
        Places,
        settings=settings(
            max_examples=3_000, stateful_step_count=30, deadline=None, suppress_health_check=[*HealthCheck]
        ),
    )
