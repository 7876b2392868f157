"""Each way in which a broker lets a client in, and each way in which it does not. All against Apache Kafka itself."""

from __future__ import annotations

import logging
import re
import sys
import time
import types
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # no __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from deployments.local.certificates import Authority, Certificate, new_authority
from deployments.local.kafka import Kafka
from deployments.local.oidc import Issuer, running_issuer
from deployments.local.ports import free_port
from deployments.local.processes import wait_until
from sluice.errors import (
    GroupNotAllowed,
    SluiceError,
    SourceRefused,
    SourceUnavailable,
    TopicNotAllowed,
    WrongSettings,
)
from sluice.offsets import GroupOffset, OffsetRange, Partition
from sluice.settings import KAFKA, Settings
from sluice.sources.kafka import KafkaSource
from sluice.sources.limits import ReadLimits

DEADLINE_S = 30
WIDE = ReadLimits(max_records=1000, max_bytes=1 << 20, max_seconds=60)
PAPER = Path(__file__).parents[2] / "docs" / "connecting.md"
# The headings of the paper, and the listener that wants it so.
MODES = {
    "TLS": "TLS",
    "Mutual TLS": "MTLS",
    "User and password: PLAIN": "SASL_TLS",
    "User and password: SCRAM": "SASL_TLS",
    "Token of an identity provider: OIDC": "SASL_TLS",
    "Token from your own code": "SASL_TLS",
}
TLS, MUTUAL, PLAIN, SCRAM, OIDC, CALLBACK = MODES
GUESSED = "open sesame"


class Keys:
    """What a test needs to get in, or to be kept out."""

    def __init__(self, kafka: Kafka, directory: Path) -> None:
        assert kafka.security.authority is not None
        assert kafka.security.issuer is not None
        self.kafka = kafka
        self.authority: Authority = kafka.security.authority
        self.issuer: Issuer = kafka.security.issuer
        self.reader = self.authority.client("reader")
        self.stranger = self.authority.client("stranger")
        self.foreign = new_authority(directory, "foreign")
        self.foreigner = self.foreign.client("reader")

    def secrets(self) -> list[str]:
        return [*self.kafka.security.users.values(), *self.issuer.clients.values(), GUESSED]

    def properties(self, mode: str, **changes: str | None) -> dict[str, str]:
        """The properties that the paper's block for a mode sets, with this broker's addresses, files and secrets.

        changes: each dot an underscore; None leaves one out.
        """
        ours = {
            "BOOTSTRAP_SERVERS": self.kafka.at(MODES[mode]),
            "SSL_CA_LOCATION": str(self.authority.location),
            "SSL_CERTIFICATE_LOCATION": str(self.reader.certificate),
            "SSL_KEY_LOCATION": str(self.reader.key),
            "SASL_USERNAME": "reader",
            "SASL_PASSWORD": self.kafka.security.users["reader"],
            "SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": self.issuer.token_url,
            "SASL_OAUTHBEARER_CLIENT_ID": "reader",
            "SASL_OAUTHBEARER_CLIENT_SECRET": self.issuer.clients["reader"],
            "HTTPS_CA_LOCATION": str(self.authority.location),
        }
        told = dict(re.findall(rf"^{KAFKA}(\w+)=(.*)$", block(mode), flags=re.MULTILINE))
        wanted = {**told, **{name: ours[name] for name in told if name in ours}}
        settings = Settings.from_environment({KAFKA + name: value for name, value in wanted.items()})
        changed = {name.replace("_", "."): value for name, value in changes.items()}
        return {name: value for name, value in {**settings.kafka(), **changed}.items() if value is not None}


def block(heading: str) -> str:
    """The variables under a heading of the paper."""
    text = PAPER.read_text(encoding="utf-8")
    found = re.search(rf"^## {heading}$.*?^```ini\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1]


@pytest.fixture(scope="module")
def keys(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(kafka, tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="module")
def admin(kafka: Kafka) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka.bootstrap_servers})


