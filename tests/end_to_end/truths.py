"""Predictions and their actuals by two pipelines; and two joins to compare: Sluice's coverage, and the stand-in's."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deployments.local.processes import wait_until
from tests.end_to_end.bench import Bench
from tests.end_to_end.events import CANARY, Written, append, event, group_positions, topic

ENOUGH_S = 60.0
OLDEST_DAYS = 1000
CLASSES = ("complete", "joined", "early", "late", "none")
_MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def day_of(number: int) -> str:
    """The day of a prediction's event time (UTC): each number has its own, so coverage by day tells of each one."""
    return str((_MIDNIGHT - timedelta(days=OLDEST_DAYS - number)).date())


def at_ms(number: int, *, hours: float = 0) -> int:
    """The event time of a prediction, or so many hours behind it."""
    return int((_MIDNIGHT - timedelta(days=OLDEST_DAYS - number) + timedelta(hours=6 + hours)).timestamp() * 1000)


def prediction(number: int, **changed: Any) -> dict[str, Any]:
    return event(number, at=at_ms(number), **changed)


def truth(number: int, label: int = 0, *, hours: float = 2, **changed: Any) -> dict[str, Any]:
    """One good actual; two of one number say the same if their labels are the same."""
    return {
        "id": id_of(number),
        "at": at_ms(number, hours=hours),
        "label": f"{CANARY}-truth-{label}",
        "score": float(label),
        "gate": f"{CANARY}-gate",
        **changed,
    }


def id_of(number: int) -> str:
    return f"{CANARY}-id-{number:06}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A pipeline of predictions, whose name is the model's, and one of their actuals, each with a topic of its own."""

    bench: Bench
    flights: str
    arrivals: str
    predictions: Written
    actuals: Written

    @classmethod
    def of(cls, bench: Bench, predictions: Written, actuals: Written, **changed: Any) -> Pair:
        """Write both files.

        changed: of the file of the actuals; `arize` and `limits` of both.
        """
        name = f"truth-{uuid.uuid4().hex[:8]}"
        both = {key: changed[key] for key in ("arize", "limits") if key in changed}
        bench.pipeline(name, predictions.topic, **both)
        bench.actuals(f"{name}-actuals", actuals.topic, name, **changed)
        return cls(bench=bench, flights=name, arrivals=f"{name}-actuals", predictions=predictions, actuals=actuals)

    def sent(self) -> list[str]:
        """The ids of the actuals that the stand-in holds: one for each row."""
        return sorted(self.bench.arize.ids(self.flights, kind="actuals"))

    def check(self) -> None:
        """Nothing lost, nothing twice, every balance as it should be, both groups where the ledgers are."""
        self.check_ledgers()
        assert self.sent() == self.actuals.good
        assert sorted(self.bench.arize.ids(self.flights, kind="predictions")) == self.predictions.good

    def check_ledgers(self) -> None:
        for name, written in ((self.flights, self.predictions), (self.arrivals, self.actuals)):
            books = self.bench.books(name)
            books.audit(written)
            books.audit_delivered()
            assert books.positions == {(written.topic, number): end for number, end in written.ends.items()}
            assert group_positions(name, written) == written.ends
        assert self.bench.finished(self.arrivals).found["windows"] == []

    def audited(self) -> None:
        """An audit that reads every entry and every file finds nothing, and proves what it counts."""
        found = self.bench.sluice("audit", self.arrivals, "--full", "--deep").found
        assert (found["state"], found["findings"]) == ("done", [])

    def coverage(self) -> dict[str, Any]:
        done = self.bench.sluice("coverage", self.arrivals)
        assert (done.code, done.found["state"]) == (0, "done"), done.err
        return done.found

    def agree(
        self,
        numbers: Iterable[int],
        *,
        joined_besides: Collection[int] = (),
        twice: Sequence[str] = (),
        **expected: Iterable[int],
    ) -> dict[str, Any]:
        """Check that both joins say the same of each prediction and each actual, and return Sluice's coverage.

        Args:
            numbers: of all predictions; those that are in no class of `expected` have no actual.
            joined_besides: of those that are complete, numbers for which an actual came, too.
            twice: ids of actuals that were sent once more, for nobody knew whether they had come.
            expected: numbers of predictions by the class of their truth: complete, joined, early.
        """
        found = self.coverage()
        wanted = {number: kind for kind, some in expected.items() for number in some}
        ours = {day: [name for name in CLASSES for _ in range(item[name])] for day, item in found["days"].items()}
        assert ours == {day_of(number): [wanted.get(number, "none")] for number in numbers}
        join = self.bench.arize.join()
        theirs = next(item for item in join["models"] if item["model"] == self.flights)
        joined = {number for number, kind in wanted.items() if kind == "joined"} | {*joined_besides}
        assert sorted(self.bench.arize.joined_ids(self.flights)) == sorted(map(id_of, joined))
        total, actuals, unmatched = found["total"], found["actuals"], self.unmatched(found)
        missed_twice = Counter(id_ for id_ in twice if id_ in unmatched)
        assert {
            "predictions": total["delivered"],
            "complete": total["complete"],
            "with_truth": total["with_actual"],
            "predictions_joined": total["joined"] + len(joined_besides),
            "actuals": actuals["sent"] + len(twice),
            "matched": actuals["matched"] + len(twice) - missed_twice.total(),
            "unmatched": actuals["unmatched"] + missed_twice.total(),
            "early": actuals["early"],
            "too_late": actuals["late"],
            "waiting": 0,
        } == {name: count for name, count in theirs.items() if name not in ("space", "model", "repeated", "corrected")}
        assert self.missed() == unmatched + missed_twice
        assert total["delivered"] == total["with_actual"] + total["without"]
        return found

    def unmatched(self, found: Mapping[str, Any]) -> Counter[str]:
        """The ids of the actuals that coverage names, by their offsets, as joining no prediction."""
        places = found["unmatched"]
        assert (places["more_ranges"], places["more_offsets"]) == (0, 0)
        offsets: Counter[str] = Counter()
        for text in places["ranges"]:
            where, _, span = text.rpartition(" ")
            number = int(where.rpartition("[")[2].removesuffix("]"))
            start, stop = span.split("..")
            offsets.update(self.actuals.ids[number, offset] for offset in range(int(start), int(stop)))
        return offsets

    def missed(self) -> Counter[str]:
        """The ids of the actuals that the stand-in's joiner found no prediction for."""
        rows = self.bench.arize.joined(self.flights).select(["prediction_id", "actual_call", "actual_row"])
        found = rows.group_by(rows.column_names).aggregate([])["prediction_id"].to_pylist()
        return Counter(self.sent()) - Counter(found)


def topics(servers: str, partitions: int = 1) -> tuple[Written, Written]:
    """Make a topic of predictions and one of actuals, both empty."""
    return topic(servers, partitions), topic(servers, partitions)


def write(written: Written, values: Iterable[dict[str, Any]], kind: str = "") -> None:
    """Write each event to the partition of its number; see `events.append`."""
    of: dict[int, list[dict[str, Any]]] = {}
    for value in values:
        of.setdefault(int(value["id"].rpartition("-")[2]) % len(written.classes), []).append(value)
    for partition, mine in of.items():
        append(written, partition, mine, kind=kind)


def a_second_later() -> None:
    """Ledgers tell whole seconds: of two deliveries in one of them nobody can say which was first."""
    now = int(time.time())
    wait_until(lambda: int(time.time()) > now, ENOUGH_S, "the next second")
