"""Real folders with real links, pipes and devices in them, and a real S3 process with invalid answers."""

import os
import shutil
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from server.trusted_images.stores import (
    CredentialsUnusable,
    ImageBucket,
    ImageFolder,
    ReferencedImageTooLarge,
    ReferenceInvalid,
    ReferenceNotFound,
    StoreUnavailable,
    TrustedImagesError,
    read_credentials,
)
from tests.server.s3_process import S3, running_s3

_INSIDE, _OUTSIDE = b"an image of the store", b"a file outside of the store"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "x.jpg").write_bytes(_OUTSIDE)
    return folder


@pytest.fixture
def store(tmp_path: Path, outside: Path) -> Path:
    folder = tmp_path / "store"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "x.jpg").write_bytes(_INSIDE)
    (folder / "a" / "b" / "x.jpg").write_bytes(_INSIDE)
    return folder


def _read(store: Path, reference: str, max_bytes: int = 2_000_000) -> bytes:
    return ImageFolder(store).read(tuple(reference.split("/")), max_bytes)


def _handles() -> set[str]:
    # Handles of other tests may be closed in the background, but none may be opened.
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of this process, at this moment


@pytest.mark.parametrize("reference", ["x.jpg", "a/b/x.jpg"])
def test_a_file_is_read(store: Path, reference: str) -> None:
    assert _read(store, reference) == _INSIDE


def test_names_are_bytes_of_utf_8(store: Path) -> None:
    (store / "é").mkdir()
    (store / "é" / "日本 (2).jpg").write_bytes(_INSIDE)
    assert _read(store, "é/日本 (2).jpg") == _INSIDE
    with pytest.raises(ReferenceNotFound):
        _read(store, "e\u0301/日本 (2).jpg")


def test_an_empty_file_is_an_empty_image(store: Path) -> None:
    (store / "empty").touch()
    assert _read(store, "empty") == b""


@pytest.mark.parametrize("reference", ["none.jpg", "none/x.jpg", "a/none/x.jpg", "x.jpg/x.jpg", "a/b/none"])
def test_nothing_there_is_not_found(store: Path, reference: str) -> None:
    with pytest.raises(ReferenceNotFound):
        _read(store, reference)


_LINKS = {
    "a/x.jpg": ("a/x.jpg", "../../outside/x.jpg"),
    "folder/x.jpg": ("folder", "../outside"),
    "a/up/outside/x.jpg": ("a/up", "../.."),
    "absolute.jpg": ("absolute.jpg", "{outside}/x.jpg"),
    "inside.jpg": ("inside.jpg", "x.jpg"),
    "a/round/b/x.jpg": ("a/round", "."),
    "loop": ("loop", "loop"),
    "dangling": ("dangling", "nowhere"),
    "root/etc/hostname": ("root", "/"),
    "self/environ": ("self", "/proc/self"),
}
"""References, and the links that would have to be followed."""


@pytest.mark.parametrize("reference", _LINKS)
def test_links_are_refused_wherever_they_lead(store: Path, outside: Path, reference: str) -> None:
    place, target = _LINKS[reference]
    (store / place).symlink_to(target.format(outside=outside))
    before = _handles()
    with pytest.raises(ReferenceInvalid, match="contains a link"):
        _read(store, reference)
    assert _handles() <= before


def test_hard_links_are_refused(store: Path, outside: Path) -> None:
    (store / "hard.jpg").hardlink_to(outside / "x.jpg")
    with pytest.raises(ReferenceInvalid, match="hard link"):
        _read(store, "hard.jpg")
    (outside / "x.jpg").unlink()
    assert _read(store, "hard.jpg") == _OUTSIDE


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # The path of a socket may have 108 bytes only.
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def _device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root may make devices")


@pytest.mark.parametrize(
    "make", [_pipe, _socket, _device, Path.mkdir], ids=["pipe", "socket", "device", "folder"]
)
def test_anything_but_a_regular_file_is_refused_at_once(store: Path, make: Callable[[Path], None]) -> None:
    make(store / "thing")
    with pytest.raises(ReferenceInvalid, match="not a regular file"):
        _read(store, "thing")
    with pytest.raises(TrustedImagesError):
        _read(store, "thing/x")


