"""Which rows of a staged file are not sent: a bit a row, small enough to stand in an entry."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator

Bits = npt.NDArray[np.bool_]


def encode(unsent: Sequence[bool] | Bits) -> str:
    """Write a bit a row, in the order of the file's rows: true where it is not sent.

    A million rows are 125,000 bytes at most, before they are written as text; runs of equal bits are far less.
    """
    packed = np.packbits(np.asarray(unsent, dtype=np.bool_)).tobytes()
    return base64.b64encode(zlib.compress(packed, 9)).decode()


def decode(text: str, rows: int) -> Bits:
    """Read the bits of so many rows back.

    Raises:
        ValueError: it holds another number of rows, or cannot be read.
    """
    try:
        packed = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype=np.uint8)
    except (binascii.Error, zlib.error) as error:
        raise ValueError("these are no bits of rows") from error
    if len(packed) != (rows + 7) // 8:
        raise ValueError(f"these are not the bits of {rows} rows")
    return np.unpackbits(packed, count=rows).astype(np.bool_)


def _is_readable(text: str) -> str:
    zlib.decompress(base64.b64decode(text, validate=True))
    return text


MaskText = Annotated[str, AfterValidator(_is_readable)]
