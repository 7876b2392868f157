"""The job templates of work pools, filled in by Prefect's own code: what runs, as whom, with what.

Prefect's workers and Kubernetes' schemas are asked by `make images`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.utilities.templating import apply_values, find_placeholders

from sluice.checking import pipeline_called
from sluice.errors import WrongSettings
from sluice.forecast import peak_memory_mib
from sluice.pipeline import Limits, pipeline_names
from sluice.settings import Settings

ROOT = Path(__file__).parents[2]
KINDS = ("docker", "kubernetes")
PREFECTS_OWN_MIB = 512  # beside the run: the process that watches it, and what the kernel counts of files
SECURITY = {"privileged": False, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}


def template(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "deployments" / kind / "base-job-template.json").read_text())
    return found


def properties(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = template(kind)["variables"]["properties"]
    return found


def defaults(kind: str) -> dict[str, Any]:
    return {name: item["default"] for name, item in properties(kind).items() if "default" in item}


def filled(kind: str, **changed: Any) -> dict[str, Any]:
    """The configuration of a job: what has no value is left out, as a worker leaves it out."""
    found = apply_values(template(kind)["job_configuration"], {**defaults(kind), **changed}, remove_notset=True)
    assert isinstance(found, dict)
    return found


def pod(**changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = filled("kubernetes", **changed)["job_manifest"]["spec"]["template"]["spec"]
    return found


def container(**changed: Any) -> dict[str, Any]:
    (found,) = pod(**changed)["containers"]
    return dict(found)


def image_variables() -> dict[str, str]:
    recipe = (ROOT / "deployments" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    return dict(re.findall(r"\b([A-Z_]+)=(\S+)", recipe))


# --- both ---


@pytest.mark.parametrize("kind", KINDS)
def test_prefect_takes_the_template_and_every_default_is_of_its_own_kind(kind: str) -> None:
    WorkPoolCreate(name=kind, type=kind, base_job_template=template(kind))
    jsonschema.Draft202012Validator.check_schema(template(kind)["variables"])
    jsonschema.validate(defaults(kind), template(kind)["variables"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_variable_is_used_and_every_placeholder_is_a_variable(kind: str) -> None:
    used = {found.name for found in find_placeholders(template(kind)["job_configuration"])}
    assert used == set(properties(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_misspelt_variable_of_a_deployment_is_refused_and_prefect_yaml_s_are_taken(kind: str) -> None:
    schema = template(kind)["variables"]
    jsonschema.validate({"env": {"PREFECT_LOGGING_EXTRA_LOGGERS": "sluice"}, "memory": "3Gi"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"memory_limit": "3Gi"}, schema)


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_is_that_of_this_version(kind: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert defaults(kind)["image"] == f"sluice:{project['version']}"
    for paper in ("docs/deploying.md", "deployments/docker/Dockerfile"):
        assert f"-t {defaults(kind)['image']} " in (ROOT / paper).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_gets_no_secret_in_plain_text_and_is_started_again_when_it_is_told_to_end(kind: str) -> None:
    assert defaults(kind)["env"] == {
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR": "reschedule",
        "PREFECT_HOME": image_variables()["PREFECT_HOME"],
        "PREFECT_LOGGING_EXTRA_LOGGERS": "sluice",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_memory_is_enough_for_a_pipeline_file_that_sets_no_limits(kind: str) -> None:
    gib = defaults(kind)["memory"].removesuffix({"docker": "g", "kubernetes": "Gi"}[kind])
    assert int(gib) * 1024 >= peak_memory_mib(Limits()) + PREFECTS_OWN_MIB


# --- Docker ---


def test_a_container_has_a_read_only_root_and_no_capability_whatever_a_deployment_says() -> None:
    config = filled("docker", volumes=["/srv/sluice:/config:ro"], networks=["kafka"], network_mode="host")
    assert config["privileged"] is False
    assert config["container_create_kwargs"] == {
        "cap_drop": ["ALL"],
        "init": True,
        "pids_limit": 512,
        "read_only": True,
        "security_opt": ["no-new-privileges:true"],
    }
    assert not list(find_placeholders(template("docker")["job_configuration"]["container_create_kwargs"]))


def test_a_container_takes_its_scratch_with_it_and_never_swaps() -> None:
    config = filled("docker")
    assert config["auto_remove"] is True
    assert config["mem_limit"] == config["memswap_limit"] == "2g"


# --- Kubernetes ---


def test_a_pod_keeps_the_restricted_standard_whatever_a_deployment_says() -> None:
    """Restricted: the strictest of Kubernetes' Pod Security Standards."""
    every = dict.fromkeys(properties("kubernetes"), "x") | {"env": {"A": "b"}}
    for changed in ({}, every):
        spec, only = pod(**changed), container(**changed)
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert only["securityContext"] == {**SECURITY, "capabilities": {"drop": ["ALL"]}}
        assert {next(iter(item.keys() - {"name"})) for item in spec["volumes"]} == {"emptyDir", "configMap", "secret"}
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"}
        assert "ports" not in only


