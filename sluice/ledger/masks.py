"""Which rows of a staged file are not sent: a bit a row, small enough to stand in an entry."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator

from sluice.errors import LedgerDamaged

Bits = npt.NDArray[np.bool_]
_TELLS: Final = "Which entry's: sluice audit FILE --full"


def encode(unsent: Sequence[bool] | Bits) -> str:
    """Write a bit a row, in the order of the file's rows: true where it is not sent.

    A million rows are 125,000 bytes at most, before they are written as text; runs of equal bits are far less.
    """
    packed = np.packbits(np.asarray(unsent, dtype=np.bool_)).tobytes()
    return base64.b64encode(zlib.compress(packed, 9)).decode()


def decode(text: str, rows: int) -> Bits:
    """Read the bits of so many rows back.

    Raises:
        LedgerDamaged: it holds another number of rows, or cannot be read.
    """
    try:
        bits = np.unpackbits(np.frombuffer(_unpacked(text), dtype=np.uint8))
    except ValueError as error:
        raise LedgerDamaged(f"An entry's mask cannot be read, and was to be one of {rows:,} rows", _TELLS) from error
    if len(bits) != (rows + 7) // 8 * 8 or bits[rows:].any():
        raise LedgerDamaged(f"An entry's mask is not one of the {rows:,} rows of its staged file", _TELLS)
    return bits[:rows].astype(np.bool_)


def _unpacked(text: str) -> bytes:
    try:
        return zlib.decompress(base64.b64decode(text, validate=True))
    except (binascii.Error, zlib.error) as error:
        raise ValueError("these are no bits of rows") from error


def _is_readable(text: str) -> str:
    _unpacked(text)
    return text


MaskText = Annotated[str, AfterValidator(_is_readable)]
