"""Hostile values, and the records and windows that hold them: what a topic may hold.

A value is put together from raw pieces of JSON text, as most of what is hostile cannot be written by `json.dumps`.
"""

from __future__ import annotations

import json
from random import Random
from typing import Final

from hypothesis import strategies as st

from sluice.offsets import Partition
from sluice.records import Record

Node = bytes | list["Field"]  # raw JSON text, or an object of keys as raw text
Field = tuple[bytes, Node]

NOW_MS: Final = 1_700_000_000_000
BOM: Final = b"\xef\xbb\xbf"
GOOD: Final[list[Field]] = [
    (b'"id"', b'"a"'),
    (b'"at"', b"1700000000000"),
    (b'"when"', b'"2023-11-14T22:13:20Z"'),
    (b'"kind"', b'"prediction"'),
    (b'"said"', [(b'"label"', b'"late"'), (b'"score"', b"0.5")]),
    (b'"in"', [(b'"carrier"', b'"UA"'), (b'"distance"', b"1400"), (b'"hour"', b"5"), (b'"night"', b"false")]),
    (b'"meta"', [(b'"host"', [(b'"region"', b'"eu"')])]),
    (b'"who"', [(b'"mail"', b'"a@b"'), (b'"name"', b'"n"')]),
    (b'"label"', b"1.5"),
    (b'"version"', b'"2"'),
]