@pytest.fixture(scope="module")
def at(kafka: Kafka, admin: AdminClient) -> Partition:
    """A partition of five records, whose topic, and group of the same name, `reader` may read."""
    name = f"s-{uuid.uuid4().hex[:12]}"
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(DEADLINE_S)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for number in range(5):
        producer.produce(name, str(number), partition=0)
    assert producer.flush(DEADLINE_S) == 0
    for kind in (ResourceType.TOPIC, ResourceType.GROUP):
        allow_reader(admin, kind, name)
    with KafkaSource(kafka.login("reader"), group=name) as source:
        wait_until(lambda: not raises(TopicNotAllowed, lambda: source.snapshot([name])), DEADLINE_S, "the ACL")
    return Partition(name, 0)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str | None], Any]], None]:
    """Make a function the one that the paper's block names."""

    def give(token: Callable[[str | None], Any]) -> None:
        module = types.ModuleType("kafka_tokens")
        vars(module)["token"] = token
        monkeypatch.setitem(sys.modules, "kafka_tokens", module)

    return give


Give = Callable[[Callable[[str | None], Any]], None]


def allow_reader(admin: AdminClient, kind: ResourceType, name: str) -> None:
    rule = (ResourcePatternType.LITERAL, "User:reader", "*", AclOperation.READ, AclPermissionType.ALLOW)
    for made in admin.create_acls([AclBinding(kind, name, *rule)]).values():
        made.result(DEADLINE_S)


def raises(kind: type[Exception], ask: Callable[[], object]) -> bool:
    try:
        ask()
    except kind:
        return True
    return False


# --- in


@pytest.mark.parametrize("mode", MODES)
def test_the_paper_s_block_for_each_mode_gets_a_client_in(keys: Keys, at: Partition, mode: str, function: Give) -> None:
    function(lambda _: keys.issuer.token("reader"))
    with KafkaSource(keys.properties(mode), group=at.topic) as source, source.reader() as reader:
        assert source.snapshot([at.topic])[at].end == 5
        (read,) = reader.read([OffsetRange(at, 0, 5)], limits=WIDE, on_expired="fail")
        assert read.records.values() == [b"0", b"1", b"2", b"3", b"4"]
        committed = GroupOffset(partition=at, offset=5, metadata=mode)
        source.commit([committed])
        assert source.committed([at]) == {at: committed}


@pytest.mark.parametrize("mode", [MUTUAL, PLAIN, SCRAM, CALLBACK])
def test_each_mode_tells_users_apart(keys: Keys, at: Partition, mode: str, function: Give) -> None:
    function(lambda _: keys.issuer.token("stranger"))
    as_stranger = {
        MUTUAL: {
            "ssl_certificate_location": str(keys.stranger.certificate),
            "ssl_key_location": str(keys.stranger.key),
        },
        CALLBACK: {},
    }.get(mode, {"sasl_username": "stranger", "sasl_password": keys.kafka.security.users["stranger"]})
    with KafkaSource(keys.properties(mode, **as_stranger), group=at.topic) as source:
        with pytest.raises(TopicNotAllowed, match=rf"topic {at.topic}.*\(an ACL\)"):
            source.snapshot([at.topic])
        with pytest.raises(GroupNotAllowed, match=rf"group {at.topic}.*\(an ACL\)"):
            source.commit([GroupOffset(partition=at, offset=0, metadata="")])


def test_a_callback_gets_the_config_and_may_give_principal_and_extensions(
    keys: Keys, at: Partition, function: Give
) -> None:
    asked: list[str | None] = []

    def token(config: str | None) -> tuple[str, float, str, dict[str, str]]:
        asked.append(config)
        return *keys.issuer.token("reader"), "reader", {"traceId": "7"}

    function(token)
    properties = keys.properties(CALLBACK, sasl_oauthbearer_config="scope=kafka")
    with KafkaSource(properties, group=at.topic) as source:
        assert source.snapshot([at.topic])[at].end == 5
    assert asked == ["scope=kafka"]


