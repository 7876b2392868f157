"""The environment's variables: what is read, what is refused, and that no secret shows."""

from __future__ import annotations

import copy
import logging
import pickle
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from sluice.errors import WrongSettings
from sluice.settings import (
    MIN_HASH_KEY,
    NOT_READ,
    SET_BY_SLUICE,
    VARIABLES,
    ArizeConnection,
    KafkaProperties,
    Settings,
    kafka_property,
)

EXAMPLE = Path(__file__).parents[2] / ".env.example"
ENVIRONMENT = {
    "SLUICE_KAFKA_BOOTSTRAP_SERVERS": "a:9092,b:9092",
    "SLUICE_STORE": "s3://bucket/prefix",
    "ARIZE_API_KEY": "the-key",
    "ARIZE_SPACE_ID": "the-space",
}
SECRET_VARIABLES = [
    "ARIZE_API_KEY",
    *(
        f"SLUICE_KAFKA_{name}"
        for name in (
            *("SASL_PASSWORD", "SSL_KEY_PASSWORD", "SSL_KEYSTORE_PASSWORD", "SSL_KEY_PEM", "SSL_CERTIFICATE_PEM"),
            *("SASL_OAUTHBEARER_CLIENT_SECRET", "SASL_OAUTHBEARER_CONFIG", "SASL_JAAS_CONFIG"),
            *("SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_PEM", "SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_PASSPHRASE"),
        )
    ),
]


def read(**changes: str) -> Settings:
    return Settings.from_environment(ENVIRONMENT | changes)


def problems(**changes: str) -> list[str]:
    with pytest.raises(WrongSettings) as caught:
        read(**changes)
    return caught.value.what.splitlines()


def test_each_variable_lands_where_it_belongs() -> None:
    found = read(
        ARIZE_API_HOST="localhost", ARIZE_API_PORT="8081", ARIZE_API_SCHEME="HTTP", SLUICE_PIPELINES="/etc/pipelines"
    )
    assert found.kafka() == {"bootstrap.servers": "a:9092,b:9092"}
    assert found.store().url == "s3://bucket/prefix"
    assert found.arize() == ArizeConnection(
        api_key=SecretStr("the-key"), space_id="the-space", host="localhost", port=8081, scheme="http"
    )
    assert found.pipelines == Path("/etc/pipelines")


def test_what_is_left_out_is_the_defaults() -> None:
    found = read()
    assert (found.arize().host, found.arize().port, found.arize().scheme) == (None, None, "https")
    assert (found.pipelines / "flights.yaml").is_file()
    assert read(ARIZE_API_PORT="0").arize().port is None


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("SLUICE_KAFKA_BOOTSTRAP_SERVERS", "bootstrap.servers"),
        ("SLUICE_KAFKA_ENABLE_SSL_CERTIFICATE_VERIFICATION", "enable.ssl.certificate.verification"),
        ("SLUICE_KAFKA_LOG_LEVEL", "log_level"),
        ("SLUICE_KAFKA_LOG_QUEUE", "log.queue"),
    ],
)
def test_a_kafka_variable_is_its_property_in_capitals(variable: str, name: str) -> None:
    assert kafka_property(variable) == name


def test_a_space_at_an_end_is_trimmed_but_in_a_password_of_kafkas() -> None:
    found = read(ARIZE_API_KEY=" key\n", SLUICE_STORE=" /srv/store ", SLUICE_KAFKA_SASL_PASSWORD=" p ")
    assert found.arize().api_key.get_secret_value() == "key"
    assert found.store().url == "/srv/store"
    assert found.kafka()["sasl.password"] == " p "


# --- what is missing


def test_all_that_is_missing_is_named_at_once_by_what_needs_it() -> None:
    with pytest.raises(WrongSettings) as caught:
        Settings.from_environment({}).require(kafka="default", store=True, arize="default")
    assert caught.value.what == (
        "not set: kafka needs SLUICE_KAFKA_BOOTSTRAP_SERVERS; store needs SLUICE_STORE; "
        "arize needs ARIZE_API_KEY, ARIZE_SPACE_ID"
    )


