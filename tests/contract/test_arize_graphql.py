"""The GraphQL API of the Arize stand-in: whom it lets in, what it refuses, and how it fails when told to."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from deployments.local.arize import ArizeStandIn, ImportSettings, running_arize
from deployments.local.processes import wait_until
from tests.import_jobs import CREATE, DELETE, FILES, JOB, JOBS, SCHEMA, UPDATE, ask, job_input, make_job, post, told

UNLIMITED = ImportSettings(look_every_s=0, queries_per_minute=0, mutations_per_minute=0)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArizeStandIn]:
    with running_arize(tmp_path_factory.mktemp("arize"), imports=UNLIMITED) as standing_in:
        yield standing_in


@pytest.fixture
def arize(shared: ArizeStandIn) -> ArizeStandIn:
    """A stand-in without jobs and faults, whose clients are not limited."""
    shared.reset()
    shared.clear_faults()
    return shared


def messages(answer: dict[str, Any]) -> str:
    assert not answer.get("data") or not any(answer["data"].values())
    return " ".join(error["message"] for error in answer["errors"])


# Whom it lets in, and what it takes for a request


@pytest.mark.parametrize("key", ["", "local-api-key"])
def test_another_key_than_the_developers_is_refused(arize: ArizeStandIn, key: str) -> None:
    response = post(arize, {"query": JOBS, "variables": {"spaceId": arize.space_id, "first": 1}}, key)
    assert response.status_code == 401


@pytest.mark.parametrize("body", [None, [], {"document": JOBS}, {"query": 1}, {"query": JOBS, "variables": []}])
def test_what_is_no_request_is_a_bad_one(arize: ArizeStandIn, body: Any) -> None:
    assert post(arize, body).status_code == 400


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("query { node(id: ", "Syntax Error"),
        ('{ node(id: "x") { id nme } }', "Cannot query field 'nme'"),
        (
            '{ node(id: "x") { ... on FileImportJob { files(first: 1, status: DONE) { pageInfo { endCursor } } } } }',
            "DONE",
        ),
        ("{ node { id } }", "of type 'ID!' is required"),
        ('mutation { deleteFileImportJob(input: {id: "x"}) { fileImportJob { id } } }', "unknown field 'id'"),
        ("query($id: String!) { node(id: $id) { id } }", "used in position expecting type 'ID!'"),
    ],
)
def test_a_malformed_document_is_refused_by_graphql_itself(arize: ArizeStandIn, document: str, words: str) -> None:
    assert words in messages(ask(arize, document))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"modelName": None}, "modelName"),
        ({"modelType": "SCORE_CATEGORICAL"}, "does not exist in 'FileImportModelType'"),
        ({"modelEnvironmentName": "Production"}, "does not exist in 'ModelEnvironmentName'"),
        ({"colour": "red"}, "colour"),
        ({"schema": {**SCHEMA, "predictionID": "id"}}, "predictionID"),
        ({"schema": {"predictionLabel": "label"}}, "predictionId"),
        ({"schema": {**SCHEMA, "exclude": [1]}}, "String cannot represent"),
        ({"bucketName": 7}, "String cannot represent"),
        ({"spaceId": "another"}, "no such space"),
        ({"blobStore": "GCS"}, "reads no GCS"),
        ({"modelEnvironmentName": "validation"}, "needs a batchId"),
        ({"modelType": "object_detection"}, "reads no object_detection"),
        ({"modelType": "ranking"}, "needs one of rank"),
        ({"schema": {"predictionId": "id", "predictionLabel": ""}}, "needs one of predictionLabel"),
    ],
)
def test_a_job_that_is_told_wrong_is_not_made(arize: ArizeStandIn, changes: dict[str, Any], words: str) -> None:
    answer = ask(arize, CREATE, input=job_input(arize, "b", "p/", **changes))
    assert words in messages(answer)
    assert arize.jobs() == []


# Jobs


def test_a_job_is_shown_as_it_was_told(arize: ArizeStandIn) -> None:
    schema = {**SCHEMA, "tagsList": ["a"], "embeddingFeatures": [{"featureName": "text", "vectorCol": "v"}]}
    made = make_job(arize, "b", "p/", schema=schema, modelVersion="7")
    job = told(ask(arize, JOB, id=made), "node")
    assert (job["id"], job["jobStatus"], job["modelVersion"], job["prefix"]) == (made, "active", "7", "p/")
    assert job["schema"]["embeddingFeatures"] == [{"featureName": "text", "vectorCol": "v"}]
    assert (job["schema"]["tagsList"], job["schema"]["features"]) == (["a"], "feature/")
    assert (job["modelType"], job["modelEnvironmentName"], job["blobStore"]) == (
        "score_categorical",
        "production",
        "S3",
    )
    assert job["jobId"] != job["id"]


def test_two_creations_make_two_jobs(arize: ArizeStandIn) -> None:
    assert make_job(arize, "b", "p/") != make_job(arize, "b", "p/")


def test_a_job_is_paused_changed_and_set_going_again(arize: ArizeStandIn) -> None:
    made = make_job(arize, "b", "p/")
    other = {"predictionId": "id", "actualLabel": "label"}
    for status in ("inactive", "active"):
        answer = ask(arize, UPDATE, jobId=made, jobStatus=status, s=other)
        assert told(answer, "updateFileImportJob", "fileImportJob") == {"id": made, "jobStatus": status}
    assert told(ask(arize, JOB, id=made), "node", "schema", "predictionId") == "id"
    assert told(ask(arize, JOB, id=made), "node", "schema", "features") is None
    assert "cannot be set to failed" in messages(ask(arize, UPDATE, jobId=made, jobStatus="failed", s=SCHEMA))
    assert "schema" in post(arize, {"query": UPDATE.replace(", schema: $s", ""), "variables": {}}).text


def test_a_deleted_job_is_not_there_any_more(arize: ArizeStandIn) -> None:
    made, kept = make_job(arize, "b", "p/"), make_job(arize, "b", "q/")
    assert told(ask(arize, DELETE, id=made), "deleteFileImportJob", "fileImportJob", "jobStatus") == "deleted"
    assert told(ask(arize, JOB, id=made), "node") is None
    assert "no such import job" in messages(ask(arize, DELETE, id=made))
    assert "no such import job" in messages(ask(arize, UPDATE, jobId=made, s=SCHEMA))
    edges = told(ask(arize, JOBS, spaceId=arize.space_id, first=10), "node", "importJobs", "edges")
    assert [edge["node"]["id"] for edge in edges] == [kept]


@pytest.mark.parametrize("unknown", ["another-space", "", "RmlsZUltcG9ydEpvYjo5", "RmlsZUltcG9ydEpvYg=="])
def test_an_unknown_node_is_null(arize: ArizeStandIn, unknown: str) -> None:
    assert told(ask(arize, JOB, id=unknown), "node") is None


def test_jobs_come_in_pages_of_ten(arize: ArizeStandIn) -> None:
    made = [make_job(arize, "b", f"{number}/") for number in range(23)]
    found, cursor, sizes = [], None, []
    while True:
        page = told(ask(arize, JOBS, spaceId=arize.space_id, first=10, endCursor=cursor), "node", "importJobs")
        found += [edge["node"]["id"] for edge in page["edges"]]
        sizes.append(len(page["edges"]))
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert (found, sizes) == (made, [10, 10, 3])


@pytest.mark.parametrize("first", [None, 0, -1, 11])
def test_a_page_has_a_size(arize: ArizeStandIn, first: int | None) -> None:
    assert "from 1 to 10" in messages(ask(arize, JOBS, spaceId=arize.space_id, first=first))


def test_a_cursor_is_one_that_was_given(arize: ArizeStandIn) -> None:
    assert "no cursor" in messages(ask(arize, JOBS, spaceId=arize.space_id, first=1, endCursor="7"))


def test_a_document_that_costs_too_much_is_refused(arize: ArizeStandIn) -> None:
    document = """query($id: ID!) { node(id: $id) { ... on Space { importJobs(first: 10) { edges { node {
        id files(first: 50) { edges { node { filePath status } } } } } } } } }"""
    assert "the complexity is 2031, and the limit 1000" in messages(ask(arize, document, id=arize.space_id))
    by_default = document.replace("$id: ID!", "$id: ID!, $first: Int = 50").replace("first: 50", "first: $first")
    assert "the complexity is 2031" in messages(ask(arize, by_default, id=arize.space_id))
    assert "Int cannot represent" in messages(ask(arize, by_default, id=arize.space_id, first="many"))
    assert told(ask(arize, document.replace("50", "20"), id=arize.space_id), "node", "importJobs", "edges") == []


# Limits


def test_a_key_has_so_many_operations_of_each_kind_a_minute(tmp_path: Path) -> None:
    now = 0.0
    limits = ImportSettings(look_every_s=0, queries_per_minute=2, mutations_per_minute=3)
    with running_arize(tmp_path, imports=limits, clock=lambda: now) as arize:
        query = {"query": JOB, "variables": {"id": "x"}}
        for _ in range(3):
            make_job(arize, "b", "p/")
        assert post(arize, query).status_code == 200
        now = 50.5
        assert post(arize, query).status_code == 200
        refused = post(arize, query)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
        now = 60.5
        assert [post(arize, query).status_code for _ in range(2)] == [200, 429]
        arize.configure(queries_per_minute=0)
        assert {post(arize, query).status_code for _ in range(9)} == {200}


def test_arizes_own_limits_hold_unless_told_otherwise(tmp_path: Path) -> None:
    with running_arize(tmp_path, clock=lambda: 0.0) as arize, requests.Session() as session:
        session.headers["x-api-key"] = arize.developer_key
        for document, limit in (("{ node(id: 1) { id } }", 100), (DELETE, 300)):
            body = {"query": document, "variables": {"id": "x"}}
            answers = [session.post(arize.graphql_url, json=body, timeout=20).status_code for _ in range(limit + 1)]
            assert answers == [200] * limit + [429]


# How it fails when told to


def test_a_scripted_status_meets_the_operation_it_names(arize: ArizeStandIn) -> None:
    arize.script_graphql("status", status=429, retry_after_s=7, operation="createFileImportJob")
    assert told(ask(arize, JOB, id="x"), "node") is None
    response = post(arize, {"query": CREATE, "variables": {"input": job_input(arize, "b", "p/")}})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert arize.jobs() == []
    make_job(arize, "b", "p/")
    assert arize.faults()[0]["met"] == 1


@pytest.mark.parametrize(
    ("operation", "document", "met"),
    [
        ("query", JOB, True),
        ("node", JOB, True),
        ("mutation", JOB, False),
        ("mutation", DELETE, True),
        ("deleteFileImportJob", DELETE, True),
        (None, DELETE, True),
    ],
)
def test_a_fault_is_chosen_by_operation(arize: ArizeStandIn, operation: str | None, document: str, met: bool) -> None:
    arize.script_graphql("status", status=503, **({"operation": operation} if operation else {}))
    response = post(arize, {"query": document, "variables": {"id": "x"}})
    assert response.status_code == (503 if met else 200)


def test_a_dry_run_is_an_operation_of_its_own(arize: ArizeStandIn) -> None:
    arize.script_graphql("status", operation="createFileImportJob")
    dry = {"query": CREATE, "variables": {"input": job_input(arize, "b", "p/", dryRun=True)}}
    assert post(arize, dry).status_code == 200
    arize.script_graphql("status", operation="dryRun")
    assert post(arize, dry).status_code == 503


def test_a_fault_lets_some_pass_and_meets_some(arize: ArizeStandIn) -> None:
    arize.script_graphql("status", status=500, after=1, times=2)
    query = {"query": JOB, "variables": {"id": "x"}}
    assert [post(arize, query).status_code for _ in range(4)] == [200, 500, 500, 200]


def test_a_scripted_error_of_graphql_says_what_it_was_told(arize: ArizeStandIn) -> None:
    arize.script_graphql(
        "error", message="mutations need an enterprise account", code="FORBIDDEN", operation="mutation"
    )
    answer = ask(arize, CREATE, input=job_input(arize, "b", "p/"))
    [error] = answer["errors"]
    assert (error["message"], error["extensions"]["code"]) == ("mutations need an enterprise account", "FORBIDDEN")
    assert arize.jobs() == []


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "hang"}, requests.exceptions.ReadTimeout),
        ({"kind": "drop"}, requests.exceptions.ConnectionError),
        ({"kind": "status", "status": 504}, None),
    ],
)
def test_a_creation_without_an_answer_may_have_happened(
    arize: ArizeStandIn, fault: dict[str, Any], error: type[Exception] | None, carried_out: bool
) -> None:
    arize.script_graphql(**fault, carried_out=carried_out, operation="createFileImportJob")
    body = {"query": CREATE, "variables": {"input": job_input(arize, "b", "p/")}}
    if error is None:
        assert post(arize, body).status_code == 504
    else:
        with pytest.raises(error):
            post(arize, body, timeout=0.3)
    assert len(arize.jobs()) == carried_out


def test_a_hanging_answer_comes_when_faults_are_cleared(arize: ArizeStandIn) -> None:
    arize.script_graphql("hang", carried_out=True)
    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(make_job, arize, "b", "p/")
        wait_until(lambda: len(arize.jobs()) == 1, 20, "the job to be made")
        assert not made.done()
        arize.clear_faults()
        assert made.result(20) == arize.jobs()[0]["id"]


def test_a_slow_answer_comes_after_what_was_asked_has_happened(arize: ArizeStandIn) -> None:
    arize.script_graphql("slow", seconds=60)
    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(make_job, arize, "b", "p/")
        wait_until(lambda: len(arize.jobs()) == 1, 20, "the job to be made")
        assert not made.done()
        arize.clear_faults()
        assert made.result(20) == arize.jobs()[0]["id"]


@pytest.mark.parametrize(
    "fault",
    [
        {"on": "graphql", "kind": "accept_then_lose"},
        {"on": "importer", "kind": "slow"},
        {"on": "importer", "kind": "pause", "path": "a*"},
        {"on": "moon", "kind": "slow"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(arize: ArizeStandIn, fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="400"):
        arize.script(**fault)


def test_the_developer_key_is_another_one_and_is_in_the_environment(arize: ArizeStandIn) -> None:
    assert arize.environment()["ARIZE_DEVELOPER_KEY"] == arize.developer_key != arize.api_key


def test_no_files_are_a_page_too(arize: ArizeStandIn) -> None:
    page = told(ask(arize, FILES, jobId=make_job(arize, "b", "p/"), first=50), "node", "files")
    assert page == {"pageInfo": {"hasNextPage": False, "endCursor": None}, "edges": []}
