"""The part of the page that shows import jobs and their files."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from deployments.local.arize.drawing import NONE, look, number, table

_RECENT = 15
_LOOKS = {"COMPLETE": "good", "FAILED": "bad", "SKIPPED": "warm", "CANCELED": "warm", "PENDING": "soft"}
_JOB_LOOKS = {"active": "good", "inactive": "warm", "failed": "bad", "deleted": "bad"}


def drawn_imports(jobs: Sequence[dict[str, Any]], files: Sequence[dict[str, Any]]) -> list[str]:
    """Draw jobs with their files counted by status, and the files that were seen last; nothing without a job."""
    if not jobs:
        return []
    return [
        "<h2>Import jobs</h2>",
        _jobs(jobs),
        f"<h2>Files <small>the last {_RECENT} that were seen, newest first</small></h2>",
        _files(files[: -_RECENT - 1 : -1]),
    ]


def _jobs(jobs: Sequence[dict[str, Any]]) -> str:
    counted = ("PENDING", "COMPLETE", "FAILED", "SKIPPED", "CANCELED")
    heads = ["Job", "Model", "Reads", "Status", *(f"#{status.capitalize()}" for status in counted), "Trouble"]
    rows = (
        [
            f"<code>{escape(job['id'])}</code>",
            f"<b>{escape(job['model'])}</b>",
            f"<code>{escape(job['bucket'])}/{escape(job['prefix'])}</code>",
            look(job["status"], _JOB_LOOKS[job["status"]]),
            *(_count(status, job["files"][status]) for status in counted),
            look(job["trouble"] or "", "bad"),
        ]
        for job in jobs
    )
    return table(heads, rows, otherwise="None.")


def _count(status: str, files: int) -> str:
    return look(number(files), _LOOKS[status]) if files else NONE


def _files(files: Sequence[dict[str, Any]]) -> str:
    rows = (
        [
            f"<code>{escape(file['path'])}</code>",
            f"<code>{escape(file['job'])}</code>",
            look(file["status"], _LOOKS[file["status"]]),
            number(file["rows"]),
            number(file["bytes"]),
            f'<span class="soft">{escape(_why(file["error"]))}</span>',
        ]
        for file in files
    )
    heads = ["Path", "Job", "Status", "#Rows", "#Bytes", "Why not"]
    return table(heads, rows, otherwise="No job has seen a file yet.")


def _why(error: dict[str, Any] | None) -> str:
    if error is None:
        return ""
    return error["message"] if error["row"] is None else f"row {error['row']}: {error['message']}"
