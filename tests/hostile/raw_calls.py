"""Calls whose messages are bytes, so that they need not be messages at all."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from tests.server.live import Refused, refused

__all__ = ["End", "raw_stream", "raw_unary"]

_PATH = "/facegate.v1.VerificationService/"
_WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended: its code, and the refusal where it carries one."""

    code: grpc.StatusCode
    refused: Refused | None


async def raw_stream(channel: grpc.aio.Channel, message: bytes) -> End:
    """Sends bytes as the one message of a scan; how the call is refused."""

    async def messages() -> AsyncIterator[bytes]:
        yield message

    call: Any = channel.stream_stream(f"{_PATH}ScanFace")
    stream = call(messages())
    with pytest.raises(grpc.RpcError) as caught:
        await asyncio.wait_for(stream.read(), _WAIT_SECONDS)
    return _end(caught.value)


async def raw_unary(channel: grpc.aio.Channel, method: str, message: bytes) -> End:
    """Sends bytes as a request; how the call is refused."""
    call: Any = channel.unary_unary(_PATH + method)
    with pytest.raises(grpc.RpcError) as caught:
        await call(message, timeout=_WAIT_SECONDS)
    return _end(caught.value)


def _end(error: grpc.RpcError) -> End:
    assert isinstance(error, grpc.aio.AioRpcError)
    told = any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ())
    return End(error.code(), refused(error) if told else None)
