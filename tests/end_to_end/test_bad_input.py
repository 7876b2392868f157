"""What cannot be: each case ends with one clear sentence and the next step, and nothing is harmed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
import requests
from moto.server import ThreadedMotoServer

from tests.end_to_end.bench import Bench, Done
from tests.end_to_end.events import Written, group_offsets, topic
from tests.end_to_end.kafka_hands import allow, logged_in

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka
    from deployments.local.seaweedfs import SeaweedFS

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
AT_ONCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Something wrong, and what a run says of it.

    Attributes:
        variables: of the environment that make it wrong. changed: sections of the pipeline file that do.
        error: the heading in the runbook.
        says: parts of the sentence, what happened and what to do.
        code: the exit status.
    """

    error: str
    says: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, Any] = field(default_factory=dict)
    code: int = 1


@pytest.fixture(scope="module")
def nobody() -> Iterator[str]:
    """An address where nobody listens, and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(scope="module")
def strict_s3() -> Iterator[str]:
    """A stand-in for S3 that, unlike SeaweedFS, makes no bucket by itself, and that takes any signature."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def cases(kafka: Kafka, seaweedfs: SeaweedFS, flights: Written, nobody: str, strict_s3: str) -> Mapping[str, Case]:
    allow(flights, "reader", topics=[flights.topic], groups=[])
    s3 = seaweedfs.environment()
    return {
        "no broker": Case(
            variables={"SLUICE_KAFKA_BOOTSTRAP_SERVERS": nobody},
            error="source-unavailable",
            says=(f"Kafka does not answer ({nobody})", "look at the brokers, the addresses"),
        ),
        "no such topic": Case(
            changed={"source": {"kafka": {"topics": [f"{flights.topic}x"]}}},
            error="topic-missing",
            says=(f"no topic {flights.topic}x; nearest existing: {flights.topic}", "Fix source.kafka.topics"),
        ),
        "no such partition": Case(
            changed={"source": {"kafka": {"partitions": [9]}}},
            error="topic-missing", says=(f"{flights.topic}[9]", "source.kafka.partitions"),
        ),
        "wrong password": Case(
            variables=logged_in(kafka, "reader", "a wrong password"),
            error="source-refused", says=("Kafka refused the connection", "Fix sasl.username, sasl.password"),
        ),
        "topic not allowed": Case(
            variables=logged_in(kafka, "stranger"),
            error="topic-not-allowed",
            says=(f"Kafka forbids topic {flights.topic}", "Allow the user to Read and Describe the topic"),
        ),
        "group not allowed": Case(
            variables=logged_in(kafka, "reader"),
            error="group-not-allowed",
            says=("Kafka forbids consumer group bad-group-not-allowed", "Allow the user to Read the group"),
        ),
        "no bucket": Case(
            variables={**s3, "SLUICE_STORE": "s3://no-such-bucket/prefix", "AWS_ENDPOINT_URL": strict_s3},
            error="bucket-missing", says=("The bucket does not exist", "Create it, or fix SLUICE_STORE"),
        ),
        "store refuses": Case(
            variables={**s3, "SLUICE_STORE": f"s3://{seaweedfs.bucket}/bad", "AWS_SECRET_ACCESS_KEY": "a wrong secret"},
            error="store-refused", says=("The store refused", "Fix AWS_*"),
        ),
        "no store": Case(
            variables={**s3, "SLUICE_STORE": f"s3://{seaweedfs.bucket}/bad", "AWS_ENDPOINT_URL": f"http://{nobody}"},
            error="store-unavailable", says=("The store did not answer",),
        ),
        "no directory": Case(
            variables={"SLUICE_STORE": "/no/such/directory"},
            error="bucket-missing", says=("does not exist", "Create it"),
        ),
        "wrong key": Case(
            variables={"ARIZE_API_KEY": "a wrong key"},
            error="destination-refused",
            says=("entry 1 part 0: HTTP 403: unable to validate", "Fix ARIZE_API_KEY and the address"),
        ),
        "wrong space": Case(
            variables={"ARIZE_SPACE_ID": "another-space"},
            error="destination-refused",
            says=("entry 1 part 0: HTTP 403: api-key has no access", "fix ARIZE_SPACE_ID; then: sluice resolve"),
        ),
        "no settings": Case(
            variables={"SLUICE_KAFKA_BOOTSTRAP_SERVERS": "", "ARIZE_API_KEY": "", "SLUICE_STORE": ""},
            error="wrong-settings", code=2,
            says=("kafka needs SLUICE_KAFKA_BOOTSTRAP_SERVERS", "store needs SLUICE_STORE", ".env.example explains"),
        ),
        "misspelt setting": Case(
            variables={"SLUICE_STORES": "x", "SLUICE_STORE": ""},
            error="wrong-settings", code=2, says=("SLUICE_STORES: unknown; did you mean SLUICE_STORE?",),
        ),
        "wrong file": Case(
            changed={"arize": {"type": "binary"}, "limits": {"max_record": 5}},
            error="wrong-pipeline-file", code=2,
            says=("arize.type: ", "binary_classification", "limits.max_record: ", "max_records"),
        ),
    }  # fmt: skip


