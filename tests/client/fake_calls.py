"""Helpers of the fake server: they read a call's messages, enforce the protocol, and refuse."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from facegate.v1 import scan_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from tests.client.stream_plan import Refuse

__all__ = ["Context", "Inbox", "ViolationError", "refuse", "require"]

Context = grpc.aio.ServicerContext[scan_pb2.ScanFaceRequest, scan_pb2.ScanFaceResponse]


class ViolationError(AssertionError):
    """The client broke the protocol."""


class Inbox:
    """The client's messages; a wait for one may be abandoned without losing the message."""

    def __init__(self, requests: AsyncIterator[scan_pb2.ScanFaceRequest]) -> None:
        self._requests = requests
        self._pending: asyncio.Task[scan_pb2.ScanFaceRequest | None] | None = None

    async def has_more(self, *, within_s: float) -> bool:
        """Whether a message, or the end, comes within a time."""
        return bool((await asyncio.wait({self._read()}, timeout=within_s))[0])

    def __aiter__(self) -> "Inbox":
        return self

    async def __anext__(self) -> scan_pb2.ScanFaceRequest:
        message = await self._read()
        self._pending = None
        if message is None:
            raise StopAsyncIteration
        return message

    def _read(self) -> "asyncio.Task[scan_pb2.ScanFaceRequest | None]":
        if self._pending is None:
            self._pending = asyncio.create_task(self._one())
        return self._pending

    async def _one(self) -> scan_pb2.ScanFaceRequest | None:
        return await anext(self._requests, None)


def require(holds: bool, what: str) -> None:
    """Raises ``ViolationError`` if the condition does not hold."""
    if not holds:
        raise ViolationError(f"not so: {what}")


async def refuse(context: Context, refusal: Refuse) -> None:
    """Ends the call with ``refusal``."""
    if not refusal.reason:
        await context.abort(refusal.code, "the transport broke")
    status = status_pb2.Status(code=code_pb2.Code.Value(refusal.code.name), message="refused by the test")
    info = error_details_pb2.ErrorInfo(
        domain="facegate.org", reason=refusal.reason, metadata=refusal.metadata
    )
    status.details.add().Pack(info)
    if refusal.retry_after_s is not None:
        delay = Duration()
        delay.FromNanoseconds(int(refusal.retry_after_s * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    await context.abort_with_status(rpc_status.to_status(status))
