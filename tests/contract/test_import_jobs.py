"""The client of Arize's import jobs, against the stand-in's schema-checked GraphQL and its real reading of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from graphql import build_schema, parse, validate
from pydantic import SecretStr

from deployments.local.arize import ArizeStandIn, ImportSettings, ObjectStore, running_arize
from deployments.local.ports import free_port
from sluice.destinations.imports import graphql as client
from sluice.destinations.imports.graphql import Graphql, Limiter
from sluice.destinations.imports.jobs import ImportJobs
from sluice.errors import DestinationRefused, DestinationUnavailable
from sluice.importing.jobs import Job, JobSpec, Refused, Unanswered
from tests.import_jobs import SCHEMA, Bucket, predictions
from tests.simulation import World, WorldClock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DOCUMENTS = sorted((Path(client.__file__).parent / "documents").glob("*.graphql"))
SDL = Path(__file__).parents[2] / "deployments" / "local" / "arize" / "imports" / "schema.graphql"
STILL = ImportSettings(look_every_s=0, queries_per_minute=0, mutations_per_minute=0)
COLUMNS = [*predictions(1)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_each_document_fits_the_schema(path: Path) -> None:
    assert validate(build_schema(SDL.read_text()), parse(path.read_text())) == []


@pytest.fixture(scope="module")
def s3(moto_url: str) -> S3Client:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    opened: S3Client = boto3.client("s3", endpoint_url=moto_url, **keys)  # type: ignore[call-overload]
    return opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, moto_url: str) -> Iterator[ArizeStandIn]:
    objects = ObjectStore(endpoint=moto_url, access_key="key", secret_key="secret")
    with running_arize(tmp_path_factory.mktemp("arize"), imports=STILL, objects=objects) as standing_in:
        yield standing_in


@pytest.fixture
def arize(shared: ArizeStandIn) -> ArizeStandIn:
    shared.reset()
    shared.clear_faults()
    shared.configure(**STILL.model_dump())
    return shared


@pytest.fixture
def bucket(s3: S3Client) -> Bucket:
    return Bucket(client=s3, name="sluice")


@pytest.fixture
def graphql(arize: ArizeStandIn) -> Iterator[Graphql]:
    opened = asks(arize)
    yield opened
    opened.close()


@pytest.fixture
def jobs(graphql: Graphql) -> ImportJobs:
    return ImportJobs(graphql, COLUMNS)


@pytest.fixture
def spec(arize: ArizeStandIn, bucket: Bucket) -> JobSpec:
    return JobSpec(
        space=arize.space_id,
        model="delay",
        type="score_categorical",
        environment="production",
        bucket=bucket.name,
        prefix=bucket.prefix,
        schema=SCHEMA,
    )


def asks(arize: ArizeStandIn, *, url: str = "", key: str = "", timeout_s: float = 2.0) -> Graphql:
    """A client whose pauses pass at once."""
    secret = SecretStr(key or arize.developer_key)
    return Graphql(url or arize.graphql_url, secret, WorldClock(World()), told=frozenset(COLUMNS), timeout_s=timeout_s)


def made(jobs: ImportJobs, spec: JobSpec) -> Job:
    found = jobs.job(jobs.create(spec))
    assert found is not None
    return found


# ── jobs


def test_a_job_that_was_made_is_found_by_its_prefix_and_is_as_it_was_asked_for(jobs: ImportJobs, spec: JobSpec) -> None:
    assert jobs.at(spec.space, spec.bucket, spec.prefix) == ()
    job = made(jobs, spec)
    assert jobs.at(spec.space, spec.bucket, spec.prefix) == (job.id,)
    assert jobs.at(spec.space, spec.bucket, spec.prefix + "deeper/") == ()
    assert (job.status, spec.differences(job.spec)) == ("active", ())


def test_jobs_are_found_behind_pages_of_others(jobs: ImportJobs, spec: JobSpec) -> None:
    for number in range(23):
        jobs.create(spec.on(f"{spec.prefix}{number}/"))
    assert all(len(jobs.at(spec.space, spec.bucket, f"{spec.prefix}{number}/")) == 1 for number in range(23))


def test_differences_are_told_and_mended(jobs: ImportJobs, spec: JobSpec) -> None:
    job = made(jobs, spec)
    changed = {name: column for name, column in SCHEMA.items() if name != "tags"} | {"actualLabel": "actual_label"}
    wanted = JobSpec(
        space=spec.space,
        model="other",
        type=spec.type,
        environment=spec.environment,
        bucket=spec.bucket,
        prefix=spec.prefix,
        schema=changed,
    )
    assert set(wanted.differences(job.spec)) == {
        ("model", "other", "delay"),
        ("schema.tags", "", "tag/"),
        ("schema.actualLabel", "actual_label", ""),
    }
    jobs.update(job.id, changed)
    found = jobs.job(job.id)
    assert found is not None
    assert [what for what, _, _ in wanted.differences(found.spec)] == ["model"]


@pytest.mark.parametrize(("fault", "status"), [("pause", "inactive"), ("break", "failed"), ("delete", None)])
def test_what_others_did_to_a_job_is_seen(
    arize: ArizeStandIn, jobs: ImportJobs, spec: JobSpec, fault: str, status: str | None
) -> None:
    job = made(jobs, spec)
    arize.script_importer(fault)
    arize.look_now()
    found = jobs.job(job.id)
    assert (found.status if found else None) == status
    assert jobs.at(spec.space, spec.bucket, spec.prefix) == ((job.id,) if status else ())


def test_a_job_that_arize_refuses_is_told_in_its_words_without_values(
    arize: ArizeStandIn, jobs: ImportJobs, spec: JobSpec
) -> None:
    arize.script_graphql("error", operation="createFileImportJob", message="not allowed for this account: secret-word")
    with pytest.raises(Refused, match="not allowed for this account") as no:
        jobs.create(spec)
    assert "secret-word" not in str(no.value)


@pytest.mark.parametrize("fault", ["drop", "hang", "status"])
@pytest.mark.parametrize("carried_out", [True, False])
def test_a_creation_without_an_answer_is_neither_taken_for_made_nor_tried_again(
    arize: ArizeStandIn, spec: JobSpec, fault: str, carried_out: bool
) -> None:
    jobs = ImportJobs(asks(arize, timeout_s=0.5), COLUMNS)
    given: dict[str, Any] = {"status": 502} if fault == "status" else {}
    arize.script_graphql(fault, operation="createFileImportJob", carried_out=carried_out, **given)
    with pytest.raises(Unanswered):
        jobs.create(spec)
    arize.clear_faults()
    assert len(jobs.at(spec.space, spec.bucket, spec.prefix)) == carried_out
    assert len(arize.jobs()) == carried_out


# ── dry runs


def test_a_dry_run_of_a_good_file_makes_nothing(
    arize: ArizeStandIn, jobs: ImportJobs, spec: JobSpec, bucket: Bucket
) -> None:
    assert jobs.dry_run(spec, bucket.put("1.parquet", predictions(10))).reason == ""
    assert arize.jobs() == []


def test_a_dry_run_of_a_bad_file_says_why_and_at_which_row(jobs: ImportJobs, spec: JobSpec, bucket: Bucket) -> None:
    columns = predictions(10)
    columns["prediction_id"] = columns["prediction_id"].fill_null("x").take([*range(9), None])
    reason = jobs.dry_run(spec, bucket.put("1.parquet", columns)).reason
    assert "row 10" in reason
    assert "flight-" not in reason


# ── files


def test_what_became_of_files_is_told_by_path(
    arize: ArizeStandIn, jobs: ImportJobs, spec: JobSpec, bucket: Bucket
) -> None:
    job = made(jobs, spec)
    good, bad, skipped, canceled, pending, later = keys = [f"{bucket.prefix}{n}.parquet" for n in range(6)]
    for number, key in enumerate(keys[:5]):
        bucket.put(f"{number}.parquet", b"no Parquet" if key == bad else predictions(10))
    arize.script_importer("skip", path=skipped)
    arize.script_importer("cancel", path=canceled)
    arize.script_importer("hold", path=pending)
    arize.look_now()
    job = jobs.job(job.id) or job
    found = jobs.settled(job, keys, None)
    assert {key: file.status for key, file in found.items()} == {
        good: "complete",
        bad: "failed",
        skipped: "skipped",
        canceled: "canceled",
    }
    assert found[bad].reason
    assert later not in found


def test_a_run_behind_history_finds_the_newest_file_with_few_questions(
    arize: ArizeStandIn, jobs: ImportJobs, spec: JobSpec, bucket: Bucket
) -> None:
    job = made(jobs, spec)
    *_, last = [bucket.put(f"{number:03}.parquet", predictions(1, first=number)) for number in range(60)]
    arize.look_now()
    known = jobs.settled(jobs.job(job.id) or job, [last], None)[last]
    newest = bucket.put("new.parquet", predictions(1, first=1000))
    arize.look_now()
    opened = Counted(asks(arize))
    again = ImportJobs(opened, COLUMNS)  # type: ignore[arg-type]
    assert newest in again.settled(again.job(job.id) or job, [newest], known)
    assert opened.asked <= 8


class Counted:
    """A client that counts its questions."""

    def __init__(self, graphql: Graphql) -> None:
        self.asked = 0
        self._graphql = graphql

    def query(self, document: str, **variables: Any) -> dict[str, Any]:
        self.asked += 1
        return self._graphql.query(document, **variables)


# ── the door


def test_a_key_that_is_not_taken_is_told_and_does_not_show(arize: ArizeStandIn, spec: JobSpec) -> None:
    opened = asks(arize, key="a-wrong-key")
    with pytest.raises(DestinationRefused, match="refuses the developer key") as refused:
        ImportJobs(opened).at(spec.space, spec.bucket, spec.prefix)
    assert "a-wrong-key" not in f"{refused.value!r} {opened!r}"


def test_an_address_that_is_no_graphql_is_told(arize: ArizeStandIn, spec: JobSpec) -> None:
    with pytest.raises(DestinationRefused, match="does not answer as Arize's GraphQL does"):
        ImportJobs(asks(arize, url=f"{arize.url}/nothing")).at(spec.space, spec.bucket, spec.prefix)


def test_nobody_there_is_unavailable(arize: ArizeStandIn, spec: JobSpec) -> None:
    jobs = ImportJobs(asks(arize, url=f"http://127.0.0.1:{free_port()}/graphql"))
    for ask in (lambda: jobs.at(spec.space, spec.bucket, spec.prefix), lambda: jobs.create(spec)):
        with pytest.raises(DestinationUnavailable, match="ConnectError"):
            ask()


@pytest.mark.parametrize(
    "fault",
    [{"kind": "drop"}, {"kind": "status", "status": 503}, {"kind": "status", "status": 429, "retry_after_s": 7}],
)
def test_a_question_is_asked_again_until_it_is_answered(
    arize: ArizeStandIn, jobs: ImportJobs, spec: JobSpec, fault: dict[str, Any]
) -> None:
    job = made(jobs, spec)
    kind = fault.pop("kind")
    arize.script_graphql(kind, operation="query", times=3, **fault)
    assert jobs.job(job.id) is not None
    arize.script_graphql(kind, operation="query", times=9, **fault)
    with pytest.raises(DestinationUnavailable):
        jobs.job(job.id)


def test_a_mutation_that_came_too_often_is_said_again(arize: ArizeStandIn, jobs: ImportJobs, spec: JobSpec) -> None:
    arize.script_graphql("status", status=429, operation="createFileImportJob", times=2)
    assert made(jobs, spec).status == "active"
    assert len(arize.jobs()) == 1


def test_a_client_keeps_within_a_minutes_questions() -> None:
    clock = WorldClock(World())
    limiter, begun = Limiter(3, clock), clock.elapsed_s()
    passed = []
    for _ in range(7):
        limiter.wait()
        passed.append(clock.elapsed_s() - begun)
    assert passed == [0, 0, 0, 60, 60, 60, 120]
