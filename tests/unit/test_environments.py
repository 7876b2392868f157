"""Environment files: what a name means, what is refused and on which line, and what comes before what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.documents.file import parse
from sluice.errors import WrongSettings
from sluice.settings import Settings
from sluice.settings.environment import Environment, load_environment
from sluice.settings.schema import json_schema_text

ENVIRONMENTS = Path(__file__).parents[2] / "deployments" / "environments"
PROD = """\
store: {url: "s3://prod/sluice", region: eu-west-1, role: "arn:aws:iam::1:role/sluice", kms_key: alias/sluice}
hash_key: ${PROD_HASH_KEY}
kafka:
  events:
    bootstrap.servers: ${BROKERS}:9093
    security.protocol: SASL_SSL
    sasl.password: ${EVENTS_PASSWORD}
    socket.timeout.ms: 30_000
    enable.ssl.certificate.verification: true
arize:
  ops: {api_key: "${OPS_API_KEY}", space_id: prod-space, port: 8443, rows_per_second: 50_000}
"""
VARIABLES = {
    "SLUICE_ENVIRONMENT": "prod",
    "PROD_HASH_KEY": "0123456789abcdef",
    "BROKERS": "kafka.example.com",
    "EVENTS_PASSWORD": "p4ssw0rd",
    "OPS_API_KEY": "the-ops-key",
}
Read = Callable[..., Settings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "environments").mkdir()

    def settings(text: str = PROD, *, without: tuple[str, ...] = (), **variables: str) -> Settings:
        (tmp_path / "environments" / "prod.yaml").write_text(text)
        environ = {name: value for name, value in VARIABLES.items() if name not in without}
        return Settings.from_environment({**environ, "SLUICE_PIPELINES": str(tmp_path / "pipelines"), **variables})

    return settings


def problems(read: Read, text: str) -> list[str]:
    with pytest.raises(WrongSettings) as caught:
        read(text)
    return [line.partition("prod.yaml:")[2] for line in caught.value.what.splitlines()]


# --- what a name means


def test_a_name_means_what_the_environment_says(read: Read) -> None:
    found = read()
    found.require(kafka="events", arize="ops", store=True, hash_key=True)
    assert found.kafka("events") == {
        "bootstrap.servers": "kafka.example.com:9093",
        "security.protocol": "SASL_SSL",
        "sasl.password": "p4ssw0rd",
        "socket.timeout.ms": "30000",
        "enable.ssl.certificate.verification": "true",
    }
    arize, store = found.arize("ops"), found.store()
    assert (arize.api_key.get_secret_value(), arize.space_id, arize.host) == ("the-ops-key", "prod-space", None)
    assert (arize.port, arize.scheme, arize.rows_per_second) == (8443, "https", 50_000)
    assert (store.url, store.region, store.kms_key) == ("s3://prod/sluice", "eu-west-1", "alias/sluice")
    assert (store.role, store.endpoint, store.profile) == ("arn:aws:iam::1:role/sluice", None, None)
    assert found.hash_key().get_secret_value() == VARIABLES["PROD_HASH_KEY"]


def test_a_store_may_be_its_address_alone(read: Read) -> None:
    assert read("store: /srv/store\n").store().url == "/srv/store"


def test_an_environment_may_be_named_by_its_path(read: Read, tmp_path: Path) -> None:
    read()
    there = str(tmp_path / "environments" / "prod.yaml")
    assert Settings.from_environment({**VARIABLES, "SLUICE_ENVIRONMENT": there}).kafka("events")


def test_a_connection_that_is_not_used_needs_none_of_its_variables(read: Read) -> None:
    found = read(without=("OPS_API_KEY", "PROD_HASH_KEY"))
    found.require(kafka="events", store=True)
    assert found.kafka("events")


def test_the_environment_comes_before_the_file_and_the_file_before_a_block(read: Read) -> None:
    text = PROD.replace("  events:", "  default:")
    variables = {"SLUICE_KAFKA_BOOTSTRAP_SERVERS": "variable:9092"}
    assert read(text, **variables).kafka() == {"bootstrap.servers": "variable:9092"}
    assert read(text).kafka()["bootstrap.servers"] == "kafka.example.com:9093"
    assert read(PROD, SLUICE_STORE="/srv/mine").store().url == "/srv/mine"
    asked = []

    def blocks(kind: str, name: str) -> Mapping[str, str] | None:
        asked.append((kind, name))
        return {"bootstrap.servers": "block:9092"} if name == "elsewhere" else None

    found = Settings(variables=read().variables, file=read().file, blocks=blocks)
    assert found.kafka("events")["bootstrap.servers"] == "kafka.example.com:9093"
    assert asked == []
    assert found.kafka("elsewhere") == found.kafka("elsewhere") == {"bootstrap.servers": "block:9092"}
    assert asked == [("kafka", "elsewhere")], "a block is asked for once"
    assert found.origin("kafka", "elsewhere") == "Prefect block elsewhere"
    assert found.origin("kafka", "events").endswith("prod.yaml")
    assert found.origin("kafka", "nowhere") == ""


def test_a_default_that_the_variables_do_not_complete_is_the_files(read: Read) -> None:
    text = PROD.replace("  ops:", "  default:")
    assert read(text, ARIZE_API_KEY="another key").arize().space_id == "prod-space"


# --- what is missing


def test_what_no_source_knows_is_named_with_what_there_is(read: Read) -> None:
    with pytest.raises(WrongSettings) as caught:
        read().require(kafka="event", arize="ops2", store=True)
    there = str(read().file.path)  # type: ignore[union-attr]
    assert caught.value.what == (
        f"not set: the kafka connection event ({there} has events); the arize connection ops2 ({there} has ops)"
    )
    with pytest.raises(WrongSettings, match="SLUICE_ENVIRONMENT picks no environment"):
        Settings.from_environment({}).require(kafka="events")


def test_a_variable_that_is_not_set_is_named_with_its_line(read: Read) -> None:
    with pytest.raises(WrongSettings) as caught:
        read(without=("BROKERS", "EVENTS_PASSWORD")).kafka("events")
    assert [line.partition("prod.yaml:")[2] for line in caught.value.what.splitlines()] == [
        "5: kafka.events.bootstrap.servers: the variable BROKERS is not set",
        "7: kafka.events.sasl.password: the variable EVENTS_PASSWORD is not set",
    ]


def test_a_value_that_came_by_a_variable_is_checked_too_and_not_shown(read: Read) -> None:
    with pytest.raises(WrongSettings) as caught:
        read(PROD.replace("port: 8443", 'port: "${PORT}"'), PORT="70000").arize("ops")
    assert "prod.yaml:11: arize.ops.port: allowed: a port from 1 to 65535" in caught.value.what
    assert "70000" not in caught.value.what


@pytest.mark.parametrize(("name", "meant"), [("prdo", "; did you mean prod?"), ("other", "")])
def test_an_environment_that_is_not_there_is_told_with_the_nearest(read: Read, name: str, meant: str) -> None:
    with pytest.raises(WrongSettings) as caught:
        read(SLUICE_ENVIRONMENT=name)
    assert caught.value.what.endswith(f"{name}.yaml{meant}")
    assert caught.value.next_step.endswith("environments: prod")


# --- what is refused


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("store: gs://a\n", 1, "store: allowed: s3://bucket/prefix"),
        ("store:\n", 1, "store: allowed: a text, a number"),
        ("store: {region: a}\n", 1, "store.url: missing"),
        ("kafka: {events: {}}\n", 1, "kafka.events: missing: bootstrap.servers"),
        ("kafka:\n  events:\n    bootstrap.servers: a:1\n    group.id: x\n", 4, "kafka.events.group.id: Sluice itself"),
        (
            "kafka:\n  events:\n    bootstrap.servers: a:1\n    sasl.password: x\n",
            4,
            "kafka.events.sasl.password: a sec",
        ),
        ("kafka: {events: {bootstrap.servers: [a]}}\n", 1, "kafka.events.bootstrap.servers: allowed: a text"),
        ("kafka: {Events: {bootstrap.servers: a}}\n", 1, "kafka.Events: allowed: up to 63 lower-case"),
        ("kafka: {e: {bootstrap.servers: '${a b}'}}\n", 1, "kafka.e.bootstrap.servers: allowed: ${VARIABLE}"),
        ("arize: {ops: {api_key: the-key, space_id: a}}\n", 1, "arize.ops.api_key: a secret is not written here"),
        ("arize: {ops: {api_key: '${A}'}}\n", 1, "arize.ops.space_id: missing. The space's id"),
        ("arize: {ops: {api_key: '${A}', space_id: a, port: 99999}}\n", 1, "arize.ops.port: allowed: a port"),
        (
            "arize: {ops: {api_key: '${A}', space_id: a, hots: b}}\n",
            1,
            "arize.ops.hots: unknown key; did you mean host?",
        ),
        ("arize: {ops: {api_key: '${A}', space_id: a, rows_per_second: 0}}\n", 1, "arize.ops.rows_per_second: allowed"),
        ("hash_key: 0123456789abcdef\n", 1, "hash_key: a secret is not written here"),
        ("kafak: {}\n", 1, "kafak: unknown key; did you mean kafka?"),
        ("store: a\nstore: b\n", 2, "store is there twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(read: Read, text: str, line: int, words: str) -> None:
    (problem,) = problems(read, text)
    assert problem.startswith(f"{line}: {words}"), problem


@pytest.mark.parametrize(
    "name",
    [
        *(
            "sasl.password",
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
        ),
        *("sasl.oauthbearer.config", "sasl.oauthbearer.assertion.private.key.passphrase", "sasl.jaas.config"),
        *("sasl.oauthbearer.assertion.private.key.pem", "sasl.oauthbearer.client.credentials.client.secret"),
    ],
)
def test_a_secret_is_not_written_literally(read: Read, name: str) -> None:
    text = f"kafka:\n  events:\n    bootstrap.servers: a:1\n    {name}: canary-{{}}\n"
    (problem,) = problems(read, text)
    assert (
        problem == f"4: kafka.events.{name}: a secret is not written here: name a variable that holds it, ${{VARIABLE}}"
    )
    assert read(text.replace("canary-{}", "${EVENTS_PASSWORD}")).kafka("events")[name] == "p4ssw0rd"


@pytest.mark.parametrize(
    "name",
    [
        *("ssl.key.location", "ssl.ca.location", "ssl.certificate.location", "sasl.username", "ssl.ca.pem"),
        *("sasl.oauthbearer.method", "sasl.oauthbearer.client.id", "sasl.oauthbearer.token.endpoint.url"),
    ],
)
def test_what_is_no_secret_may_be_written(read: Read, name: str) -> None:
    assert read(f"kafka: {{e: {{bootstrap.servers: a, {name}: b}}}}\n").kafka("e")[name] == "b"


def test_the_paper_on_connecting_says_the_same_by_a_file_and_by_variables(read: Read) -> None:
    paper = (ENVIRONMENTS.parents[1] / "docs" / "connecting.md").read_text()
    (file,) = re.findall(r"^```yaml\n(.*?)^```$", paper, flags=re.MULTILINE | re.DOTALL)
    oidc = paper[paper.index("\n## Token of an identity provider") :]
    variables = dict(re.findall(r"^(SLUICE_KAFKA_\w+)=(.*)$", oidc[: oidc.index("\n## ", 1)], flags=re.MULTILINE))
    variables["SLUICE_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"] = "a-secret"
    by_file = read(file, EVENTS_CLIENT_SECRET="a-secret").kafka("events")
    assert dict(by_file) == dict(Settings.from_environment(variables).kafka())


def test_no_secret_shows(read: Read) -> None:
    found = read()
    found.require(kafka="events", arize="ops", hash_key=True)
    shown = f"{found!r} {found.file!r} {found.kafka('events')!r} {found.arize('ops')!r} {found.store()!r}"
    for name in ("EVENTS_PASSWORD", "OPS_API_KEY", "PROD_HASH_KEY"):
        assert VARIABLES[name] not in shown


# --- the schema and the example


def test_the_schema_beside_the_example_is_current() -> None:
    assert (ENVIRONMENTS / "environment.schema.json").read_text() == json_schema_text()
    example = (ENVIRONMENTS / "example.yaml").read_text()
    assert example.splitlines()[0] == "# yaml-language-server: $schema=environment.schema.json"


@pytest.mark.parametrize("with_comments", [False, True])
def test_the_example_is_right_with_what_it_has_as_comments_and_without(tmp_path: Path, with_comments: bool) -> None:
    text = (ENVIRONMENTS / "example.yaml").read_text()
    whole = re.sub(r"(?m)^( *)# (\w+:.*  # )", r"\1\2", text.replace("# hash_key", "hash_key"))
    assert whole.count("\n    rows_per_second:") == 1
    (tmp_path / "example.yaml").write_text(whole if with_comments else text)
    environ = {"EVENTS_PASSWORD": "a", "OPS_API_KEY": "b", "SLUICE_HASH_KEY": "0123456789abcdef"}
    file = load_environment("example", tmp_path, environ | {"OPS_DEVELOPER_KEY": "c"})
    kafka, arize, store = (file.connection(*name) for name in (("kafka", "events"), ("arize", "ops"), ("store", "")))
    assert kafka
    assert arize
    assert store
    assert ("rows_per_second" in arize, "host" in arize, file.connection("hash_key", "") is not None) == (
        (with_comments,) * 3
    )
    assert ("developer_key" in arize, "app_url" in arize) == ((with_comments,) * 2)
    assert len(store) == (6 if with_comments else 2)
    assert len(file.connection("import_store", "") or {}) == (2 if with_comments else 0)


SCHEMA = json.loads(json_schema_text())
TEXTS = st.sampled_from(["", "a", "${A}", "${A", "https", "/a"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("url"), inner),
    max_leaves=4,
)


@given(st.sampled_from(["store", "hash_key", "kafka", "arize", "space_id", "api_key", "unknown"]), VALUES)
def test_what_the_schema_refuses_the_loader_refuses(key: str, value: object) -> None:
    data = {"arize": {"ops": {"api_key": "${A}", "space_id": "b", key: value}}} if key.endswith("d") else {key: value}
    try:
        jsonschema.validate(data, SCHEMA)
    except jsonschema.ValidationError:
        with pytest.raises(WrongSettings):
            parse(json.dumps(data).encode(), "a", Environment, WrongSettings)
