"""What people read of a replay: in a line, and as Markdown for its pages. Pure: a report in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sluice.ledger.names import EntryName
from sluice.replay.report import SOURCES, Item, ReplayReport
from sluice.words import counted
from tasks.markdown import table

_SHOWN: Final = 50
_LETTERS: Final = 12  # of a hash; the whole one is in the ledger
_TWICE = (
    "Rows that Arize has there already go only with `count_twice`: once for each reason. To another `model` or "
    "`version` nothing is counted twice."
)
Rows = Iterable[Sequence[object]]


def run_name(report: ReplayReport) -> str:
    """Name a run by what it did, or looked at: `replay of flights: 3 entries → 1,200 rows`."""
    items, run = report.items, report.run
    named = f"entry {items[0].name}" if len(items) == 1 else _entries(len(items))
    if report.is_trial:
        return f"replay of {run.pipeline}, dry run: {named}"
    ending = "" if run.state == "done" else f", {run.state}"
    return f"replay of {run.pipeline}: {named} → {counted(run.rows_accepted, 'row')}{ending}"


def plan_words(report: ReplayReport, *, count_twice: bool) -> str:
    """What a replay would do, in a line."""
    items = [item for item in report.items if _goes(item, count_twice=count_twice)]
    told = f"would bring out {_rows_of(items)}{_model(report)}; nothing was written"
    twice = sum(item.twice for item in report.items)
    if twice:
        told += f". Arize would count {counted(twice, 'row')} twice" + (
            "" if count_twice else ": only with count-twice"
        )
    problems = len(report.problems)
    return told + (f". {problems:,} of {_entries(len(report.items))} cannot go" if problems else "")


def result_words(report: ReplayReport) -> str:
    """What a replay did, in a line."""
    went = [item for item in report.items if item.entries and not item.error]
    told = f"{_rows_of(went)} went out{_model(report)}"
    if went and all(item.content_now == item.content_then != "" for item in went):
        told += ", the same as were delivered, by content hash"
    before = sum(bool(item.before) and not item.entries for item in report.items)
    told += f"; {_entries(before)} before" if before else ""
    pending = sum(window.is_pending for window in report.run.windows)
    told += f"; files that Arize has not settled yet: {pending:,}" if pending else ""
    problems = len(report.problems)
    return told + (f"; {problems:,} of {_entries(len(report.items))} did not go" if problems else "")


def plan_page(report: ReplayReport, *, count_twice: bool, link: str | None) -> str:
    """The plan in Markdown, for people."""
    items, twice = report.items, sum(item.twice for item in report.items)
    going = [item for item in items if _goes(item, count_twice=count_twice)]
    lines = [f"# Replay of {report.run.pipeline}", ""]
    if link and (going or twice):
        needs = "a reason" if going else "a reason, and `count_twice` or another `model` or `version`"
        lines += [f"**[Run it]({link})**: the form comes filled in, needs {needs}, and starts when you submit it.", ""]
    lines += _facts(report, "go", going, twice)
    lines += [_TWICE, ""] if twice and not count_twice else []
    lines += _notes(report)
    if any(item.redeemed for item in items):
        lines += _rejected_table(item for item in items if item.redeemed)
    else:
        head = ("entry", "ranges", "rows", "from", "counted twice", "what becomes of it")
        lines += _titled("Entries", head, (_planned(item, count_twice=count_twice) for item in items))
    return "\n".join([*lines, *_problems("Cannot go", report)])


def result_page(report: ReplayReport, *, left: Sequence[EntryName], link: str | None) -> str:
    """What went out in Markdown, for people: with the content hashes of then and now, and where rows differ."""
    items = report.items
    lines = [f"# Replay of {report.run.pipeline}: {report.run.state}", ""]
    if left and link:
        lines += [f"**[Try again]({link})** what did not go ({_entries(len(left))}): what went out stays so.", ""]
    went, twice = [item for item in items if item.entries], sum(item.twice for item in items if item.sealed)
    lines += _facts(report, "went", went, twice)
    lines += _notes(report)
    statuses = {window.number: window.status for window in report.run.windows}
    out = [(item, _went_out(item, statuses)) for item in items if item.entries or item.before]
    head: Sequence[str] = ("entry", "went out as", "state", "rows")
    if any(item.redeemed for item in items):
        lines += _rejected_table(item for item in items if item.redeemed)
        lines += _titled("Went out", head, (told for _, told in out))
    else:
        head = (*head, "from", "content hash then", "now", "same rows")
        lines += _titled("Proof", head, ((*told, *_proof(item)) for item, told in out))
    head = ("entry", "only then", "only now", "changed", "in columns")
    lines += _titled("Differences", head, (_different(item) for item in items if item.unlike))
    if report.run.message not in ("", *map(str, report.problems)):
        lines += [report.run.message, ""]
    return "\n".join([*lines, *_problems("Did not go", report)])


def _goes(item: Item, *, count_twice: bool) -> bool:
    return item.goes and (count_twice or not item.twice)


def _facts(report: ReplayReport, do: str, items: Sequence[Item], twice: int) -> list[str]:
    """A table of what holds for all. do: what becomes of these items: `go` or `went`."""
    to, version = report.to, next((item.version for item in report.items if item.version), None)
    facts = [(f"entries that {do} out", f"{len(items):,} of {len(report.items):,}")]
    facts += [("rows", f"{sum(item.rows for item in items):,}")]
    facts += [("model", f"`{to.model}`"), ("space", f"`{to.space}`"), ("path", to.path)] if to else []
    facts += [("version of all rows", f"`{version}`")] if version else []
    facts += [(f"rows that Arize {'would count' if report.is_trial else 'counts'} twice, at most", f"{twice:,}")]
    return [*table(("", ""), facts), ""]


def _notes(report: ReplayReport) -> list[str]:
    return [*(f"- {note}" for note in report.run.notes), ""] if report.run.notes else []


def _planned(item: Item, *, count_twice: bool) -> Sequence[object]:
    source = SOURCES.get(item.source, "")
    if item.error:
        becomes = "cannot go: see below"
    elif item.before:
        becomes = f"went out before, as entry {_listed(item.before)}"
    elif item.entries:
        becomes = f"was sealed as entry {_listed(item.entries)}, goes on"
    elif not item.rows:
        becomes = "nothing to bring out"
    else:
        becomes = "goes out" if _goes(item, count_twice=count_twice) else "only with `count_twice`"
    counts = ("", "") if item.error else (f"{item.rows:,}", f"{item.twice:,}")
    return str(item.name), _ranges(item), counts[0], source, counts[1], becomes


def _went_out(item: Item, statuses: Mapping[EntryName, str]) -> Sequence[object]:
    state = ", ".join(statuses.get(number, "") for number in item.entries) if item.entries else "went out before"
    return str(item.name), _listed(item.entries or item.before), state, f"{item.rows:,}"


def _proof(item: Item) -> Sequence[object]:
    then, now = item.content_then, item.content_now
    same = "" if not (then and now) else "yes" if then == now else "**no**"
    return SOURCES.get(item.source, ""), _hash(then), _hash(now), same


def _different(item: Item) -> Sequence[object]:
    found = item.unlike or {}
    if "before" in found:  # the staged file is gone, and only balances can be compared
        then, now = found["before"]["staged"], found["now"]["staged"]
        return str(item.name), f"{then:,} staged then", f"{now:,} now", "not known", ""
    columns = ", ".join(f"`{name}` ({count:,})" for name, count in found["columns"].items())
    return str(item.name), *(f"{found[name]:,}" for name in ("only_before", "only_now", "changed")), columns


def _rejected_table(items: Iterable[Item]) -> list[str]:
    head = ("entry", "ranges", "rejected", "went out before", "left to a backfill", "pass now", "stay rejected")
    names = ("rejected", "redeemed_before", "taken_again", "redeemed", "still_rejected")
    told = ((item, item.redeemed or {}) for item in items)
    return _titled(
        "Rejected records",
        head,
        ((str(item.name), _ranges(item), *(f"{counts[name]:,}" for name in names)) for item, counts in told),
    )


def _titled(title: str, head: Sequence[str], rows: Rows) -> list[str]:
    """A heading and a table; nothing where there is no row."""
    found = list(rows)
    return [f"## {title}", "", *table(head, found[:_SHOWN]), "", *_more(len(found))] if found else []


def _problems(title: str, report: ReplayReport) -> list[str]:
    found = [f"- **Entry {item.name}**: {item.error}" for item in report.items if item.error]
    return [f"## {title}", "", *found[:_SHOWN], "", *_more(len(found))] if found else []


def _more(count: int) -> list[str]:
    return [f"And {count - _SHOWN:,} more: the run's result has them all.", ""] if count > _SHOWN else []


def _rows_of(items: Sequence[Item]) -> str:
    return f"{counted(sum(item.rows for item in items), 'row')} of {_entries(len(items))}"


def _entries(number: int) -> str:
    return f"{number:,} {'entry' if number == 1 else 'entries'}"


def _model(report: ReplayReport) -> str:
    return f" to the model {report.to.model}" if report.to else ""


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _ranges(item: Item) -> str:
    first, *others = item.ranges.split(", ")
    return f"{first} and {len(others)} more" if len(others) > 1 else item.ranges


def _hash(content: str) -> str:
    return f"`{content[:_LETTERS]}`" if content else ""
