"""Let Arize look at a file before anything of it is sealed."""

from __future__ import annotations

from pathlib import Path

from sluice.errors import DestinationUnavailable, ImportJobRefused
from sluice.importing.jobs import JobSpec, Refused, Unanswered
from sluice.importing.side import ImportRun
from sluice.steps import step


def try_out(work: ImportRun, spec: JobSpec, file: Path, sha256: str) -> None:
    """Have Arize try a job out on a copy of a file, on a prefix of its own, where somebody may ask it.

    Raises:
        ImportJobRefused: it does not like the file.
        DestinationUnavailable: it did not answer.
    """
    if work.jobs is None:
        return
    folder = spec.prefix.removeprefix(work.bucket.prefix).replace("import/", "dry-run/", 1)
    key = f"{folder}{sha256[:32]}.parquet"
    work.bucket.store.put_file_once(key, file, sha256)
    in_bucket = work.bucket.prefix + key
    try:
        found = work.jobs.dry_run(spec.on(work.bucket.prefix + folder), in_bucket)
    except Unanswered as silence:
        raise DestinationUnavailable(f"Arize did not answer a dry run ({silence.why})", "Run again") from None
    except Refused as no:
        if work.is_managed:
            raise ImportJobRefused(f"Arize refuses a dry run: {no.words}", "Fix what it names") from None
        step("import.not_tried_out", why=no.words)  # such mutations may not be open to the account
        return
    step("import.tried_out", refused=found.reason)
    if found.reason:
        raise ImportJobRefused(
            f"Arize's dry run refuses the first file ({in_bucket}): {found.reason}",
            "Fix the pipeline file; nothing of it was sealed",
        )
