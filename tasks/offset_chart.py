"""Draw offset maps for Prefect's pages: a picture, and the same in numbers below it. Pure: a map in, Markdown out.

The picture is an SVG in a data URI: Mermaid's charts know no offsets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby, repeat

from sluice.offset_map import Kind, OffsetMap
from sluice.offsets import OffsetRange
from tasks.markdown import table
from tasks.svg_pictures import BLUE, CROSSES, DOTS, LINES, SKY, STRIPES, UPRIGHTS, Pattern, image, picture

# In the order in which they are painted: what a person must see comes last, over whatever is there.
_WORDS: Mapping[Kind, str] = {
    "ingested": "by ingest",
    "backfilled": "by backfill",
    "dropped": "held, and let go of",
    "unread": "not read yet",
    "gone": "gone from Kafka",
    "waiting": "sealed, not delivered",
    "missing": "missing",
}
_ORDER = {kind: number for number, kind in enumerate(_WORDS)}
_TO_BE_SEEN: tuple[Kind, ...] = ("gone", "waiting", "missing")

_EXPLAINED = (
    "Each bar is one partition, from the lowest offset that is known to its end. A mark with a strip above it is only "
    "a part of what lies there, drawn wider than it is."
)

_MOST_ROWS = 40
_MOST_RANGES = 20
_MOST_LETTERS = 70
_CELLS = 308
_CELL = 2
_LEFT, _WIDTH, _BAR, _STRIP, _ROW, _HEADING, _LEGEND = 44, 672, 14, 5, 36, 28, 78

_STYLE = f".ingested{{fill:{BLUE}}}.backfilled{{fill:{SKY}}}.topic{{font-weight:600}}"
_PATTERNS: Mapping[Kind, Pattern] = {
    "unread": DOTS,
    "dropped": LINES,
    "gone": CROSSES,
    "waiting": UPRIGHTS,
    "missing": STRIPES,
}


def offset_chart(maps: Sequence[OffsetMap]) -> str:
    """Return the Markdown of an artifact: a picture, what is missing as ranges, and all of it in numbers.

    Args:
        maps: in the order of partitions.
    """
    drawn = _drawn(maps)
    parts = [image(_picture(drawn), f"{headline(maps)}. The tables below say it in numbers."), _EXPLAINED]
    if len(drawn) < len(maps):
        parts.append(f"{len(drawn)} of {len(maps)} partitions are drawn: those first in which something needs a look.")
    missing = [item for found in maps for item in found.ranges("missing")]
    if missing:
        parts += ["**Missing**: in no entry of the ledger, and still on the broker", _listed(missing)]
    counts = _counts(maps)
    kinds = [kind for kind in _WORDS if counts[kind]]
    for topic, partitions in groupby(maps, key=lambda item: item.partition.topic):
        parts += [f"**Offsets of** `{topic}`", _table(list(partitions), kinds)]
    return "\n\n".join(parts)


def headline(maps: Sequence[OffsetMap]) -> str:
    """Say in a line how many offsets of each kind there are; kinds without any are left out."""
    counts = _counts(maps)
    told = ", ".join(f"{counts[kind]:,} {word}" for kind, word in _WORDS.items() if counts[kind])
    return f"{len(maps)} partition{'' if len(maps) == 1 else 's'}: {told or 'no offsets'}"


def _counts(maps: Sequence[OffsetMap]) -> Counter[Kind]:
    return sum((Counter(item.counts) for item in maps), Counter())


def _drawn(maps: Sequence[OffsetMap]) -> list[OffsetMap]:
    """As many as a picture holds: those first that have something to be seen."""
    by_need = sorted(maps, key=lambda item: -sum(item.counts[kind] for kind in _TO_BE_SEEN))
    return sorted(by_need[:_MOST_ROWS], key=lambda item: item.partition)


# --- the numbers ---


def _table(maps: Sequence[OffsetMap], kinds: Sequence[Kind]) -> str:
    """One row a partition. A page has room for nine short columns: kinds that there are none of are left out."""
    heads = ("partition", "from", *(_WORDS[kind] for kind in kinds), "to")
    counted = ([item.counts[kind] for kind in kinds] for item in maps)
    rows = (
        (str(item.partition.number), str(item.start), *counts, str(item.stop))  # offsets are no counts: without commas
        for item, counts in zip(maps, counted, strict=True)
    )
    return "\n".join(table(heads, rows, numbers=heads))


def _listed(ranges: Sequence[OffsetRange]) -> str:
    """The biggest ranges, in the order of partitions and offsets."""
    biggest = sorted(sorted(ranges, key=lambda item: -item.span)[:_MOST_RANGES])
    lines = [f"- `{item}`: {item.span:,}" for item in biggest]
    if len(ranges) > len(biggest):
        lines.append(f"- and {len(ranges) - len(biggest):,} more, none of them bigger")
    return "\n".join(lines)


# --- the picture ---


def _picture(maps: Sequence[OffsetMap]) -> str:
    rows: list[str] = []
    y = _LEGEND
    for topic, partitions in groupby(maps, key=lambda item: item.partition.topic):
        rows.append(f'<text class="topic" x="8" y="{y + 16}">{escape(_shortened(topic))}</text>')
        y += _HEADING
        for item in partitions:
            rows.append(f'<g transform="translate({_LEFT} {y})">{_row(item)}</g>')
            y += _ROW
    return picture(
        _legend() + "".join(rows),
        width=_WIDTH,
        height=y,
        style=_STYLE,
        definitions="".join(pattern.named(kind) for kind, pattern in _PATTERNS.items()),
    )


def _legend() -> str:
    found = []
    for number, (kind, word) in enumerate(_WORDS.items()):
        x, y = 8 + number % 3 * 220, 10 + number // 3 * 22
        swatch = f'<path {_paint(kind)} d="M0 0h24v{_BAR}h-24z"/><path class="frame" d="M0 0h24v{_BAR}h-24z"/>'
        found.append(f'<g transform="translate({x} {y})">{swatch}<text x="32" y="11">{word}</text></g>')
    return "".join(found)


def _row(item: OffsetMap) -> str:
    width = _CELLS * _CELL
    return (
        f'<text x="-36" y="11">{item.partition.number}</text>{_bar(item)}'
        f'<path class="frame" d="M0 0h{width}v{_BAR}h-{width}z"/><text class="small" y="26">{item.start}</text>'
        f'<text class="small" x="{width}" y="26" text-anchor="end">{item.stop}</text>'
    )


def _bar(item: OffsetMap) -> str:
    """One path for each look: a rectangle for each run of cells that share it."""
    paths: dict[tuple[Kind, int], list[str]] = {}
    calm, marked = cells(item)
    # Where something calm is in the same cell, a mark leaves a strip of it to be seen.
    tops = [_STRIP if mark and below else 0 for mark, below in zip(marked, calm, strict=True)]
    for looks in (zip(calm, repeat(0)), zip(marked, tops, strict=True)):
        at = 0
        for (kind, top), run in groupby(looks):
            width = len(list(run)) * _CELL
            if kind is not None:
                paths.setdefault((kind, top), []).append(f"M{at} {top}h{width}V{_BAR}h-{width}z")
            at += width
    return "".join(f'<path {_paint(kind)} d="{"".join(drawn)}"/>' for (kind, _), drawn in paths.items())


def cells(item: OffsetMap) -> tuple[list[Kind | None], list[Kind | None]]:
    """Cut the bar of a partition into cells; return what is calm in each, and what a person must see in each.

    However many stretches there are, the picture stays as small. A stretch takes one cell at least, one that must be
    seen two, whatever else lies in them.
    """
    calm: list[Kind | None] = [None] * _CELLS
    marked = calm.copy()
    whole = item.stop - item.start
    for found in sorted(item.stretches, key=lambda stretch: _ORDER[stretch.kind]):
        shown, least = (marked, 2) if found.kind in _TO_BE_SEEN else (calm, 1)
        first = min((found.start - item.start) * _CELLS // whole, _CELLS - least)
        last = max(-((item.start - found.stop) * _CELLS // whole), first + least)
        shown[first:last] = [found.kind] * (last - first)
    return calm, marked


def _paint(kind: Kind) -> str:
    return f'fill="url(#{kind})"' if kind in _PATTERNS else f'class="{kind}"'


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
