"""Refusals become statuses, and no internal text reaches a client."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc.aio import ServicerContext
from grpc_health.v1.health_pb2 import HealthCheckRequest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from server.base.errors import Reason, Refusal
from server.edge.error_interceptor import ErrorInterceptor
from server.edge.gate import Gate
from server.storage.errors import StorageUnavailable
from server.telemetry.metrics import Metrics
from tests.server.refusals import Refused, refusal_of, refused

SECRET = "postgresql://facegate:hunter2@10.0.0.7/db"
FAILURES: dict[str, Exception] = {
    "Refusal": Refusal(Reason.CHECK_NOT_FOUND, "there is none", details={"n": 1}, retry_after=None),
    "Storage": StorageUnavailable(SECRET),
    "Unexpected": RuntimeError(SECRET),
    "Assertion": AssertionError(SECRET),
    "Timeout": TimeoutError(SECRET),
}


def _server(interceptor: ErrorInterceptor, metrics: Metrics) -> grpc.aio.Server:
    return grpc.aio.server(interceptors=(interceptor, Gate(elsewhere={}, metrics=metrics)))


@pytest_asyncio.fixture
async def channel() -> AsyncIterator[tuple[grpc.aio.Channel, Metrics]]:
    metrics = Metrics(CollectorRegistry())

    def unary(failure: Exception) -> Any:
        async def call(_request: bytes, _context: Any) -> bytes:
            raise failure

        return grpc.unary_unary_rpc_method_handler(call)

    def stream(failure: Exception) -> Any:
        async def call(_requests: AsyncIterator[bytes], context: Any) -> None:
            await context.write(b"first")
            raise failure

        return grpc.stream_stream_rpc_method_handler(call)

    handlers = {name: unary(failure) for name, failure in FAILURES.items()}
    handlers |= {f"{name}InStream": stream(failure) for name, failure in FAILURES.items()}

    async def echo(request: HealthCheckRequest, _context: Any) -> bytes:
        return request.service.encode()

    async def echo_stream(request: HealthCheckRequest, _context: Any) -> AsyncIterator[bytes]:
        yield request.service.encode()

    read = HealthCheckRequest.FromString
    handlers["Echo"] = grpc.unary_unary_rpc_method_handler(echo, request_deserializer=read)
    handlers["EchoStream"] = grpc.unary_stream_rpc_method_handler(echo_stream, request_deserializer=read)
    server = _server(ErrorInterceptor(metrics), metrics)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened, metrics
    await server.stop(None)


async def _fail(channel: grpc.aio.Channel, name: str, *, in_stream: bool) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (_read_all(channel, f"{name}InStream") if in_stream else _call(channel, name))
    return caught.value


async def _call(channel: Any, name: str) -> None:
    await channel.unary_unary(f"/test.Service/{name}")(b"")


async def _read_all(channel: Any, name: str) -> None:
    call = channel.stream_stream(f"/test.Service/{name}")()
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize("in_stream", [False, True])
async def test_a_refusal_is_reported_as_it_is(
    channel: tuple[grpc.aio.Channel, Metrics], in_stream: bool
) -> None:
    refusal = refused(await _fail(channel[0], "Refusal", in_stream=in_stream))
    assert refusal.code is grpc.StatusCode.NOT_FOUND
    assert (refusal.reason, refusal.message, refusal.metadata) == (
        "CHECK_NOT_FOUND",
        "there is none",
        {"n": "1"},
    )
    body, _ = channel[1].render()
    assert b'facegate_refusals_total{reason="CHECK_NOT_FOUND"} 1.0' in body


@pytest.mark.parametrize("in_stream", [False, True])
async def test_storage_that_is_away_may_come_back(
    channel: tuple[grpc.aio.Channel, Metrics], in_stream: bool
) -> None:
    error = await _fail(channel[0], "Storage", in_stream=in_stream)
    refusal = refused(error)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
    assert refusal.retry_seconds
    assert "hunter2" not in str(error.trailing_metadata()) + (error.details() or "")


@pytest.mark.parametrize("in_stream", [False, True])
@pytest.mark.parametrize("name", ["Unexpected", "Assertion", "Timeout"])
async def test_anything_else_is_an_incident(
    channel: tuple[grpc.aio.Channel, Metrics], name: str, in_stream: bool
) -> None:
    with capture_logs() as logs:
        error = await _fail(channel[0], name, in_stream=in_stream)
    refusal = refused(error)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "hunter2" not in str(error.trailing_metadata()) + (error.details() or "")
    assert "Error" not in refusal.message
    (entry,) = [entry for entry in logs if entry["event"] == "call_failed"]
    assert entry["incident_id"] == refusal.metadata["incidentId"]
    assert entry["exc_info"] is FAILURES[name]


@pytest.mark.parametrize("in_stream", [False, True])
async def test_a_request_is_parsed_and_a_malformed_one_refused(
    channel: tuple[grpc.aio.Channel, Metrics], in_stream: bool
) -> None:
    async def ask(message: bytes) -> object:
        stub: Any = channel[0]
        if in_stream:
            return await stub.unary_stream("/test.Service/EchoStream")(message).read()
        return await stub.unary_unary("/test.Service/Echo")(message)

    assert await ask(HealthCheckRequest(service="known").SerializeToString()) == b"known"
    with capture_logs() as logs, pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(b"\xff\xff\xff")
    refusal = refused(caught.value)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata == {"field": "message"}
    assert "DecodeError" not in refusal.message
    assert [entry["event"] for entry in logs] == ["call_refused"]


async def test_two_incidents_have_two_names(channel: tuple[grpc.aio.Channel, Metrics]) -> None:
    names = {
        refused(await _fail(channel[0], "Unexpected", in_stream=False)).metadata["incidentId"]
        for _ in range(2)
    }
    assert len(names) == 2


async def test_an_unknown_method_stays_unknown(channel: tuple[grpc.aio.Channel, Metrics]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _call(channel[0], "None")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_refused_call_releases_the_upload() -> None:
    class Upload:
        pass

    held: list[weakref.ref[Upload]] = []

    async def refuse(_request: bytes, _context: Any) -> bytes:
        upload = Upload()
        held.append(weakref.ref(upload))
        try:
            raise ValueError
        except ValueError as error:
            raise Refusal(Reason.IMAGE_MALFORMED, "it is broken") from error

    handlers: dict[str, Any] = {"Call": grpc.unary_unary_rpc_method_handler(refuse)}
    metrics = Metrics(CollectorRegistry())
    server = _server(ErrorInterceptor(metrics), metrics)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    gc.disable()
    try:
        async with grpc.aio.insecure_channel(target) as caller:
            call: Any = caller.unary_unary("/test.Service/Call")
            with pytest.raises(grpc.aio.AioRpcError):
                await call(b"")
        assert [upload() for upload in held] == [None]
    finally:
        gc.enable()
        await server.stop(None)


@asynccontextmanager
async def _held() -> AsyncIterator[tuple[grpc.aio.Channel, ErrorInterceptor, asyncio.Event]]:
    """Calls that never end by themselves: a channel, the interceptor, and whether one has begun."""
    begun = asyncio.Event()

    async def hold(_request: bytes, _context: Any) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    async def flood(_requests: AsyncIterator[bytes], context: Any) -> None:
        begun.set()
        while True:
            await context.write(bytes(50_000))

    handlers: dict[str, Any] = {
        "Hold": grpc.unary_unary_rpc_method_handler(hold),
        "Flood": grpc.stream_stream_rpc_method_handler(flood),
    }
    metrics = Metrics(CollectorRegistry())
    interceptor = ErrorInterceptor(metrics)
    server = _server(interceptor, metrics)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with grpc.aio.insecure_channel(target) as caller:
        yield caller, interceptor, begun
    await server.stop(None)


def _is_stopping(refusal: Refused) -> bool:
    reason = (refusal.code, refusal.reason)
    return reason == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING") and bool(refusal.retry_seconds)


async def test_calls_that_run_or_come_when_the_listener_closes_learn_why() -> None:
    async with _held() as (caller, interceptor, begun):
        hold: Any = caller.unary_unary("/test.Service/Hold")
        running = asyncio.ensure_future(refusal_of(hold(b"")))
        await begun.wait()
        closing = asyncio.create_task(interceptor.close(30.0, quiet=0.0))
        assert _is_stopping(await refusal_of(hold(b"")))
        assert not closing.done()
        assert not running.done()
        closing.cancel()
        await interceptor.close(0.0, quiet=0.0)
        assert _is_stopping(await running)


async def test_a_stream_whose_client_reads_late_learns_why_the_listener_closed() -> None:
    async with _held() as (caller, interceptor, begun):
        call: Any = caller.stream_stream("/test.Service/Flood")()
        await begun.wait()
        await interceptor.close(0.2, quiet=0.0)

        async def read_all() -> None:
            async for _ in call:
                pass

        assert _is_stopping(await refusal_of(read_all()))


async def test_a_listener_that_closes_waits_until_no_call_comes() -> None:
    async with _held() as (caller, interceptor, _):
        hold: Any = caller.unary_unary("/test.Service/Hold")
        await interceptor.close(30.0, quiet=0.0)
        assert _is_stopping(await refusal_of(hold(b"")))
        closing = asyncio.create_task(interceptor.close(30.0, quiet=20.0))
        assert not (await asyncio.wait({closing}, timeout=0.2))[0]
        closing.cancel()
        await interceptor.close(30.0, quiet=0.2)


async def _one(_request: bytes, _context: Any) -> bytes:
    return b"one"


async def _many_generated(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    yield request
    yield b"two"


async def _many_written(request: bytes, context: ServicerContext[bytes, bytes]) -> None:
    await context.write(request)
    await context.write(b"two")


async def _gathered(requests: AsyncIterator[bytes], _context: Any) -> bytes:
    return b"".join([request async for request in requests])


async def _echo_generated(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def _echo_written(requests: AsyncIterator[bytes], context: ServicerContext[bytes, bytes]) -> None:
    async for request in requests:
        await context.write(request)


HANDLERS: dict[str, Any] = {
    "UnaryUnary": grpc.unary_unary_rpc_method_handler(_one),
    "UnaryStreamGenerated": grpc.unary_stream_rpc_method_handler(_many_generated),
    "UnaryStreamWritten": grpc.unary_stream_rpc_method_handler(_many_written),
    "StreamUnary": grpc.stream_unary_rpc_method_handler(_gathered),
    "StreamStreamGenerated": grpc.stream_stream_rpc_method_handler(_echo_generated),
    "StreamStreamWritten": grpc.stream_stream_rpc_method_handler(_echo_written),
}


@pytest_asyncio.fixture
async def served() -> AsyncIterator[tuple[Any, Metrics]]:
    """A channel to handlers of every kind."""
    metrics = Metrics(CollectorRegistry())
    server = _server(ErrorInterceptor(metrics), metrics)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", HANDLERS),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel, metrics
    await server.stop(None)


async def _requests() -> AsyncIterator[bytes]:
    yield b"a"
    yield b"b"


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("UnaryUnary", [b"one"]),
        ("UnaryStreamGenerated", [b"a", b"two"]),
        ("UnaryStreamWritten", [b"a", b"two"]),
        ("StreamUnary", [b"ab"]),
        ("StreamStreamGenerated", [b"a", b"b"]),
        ("StreamStreamWritten", [b"a", b"b"]),
    ],
)
async def test_each_kind_of_handler_is_served_and_timed(
    served: tuple[Any, Metrics], method: str, expected: list[bytes]
) -> None:
    channel, metrics = served
    path = f"/test.Service/{method}"
    answers: list[bytes]
    if method.startswith("UnaryUnary"):
        answers = [await channel.unary_unary(path)(b"a")]
    elif method.startswith("UnaryStream"):
        answers = [answer async for answer in channel.unary_stream(path)(b"a")]
    elif method.startswith("StreamUnary"):
        answers = [await channel.stream_unary(path)(_requests())]
    else:
        answers = [answer async for answer in channel.stream_stream(path)(_requests())]
    assert answers == expected
    assert f'facegate_call_seconds_count{{method="{method}"}} 1.0'.encode() in metrics.render()[0]
