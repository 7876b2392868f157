"""How long truth takes, as a picture: the share of truths that had come within a time, from seconds to years. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from sluice.ground_truth.delays import Delays
from sluice.ground_truth.report import CoverageReport
from sluice.words import counted, lasting
from tasks.svg_pictures import BLUE, DARK, LIGHT, WIDTH, image, legend, picture

_DAY_S: Final = 86_400
_TICKS: Final = {
    1: "1 s",
    10: "10 s",
    60: "1 min",
    600: "10 min",
    3_600: "1 h",
    6 * 3_600: "6 h",
    _DAY_S: "1 day",
    7 * _DAY_S: "7 days",
    30 * _DAY_S: "30 days",
    365 * _DAY_S: "1 year",
    3_650 * _DAY_S: "10 years",
    36_500 * _DAY_S: "100 years",
}
_MARKED: Final = {"half": 0.5, "90%": 0.9, "99%": 0.99}
_SAYS_ELSE: Final = 0.03  # of the height: less than this no eye tells two lines apart
_FIRST, _LEAST = 0.001, 100.0
_HEIGHT, _LEFT, _RIGHT, _TOP, _FOOT = 170, 46, 30, 62, 30
_PIXELS: Final = WIDTH - _LEFT - _RIGHT
_STYLE: Final = (
    f".line{{fill:none;stroke:{BLUE};stroke-width:2.5}}.area{{fill:{BLUE};fill-opacity:.14}}.dot{{fill:{BLUE}}}"
    f".received{{fill:none;stroke:{LIGHT};stroke-width:1.5;stroke-dasharray:5 4}}"
    f".drop{{stroke:{BLUE};stroke-dasharray:2 3}}"
    ".title{font-weight:600;font-size:13px}.grid{stroke:#9ca3af;stroke-opacity:.35}.mark{font-weight:600}"
    ".window{stroke:#d55e00;stroke-width:1.5;stroke-dasharray:2 3}"
    ".mark,.small{paint-order:stroke;stroke:#fff;stroke-width:3px}"
)
_DARK: Final = (
    f".received{{stroke:{DARK}}}.mark,.small{{stroke:#18181b}}.line{{stroke:#3d9bd6}}.dot{{fill:#3d9bd6}}"
    ".area{fill:#3d9bd6}.drop{stroke:#3d9bd6}"
)


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis of seconds; what is shorter than its first stands there."""

    first: float
    last: float

    @classmethod
    def of(cls, *curves: Delays) -> Axis:
        """An axis of all but the few shortest, over a hundredfold at least."""
        last = max(2.0 * _LEAST, *(1.3 * curve.curve()[-1][0] for curve in curves))
        first = min(max((curve.within(_FIRST) or 0) / 1.5, 1.0) for curve in curves)
        return cls(max(min(first, last / _LEAST), 1.0), last)

    @property
    def ticks(self) -> list[int]:
        return [tick for tick in _TICKS if self.first <= tick <= self.last]

    def at(self, seconds: float) -> float:
        """Where a time is, in pixels from the left."""
        return math.log(max(seconds, self.first) / self.first) / math.log(self.last / self.first) * _PIXELS

    def seconds(self, pixel: int) -> float:
        """The time at a pixel."""
        return self.first * math.exp(pixel / _PIXELS * math.log(self.last / self.first))


def delay_curve(report: CoverageReport) -> str:
    """Return the Markdown of the picture; a line that says why where there is none."""
    total = report.coverage.total
    event, received = total.event_delays, total.received_delays
    if not event.count:
        return (
            "All truth came along with its prediction." if total.complete else "No truth has joined a prediction yet."
        )
    axis = Axis.of(event, received)
    line, other = _shares(event, axis), _shares(received, axis)
    drawn = [_heading(event.count), _grid(axis), _window(report, axis)]
    if says_else(line, other):
        drawn += [_legend(), f'<path class="received" d="{_path(other)}"/>']
    path = _path(line)
    drawn += [f'<path class="area" d="{path}V{_TOP + _HEIGHT}H{_LEFT}z"/>', f'<path class="line" d="{path}"/>']
    drawn += [_mark(name, share, event, axis) for name, share in _MARKED.items()]
    svg = picture("".join(drawn), width=WIDTH, height=_TOP + _HEIGHT + _FOOT, style=_STYLE, dark=_DARK)
    return image(svg, _in_words(event)) + _before(event)


