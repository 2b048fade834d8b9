"""The resources that unauthenticated callers can hold on a listener, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from prometheus_client import CollectorRegistry

from server.edge.listeners import Listener
from server.telemetry.metrics import Metrics
from tests.server.floods.http2 import Connection, Gone


@asynccontextmanager
async def _listening(*, connections: int = 100) -> AsyncIterator[Listener]:
    listener = Listener(
        name="device",
        host="127.0.0.1",
        port=0,
        credentials=None,
        max_message_bytes=64 * 1024,
        max_connections=connections,
        grace_seconds=1.0,
        servicers=[],
        other="service",
        reflection_enabled=False,
        streaming=True,
        metrics=Metrics(CollectorRegistry()),
    )
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop(0)


async def test_connections_beyond_the_limit_are_closed_as_they_come() -> None:
    async with _listening(connections=2) as listener:
        held = [await Connection.dial(listener.target) for _ in range(2)]
        for connection in held:
            await connection.wait_ready()
        late = await Connection.dial(listener.target)
        await asyncio.wait_for(late.wait_ended(), 10)
        assert not any(connection.ended for connection in held)
        await held.pop().close()
        async with asyncio.timeout(10):
            while True:
                again = await Connection.dial(listener.target)
                try:
                    await again.wait_ready()
                    break
                except ConnectionError:
                    await again.close()
        for connection in (*held, late, again):
            await connection.close()


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.listeners._HANDSHAKE_MS", 200)
    async with _listening() as listener:
        host, _, port = listener.target.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(10):
            while await reader.read(1000):
                pass
        writer.close()


async def test_health_checks_keep_no_connection_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.listeners._AGE_OF_PHONES_MS", 1_000)
    async with _listening() as listener:
        connection = await Connection.dial(listener.target)
        await connection.wait_ready()
        async with asyncio.timeout(10):
            while not connection.ended:
                await asyncio.sleep(0.2)
                with suppress(ConnectionError, Gone):
                    stream = await connection.call("/grpc.health.v1.Health/Check")
                    await connection.begin_message(stream, 0)
        await connection.close()


async def test_a_message_that_never_ends_is_refused_unread() -> None:
    async with _listening() as listener:
        connection = await Connection.dial(listener.target)
        for method in (
            "facegate.v1.VerificationService/FinishCheck",
            "grpc.health.v1.Health/Nothing",
            "a.B/C",
        ):
            stream = await connection.call(f"/{method}")
            await connection.begin_message(stream, 60_000)
            await asyncio.wait_for(connection.wait_over(stream), 10)
        assert not connection.ended
        await connection.close()


async def test_pings_that_come_too_often_end_the_connection_as_the_pages_state() -> None:
    async with _listening() as listener:
        connection = await Connection.dial(listener.target)
        await connection.wait_ready()
        async with asyncio.timeout(20):
            # One is on time, two are too early.
            for _ in range(3):
                await connection.ping()
            assert not connection.ended
            await connection.ping()
            await connection.wait_ended()
        assert connection.goaway == b"too_many_pings"
        await connection.close()
