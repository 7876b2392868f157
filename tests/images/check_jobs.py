"""The job templates as Prefect's workers fill them in, and as Kubernetes and Docker would take what they make of them.

Left out: a cluster and an engine. No pod and no container is made here.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import kubernetes_validate
import pytest
from docker.models.containers import _create_container_args
from prefect.client.schemas.objects import Flow, FlowRun, WorkPool
from prefect.settings import PREFECT_API_KEY, PREFECT_API_URL, temporary_settings
from prefect_docker.worker import DockerWorker
from prefect_kubernetes.worker import KubernetesWorker

ROOT = Path(__file__).parents[2]
API_KEY = "a key of Prefect's"
VERSIONS = ("1.30", "1.33", "1.37")


def template(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "deployments" / kind / "base-job-template.json").read_text())
    return found


def prepared(worker: Any, kind: str, **values: Any) -> Any:
    """The configuration of a run's job, as a worker of the pool prepares it."""
    flow = Flow(id=uuid.uuid4(), name="ingest", labels={})
    run = FlowRun(id=uuid.uuid4(), flow_id=flow.id, name="Quick Eel")
    queue = uuid.uuid4()
    pool = WorkPool(name="pool", type=kind, base_job_template=template(kind), default_queue_id=queue)
    with temporary_settings({PREFECT_API_URL: "https://prefect.example.com/api", PREFECT_API_KEY: API_KEY}):
        made = worker.job_configuration.from_template_and_values(template(kind), values, client=MagicMock())
        configuration = asyncio.run(made)
        configuration.prepare_for_flow_run(run, flow=flow, work_pool=pool, worker_name="worker")
    return configuration


def job(**values: Any) -> dict[str, Any]:
    found: dict[str, Any] = prepared(KubernetesWorker, "kubernetes", **values).job_manifest
    return found


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    (found,) = manifest["spec"]["template"]["spec"]["containers"]
    return dict(found)


def host_config(**values: Any) -> dict[str, Any]:
    """What is asked of Docker's API, by the worker's code and by docker's."""
    configuration = prepared(DockerWorker, "docker", **values)
    engine = MagicMock()
    engine.version.return_value = {"Version": "28.2.2"}
    settings = DockerWorker(work_pool_name="docker")._build_container_settings(engine, configuration)
    asked: dict[str, Any] = _create_container_args({**settings, "version": "1.41"})
    return asked


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", [{}, {"env": {"A": "b"}, "service_account_name": "sluice", "labels": {"a": "b"}}])
def test_kubernetes_knows_every_key_of_the_job(version: str, values: dict[str, Any]) -> None:
    manifest = job(**values)
    pod = manifest["spec"]["template"]["spec"]
    # Prefect wants these two in the pod, where Kubernetes knows none and passes over them.
    assert [pod.pop(name) for name in ("completions", "parallelism")] == [1, 1]
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_key_that_kubernetes_does_not_know_would_be_seen() -> None:
    with pytest.raises(kubernetes_validate.ValidationError, match="parallelism"):
        kubernetes_validate.validate(job(), VERSIONS[-1], strict=True)


def test_the_pod_runs_what_the_worker_says_with_its_variables_and_those_of_the_template() -> None:
    only = container(job(env={"SLUICE_PIPELINES": "/config/pipelines"}))
    assert only["args"] == ["prefect", "flow-run", "execute"]
    assert "command" not in only
    given = {item["name"]: item["value"] for item in only["env"]}
    assert given["PREFECT_HOME"] == "/scratch/prefect"
    assert given["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] == "reschedule"
    assert given["SLUICE_PIPELINES"] == "/config/pipelines"
    assert given.keys() >= {"PREFECT_API_URL", "PREFECT__FLOW_RUN_ID", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"}


def test_the_pod_stays_as_the_template_has_it_when_a_worker_has_filled_it_in() -> None:
    manifest, wanted = job(), template("kubernetes")["job_configuration"]["job_manifest"]
    spec, wanted_spec = manifest["spec"]["template"]["spec"], wanted["spec"]["template"]["spec"]
    for name in ("securityContext", "automountServiceAccountToken", "enableServiceLinks", "restartPolicy"):
        assert spec[name] == wanted_spec[name]
    for name in ("securityContext", "volumeMounts"):
        assert container(manifest)[name] == wanted_spec["containers"][0][name]
    assert manifest["spec"]["backoffLimit"] == 0
    assert manifest["metadata"]["generateName"] == "quick-eel-"


def test_prefect_s_own_key_stands_in_the_job_only_where_the_worker_was_not_told_of_a_secret() -> None:
    configuration = prepared(KubernetesWorker, "kubernetes")
    assert API_KEY in json.dumps(configuration.job_manifest)
    replace = KubernetesWorker(work_pool_name="kubernetes")._replace_api_key_with_secret
    asyncio.run(replace(configuration, client=MagicMock(), secret_name="sluice", secret_key="PREFECT_API_KEY"))
    assert API_KEY not in json.dumps(configuration.job_manifest)
    (key,) = [item for item in container(configuration.job_manifest)["env"] if item["name"] == "PREFECT_API_KEY"]
    assert key["valueFrom"]["secretKeyRef"] == {"name": "sluice", "key": "PREFECT_API_KEY"}


def test_docker_is_asked_for_a_read_only_container_without_capabilities() -> None:
    asked = host_config(volumes=["/srv/sluice:/config:ro"])
    host = asked["host_config"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Init"] is True
    assert host["PidsLimit"] == 512
    assert host["AutoRemove"] is True
    assert host["Memory"] == host["MemorySwap"] == 2 * 2**30
    assert host["Binds"] == ["/srv/sluice:/config:ro"]
    assert not host.get("Privileged")
    assert asked["image"] == "sluice:0.1.0"
    assert asked["command"] == "prefect flow-run execute"
    assert asked["environment"]["PREFECT_HOME"] == "/scratch/prefect"


@pytest.mark.parametrize(("worker", "kind"), [(DockerWorker, "docker"), (KubernetesWorker, "kubernetes")])
def test_the_template_sets_nothing_that_this_worker_does_not_read(worker: Any, kind: str) -> None:
    assert template(kind)["job_configuration"].keys() <= worker.job_configuration.model_fields.keys()
