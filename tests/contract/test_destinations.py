"""Both ways into Arize behind the same verbs, one suite: by the SDK and as files, on stand-ins in memory and for real.

The real ones are the SDK's own wire and the stand-in's GraphQL with a bucket of moto's.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import polars as pl
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from pydantic import SecretStr
from urllib3 import HTTPResponse

from deployments.local.arize import ArizeStandIn, ImportSettings, ObjectStore, running_arize
from sluice import steps
from sluice.clock import SystemClock
from sluice.connections import Connections
from sluice.destinations.imports.graphql import Graphql
from sluice.destinations.imports.jobs import ImportJobs
from sluice.importing.side import Bucket, ImportSide
from sluice.ingest import ingest
from sluice.opening import ArizeBySdk
from sluice.pipeline import LoadedPipeline, parse_pipeline
from sluice.report import RunReport
from sluice.run import Run
from sluice.settings import ArizeConnection
from sluice.stores.s3 import S3Store
from tests.desk import A0
from tests.imports import MemoryImports
from tests.parts import BUSY, FORBIDS, MemoryArize, MemoryKafka, MemoryStore
from tests.simulation import World

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILE = """
name: flights
kind: predictions
source: {kafka: {topics: [a], group: sluice-flights}}
map:
  prediction_id: id
  timestamp: {path: at, unit: s}
  prediction: {label: label, score: score}
  features: {columns: {carrier: string, distance: float}}
  version: "1"
arize: {model: MODEL, type: binary_classification, path: PATH}
limits: {max_records: 10, parallel_windows: 1, send_timeout_seconds: 10, settle_seconds: 20}
"""
STOPS = ("window.sealed", "group.committing", "run.recorded")
STOPS_OF = {
    "the SDK": ("delivery.accepted",),  # each start of the SDK takes seconds; its other steps: `test_kills`
    "the SDK in memory": ("delivery.intended", "delivery.accepted", "part.delivered", *STOPS),
    "files": ("import.job", "part.put", "part.placed", "part.settled", *STOPS),
    "files in memory": ("import.job", "part.put", "part.placed", "part.settled", *STOPS),
}


class Stopped(BaseException):
    """Ends a run at a step, as a kill would: nothing behind it happens."""


class Arize(Protocol):
    """One of the ways, as this suite needs it."""

    path: str
    model: str

    def connect(self, connections: Connections) -> Connections: ...

    def arrived(self) -> Counter[str]:
        """How often each id is in Arize."""

    def is_busy_once(self) -> None: ...

    def refuses(self) -> str:
        """Refuse what comes from now on; return the error that a run ends with."""

    def accepts_again(self) -> None: ...


class SdkInMemory:
    path, model = "sdk", "flights"

    def __init__(self) -> None:
        self._arize = MemoryArize()

    def connect(self, connections: Connections) -> Connections:
        return replace(connections, destination=self._arize)

    def arrived(self) -> Counter[str]:
        return Counter(f"id {offset}" for _, places in self._arize.arrived for _, _, offset in places)

    def is_busy_once(self) -> None:
        self._arize.script.append(BUSY)

    def refuses(self) -> str:
        self._arize.script.extend([FORBIDS] * 9)
        return "DestinationRefused"

    def accepts_again(self) -> None:
        self._arize.script.clear()


class FilesInMemory:
    path, model = "object_store", "flights"

    def __init__(self) -> None:
        self._imports = MemoryImports(World())

    def connect(self, connections: Connections) -> Connections:
        return replace(connections, destination=MemoryArize(), import_side=self._imports.side)

    def arrived(self) -> Counter[str]:
        keys = [key.removeprefix("ours/") for _, key in self._imports.imported]
        frames = [pl.read_parquet(self._imports.store.objects[key]) for key in keys]
        return Counter(found for frame in frames for found in frame["prediction_id"])

    def is_busy_once(self) -> None:
        self._imports.creations.append("made, unanswered")

    def refuses(self) -> str:
        self._imports.dry_run_says = "bad column"
        return "ImportJobRefused"

    def accepts_again(self) -> None:
        self._imports.dry_run_says = ""


class Real:
    """What both real ways have in common: the stand-in, which speaks Arize's wire and its GraphQL."""

    def __init__(self, arize: ArizeStandIn) -> None:
        self._arize = arize
        self.model = f"flights {uuid.uuid4().hex[:8]}"
        self.connection = ArizeConnection(
            api_key=SecretStr(arize.api_key),
            space_id=arize.space_id,
            host=arize.host,
            port=arize.port,
            scheme="http",
            developer_key=SecretStr(arize.developer_key),
            app_url=arize.url,
        )

    def arrived(self) -> Counter[str]:
        return Counter(self._arize.ids(self.model))

    def accepts_again(self) -> None:
        self._arize.clear_faults()


