"""One contract for every store: a directory, a real S3 server, and moto.

moto answers what S3 answers, but checks no signature and no checksum, and its conditional writes race: these tests run
on the directory and on SeaweedFS alone.
"""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from urllib3 import HTTPResponse

from deployments.local.ports import LOOPBACK, free_port
from sluice.errors import BucketMissing, StoreIgnoresConditions, StoreRefused, StoreUnavailable, WrongSettings
from sluice.ledger import Ledger
from sluice.ledger.deliveries import Deliveries, Delivery, Intent, PartName
from sluice.ledger.keys import Keys
from sluice.settings import StoreConnection
from sluice.store import Store, probe
from sluice.stores import s3, s3_files
from sluice.stores.directory import DirectoryStore
from sluice.stores.opening import open_store
from sluice.stores.s3 import S3Store
from tests.parts import WRITTEN, genesis, window

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from deployments.local.seaweedfs import SeaweedFS

WRITERS = 16
BUCKET = "sluice"


def client(url: str, key: str = "key", secret: str = "secret", **config: Any) -> S3Client:
    quick = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2}, **config)
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=quick,
    )


def forget_checksum(response_dict: dict[str, Any], **_: object) -> None:
    response_dict["headers"] = {
        name: value for name, value in response_dict["headers"].items() if "checksum" not in name.lower()
    }


def seaweed_client(seaweedfs: SeaweedFS) -> S3Client:
    return client(seaweedfs.endpoint_url, seaweedfs.access_key, seaweedfs.secret_key)


