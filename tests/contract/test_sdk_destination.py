"""The real SDK in a real child process, against the stand-in and against servers that misbehave below it."""

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deployments.local.arize import ArizeStandIn, running_arize
from deployments.local.ports import free_port
from deployments.local.processes import wait_until
from sluice.answers import Answer
from sluice.clock import elapsed_s
from sluice.destinations.sdk import SdkDestination, Target
from sluice.destinations.sdk_child import _SENDER
from sluice.errors import DeliveryRefused, DestinationRefused, DestinationUnavailable, SluiceError

ROOT = Path(__file__).parents[2]
KEY = "canary-key-7f3a"
VALUE = "canary-value-91bc"
ENOUGH_S = 60.0
NOW = datetime.now(tz=UTC).timestamp()


class Key:
    def get_secret_value(self) -> str:
        return KEY


class Sending:
    """A destination for one test's model, and that model's calls at the stand-in."""

    def __init__(self, arize: ArizeStandIn, destination: SdkDestination, model: str) -> None:
        self.arize, self.destination, self.model = arize, destination, model

    def target(self, **changed: Any) -> Target:
        whole = {"space_id": self.arize.space_id, "model": self.model, "type": "binary_classification", "version": "1"}
        return Target(**(whole | changed))

    def send(self, file: Path, *, rows: int = 3, timeout_s: float = ENOUGH_S, **changed: Any) -> Answer:
        return self.destination.send(file, self.target(**changed), rows=rows, timeout_s=timeout_s)

    def fault(self, kind: str, **fault: Any) -> None:
        self.arize.script(kind, model=self.model, **fault)

    def calls(self) -> list[dict[str, Any]]:
        return self.arize.calls(model=self.model)

    def arrived(self) -> pl.DataFrame:
        table = pl.from_arrow(self.arize.table(self.model))
        assert isinstance(table, pl.DataFrame)
        return table


@pytest.fixture(scope="module")
def arize(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArizeStandIn]:
    with running_arize(tmp_path_factory.mktemp("arize"), api_key=KEY) as standin:
        yield standin


@pytest.fixture(scope="module")
def destination(arize: ArizeStandIn) -> Iterator[SdkDestination]:
    with connected(arize) as one:
        yield one


@pytest.fixture
def sending(arize: ArizeStandIn, destination: SdkDestination, request: pytest.FixtureRequest) -> Sending:
    return Sending(arize, destination, request.node.name)


@pytest.fixture
def warm(sending: Sending, staged: Path) -> Sending:
    """One whose sender has imported everything, so that a short time limit is spent on the wire."""
    assert sending.send(staged, model="warm-up").kind == "accepted"
    return sending


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    return written(tmp_path, rows_of("1", 3))


def test_what_arrives_is_what_was_staged(sending: Sending, tmp_path: Path) -> None:
    file = written(tmp_path, awkward_rows())
    outcome = sending.send(file, rows=4)
    assert outcome == Answer(kind="accepted", status=200, rows=4)
    expected = awkward_rows().drop("topic", "partition", "offset", "version").rename({"prediction_ts": "timestamp"})
    arrived = sending.arrived().select(expected.columns)
    assert arrived.equals(expected.cast({"feature/kind": pl.String}), null_equal=True)
    (call,) = sending.calls()
    assert (call["version"], call["environment"], call["model_type"]) == ("1", "production", "score_categorical")
    assert call["headers"]["arize-space-id"] == sending.arize.space_id


def test_a_part_is_the_rows_of_its_version_in_the_files_order(sending: Sending, tmp_path: Path) -> None:
    rows = pl.concat([rows_of("1", 40_000), rows_of("2", 60_000)]).sample(fraction=1, shuffle=True, seed=4)
    file = written(tmp_path, rows, row_group_size=7_000)
    for version, count in (("1", 40_000), ("2", 60_000)):
        assert sending.send(file, version=version, rows=count).rows == count
        part = rows.filter(pl.col("version") == version)
        assert sending.arize.ids(sending.model, version=version) == part["prediction_id"].to_list()


def test_a_constant_version_needs_no_column(sending: Sending, tmp_path: Path) -> None:
    file = written(tmp_path, rows_of("1", 3).drop("version"))
    assert sending.send(file, version="2013.4").rows == 3
    assert sending.calls()[0]["version"] == "2013.4"