class RealSdk(Real):
    path = "sdk"

    def connect(self, connections: Connections) -> Connections:
        return replace(connections, destination=ArizeBySdk(pipeline_of(self).pipeline, self.connection))

    def is_busy_once(self) -> None:
        self._arize.script("status", status=429, model=self.model)

    def refuses(self) -> str:
        self._arize.script("status", status=403, times=9, model=self.model)
        return "DestinationRefused"


class RealFiles(Real):
    path = "object_store"

    def __init__(self, arize: ArizeStandIn, store: S3Store, prefix: str, bucket: str = "sluice") -> None:
        super().__init__(arize)
        self.bucket = Bucket(name=bucket, prefix=prefix, store=store)

    def connect(self, connections: Connections) -> Connections:
        def side() -> ImportSide:
            secret = self.connection.developer_key or SecretStr("")
            return ImportSide(
                bucket=self.bucket, jobs=ImportJobs(Graphql(self._arize.graphql_url, secret, SystemClock()))
            )

        sdk = ArizeBySdk(pipeline_of(self).pipeline, self.connection)
        return replace(connections, destination=sdk, import_side=side)

    def is_busy_once(self) -> None:
        self._arize.script_graphql("status", status=429, operation="createFileImportJob", retry_after_s=0.1)

    def refuses(self) -> str:
        self._arize.script_graphql("error", operation="dryRun", message="not allowed", times=9)
        return "ImportJobRefused"


@pytest.fixture(scope="module")
def standing_in(tmp_path_factory: pytest.TempPathFactory, moto_url: str) -> Iterator[ArizeStandIn]:
    objects = ObjectStore(endpoint=moto_url, access_key="key", secret_key="secret")
    quick = ImportSettings(look_every_s=0.2, queries_per_minute=0, mutations_per_minute=0)
    with running_arize(tmp_path_factory.mktemp("arize"), imports=quick, objects=objects) as started:
        yield started


