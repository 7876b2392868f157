"""The staging store: a directory or a bucket, with conditional writes."""

from sluice.store.base import Stat, Store, probe
from sluice.store.opening import open_store

__all__ = ["Stat", "Store", "open_store", "probe"]