CASES = (
    *("no such topic", "no such partition", "wrong password", "topic not allowed", "group not allowed"),
    *("no bucket", "store refuses", "no store", "no directory", "wrong key", "wrong space"),
    *("no settings", "misspelt setting", "wrong file", "no broker"),
)


@pytest.fixture(scope="module")
def runs(bench: Bench, flights: Written, cases: Mapping[str, Case]) -> Iterator[Mapping[str, Future[Done]]]:
    """A run of each, some side by side."""

    def run(what: str, case: Case) -> Done:
        return bench.run(bench.pipeline(named(what), flights.topic, **case.changed), **case.variables)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {what: pool.submit(run, what, case) for what, case in cases.items()}


def named(what: str) -> str:
    return f"bad-{what.replace(' ', '-')}"


@pytest.mark.parametrize("what", CASES)
def test_what_is_wrong_is_said_in_a_sentence_with_the_next_step(
    bench: Bench, flights: Written, cases: Mapping[str, Case], runs: Mapping[str, Future[Done]], what: str
) -> None:
    case, done = cases[what], runs[what].result()
    assert done.code == case.code, done.err
    assert all(words in done.said for words in case.says), done.said
    assert f"docs/runbook.md#{case.error}" in done.said
    assert (done.found["state"], done.found["message"]) == ("failed", done.said)
    assert {offset for offset, _ in group_offsets(flights.servers, named(what), flights).values()} <= {0}
    assert bench.ids(named(what)) == []


def test_a_wrong_file_is_told_by_every_command_with_its_line(
    bench: Bench, flights: Written, runs: Mapping[str, Future[Done]]
) -> None:
    name = named("wrong file")
    told = runs["wrong file"].result().said
    lines = bench.file(name).read_text().splitlines()
    for key in ("type: binary", "max_record: 5"):
        (line,) = [number for number, text in enumerate(lines, 1) if text.strip() == key]
        assert f"{bench.file(name)}:{line}: " in told
    for verb in ("check", "plan", "status"):
        done = bench.sluice(verb, name)
        assert (done.code, done.said) == (2, told)


def test_every_case_is_one_of_these(cases: Mapping[str, Case]) -> None:
    assert set(CASES) == set(cases)


def test_every_message_leads_to_a_heading_of_the_runbook(cases: Mapping[str, Case]) -> None:
    titles = [line.lstrip("# ").strip() for line in RUNBOOK.read_text().splitlines() if line.startswith("#")]
    headings = {re.sub(r"\W+", "-", title.lower()) for title in titles}
    assert {case.error for case in cases.values()} <= headings