def make(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Make a store of a kind, empty."""
    if kind == "directory":
        return DirectoryStore(tmp_path / "store")
    prefix = f"{uuid.uuid4().hex}/deep"
    if kind == "moto":
        return S3Store(BUCKET, prefix, client(request.getfixturevalue("moto_url")))
    seaweedfs: SeaweedFS = request.getfixturevalue("seaweedfs")
    return S3Store(seaweedfs.bucket, prefix, seaweed_client(seaweedfs))


@pytest.fixture(params=["directory", "moto", "seaweedfs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return make(request.param, request, tmp_path)


@pytest.fixture(params=["directory", "seaweedfs"])
def real_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return make(request.param, request, tmp_path)


def a_file(tmp_path: Path, data: bytes) -> tuple[Path, str]:
    file = tmp_path / uuid.uuid4().hex
    file.write_bytes(data)
    return file, hashlib.sha256(data).hexdigest()


# ── writing once


def test_what_is_put_is_read_back(store: Store) -> None:
    assert store.put_once("a/b", b"one") == b"one"
    assert store.read("a/b") == b"one"


def test_the_first_put_holds_and_the_second_is_shown_it(store: Store) -> None:
    store.put_once("a/b", b"one")
    assert store.put_once("a/b", b"two") == b"one"
    assert store.read("a/b") == b"one"


def test_a_writer_that_repeats_its_put_finds_itself(store: Store) -> None:
    assert store.put_once("a/b", b"one") == b"one"
    assert store.put_once("a/b", b"one") == b"one"


def test_an_empty_object_is_an_object(store: Store) -> None:
    assert store.put_once("a/b", b"") == b""
    assert store.read("a/b") == b""
    assert store.put_once("a/b", b"two") == b""


def test_a_file_is_put_once_and_one_that_is_there_is_left_alone(store: Store, tmp_path: Path) -> None:
    data = bytes(range(256)) * 5_000
    store.put_file_once("a/file", *a_file(tmp_path, data))
    store.put_file_once("a/file", *a_file(tmp_path, b"shorter, from a zombie"))
    assert store.fetch("a/file", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data


def test_a_file_is_told_from_another_of_its_size_and_from_nothing(store: Store, tmp_path: Path) -> None:
    mine, other = a_file(tmp_path, b"one"), a_file(tmp_path, b"two")
    assert not store.has_file("a/file", *mine)
    store.put_file_once("a/file", *mine)
    assert store.has_file("a/file", *mine)
    assert not store.has_file("a/file", *other)
    assert not store.has_file("a/file", *a_file(tmp_path, b"longer"))


def test_a_file_of_which_s3_keeps_no_checksum_is_compared_byte_by_byte(seaweedfs: SeaweedFS, tmp_path: Path) -> None:
    client = seaweed_client(seaweedfs)
    client.meta.events.register("before-parse.s3.HeadObject", forget_checksum)
    store = S3Store(seaweedfs.bucket, uuid.uuid4().hex, client)
    store.put_file_once("a/file", *a_file(tmp_path, b"one"))
    assert store.has_file("a/file", *a_file(tmp_path, b"one"))
    assert not store.has_file("a/file", *a_file(tmp_path, b"two"))


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Contents of a file that goes in three parts; S3 wants each but the last to be 5 MiB or more."""
    monkeypatch.setattr(s3_files, "PART", 5 * 2**20)
    monkeypatch.setattr(s3_files, "IN_PARTS_ABOVE", 10 * 2**20)
    monkeypatch.setattr(s3, "IN_PARTS_ABOVE", 10 * 2**20)
    return os.urandom(10 * 2**20 + 1)


def test_a_large_file_goes_in_parts_and_appears_whole_and_once(store: Store, tmp_path: Path, in_parts: bytes) -> None:
    mine, other = a_file(tmp_path, in_parts), a_file(tmp_path, in_parts[::-1])
    store.put_file_once("a/file", *mine)
    store.put_file_once("a/file", *other)
    assert store.has_file("a/file", *mine)
    assert not store.has_file("a/file", *other)
    assert store.fetch("a/file", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == in_parts


@pytest.mark.parametrize("broken", ["UploadPart", "CompleteMultipartUpload"])
def test_an_upload_in_parts_that_fails_leaves_nothing(
    seaweedfs: SeaweedFS, tmp_path: Path, in_parts: bytes, broken: str
) -> None:
    client = seaweed_client(seaweedfs)

    def fail(**_: object) -> AWSResponse:
        body = b"<Error><Code>AccessDenied</Code></Error>"
        return AWSResponse("http://s3", 403, HTTPHeaders(), HTTPResponse(BytesIO(body), preload_content=False))

    client.meta.events.register(f"before-send.s3.{broken}", fail)  # type: ignore[arg-type]  # its answer is taken
    prefix = uuid.uuid4().hex
    store = S3Store(seaweedfs.bucket, prefix, client)
    with pytest.raises(StoreRefused):
        store.put_file_once("a/file", *a_file(tmp_path, in_parts))
    assert store.stat("a/file") is None
    assert not client.list_multipart_uploads(Bucket=seaweedfs.bucket, Prefix=prefix).get("Uploads")


def test_of_writers_of_one_large_file_one_wins_and_none_fails(
    real_store: Store, tmp_path: Path, in_parts: bytes
) -> None:
    files = [a_file(tmp_path, in_parts[:-1] + bytes([number])) for number in range(3)]
    with ThreadPoolExecutor(len(files)) as writers:
        list(writers.map(lambda file: real_store.put_file_once("a/file", *file), files))
    assert sum(real_store.has_file("a/file", *file) for file in files) == 1


def test_a_completion_whose_answer_was_lost_finds_its_own_file(
    seaweedfs: SeaweedFS, tmp_path: Path, in_parts: bytes
) -> None:
    client = seaweed_client(seaweedfs)
    lost: list[str] = []

    def lose(**given: Any) -> None:
        if not lost:
            lost.append("once")
            raise ConnectionResetError

    client.meta.events.register("before-parse.s3.CompleteMultipartUpload", lose)
    store = S3Store(seaweedfs.bucket, uuid.uuid4().hex, client)
    mine = a_file(tmp_path, in_parts)
    try:
        store.put_file_once("a/file", *mine)
    except StoreUnavailable:  # the verb is tried again
        store.put_file_once("a/file", *mine)
    assert lost
    assert store.has_file("a/file", *mine)


def test_an_object_that_was_deleted_may_be_put_again(store: Store) -> None:
    store.put_once("a/b", b"one")
    store.delete("a/b")
    store.delete("a/b")
    assert store.read("a/b") is None
    assert store.put_once("a/b", b"two") == b"two"


def test_a_store_that_honours_conditions_passes_the_probe_again_and_again(store: Store) -> None:
    for _ in range(3):
        probe(store)


def test_of_sixteen_writers_of_one_key_exactly_one_wins_and_all_see_it(real_store: Store) -> None:
    for number in range(5):
        seen, mine = race(real_store, f"race/{number}")
        assert len(set(seen)) == 1
        assert sum(found == data for found, data in zip(seen, mine, strict=True)) == 1
        assert real_store.read(f"race/{number}") == seen[0]


def race(store: Store, key: str) -> tuple[list[bytes], list[bytes]]:
    start = threading.Barrier(WRITERS)
    mine = [uuid.uuid4().hex.encode() for _ in range(WRITERS)]

    def put(data: bytes) -> bytes:
        start.wait(30)
        return store.put_once(key, data)

    with ThreadPoolExecutor(WRITERS) as writers:
        return list(writers.map(put, mine)), mine


def test_sixteen_runs_that_append_at_once_leave_one_chain_with_all_of_them(real_store: Store) -> None:
    Ledger(real_store, "flights").begin(genesis({"a": dict.fromkeys(range(WRITERS), 0)}))
    runs = [Ledger(real_store, "flights").load() for _ in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as threads:
        numbers = list(threads.map(lambda at: runs[at].seal(window(f"a[{at}] 0..4")), range(WRITERS)))
    assert sorted(numbers) == list(range(1, WRITERS + 1))
    assert Ledger(real_store, "flights").load().state.next_number == WRITERS + 1


def test_sixteen_runs_that_seal_the_same_window_make_one_entry(real_store: Store) -> None:
    Ledger(real_store, "flights").begin(genesis({"a": {0: 0}}))
    runs = [Ledger(real_store, "flights").load() for _ in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as threads:
        numbers = list(threads.map(lambda run: run.seal(window("a[0] 0..4")), runs))
    assert set(numbers) == {1}
    assert len(list(real_store.keys("ledger/flights/entries/"))) == 2


# ── reading


def test_what_is_not_there_is_none(store: Store, tmp_path: Path) -> None:
    store.put_once("a/bc", b"one")
    assert store.read("a/b") is None
    assert store.stat("a/b") is None
    assert not store.fetch("a/b", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_listing_is_in_order_and_begins_behind_a_key_that_need_not_exist(store: Store) -> None:
    # Not asked: a name that is an object and a folder (a directory cannot), `a/1` beside `a-1` (SeaweedFS sorts names
    # of folders), what is behind a folder without its slash (SeaweedFS leaves the folder out).
    keys = ["p/a/1", "p/a/2", "p/b", "p/b.json", "p/c/d/e", "q/a", "p2/a"]
    for key in keys:
        store.put_once(key, b"x")
    mine = sorted(key for key in keys if key.startswith("p/"))
    assert list(store.keys("p/")) == mine
    for after in ["", "p/", "p/a/", "p/a/0", "p/a/1", "p/aa", "p/b.json", "p/c/d/e", "p/z", "o", "q"]:
        assert list(store.keys("p/", after)) == [key for key in mine if key > after], after


def test_a_prefix_may_end_in_the_middle_of_a_name(store: Store) -> None:
    for key in ("p/0001.a", "p/0002.a", "p/0011.a"):
        store.put_once(key, b"x")
    assert list(store.keys("p/000")) == ["p/0001.a", "p/0002.a"]
    assert list(store.keys("nothing/")) == []
    assert list(store.keys("p/0003")) == []


@pytest.mark.parametrize("kind", ["directory", "moto"])
def test_a_listing_goes_on_behind_its_first_thousand(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    store = make(kind, request, tmp_path)
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(lambda number: store.put_once(f"p/{number:04}", b"x"), range(1005)))
    assert list(store.keys("p/")) == [f"p/{number:04}" for number in range(1005)]
    assert list(store.keys("p/", after="p/1001")) == ["p/1002", "p/1003", "p/1004"]


def test_the_stores_clock_and_its_time_stamps_agree_within_the_stated_error(store: Store) -> None:
    before = store.now_s()
    store.put_once("a/b", b"one!")
    after = store.now_s()
    found = store.stat("a/b")
    assert found is not None
    assert found.size == 4
    assert before - store.clock_error_s <= found.modified_s <= after + store.clock_error_s
    assert before <= after


@pytest.mark.parametrize(("kind", "grain_s"), [("directory", 1), ("moto", 2), ("seaweedfs", 2)])
def test_a_send_may_be_under_way_until_the_error_of_the_stores_clock_has_passed_too(
    kind: str, grain_s: int, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(kind, request, tmp_path)
    deliveries, intent = Deliveries(store, Keys("flights")), Intent(**WRITTEN, entry_id="id", duration_s=10)
    name = PartName(entry=7, part=0, entry_id="id")
    deliveries.intend(name, 0, intent)
    delivery = Delivery(number=0, intent=intent, outcome=None, note=None)
    written = store.stat(Keys("flights").delivery(7, 0, 0, "intent"))
    assert written is not None
    for late_s, is_over in ((10 + grain_s, False), (10 + grain_s + 0.1, True)):
        monkeypatch.setattr(store, "now_s", lambda at=written.modified_s + late_s: at)
        assert deliveries.is_over(name, delivery) is is_over


def test_the_clock_of_a_directory_is_the_one_that_stamps_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = 4_000_000_000.0

    def touch_on_a_server_whose_clock_is_wrong(file: Path) -> None:
        file.write_bytes(b"")
        os.utime(file, (ahead, ahead))

    monkeypatch.setattr("pathlib.Path.touch", touch_on_a_server_whose_clock_is_wrong)
    assert DirectoryStore(tmp_path / "store").now_s() == ahead


def test_writing_again_in_vain_does_not_touch_the_time_stamp(store: Store) -> None:
    store.put_once("a/b", b"one")
    first = store.stat("a/b")
    store.put_once("a/b", b"two")
    assert store.stat("a/b") == first


def test_the_clocks_own_samples_are_no_objects(store: Store) -> None:
    store.now_s()
    assert list(store.keys("")) == []


# ── what goes wrong


def test_a_store_that_ignores_conditions_is_found_out(store: Store) -> None:
    class Overwrites:
        """A store that overwrites, as an S3 server that does not know If-None-Match does. Leaves out all else."""

        def put_once(self, key: str, data: bytes) -> bytes:
            store.delete(key)
            return store.put_once(key, data)

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

    with pytest.raises(StoreIgnoresConditions, match="overwrote"):
        probe(Overwrites())  # type: ignore[arg-type]


S3_CALLS: list[Callable[[Store], object]] = [
    lambda store: store.put_once("a", b"x"),
    lambda store: store.read("a"),
    lambda store: store.stat("a"),
    lambda store: list(store.keys("a")),
    lambda store: store.delete("a"),
    lambda store: store.now_s(),
    lambda store: store.fetch("a", Path("/nowhere")),
]


@pytest.mark.parametrize("call", range(len(S3_CALLS)))
def test_a_server_that_does_not_answer_is_unavailable_and_found_so_in_time(call: int) -> None:
    store = S3Store(BUCKET, "", client(f"http://{LOOPBACK}:{free_port()}"))
    with pytest.raises(StoreUnavailable):
        S3_CALLS[call](store)


@pytest.mark.parametrize("call", range(len(S3_CALLS)))
def test_a_wrong_secret_is_refused(call: int, seaweedfs: SeaweedFS) -> None:
    store = S3Store(seaweedfs.bucket, "", client(seaweedfs.endpoint_url, seaweedfs.access_key, "wrong"))
    with pytest.raises(StoreRefused):
        S3_CALLS[call](store)


@pytest.mark.parametrize("kind", ["moto", "seaweedfs"])
def test_a_bucket_that_does_not_exist_is_named(kind: str, request: pytest.FixtureRequest) -> None:
    opened = (
        client(request.getfixturevalue("moto_url"))
        if kind == "moto"
        else seaweed_client(request.getfixturevalue("seaweedfs"))
    )
    store = S3Store("no-such-bucket", "", opened)
    # SeaweedFS makes the bucket when one who may do all first writes to it.
    writes: list[Callable[[Store], object]] = [probe] if kind == "moto" else []
    calls: list[Callable[[Store], object]] = [S3_CALLS[1], S3_CALLS[3], *writes]
    for call in calls:
        with pytest.raises(BucketMissing):
            call(store)


def test_a_file_that_changed_on_its_way_is_not_taken(seaweedfs: SeaweedFS, tmp_path: Path) -> None:
    store = S3Store(seaweedfs.bucket, uuid.uuid4().hex, seaweed_client(seaweedfs))
    file, _ = a_file(tmp_path, b"what was meant")
    with pytest.raises(StoreUnavailable):
        store.put_file_once("a", file, hashlib.sha256(b"something else").hexdigest())
    assert store.read("a") is None


def conflicting(url: str, times: int, asked: list[bytes]) -> S3Client:
    """A client whose first writes meet another one to their key; the server has read them to their end by then."""

    def meet(request: Any, **_: object) -> AWSResponse | None:
        if len(asked) == times:
            return None
        asked.append(request.body.read())
        answer = BytesIO(b"<Error><Code>ConditionalRequestConflict</Code></Error>")
        return AWSResponse(request.url, 409, HTTPHeaders(), HTTPResponse(answer, preload_content=False))

    opened = client(url)
    opened.meta.events.register("before-send.s3.PutObject", meet)  # type: ignore[arg-type]  # it may answer
    return opened


def test_a_write_that_meets_another_one_to_its_key_is_made_again_and_whole(moto_url: str, tmp_path: Path) -> None:
    asked: list[bytes] = []
    store = S3Store(BUCKET, uuid.uuid4().hex, conflicting(moto_url, 4, asked))
    store.put_file_once("a/file", *a_file(tmp_path, b"a whole file"))
    assert store.read("a/file") == b"a whole file"
    assert asked == [b"a whole file"] * 4


def test_a_write_that_meets_others_again_and_again_is_given_up(moto_url: str, tmp_path: Path) -> None:
    asked: list[bytes] = []
    store = S3Store(BUCKET, uuid.uuid4().hex, conflicting(moto_url, 9, asked))
    with pytest.raises(StoreUnavailable, match="ConditionalRequestConflict"):
        store.put_file_once("a/file", *a_file(tmp_path, b"a whole file"))
    assert len(asked) == 5


def test_a_directory_without_a_parent_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BucketMissing, match="nowhere"):
        DirectoryStore(tmp_path / "nowhere" / "store")


def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    store = DirectoryStore(tmp_path / "store")
    monkeypatch.setattr("sluice.stores.directory.os.link", refuse)
    with pytest.raises(StoreRefused, match="Fix its permissions"):
        store.put_once("a/b", b"one")
    assert store.read("a/b") is None


def test_a_directory_whose_scratch_folder_is_a_file_is_unavailable(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    (tmp_path / "store" / ".unfinished").rmdir()
    (tmp_path / "store" / ".unfinished").write_bytes(b"no folder")
    with pytest.raises(StoreUnavailable):
        store.put_once("a/b", b"one")


def test_a_writer_that_dies_before_it_links_leaves_no_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCutError(BaseException):
        pass

    def dies(*_: object) -> None:
        raise PowerCutError

    store = DirectoryStore(tmp_path / "store")
    with monkeypatch.context() as patch:
        patch.setattr("sluice.stores.directory.os.link", dies)
        patch.setattr("pathlib.Path.unlink", lambda *_, **__: None)
        with pytest.raises(PowerCutError):
            store.put_once("a/b", b"half of")
    assert list((tmp_path / "store" / ".unfinished").iterdir())
    assert list(store.keys("")) == []
    assert store.put_once("a/b", b"one") == b"one"


def test_neither_a_write_nor_the_clock_leaves_anything_unfinished(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    for data in (b"one", b"two"):
        store.put_once("a/b", data)
    store.now_s()
    assert list((tmp_path / "store" / ".unfinished").iterdir()) == []


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(tmp_path / "store")
    store.put_once("a/first", b"")
    done: list[tuple[str, int]] = []
    link = os.link

    def linked(unfinished: Path, target: Path) -> None:
        done.append(("linked", unfinished.stat().st_ino))
        link(unfinished, target)

    monkeypatch.setattr("os.fsync", lambda descriptor: done.append(("flushed", os.fstat(descriptor).st_ino)))
    monkeypatch.setattr("os.link", linked)
    store.put_once("a/b", b"one")
    file, folder = ((tmp_path / "store" / name).stat().st_ino for name in ("a/b", "a"))
    assert done == [("flushed", file), ("linked", file), ("flushed", folder)]


def test_every_new_name_is_forced_to_the_disk_up_to_the_first_folder_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(tmp_path / "store")
    flushed: list[Path] = []
    monkeypatch.setattr("sluice.stores.directory._flush", flushed.append)
    store.put_once("a/b/c", b"one")
    root = tmp_path / "store"
    assert {root, root / "a", root / "a" / "b"} <= set(flushed)
    flushed.clear()
    store.put_once("a/b/d", b"one")
    assert {path for path in flushed if path.is_dir()} == {root / "a" / "b"}


# ── addresses


def test_an_address_opens_the_store_that_it_names(tmp_path: Path) -> None:
    for address in (f"{tmp_path}/one store", f"file://{tmp_path}/one%20store"):
        assert repr(open_store(StoreConnection(url=address))) == f"DirectoryStore('{tmp_path}/one store')"


@pytest.mark.parametrize("address", ["", "s3://", "gs://bucket", "s3:bucket", "https://bucket"])
def test_an_address_of_no_store_is_a_wrong_setting(address: str) -> None:
    with pytest.raises(WrongSettings, match="the store is"):
        open_store(StoreConnection(url=address))
