"""The targets, and how far each one was met, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from benchmarks.rounds import Line

LOOP: Final = 5.0  # times the published loop
BEST_PEER: Final = 2.0  # times the best peer, on Parquet
PREFECT: Final = 0.15  # Prefect's share of one window
PEAK_MB: Final = 700.0
BAD: Final = 10.0  # times as long as a good window


def at_least(what: str, ours: Line, others: Sequence[Line], target: float) -> Sequence[str]:
    """Compare our rate with the best of others; nothing where there is nothing to compare."""
    rates = {line.name: line.rate for line in others if line.taken}
    if not ours.taken or not rates:
        return ()
    best = max(rates, key=lambda name: rates[name])
    times = ours.rate / rates[best]
    return (f"- {ours.name}, {what} ({best}): {times:.1f} times; the target is {target:g}: {_met(times >= target)}.",)


def stages(line: Line) -> Sequence[str]:
    """Tell in what stages of its windows a line's seconds went, over all rounds; the rest is what no stage claims."""
    whole = sum(item.seconds for item in line.taken)
    found = [item.told.get("stages", {}) for item in line.taken]
    if not whole or not found[0]:
        return ()
    shares = {name: sum(item[name] for item in found) / whole for name in found[0]}
    shares["the rest (opening, plan, seal, delivery, commit)"] = 1 - sum(shares.values())
    words = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    return (f"- Where {line.name}'s time goes: {words}.",)


def peak(line: Line) -> Sequence[str]:
    if not line.taken:
        return ()
    is_met = line.peak_mb <= PEAK_MB
    return (f"- {line.name}, peak RSS: {line.peak_mb:,.0f} MB; the target is {PEAK_MB:g}: {_met(is_met)}.",)


def at_most_as_long(bad: Line, good: Line) -> Sequence[str]:
    """Compare a window of nothing but bad records with a good one."""
    if not bad.taken or not good.taken:
        return ()
    times = good.rate / bad.rate
    words = f"- A window of nothing but bad records takes {times:.1f} times as long as a good one"
    return (f"{words}; the target is at most {BAD:g}: {_met(times <= BAD)}.",)


def a_window_more(one: Line, many: Line) -> Sequence[str]:
    """Tell what each further window at once costs and brings, of lines that are named by their windows at once."""
    if not one.taken or not many.taken:
        return ()
    each_mb = (many.peak_mb - one.peak_mb) / (int(many.name) - int(one.name))
    words = f"- {many.name} windows at once: {many.rate / one.rate:.1f} times the rows a second of {one.name}"
    return (f"{words}, and {each_mb:,.0f} MB more for each further window.",)


def prefect_share(library: Line, flow: Line) -> Sequence[str]:
    """Tell what the flow run took longer than the library alone, each round's by its neighbour's; then the median."""
    if not library.taken or not flow.taken:
        return ()
    pairs = zip(library.taken, flow.taken, strict=True)
    shares = sorted((with_it.seconds - bare.seconds) / with_it.seconds for bare, with_it in pairs)
    share = median(shares)
    seconds = flow.records / flow.rate
    words = f"- Prefect's share: {share:.0%} of {seconds:.2f} s (rounds: {shares[0]:.0%} to {shares[-1]:.0%})"
    unsure = "" if _met(shares[0] <= PREFECT) == _met(shares[-1] <= PREFECT) else ", but the rounds do not agree"
    return (f"{words}; the target is {PREFECT:.0%}: {_met(share <= PREFECT)}{unsure}.",)


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"
