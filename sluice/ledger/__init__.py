"""The ledger: the pipeline's one append-only log in the staging store. The truth."""

from sluice.ledger.log import Ledger
from sluice.ledger.state import LedgerState, OpenEntry, Position

__all__ = ["Ledger", "LedgerState", "OpenEntry", "Position"]
