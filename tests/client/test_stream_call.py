"""Calls whose tasks are cancelled, and calls that the server refuses while a message is on its way.

The server is grpc's of threads: it answers while the client's event loop stands still.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest
from facegate.v1 import analysis_service_pb2_grpc, verification_service_pb2_grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from facegate_client import (
    AnalysisClient,
    CallRefusedError,
    FaceScanner,
    ReconnectPolicy,
    ScanTicket,
    StreamLostError,
    generated_source,
    open_channel,
)
from facegate_client.stream_call import StreamCall
from tests.client.conftest import FAST, pictures

_Handler = Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]

_LARGE = b"x" * 300_000
"""More than a call's flow control window: it is on its way until the server reads it."""
_OPTIONS = (("grpc.http2.bdp_probe", 0),)
"""As the real listeners have it, so that the window does not grow."""
_CALLS = 20


def _stand_still(seconds: float) -> None:
    """Keeps the event loop from working, as a busy machine does."""
    time.sleep(seconds)


@asynccontextmanager
async def _calling(handler: _Handler) -> AsyncIterator[Callable[[], StreamCall[bytes, bytes]]]:
    """Yields a function that opens a call to ``handler``."""
    server = grpc.server(ThreadPoolExecutor(_CALLS), options=_OPTIONS)
    handlers: dict[str, Any] = {"Talk": grpc.stream_stream_rpc_method_handler(handler)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Test", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        async with open_channel(f"127.0.0.1:{port}") as channel:
            talk: Any = channel.stream_stream("/Test/Talk")
            yield lambda: StreamCall(talk())
    finally:
        await asyncio.to_thread(server.stop(0).wait)


async def test_a_call_outlives_a_task_that_is_cancelled_while_it_sends() -> None:
    reads = threading.Event()

    def echo(requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"open"
        reads.wait(60)
        yield from requests

    async with _calling(echo) as call:
        calls = [call() for _ in range(_CALLS)]
        for stream in calls:
            sending = asyncio.create_task(stream.send(_LARGE))
            assert await stream.receive() == b"open"
            assert not sending.done()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        reads.set()
        for stream in calls:
            await stream.send(b"after it")
            await stream.half_close()
            assert [await stream.receive() for _ in range(3)] == [_LARGE, b"after it", None]


async def test_a_message_is_not_lost_with_the_task_that_waited_for_it() -> None:
    answers = threading.Event()

    def answer(_: Iterator[bytes], __: grpc.ServicerContext) -> Iterator[bytes]:
        answers.wait(60)
        yield b"one"
        yield b"two"

    async with _calling(answer) as call:
        stream = call()
        waiting = asyncio.create_task(stream.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        answers.set()
        assert [await stream.receive() for _ in range(4)] == [b"one", b"two", None, None]


async def test_the_status_of_a_call_that_is_refused_while_it_sends_is_the_servers() -> None:
    def refuse(_: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"goodbye"
        context.set_trailing_metadata((("why", "test"),))
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "refused")

    async with _calling(refuse) as call:
        failed = 0
        for _ in range(_CALLS):
            stream = call()
            await stream._call.wait_for_connection()
            # The whole answer arrives, and Python does not know it yet.
            _stand_still(0.02)
            try:
                await stream.send(b"a message")
            except StreamLostError:
                failed += 1
            assert await stream.receive() == b"goodbye"
            for _ in range(2):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stream.receive()
                assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
                assert ("why", "test") in tuple(caught.value.trailing_metadata() or ())
        assert failed > 0, "no message was on its way"


async def test_a_call_that_this_side_cancelled_is_over() -> None:
    def never(requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        yield from requests

    async with _calling(never) as call:
        stream = call()
        receiving = asyncio.create_task(stream.receive())
        await stream._call.wait_for_connection()
        stream.cancel()
        with pytest.raises(StreamLostError):
            await receiving
        with pytest.raises(StreamLostError):
            await stream.send(b"")
        with pytest.raises(StreamLostError):
            await stream.receive()


class _Refusing:
    """Refuses every call before it reads anything."""

    def __getattr__(self, name: str) -> Any:
        return _refuse


def _refuse(_: Any, context: grpc.ServicerContext) -> None:
    status = status_pb2.Status(code=code_pb2.PERMISSION_DENIED, message="refused by the test")
    status.details.add().Pack(error_details_pb2.ErrorInfo(domain="facegate.org", reason="PERMISSION_DENIED"))
    context.abort_with_status(rpc_status.to_status(status))


@asynccontextmanager
async def _refusing() -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server that refuses everything."""
    server = grpc.server(ThreadPoolExecutor(4))
    refusing: Any = _Refusing()
    verification_service_pb2_grpc.add_VerificationServiceServicer_to_server(refusing, server)
    analysis_service_pb2_grpc.add_AnalysisServiceServicer_to_server(refusing, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        async with open_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await asyncio.to_thread(server.stop(0).wait)


async def _be_late() -> None:
    """Makes the event loop late for every event."""
    while True:
        _stand_still(0.02)
        await asyncio.sleep(0)


async def test_a_refused_scan_is_never_reported_as_an_internal_error() -> None:
    async with _refusing() as channel:
        late = asyncio.create_task(_be_late())
        try:
            for _ in range(5):
                scanner = FaceScanner(
                    channel=channel,
                    ticket=ScanTicket(token="t", challenge_key_sha256=bytes(32)),
                    source=generated_source(pictures(1), pace="fast"),
                    settings=replace(FAST, reconnect=ReconnectPolicy(limit=0, first_limit=0)),
                )
                with pytest.raises(CallRefusedError) as caught:
                    await scanner.scan()
                assert caught.value.refusal.reason == "PERMISSION_DENIED"
        finally:
            late.cancel()


async def test_a_refused_upload_is_never_reported_as_an_internal_error() -> None:
    """Of 1,000 uploads, grpc.aio reports about five as INTERNAL."""
    async with _refusing() as channel:
        client = AnalysisClient(channel=channel)
        for _ in range(200):
            uploads = (client.analyze_frames([bytes(20_000)] * 5) for _ in range(5))
            for error in await asyncio.gather(*uploads, return_exceptions=True):
                assert isinstance(error, CallRefusedError), error
                assert error.refusal.reason == "PERMISSION_DENIED"
