"""Ask the Arize stand-in's GraphQL API for import jobs, and put files that they read."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import requests

from deployments.local.arize import ArizeStandIn

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CREATE = """
mutation($input: CreateFileImportJobInput!) { createFileImportJob(input: $input) {
  fileImportJob { id jobId jobStatus totalFilesPendingCount totalFilesSuccessCount totalFilesFailedCount }
  validationResult { validationStatus filePath error { code message row } } } }
"""
UPDATE = """
mutation($jobId: ID!, $jobStatus: JobStatus, $s: FileImportSchemaInputType!) { updateFileImportJob(
  input: {jobId: $jobId, jobStatus: $jobStatus, schema: $s}) { fileImportJob { id jobStatus } } }
"""
DELETE = "mutation($id: ID!) { deleteFileImportJob(input: {jobId: $id}) { fileImportJob { jobStatus } } }"
JOBS = """
query($spaceId: ID!, $first: Int, $endCursor: String) { node(id: $spaceId) { ... on Space {
  importJobs(first: $first, after: $endCursor) {
    pageInfo { hasNextPage endCursor } edges { node { id jobStatus } } } } } }
"""
JOB = """
query($id: ID!) { node(id: $id) { ... on FileImportJob {
  id jobId jobStatus modelName modelType modelEnvironmentName modelVersion blobStore bucketName prefix createdAt
  totalFilesPendingCount totalFilesSuccessCount totalFilesFailedCount
  schema { predictionId timestamp predictionLabel features tags tagsList embeddingFeatures { featureName vectorCol } }
} } }
"""
FILES = """
query($jobId: ID!, $first: Int, $status: FileImportStatus, $cursor: String) { node(id: $jobId) { ... on FileImportJob {
  modelName files(first: $first, status: $status, after: $cursor) {
    pageInfo { hasNextPage endCursor } edges { node { id filePath status error { message row } } } } } } }
"""
SCHEMA = {
    "predictionId": "prediction_id",
    "timestamp": "prediction_ts",
    "predictionLabel": "prediction_label",
    "predictionScore": "prediction_score",
    "features": "feature/",
    "tags": "tag/",
}


def post(arize: ArizeStandIn, body: Any, key: str | None = None, **options: Any) -> requests.Response:
    headers = {"x-api-key": arize.developer_key if key is None else key}
    return requests.post(arize.graphql_url, json=body, headers=headers, **{"timeout": 20, **options})


def ask(arize: ArizeStandIn, document: str, **variables: Any) -> dict[str, Any]:
    """Ask, and give GraphQL's answer: data and errors."""
    response = post(arize, {"query": document, "variables": variables})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def told(answer: dict[str, Any], *path: str) -> Any:
    """Follow an answer without errors to what was asked for."""
    assert "errors" not in answer, answer
    found = answer["data"]
    for name in path:
        found = found[name]
    return found


def job_input(arize: ArizeStandIn, bucket: str, prefix: str, /, **changes: Any) -> dict[str, Any]:
    usual = {
        "spaceId": arize.space_id,
        "modelName": "delay",
        "modelType": "score_categorical",
        "modelEnvironmentName": "production",
        "blobStore": "S3",
        "bucketName": bucket,
        "prefix": prefix,
        "schema": SCHEMA,
    }
    return {**usual, **changes}


def make_job(arize: ArizeStandIn, bucket: str, prefix: str, /, **changes: Any) -> str:
    """Make a job and give its global id."""
    answer = ask(arize, CREATE, input=job_input(arize, bucket, prefix, **changes))
    made: str = told(answer, "createFileImportJob", "fileImportJob", "id")
    return made


def predictions(count: int, *, first: int = 0) -> dict[str, Any]:
    """Give good columns of predictions."""
    numbers = range(first, first + count)
    return {
        "prediction_id": pa.array([f"flight-{n}" for n in numbers], pa.string()),
        "prediction_ts": pa.array([int(time.time())] * count, pa.int64()),
        "prediction_label": pa.array(["delayed" if n % 5 == 0 else "on_time" for n in numbers], pa.string()),
        "prediction_score": pa.array([n % 100 / 100 for n in numbers], pa.float64()),
        "feature/carrier": pa.array(["UA" if n % 2 else "AA" for n in numbers], pa.string()),
        "feature/distance": pa.array([float(n) for n in numbers], pa.float64()),
        "tag/offset": pa.array([1000 + n for n in numbers], pa.int64()),
    }


def parquet(columns: Mapping[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), sink, **options)
    return sink.getvalue()


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A place for a test's files: a prefix of its own in a shared bucket, which ends in a slash."""

    client: S3Client
    name: str
    prefix: str = field(default_factory=lambda: f"import/{uuid.uuid4().hex}/")

    def put(self, name: str, file: bytes | Mapping[str, Any]) -> str:
        """Put an object, as it is or as Parquet, and give its key."""
        body = file if isinstance(file, bytes) else parquet(file)
        self.client.put_object(Bucket=self.name, Key=self.prefix + name, Body=body)
        return self.prefix + name

    def delete(self, name: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=self.prefix + name)