def test_what_is_wrong_before_a_read_leaves_no_ledger(bench: Bench, runs: Mapping[str, Future[Done]]) -> None:
    for what in set(CASES) - {"wrong key", "wrong space"}:
        assert "window.read" not in runs[what].result().steps
        assert list(bench.books(named(what)).store.keys(f"ledger/{named(what)}/entries/")) == []


@pytest.mark.parametrize("what", ["group not allowed", "no bucket", "wrong key", "wrong file"])
def test_what_was_mended_goes_on_as_if_nothing_had_been(
    bench: Bench, flights: Written, runs: Mapping[str, Future[Done]], what: str
) -> None:
    runs[what].result()
    name = bench.pipeline(named(what), flights.topic)
    bench.finished(name)
    assert bench.ids(name) == flights.good
    bench.books(name).audit(flights)
    bench.books(name).audit_delivered()


def test_a_wrong_space_is_mended_by_a_persons_word_which_may_be_cut_off(
    bench: Bench, flights: Written, runs: Mapping[str, Future[Done]]
) -> None:
    runs["wrong space"].result()
    name = bench.pipeline(named("wrong space"), flights.topic)
    assert "resolve FILE --entry 1 readdress" in bench.run(name).said, "sealed for the space that was named"
    word = ("readdress", "--reason", "typed wrong")
    bench.killed(name, "delivery.said:1", "--entry", "1", *word, verb="resolve")
    done = bench.sluice("resolve", name, "--entry", "1", *word)
    assert (done.code, done.found["parts"]) == (0, [1]), "the first part was readdressed already"
    again = bench.sluice("resolve", name, "--entry", "1", *word)
    assert (again.code, "goes to local-space already" in again.said) == (2, True)
    assert bench.sluice("resolve", name, "--entry", "2", *word).code == 0, "two windows were in hand"
    bench.finished(name)
    assert bench.ids(name) == flights.good
    bench.books(name).audit(flights)
    bench.books(name).audit_delivered()
    assert bench.sluice("status", name).found["may_be_counted_twice"] == []


def test_a_user_with_no_more_rights_than_needed_can_run(bench: Bench, kafka: Kafka) -> None:
    written = topic(kafka.bootstrap_servers, partitions=1)
    name = bench.pipeline("bad-no-more-rights", written.topic)
    allow(written, "stranger", topics=[written.topic], groups=[name])
    done = bench.run(name, **logged_in(kafka, "stranger"))
    assert (done.code, done.said) == (0, "")


def test_a_store_that_ignores_conditions_is_found_out_before_anything_rests_on_it(
    bench_on_s3: Bench, flights: Written, strict_s3: str
) -> None:
    requests.put(f"{strict_s3}/forgetful", timeout=30).raise_for_status()
    name = bench_on_s3.pipeline("bad-store-forgets", flights.topic)
    with forgetful(strict_s3) as endpoint:
        done = bench_on_s3.run(name, AWS_ENDPOINT_URL=endpoint, SLUICE_STORE="s3://forgetful/prefix")
    assert done.code == 1
    assert "although the write was conditional" in done.said
    assert "Use a store that honours If-None-Match: *" in done.said
    assert "docs/runbook.md#store-ignores-conditions" in done.said
    assert "window.read" not in done.steps
    assert "<Key>prefix/probe" in (found := requests.get(f"{strict_s3}/forgetful?list-type=2", timeout=30).text)
    assert f"<Key>prefix/ledger/{name}" not in found
    again = bench_on_s3.run(name, AWS_ENDPOINT_URL=strict_s3, SLUICE_STORE="s3://forgetful/prefix")
    assert (again.code, again.said) == (0, "")


@contextmanager
def forgetful(endpoint: str) -> Iterator[str]:
    """A proxy that loses `If-None-Match` on the way to a store, which so overwrites what it must refuse."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "if-none-match"}
            answer = requests.request(self.command, endpoint + self.path, data=body, headers=headers, timeout=30)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()
