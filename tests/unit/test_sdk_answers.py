"""Whatever the SDK raises is one of three outcomes, and says nothing that it must not."""

import re
import ssl
from collections.abc import Sequence
from http.client import RemoteDisconnected

import pytest
import requests
from arize.exceptions.auth import AuthenticationError
from arize.exceptions.base import InvalidDataFrameIndex, ValidationError, ValidationFailure
from arize.exceptions.http import APIError
from arize.exceptions.types import InvalidTypeFeatures
from arize.exceptions.values import InvalidStringLengthInColumn, InvalidValueMissingValue
from arize.ml.batch_validation.errors import MissingColumns
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from sluice.answers import Answer
from sluice.destinations.arize_words import KNOWN, without_values
from sluice.destinations.sdk_answers import NotSent, answer_of
from sluice.destinations.sdk_rows import wire_names
from sluice.destinations.sdk_sender import Wire
from sluice.errors import DeliveryRefused, DestinationRefused, DestinationUnavailable, SluiceError

POOL, CONNECTION = object(), object()


def wrapped(reason: Exception) -> MaxRetryError:
    return MaxRetryError(POOL, "/v1/pandas_arrow", reason)  # type: ignore[arg-type]


BEFORE = [
    requests.ConnectionError(wrapped(NewConnectionError(CONNECTION, "canary"))),  # type: ignore[arg-type]
    requests.ConnectionError(wrapped(NameResolutionError("canary", CONNECTION, OSError("canary")))),  # type: ignore[arg-type]
    requests.ConnectTimeout(wrapped(ConnectTimeoutError("canary"))),
    requests.exceptions.SSLError(ssl.SSLCertVerificationError("canary")),
    requests.exceptions.ProxyError(OSError("canary")),
    OSError(28, "no space for canary"),
    MemoryError("canary"),
]
AFTER = [
    requests.ReadTimeout(ReadTimeoutError(POOL, "/", "canary")),  # type: ignore[arg-type]
    requests.ConnectionError(ProtocolError("canary", RemoteDisconnected("canary"))),
    requests.ConnectionError(ProtocolError("canary", BrokenPipeError("canary"))),
    requests.exceptions.ChunkedEncodingError("canary"),
    requests.exceptions.SSLError(ssl.SSLEOFError("canary")),
    RuntimeError("canary"),
]


@pytest.mark.parametrize("error", BEFORE, ids=lambda error: type(error).__name__)
def test_what_fails_before_a_byte_of_the_rows_went_out_is_refused_and_may_pass(error: Exception) -> None:
    outcome = answer_of(error, begun=False)
    assert (outcome.kind, outcome.retry, outcome.error) == ("refused", True, DestinationUnavailable)
    assert "canary" not in outcome.reason


@pytest.mark.parametrize("error", [*BEFORE, *AFTER], ids=lambda error: type(error).__name__)
def test_what_fails_after_a_byte_of_the_rows_went_out_is_unknown_whatever_it_is(error: Exception) -> None:
    outcome = answer_of(error, begun=True)
    assert (outcome.kind, outcome.retry, outcome.error) == ("unknown", False, None)
    assert "canary" not in outcome.reason


@pytest.mark.parametrize("error", [requests.exceptions.InvalidHeader("the key"), KeyError("x"), TypeError("x")])
def test_a_mistake_that_no_time_mends_is_not_tried_again(error: Exception) -> None:
    outcome = answer_of(error, begun=False)
    assert (outcome.kind, outcome.retry, outcome.error) == ("refused", False, DeliveryRefused)
    assert "key" not in outcome.reason


def test_the_reason_names_what_an_error_wraps() -> None:
    error = requests.ConnectionError(wrapped(NewConnectionError(CONNECTION, "")))  # type: ignore[arg-type]
    assert answer_of(error, begun=False).reason == (
        "nothing was sent (ConnectionError, MaxRetryError, NewConnectionError)"
    )