def test_a_pod_has_no_key_to_the_cluster_and_no_variable_of_a_service() -> None:
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["enableServiceLinks"] is False
    with pytest.raises(WrongSettings, match="ARIZE_API_PORT"):  # what a service called arize-api would put there
        Settings.from_environment({"ARIZE_API_PORT": "tcp://10.0.0.7:443"})


def test_secrets_come_from_the_platform_and_a_missing_one_stops_the_pod() -> None:
    assert container()["envFrom"] == [
        {"configMapRef": {"name": "sluice-settings", "optional": True}},
        {"secretRef": {"name": "sluice"}},
    ]


def test_only_the_scratch_of_the_image_may_be_written_and_it_ends_with_the_pod() -> None:
    mounts = {item["name"]: item for item in container()["volumeMounts"]}
    volumes = {item["name"]: item for item in pod()["volumes"]}
    assert mounts.keys() == volumes.keys()
    assert [name for name, item in mounts.items() if not item.get("readOnly")] == ["scratch"]
    assert mounts["scratch"]["mountPath"] == image_variables()["TMPDIR"]
    assert volumes["scratch"]["emptyDir"] == {"sizeLimit": "4Gi"}


def test_a_pod_asks_for_all_the_memory_that_it_may_take() -> None:
    assert container(memory="3Gi")["resources"] == {
        "requests": {"cpu": "1", "memory": "3Gi"},
        "limits": {"memory": "3Gi"},
    }


def test_a_job_is_tried_once_by_kubernetes_and_again_by_prefect() -> None:
    """By Prefect: the supervisor that gets SIGTERM gives the engine 30 seconds, and puts the run back in the queue."""
    manifest = filled("kubernetes")["job_manifest"]["spec"]
    assert manifest["backoffLimit"] == 0
    assert pod()["terminationGracePeriodSeconds"] > 30
    assert pod()["restartPolicy"] == "Never"


def test_pipelines_in_a_config_map_are_found_with_their_environment_beside_them(tmp_path: Path) -> None:
    pipelines, environments = tmp_path / "pipelines", tmp_path / "environments"
    flights = (ROOT / "deployments" / "pipelines" / "flights.yaml").read_text(encoding="utf-8")
    for directory, files in ((pipelines, {"flights.yaml": flights}), (environments, {"prod.yaml": "store: s3://a/b"})):
        _mounted(directory, files)
    settings = Settings.from_environment({"SLUICE_PIPELINES": str(pipelines), "SLUICE_ENVIRONMENT": "prod"})
    assert pipeline_names(settings.pipelines) == ["flights"]
    assert pipeline_called("flights", settings).pipeline.name == "flights"
    assert settings.store().url == "s3://a/b"
    where = {item["name"]: Path(item["mountPath"]) for item in container()["volumeMounts"]}
    assert where["environments"] == where["pipelines"].parent / "environments"


def _mounted(directory: Path, files: Mapping[str, str]) -> None:
    """Lay files as the kubelet lays those of a ConfigMap: each a link into a directory that is exchanged whole."""
    real = directory / "..2026_11_23_10_00_00.1"
    real.mkdir(parents=True)
    (directory / "..data").symlink_to(real.name)
    for name, text in files.items():
        (real / name).write_text(text, encoding="utf-8")
        (directory / name).symlink_to(f"..data/{name}")