_DIGITS = [2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64]
NUMBERS: Final = [
    *(str(number).encode() for number in _DIGITS),
    *b"0 -0 -0.0 7.0 7e0 70e-1 5 5.5 -1 1E+2 1700000000123 1e18 9007199254740993.0 4503599627370497.5".split(),
    *b"1e400 -1e400 1e309 1e308 1.7976931348623157e308 1.7976931348623159e308 1234567e303 0e400 0.0E999".split(),
    *b"5e-324 2e-324 1e-400 1e99999999999999999999 1e-99999999999999999999 1.00000000000000000000001e330".split(),
    b"1" * 309,
    b"1" * 5000,
    b"0." + b"0" * 400 + b"1e310",
    b"1." + b"0" * 5000 + b"1",
]
NO_NUMBERS: Final = [
    *b"NaN nan -NaN Infinity -Infinity Inf INF +1 .5 5. 01 -01 - -- --1 1e 1e+ 1.e5 0x10 1_000 1f 1,5 5 5".split(b" "),
    *("\u0661".encode(), "\uff11".encode()),  # digits of other scripts
]
STRINGS: Final = [
    ['""', r'"\u0000"', r'"a\u0000b"', r'"\u0000\u0000"', r'"\/"', r'"\b\f\n\r\t"', r'"\\"', r'"\"}"', r'"\u00e9"'],
    [r'"\ud83d\ude00"', r'"\u007f\uffff"'],
    ['"é"', '"e\u0301"', '"\u2028"', '"\ufeff"', '"\uffff"', '"\U0010ffff"', '"\x7f"', '"\xa0"', '"😀"'],
    ['" "', '"}"', '"{"', '"}{"', '"}\u2028{"', '"NaN"', '"null"', '"} null {"', '"[NaN]"', '"//"', '"hmac:00"'],
    ['"2023-02-29T00:00:00Z"', '"0000-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999999-23:59"', '"5"', '"true"'],
]
NO_STRINGS: Final = [
    *rb'"\ud83d" "\ude00" "\ud83d\u0041" "\ude00\ud83d" "\uD83D\uD83D\uDE00" "\u12" "\u" "\x41" "\a" "\u00g0"'.split(
        b" "
    ),
    b'"\\" ',
    *(b'"a%sb"' % raw for raw in (b"\0", b"\n", b"\r\n", b"\t", b"\x1b", b"\x1f", b'"', b"\xff", b"\x80", b"\xc0\x80")),
    *(b'"%s"' % raw for raw in (b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x9f\x98")),
    *[b'"a', b'a"', b"'a'", b"a", "“a”".encode(), b'"a\n}\n{"'],
]
WORDS: Final = (
    b"null true false Null TRUE None nul nullnull undefined [] {} [null] [[]] [{}] [,] [1,] {,} {1:2}".split()
)
VALID: Final = [*NUMBERS, *(text.encode() for texts in STRINGS for text in texts), *WORDS[:3]]
TOKENS: Final = [*VALID, *NO_NUMBERS, *NO_STRINGS, *WORDS]
SPACES: Final = [b"", b" ", b"\n", b"\r\n", b" \t\r\n", b"\n\n"]
NO_SPACES: Final = [
    b"\0",
    b"\x0b",
    b"\x0c",
    b"\x1c",
    b"\x1e",
    "\xa0".encode(),
    "\u2028".encode(),
    BOM,
    b"//\n",
    b"/**/",
]
PIECES: Final = [
    *b'{ } [ ] , : " \\ }{ },{ }\n{ }\r\n{ }null{ }\n\nnull\n{ null NaN Infinity - . e 0 9 // #'.split(b" "),
    *[b"\\u", b"\\ud800", b"\\u0000", b"\xff", b"\x80", b"\xed\xa0\x80", b" ", *NO_SPACES],
]
LOOKALIKES: Final = [b'"%s\\u0000"', b'"\\u0000%s"', b'" %s"', b'"%s "', b'"%s\xcc\x81"', b'"\xef\xbb\xbf%s"', b'"%s."']
DEPTHS: Final = [1, 2, 30, 63, 64, 65, 400, 990, 1_000, 1_100, 10_000]
SIZES: Final = [511, 512, 513, 20_000, 20_001, 70_000, 1_000_000]


def write(node: Node, space: bytes = b" ") -> bytes:
    """Write a node as JSON text, with white space, or what is none, between any two tokens."""
    if isinstance(node, bytes):
        return node
    fields = [space.join((key, b":", write(value, space))) for key, value in node]
    return b"{" + space + (b"," + space).join(fields) + space + b"}"


def value(random: Random) -> bytes:
    """Make a value of whatever kind."""
    return random.choice(_KINDS)(random)


def document(random: Random) -> bytes:
    """One event, most of it right: some fields hold what they must not, are missing, twice, or called otherwise."""
    fields = _rotated(_varied(random), random.randrange(len(GOOD)))
    for _ in range(random.choice([0, 1, 1, 1, 2, 3])):
        _spoil(random, random.choice([fields, *(node for _, node in fields if isinstance(node, list))]))
    space = random.choice([*SPACES * 6, *NO_SPACES])
    around = random.choice([*[b""] * 15, *SPACES, *NO_SPACES])
    return around + write(fields, space) + random.choice([around, b""])


def _varied(random: Random) -> list[Field]:
    """A good event with numbers of its own."""
    told: dict[bytes, Node] = {
        b'"id"': b'"%d"' % random.randrange(10**6),
        b'"at"': b"%d" % (NOW_MS + random.randrange(10**9)),
        b'"when"': b'"2023-11-14T22:13:20.%dZ"' % random.randrange(10**9),
        b'"said"': [(b'"label"', b'"late"'), (b'"score"', repr(random.random()).encode())],
        b'"label"': repr(random.uniform(-(10 ** random.randint(-9, 9)), 10)).encode(),
    }
    return [(key, told.get(key, node)) for key, node in GOOD]


def _rotated(fields: list[Field], by: int) -> list[Field]:
    copied = [(key, list(node) if isinstance(node, list) else node) for key, node in fields]
    return copied[by:] + copied[:by]


def _spoil(random: Random, fields: list[Field]) -> None:
    if not fields:
        return
    at = random.randrange(len(fields))
    key, node = fields[at]
    bare = key.strip(b'"')
    match random.choice(["token"] * 5 + ["text", "missing", "twice", "alike", "escaped", "unknown", "deep"]):
        case "token":
            fields[at] = (key, _token(random))
        case "text":
            fields[at] = (key, _text(random))
        case "missing":
            del fields[at]
        case "twice":
            fields.append((key, random.choice([node, _token(random)])))
        case "alike":
            fields.append((random.choice(LOOKALIKES) % bare, _token(random)))
        case "escaped":
            fields[at] = (b'"' + b"".join(b"\\u%04x" % byte for byte in bare[:9]) + bare[9:] + b'"', node)
        case "unknown":
            fields.append((_text(random), _token(random)))
        case "deep":
            fields[at] = (key, deep(random))


def _token(random: Random) -> bytes:
    return random.choice(random.choice([VALID, VALID, VALID, TOKENS]))


def _text(random: Random) -> bytes:
    return json.dumps(_characters(random, 4), ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def _characters(random: Random, most: int) -> str:
    """Text, seldom with half a character in it."""
    limits = [0x7F, 0x7F, 0x7FF, 0xFFFF, 0x10FFFF]
    return "".join(chr(random.randrange(random.choice(limits))) for _ in range(random.randint(0, most)))


def deep(random: Random) -> bytes:
    """Arrays and objects in each other, some with an end too few or too many."""
    pairs = [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]"), (b'{"in":[', b"]}"), (b'{"in":{"meta":', b"}}")]
    opening, closing = random.choice(pairs)
    depth = random.choice(DEPTHS)
    inmost = random.choice([b"1", b"1", b"{}", b"", b"NaN", b'"\\ud800"'])
    return opening * depth + inmost + closing * (depth - random.choice([0, 0, 0, -1, 1]))


def broken(random: Random) -> bytes:
    """A document after a few wrong bytes, cuts and repeats, or cut off."""
    text = document(random)
    for _ in range(random.randint(1, 3)):
        start = random.randint(0, len(text))
        piece = random.choice([*PIECES, random.randbytes(random.randint(0, 3)), text[start : start + 20]])
        text = text[:start] + piece + text[start + random.choice([0, 0, 1, 2, 9]) :]
    return random.choice([text, text, text[: random.randint(0, len(text))]])


