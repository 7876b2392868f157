"""Import jobs of the Arize stand-in: what they read, once, what they refuse, and what they keep."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pandas as pd
import pyarrow as pa
import pytest
import requests
from arize import ArizeClient
from arize.ml.types import Environments, ModelTypes, Schema

from deployments.local.arize import ArizeStandIn, ImportSettings, ObjectStore, arize_process, running_arize
from deployments.local.ports import LOOPBACK, free_port
from deployments.local.processes import wait_until
from tests.import_jobs import (
    CREATE,
    DELETE,
    FILES,
    JOB,
    SCHEMA,
    UPDATE,
    Bucket,
    ask,
    job_input,
    make_job,
    parquet,
    predictions,
    told,
)
from tests.sdk_calls import ACTUALS, send
from tests.sdk_calls import predictions as sent_predictions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from deployments.local.seaweedfs import SeaweedFS

NEVER = ImportSettings(look_every_s=0, queries_per_minute=0, mutations_per_minute=0)


@pytest.fixture(scope="module")
def objects(moto_url: str) -> ObjectStore:
    return ObjectStore(endpoint=moto_url, access_key="key", secret_key="secret")


@pytest.fixture(scope="module")
def client(objects: ObjectStore) -> S3Client:
    return client_of(objects)


@pytest.fixture
def bucket(client: S3Client) -> Bucket:
    return Bucket(client=client, name="sluice")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, objects: ObjectStore) -> Iterator[ArizeStandIn]:
    with running_arize(tmp_path_factory.mktemp("arize"), imports=NEVER, objects=objects) as standing_in:
        yield standing_in


@pytest.fixture
def arize(shared: ArizeStandIn) -> ArizeStandIn:
    """A stand-in without jobs, rows and faults that looks when it is told, and whose clients are not limited."""
    shared.reset()
    shared.clear_faults()
    shared.configure(**NEVER.model_dump())
    return shared


@pytest.fixture
def job(arize: ArizeStandIn, bucket: Bucket) -> str:
    return make_job(arize, bucket.name, bucket.prefix)


def client_of(objects: ObjectStore) -> S3Client:
    keys = {
        "aws_access_key_id": objects.access_key,
        "aws_secret_access_key": objects.secret_key,
        "region_name": objects.region,
    }
    opened: S3Client = boto3.client("s3", endpoint_url=objects.endpoint, **keys)  # type: ignore[call-overload]
    return opened


def statuses(arize: ArizeStandIn) -> list[str]:
    return [file["status"] for file in arize.files()]


def refusal(arize: ArizeStandIn) -> dict[str, Any]:
    [file] = arize.files()
    assert (file["status"], file["rows"]) == ("FAILED", 0)
    error: dict[str, Any] = file["error"]
    return error


def instead(count: int, **columns: Any) -> dict[str, Any]:
    """Give predictions with some columns changed, or taken away by None; two underscores in a name are a slash."""
    changed = {name.replace("__", "/"): column for name, column in columns.items()}
    return {name: column for name, column in {**predictions(count), **changed}.items() if column is not None}


# What a job reads


def test_a_good_file_is_complete_and_its_rows_are_in_every_proof(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    path = bucket.put("deep/er/1.parquet", predictions(1_000))
    arize.look_now()
    [file] = arize.files(job)
    assert (file["path"], file["status"], file["rows"], file["error"]) == (path, "COMPLETE", 1_000, None)
    [model] = arize.summary()["models"]
    assert (model["model"], model["rows"], model["files"], model["calls"]) == ("delay", 1_000, 1, 0)
    assert (model["prediction_ids"], model["excess_rows"], model["kind"]) == (1_000, 0, "predictions")
    assert arize.ids("delay", job=job, path=path) == [f"flight-{n}" for n in range(1_000)]
    [row] = arize.rows("delay", id="flight-7")
    assert (row["feature/carrier"], row["feature/distance"], row["tag/offset"]) == ("UA", 7.0, 1007)
    assert (row["job"], row["path"], row["environment"], row["prediction_score"]) == (job, path, "production", 0.07)
    assert arize.calls() == []


def test_rows_of_both_ways_are_counted_together_and_told_apart(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    bucket.put("1.parquet", predictions(10))
    arize.look_now()
    client = ArizeClient(api_key=arize.api_key, api_host=arize.host, api_port=arize.port, api_scheme="http")
    client.ml.log(
        space_id=arize.space_id,
        model_name="delay",
        model_type=ModelTypes.BINARY_CLASSIFICATION,
        model_version="1",
        environment=Environments.PRODUCTION,
        dataframe=pd.DataFrame({"id": ["flight-9", "flight-10"], "label": ["a", "b"], "at": [int(time.time())] * 2}),
        schema=Schema(prediction_id_column_name="id", prediction_label_column_name="label", timestamp_column_name="at"),
    )
    [model] = arize.summary()["models"]
    assert (model["rows"], model["calls"], model["files"], model["repeated_ids"]) == (12, 1, 1, 1)
    assert arize.repeated_ids("delay") == {"flight-9": 2}
    assert [row["job"] for row in arize.rows("delay", id="flight-9")] == [job, None]
    table = arize.table("delay")
    assert (table.num_rows, table["job"].null_count) == (12, 2)
    assert arize.join()["models"][0]["predictions"] == 12


def test_a_path_is_read_once_whatever_becomes_of_its_object(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    bucket.put("1.parquet", predictions(10))
    bucket.put("2.parquet", predictions(10, first=10))
    arize.look_now()
    bucket.put("1.parquet", predictions(10, first=20))
    bucket.delete("2.parquet")
    arize.look_now()
    assert statuses(arize) == ["COMPLETE", "COMPLETE"]
    bucket.put("2.parquet", predictions(10, first=30))
    arize.look_now()
    assert arize.ids("delay") == [f"flight-{n}" for n in range(20)]


def test_a_failed_file_is_not_read_again_under_its_name(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    bucket.put("1.parquet", b"no Parquet")
    arize.look_now()
    bucket.put("1.parquet", predictions(10))
    arize.look_now()
    assert refusal(arize)["code"] == "NOT_PARQUET"
    bucket.put("1-mended.parquet", predictions(10))
    arize.look_now()
    assert sorted(statuses(arize)) == ["COMPLETE", "FAILED"]


def test_two_jobs_on_one_prefix_import_everything_twice(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    bucket.put("1.parquet", predictions(10))
    other = make_job(arize, bucket.name, bucket.prefix)
    arize.look_now()
    assert arize.repeated_ids("delay") == {f"flight-{n}": 2 for n in range(10)}
    assert {file["job"] for file in arize.files()} == {job, other}


def test_a_job_reads_its_own_prefix_alone(arize: ArizeStandIn, bucket: Bucket) -> None:
    make_job(arize, bucket.name, f"{bucket.prefix}a")
    bucket.put("a1/1.parquet", predictions(1))
    bucket.put("b/1.parquet", predictions(1, first=1))
    bucket.put("a/", b"")
    arize.look_now()
    assert [file["path"] for file in arize.files()] == [f"{bucket.prefix}a1/1.parquet"]


def test_jobs_look_by_themselves(tmp_path: Path, objects: ObjectStore, bucket: Bucket) -> None:
    with running_arize(tmp_path, imports=NEVER, objects=objects) as arize:
        make_job(arize, bucket.name, bucket.prefix)
        bucket.put("1.parquet", predictions(10))
        arize.configure(look_every_s=0.05)
        wait_until(lambda: statuses(arize) == ["COMPLETE"], 20, "the file to be read")


# Asking for files


def test_files_are_asked_for_by_status_in_pages(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    for number in range(7):
        bucket.put(f"{number}.parquet", predictions(1, first=number) if number % 2 else b"no Parquet")
    arize.look_now()
    found, cursor = [], None
    while True:
        page = told(ask(arize, FILES, jobId=job, first=3, status="FAILED", cursor=cursor), "node", "files")
        found += [edge["node"]["filePath"].removeprefix(bucket.prefix) for edge in page["edges"]]
        assert all("as Parquet" in edge["node"]["error"]["message"] for edge in page["edges"])
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == [f"{number}.parquet" for number in (0, 2, 4, 6)]
    counts = told(ask(arize, JOB, id=job), "node")
    assert [counts[f"totalFiles{name}Count"] for name in ("Success", "Failed", "Pending")] == [3, 4, 0]
    [edge] = told(ask(arize, FILES, jobId=job, first=1), "node", "files", "edges")
    node = told(
        ask(arize, "query($id: ID!) { node(id: $id) { ... on ImportedFile { filePath } } }", id=edge["node"]["id"])
    )
    assert node == {"node": {"filePath": edge["node"]["filePath"]}}


# What becomes of columns


def features_of(arize: ArizeStandIn) -> set[str]:
    return {name for name in arize.rows("delay", limit=1)[0] if name.startswith(("feature/", "tag/"))}


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        (SCHEMA, {"feature/carrier", "feature/distance", "tag/offset"}),
        ({**SCHEMA, "exclude": ["feature/carrier"]}, {"feature/distance", "tag/offset"}),
        ({**SCHEMA, "features": None}, {"feature/feature/carrier", "feature/feature/distance", "tag/offset"}),
        ({**SCHEMA, "features": None, "featuresList": ["feature/carrier"]}, {"feature/feature/carrier", "tag/offset"}),
        (
            {**SCHEMA, "features": None, "tags": None, "tagsList": ["tag/offset"], "exclude": ["feature/carrier"]},
            {"feature/feature/distance", "tag/tag/offset"},
        ),
    ],
)
def test_features_and_tags_are_what_the_schema_says(
    arize: ArizeStandIn, bucket: Bucket, schema: dict[str, Any], names: set[str]
) -> None:
    make_job(arize, bucket.name, bucket.prefix, schema=schema)
    bucket.put("1.parquet", predictions(3))
    arize.look_now()
    assert statuses(arize) == ["COMPLETE"]
    assert features_of(arize) == names


def test_columns_that_the_schema_does_not_map_are_left_out(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    bucket.put("1.parquet", instead(3, secret=pa.array([1, 2, 3], pa.uint64())))
    arize.look_now()
    assert statuses(arize) == ["COMPLETE"]
    assert not any("secret" in name for name in arize.rows("delay", limit=1)[0])


def test_rows_may_carry_their_versions(arize: ArizeStandIn, bucket: Bucket) -> None:
    make_job(arize, bucket.name, bucket.prefix, schema={**SCHEMA, "version": "version"})
    bucket.put("1.parquet", instead(5, version=["1", "2", "1", "2", "1"]))
    arize.look_now()
    assert {version["version"]: version["rows"] for version in arize.summary()["versions"]} == {"1": 3, "2": 2}
    assert arize.ids("delay", version="2") == ["flight-1", "flight-3"]
    assert {row["model_version"] for row in arize.rows("delay", version="1")} == {"1"}
    assert arize.table("delay", version="1").num_rows == 3


def test_the_joiner_does_not_mind_which_way_a_row_came(tmp_path: Path, objects: ObjectStore, bucket: Bucket) -> None:
    truth = {"predictionId": "prediction_id", "actualLabel": "truth"}
    with running_arize(tmp_path, imports=NEVER, objects=objects) as arize:
        make_job(arize, bucket.name, f"{bucket.prefix}predictions/")
        make_job(arize, bucket.name, f"{bucket.prefix}actuals/", schema=truth)
        bucket.put("predictions/1.parquet", predictions(10))
        arize.look_now()
        arize.advance(days=13)
        ids = [f"flight-{n}" for n in range(5, 12)]
        bucket.put("actuals/1.parquet", {"prediction_id": ids, "truth": ["on_time"] * 7})
        arize.look_now()
        send(arize, sent_predictions(2), schema=ACTUALS, model_version=None)
        arize.move_past_join()
        assert sorted(arize.joined_ids("delay")) == [f"flight-{n}" for n in (0, 1, 5, 6, 7, 8, 9)]
        counts = arize.join_counts("delay")
    assert (counts["predictions"], counts["matched"], counts["unmatched"]) == (10, 7, 2)


def test_a_regressions_scores_are_where_the_sdk_puts_them(arize: ArizeStandIn, bucket: Bucket) -> None:
    schema = {"predictionId": "prediction_id", "predictionScore": "prediction_score"}
    make_job(arize, bucket.name, bucket.prefix, modelType="numeric", schema={**schema, "featuresList": ["tag/offset"]})
    bucket.put("1.parquet", predictions(10))
    bucket.put("2.parquet", instead(2, prediction_score=[0.5, float("inf")]))
    bucket.put("3.parquet", instead(2, prediction_score=["a", "b"]))
    arize.look_now()
    assert arize.rows("delay", id="flight-7")[0]["prediction_label"] == 0.07
    assert [(file["error"] or {}).get("code") for file in arize.files()] == [None, "INVALID_VALUE", "INVALID_TYPE"]


def test_the_classes_of_a_multi_class_model_are_kept(arize: ArizeStandIn, bucket: Bucket) -> None:
    schema = {"predictionId": "prediction_id", "predictionScores": "scores", "features": "feature/"}
    make_job(arize, bucket.name, bucket.prefix, modelType="multi_class", schema=schema)
    bucket.put("1.parquet", {"prediction_id": ["a", "b"], "scores": [[{"class_name": "late", "score": 0.5}], None]})
    bucket.put("2.parquet", {"prediction_id": ["a"], "scores": [[{"class_name": "late", "score": 0.5}]]})
    arize.look_now()
    assert arize.files()[0]["error"] == {"code": "INVALID_VALUE", "message": "scores: missing", "row": 2}
    assert arize.rows("delay", id="a")[0]["prediction_scores"] == [{"class_name": "late", "score": 0.5}]


def test_embeddings_and_shap_values_have_the_sdks_names(arize: ArizeStandIn, bucket: Bucket) -> None:
    embedding = {"featureName": "text", "vectorCol": "v", "rawDataCol": "d", "linkToDataCol": "l"}
    make_job(
        arize, bucket.name, bucket.prefix, schema={**SCHEMA, "shapValues": "shap/", "embeddingFeatures": [embedding]}
    )
    columns = {"v": [[0.5, 0.25], None], "d": ["a", "b"], "l": ["x", "y"], "shap__carrier": [0.1, 0.2]}
    bucket.put("1.parquet", instead(2, **columns))
    arize.look_now()
    row = arize.rows("delay", id="flight-0")[0]
    assert (row["embedding/text/vector"], row["embedding/text/data"], row["shap/carrier"]) == ([0.5, 0.25], "a", 0.1)


@pytest.mark.parametrize(
    "stamps",
    [
        pa.array([1.5 + int(time.time())] * 2, pa.float64()),
        pa.array([int(time.time())] * 2, pa.int32()),
        pa.array([datetime.now(UTC).isoformat(), "2026-11-20T10:11:12.5+02:00"]),
        pa.array([datetime.now(UTC).isoformat()] * 2).dictionary_encode(),
    ],
)
def test_timestamps_are_seconds_or_rfc_3339(arize: ArizeStandIn, bucket: Bucket, job: str, stamps: Any) -> None:
    bucket.put("1.parquet", instead(2, prediction_ts=stamps))
    arize.look_now()
    assert statuses(arize) == ["COMPLETE"]
    assert abs(arize.rows("delay", id="flight-0")[0]["timestamp"] - time.time()) < 600


@pytest.mark.parametrize(
    "column",
    [
        pa.array([None, 1.0], pa.float64()),
        pa.array([float("nan"), float("inf")]),
        pa.array(["a", None]).dictionary_encode(),
        pa.array(["a", "b"], pa.large_string()),
        pa.array([True, None]),
        pa.array([["a"], []], pa.list_(pa.string())),
        pa.array([1, -1], pa.int8()),
    ],
)
def test_a_feature_may_be_anything_that_arize_takes(arize: ArizeStandIn, bucket: Bucket, job: str, column: Any) -> None:
    bucket.put("1.parquet", instead(2, feature__any=column))
    arize.look_now()
    assert statuses(arize) == ["COMPLETE"]
    assert "feature/any" in arize.table("delay").column_names


# What fails a file, whole


def test_one_bad_row_fails_its_whole_file_and_is_named(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    count, bad = 70_000, 65_537  # behind the first batches, and behind the first row group
    columns = predictions(count)
    ids = columns["prediction_id"].to_pylist()
    ids[bad - 1] = ids[-1] = None
    bucket.put("1.parquet", parquet({**columns, "prediction_id": pa.array(ids)}, row_group_size=40_000))
    bucket.put("2.parquet", predictions(10))
    arize.look_now()
    [first, second] = arize.files()
    assert (first["status"], second["status"]) == ("FAILED", "COMPLETE")
    assert first["error"] == {"code": "INVALID_VALUE", "message": "prediction_id: missing or empty", "row": bad}
    assert len(arize.ids("delay")) == 10
    [edge] = told(ask(arize, FILES, jobId=job, first=1, status="FAILED"), "node", "files", "edges")
    assert edge["node"]["error"] == {"message": "prediction_id: missing or empty", "row": bad}


YEAR_S = 365 * 86_400


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"prediction_id": ["a", ""]}, "prediction_id: missing or empty"),
        ({"prediction_id": ["a", "\0\0"]}, "prediction_id: missing or empty"),
        ({"prediction_id": ["a" * 512, "a" * 513]}, "longer than 512"),
        ({"prediction_ts": [1.7e9, None]}, "missing, or neither seconds"),
        ({"prediction_ts": [1.7e9, float("nan")]}, "missing, or neither seconds"),
        ({"prediction_ts": ["2026-11-20T10:11:12Z", "20.11.2026"]}, "missing, or neither seconds"),
        ({"prediction_ts": [int(time.time()), int(time.time()) * 1000]}, "more than a year ahead"),
        ({"prediction_ts": [int(time.time()), int(time.time()) - 5 * YEAR_S - 60]}, "days past"),
        (
            {"prediction_label": ["a", None], "prediction_score": [0.1, None]},
            "prediction_label and prediction_score: missing",
        ),
        ({"prediction_score": [0.1, float("inf")]}, "prediction_score: not finite"),
        ({"prediction_score": [0.1, float("nan")]}, "prediction_score: not finite"),
        ({"tag__long": ["a" * 20_000, "a" * 20_001]}, "longer than 20000"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named(
    arize: ArizeStandIn, bucket: Bucket, job: str, columns: dict[str, Any], words: str
) -> None:
    bucket.put("1.parquet", instead(2, **columns))
    arize.look_now()
    found = refusal(arize)
    assert (found["code"], found["row"]) == ("INVALID_VALUE", 2)
    assert words in found["message"]


@pytest.mark.parametrize("vector", [[1.0, float("nan")], [1.0], []])
def test_an_embedding_is_finite_and_has_dimensions(arize: ArizeStandIn, bucket: Bucket, vector: list[float]) -> None:
    schema = {**SCHEMA, "embeddingFeatures": [{"featureName": "text", "vectorCol": "v"}]}
    make_job(arize, bucket.name, bucket.prefix, schema=schema)
    bucket.put("1.parquet", instead(2, v=pa.array([[1.0, 2.0], vector], pa.list_(pa.float64()))))
    arize.look_now()
    assert refusal(arize)["row"] == 2


@pytest.mark.parametrize("rank", [0, 101, None])
def test_a_rank_is_from_one_to_a_hundred(arize: ArizeStandIn, bucket: Bucket, rank: int | None) -> None:
    schema = {"predictionId": "prediction_id", "predictionGroupId": "group", "rank": "rank"}
    make_job(arize, bucket.name, bucket.prefix, modelType="ranking", schema=schema)
    bucket.put("1.parquet", {"prediction_id": ["a", "b"], "group": ["g", "g"], "rank": pa.array([1, rank], pa.int64())})
    arize.look_now()
    assert refusal(arize)["row"] == 2


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("feature/new", pa.uint8()),
        ("feature/new", pa.decimal128(5, 2)),
        ("feature/new", pa.timestamp("us")),
        ("feature/new", pa.date32()),
        ("feature/new", pa.binary()),
        ("feature/new", pa.null()),
        ("feature/new", pa.list_(pa.int64())),
        ("feature/new", pa.struct({"a": pa.int64()})),
        ("tag/new", pa.uint64()),
        ("prediction_id", pa.float64()),
        ("prediction_ts", pa.timestamp("us")),
        ("prediction_score", pa.string()),
        ("prediction_label", pa.timestamp("us")),
    ],
)
def test_a_column_of_a_type_that_arize_does_not_take_fails_the_file(
    arize: ArizeStandIn, bucket: Bucket, job: str, column: str, kind: Any
) -> None:
    bucket.put("1.parquet", {**predictions(2), column: pa.nulls(2, kind)})
    arize.look_now()
    found = refusal(arize)
    assert (found["code"], found["row"]) == ("INVALID_TYPE", None)
    assert column in found["message"]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"", "NOT_PARQUET"),
        (b"PAR1 and then nothing", "NOT_PARQUET"),
        (parquet(predictions(2_000))[:-100], "NOT_PARQUET"),
        (instead(2, prediction_score=None), "MISSING_COLUMN"),
        (predictions(0), "NO_ROWS"),
        (instead(2, feature__carrier_shap=["a", "b"]), "INVALID_NAME"),
        (instead(2, feature__=["a", "b"]), "INVALID_NAME"),
    ],
)
def test_a_file_that_cannot_be_read_fails(
    arize: ArizeStandIn, bucket: Bucket, job: str, file: bytes | Mapping[str, Any], code: str
) -> None:
    bucket.put("1.parquet", file)
    arize.look_now()
    assert (refusal(arize)["code"], refusal(arize)["row"]) == (code, None)


def test_a_file_whose_bytes_are_broken_in_the_middle_fails(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    file = bytearray(parquet(predictions(5_000), compression="zstd", write_statistics=False))
    file[200:2_000] = bytes(1_800)
    bucket.put("1.parquet", bytes(file))
    arize.look_now()
    assert refusal(arize)["code"] == "NOT_PARQUET"


def test_a_file_over_the_size_limit_fails(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    file = parquet(predictions(10))
    arize.configure(max_file_bytes=len(file))
    bucket.put("1.parquet", file)
    bucket.put("2.parquet", file + b"\0")
    arize.look_now()
    assert statuses(arize) == ["COMPLETE", "FAILED"]
    assert f"has {len(file) + 1} bytes, and the limit is {len(file)}" in arize.files()[1]["error"]["message"]


# Jobs that are stopped


def test_a_paused_job_reads_nothing_until_it_goes_on(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    told(ask(arize, UPDATE, jobId=job, jobStatus="inactive", s=SCHEMA))
    bucket.put("1.parquet", predictions(10))
    arize.look_now()
    assert arize.files() == []
    told(ask(arize, UPDATE, jobId=job, jobStatus="active", s=SCHEMA))
    arize.look_now()
    assert statuses(arize) == ["COMPLETE"]


def test_a_deleted_job_reads_nothing_and_what_it_read_stays(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    bucket.put("1.parquet", predictions(10))
    arize.look_now()
    told(ask(arize, DELETE, id=job))
    bucket.put("2.parquet", predictions(10, first=10))
    arize.look_now()
    assert len(arize.ids("delay")) == 10
    assert (arize.jobs()[0]["status"], arize.jobs()[0]["files"]["COMPLETE"]) == ("deleted", 1)


def test_a_new_job_on_a_used_prefix_reads_all_of_it_again(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    bucket.put("1.parquet", predictions(10))
    arize.look_now()
    told(ask(arize, DELETE, id=job))
    make_job(arize, bucket.name, bucket.prefix)
    arize.look_now()
    assert len(arize.repeated_ids("delay")) == 10


def test_a_changed_schema_holds_for_the_files_that_are_read_next(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    bucket.put("1.parquet", predictions(1))
    arize.look_now()
    told(ask(arize, UPDATE, jobId=job, s={"predictionId": "prediction_id", "actualLabel": "prediction_label"}))
    bucket.put("2.parquet", predictions(1, first=1))
    arize.look_now()
    assert {model["kind"]: model["rows"] for model in arize.summary()["models"]} == {"predictions": 1, "actuals": 1}


# Dry runs


def dry_run(arize: ArizeStandIn, bucket: Bucket, **changes: Any) -> dict[str, Any]:
    told_to = job_input(arize, bucket.name, bucket.prefix, dryRun=True, **changes)
    payload = told(ask(arize, CREATE, input=told_to), "createFileImportJob")
    assert (payload["fileImportJob"], arize.jobs(), arize.summary()["rows"]) == (None, [], 0)
    result: dict[str, Any] = payload["validationResult"]
    return result


def test_a_dry_run_of_a_good_file_passes_and_makes_nothing(arize: ArizeStandIn, bucket: Bucket) -> None:
    path = bucket.put("1.parquet", predictions(10))
    assert dry_run(arize, bucket) == {"validationStatus": "PASSED", "filePath": path, "error": None}
    arize.look_now()
    assert arize.summary()["rows"] == 0


def test_a_dry_run_of_a_bad_file_says_why_and_at_which_row(arize: ArizeStandIn, bucket: Bucket) -> None:
    path = bucket.put("1.parquet", instead(3, prediction_id=["a", "b", None]))
    error = {"code": "INVALID_VALUE", "message": "prediction_id: missing or empty", "row": 3}
    assert dry_run(arize, bucket) == {"validationStatus": "FAILED", "filePath": path, "error": error}


def test_a_dry_run_reads_a_part_of_the_rows_alone(arize: ArizeStandIn, bucket: Bucket) -> None:
    late = predictions(5_000)
    bucket.put("1.parquet", {**late, "prediction_score": pa.array([0.5] * 4_999 + [float("inf")])})
    assert dry_run(arize, bucket)["validationStatus"] == "PASSED"


@pytest.mark.parametrize("whole_key", [True, False])
def test_a_dry_run_may_name_its_file(arize: ArizeStandIn, bucket: Bucket, whole_key: bool) -> None:
    bucket.put("1.parquet", b"no Parquet")
    path = bucket.put("deep/2.parquet", predictions(10))
    assert dry_run(arize, bucket, fileName=path if whole_key else "deep/2.parquet")["filePath"] == path
    assert dry_run(arize, bucket)["error"]["code"] == "NOT_PARQUET"


def test_a_dry_run_on_an_empty_prefix_says_so(arize: ArizeStandIn, bucket: Bucket) -> None:
    for name, words in (({}, "no file at all"), ({"fileName": "3.parquet"}, "no file 3.parquet")):
        result = dry_run(arize, bucket, **name)
        assert (result["validationStatus"], result["filePath"], result["error"]["code"]) == ("FAILED", None, "NO_FILE")
        assert words in result["error"]["message"]


# Scripted faults


@pytest.mark.parametrize(("kind", "status"), [("fail", "FAILED"), ("skip", "SKIPPED"), ("cancel", "CANCELED")])
def test_a_good_file_can_end_badly_and_stays_so(
    arize: ArizeStandIn, bucket: Bucket, job: str, kind: str, status: str
) -> None:
    arize.script_importer(kind, path="*/2.parquet", message="an outage of ours", row=7)
    for number in (1, 2, 3):
        bucket.put(f"{number}.parquet", predictions(10, first=10 * number))
    arize.look_now()
    arize.look_now()
    assert statuses(arize) == ["COMPLETE", status, "COMPLETE"]
    [edge] = told(ask(arize, FILES, jobId=job, first=9, status=status), "node", "files", "edges")
    assert edge["node"]["error"] == {"message": "an outage of ours", "row": 7}
    assert len(arize.ids("delay")) == 20


def test_a_file_can_be_left_pending_for_a_while(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    arize.script_importer("hold", path="*/1.parquet")
    bucket.put("1.parquet", predictions(10))
    bucket.put("2.parquet", predictions(10, first=10))
    arize.look_now()
    assert statuses(arize) == ["PENDING", "COMPLETE"]
    assert told(ask(arize, JOB, id=job), "node", "totalFilesPendingCount") == 1
    arize.clear_faults()
    arize.look_now()
    assert statuses(arize) == ["COMPLETE", "COMPLETE"]


def test_a_file_can_be_left_pending_for_so_many_looks(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    arize.script_importer("hold", times=2)
    bucket.put("1.parquet", predictions(10))
    seen = []
    for _ in range(3):
        arize.look_now()
        seen += statuses(arize)
    assert seen == ["PENDING", "PENDING", "COMPLETE"]


def test_a_listing_can_lag_behind_the_put(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    bucket.put("1.parquet", predictions(10))
    arize.script_importer("lag", seconds=600)
    arize.look_now()
    assert arize.files() == []
    arize.clear_faults()
    arize.look_now()
    assert statuses(arize) == ["COMPLETE"]


@pytest.mark.parametrize(("kind", "status"), [("pause", "inactive"), ("delete", "deleted"), ("break", "failed")])
def test_a_job_can_be_stopped_by_somebody_else(
    arize: ArizeStandIn, bucket: Bucket, job: str, kind: str, status: str
) -> None:
    make_job(arize, bucket.name, bucket.prefix)
    arize.script_importer(kind, job=job, after=1)
    bucket.put("1.parquet", predictions(10))
    arize.look_now()
    bucket.put("2.parquet", predictions(10))
    arize.look_now()
    assert [(job["status"], job["files"]["COMPLETE"]) for job in arize.jobs()] == [(status, 1), ("active", 2)]
    node = told(ask(arize, JOB, id=job), "node")
    assert node is None if status == "deleted" else node["jobStatus"] == status


# The store that it reads


def test_the_store_may_be_told_later(tmp_path: Path, objects: ObjectStore, bucket: Bucket) -> None:
    with running_arize(tmp_path, imports=NEVER) as arize:
        make_job(arize, bucket.name, bucket.prefix)
        bucket.put("1.parquet", predictions(10))
        [job] = arize.look_now()
        assert "was not told which store" in job["trouble"]
        arize.read_objects(f"http://{LOOPBACK}:{free_port()}", access_key="key", secret_key="secret")
        [job] = arize.look_now()
        assert (job["status"], "cannot list" in job["trouble"], arize.files()) == ("active", True, [])
        arize.read_objects(objects.endpoint, access_key="key", secret_key="secret")
        [job] = arize.look_now()
        assert (job["trouble"], statuses(arize)) == (None, ["COMPLETE"])


def test_a_bucket_that_is_not_there_is_a_trouble_and_a_dry_runs_error(arize: ArizeStandIn, bucket: Bucket) -> None:
    nowhere = Bucket(client=bucket.client, name="no-such-bucket")
    assert dry_run(arize, nowhere)["error"]["code"] == "BUCKET_UNREADABLE"
    make_job(arize, nowhere.name, nowhere.prefix)
    assert "NoSuchBucket" in arize.look_now()[0]["trouble"]


def test_arize_reads_with_credentials_of_its_own(tmp_path: Path, seaweedfs: SeaweedFS) -> None:
    ours = ObjectStore(
        endpoint=seaweedfs.endpoint_url, access_key=seaweedfs.access_key, secret_key=seaweedfs.secret_key
    )
    bucket = Bucket(client=client_of(ours), name=seaweedfs.bucket)
    wrong = ours.model_copy(update={"secret_key": "wrong"})
    with running_arize(tmp_path, imports=NEVER, objects=wrong) as arize:
        make_job(arize, bucket.name, bucket.prefix)
        path = bucket.put("deep/1.parquet", predictions(10))
        [job] = arize.look_now()
        assert "cannot list" in job["trouble"]
        assert "wrong" not in str(job)
        arize.read_objects(ours.endpoint, access_key=ours.access_key, secret_key=ours.secret_key)
        arize.look_now()
        assert [(file["path"], file["status"]) for file in arize.files()] == [(path, "COMPLETE")]


# What it keeps


def test_jobs_files_and_rows_outlive_a_kill(tmp_path: Path, objects: ObjectStore, bucket: Bucket) -> None:
    with arize_process(tmp_path, imports=NEVER, objects=objects) as arize:
        job = make_job(arize, bucket.name, bucket.prefix)
        gone = make_job(arize, bucket.name, bucket.prefix)
        told(ask(arize, DELETE, id=gone))
        bucket.put("1.parquet", predictions(1_000))
        bucket.put("2.parquet", b"no Parquet")
        bucket.put("3.parquet", predictions(10, first=1_000))
        arize.script_importer("hold", path="*/3.parquet")
        arize.look_now()
        before = arize.jobs(), arize.files(), arize.summary()
        arize.process.restart(crash=True)
        assert (arize.jobs(), arize.files(), arize.summary()) == before
        assert statuses(arize) == ["COMPLETE", "FAILED", "PENDING"]
        arize.look_now()
        assert statuses(arize) == ["COMPLETE", "FAILED", "COMPLETE"]
        assert arize.ids("delay", job=job) == [f"flight-{n}" for n in range(1_010)]
        assert make_job(arize, bucket.name, bucket.prefix) not in (job, gone)
        assert "secret" not in (tmp_path / "arize.log").read_text()


def test_a_kill_while_files_are_read_leaves_none_half_and_none_twice(
    tmp_path: Path, objects: ObjectStore, bucket: Bucket
) -> None:
    for number in range(12):
        bucket.put(f"{number:02}.parquet", predictions(2_000, first=2_000 * number))
    busy = ImportSettings(look_every_s=0.01)
    with arize_process(tmp_path, imports=busy, objects=objects) as arize:
        make_job(arize, bucket.name, bucket.prefix)
        wait_until(lambda: "COMPLETE" in statuses(arize), 30, "files to be read")
        arize.process.restart(crash=True)
        wait_until(lambda: statuses(arize) == ["COMPLETE"] * 12, 30, "all files to be read")
        assert arize.ids("delay") == [f"flight-{n}" for n in range(24_000)]


def test_a_reset_forgets_jobs_and_files_too(arize: ArizeStandIn, bucket: Bucket, job: str) -> None:
    bucket.put("1.parquet", predictions(10))
    arize.look_now()
    arize.reset()
    assert (arize.jobs(), arize.files(), arize.summary()["rows"]) == ([], [], 0)
    assert make_job(arize, bucket.name, bucket.prefix) != job
    arize.look_now()
    assert len(arize.ids("delay")) == 10


def test_the_page_shows_jobs_with_their_files_and_escapes_them(arize: ArizeStandIn, bucket: Bucket) -> None:
    assert "Import jobs" not in requests.get(arize.url, timeout=20).text
    make_job(arize, bucket.name, bucket.prefix, modelName="<b>delay</b>")
    bucket.put("<1>.parquet", instead(2, prediction_id=["a", None]))
    bucket.put("2.parquet", predictions(1_234))
    arize.script_importer("hold", path="*/9.parquet")
    arize.look_now()
    page = requests.get(arize.url, timeout=20).text
    for shown in (
        "Import jobs",
        "1,234",
        "&lt;b&gt;delay",
        "&lt;1&gt;.parquet",
        "row 2: prediction_id: missing",
        "hold",
    ):
        assert shown in page
    assert "<b>delay</b>" not in page
