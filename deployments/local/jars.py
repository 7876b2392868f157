"""The jars that a lock names, downloaded once into the user's cache folder and proved by SHA-256 at each use."""

import hashlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from maven_artifact import Artifact, Downloader, RequestException

LOCK = Path(__file__).with_name("kafka.lock")
_TIMEOUT_S = 60


class JarUnavailableError(RuntimeError):
    """A jar could not be downloaded, or is not the one that was locked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    coordinate: str
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def cache_folder() -> Path:
    """Return where downloads are kept, outside of any clone: SLUICE_CACHE, else `sluice` in the user's cache folder."""
    if own := os.environ.get("SLUICE_CACHE"):
        return Path(own).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "sluice"


def jar_folder() -> Path:
    return cache_folder() / "jars"


def class_path(lock: Path = LOCK) -> str:
    """Return the class path of all locked jars, downloading what the cache lacks, eight at a time."""
    folder = jar_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(8) as pool:
        return os.pathsep.join(map(str, pool.map(lambda jar: _present(jar, folder), locked_jars(lock))))


def locked_jars(lock: Path = LOCK) -> list[Jar]:
    lines = [line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    return [Jar(coordinate=coordinate, sha256=sha256) for coordinate, sha256 in lines]


def _present(jar: Jar, folder: Path) -> Path:
    path = folder / jar.file_name
    if not path.exists() or _sha256(path) != jar.sha256:
        _download(jar, path)
    return path


def _download(jar: Jar, path: Path) -> None:
    """Place the jar by one rename: other processes see all of it or nothing, and the last of several wins."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
        try:
            for chunk in _chunks(jar):
                part.write(chunk)
            part.flush()
            if (found := _sha256(Path(part.name))) != jar.sha256:
                raise JarUnavailableError(
                    f"{jar.coordinate} has SHA-256 {found}, locked is {jar.sha256}: do not trust its source"
                )
            Path(part.name).replace(path)
        finally:
            Path(part.name).unlink(missing_ok=True)


def _chunks(jar: Jar) -> list[bytes]:
    # Not Downloader.download: that prints two lines a jar. SLUICE_MAVEN_MIRROR is a repository's address; proxies,
    # certificates and ~/.netrc are taken up by `requests` in its usual ways.
    mirror = os.environ.get("SLUICE_MAVEN_MIRROR")
    maven = Downloader(mirror) if mirror else Downloader()
    try:
        address = maven.resolver.uri_for_artifact(Artifact.parse(jar.coordinate))
        with maven.requestor.request(address, None, stream=True, timeout=_TIMEOUT_S) as response:
            return list(response.iter_content(chunk_size=1 << 20))
    except (OSError, RequestException) as refused:  # every error of `requests` is an OSError
        raise JarUnavailableError(
            f"{jar.coordinate} could not be downloaded: {refused}. Behind a firewall set HTTPS_PROXY, or "
            "SLUICE_MAVEN_MIRROR to the address of a Maven repository that you may reach; "
            f"the jars are kept in {jar_folder()}"
        ) from refused


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
