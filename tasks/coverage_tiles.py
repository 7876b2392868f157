"""Coverage in numbers to be read from across a room: what has its truth, what leaves, what matches nothing. Pure."""

from __future__ import annotations

from typing import Final

from sluice.ground_truth.report import CoverageReport, percent
from sluice.words import counted
from tasks.svg_pictures import STRIPES, WIDTH, compact, image, picture

_HEIGHT: Final = 96
_STYLE: Final = ".big{font-size:24px;font-weight:700}.title{font-weight:600}.rule{stroke:#9ca3af;stroke-opacity:.5}"


def coverage_tiles(report: CoverageReport) -> str:
    """Return the Markdown of the picture."""
    total, leaving, unmatched = report.coverage.total, report.coverage.leaving, report.coverage.actuals.unmatched
    tiles = [_tile(12, percent(total), f"of {compact(total.delivered)} predictions", to_see=False)]
    tiles += [
        _tile(168 + at * 118, compact(leaving[days]), f"within {counted(days, 'day')}", to_see=bool(leaving[days]))
        for at, days in enumerate(sorted(leaving))
    ]
    tiles.append(
        _tile(534, compact(unmatched), f"of {compact(report.coverage.actuals.sent)} actuals", to_see=bool(unmatched))
    )
    titles = ((12, "have their truth"), (168, "leave the joining window without truth"), (534, "match nothing"))
    heads = "".join(f'<text class="title" x="{x}" y="24">{words}</text>' for x, words in titles)
    rules = "".join(f'<path class="rule" d="M{x} 14v68"/>' for x in (152, 518))
    drawn = picture(
        heads + rules + "".join(tiles), width=WIDTH, height=_HEIGHT, style=_STYLE, definitions=STRIPES.named("to-see")
    )
    return image(drawn, f"{report.verdict}. What leaves the joining window is said below.")


def _tile(x: int, number: str, words: str, *, to_see: bool) -> str:
    """A number; with a striped bar beside it where somebody should do something about it."""
    bar = f'<path fill="url(#to-see)" d="M{x} 36h6v44h-6z"/>' if to_see else ""
    at = x + 12 if to_see else x
    return f'{bar}<text class="big" x="{at}" y="60">{number}</text><text class="small" x="{at}" y="78">{words}</text>'
