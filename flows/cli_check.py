"""The command `check`: a pipeline file alone, what a run of it needs, or the deployments beside the files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli_opening import loaded, settings
from sluice.errors import WrongPipelineFile, WrongUse

if TYPE_CHECKING:
    from sluice.pipeline import LoadedPipeline


def check_all(options: argparse.Namespace) -> dict[str, Any]:
    """Return what was found: of the file, and by `connect` of what it needs; or of the deployments."""
    if options.deployments:
        if options.file or options.connect:
            raise WrongUse(
                "--deployments looks at all pipeline files, and takes no other", "sluice check --deployments"
            )
        return _deployments(Path(options.deployments))
    if not options.file:
        raise WrongUse("a pipeline file is missing", "sluice check FILE, or: sluice check --deployments")
    file = loaded(options)
    columns = {column.name: column.type for column in file.pipeline.columns()}
    found = {"pipeline": file.pipeline.name, "file": _short(file.path), "sha256": file.sha256, "columns": columns}
    return {"state": "done", **found} | (_connect(file) if options.connect else {})


def _connect(file: LoadedPipeline) -> dict[str, Any]:
    from dataclasses import asdict

    from sluice.trials import try_all

    trials = list(try_all(file, settings()))
    failed = any(trial.ok is False for trial in trials)
    return {"state": "failed" if failed else "done", "trials": [asdict(trial) for trial in trials]}


def _deployments(prefect_yaml: Path) -> dict[str, Any]:
    """Compare the pipeline files with the entries of `prefect.yaml`."""
    from sluice.pipeline import pipeline_names

    deployed, audited = _deployed(prefect_yaml)
    names = pipeline_names(settings().pipelines)
    missing, unknown = sorted(set(names) - deployed), sorted((deployed | audited) - set(names))
    return {
        "state": "failed" if missing or unknown else "done",
        "file": str(prefect_yaml),
        "deployed": sorted(deployed & set(names)),
        "missing": missing,
        "unknown": unknown,
        "lines": "".join(_entry(name) for name in missing),
    }


def _deployed(prefect_yaml: Path) -> tuple[set[str], set[str]]:
    """The pipelines that have an entry, which a `pipeline` parameter names; and those that have one of an audit."""
    import yaml

    try:
        file = yaml.safe_load(prefect_yaml.read_text(encoding="utf-8"))
    except OSError as error:
        raise WrongUse(f"{prefect_yaml}: {error.strerror}", "Name it: sluice check --deployments PATH") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WrongUse(f"{prefect_yaml} is not YAML: {' '.join(str(error).split())}") from None
    entries = file.get("deployments") if isinstance(file, dict) else None
    if not isinstance(entries, list):
        raise WrongUse(f"{prefect_yaml} has no list of deployments", "Is it the file that prefect deploy reads?")
    deployed: dict[bool, set[str]] = {False: set(), True: set()}
    for entry in (entry for entry in entries if isinstance(entry, dict)):
        given = entry.get("parameters")
        if isinstance(given, dict) and "pipeline" in given:
            deployed[entry.get("entrypoint") == _AUDIT].add(str(given["pipeline"]))
    return deployed[False], deployed[True]


_AUDIT = "flows.audit.audit"
_ENTRY = """\
  - <<: *{flow}
    name: {name}
    tags: [sluice, {flow}, {name}]
    parameters: {{pipeline: {name}}}
    schedules:
      - {{slug: {slug}, cron: "{cron}", timezone: UTC}}
"""


def _entry(name: str) -> str:
    """The entry of a pipeline, by the flow of its kind; of a file that is wrong, that of most."""
    from sluice.checking import pipeline_called

    try:
        is_of_actuals = pipeline_called(name, settings()).pipeline.kind == "actuals"
    except WrongPipelineFile:
        is_of_actuals = False
    if is_of_actuals:
        return _ENTRY.format(flow="ground_truth", name=name, slug="hourly", cron="20 * * * *")
    return _ENTRY.format(flow="ingest", name=name, slug="every-quarter-hour", cron="*/15 * * * *")


def _short(path: Path) -> str:
    """The path from where the person stands, if it is below that."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
