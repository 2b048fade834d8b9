"""The treatment of a call before its message is read, over a real channel."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from server.callers import Caller, Scope
from server.edge.error_interceptor import ErrorInterceptor
from server.edge.gate import Gate
from server.errors import Reason, Refusal
from server.telemetry.metrics import Metrics
from tests.server.refusals import refused

_READER = Caller(name="a", tenant="one", scopes=frozenset({Scope.READ_CHECKS}))


class _Callers:
    """Recognises one caller by its key."""

    def identify(self, context: Any) -> Caller:
        if ("authorization", "good") not in tuple(context.invocation_metadata()):
            raise Refusal(Reason.UNAUTHENTICATED, "no key")
        return _READER


async def _echo(request: bytes, _context: Any) -> bytes:
    return request


async def _twice(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    yield request
    yield request


async def _written(request: bytes, context: Any) -> None:
    await context.write(request)


async def _joined(requests: AsyncIterator[bytes], _context: Any) -> bytes:
    return b"".join([request async for request in requests])


_HANDLERS: Any = {
    "Read": grpc.unary_unary_rpc_method_handler(_echo),
    "Create": grpc.unary_unary_rpc_method_handler(_echo),
    "Free": grpc.unary_unary_rpc_method_handler(_echo),
    "Twice": grpc.unary_stream_rpc_method_handler(_twice),
    "Written": grpc.unary_stream_rpc_method_handler(_written),
    "Joined": grpc.stream_unary_rpc_method_handler(_joined),
    "Elsewhere": grpc.unary_unary_rpc_method_handler(_echo),
}
_SCOPES = {"/test.Test/Read": Scope.READ_CHECKS, "/test.Test/Create": Scope.CREATE_CHECKS}


@asynccontextmanager
async def _channel(gate: Gate) -> AsyncIterator[Any]:
    server = grpc.aio.server(interceptors=[ErrorInterceptor(Metrics(CollectorRegistry())), gate])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Test", _HANDLERS)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(0)


def _gate(scopes: Mapping[str, Scope] = _SCOPES) -> Gate:
    callers: Any = _Callers()
    return Gate(
        elsewhere={"/test.Test/Elsewhere": "device"},
        scopes=scopes,
        callers=callers,
        metrics=Metrics(CollectorRegistry()),
    )


_GOOD = (("authorization", "good"),)


async def test_an_authorised_caller_is_served_for_every_kind_of_call() -> None:
    async with _channel(_gate()) as channel:
        for name in ("Read", "Free"):
            assert await channel.unary_unary(f"/test.Test/{name}")(b"one", metadata=_GOOD) == b"one"
        for name, expected in (("Twice", [b"one", b"one"]), ("Written", [b"one"])):
            call = channel.unary_stream(f"/test.Test/{name}")(b"one", metadata=_GOOD)
            assert [answer async for answer in call] == expected
        assert await channel.stream_unary("/test.Test/Joined")(iter([b"a", b"b"]), metadata=_GOOD) == b"ab"


@pytest.mark.parametrize(
    ("name", "metadata", "code", "reason"),
    [
        ("Read", (), grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
        ("Joined", (), grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
        ("Create", _GOOD, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"),
        ("Elsewhere", _GOOD, grpc.StatusCode.UNIMPLEMENTED, "WRONG_LISTENER"),
    ],
)
async def test_a_call_that_may_not_be_made_is_refused_before_its_message_arrives(
    name: str, metadata: Any, code: grpc.StatusCode, reason: str
) -> None:
    async with _channel(_gate()) as channel:
        # A streaming client sends the headers alone, without the message.
        call = channel.stream_unary(f"/test.Test/{name}")(metadata=metadata)
        with pytest.raises(grpc.RpcError) as caught:
            await asyncio.wait_for(call, 10)
    refusal = refused(caught.value)
    assert (refusal.code, refusal.reason) == (code, reason)


async def test_a_call_without_a_message_is_refused() -> None:
    async with _channel(_gate()) as channel:
        call = channel.stream_unary("/test.Test/Read")(metadata=_GOOD)
        await call.done_writing()
        with pytest.raises(grpc.RpcError) as caught:
            await call
    assert refused(caught.value).reason == "INVALID_FIELD"
