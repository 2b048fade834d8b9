"""A real S3 process, and servers with invalid answers."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import obstore
import pytest
from obstore.store import S3Store

from server.trusted_images.bucket import ImageBucket
from server.trusted_images.errors import ReferencedImageTooLarge, ReferenceNotFound, StoreUnavailable
from tests.server.s3_process import S3, running_s3

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
