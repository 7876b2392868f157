"""From a command's options to what it works on; imported when a command runs, so that `check` starts fast."""

from __future__ import annotations

import argparse
import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.pipeline import LoadedPipeline
    from sluice.run import Run


def loaded(options: argparse.Namespace) -> LoadedPipeline:
    from sluice.checking import pipeline_called
    from sluice.settings import Settings

    return pipeline_called(options.file, Settings.from_environment(os.environ))


def opened(options: argparse.Namespace, run_id: str = "cli") -> AbstractContextManager[Run]:
    from sluice.connections import RunOptions
    from sluice.opening import opened_run
    from sluice.settings import Settings

    run_options = RunOptions(max_windows=getattr(options, "max_windows", None), until=getattr(options, "until", None))
    return opened_run(loaded(options), Settings.from_environment(os.environ), run_id, run_options)
