import json
from collections.abc import AsyncIterator

import pytest
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


@pytest.mark.parametrize("path", ["/large.json", "/missing.json"])
async def test_what_cannot_be_fetched_is_a_failed_connection(site: TestServer, path: str) -> None:
    with pytest.raises(ConnectionFailedError):
        await fetch_key_set(str(site.make_url(path)))


async def test_what_is_no_jwks_is_not_trusted(site: TestServer) -> None:
    with pytest.raises(ServerNotTrustedError):
        await fetch_key_set(str(site.make_url("/other.json")))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/jwks.json", "http://", "nonsense"])
async def test_unreachable_or_malformed_address_is_a_failed_connection(url: str) -> None:
    with pytest.raises(ConnectionFailedError):
        await fetch_key_set(url, timeout_s=2)
