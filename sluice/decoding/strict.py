"""The slow way: one value at a time, for the few around a bad one, with the reason why it is bad.

It says "bad" only of what `columnar.read` refuses too when it is alone; whatever it lets through, that reader judges.
So a record's verdict never depends on its neighbours, and this parser may be the more lenient one (it gives up on deep
nesting, which the reader takes).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from sluice.decoding.columnar import MAX_WHOLE, SPACE
from sluice.decoding.projection import Leaf, Projection

_LARGE_EXPONENT: Final = re.compile(r"[eE]\+?[0-9]{3}")
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|-?[0-9]++((?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)', re.DOTALL)


class _Int(str):
    __slots__ = ()


class _Float(str):
    __slots__ = ()


# What needs no second look; a number always does, for its range.
_USUAL: Final[dict[str, type | None]] = {"string": str, "bool": bool, "int": None, "float": None}


class _Twice(dict[str, Any]):
    """An object that gives a key twice."""

    __slots__ = ("keys_twice",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.keys_twice = {key for key, count in Counter(key for key, _ in pairs).items() if count > 1}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of a value.

    Attributes:
        reason: why it is bad, the first reason that applies, in words and paths; None where none was found.
        has_whole_floats: an int is written as 7.0, which the reader takes only `with_plain_integers`.
    """

    reason: str | None
    has_whole_floats: bool = False


def judge(value: bytes, projection: Projection) -> Verdict:
    try:
        document = _document(value)
        found = [(leaf, _found(document, leaf)) for leaf in projection.leaves]
    except RecursionError:  # only the reader can tell; and it wants plain integers
        return Verdict(None, has_whole_floats=True)
    except _Bad as bad:
        return Verdict(bad.reason)
    return Verdict(None, any(type(token) is _Float and leaf.type == "int" for leaf, token in found))


def with_plain_integers(value: bytes) -> bytes:
    """Write each whole number of a JSON text without its fraction or exponent: 7.0 and 7e0 as 7."""
    return _TOKEN.sub(_plain, value)


class _Bad(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _document(value: bytes) -> dict[str, Any]:
    if not value.strip(SPACE):
        raise _Bad("empty value")
    try:
        text = value.decode()
        document = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise _Bad("not UTF-8") from None
    except ValueError:
        raise _Bad("not JSON") from None
    if not isinstance(document, dict):
        raise _Bad("not an object")
    if _has_half_a_character(text):
        raise _Bad("not JSON")
    if _LARGE_EXPONENT.search(text):
        _EXPONENTS.decode(text)
    return document


def _check_exponent(text: str) -> str:
    mantissa, _, exponent = text.lower().partition("e")
    # The reader refuses such an exponent wherever it stands, even after 0.
    if exponent and not exponent.startswith("-") and _exceeds(exponent, 308 + len(mantissa.partition(".")[2])):
        raise _Bad("a number is out of range")
    return text


def _exceeds(digits: str, limit: int) -> bool:
    bare = digits.lstrip("+0")
    return len(bare) > 9 or int(bare or "0") > limit


def _refuse(_: str) -> None:
    raise _Bad("not JSON")  # NaN, Infinity


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(pairs)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_Float, parse_int=_Int, parse_constant=_refuse
)
_EXPONENTS: Final = json.JSONDecoder(parse_float=_check_exponent, parse_int=str)


def _has_half_a_character(text: str) -> bool:
    """Whether an escape is half of a surrogate pair: the grammar allows it, but it is no text."""
    return "\\u" in text and any(match[1] for match in _ESCAPE.finditer(text))


def _found(document: dict[str, Any], leaf: Leaf) -> Any:
    """Return what the document holds for a leaf, None where there is nothing."""
    at: Any = document
    for depth, key in enumerate(leaf.path):
        if type(at) is not dict:
            _check_object(at, leaf, depth)
        at = at.get(key)
        if at is None:
            return None
    if type(at) is not _USUAL[leaf.type]:
        _check_type(at, leaf)
    return at


def _check_object(found: Any, leaf: Leaf, depth: int) -> None:
    if not isinstance(found, _Twice):
        raise _Bad(f"{'.'.join(leaf.path[:depth])}: expected object")
    if leaf.path[depth] in found.keys_twice:
        raise _Bad(f"{'.'.join(leaf.path[: depth + 1])}: given twice")


def _check_type(found: Any, leaf: Leaf) -> None:
    wrong = f"expected {leaf.type}"
    if leaf.type in ("float", "int") and isinstance(found, _Int | _Float):
        wrong = _int_fault(found) if leaf.type == "int" else _float_fault(found)
    if wrong:
        raise _Bad(f"{leaf}: {wrong}")


def _float_fault(found: str) -> str:
    return "" if math.isfinite(float(found)) else "out of range"


def _int_fault(found: _Int | _Float) -> str:
    if isinstance(found, _Int):
        return "" if len(found) <= 20 and -(2**63) <= int(found) < 2**63 else "out of range"
    number = float(found)
    if abs(number) >= MAX_WHOLE:
        return "out of range"
    return "" if number.is_integer() else "expected int"


def _plain(match: re.Match[bytes]) -> bytes:
    if not match[1]:  # a string, or a plain integer
        return match[0]
    number = float(match[0])
    return b"%.0f" % number if abs(number) < MAX_WHOLE and number.is_integer() else match[0]
