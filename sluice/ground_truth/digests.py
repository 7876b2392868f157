"""Sorted digests of 128 bits, and where one of them stands."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class DigestIndex:
    """Distinct digests, sorted by their first half, each known by its number in this order.

    A digest's first bits say where it would stand, for digests are spread evenly: so a look-up is a step into a table
    of about as many slots as there are digests, and one or two comparisons, whatever the order of the questions.
    """

    def __init__(self, id_0: Array, id_1: Array) -> None:
        bits = max(len(id_0).bit_length() - 1, 1)
        self._id_0, self._id_1 = id_0, id_1
        self._shift = np.uint64(64 - bits)
        counts = np.bincount((id_0 >> self._shift).astype(np.int64), minlength=2**bits)
        self._slots = np.append(0, np.cumsum(counts)).astype(np.uint32)

    def __len__(self) -> int:
        return len(self._id_0)

    def find(self, id_0: Array, id_1: Array) -> npt.NDArray[np.int64]:
        """Return the number of each digest; -1 where it is none of these."""
        slot = (id_0 >> self._shift).astype(np.int64)
        at, stop = (self._slots[item].astype(np.int64) for item in (slot, slot + 1))
        found = np.full(len(id_0), -1)
        left = np.flatnonzero(at < stop)
        while len(left):
            here = at[left]
            is_it = self._id_0[here] == id_0[left]
            is_it[is_it] = self._id_1[here[is_it]] == id_1[left[is_it]]
            found[left[is_it]] = here[is_it]
            at[left] += 1
            left = left[~is_it & (here + 1 < stop[left])]
        return found