def test_only_what_is_needed_is_asked_for() -> None:
    only_store = Settings.from_environment({"SLUICE_STORE": "/srv/store"})
    only_store.require()
    only_store.require(store=True)
    with pytest.raises(WrongSettings, match="arize needs ARIZE_API_KEY, ARIZE_SPACE_ID"):
        only_store.require(store=True, arize="default")
    read().require(kafka="default", store=True, arize="default")


def test_an_empty_variable_counts_as_not_set() -> None:
    with pytest.raises(WrongSettings, match="arize needs ARIZE_SPACE_ID"):
        read(ARIZE_SPACE_ID="  ").require(arize="default")
    assert read(SLUICE_STROE="").store().url == "s3://bucket/prefix"


# --- what is refused


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("SLUICE_STROE", "SLUICE_STORE"),
        ("SLUICE_STORES", "SLUICE_STORE"),
        ("SLUCIE_STORE", "SLUICE_STORE"),
        ("sluice_store", "SLUICE_STORE"),
        ("SLUICE_PIPELINE", "SLUICE_PIPELINES"),
        ("SLUICE_KAKFA_BOOTSTRAP_SERVERS", "SLUICE_KAFKA_BOOTSTRAP_SERVERS"),
        ("SLUICE_KAFKA_BOOTSTRAP_SERVER", "SLUICE_KAFKA_BOOTSTRAP_SERVERS"),
        ("ARIZE_APIKEY", "ARIZE_API_KEY"),
        ("ARIZE_SPACEID", "ARIZE_SPACE_ID"),
    ],
)
def test_a_misspelt_variable_is_noticed_with_the_nearest(misspelt: str, meant: str) -> None:
    with pytest.raises(WrongSettings) as caught:
        Settings.from_environment({misspelt: "x"})
    assert caught.value.what == f"{misspelt}: unknown; did you mean {meant}?"


@pytest.mark.parametrize(
    "other",
    ["SLUICE_DRILL", "SLUICE_CACHE", "ARIZE_OTLP_HOST", "ARIZE_FLIGHT_PORT", "PATH", "STORE"],
)
def test_a_variable_that_means_something_else_is_let_be(other: str) -> None:
    assert Settings.from_environment({other: "x"}).origin("store") == ""


def test_a_variable_near_to_one_that_is_set_is_let_be() -> None:
    assert read(ARIZE_API_KEY_2="x").arize().api_key.get_secret_value() == "the-key"


@pytest.mark.parametrize("name", sorted(SET_BY_SLUICE))
def test_a_property_that_sluice_sets_itself_is_refused(name: str) -> None:
    variable = f"SLUICE_KAFKA_{name.upper().replace('.', '_')}"
    assert problems(**{variable: "x"}) == [f"{variable}: Sluice itself sets {name}; leave it out"]


@pytest.mark.parametrize("name", NOT_READ)
def test_another_way_of_the_sdk_to_say_the_host_is_refused(name: str) -> None:
    assert problems(**{name: "x"})[0].startswith(f"{name}: not read; set ARIZE_API_HOST")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("ARIZE_API_PORT", value) for value in ("65536", "-1", "80a", "8 0", "1e3")),
        *(("ARIZE_API_SCHEME", value) for value in ("ftp", "https://")),
        *(("ARIZE_API_HOST", value) for value in ("https://api.arize.com", "api.arize.com:443", "api.arize.com/v1")),
        *(
            ("SLUICE_STORE", value)
            for value in ("s3://", "s3:bucket", "gs://bucket", "http://a", "file://host/a", "s3://[")
        ),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_is_allowed(variable: str, value: str) -> None:
    (problem,) = problems(**{variable: value})
    assert problem.startswith(f"{variable}: allowed: ")


@pytest.mark.parametrize(
    "store", ["s3://bucket", "s3://bucket/a/b", "file:///srv/store", "/srv/store", "store", "~/store"]
)
def test_a_store_is_a_bucket_or_a_directory(store: str) -> None:
    assert read(SLUICE_STORE=store).store().url == store


