"""No secret and no value of an event leaves the rows themselves: canaries of each, looked for everywhere.

Every command of every test here is checked for them in what it prints, as all of them log with `-v` and print JSON
(`bench.checked`), and every ledger that is audited (`Books.audit`). Here it is shown that the canaries would be found.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.store import Store
from tests.end_to_end.bench import API_KEY, Bench, Done, checked
from tests.end_to_end.events import CANARY, Written
from tests.end_to_end.kafka_hands import allow, logged_in

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka

NAME = "secret-everything"


@pytest.fixture(scope="module")
def variables(kafka: Kafka, flights: Written) -> Mapping[str, str]:
    """A connection with a password, for a user that may read the topic."""
    allow(flights, "reader", topics=[flights.topic], groups=[NAME])
    return logged_in(kafka, "reader")


@pytest.fixture(scope="module")
def processes(bench_on_s3: Bench, flights: Written, variables: Mapping[str, str]) -> str:
    """What a list of processes showed in the middle of a send, whose pipeline then went on to its end."""
    name = bench_on_s3.pipeline(NAME, flights.topic, policies={"max_rejected": {"share": "1%", "of_at_least": 10}})
    bench_on_s3.arize.script(
        "status", status=400, message=f"row 3: prediction_id {CANARY}-id-000003 is bad: {API_KEY}", model=name
    )
    for verb in ("check", "plan"):
        assert bench_on_s3.sluice(verb, name, **variables).code == 0
    command = bench_on_s3.start("run", name, pause="delivery.intended:1", **variables)
    command.until_it_stops()
    listed = "\n".join(shown for path in Path("/proc").glob("[0-9]*/cmdline") if (shown := _read(path)))
    command.go_on()
    assert command.done().code == 1
    assert bench_on_s3.run(name, **variables).code == 3
    assert bench_on_s3.sluice("status", name, **variables).code == 0
    word = ("--entry", "2", "deliver", "--reason", "a drill")
    assert bench_on_s3.sluice("resolve", name, *word, **variables).code == 0
    assert bench_on_s3.run(name, **variables).code == 0
    assert bench_on_s3.ids(name) == flights.good
    return listed


def _read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""  # it has ended


def test_no_object_of_the_ledger_holds_a_secret_or_a_value(bench_on_s3: Bench, processes: str) -> None:
    store = bench_on_s3.books(NAME).store
    ledger = list(store.keys("ledger/"))
    assert len(ledger) > 10
    for secret in (CANARY, *bench_on_s3.secrets):
        assert [key for key in ledger if secret.encode() in key.encode() + (store.read(key) or b"")] == []


def test_the_canaries_are_in_the_staged_rows_and_so_would_be_found(bench_on_s3: Bench, processes: str) -> None:
    store = bench_on_s3.books(NAME).store
    for kind in ("staged", "rejected", "held"):
        assert found(store, f"{kind}/{NAME}/"), kind
    for secret in bench_on_s3.secrets:
        assert not any(secret.encode() in (store.read(key) or b"") for key in store.keys(""))


def found(store: Store, prefix: str) -> bool:
    return any(CANARY.encode() in (store.read(key) or b"") for key in store.keys(prefix))


def test_no_list_of_processes_shows_a_secret(bench_on_s3: Bench, processes: str) -> None:
    assert "sdk_sender" in processes
    for secret in (CANARY, *bench_on_s3.secrets):
        assert secret not in processes


@pytest.mark.parametrize("printed", [f"x {CANARY} y", "Traceback (most recent call last)", "the-password"])
def test_what_must_not_be_printed_is_found_out(printed: str) -> None:
    for done in (Done(code=0, out=printed, err=""), Done(code=0, out="", err=printed)):
        with pytest.raises(AssertionError):
            checked(done, ["the-password"])
