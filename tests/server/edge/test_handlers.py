"""Wrapping every kind of handler, over a real channel."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc.aio import ServicerContext

from server.edge.handlers import wrap


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


async def _fails(_request: Any, _context: Any) -> bytes:
    raise ValueError("inside")


HANDLERS: dict[str, Any] = {
    "UnaryUnary": grpc.unary_unary_rpc_method_handler(_one),
    "UnaryStreamGenerated": grpc.unary_stream_rpc_method_handler(_many_generated),
    "UnaryStreamWritten": grpc.unary_stream_rpc_method_handler(_many_written),
    "StreamUnary": grpc.stream_unary_rpc_method_handler(_gathered),
    "StreamStreamGenerated": grpc.stream_stream_rpc_method_handler(_echo_generated),
    "StreamStreamWritten": grpc.stream_stream_rpc_method_handler(_echo_written),
    "Fails": grpc.unary_unary_rpc_method_handler(_fails),
}


@pytest_asyncio.fixture
async def served() -> AsyncIterator[tuple[Any, list[str]]]:
    """A channel to wrapped handlers, and the events around them."""
    happened: list[str] = []

    @asynccontextmanager
    async def around(context: ServicerContext[Any, Any]) -> AsyncIterator[None]:
        happened.append("before")
        try:
            yield
        except ValueError:
            happened.append("failed")
            await context.abort(grpc.StatusCode.DATA_LOSS, "hidden")
        happened.append("after")

    server = grpc.aio.server()
    wrapped = {name: wrap(handler, around) for name, handler in HANDLERS.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", wrapped),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel, happened
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
async def test_each_kind_of_handler_runs_inside(
    served: tuple[Any, list[str]], method: str, expected: list[bytes]
) -> None:
    channel, happened = served
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
    assert happened == ["before", "after"]


async def test_the_wrapping_interceptor_translates_a_failure(
    served: tuple[Any, list[str]],
) -> None:
    channel, happened = served
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary("/test.Service/Fails")(b"")
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.DATA_LOSS, "hidden")
    assert happened == ["before", "failed"]