def test_actuals_go_without_a_version(sending: Sending, tmp_path: Path) -> None:
    rows = rows_of("1", 3).select("prediction_id", "prediction_ts", actual_label="prediction_label")
    assert sending.send(written(tmp_path, rows), version=None).rows == 3
    (call,) = sending.calls()
    assert (call["kind"], call["version"]) == ("actuals", "")
    assert sending.arrived()["actual_label"].to_list() == rows["actual_label"].to_list()


def test_a_regressions_labels_are_numbers(sending: Sending, tmp_path: Path) -> None:
    rows = rows_of("1", 3).drop("prediction_score").with_columns(prediction_label=pl.Series([0.5, 0.0, -3.25]))
    assert sending.send(written(tmp_path, rows), type="regression").rows == 3
    assert sending.calls()[0]["model_type"] == "numeric"
    assert sending.arrived()["prediction_label"].to_list() == [0.5, 0.0, -3.25]


def test_another_number_of_rows_than_sealed_is_refused_and_nothing_is_sent(sending: Sending, staged: Path) -> None:
    for rows in (2, 4):
        outcome = sending.send(staged, rows=rows)
        assert outcome.reason == f"the staged file holds 3 rows of this part, not {rows}"
        assert (outcome.kind, outcome.retry, outcome.error) == ("refused", False, DeliveryRefused)
    assert sending.calls() == []


@pytest.mark.parametrize("damage", ["missing", "cut short", "no parquet"])
def test_a_file_that_cannot_be_read_is_refused(sending: Sending, staged: Path, damage: str) -> None:
    content = staged.read_bytes()
    staged.unlink()
    if damage != "missing":
        staged.write_bytes(content[:-100] if damage == "cut short" else VALUE.encode() * 100)
    outcome = sending.send(staged)
    assert (outcome.kind, outcome.retry) == ("refused", False)
    assert "the staged file cannot be read" in outcome.reason
    assert VALUE not in outcome.reason
    assert sending.calls() == []


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "refused", DeliveryRefused),
        (401, "refused", DestinationRefused),
        (403, "refused", DestinationRefused),
        (413, "refused", DeliveryRefused),
        (422, "refused", DeliveryRefused),
        (429, "refused", DestinationUnavailable),
        (500, "unknown", None),
        (503, "unknown", None),
    ],
)
def test_an_error_status_is_an_outcome_and_is_not_tried_again(
    sending: Sending, staged: Path, status: int, kind: str, error: type[SluiceError] | None
) -> None:
    sending.fault("status", status=status, message=f"because of {KEY}\n")
    outcome = sending.send(staged)
    assert (outcome.kind, outcome.status, outcome.error) == (kind, status, error)
    assert outcome.retry == (status == 429)
    assert outcome.reason == (f"HTTP {status}: because of …" if status < 500 else f"HTTP {status}")
    assert len(sending.calls()) == 1
    assert sending.send(staged).kind == "accepted"


def test_a_connection_that_drops_after_the_rows_were_stored_is_unknown(sending: Sending, staged: Path) -> None:
    sending.fault("store_then_drop")
    outcome = sending.send(staged)
    assert (outcome.kind, outcome.status) == ("unknown", None)
    assert "RemoteDisconnected" in outcome.reason
    assert len(sending.arize.ids(sending.model)) == 3


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_the_time_limit_holds_on_the_whole(warm: Sending, staged: Path, kind: str) -> None:
    warm.fault(kind, seconds=0.1)
    started = time.monotonic()
    outcome = warm.send(staged, timeout_s=2.5)
    assert 2.4 < time.monotonic() - started < 4
    assert (outcome.kind, outcome.status, outcome.retry) == ("unknown", None, False)
    assert len(warm.calls()) == 1
    assert warm.send(staged).kind == "accepted"


def test_a_time_limit_that_ends_before_the_rows_go_out_is_a_refusal(arize: ArizeStandIn, staged: Path) -> None:
    with connected(arize) as destination:
        sending = Sending(arize, destination, "too-early")
        for timeout_s in (0.05, 0, -1):  # the imports take longer
            outcome = sending.send(staged, timeout_s=timeout_s)
            assert (outcome.kind, outcome.retry) == ("refused", True)
            assert "nothing was sent" in outcome.reason
    assert sending.calls() == []


