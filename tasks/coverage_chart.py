"""Coverage as a page of Prefect's: what people act on, pictures, and the numbers below them. Pure."""

from __future__ import annotations

from typing import Final

from sluice.ground_truth.report import CoverageReport, percent
from sluice.words import counted
from tasks.coverage_bars import coverage_bars
from tasks.coverage_periods import periods_of
from tasks.coverage_tables import actuals_table, class_table, day_table
from tasks.coverage_tiles import coverage_tiles
from tasks.delay_curve import delay_curve

_BELOW_SHOWN: Final = 10


def coverage_chart(report: CoverageReport) -> str:
    """Return the Markdown of an artifact."""
    parts = [_leaving(report), _below(report)]
    if report.coverage.days:
        periods = periods_of(report)
        parts = [coverage_tiles(report), *parts, coverage_bars(report, periods), delay_curve(report)]
        parts += ["## By day of the predictions", day_table(report), class_table(report)]
    parts += ["## Actuals", actuals_table(report), _unmatched(report), _unknown(report), _told(report)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _leaving(report: CoverageReport) -> str:
    """What people act on: behind the window it is too late."""
    leaving = report.coverage.leaving
    last = max(leaving)
    if not report.coverage.days:
        return f"**Of {report.predictions} {report.verdict}.**"
    if not leaving[last]:
        return f"No prediction leaves the joining window without its truth in the next {last} days."
    sooner = ", ".join(f"{leaving[days]:,} within {counted(days, 'day')}" for days in sorted(leaving)[:-1])
    return (
        f"**{counted(leaving[last], 'prediction')} without truth will leave the joining window within {last} days**, "
        f"{sooner}: what Arize receives after that joins nothing. Does the pipeline keep up "
        f"(`sluice status {report.pipeline}`), and does whoever writes the actuals? "
        "Arize's support can extend a space's window; then say so in `policies.join_window_days`."
    )


def _below(report: CoverageReport) -> str:
    asked, below = report.asked, report.below
    if asked is None:
        return ""
    wanted = f"{asked.at_least * 100:g}% after {counted(asked.after_days, 'day')}"
    if not below:
        return f"No day has less than is asked for: {wanted}." if report.coverage.days else ""
    newest = sorted(below, reverse=True)[:_BELOW_SHOWN]
    shown = ", ".join(f"{day} with {percent(below[day])}" for day in newest)
    more = f", and {counted(len(below) - len(newest), 'earlier day')}" if len(below) > len(newest) else ""
    has = "day has" if len(below) == 1 else "days have"
    return f"**{len(below):,} {has} less truth than is asked for**, which is {wanted}: {shown}{more}."


def _unmatched(report: CoverageReport) -> str:
    """Where they are, and how to look at them: their values are in Kafka alone, and are not shown here."""
    places = report.coverage.places
    if not places.ranges:
        return ""
    lines = ["**Where those are that match nothing:**", ""]
    lines += [f"- `{item}`: {item.span:,}" for item in places.ranges]
    if places.more_ranges:
        lines.append(
            f"- and {places.more_offsets:,} in {counted(places.more_ranges, 'more range')}, none of them wider"
        )
    first = places.ranges[0]
    at = first.partition
    read = f"--topic {at.topic} --partition {at.number} --offset {first.start} --max-messages {first.span}"
    lines += [
        "",
        "To look at them, read these offsets of the actuals' topic, and look for their ids among the predictions:",
        "",
        "```sh",
        "kafka-console-consumer.sh --bootstrap-server … \\",
        f"  {read}",
        f"sluice coverage {report.pipeline} --json  # this page for programs",
        "```",
    ]
    return "\n".join(lines)


def _unknown(report: CoverageReport) -> str:
    found = report.coverage
    sides = {"prediction": found.unknown_predictions, "actual": found.unknown_actuals}
    unknown = " and ".join(counted(count, side) for side, count in sides.items() if count)
    if not unknown:
        return ""
    doubt = " An actual that matches nothing may be the truth of one of these." if found.unknown_predictions else ""
    return (
        f"**In no count: {unknown}** that were delivered, and whose ids nobody knows any more: they were let go of, as "
        f"`keep` in the pipeline file says, or staged files were before there were ids.{doubt}"
    )


def _told(report: CoverageReport) -> str:
    back = f"predictions that Arize received in the last {report.days} days"
    return (
        f"As of {report.written_at}: {back}, of model `{report.model}`, environment `{report.environment}`. "
        f"The joining window is {counted(report.coverage.moment.join_window_days, 'day')}; days and times are in UTC."
    )