def test_a_size_over_the_limit_is_reported_without_reading(store: Path) -> None:
    with (store / "big").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ReferencedImageTooLarge) as caught:
        _read(store, "big")
    assert (caught.value.size, caught.value.limit) == (1 << 40, 2_000_000)
    (store / "most").write_bytes(bytes(2_000_000))
    assert len(_read(store, "most")) == 2_000_000


def test_a_file_that_grows_is_read_to_one_byte_above_the_limit(store: Path) -> None:
    # The files of /proc report a size of zero bytes.
    with pytest.raises(ReferencedImageTooLarge) as caught:
        _read(Path("/proc"), "meminfo", max_bytes=100)
    assert caught.value.size == 101


def test_a_store_that_went_away_is_unavailable_rather_than_empty(store: Path) -> None:
    folder = ImageFolder(store)
    shutil.rmtree(store)
    with pytest.raises(StoreUnavailable) as caught:
        folder.read(("x.jpg",), 100)
    assert caught.value.cause == "ENOENT"


def test_a_folder_that_may_not_be_read_is_unavailable(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def deny(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == b"a":
            raise PermissionError(13, "Permission denied", path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(StoreUnavailable) as caught:
        _read(store, "a/b/x.jpg")
    assert caught.value.cause == "EACCES"


def test_the_way_to_the_store_may_be_a_link(store: Path, tmp_path: Path) -> None:
    (tmp_path / "mounted").symlink_to(store)
    assert _read(tmp_path / "mounted", "a/b/x.jpg") == _INSIDE


@pytest.mark.parametrize(
    ("name", "put"),
    [
        (b"x.jpg", lambda path, outside: path.symlink_to(outside / "x.jpg")),
        (b"b", lambda path, outside: path.symlink_to(outside)),
        (b"x.jpg", lambda path, _: os.mkfifo(path)),
        (b"x.jpg", lambda path, outside: path.hardlink_to(outside / "x.jpg")),
    ],
    ids=["link", "folder link", "pipe", "hard link"],
)
def test_a_file_replaced_after_the_test_is_refused(
    store: Path,
    outside: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: bytes,
    put: Callable[[Path, Path], None],
) -> None:
    real = os.stat
    exchanged: list[bytes] = []

    def look(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        status = real(path, *args, **kwargs)
        if path == name and not exchanged:
            place = store / "a" / "b" / "x.jpg" if name == b"x.jpg" else store / "a" / "b"
            place.rename(store / "moved")
            put(place, outside)
            exchanged.append(path)
        return status

    monkeypatch.setattr(os, "stat", look)
    with pytest.raises((ReferenceInvalid, ReferenceNotFound)):
        _read(store, "a/b/x.jpg")
    assert exchanged


@pytest.mark.parametrize("place", ["a", "a/b", "a/b/x.jpg"])
def test_no_race_leads_out_of_the_store(store: Path, outside: Path, place: str) -> None:
    (outside / "b").mkdir()
    (outside / "b" / "x.jpg").write_bytes(_OUTSIDE)
    link, kept, way = store / "link", store / "kept", store / place
    link.symlink_to({"a": outside, "a/b": outside, "a/b/x.jpg": outside / "x.jpg"}[place])
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            way.rename(kept)
            link.rename(way)
            way.rename(link)
            kept.rename(way)

    changer = threading.Thread(target=exchange)
    changer.start()
    found, refused, before = 0, 0, _handles()
    until = time.monotonic() + 30
    try:
        # On a busy machine one of the two threads may get nothing to do for a while.
        while (found < 300 or refused < 300) and time.monotonic() < until:
            try:
                assert _read(store, "a/b/x.jpg") == _INSIDE
                found += 1
            except (ReferenceInvalid, ReferenceNotFound):
                refused += 1
    finally:
        stop.set()
        changer.join()
    assert min(found, refused) >= 300
    assert _handles() <= before


def test_deep_references_hold_one_folder_open(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["d"] * 255
    place = store
    for name in names:
        place = place / name
        place.mkdir()
    (place / "x").write_bytes(_INSIDE)
    most = 0
    real = os.open

    def counted(*args: Any, **kwargs: Any) -> int:
        nonlocal most
        handle = real(*args, **kwargs)
        most = max(most, handle)
        return handle

    before = max(int(name) for name in _handles())
    monkeypatch.setattr(os, "open", counted)
    assert _read(store, "/".join([*names, "x"])) == _INSIDE
    assert most <= before + 2


_CREDENTIALS = {"access_key_id": "facegate", "secret_access_key": "not-a-secret"}


def _bucket(endpoint: str | None, *, bucket: str = "images", timeout_seconds: float = 10.0) -> ImageBucket:
    return ImageBucket(
        bucket,
        endpoint=endpoint,
        region="eu-central-1",
        credentials=_CREDENTIALS,
        timeout_seconds=timeout_seconds,
    )


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as s3:
        yield s3


@pytest.fixture(scope="module")
def stored(s3: S3) -> S3Store:
    store = s3.make_bucket("images")
    for key in ("secret.jpg", "a/b/x.jpg", "a/b/é (2)+#[1]{2}~^.jpg", "a/b/日本/x", "a/b/e\u0301"):
        obstore.put(store, key, key.encode())
    obstore.put(store, "a/b/empty", b"")
    obstore.put(store, "a/b/most", bytes(2_000_000))
    obstore.put(store, "a/b/more", bytes(2_000_001))
    return store


@pytest.mark.slow
@pytest.mark.usefixtures("stored")
class TestRealS3:
    @pytest.mark.parametrize("name", ["x.jpg", "é (2)+#[1]{2}~^.jpg", "日本/x", "e\u0301"])
    def test_an_object_is_read_under_exactly_its_name(self, s3: S3, name: str) -> None:
        key = f"a/b/{name}"
        assert _bucket(s3.endpoint).read(tuple(key.split("/")), 2_000_000) == key.encode()

    def test_limits_are_those_of_the_bytes(self, s3: S3) -> None:
        bucket = _bucket(s3.endpoint)
        assert bucket.read(("a", "b", "empty"), 2_000_000) == b""
        assert len(bucket.read(("a", "b", "most"), 2_000_000)) == 2_000_000
        with pytest.raises(ReferencedImageTooLarge) as caught:
            bucket.read(("a", "b", "more"), 2_000_000)
        assert (caught.value.size, caught.value.limit) == (2_000_001, 2_000_000)

    @pytest.mark.parametrize("segments", [("a", "b", "none"), ("a", "b"), ("x.jpg",), ("a", "b", "X.JPG")])
    def test_a_missing_object_is_not_found(self, s3: S3, segments: tuple[str, ...]) -> None:
        with pytest.raises(ReferenceNotFound):
            _bucket(s3.endpoint).read(segments, 2_000_000)

    def test_a_bucket_that_is_not_there_is_the_operators_mistake(self, s3: S3) -> None:
        with pytest.raises(StoreUnavailable) as caught:
            _bucket(s3.endpoint, bucket="no-such-bucket").read(("x",), 2_000_000)
        assert caught.value.cause == "NoSuchBucket"

    def test_the_environment_can_set_the_endpoint(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        bucket = ImageBucket("images", endpoint=None, region=None, credentials={}, timeout_seconds=10)
        assert bucket.read(("a", "b", "x.jpg"), 2_000_000) == b"a/b/x.jpg"


_Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def _answering(*answers: _Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, then the last one; yields its URL and its requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answers[min(len(asked), len(answers)) - 1](self)

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def _says(status: int, body: bytes = b"", *, length: int | None = None) -> _Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        request.send_header("ETag", '"1"')
        request.end_headers()
        request.wfile.write(body)

    return answer


def _hangs(request: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def _endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
    request.end_headers()
    for _ in range(1000):
        request.wfile.write(bytes(100_000))


def test_a_server_that_stumbles_is_asked_again() -> None:
    with _answering(_says(503), _says(500), _says(200, b"image")) as (endpoint, asked):
        assert _bucket(endpoint).read(("x",), 100) == b"image"
    assert asked == ["/images/x"] * 3


@pytest.mark.parametrize(
    ("answer", "tries"),
    [
        (_says(500), 4),
        (_says(403, b"<Error><Code>AccessDenied</Code></Error>"), 1),
        (_says(401), 1),
        (_says(400), 1),
        (_says(200, b"cut", length=50), None),
        (_endless, None),
    ],
    ids=["failing", "forbidden", "unauthenticated", "bad request", "cut off", "of no length"],
)
def test_a_server_that_does_not_answer_as_it_should_is_unavailable(
    answer: _Answer, tries: int | None
) -> None:
    with _answering(answer) as (endpoint, asked):
        with pytest.raises(StoreUnavailable) as caught:
            _bucket(endpoint, timeout_seconds=60 if tries else 3).read(("who", "is-this.jpg"), 100)
        assert tries is None or len(asked) == tries
    assert "is-this" not in str(caught.value)


def test_a_server_that_hangs_is_given_up() -> None:
    begun = time.monotonic()
    with _answering(_hangs) as (endpoint, _), pytest.raises(StoreUnavailable):
        _bucket(endpoint, timeout_seconds=0.5).read(("x",), 100)
    assert time.monotonic() - begun < 8


def test_a_body_over_the_limit_is_not_read() -> None:
    with (
        _answering(_says(200, b"begin", length=1 << 40)) as (endpoint, _),
        pytest.raises(ReferencedImageTooLarge) as caught,
    ):
        _bucket(endpoint).read(("x",), 100)
    assert caught.value.size == 1 << 40


def test_a_refused_connection_is_unavailable() -> None:
    with _answering(_says(200)) as (endpoint, _):
        pass
    with pytest.raises(StoreUnavailable):
        _bucket(endpoint, timeout_seconds=1).read(("x",), 100)


def test_plain_http_needs_the_operators_word(monkeypatch: pytest.MonkeyPatch) -> None:
    with _answering(_says(200, b"image")) as (endpoint, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.delenv("AWS_ALLOW_HTTP", raising=False)
        with pytest.raises(StoreUnavailable):
            _bucket(None, timeout_seconds=2).read(("x",), 100)
        assert asked == []
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        assert _bucket(None).read(("x",), 100) == b"image"


def _file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "s3.toml"
    path.write_bytes(content)
    path.chmod(mode)
    return path


_GOOD = b'access_key_id = "AKIA1"\nsecret_access_key = "hunter2"\n'


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_credentials_are_read(tmp_path: Path, mode: int) -> None:
    expected = {"access_key_id": "AKIA1", "secret_access_key": "hunter2"}
    assert read_credentials(_file(tmp_path, _GOOD, mode)) == expected


def test_temporary_credentials_have_a_token(tmp_path: Path) -> None:
    found = read_credentials(_file(tmp_path, _GOOD + b'session_token = "t"\n'))
    assert found["session_token"] == "t"


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (_GOOD, 0o644, "chmod 600"),
        (_GOOD, 0o660, "chmod 600"),
        (b"", 0o600, "expected the texts"),
        (b'access_key_id = "hunter2"', 0o600, "expected the texts"),
        (b'access_key_id = "a"\nsecret_access_key = ""', 0o600, "expected the texts"),
        (b'access_key_id = "a"\nsecret_access_key = 7', 0o600, "expected the texts"),
        (_GOOD + b'region = "x"', 0o600, "and nothing else"),
        (b"secret_access_key = hunter2", 0o600, "not TOML"),
        (b"\xff\xfehunter2", 0o600, "not TOML"),
        (b"#" * 20_000, 0o600, "more than 16384 bytes"),
    ],
)
def test_an_unusable_file_is_reported_without_its_contents(
    tmp_path: Path, content: bytes, mode: int, said: str
) -> None:
    with pytest.raises(CredentialsUnusable) as caught:
        read_credentials(_file(tmp_path, content, mode))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CredentialsUnusable, match="No such file"):
        read_credentials(tmp_path / "none.toml")