def test_a_sender_that_starts_slowly_is_not_begun_anew_for_each_try(
    arize: ArizeStandIn, staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "gate")
    monkeypatch.setattr("sluice.destinations.sdk_child._SENDER", f"open({str(tmp_path / 'gate')!r}).read(); {_SENDER}")
    with connected(arize) as destination:
        sending = Sending(arize, destination, "slow-start")
        for timeout_s in (0.05, 0.2):
            outcome = sending.send(staged, timeout_s=timeout_s)
            assert (outcome.kind, outcome.retry) == ("refused", True)
            assert outcome.reason == "the sender was still starting; nothing was sent"
        one = sender_of(destination)
        (tmp_path / "gate").write_text("")
        assert sending.send(staged).kind == "accepted"
        assert sender_of(destination) == one
    assert len(sending.calls()) == 1


def test_a_sender_that_never_starts_is_replaced(
    arize: ArizeStandIn, staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "gate")
    monkeypatch.setattr("sluice.destinations.sdk_child._SENDER", f"open({str(tmp_path / 'gate')!r}).read()")
    monkeypatch.setattr("sluice.destinations.sdk_child._START_S", 0)
    with connected(arize) as destination:
        sending = Sending(arize, destination, "no-start")
        outcome = sending.send(staged, timeout_s=0.05)
        assert (outcome.kind, outcome.retry) == ("refused", True)
        monkeypatch.undo()
        assert sending.send(staged).kind == "accepted"


@pytest.mark.parametrize(("left_s", "kind"), [(2.5, "unknown"), (-1, "refused")])
def test_a_sender_keeps_the_time_limit_though_its_parent_sleeps_through_it(
    warm: Sending, staged: Path, monkeypatch: pytest.MonkeyPatch, left_s: float, kind: str
) -> None:
    warm.fault("hang")
    late = elapsed_s() - ENOUGH_S
    monkeypatch.setattr("sluice.destinations.sdk.elapsed_s", lambda: late + left_s)
    monkeypatch.setattr("sluice.destinations.sdk_child.elapsed_s", lambda: late)
    child = warm.destination._senders[0]._child
    assert child is not None
    try:
        outcome = warm.send(staged)
    finally:
        warm.arize.clear_faults()
    assert (outcome.kind, len(warm.calls())) == (kind, kind == "unknown"), outcome
    assert child.alive, "nobody had to kill it"


def test_a_send_that_finds_no_sender_free_in_time_is_refused(warm: Sending, staged: Path) -> None:
    with hanging(warm, staged):
        outcome = warm.send(staged, timeout_s=0.1)
    assert (outcome.kind, outcome.retry) == ("refused", True)
    assert "no sender was free" in outcome.reason
    assert len(warm.calls()) == 1


def test_a_killed_sender_leaves_an_unknown_outcome_and_is_replaced(warm: Sending, staged: Path) -> None:
    with hanging(warm, staged) as outcome:
        os.kill(sender_of(warm.destination), signal.SIGKILL)
        assert outcome.result(ENOUGH_S).reason == "the sender died (status -9) after the rows began to go out"
        assert outcome.result().kind == "unknown"
    assert warm.send(staged).kind == "accepted"


def test_a_sender_that_died_while_it_was_idle_is_replaced(warm: Sending, staged: Path) -> None:
    child = warm.destination._senders[0]._child
    assert child is not None
    os.kill(child._process.pid, signal.SIGKILL)
    wait_until(lambda: not child.alive, 20, "the sender to be gone")
    assert warm.send(staged).kind == "accepted"