@pytest.mark.parametrize(
    ("status", "kind", "retry", "error"),
    [
        (301, "refused", False, DestinationRefused),
        (303, "unknown", False, None),
        (308, "refused", False, DestinationRefused),
        (400, "refused", False, DeliveryRefused),
        (401, "refused", False, DestinationRefused),
        (403, "refused", False, DestinationRefused),
        (404, "refused", False, DestinationRefused),
        (408, "refused", True, DestinationUnavailable),
        (413, "refused", False, DeliveryRefused),
        (422, "refused", False, DeliveryRefused),
        (429, "refused", True, DestinationUnavailable),
        (500, "unknown", False, None),
        (503, "unknown", False, None),
        (599, "unknown", False, None),
    ],
)
def test_a_status_decides_the_outcome(status: int, kind: str, retry: bool, error: type[SluiceError] | None) -> None:
    raised = AuthenticationError(status, "words") if status in (401, 403) else APIError(status, "words")
    outcome = answer_of(raised, begun=True)
    assert (outcome.kind, outcome.status, outcome.retry, outcome.error) == (kind, status, retry, error)
    assert ("words" in outcome.reason) == (400 <= status < 500)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("row 3: prediction_id canary-7 is bad", "row … prediction_id … is bad"),
        ('{"error": "invalid api key:\n canary-key"}', "error invalid api key …"),
        ("Column distance: 12.5 not numeric", "Column distance … not numeric"),
        ("New York", "…"),
        ("", ""),
        ("no key " * 1000, "no key " * 42 + "no key"),
    ],
)
def test_of_arizes_words_only_those_that_are_known_are_told(text: str, told: str) -> None:
    reason = answer_of(APIError(400, text), begun=True, columns=["distance"]).reason
    assert reason == f"HTTP 400: {told}".removesuffix(": ")[: len("HTTP 400: ") + 300]


@given(st.text())
def test_nothing_is_told_but_known_words_and_columns(text: str) -> None:
    told = without_values(text, ["a column"])
    assert set(told.split()) <= {"…", *(word for word in re.findall(r"[\w'-]+", text) if word.lower() in KNOWN)}


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (
            InvalidValueMissingValue("Prediction ID", "missing", "prediction_id"),
            "Invalid_Missing_Value (prediction_id)",
        ),
        (InvalidStringLengthInColumn("x", "prediction_id", 1, 512), "Invalid_String_Length_In_Column (prediction_id)"),
        (InvalidTypeFeatures(["distance", "canary"], ["float"]), "Invalid_Type_Features (distance)"),
        (MissingColumns({"canary"}), "Missing_Columns"),
        (InvalidDataFrameIndex(), "Invalid_Index"),
    ],
)
def test_a_validation_error_gives_its_code_and_names_of_columns_alone(problem: ValidationError, told: str) -> None:
    outcome = answer_of(ValidationFailure([problem, problem]), begun=False, columns=["prediction_id", "distance"])
    assert outcome.reason == f"the SDK refused the rows: {told}"
    assert (outcome.kind, outcome.retry, outcome.error) == ("refused", False, DeliveryRefused)


def test_a_validation_error_whose_representation_is_free_text_gives_its_class() -> None:
    class Chatty:
        def __repr__(self) -> str:
            return "the value canary is wrong"

    assert answer_of(ValidationFailure([Chatty()]), begun=False).reason == "the SDK refused the rows: Chatty"  # type: ignore[list-item]


def test_an_accepted_outcome_is_no_error() -> None:
    assert Answer(kind="accepted", status=200, rows=3).error is None


def test_names_on_the_wire_lose_their_prefix_and_never_collide() -> None:
    columns = ["offset", "prediction_id", "prediction_score", "feature/prediction_score", "feature/version", "tag/a/b"]
    names, arguments = wire_names(columns)
    assert names == {
        "prediction_id": "prediction_id",
        "prediction_score": "prediction_score_",
        "feature/prediction_score": "prediction_score",
        "feature/version": "version",
        "tag/a/b": "a/b",
    }
    assert arguments == {
        "prediction_id_column_name": "prediction_id",
        "prediction_score_column_name": "prediction_score_",
        "feature_column_names": ["prediction_score", "version"],
        "tag_column_names": ["a/b"],
    }


def test_a_feature_and_a_tag_of_one_name_are_refused() -> None:
    with pytest.raises(NotSent, match="a feature and a tag are both called region"):
        wire_names(["feature/region", "tag/region"])


def seen(blocks: Sequence[bytes], *, deadline: float = float("inf")) -> tuple[bool, list[object]]:
    said: list[object] = []
    wire = Wire(said.append)
    wire.expect(deadline=deadline)
    for block in blocks:
        wire("http.client.send", (None, block))
        wire("open", ("a file",))
    return wire.begun, said


def test_the_head_of_a_request_and_a_proxys_connect_carry_no_rows() -> None:
    assert seen([b"CONNECT api.arize.com:443 HTTP/1.1", b"POST /v1/pandas_arrow HTTP/1.1"]) == (False, [])


def test_the_first_block_of_rows_is_told_once_and_before_it_goes_out() -> None:
    assert seen([b"POST / HTTP/1.1", b"\xff\xff\xff\xff", b"more"]) == (True, [{"begun": True}])


def test_no_row_goes_out_once_the_time_is_up() -> None:
    with pytest.raises(NotSent, match="the time was up"):
        seen([b"POST / HTTP/1.1", b"\xff\xff\xff\xff"], deadline=0)
