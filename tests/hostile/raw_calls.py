"""Calls with raw bytes as messages, which need not be valid."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from facegate_client import StreamLostError
from facegate_client.stream_call import StreamCall
from tests.server.refusals import Refused, refused

__all__ = ["End", "raw_stream", "raw_unary"]

_PATH = "/facegate.v1.VerificationService/"
_WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class End:
    """The end of a call: its code, and the refusal if it carries one."""

    code: grpc.StatusCode
    refused: Refused | None


async def raw_stream(channel: grpc.aio.Channel, message: bytes) -> End:
    """Sends bytes as the only message of a scan; returns the refusal."""
    call: Any = channel.stream_stream(f"{_PATH}ScanFace")
    stream: StreamCall[bytes, bytes] = StreamCall(call(timeout=_WAIT_SECONDS))
    with suppress(StreamLostError):
        await stream.send(message)
        await stream.half_close()
    with pytest.raises(grpc.RpcError) as caught:
        await stream.receive()
    return _end(caught.value)


async def raw_unary(channel: grpc.aio.Channel, method: str, message: bytes) -> End:
    """Sends bytes as a request; returns the refusal."""
    call: Any = channel.unary_unary(_PATH + method)
    with pytest.raises(grpc.RpcError) as caught:
        await call(message, timeout=_WAIT_SECONDS)
    return _end(caught.value)


def _end(error: grpc.RpcError) -> End:
    assert isinstance(error, grpc.aio.AioRpcError)
    has_details = any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ())
    return End(error.code(), refused(error) if has_details else None)
