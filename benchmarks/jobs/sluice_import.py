"""Sluice from Kafka into the bucket that Arize reads, by the library alone: a whole run, until its files are placed.

It asks once, at its end, what became of them: a run behind it settles those that Arize has looked at meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from unittest import mock

from benchmarks.jobs.order import Order, run_job
from benchmarks.jobs.sluice_sdk import ingested
from sluice.destinations.imports.graphql import Graphql

import_module("sluice.destinations.imports.jobs")  # the library imports it with its first question


def place(order: Order) -> dict[str, object]:
    with counted() as questions:
        report = ingested(order)
    pending = sum(item.is_pending for item in report.windows)
    return {"pending": pending, "files": len(report.windows), "questions": len(questions)}


@contextmanager
def counted() -> Iterator[list[str]]:
    """Hand out a list of the documents that GraphQL is sent."""
    found: list[str] = []
    heard = Graphql._post

    def post(self: Graphql, document: str, variables: dict[str, object]) -> object:
        found.append(document)
        return heard(self, document, variables)

    with mock.patch.object(Graphql, "_post", post):
        yield found


if __name__ == "__main__":
    run_job(place)