def test_every_problem_is_told_at_once() -> None:
    found = problems(ARIZE_API_PORT="x", ARIZE_API_SCHEME="x", SLUICE_PIPELINE="x", SLUICE_KAFKA_GROUP_ID="x")
    assert len(found) == 4


# --- secrets


@settings(deadline=None)
@given(st.sampled_from(SECRET_VARIABLES), st.text("abcdefgh0123456789", min_size=12))
def test_a_secret_never_shows(variable: str, secret: str) -> None:
    found = read(**{variable: secret})
    kafka, arize = found.kafka(), found.arize()
    shown = f"{found} {found!r} {kafka} {arize!r} {[kafka]} {found.variables!r}"
    record = logging.LogRecord("a", logging.INFO, "a", 1, "settings=%s kafka=%r", (found, kafka), None)
    assert secret not in shown + record.getMessage()
    values = {*kafka.values(), found.arize().api_key.get_secret_value()}
    assert secret in values


@pytest.mark.parametrize("held", ["settings", "kafka", "arize", "store"])
def test_what_holds_secrets_is_not_pickled(held: str) -> None:
    found = {"settings": read(), "kafka": read().kafka(), "arize": read().arize(), "store": read().store()}[held]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="holds secrets and is not pickled"):
            pickle.dumps(found, protocol)
    with pytest.raises(TypeError, match="holds secrets"):
        copy.deepcopy(found)


def test_what_is_no_secret_is_shown() -> None:
    shown = repr(KafkaProperties({"bootstrap.servers": "a:9092", "sasl.username": "reader", "sasl.password": "p4ss"}))
    assert shown == "{'bootstrap.servers': 'a:9092', 'sasl.username': 'reader', 'sasl.password': '**********'}"


def test_no_error_shows_a_value() -> None:
    secret = "s3cr3t"
    wrong = ("ARIZE_API_PORT", "ARIZE_API_SCHEME", "SLUICE_KAFKA_GROUP_ID", "SLUICE_PIPELINE", "ARIZE_REGION")
    told = "\n".join(
        problems(**dict.fromkeys(wrong, secret), ARIZE_API_HOST=f"http://{secret}", SLUICE_STORE=f"gs://{secret}")
    )
    assert secret not in told
    assert told.count("\n") == 6


# --- .env.example


def test_a_key_of_the_hash_is_long_enough_and_shows_nowhere() -> None:
    with pytest.raises(WrongSettings, match="SLUICE_HASH_KEY: allowed: at least 16 characters"):
        Settings.from_environment({"SLUICE_HASH_KEY": "fifteen letters"})
    with pytest.raises(WrongSettings, match="hash_key needs SLUICE_HASH_KEY"):
        Settings.from_environment({}).require(hash_key=True)
    found = Settings.from_environment({"SLUICE_HASH_KEY": "sixteen letters!"})
    found.require(hash_key=True)
    assert "sixteen" not in repr(found)


def test_the_example_names_every_variable_and_is_right_when_filled_in() -> None:
    text = EXAMPLE.read_text()
    lines = [line.removeprefix("# ") for line in text.splitlines() if re.match(r"(# )?[A-Z_0-9]+=", line)]
    given_ = dict(line.split("=", 1) for line in lines)
    assert set(VARIABLES) <= given_.keys()
    assert all(name in text for name in NOT_READ)
    assert all(shlex.split(line) == [line] for line in lines)
    filled = {name: value or "x" * MIN_HASH_KEY for name, value in given_.items()}
    Settings.from_environment(filled).require(kafka="default", store=True, arize="default", hash_key=True)
    as_it_is = [line for line in text.splitlines() if re.match(r"[A-Z]", line)]
    with pytest.raises(WrongSettings, match="arize needs ARIZE_API_KEY, ARIZE_SPACE_ID"):
        Settings.from_environment(dict(line.split("=", 1) for line in as_it_is)).require(
            kafka="default", store=True, arize="default"
        )
