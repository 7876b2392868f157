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
from typing import Any, Final, cast

from sluice.decoding.columnar import MAX_WHOLE, SPACE
from sluice.decoding.projection import Leaf, Projection

_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|-?[0-9]++((?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)', re.DOTALL)
_BRACKET: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|([\[{])|([\]}])', re.DOTALL)
_DEEPEST: Final = 500
_OF_A_FIELD: Final = re.compile(r": (?:expected \w+|out of range)\Z")


class _Int(str):
    """An integer as it is written, of any length."""

    __slots__ = ()


# What needs no second look; a number always does, for its range.
_USUAL: Final[dict[str, type | None]] = {"string": str, "bool": bool, "int": None, "float": None}


class _Twice(dict[str, Any]):
    """An object that gives a key twice."""

    __slots__ = ("keys_twice",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.keys_twice = {key for key, count in Counter(key for key, _ in pairs).items() if count > 1}


def fault(value: bytes, projection: Projection, *, thorough: bool) -> str | None:
    """Return why a value is bad: the first reason that applies, in words and paths; None where none is found.

    Args:
        thorough: look also for what is seldom, at twice the cost: a key given twice, an exponent or an escape that
            the reader refuses.
    """
    try:
        document = _document(value, thorough=thorough)
        for leaf in projection.leaves:
            _check(document, leaf)
    except (_Deep, RecursionError):
        return None  # only the reader can tell
    except _Bad as bad:
        return bad.reason
    return None


def is_of_a_field(reason: str) -> bool:
    """Whether a reason says that one JSON object was there, and a field of it held something else than it must."""
    return _OF_A_FIELD.search(reason) is not None


def is_deep(value: bytes) -> bool:
    """Whether brackets are nested so deep that Python's parser might give up, or might not.

    It does so at a depth that depends on how deep its caller stands; what becomes of a record must not.
    """
    if value.count(b"[") + value.count(b"{") <= _DEEPEST:
        return False
    depth = 0
    for token in _BRACKET.finditer(value):
        if token.lastindex is not None:
            depth += 1 if token.lastindex == 1 else -1
            if depth > _DEEPEST:
                return True
    return False


def with_plain_integers(value: bytes) -> bytes:
    """Write each whole number of a JSON text without its fraction or exponent: 7.0 and 7e0 as 7."""
    return _TOKEN.sub(_plain, value)


class _Deep(Exception):
    pass


class _Bad(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _document(value: bytes, *, thorough: bool) -> dict[str, Any]:
    if not value.strip(SPACE):
        raise _Bad("empty value")
    try:
        text = value.decode()
        if is_deep(value):
            raise _Deep
        document = (_THOROUGH if thorough else _QUICK).decode(text)
    except UnicodeDecodeError:
        raise _Bad("not UTF-8") from None
    except ValueError:
        raise _Bad("not JSON") from None
    if not isinstance(document, dict):
        raise _Bad("not an object")
    if thorough and _has_half_a_character(text):
        raise _Bad("not JSON")
    return cast(dict[str, Any], document)


def _float(text: str) -> float:
    mantissa, _, exponent = text.lower().partition("e")
    # The reader refuses such an exponent wherever it stands, even after 0.
    if exponent and not exponent.startswith("-") and _exceeds(exponent, 308 + len(mantissa.partition(".")[2])):
        raise _Bad("a number is out of range")
    return float(text)


def _exceeds(digits: str, limit: int) -> bool:
    bare = digits.lstrip("+0")
    return len(bare) > 9 or int(bare or "0") > limit


def _refuse(_: str) -> None:
    raise _Bad("not JSON")  # NaN, Infinity


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(pairs)


_QUICK: Final = json.JSONDecoder(parse_int=_Int, parse_constant=_refuse)
_THOROUGH: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_Int, parse_constant=_refuse
)


def _has_half_a_character(text: str) -> bool:
    """Whether an escape is half of a surrogate pair: the grammar allows it, but it is no text."""
    return "\\u" in text and any(match[1] for match in _ESCAPE.finditer(text))


def _check(document: dict[str, Any], leaf: Leaf) -> None:
    at: Any = document
    for depth, key in enumerate(leaf.path):
        if type(at) is not dict:
            _check_object(at, leaf, depth)
        at = at.get(key)
        if at is None:
            return
    if type(at) is not _USUAL[leaf.type]:
        _check_type(at, leaf)


def _check_object(found: Any, leaf: Leaf, depth: int) -> None:
    if not isinstance(found, _Twice):
        raise _Bad(f"{'.'.join(leaf.path[:depth])}: expected object")
    if leaf.path[depth] in found.keys_twice:
        raise _Bad(f"{'.'.join(leaf.path[: depth + 1])}: given twice")


def _check_type(found: Any, leaf: Leaf) -> None:
    wrong = f"expected {leaf.type}"
    if leaf.type in ("float", "int") and isinstance(found, _Int | float):
        wrong = _int_fault(found) if leaf.type == "int" else _float_fault(found)
    if wrong:
        raise _Bad(f"{leaf}: {wrong}")


def _float_fault(found: _Int | float) -> str:
    return "" if math.isfinite(float(found)) else "out of range"


def _int_fault(found: _Int | float) -> str:
    if isinstance(found, _Int):
        return "" if len(found) <= 20 and -(2**63) <= int(found) < 2**63 else "out of range"
    if abs(found) >= MAX_WHOLE:
        return "out of range"
    return "" if found.is_integer() else "expected int"


def _plain(match: re.Match[bytes]) -> bytes:
    if not match[1]:  # a string, or a plain integer
        return match[0]
    number = float(match[0])
    return b"%.0f" % number if abs(number) < MAX_WHOLE and number.is_integer() else match[0]
