import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from server.base.errors import ListenerUnusable
from server.running.admin import AdminServer
from server.running.capacity import ADMIN_CONNECTIONS
from server.telemetry.metrics import Metrics

_JWKS = {"keys": [{"kty": "EC", "kid": "1"}]}
_AUDIT_JWKS = {"keys": [{"kty": "EC", "kid": "2"}]}


class Parts:
    """Parts of a server with a readiness that a test sets."""

    def __init__(self) -> None:
        self.models: Any = True
        self.database: Any = True

    async def of_models(self) -> bool:
        return await self._answer(self.models)

    async def of_database(self) -> bool:
        return await self._answer(self.database)

    async def _answer(self, value: Any) -> bool:
        if isinstance(value, Exception):
            raise value
        return bool(value)


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest_asyncio.fixture
async def address(parts: Parts) -> AsyncIterator[str]:
    server = AdminServer(
        host="127.0.0.1",
        port=0,
        metrics=Metrics(CollectorRegistry()),
        jwks=lambda: _JWKS,
        audit_jwks=lambda: _AUDIT_JWKS,
        readiness={"models": parts.of_models, "database": parts.of_database},
    )
    await server.start()
    port = server.port
    yield f"http://127.0.0.1:{port}"
    await server.stop()


async def get(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def test_metrics_are_served(address: str) -> None:
    status, media_type, body = await get(f"{address}/metrics")
    assert status == 200
    assert media_type.startswith("text/plain")
    assert "facegate_scans_in_progress 0.0" in body


async def test_health_is_that_the_process_answers(address: str, parts: Parts) -> None:
    parts.models = parts.database = False
    assert (await get(f"{address}/healthz"))[0] == 200


async def test_readiness_is_that_of_every_part(address: str, parts: Parts) -> None:
    assert (await get(f"{address}/readyz"))[0] == 200
    parts.database = False
    status, _, body = await get(f"{address}/readyz")
    assert status == 503
    assert '"database": false' in body
    assert '"models": true' in body


async def test_a_part_that_fails_is_not_ready_and_its_text_is_not_shown(address: str, parts: Parts) -> None:
    parts.database = RuntimeError("postgresql://user:hunter2@host")
    status, _, body = await get(f"{address}/readyz")
    assert status == 503
    assert "hunter2" not in body


async def test_a_part_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.running.admin._READY_SECONDS", 0.05)

    async def hang() -> bool:
        await asyncio.sleep(60)
        return True

    server = AdminServer(
        host="127.0.0.1",
        port=0,
        metrics=Metrics(CollectorRegistry()),
        jwks=lambda: _JWKS,
        audit_jwks=lambda: _AUDIT_JWKS,
        readiness={"database": hang},
    )
    await server.start()
    port = server.port
    try:
        assert (await get(f"http://127.0.0.1:{port}/readyz"))[0] == 503
    finally:
        await server.stop()


async def test_the_result_keys_are_published(address: str) -> None:
    status, media_type, body = await get(f"{address}/.well-known/jwks.json")
    assert (status, media_type) == (200, "application/jwk-set+json")
    assert '"kid": "1"' in body


async def test_any_page_may_read_the_result_keys(address: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{address}/.well-known/jwks.json", headers={"Origin": "https://a.example"}) as answer,
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_anything_else_is_not_there(address: str) -> None:
    assert (await get(f"{address}/checks"))[0] == 404


async def test_a_taken_port_is_reported(address: str) -> None:
    port = int(address.rsplit(":", 1)[1])
    server = AdminServer(
        host="127.0.0.1",
        port=port,
        metrics=Metrics(CollectorRegistry()),
        jwks=lambda: _JWKS,
        audit_jwks=lambda: _AUDIT_JWKS,
        readiness={},
    )
    with pytest.raises(ListenerUnusable, match=str(port)):
        await server.start()


async def test_the_oldest_connection_gives_way(address: str) -> None:
    host, _, port = address.removeprefix("http://").rpartition(":")
    held = [await asyncio.open_connection(host, int(port)) for _ in range(ADMIN_CONNECTIONS + 5)]
    # They came one after the other, and only the newest ones are open.
    for reader, _ in held[:5]:
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
    status, _, _ = await get(f"{address}/healthz")
    assert status == 200
    for _, writer in held:
        writer.close()