def test_leaving_ends_a_sender_in_the_middle_of_its_send_and_removes_its_rows(
    arize: ArizeStandIn, staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with connected(arize) as destination:
        sending = Sending(arize, destination, "leaving")
        pid = sender_of(destination)
        with hanging(sending, staged) as outcome:
            assert list(tmp_path.glob("sluice-sending-*/*"))
            destination.__exit__()
            assert outcome.result(ENOUGH_S).kind == "unknown"
        with pytest.raises(RuntimeError, match="closed"):
            sending.send(staged)
    assert is_gone(pid)
    assert not list(tmp_path.glob("sluice-sending-*"))


def test_parallel_sends_have_a_sender_each(arize: ArizeStandIn, staged: Path) -> None:
    with connected(arize, parallel=2) as destination, hanging(Sending(arize, destination, "stuck"), staged) as stuck:
        assert Sending(arize, destination, "passing").send(staged).kind == "accepted"
        assert not stuck.done()


def test_senders_beyond_those_that_were_started_start_when_a_send_needs_them(arize: ArizeStandIn, staged: Path) -> None:
    destination = connected(arize, parallel=2)
    try:
        destination.start(1)
        with hanging(Sending(arize, destination, "taken"), staged):
            assert [sender._child is None for sender in destination._senders] == [False, True]
            assert Sending(arize, destination, "another").send(staged).kind == "accepted"
    finally:
        destination.__exit__()


PARENT = """
import os, sys
from pathlib import Path
from sluice.destinations.sdk import SdkDestination, Target

class Key:
    def get_secret_value(self):
        return sys.stdin.readline().strip()

host, port, space, file, fork = sys.argv[1:]
with SdkDestination(api_key=Key(), host=host, port=int(port), scheme="http") as destination:
    print(destination._senders[0]._child._process.pid, flush=True)
    if fork == "fork" and os.fork() == 0:  # holds a copy of the sender's stdin until the test ends
        sys.stdin.read()
        os._exit(0)
    target = Target(space_id=space, model="orphan-" + fork, type="binary_classification", version="1")
    destination.send(Path(file), target, rows=3, timeout_s=600)
"""


@pytest.mark.parametrize("fork", ["fork", "alone"])
def test_a_sender_in_the_middle_of_its_send_ends_with_a_killed_parent(
    arize: ArizeStandIn, staged: Path, tmp_path: Path, fork: str
) -> None:
    arize.script("hang", model=f"orphan-{fork}")
    command = [sys.executable, "-c", PARENT, arize.host, str(arize.port), arize.space_id, str(staged), fork]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(f"{KEY}\n")
        parent.stdin.flush()
        pid = int(parent.stdout.readline())
        wait_until(lambda: bool(arize.calls(model=f"orphan-{fork}")), 30, "the send to hang")
        parent.kill()
        wait_until(lambda: is_gone(pid), 5, "the sender to be gone")
    assert not list(tmp_path.glob("sluice-sending-*"))


def test_the_key_shows_nowhere(warm: Sending, staged: Path) -> None:
    shown = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert "sdk_sender" in shown
    assert KEY not in shown
    environ = Path(f"/proc/{sender_of(warm.destination)}/environ")
    assert not environ.exists() or KEY.encode() not in environ.read_bytes()
    assert KEY not in repr(warm.destination) + repr(vars(warm.destination))


def test_neither_the_sdks_variables_nor_netrc_change_where_the_rows_go_or_the_key(
    arize: ArizeStandIn, staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ARIZE_REGION", "eu-west-1a")
    monkeypatch.setenv("ARIZE_SINGLE_HOST", "127.0.0.2")
    monkeypatch.setenv("ARIZE_API_KEY", "another")
    with connected(arize) as destination:
        assert Sending(arize, destination, "variables").send(staged).kind == "accepted"


def test_what_others_print_in_the_sender_does_not_get_between_its_answers(
    arize: ArizeStandIn, staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "print('starting')\n"
        "sys.addaudithook(lambda event, _: event == 'http.client.send' and os.write(1, b'{no answer}\\n'))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with connected(arize) as destination:
        assert Sending(arize, destination, "noise").send(staged).kind == "accepted"


@pytest.mark.parametrize("which", ["closed port", "no such name", "no TLS", "closed proxy"])
def test_a_server_that_cannot_be_reached_is_proven_not_to_have_the_rows(
    arize: ArizeStandIn, staged: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    places: dict[str, tuple[str, int, str]] = {
        "closed port": ("127.0.0.1", free_port(), "http"),
        "no such name": ("no-such-host.invalid", 80, "http"),
        "no TLS": (arize.host, arize.port, "https"),
        "closed proxy": ("arize.invalid", 443, "https"),
    }
    if which == "closed proxy":
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    host, port, scheme = places[which]
    with SdkDestination(api_key=Key(), host=host, port=port, scheme=scheme) as destination:
        outcome = Sending(arize, destination, "unreachable").send(staged)
    assert (outcome.kind, outcome.status, outcome.retry) == ("refused", None, True), outcome
    assert outcome.error is DestinationUnavailable
    assert outcome.reason.startswith("nothing was sent (")


def test_below_http_what_was_begun_is_unknown_and_a_redirect_is_not_followed(
    arize: ArizeStandIn, tmp_path: Path
) -> None:
    file = written(tmp_path, rows_of("1", 100_000))
    moved = f"Location: {arize.url}/v1/pandas_arrow\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    cases: list[tuple[Callable[[socket.socket], None], str, int | None]] = [
        (reset, "unknown", None),
        (partial(answer, 301, moved), "refused", 301),
        (partial(answer, 302, moved), "refused", 302),
        (partial(answer, 303, moved), "unknown", 303),
        (partial(answer, 307, moved), "refused", 307),
    ]
    with (
        listening([behave for behave, _, _ in cases]) as port,
        SdkDestination(api_key=Key(), host="127.0.0.1", port=port, scheme="http") as destination,
    ):
        for _, kind, status in cases:
            outcome = Sending(arize, destination, "below").send(file, rows=100_000)
            assert (outcome.kind, outcome.status, outcome.retry) == (kind, status, False), outcome
    assert arize.calls(model="below") == []


def connected(arize: ArizeStandIn, parallel: int = 1) -> SdkDestination:
    return SdkDestination(api_key=Key(), host=arize.host, port=arize.port, scheme="http", parallel=parallel)


@contextmanager
def hanging(sending: Sending, file: Path) -> Iterator[Future[Answer]]:
    """A send that Arize has received whole and does not answer, from another thread."""
    sending.fault("hang")
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(sending.send, file)
        try:
            wait_until(lambda: outcome.done() or bool(sending.calls()), ENOUGH_S, "the send to hang")
            yield outcome
        finally:
            sending.arize.clear_faults()


@contextmanager
def listening(behaviours: Sequence[Callable[[socket.socket], None]]) -> Iterator[int]:
    """A server that treats each connection in turn as it is told, and then takes no more."""

    def serve() -> None:
        for behave in behaviours:
            peer, _ = server.accept()
            with peer:
                behave(peer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(ENOUGH_S)


def reset(peer: socket.socket) -> None:
    """Read the head and a first piece of the body, then reset the connection."""
    peer.recv(65_536)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer(status: int, rest: str, peer: socket.socket) -> None:
    """Read the whole request, then answer."""
    with peer.makefile("rb") as request:
        length = 0
        while (line := request.readline().lower()) != b"\r\n":
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        request.read(length)
    peer.sendall(f"HTTP/1.1 {status} Moved\r\n{rest}".encode())


def sender_of(destination: SdkDestination) -> int:
    child = destination._senders[0]._child
    assert child is not None
    return child._process.pid


def is_gone(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not state.strip() or state.startswith("Z")  # a zombie is dead: whoever inherited it has not looked yet


def rows_of(version: str, count: int) -> pl.DataFrame:
    number = pl.int_range(count, eager=True)
    return pl.DataFrame(
        {
            "topic": pl.repeat("flights", count, eager=True),
            "partition": pl.repeat(0, count, dtype=pl.Int32, eager=True),
            "offset": number,
            "prediction_id": pl.select(pl.format("{}-{}", pl.lit(version), number)).to_series(),
            "prediction_ts": NOW - number * 0.001,
            "version": pl.repeat(version, count, eager=True),
            "prediction_label": pl.repeat("late", count, eager=True),
            "prediction_score": number / count,
            "feature/distance": number.cast(pl.Float64),
            "tag/note": pl.repeat(VALUE, count, eager=True),
        }
    )


def awkward_rows() -> pl.DataFrame:
    """Nulls, NaN, every type, milliseconds, and features whose names are Arize's own or look nested."""
    return rows_of("1", 4).with_columns(
        pl.Series("prediction_ts", [1_757_000_000.001, 1_757_000_000.999, 1_757_000_001.0, 1_757_000_001.123]) + YEARS,
        pl.Series("prediction_score", [0.0, None, float("nan"), 1e-300]),
        pl.Series("prediction_label", ["late", "", "ünï\n", "0"]),
        pl.Series("feature/prediction_score", [1, None, -3, 2**53]),
        pl.Series("feature/version", ["a", None, "", "𝛑"]),
        pl.Series("feature/a", [True, None, False, True]),
        pl.Series("feature/a.b", [0.5, None, float("inf"), float("nan")]),
        pl.Series("feature/kind", ["x", "y", None, "x"], dtype=pl.Categorical),
        pl.Series("feature/words", [["a", "b"], [], None, ["c"]]),
        pl.Series("tag/offset", [9_007_199_254_740_993, 0, -1, None]),
        pl.Series("tag/host", [None, "h", "h", "h"], dtype=pl.String),
    )


YEARS = (datetime.now(tz=UTC).year - 2025) * 31_536_000  # the SDK refuses what is older than five years


def written(folder: Path, rows: pl.DataFrame, row_group_size: int | None = None) -> Path:
    file = folder / f"version=3{VALUE}.parquet"  # a name that must not be taken for a partition
    rows.write_parquet(file, compression="zstd", row_group_size=row_group_size)
    return file
