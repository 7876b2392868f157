"""What should become of a value, by Python's own JSON parser set to be strict: written apart from the decoder.

It shares nothing with `sluice.decoding`; where it cannot tell (nesting too deep for it, numbers with exponents at the
edge of what a double holds), it says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]
Leaves = dict[Path, Any]
_LARGE_EXPONENT = re.compile(rb"[eE][+-]?0*(?:[3-9][0-9]{2}|[1-9][0-9]{3,})")
_MANY_BRACKETS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the oracle holds of a value.

    Attributes:
        leaves: what stands at each path that was asked for; None if the value is to be refused.
        words: why it is no JSON object in UTF-8; None where it is one.
        sure: whether a value with leaves is to be taken; if not it may be refused, too, and the words may be others.
    """

    leaves: Leaves | None
    words: str | None = None
    sure: bool = True


def opinion(value: bytes, types: Mapping[Path, str]) -> Opinion | None:
    """Judge a value by itself; None where nothing can be said.

    Args:
        types: string, int, float or bool, by path.
    """
    is_sure = value.count(b"[") + value.count(b"{") < _MANY_BRACKETS and not _LARGE_EXPONENT.search(value)
    try:
        found = _document(value)
        is_text = not _has_half_a_character(found)  # which the grammar allows
    except RecursionError:
        return None
    except _NoObject as why:
        return Opinion(leaves=None, words=str(why), sure=is_sure)
    try:
        leaves = {path: _typed(_at(found, path), type_) for path, type_ in types.items()}
    except _Wrong:
        return Opinion(leaves=None)
    return Opinion(leaves=leaves if is_text else None, sure=is_sure)


class _Object(list[tuple[str, Any]]):
    """An object as its pairs, so that a key that is given twice shows."""


class _Number(str):
    __slots__ = ()


class _NoObject(Exception):
    pass


class _Wrong(Exception):
    pass


def _document(value: bytes) -> _Object:
    if not value.strip(b" \t\r\n"):
        raise _NoObject("empty value")
    try:
        text = value.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise _NoObject("not UTF-8") from None
    try:
        found = json.loads(
            text, object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, parse_constant=_refuse
        )
    except ValueError:
        raise _NoObject("not JSON") from None
    if not isinstance(found, _Object):
        raise _NoObject("not an object")
    return found


def _has_half_a_character(found: _Object) -> bool:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _refuse(_: str) -> None:
    raise ValueError


def _at(found: Any, path: Path) -> Any:
    for key in path:
        if not isinstance(found, _Object):
            raise _Wrong
        here = [value for name, value in found if name == key]
        if len(here) > 1:
            raise _Wrong
        if not here or here[0] is None:
            return None
        found = here[0]
    return found


def _typed(found: Any, type_: str) -> Any:
    if found is None:
        return None
    if isinstance(found, _Number) and type_ in ("int", "float"):
        return _whole(found) if type_ == "int" else _finite(found)
    if type(found) is not {"string": str, "bool": bool}.get(type_):
        raise _Wrong
    return found


def _finite(number: _Number) -> float:
    if float(number) in (float("inf"), float("-inf")):
        raise _Wrong
    return float(number)


def _whole(number: _Number) -> int:
    if set(number) <= set("-0123456789"):
        if len(number) > 20 or not -(2**63) <= int(number) < 2**63:
            raise _Wrong
        return int(number)
    if abs(float(number)) >= 2**53 or not float(number).is_integer():
        raise _Wrong
    return int(float(number))