@pytest.fixture(params=[*STOPS_OF])
def arize(request: pytest.FixtureRequest) -> Arize:
    match request.param:
        case "the SDK in memory":
            return SdkInMemory()
        case "files in memory":
            return FilesInMemory()
    started: ArizeStandIn = request.getfixturevalue("standing_in")
    started.clear_faults()
    if request.param == "the SDK":
        return RealSdk(started)
    prefix = f"{uuid.uuid4().hex}/"
    client = boto3.client(
        "s3",
        endpoint_url=request.getfixturevalue("moto_url"),
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    return RealFiles(started, S3Store("sluice", prefix, client), prefix)


def pipeline_of(arize: Arize) -> LoadedPipeline:
    text = FILE.replace("MODEL", arize.model).replace("PATH", arize.path).encode()
    pipeline = parse_pipeline(text, "flights.yaml")
    return LoadedPipeline(pipeline=pipeline, text=text, sha256=f"{hash(text):x}", path=Path("flights.yaml"))


class Sluice:
    """A pipeline on Kafka and a store in memory, run by run."""

    def __init__(self, arize: Arize, scratch: Path) -> None:
        self.arize = arize
        self.kafka = MemoryKafka({"a": 1})
        self._world = World()
        self._store = MemoryStore(self._world)
        self._scratch = scratch
        self._runs = 0

    def produce(self, count: int) -> None:
        first = self.kafka.end(A0)
        self.kafka.produce(A0, *(event(offset) for offset in range(first, first + count)))

    def run(self) -> RunReport:
        self._runs += 1
        scratch = self._scratch / str(self._runs)
        scratch.mkdir()
        connections = self.arize.connect(
            Connections(
                store=self._store,
                source=self.kafka,
                destination=MemoryArize(),
                clock=SystemClock(),
                scratch=scratch,
            )
        )
        try:
            run = Run(pipeline_of(self.arize), connections, f"run {self._runs}")
            return ingest(run, run.report(), parallel_windows=1)
        finally:
            if isinstance(connections.destination, ArizeBySdk):
                connections.destination.close()

    def check(self) -> None:
        """All that was produced is in Arize, once, and the group is behind it."""
        end = self.kafka.end(A0)
        assert self.arize.arrived() == Counter(f"id {offset}" for offset in range(end))
        assert self.kafka.group[A0].offset == end


def event(offset: int) -> bytes:
    made = {"id": f"id {offset}", "at": time.time(), "label": "late", "score": 0.5, "carrier": "UA", "distance": 1.5}
    return json.dumps(made).encode()


@pytest.fixture
def sluice(arize: Arize, tmp_path: Path) -> Sluice:
    made = Sluice(arize, tmp_path)
    made.produce(25)
    return made


def test_all_that_is_read_arrives_once_and_the_group_follows(sluice: Sluice) -> None:
    report = sluice.run()
    assert (report.state, report.rows_accepted) == ("done", 25)
    sluice.check()


def test_another_run_sends_nothing_and_one_behind_new_records_sends_these(sluice: Sluice) -> None:
    sluice.run()
    assert sluice.run().windows == ()
    sluice.produce(5)
    assert sluice.run().rows_accepted == 5
    sluice.check()


@pytest.mark.parametrize(
    ("arize", "at"), [(way, at) for way, every in STOPS_OF.items() for at in every], indirect=["arize"]
)
def test_a_run_that_stops_at_any_step_is_finished_by_the_next(
    sluice: Sluice, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(steps, "_drill", stop_at(at))
        with pytest.raises(Stopped):
            sluice.run()
    assert sluice.run().state == "done"
    if at == "delivery.intended":  # whether the rows went out is not known: the SDK cannot tell
        assert set(sluice.arize.arrived()) == {f"id {offset}" for offset in range(25)}
    else:
        sluice.check()


def test_an_arize_that_is_busy_for_a_moment_is_waited_for(sluice: Sluice) -> None:
    sluice.arize.is_busy_once()
    assert sluice.run().state == "done"
    sluice.check()


def test_an_arize_that_refuses_loses_nothing(sluice: Sluice) -> None:
    error = sluice.arize.refuses()
    report = sluice.run()
    assert (report.state, report.error) == ("failed", error)
    assert sluice.arize.arrived() == Counter()
    assert sluice.kafka.group[A0].offset == 0
    sluice.arize.accepts_again()
    assert sluice.run().state == "done"
    sluice.check()


def stop_at(wanted: str) -> Callable[[str, int], None]:
    def stop(event: str, _: int) -> None:
        if event == wanted:
            raise Stopped

    return stop


# ── the bucket that Arize reads


@pytest.fixture
def files(standing_in: ArizeStandIn, moto_url: str, tmp_path: Path) -> tuple[Sluice, S3Client]:
    """A pipeline by files, and the client of a bucket of its own."""
    standing_in.clear_faults()
    client = boto3.client(
        "s3",
        endpoint_url=moto_url,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    bucket = f"imports-{uuid.uuid4().hex[:8]}"
    client.create_bucket(Bucket=bucket)
    made = Sluice(RealFiles(standing_in, S3Store(bucket, "", client), "", bucket=bucket), tmp_path)
    made.produce(25)
    return made, client


def answer(status: int, code: str) -> AWSResponse:
    body = f"<Error><Code>{code}</Code></Error>".encode()
    return AWSResponse("http://s3", status, HTTPHeaders(), HTTPResponse(BytesIO(body), preload_content=False))


def bucket_of(sluice: Sluice) -> str:
    assert isinstance(sluice.arize, RealFiles)
    return sluice.arize.bucket.name


def test_credentials_that_expire_in_the_middle_end_the_run_and_the_next_one_goes_on(
    files: tuple[Sluice, S3Client],
) -> None:
    sluice, client = files
    puts: list[str] = []

    def expire(request: Any, **_: object) -> AWSResponse | None:
        puts.append(request.url)
        is_second_file = sum("/import/" in url for url in puts) >= 2
        return answer(400, "ExpiredToken") if is_second_file else None

    client.meta.events.register("before-send.s3.PutObject", expire)  # type: ignore[arg-type]  # its answer is taken
    report = sluice.run()
    assert (report.state, report.error) == ("failed", "StoreRefused")
    client.meta.events.unregister("before-send.s3.PutObject", expire)  # type: ignore[arg-type]
    assert sluice.run().state == "done"
    sluice.check()


def test_a_bucket_that_is_gone_stops_the_run_before_it_reads(files: tuple[Sluice, S3Client]) -> None:
    sluice, client = files
    client.delete_bucket(Bucket=bucket_of(sluice))
    report = sluice.run()
    assert (report.state, report.error, report.windows) == ("failed", "BucketMissing", ())
    client.create_bucket(Bucket=bucket_of(sluice))
    assert sluice.run().state == "done"
    sluice.check()


def test_a_bucket_that_goes_in_the_middle_loses_nothing(files: tuple[Sluice, S3Client]) -> None:
    sluice, client = files
    gone: list[str] = []

    def forget(request: Any, **_: object) -> AWSResponse | None:
        if "/import/" in request.url:
            gone.append(request.url)
        return answer(404, "NoSuchBucket") if len(gone) >= 2 else None

    client.meta.events.register("before-send.s3.PutObject", forget)  # type: ignore[arg-type]
    assert sluice.run().error == "BucketMissing"
    client.meta.events.unregister("before-send.s3.PutObject", forget)  # type: ignore[arg-type]
    assert sluice.run().state == "done"
    sluice.check()


def test_a_bucket_that_overwrites_is_refused_before_anything_is_read(files: tuple[Sluice, S3Client]) -> None:
    sluice, client = files

    def overwrite(params: dict[str, Any], **_: object) -> None:
        params["headers"].pop("If-None-Match", None)

    client.meta.events.register("before-call.s3.PutObject", overwrite)
    report = sluice.run()
    assert (report.state, report.error, report.windows) == ("failed", "StoreIgnoresConditions", ())