def test_a_token_is_renewed_before_it_expires_and_a_renewal_that_fails_is_no_harm_yet(
    keys: Keys, at: Partition, function: Give
) -> None:
    asked: list[str | None] = []

    def token(config: str | None) -> tuple[str, float]:
        asked.append(config)
        if len(asked) > 2:
            raise RuntimeError(GUESSED)
        lasting, _ = keys.issuer.token("reader")
        return lasting, time.time() + 1  # the broker lets it in for longer, and asks for no other

    function(token)
    with KafkaSource(keys.properties(CALLBACK), group=at.topic) as source:
        wait_until(lambda: source.snapshot([at.topic])[at].end == 5 and len(asked) > 2, DEADLINE_S, "the third token")
        assert source.snapshot([at.topic])[at].end == 5
        with pytest.raises(SourceRefused, match="kafka_tokens:token raised RuntimeError"):
            source.reader()


# --- kept out


@pytest.fixture
def shown(
    keys: Keys, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Callable[[dict[str, str]], SluiceError]:
    """Ask something of a connection that must be refused, and return the error; no secret may show anywhere."""
    caplog.set_level(logging.DEBUG)

    def ask(properties: Mapping[str, str]) -> SluiceError:
        with pytest.raises(SluiceError) as caught, KafkaSource(properties, group="g", timeout_s=2) as source:
            source.snapshot(["t"])
        said = f"{caught.value} {caught.value!r} {caplog.text} {capfd.readouterr()}"
        assert not [secret for secret in keys.secrets() if secret in said]
        return caught.value

    return ask


Shown = Callable[[dict[str, str]], SluiceError]


@pytest.mark.parametrize("mode", [PLAIN, SCRAM])
def test_a_wrong_password_is_refused(keys: Keys, shown: Shown, mode: str) -> None:
    error = shown(keys.properties(mode, sasl_password=GUESSED, debug="security"))
    assert isinstance(error, SourceRefused)
    assert "did not take the login" in error.what
    assert "sasl.password" in error.next_step


def test_another_mechanism_than_the_broker_s_is_refused_with_those_it_takes(keys: Keys, shown: Shown) -> None:
    error = shown(keys.properties(SCRAM, sasl_mechanism="SCRAM-SHA-256"))
    assert isinstance(error, SourceRefused)
    assert "it takes PLAIN,SCRAM-SHA-512,OAUTHBEARER" in error.what
    assert "sasl.mechanism" in error.next_step


def test_a_broker_of_an_unknown_authority_is_not_trusted(keys: Keys, shown: Shown) -> None:
    for location in (str(keys.foreign.location), None):
        error = shown(keys.properties(TLS, ssl_ca_location=location))
        assert isinstance(error, SourceRefused)
        assert "certificate could not be verified" in error.what
        assert "ssl.ca.location" in error.next_step


def test_a_broker_of_another_name_than_its_certificate_s_is_not_trusted(keys: Keys, shown: Shown) -> None:
    _, port = keys.kafka.at("TLS").split(":")
    error = shown(keys.properties(TLS, bootstrap_servers=f"localhost:{port}"))
    assert isinstance(error, SourceRefused)
    assert f"localhost:{port}" in error.what
    assert "the host of bootstrap.servers" in error.next_step


def test_without_a_client_certificate_that_the_broker_trusts_nobody_gets_in(keys: Keys, shown: Shown) -> None:
    without = keys.properties(MUTUAL, ssl_certificate_location=None, ssl_key_location=None)
    for properties in (without, keys.properties(MUTUAL, **files(keys.foreigner))):
        error = shown(properties)
        assert isinstance(error, SourceRefused)
        assert "wants a client certificate" in error.what
        assert "ssl.certificate.location" in error.next_step
    with (
        KafkaSource(without, group="g", timeout_s=2) as source,
        source.reader(stall_s=DEADLINE_S) as reader,
        pytest.raises(SourceRefused, match="wants a client certificate"),
    ):
        reader.read([OffsetRange(Partition("t", 0), 0, 5)], limits=WIDE, on_expired="fail")
    with KafkaSource(without, group="g") as source, pytest.raises(SourceRefused, match="wants a client certificate"):
        source.committed([Partition("t", 0)])


def files(certificate: Certificate) -> dict[str, str]:
    return {"ssl_certificate_location": str(certificate.certificate), "ssl_key_location": str(certificate.key)}


@pytest.mark.parametrize("name", ["ssl.ca.location", "ssl.certificate.location", "ssl.key.location"])
def test_a_file_that_does_not_exist_is_told_by_its_property(keys: Keys, shown: Shown, name: str) -> None:
    error = shown(keys.properties(MUTUAL, **{name.replace(".", "_"): "/nowhere/x.pem"}))
    assert isinstance(error, WrongSettings)
    assert f"the file that {name} gives does not exist" in error.what
    assert name in error.next_step


@pytest.mark.parametrize("mode", [PLAIN, TLS])
def test_plain_text_to_a_port_that_wants_more_is_told(keys: Keys, shown: Shown, mode: str) -> None:
    error = shown({"bootstrap.servers": keys.properties(mode)["bootstrap.servers"]})
    assert isinstance(error, SourceUnavailable)
    assert "taken and ended at once" in error.what
    assert "security.protocol" in error.next_step


@pytest.mark.parametrize("mode", [PLAIN, TLS])
def test_tls_to_a_port_that_speaks_none_is_told(keys: Keys, shown: Shown, mode: str) -> None:
    error = shown(keys.properties(mode, bootstrap_servers=keys.kafka.bootstrap_servers))
    assert isinstance(error, SourceUnavailable)
    assert "the port ends TLS at once" in error.what
    assert "security.protocol" in error.next_step


def test_a_login_where_nobody_logs_in_is_told(keys: Keys, shown: Shown) -> None:
    error = shown(keys.properties(SCRAM, bootstrap_servers=keys.kafka.at("TLS")))
    assert isinstance(error, SourceRefused)
    assert "nobody logs in at this port" in error.what
    assert "security.protocol" in error.next_step


# --- kept out, for want of a token


def test_a_wrong_client_secret_is_refused_by_the_token_endpoint(keys: Keys, shown: Shown) -> None:
    error = shown(keys.properties(OIDC, sasl_oauthbearer_client_secret=GUESSED))
    assert isinstance(error, SourceRefused)
    assert "the token endpoint gave no token: invalid_client" in error.what
    assert "sasl.oauthbearer.client.secret" in error.next_step


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
def test_a_token_endpoint_that_is_down_is_unavailable(keys: Keys, shown: Shown, host: str) -> None:
    error = shown(keys.properties(OIDC, sasl_oauthbearer_token_endpoint_url=f"https://{host}:{free_port()}/token"))
    assert isinstance(error, SourceUnavailable)
    assert "the token endpoint does not answer" in error.what
    assert "sasl.oauthbearer.token.endpoint.url" in error.next_step


def test_a_token_endpoint_of_an_unknown_authority_is_not_trusted(keys: Keys, shown: Shown) -> None:
    error = shown(keys.properties(OIDC, https_ca_location=str(keys.foreign.location)))
    assert isinstance(error, SourceRefused)
    assert "the token endpoint's TLS could not be verified" in error.what
    assert "https.ca.location" in error.next_step


def test_a_token_of_another_issuer_is_refused_by_the_broker(keys: Keys, shown: Shown, function: Give) -> None:
    with running_issuer({}, keys.authority.server("other-issuer")) as other:
        function(lambda _: other.token("reader"))
        error = shown(keys.properties(CALLBACK))
    assert isinstance(error, SourceRefused)
    assert "the broker did not take the token: invalid_token" in error.what
    assert "issuer" in error.next_step


def test_a_callback_that_raises_is_told_without_its_words(keys: Keys, shown: Shown, function: Give) -> None:
    def token(_config: str | None) -> tuple[str, float]:
        raise LookupError(GUESSED)

    function(token)
    error = shown(keys.properties(CALLBACK))
    assert isinstance(error, SourceRefused)
    assert "token.callback kafka_tokens:token raised LookupError" in error.what
    assert "by itself" in error.next_step
