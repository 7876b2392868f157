"""From a command's options to what it works on; imported when a command runs, so that `check` starts fast."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.pipeline import LoadedPipeline
    from sluice.run import Run
    from sluice.settings import Kind, Settings


def settings() -> Settings:
    from sluice.settings import Settings

    return Settings.from_environment(os.environ, _block)


def loaded(options: argparse.Namespace) -> LoadedPipeline:
    from sluice.checking import pipeline_called

    return pipeline_called(options.file, settings())


def opened(options: argparse.Namespace, run_id: str = "cli") -> AbstractContextManager[Run]:
    from sluice.checking import pipeline_called
    from sluice.connections import RunOptions
    from sluice.opening import opened_run

    here = settings()
    run_options = RunOptions(max_windows=getattr(options, "max_windows", None), until=getattr(options, "until", None))
    return opened_run(pipeline_called(options.file, here), here, run_id, run_options)


def has_prefect() -> bool:
    """Whether a Prefect API is named, by a variable or a profile."""
    if os.environ.get("PREFECT_API_URL"):
        return True
    from prefect.settings import PREFECT_API_URL

    return bool(PREFECT_API_URL.value())


def _block(kind: Kind, name: str) -> Mapping[str, str] | None:
    """Look for a block where there is an API to ask; asked only for what nothing else knows."""
    if kind not in ("kafka", "arize") or not has_prefect():
        return None
    from tasks.blocks import find_block

    return find_block(kind, name)
