"""The group is a mirror of the ledger: what happens when somebody else moves it, and the two ways on."""

from __future__ import annotations

import logging

import pytest
from confluent_kafka import Consumer

from deployments.local.processes import wait_until
from tests.end_to_end.bench import Bench, stopped
from tests.end_to_end.events import ENOUGH_S, Written, group_offsets
from tests.end_to_end.kafka_hands import delete_group, move_group


def twenty_of(bench: Bench, name: str, written: Written) -> str:
    """A pipeline that has delivered twenty of the thirty."""
    bench.pipeline(name, written.topic, limits={"max_records": 20})
    assert bench.run(name, "--max-windows", "1").code == 0
    assert stands(name, written) == 20
    return name


def stands(name: str, written: Written) -> int:
    ((offset, _),) = group_offsets(written.servers, name, written).values()
    return offset


@pytest.mark.parametrize("offset", [7, 25])
def test_a_group_that_was_moved_by_hand_stops_the_run_and_is_set_back(
    bench: Bench, thirty: Written, offset: int
) -> None:
    name = twenty_of(bench, f"group-moved-{offset}", thirty)
    move_group(thirty, name, {0: offset})
    where = f"{thirty.topic}[0] offset {offset}, where this ledger never put it (it stands at 20)"
    moved = f"The group {name} stands at {where}"
    stopped(bench.run(name), "group-moved", moved, "sluice realign FILE --to ledger", "or --to group")
    stopped(bench.sluice("plan", name), "group-moved", moved)
    assert bench.sluice("status", name).found["partitions"][0]["committed"] == offset
    entries = bench.books(name).entries
    aligned = bench.sluice("realign", name, "--to", "ledger")
    assert (aligned.code, aligned.found["group_set"]) == (0, [f"{thirty.topic}[0] 20"])
    assert bench.books(name).entries == entries
    bench.finished(name)
    assert bench.ids(name) == thirty.good
    assert stands(name, thirty) == 30


def test_a_group_that_was_moved_ahead_can_be_followed_and_what_is_skipped_is_told(
    bench: Bench, thirty: Written
) -> None:
    name = twenty_of(bench, "group-followed", thirty)
    move_group(thirty, name, {0: 25})
    aligned = bench.sluice("realign", name, "--to", "group", "--reason", "the rest was sent by hand")
    assert (aligned.code, aligned.found["skipped"]) == (0, [f"{thirty.topic}[0] 20..25"])
    bench.finished(name)
    assert bench.ids(name) == sorted([*thirty.good_in(0, 0, 20), *thirty.good_in(0, 25, 30)])
    books = bench.books(name)
    books.audit(thirty)
    books.audit_delivered()
    (skip,) = [item for item in books.entries if item["kind"] == "skip"]
    assert (skip["ranges"], skip["reason"]) == ([f"{thirty.topic}[0] 20..25"], "the rest was sent by hand")
    assert books.positions == {(thirty.topic, 0): 30}


def test_the_ledger_does_not_go_back_to_a_group(bench: Bench, thirty: Written) -> None:
    name = twenty_of(bench, "group-back", thirty)
    move_group(thirty, name, {0: 7})
    entries = bench.books(name).entries
    done = bench.sluice("realign", name, "--to", "group", "--reason", "tried")
    assert done.code == 2
    assert f"The group stands at {thirty.topic}[0] offset 7, outside 20..30; it only goes forward" in done.said
    assert bench.books(name).entries == entries


def test_the_ledger_skips_nothing_while_an_entry_is_not_delivered(bench: Bench, thirty: Written) -> None:
    name = bench.pipeline("group-undelivered", thirty.topic, limits={"max_records": 20})
    bench.killed(name, "window.sealed:1")
    move_group(thirty, name, {0: 25})
    done = bench.sluice("realign", name, "--to", "group", "--reason", "tried")
    assert done.code == 2
    assert "Entries 1 are not delivered yet" in done.said
    assert bench.sluice("realign", name, "--to", "ledger").code == 0
    assert stands(name, thirty) == 0, "not behind what is not delivered"
    bench.finished(name)
    assert bench.ids(name) == thirty.good


@pytest.mark.parametrize("step", ["ledger.skipped", "group.realigned"])
def test_a_realignment_that_was_killed_is_mended_by_the_next_run(bench: Bench, thirty: Written, step: str) -> None:
    name = twenty_of(bench, f"group-killed-{step.replace('.', '-')}", thirty)
    move_group(thirty, name, {0: 25})
    bench.killed(name, f"{step}:1", "--to", "group", "--reason", "tried", verb="realign")
    bench.finished(name)
    assert bench.ids(name) == sorted([*thirty.good_in(0, 0, 20), *thirty.good_in(0, 25, 30)])
    bench.books(name).audit(thirty)


def test_a_group_whose_offsets_are_gone_is_mended_without_a_word(bench: Bench, thirty: Written) -> None:
    name = twenty_of(bench, "group-expired", thirty)
    delete_group(thirty, name)
    assert group_offsets(thirty.servers, name, thirty) == {}
    assert bench.finished(name).said == ""
    assert bench.ids(name) == thirty.good
    delete_group(thirty, name)
    assert bench.finished(name).found["windows"] == []
    assert stands(name, thirty) == 30


def test_a_renamed_pipeline_does_not_take_the_group_of_its_former_self(bench: Bench, thirty: Written) -> None:
    name = twenty_of(bench, "group-before", thirty)
    renamed = bench.pipeline("group-after", thirty.topic, source={"kafka": {"group": name}})
    taken = f"The group {name} at {thirty.topic}[0] offset 20 belongs to another ledger"
    stopped(bench.run(renamed), "group-of-another-ledger", taken)
    assert list(bench.books(renamed).store.keys(f"ledger/{renamed}/entries/")) == []
    assert bench.ids(renamed) == []
    bench.finished(name)


def test_a_group_that_another_consumer_left_is_taken_up_only_where_the_file_says_so(
    bench: Bench, thirty: Written
) -> None:
    name = bench.pipeline("group-taken-up", thirty.topic)
    move_group(thirty, name, {0: 12})
    stopped(bench.run(name), "group-moved", "and this new pipeline would start at 0", "Set source.kafka.start to group")
    bench.pipeline(name, thirty.topic, source={"kafka": {"start": "group"}})
    bench.finished(name)
    assert bench.ids(name) == thirty.good_in(0, 12, 30)
    assert bench.books(name).entries[0]["topics"][0]["positions"] == {"0": 12}


def test_a_group_with_live_members_stops_the_run_and_what_was_delivered_stays_delivered(
    bench: Bench, thirty: Written
) -> None:
    name = twenty_of(bench, "group-in-use", thirty)
    settings = {"bootstrap.servers": thirty.servers, "group.id": name, "enable.auto.commit": False}
    consumer = Consumer(settings, logger=logging.getLogger("events"))
    consumer.subscribe([thirty.topic])
    wait_until(lambda: consumer.poll(0.1) is not None or bool(consumer.assignment()), ENOUGH_S, "its membership")
    done = bench.run(name)
    assert done.code == 1
    assert f"consumer group {name}" in done.said
    assert "live members" in done.said
    assert "docs/runbook.md#group-in-use" in done.said
    consumer.close()
    bench.finished(name)
    assert bench.ids(name) == thirty.good
    assert stands(name, thirty) == 30
