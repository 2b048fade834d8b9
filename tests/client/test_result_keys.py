import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from facegate_client import ConnectionFailedError, ServerNotTrustedError, fetch_key_set
from tests.client.fake_server import FakeServer

ANSWERS = {
    "/jwks.json": json.dumps(FakeServer().jwks),
    "/large.json": " " * 70_000,
    "/other.json": "{}",
}


@pytest.fixture
async def site() -> AsyncIterator[TestServer]:
    async def answer(request: web.Request) -> web.Response:
        if request.path not in ANSWERS:
            raise web.HTTPNotFound
        return web.Response(text=ANSWERS[request.path])

    app = web.Application()
    app.router.add_get("/{path}", answer)
    server = TestServer(app)
    async with server:
        yield server


async def test_keys_are_fetched(site: TestServer) -> None:
    keys = await fetch_key_set(str(site.make_url("/jwks.json")))
    assert [key.kid for key in keys.keys] == ["result-1"]


@pytest.mark.parametrize(
    ("path", "cause"), [("/large.json", "larger than 65536 bytes"), ("/missing.json", "the status is 404")]
)
async def test_a_failed_fetch_raises_connection_failed(site: TestServer, path: str, cause: str) -> None:
    with pytest.raises(ConnectionFailedError, match=cause):
        await fetch_key_set(str(site.make_url(path)))


async def test_anything_but_a_jwks_is_not_trusted(site: TestServer) -> None:
    with pytest.raises(ServerNotTrustedError):
        await fetch_key_set(str(site.make_url("/other.json")))


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://127.0.0.1:1/jwks.json", "refuses the connection"),
        ("http://", "not http or https"),
        ("nonsense", "not http or https"),
    ],
)
async def test_unreachable_or_malformed_address_is_a_failed_connection(url: str, cause: str) -> None:
    with pytest.raises(ConnectionFailedError, match=cause):
        await fetch_key_set(url, timeout_s=60)


_JWKS = ANSWERS["/jwks.json"].encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def _answering(
    *parts: bytes, pause_s: float = 0.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """An address that answers each connection with these bytes, whatever the request."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause_s)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http{'s' if tls else ''}://localhost:{port}/jwks.json?a=b"


async def test_an_answer_in_chunks_is_read() -> None:
    half = len(_JWKS) // 2
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (_JWKS[:half], _JWKS[half:], b"")]
    async with _answering(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunks) as url:
        assert len((await fetch_key_set(url)).keys) == 1


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"", "not valid HTTP"),
        (b"nonsense", "not valid HTTP"),
        (_HEAD + b"Content-Length: %d\r\n\r\n" % (len(_JWKS) + 1) + _JWKS, "cut off"),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "cut off"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "the status is 302",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "the status is 204"),
        (_HEAD + b"X: y\r\n" * 200_000, "larger than 65536 bytes"),
    ],
    ids=["empty", "no-http", "cut", "cut-chunk", "redirect", "no-content", "endless"],
)
async def test_an_answer_that_is_no_whole_200_is_a_failed_connection(answer: bytes, cause: str) -> None:
    async with _answering(answer) as url:
        with pytest.raises(ConnectionFailedError, match=cause):
            await fetch_key_set(url)


async def test_the_time_is_of_the_whole_answer() -> None:
    async with _answering(_HEAD, *(b"X: y\r\n" for _ in range(600)), pause_s=0.1) as url:
        began = time.monotonic()
        with pytest.raises(ConnectionFailedError, match=r"no complete answer arrived within 0\.5 s"):
            await fetch_key_set(url, timeout_s=0.5)
    assert time.monotonic() - began < 30


async def test_a_certificate_of_a_stranger_is_a_failed_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    async with _answering(_HEAD + b"\r\n" + _JWKS, tls=context) as url:
        with pytest.raises(ConnectionFailedError, match="TLS certificate is not trusted"):
            await fetch_key_set(url)
        with authority.cert_pem.tempfile() as trusted:
            monkeypatch.setenv("SSL_CERT_FILE", trusted)
            assert len((await fetch_key_set(url)).keys) == 1


async def test_other_addresses_are_not_asked() -> None:
    async with _answering(_HEAD + b"\r\n" + _JWKS) as url:
        assert len((await fetch_key_set(url)).keys) == 1
        for other in (url.replace("http", "ftp"), url + " b", url + "\r\nX: y", "file:///etc/hostname"):
            with pytest.raises(ConnectionFailedError):
                await fetch_key_set(other)