def says_else(line: list[float], other: list[float]) -> bool:
    """Whether a person sees two lines."""
    return max(abs(one - two) for one, two in zip(line, other, strict=True)) > _SAYS_ELSE


def _shares(delays: Delays, axis: Axis) -> list[float]:
    """At each pixel, the share that had come within its time."""
    curve = delays.curve()
    seconds, counts = [point[0] for point in curve], [0, *(point[1] for point in curve)]
    # At the last pixel all have come: a time that was computed may be a hair shorter than the longest.
    shares = [counts[bisect_right(seconds, axis.seconds(pixel))] / delays.count for pixel in range(_PIXELS)]
    return [*shares, 1.0]


def _path(shares: list[float]) -> str:
    """A line from pixel to pixel; only where it rises."""
    y = [f"{_TOP + _HEIGHT * (1 - share):.1f}" for share in shares]
    steps = [f"H{_LEFT + pixel}V{y[pixel]}" for pixel in range(1, len(y)) if y[pixel] != y[pixel - 1]]
    return f"M{_LEFT} {y[0]}{''.join(steps)}H{_LEFT + _PIXELS}"


def _heading(count: int) -> str:
    return (
        '<text class="title" x="12" y="22">How long truth takes</text>'
        f'<text class="small" x="{WIDTH - 12}" y="22" text-anchor="end">'
        f"share of {counted(count, 'truth')} that had come within a time, by event time</text>"
    )


def _legend() -> str:
    signs = [('<path class="line" d="M0 6h22"/>', "by event time")]
    signs.append(('<path class="received" d="M0 6h22"/>', "as Arize received them"))
    return legend(signs, y=33)[0]


def _grid(axis: Axis) -> str:
    lines = []
    for share in (0, 25, 50, 75, 100):
        y = _TOP + _HEIGHT * (100 - share) / 100
        lines.append(f'<text class="small" x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{share}%</text>')
        lines.append(f'<path class="grid" d="M{_LEFT} {y:.1f}h{_PIXELS}"/>')
    foot = _TOP + _HEIGHT
    for tick in axis.ticks:
        x = _LEFT + axis.at(tick)
        lines.append(f'<path class="grid" d="M{x:.1f} {_TOP}v{_HEIGHT + 4}"/>')
        lines.append(f'<text class="small" x="{x:.1f}" y="{foot + 17}" text-anchor="middle">{_TICKS[tick]}</text>')
    return "".join(lines)


def _window(report: CoverageReport, axis: Axis) -> str:
    moment = report.coverage.moment
    if not axis.first < moment.window_s < axis.last:
        return ""
    x = _LEFT + axis.at(moment.window_s)
    words = f"joining window: {counted(moment.join_window_days, 'day')}"
    return (
        f'<path class="window" d="M{x:.1f} {_TOP}v{_HEIGHT}"/>'
        f'<text class="small" transform="translate({x - 5:.1f} {_TOP + _HEIGHT - 8}) rotate(-90)">{words}</text>'
    )


def _mark(name: str, share: float, delays: Delays, axis: Axis) -> str:
    seconds = delays.within(share) or 0
    x, y = _LEFT + axis.at(seconds), _TOP + _HEIGHT * (1 - share)
    anchor, beside = ("end", x - 6) if x - _LEFT > 120 else ("start", x + 10)
    return (
        f'<path class="drop" d="M{x:.1f} {y:.1f}V{_TOP + _HEIGHT}"/>'
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        f'<text class="mark" x="{beside:.1f}" y="{y - 6:.1f}" text-anchor="{anchor}">{name}: {lasting(seconds)}</text>'
    )


def _in_words(event: Delays) -> str:
    marks = ", ".join(f"{name} within {lasting(event.within(share) or 0)}" for name, share in _MARKED.items())
    return f"How long truth takes by event time, of {counted(event.count, 'truth')}: {marks}."


def _before(event: Delays) -> str:
    before = sum(count for step, count in event.steps.items() if step < 0)
    if not before:
        return ""
    return f"\n\nBy event time {counted(before, 'truth')} came before the prediction: does the right field say when?"
