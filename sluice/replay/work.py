"""One replay of a run: what would go, and the verbs by which it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sluice.clock import epoch_s_of
from sluice.errors import CountsTwice, LedgerMoved, NothingToReplay, SluiceError
from sluice.importing.settling import Settled
from sluice.ledger import coverage, entries
from sluice.ledger.names import EntryName, shown
from sluice.ledger.went import Sent
from sluice.receipts import Receipt
from sluice.replay.origin import Origin, check_came, is_dropped, origin_of, sent_by
from sluice.replay.redeeming import Redemption, redemption_of
from sluice.replay.report import Item, ReplayReport
from sluice.replay.request import Request
from sluice.replay.rows import rows_of, source_of, versions_of
from sluice.replay.sealing import seal
from sluice.replay.twice import counted_twice
from sluice.run import Run
from sluice.steps import step


class Replay:
    """Brings out once more what was asked for. It moves no position and no consumer group.

    Args:
        run: of the pipeline as the request aims it, with the ledger loaded.
    """

    def __init__(self, run: Run, request: Request) -> None:
        request.check()
        self._run = run
        self._request = request

    @property
    def names(self) -> tuple[EntryName, ...]:
        """The entries that were named, each once."""
        return tuple(dict.fromkeys(self._request.entries))

    def plan(self, report: ReplayReport) -> ReplayReport:
        """See what a start would bring out now. Nothing is written.

        Args:
            report: of a run that has done nothing.
        """
        for name in self.names:
            try:
                item = self.look(name)
            except SluiceError as error:
                item = Item(name=name, error=error)
            report = report.with_item(item)
        return replace(report, is_trial=True).ended()

    def look(self, name: EntryName) -> Item:
        """See what a start would bring out of one entry now, and what of it went out by an earlier one.

        Raises:
            NothingToReplay: it was never delivered, or another entry should be named.
            SluiceError: its rows are not to be had.
        """
        origin = self._origin(name)
        if self._request.what == "rejected":
            return self._redeemed(origin, self._redemption(origin))
        item = self._looked_at(origin)
        if item.before or item.entries or not origin.rows:
            return item
        return replace(item, source=source_of(self._run, origin, self._request))

    def get_ready(self) -> None:
        """Begin what takes a while, and find out what cannot go well before anything is sealed.

        Raises:
            WrongUse: there is no reason.
            SluiceError: the import job is not as the pipeline file says, or there is none.
        """
        self._request.check_reason()
        self._run.outbound.get_ready([self._run.destination.path])
        self._run.outbound.check()

    def seal(self, name: EntryName) -> Item:
        """Seal an entry that takes out what was asked for of one entry; find it where an earlier start did.

        Raises:
            CountsTwice: Arize has some of the rows there, and the request does not allow that.
            NothingToReplay: it was never delivered, or another entry should be named.
            SluiceError: its rows are not to be had.
        """
        while True:
            origin = self._origin(name)
            try:
                return self._seal_redeemed(origin) if self._request.what == "rejected" else self._seal_rows(origin)
            except LedgerMoved:
                step("replay.taken", entry=shown(name))  # of this very entry: what has another start sealed?
                self._run.ledger.refresh()

    def sealed(self, number: int) -> entries.Sealed:
        return self._run.ledger.sealed(number)

    def deliver(self, number: int, part: int) -> Receipt:
        return self._run.outbound.deliver(number, part)

    def settle(self, numbers: Sequence[int], *, patience: bool) -> Settled:
        return self._run.outbound.settle(numbers, patience=patience)

    def done(self, number: int) -> None:
        """Note that an entry is settled, and let go of its local file."""
        staged = self._run.ledger.sealed(number).staged
        if staged is not None:
            self._run.staging.discard(staged)
        self._run.ledger.settle([number])

    def record(self, report: ReplayReport) -> None:
        self._run.checkpoint_if_due()
        step("replay.recorded", state=report.run.state, entries=len(report.items), rows=report.run.rows_accepted)

    def _origin(self, name: EntryName) -> Origin:
        self._run.ledger.refresh()  # what is delivered is asked entry by entry: many files may be pending
        origin = origin_of(self._run, name)
        then, now = origin.entry.destination.type, self._run.destination.type
        if then != now:
            raise NothingToReplay(
                f"The rows of entry {name} are of a {then}, the pipeline's model is a {now} by now",
                "Set arize.type and the mapping back for the replay",
            )
        return origin

    # ── rows

    def _looked_at(self, origin: Origin) -> Item:
        """Say where rows go, and what is known of them there."""
        run, request, to = self._run, self._request, self._run.destination
        replays = run.ledger.state.once_more.replays_of(origin.name)
        there = replays.get(request.target(to))
        before = [*origin.sent, *(sent for number in replays.values() for sent in sent_by(run, number))]
        here = Sent.to(to, version=request.version)
        item = self._item(origin, rows=origin.rows, version=request.version)
        item = replace(item, content_then=_content(origin.entry))
        if there is None:
            twice = counted_twice(here, before, origin.rows, lambda: versions_of(run, origin))
            return replace(item, twice=min(origin.rows, twice + self._elsewhere(origin, here)))
        # With a version of its own for all rows, or without some of them, an entry has another content.
        is_other = request.version is not None or origin.entry.unsent is not None
        now = "" if is_other else _content(run.ledger.sealed(there))
        found = replace(self._found(item, (there,)), content_now=now)
        if found.before:
            check_came(run, there, origin.name, to.space)
        return found

    def _elsewhere(self, origin: Origin, to: Sent) -> int:
        """Count the offsets of an entry that others took there, too, at most: none, unless they were taken again."""
        went, (number, claim) = self._run.ledger.state.went, origin.claim or (None, None)
        covered = went.taken_to(to, but=number) if claim and claim.again else went.again_to(to, but=number)
        return sum(part.span for item in origin.maker.ranges for part in coverage.present(covered, item.range))

    def _seal_rows(self, origin: Origin) -> Item:
        item, known = self._looked_at(origin), self._run.ledger.state.once_more.replays_of(origin.name)
        if item.before or item.entries or not origin.rows:
            return item
        if item.twice and not self._request.count_twice:
            raise CountsTwice(
                f"Arize has {item.twice:,} of the {item.rows:,} rows of entry {origin.name} in the model "
                f"{self._run.destination.model} already, and would count them twice",
                "Let it, with count-twice; or name another model or version",
            )
        rows = rows_of(self._run, origin, self._request)
        number = seal(
            self._run,
            origin.name,
            rows.file,
            lambda state: state.once_more.replays_of(origin.name) == known,
            purpose="replay",
            rows="staged",
            target=self._request.target(self._run.destination),
            version=self._request.version,
            reason=self._request.reason,
            ranges=rows.ranges,
            pipeline_sha256=origin.entry.pipeline_sha256,
        )
        unlike = rows.unlike.as_dict() if rows.unlike else None
        done = replace(item, entries=(number,), sealed=(number,), rows=rows.file.rows)
        return replace(done, source=rows.source, unlike=unlike, content_now=rows.content)

    # ── rejected records

    def _redemption(self, origin: Origin) -> Redemption | None:
        known = self._run.ledger.state.once_more.redeemed_of(origin.maker_name)
        return redemption_of(self._redeeming(origin), origin, known, now_s=epoch_s_of(self._run.now()))

    def _redeeming(self, origin: Origin) -> Run:
        """The run by which rejected records go where the others of their window went, by the file of today."""
        if origin.claim is None:
            return self._run
        _, claim = origin.claim
        return self._run.aimed(model=claim.model, version=claim.version)

    def _redeemed(self, origin: Origin, found: Redemption | None) -> Item:
        """Say what passes, and which earlier entries took some of them."""
        item = self._item(origin, rows=found.passing if found else 0, source="rejected")
        to, version = self._redeeming(origin).destination, origin.claim[1].version if origin.claim else None
        told = replace(item, redeemed=found.as_dict() if found else None, to=to, version=version)
        taken = self._run.ledger.state.once_more.redeemed_of(origin.maker_name)
        return self._found(told, [number for number in taken if not is_dropped(self._run, number)])

    def _seal_redeemed(self, origin: Origin) -> Item:
        known, found = self._run.ledger.state.once_more.redeemed_of(origin.maker_name), self._redemption(origin)
        item = self._redeemed(origin, found)
        if found is None or not found.passing:
            return item
        number = seal(
            self._redeeming(origin),
            origin.maker_name,
            self._run.staging.keep(found.frame),
            lambda state: state.once_more.redeemed_of(origin.maker_name) == known,
            purpose="rejected",
            rows="rejected",
            reason=self._request.reason,
            ranges=origin.maker.ranges,
            pipeline_sha256=self._run.file_sha256,
        )
        return replace(item, entries=(*item.entries, number), sealed=(number,))

    # ── both

    def _item(self, origin: Origin, *, rows: int, version: str | None = None, source: str = "") -> Item:
        to, ranges = self._run.destination, origin.entry.shown
        return Item(name=origin.name, ranges=ranges, rows=rows, to=to, version=version, source=source)

    def _found(self, item: Item, numbers: Sequence[int]) -> Item:
        """Tell entries of earlier starts that wait for delivery from those that do not."""
        last = [self._run.ledger.state.once_more.goes_on_as(number) for number in numbers]
        waiting = tuple(number for number in last if self._run.waits(number))
        return replace(item, entries=waiting, before=tuple(number for number in last if number not in waiting))


def _content(entry: entries.Sealed) -> str:
    return (entry.staged.content or "") if entry.staged else ""