def several(random: Random) -> bytes:
    """More than one document in a value, or one that goes on in the next value."""
    whole = [write(GOOD), b"{}", document(random)]
    parts = random.choice([whole, [*whole, b"{", b"}", b'{"id":', b'"x"}', b"null"]])
    between = random.choice([*SPACES * 2, *NO_SPACES, b",", b"null", b"\n\r\t null"])
    return between.join(random.choices(parts, k=random.randint(2, 4)))


def huge(random: Random) -> bytes:
    """Large in one way: a text, a number, a key, white space, keys, elements."""
    size, fields = random.choice(SIZES), list(GOOD)
    match random.choice(["id", "region", "digits", "key", "space", "keys", "elements", "escapes", "end"]):
        case "id":
            fields[0] = (b'"id"', b'"%s"' % (b"x" * size))
        case "region":
            fields[6] = (b'"meta"', [(b'"host"', [(b'"region"', b'"%s"' % ("é" * size).encode())])])
        case "digits":
            fields.append((b'"digits"', b"1" * min(size, 70_000)))
        case "key":
            fields.append((b'"%s"' % (b"k" * size), b"1"))
        case "space":
            return b" " * size + write(fields) + b"\n" * size
        case "keys":
            fields.extend((b'"k%d"' % number, b"1") for number in range(size // 20))
        case "elements":
            fields.append((b'"many"', b"[" + b",".join([b"1"] * (size // 2)) + b"]"))
        case "escapes":
            fields.append((b'"many"', b'"' + b"\\u0000\\\\" * (size // 8) + b'"'))
        case "end":
            return write(fields) + b"}" * size
    return write(fields)


def encoded(random: Random) -> bytes:
    """A document in another encoding, or behind a byte order mark."""
    text = write(_rotated(GOOD, random.randrange(len(GOOD)))).decode()
    return text.encode(random.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037"]))


def noise(random: Random) -> bytes:
    """Bytes, text, or a scalar: no object."""
    return random.choice(
        [
            random.randbytes(random.randint(0, 40)),
            _characters(random, 20).encode("utf-8", "surrogatepass"),
            _token(random),
            random.choice([b"", *SPACES, *NO_SPACES, b"[]", b"[{}]", b'"{}"', b"null", b"{}", BOM + b"{}"]),
        ]
    )


_KINDS: Final = [*[document] * 14, *[broken] * 5, several, several, deep, encoded, noise, noise]
_KEYS: Final = [None, b"", b"\0", b"\xff", b"\xed\xa0\x80", "é".encode() * 513, b"x" * 20_001]
_NAMES: Final = [*["trace"] * 10, "Trace", "secret", "", "\0", "é"]
_OF_HEADERS: Final = [*[b"t"] * 20, None, b"", b"T", b"\0", b"\xff", b"x" * 20_001]
_DAY_MS: Final = 86_400_000
_FAR: Final = [None, -1, 0, 1, -(10**15), NOW_MS - 1825 * _DAY_MS, NOW_MS + 366 * _DAY_MS, NOW_MS * 1000, 2**63 - 1]
PARTITIONS: Final = [Partition("hostile", 0), Partition("hostile", 11), Partition("other", 2)]


def hostile_record(random: Random) -> Record:
    """Make a record: a tombstone or a large one now and then."""
    kind = random.randrange(200)
    return Record(
        partition=random.choice(PARTITIONS),
        offset=0,
        timestamp_ms=random.choice([*[NOW_MS] * 20, *_FAR]),
        key=random.choice([*[b"k"] * 20, *_KEYS]),
        value=huge(random) if kind == 0 else None if kind < 5 else value(random),
        headers=tuple(
            (random.choice(_NAMES), random.choice(_OF_HEADERS)) for _ in range(random.choice([1, 1, 1, 1, 0, 3]))
        ),
    )


def good_record(partition: Partition = PARTITIONS[0], value: bytes | None = None) -> Record:
    """Make the record that each of the pipelines takes; or one that is as good but for its value."""
    good = write(GOOD) if value is None else value
    return Record(partition=partition, offset=0, timestamp_ms=NOW_MS, key=b"k", value=good, headers=(("trace", b"t"),))


def hostile_window(seed: int, size: int) -> list[Record]:
    """Make so many records, good ones among them: the same for the same seed."""
    random = Random(seed)
    return [
        hostile_record(random) if random.randrange(7) else good_record(random.choice(PARTITIONS)) for _ in range(size)
    ]


# A seed is drawn, and not each choice: of the values that hypothesis draws choice by choice nine in ten are repeats.
windows = st.builds(hostile_window, st.integers(0, 2**63), st.sampled_from([1, 2, 3, 8, 30, 60, 200]))
