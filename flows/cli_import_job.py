"""The command `import-job`: what reads the pipeline's files, and a person's word on it."""

from __future__ import annotations

import argparse
from typing import Any

from flows.cli_opening import opened
from sluice.errors import WrongUse


def looked_at(options: argparse.Namespace) -> dict[str, Any]:
    """Describe the job; change it first where that is asked for."""
    from sluice.import_job import apply, begin_next, describe, say_made

    with opened(options) as work:
        if work.pipeline.arize.path != "object_store":
            raise WrongUse(
                f"{work.pipeline.name} goes by the SDK, which needs no import job", "arize.path: object_store"
            )
        work.require_ledger(write=bool(options.change))
        changed = (
            {"apply": apply, "made": say_made, "next": begin_next}[options.change](work) if options.change else None
        )
        return {"state": "done", "pipeline": work.pipeline.name, "changed": changed, **describe(work)}


def import_job_text(found: dict[str, Any]) -> str:
    wanted = found["wanted"]
    job = f"import job {found['job']}" if found["job"] else "no import job"
    lines = [
        f"{found['pipeline']}: generation {found['generation'] or 0}, {job} ({found['status']})",
        f"  reads   s3://{wanted['bucket']}/{wanted['prefix']}",
        f"  model   {wanted['model']} ({wanted['type']}, {wanted['environment']}) in space {wanted['space']}",
        "  columns " + ", ".join(f"{field}: {column}" for field, column in wanted["schema"].items()),
    ]
    if found["files"]:
        lines.append("  files   " + ", ".join(f"{count:,} {status}" for status, count in found["files"].items()))
    lines += [
        f"  differs {item['what']}: {item['found'] or 'not set'} in Arize, {item['wanted'] or 'left out'} by the file"
        for item in found["differences"]
    ]
    return "\n".join(lines)
