"""The newest ledger page in Prefect beside the ledger, which is the truth: somebody may have changed the page."""

from __future__ import annotations

from prefect.logging import get_run_logger

from sluice.audit.findings import Finding
from sluice.errors import SluiceError, WrongUse
from sluice.run import Run
from tasks.ledger_artifacts import check_page, newest_page


def compare_page(run: Run) -> tuple[Finding, ...]:
    """Compare the newest ledger page with the ledger. A page that is gone says nothing, nor does a Prefect that is."""
    if not run.ledger.exists:
        return ()
    try:
        page = newest_page(run)
        notes = check_page(run, page)[1:] if page is not None else ()  # the first one says that there are others
    except WrongUse as strange:
        notes = (strange.what,)
    except SluiceError as error:  # what the ledger itself lacks is found by the walk
        get_run_logger().warning("The ledger page was not compared: %s", error)
        return ()
    then = "The ledger is right. Find out who changed the page"
    return tuple(Finding(severity="warning", check="page", what=note, next_step=then) for note in notes)
