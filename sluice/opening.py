"""From a pipeline file and settings to an opened run."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sluice.answers import Answer
from sluice.clock import SystemClock
from sluice.connections import Connections, RunOptions
from sluice.destinations.sdk import SdkDestination, Target
from sluice.errors import WrongSettings
from sluice.importing.side import Bucket, ImportSide
from sluice.ledger import entries
from sluice.offsets import Bounds, GroupOffset, OffsetRange, Partition
from sluice.pacing import MachinePace, Pace, unpaced
from sluice.pipeline import LoadedPipeline, Pipeline
from sluice.records import ReadRange
from sluice.run import Run
from sluice.settings import ArizeConnection, KafkaProperties, Settings
from sluice.sources.kafka import KafkaSource
from sluice.sources.kafka_reader import Reader
from sluice.sources.limits import ReadLimits
from sluice.stores.opening import open_store

PaceOf = Callable[[ArizeConnection], Pace]
_TAP_STALL_S = 20.0  # below the seconds of a sample, so that a broker that is silent is told as that


def machine_pace(arize: ArizeConnection) -> Pace:
    """The pace of a space, kept by all its runs on this machine."""
    return MachinePace(arize.space_id, arize.rows_per_second, SystemClock()) if arize.rows_per_second else unpaced


@contextmanager
def opened_run(
    loaded: LoadedPipeline,
    settings: Settings,
    run_id: str,
    options: RunOptions | None = None,
    pace_of: PaceOf = machine_pace,
) -> Iterator[Run]:
    """Open everything that a run needs, and close it behind.

    Args:
        pace_of: the pace that all runs of an Arize space keep together; by default those of this machine.

    Raises:
        WrongSettings: something is not set; nothing was opened.
    """
    pipeline = loaded.pipeline
    kafka, arize = pipeline.source.kafka.connection, pipeline.arize.connection
    settings.require(kafka=kafka, store=True, arize=arize, hash_key=bool(pipeline.hash))
    if loaded.waits_for is not None:
        settings.require(kafka=loaded.waits_for.source.kafka.connection)
    _check_import(pipeline, settings)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-")))
        space = settings.arize(arize)
        connections = Connections(
            store=open_store(settings.store()),
            source=stack.enter_context(_kafka(pipeline, settings.kafka(kafka))),
            destination=stack.enter_context(_arize(pipeline, space)),
            clock=SystemClock(),
            pace=pace_of(space),
            scratch=scratch,
            hash_key=settings.hash_key().get_secret_value() if pipeline.hash else "",
            import_side=lambda: stack.enter_context(_import_side(pipeline, settings)),
            predictions=lambda: stack.enter_context(_predictions(loaded, settings)),
        )
        yield Run(loaded, connections, run_id, options)


@contextmanager
def opened_tap(settings: Settings, connection: str, *, group: str, hash_key: bool = False) -> Iterator[KafkaTap]:
    """Open Kafka alone, to look at records: neither store nor Arize.

    Args:
        connection: its name.
        group: the name that reading goes by; no group is joined or moved.
        hash_key: whether that is needed too.

    Raises:
        WrongSettings: something is not set, or librdkafka does not take it.
    """
    settings.require(kafka=connection, hash_key=hash_key)
    with KafkaSource(settings.kafka(connection), group=group) as source:
        yield KafkaTap(source)


class KafkaWindows:
    """Kafka as a run needs it: one reader a thread, made when its first window is read, made anew after an error."""

    def __init__(self, source: KafkaSource, pipeline: Pipeline) -> None:
        limits = pipeline.limits
        self._source = source
        self._on_expired = pipeline.policies.on_expired
        self._limits = ReadLimits(
            max_records=limits.max_records, max_bytes=limits.max_bytes, max_seconds=limits.max_seconds
        )
        self._readers = threading.local()
        self.stop = threading.Event()

    def snapshot(self, topics: Sequence[str]) -> dict[Partition, Bounds]:
        return self._source.snapshot(topics)

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        return self._source.topic_ids(topics)

    def offsets_at(self, partitions: Sequence[Partition], timestamp_ms: int) -> dict[Partition, int]:
        return self._source.offsets_at(partitions, timestamp_ms)

    def retention_s(self, topics: Sequence[str]) -> dict[str, float]:
        return self._source.retention_s(topics)

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, GroupOffset]:
        return self._source.committed(partitions)

    def commit(self, offsets: Sequence[GroupOffset]) -> None:
        self._source.commit(offsets)

    def read(self, ranges: Sequence[OffsetRange], epochs: Mapping[Partition, int]) -> list[ReadRange]:
        reader: Reader | None = getattr(self._readers, "one", None)
        if reader is None:
            reader = self._readers.one = self._source.reader(stop=self.stop)
        try:
            return reader.read(ranges, limits=self._limits, on_expired=self._on_expired, epochs=epochs)
        except BaseException:
            # What it had read ahead is in doubt: a retry begins with a new consumer at the ledger's position.
            reader.close()
            self._readers.one = None
            raise


class KafkaTap:
    """Kafka as a sample needs it: a reader that looks, and nothing that could move a group."""

    def __init__(self, source: KafkaSource) -> None:
        self._source = source
        self._stop = threading.Event()
        self._reader = source.reader(stop=self._stop, stall_s=_TAP_STALL_S)

    def snapshot(self, topics: Sequence[str], partitions: Collection[int] | None = None) -> dict[Partition, Bounds]:
        return self._source.snapshot(topics, partitions)

    def read(self, ranges: Sequence[OffsetRange], *, max_bytes: int, max_seconds: float) -> list[ReadRange]:
        most = max(1, sum(item.span for item in ranges))
        limits = ReadLimits(max_records=most, max_bytes=max_bytes, max_seconds=max_seconds)
        self._stop.clear()
        # A reader that has got nowhere goes on behind its limit, as behind gigabytes of aborted records: a look ends.
        timer = threading.Timer(max_seconds, self._stop.set)
        timer.start()
        try:
            return self._reader.read(ranges, limits=limits, on_expired="record")
        finally:
            timer.cancel()


class ArizeBySdk:
    """Arize as a run needs it, by the SDK path; its senders start when there is something to send."""

    def __init__(self, pipeline: Pipeline, arize: ArizeConnection) -> None:
        self._space = arize.space_id
        self._sdk = SdkDestination(
            api_key=arize.api_key,
            host=arize.host,
            port=arize.port,
            scheme=arize.scheme,
            parallel=pipeline.limits.parallel_windows,
        )
        self._is_ready = False
        self._lock = threading.Lock()

    def resolve(self, pipeline: Pipeline) -> entries.Destination:
        arize = pipeline.arize
        return entries.Destination(
            path=arize.path,
            connection=arize.connection,
            space=self._space,
            model=arize.model,
            type=arize.type,
            environment=arize.environment,
        )

    def get_ready(self, sends: int) -> None:
        with self._lock:
            if not self._is_ready:
                self._sdk.start(sends)
                self._is_ready = True

    def send(self, file: Path, to: entries.Destination, part: entries.Part, timeout_s: float) -> Answer:
        target = Target(
            space_id=to.space, model=to.model, type=to.type, environment=to.environment, version=part.version
        )
        return self._sdk.send(file, target, rows=part.rows, timeout_s=timeout_s)

    def close(self) -> None:
        self._sdk.__exit__()


@contextmanager
def _kafka(pipeline: Pipeline, properties: KafkaProperties) -> Iterator[KafkaWindows]:
    with KafkaSource(properties, group=pipeline.source.kafka.group) as source:
        windows = KafkaWindows(source, pipeline)
        try:
            yield windows
        finally:
            windows.stop.set()


@contextmanager
def _predictions(loaded: LoadedPipeline, settings: Settings) -> Iterator[KafkaWindows]:
    """Open Kafka as the predictions are read for which actuals wait."""
    if loaded.waits_for is None:
        raise LookupError(f"{loaded.pipeline.name} waits for no predictions")
    with _kafka(loaded.waits_for, settings.kafka(loaded.waits_for.source.kafka.connection)) as windows:
        yield windows


@contextmanager
def _arize(pipeline: Pipeline, connection: ArizeConnection) -> Iterator[ArizeBySdk]:
    destination = ArizeBySdk(pipeline, connection)
    try:
        yield destination
    finally:
        destination.close()


def _check_import(pipeline: Pipeline, settings: Settings) -> None:
    """Check what the import path needs of the settings, where the pipeline goes that way."""
    if pipeline.arize.path == "object_store":
        settings.import_store()
        if pipeline.arize.import_job == "managed" and settings.arize(pipeline.arize.connection).developer_key is None:
            raise WrongSettings(
                "arize.import_job is managed, and there is no developer key to make import jobs with",
                "Set ARIZE_DEVELOPER_KEY, or make the job in Arize and say arize.import_job: existing",
            )


@contextmanager
def _import_side(pipeline: Pipeline, settings: Settings) -> Iterator[ImportSide]:
    """Open the bucket that Arize reads, and Arize's GraphQL where there is a key for it."""
    # Imported here: a run by the SDK needs neither.
    from sluice.destinations.imports.graphql import opened_graphql
    from sluice.destinations.imports.jobs import ImportJobs

    connection, arize = settings.import_store(), settings.arize(pipeline.arize.connection)
    store = open_store(connection)
    parts = urlsplit(connection.url)
    folder = unquote(parts.path).strip("/")
    bucket = Bucket(name=parts.netloc, prefix=f"{folder}/" if folder else "", store=store)
    if arize.developer_key is None:
        yield ImportSide(bucket=bucket, jobs=None)
        return
    columns = frozenset(column.name for column in pipeline.columns())
    told = columns | {pipeline.arize.model, bucket.name}
    with opened_graphql(arize, told) as graphql:
        yield ImportSide(bucket=bucket, jobs=ImportJobs(graphql, columns))
