"""Coverage by day as a picture: a bar for each, of the share that is in each class; below it, how many. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from sluice.ground_truth.report import CoverageReport, percent
from sluice.words import counted
from tasks.coverage_classes import classes_of
from tasks.coverage_periods import Period, Periods
from tasks.svg_pictures import (
    BLUE,
    DARK,
    DOTS,
    LIGHT,
    LINES,
    STRIPES,
    UPRIGHTS,
    WIDTH,
    Pattern,
    compact,
    image,
    legend,
    picture,
)

_WORDS: Final[Mapping[str, str]] = {
    "with truth": "with truth",
    "none yet": "none yet",
    "early": "came early",
    "late": "came late",
    "left": "left without",
}
_PATTERNS: Final[Mapping[str, Pattern]] = {"none yet": DOTS, "early": UPRIGHTS, "late": LINES, "left": STRIPES}
_STYLE: Final = (
    f".truth{{fill:{BLUE}}}.title{{font-weight:600;font-size:13px}}.grid{{stroke:#9ca3af;stroke-opacity:.35}}"
    ".many{fill:#9ca3af}.below{fill:#d55e00}.low{font-weight:700}.halo{stroke:#fff;stroke-width:2}"
    f".asked{{stroke:{LIGHT};stroke-width:2;stroke-dasharray:7 4}}"
    ".clear{fill:#fff}.edge{fill:none;stroke:#9ca3af;stroke-opacity:.6}"
)
_DARK: Final = f".asked{{stroke:{DARK}}}.halo{{stroke:#18181b}}.clear{{fill:#27272a}}"

HEIGHT: Final = 170
_SIGN: Final = "M0 0h22v11h-22z"
_LEAST: Final = 2.0  # pixels of whatever is there
_ABOVE, _MANY = 20, 40
_FOOT: Final = HEIGHT + 32 + _MANY
_LEFT: Final = 60
_PLOT: Final = WIDTH - _LEFT - 12
_WIDEST: Final = 110
_WIDE: Final = 30  # a bar that has room for its share in words
_FILLED: Final = 0.84
_LETTER: Final = 6.2  # the width of a small one


def coverage_bars(report: CoverageReport, periods: Periods) -> str:
    """Return the Markdown of the picture; in words it says what a person would read from it."""
    signs, top = legend(_signs(report, periods), y=34)
    top += _ABOVE
    plot = _grid() + _bars(periods) + _asked(report, periods)
    svg = picture(
        f'{_heading(report, periods)}{signs}<g transform="translate({_LEFT} {top})">{plot}</g>',
        width=WIDTH,
        height=top + _FOOT + 10,
        style=_STYLE,
        dark=_DARK,
        definitions="".join(pattern.named(_id(name)) for name, pattern in _PATTERNS.items()),
    )
    return image(svg, _in_words(report, periods))


def heights(counts: Mapping[str, int]) -> dict[str, float]:
    """Share the height of a bar among its classes. One that holds anything can be seen; the biggest gives way."""
    whole = sum(counts.values())
    there = {name: max(count / whole * HEIGHT, _LEAST) for name, count in counts.items() if count}
    biggest = max(there, key=lambda name: there[name])
    there[biggest] += HEIGHT - sum(there.values())
    return there


def _bars(periods: Periods) -> str:
    slot, most = _slot(periods), max(item.counts.delivered for item in periods.shown)
    wide = (max(len(periods.label(item)) for item in periods.shown) + 1) * _LETTER
    drawn, next_label = [], 0.0
    for item, at in zip(periods.shown, _places(periods), strict=True):
        label = periods.label(item) if at >= next_label else ""
        next_label = at + wide if label else next_label
        bar = _bar(item, slot * _FILLED) + _below_bar(item, slot * _FILLED, label, item.counts.delivered / most)
        drawn.append(f'<g transform="translate({at:.1f} 0)">{bar}</g>')
    scale = f'<text class="small" x="-6" y="{HEIGHT + 41}" text-anchor="end">{compact(most)}</text>'
    words = f'<text class="small" x="-6" y="{_FOOT}" text-anchor="end">delivered</text>'
    return "".join(drawn) + scale + words


def _slot(periods: Periods) -> float:
    return min(_PLOT / periods.slots, _WIDEST)


def _places(periods: Periods) -> Iterator[float]:
    """Where each bar begins: a place is left free where nothing is between two."""
    at, slot = 0.0, _slot(periods)
    for item in periods.shown:
        at += 0 if item.follows else slot
        yield at
        at += slot


def _bar(item: Period, width: float) -> str:
    parts, top = [], float(HEIGHT)
    for name, height in heights(classes_of(item.counts)).items():
        top -= height
        parts.append(f'<path {_paint(name)} d="M0 {top:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"/>')
    box = f'd="M0 0h{width:.1f}v{HEIGHT}h-{width:.1f}z"'
    return f'<path class="clear" {box}/>{"".join(parts)}<path class="edge" {box}/>'


def _below_bar(item: Period, width: float, label: str, many: float) -> str:
    """What is written to a bar, and how many predictions it is of; many: of the most, 0 to 1."""
    middle, low, height = width / 2, " low" if item.is_below else "", max(many * _MANY, 1.0)
    parts = [f'<path class="many" d="M0 {_FOOT - height:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"/>']
    texts = {HEIGHT + 23: label, -5: percent(item.counts) if width >= _WIDE else ""}
    parts += [
        f'<text class="small{low}" x="{middle:.1f}" y="{y}" text-anchor="middle">{text}</text>'
        for y, text in texts.items()
        if text
    ]
    if item.is_below:
        parts.append(f'<path class="below" d="M{middle:.1f} {HEIGHT + 3}l-5 8h10z"/>')
    return "".join(parts)


def _heading(report: CoverageReport, periods: Periods) -> str:
    first, last = _from_to(report, periods)
    more = f"; {counted(periods.left_out, 'earlier year')} not drawn" if periods.left_out else ""
    of = "" if periods.unit == "day" else f", a bar for each {periods.unit}"
    return (
        f'<text class="title" x="12" y="22">Coverage by {periods.unit} of the predictions</text>'
        f'<text class="small" x="{WIDTH - 12}" y="22" text-anchor="end">{first} to {last}{of}{more}</text>'
    )


def _signs(report: CoverageReport, periods: Periods) -> list[tuple[str, str]]:
    total = classes_of(report.coverage.total)
    signs = [
        (f'<path {_paint(name)} d="{_SIGN}"/><path class="frame" d="{_SIGN}"/>', word)
        for name, word in _WORDS.items()
        if total[name]
    ]
    if report.asked and any(item.is_asked for item in periods.shown):
        signs.append(('<path class="asked" d="M0 6h22"/>', f"{report.asked.at_least * 100:g}% asked for"))
    if report.below:
        less = "has less" if periods.unit == "day" else "has days with less"
        signs.append(('<path class="below" d="M11 1l-5 8h10z"/>', less))
    return signs


def _grid() -> str:
    lines = []
    for share in (0, 25, 50, 75, 100):
        y = HEIGHT * (100 - share) / 100
        lines.append(f'<text class="small" x="-6" y="{y + 3.5:.1f}" text-anchor="end">{share}%</text>')
        lines.append(f'<path class="grid" d="M0 {y:.1f}h{_PLOT}"/>')
    return "".join(lines)


def _asked(report: CoverageReport, periods: Periods) -> str:
    """Over the bars, as far as anything is asked for by now."""
    ends = [at for item, at in zip(periods.shown, _places(periods), strict=True) if item.is_asked]
    if report.asked is None or not ends:
        return ""
    line = f'd="M-2 {HEIGHT * (1 - report.asked.at_least):.1f}h{ends[-1] + _slot(periods):.1f}"'
    return f'<path class="halo" {line}/><path class="asked" {line}/>'


def _from_to(report: CoverageReport, periods: Periods) -> tuple[date, date]:
    days = report.coverage.days
    return max(min(days), periods.shown[0].first), max(days)


def _in_words(report: CoverageReport, periods: Periods) -> str:
    """What a person reads from the picture who does not see it."""
    first, last = _from_to(report, periods)
    below = sum(item.is_below for item in periods.shown)
    asked = f"; {counted(below, periods.unit)} with less than is asked for" if below else ""
    total = report.coverage.total
    return (
        f"Coverage by {periods.unit} from {first} to {last}: {percent(total)} of {total.delivered:,} predictions have "
        f"their truth{asked}. The table below says it in numbers."
    )


def _paint(name: str) -> str:
    return f'fill="url(#{_id(name)})"' if name in _PATTERNS else 'class="truth"'


def _id(name: str) -> str:
    return name.replace(" ", "-")
