"""VerificationService on the device listener, which serves ScanFace only."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import structlog
from facegate.v1 import scan_pb2
from google.protobuf.message import DecodeError
from grpc.aio import BaseError, ServicerContext

from server.edge.places import Places
from server.edge.scan_codec import to_inbound, to_response
from server.edge.waiting_room import WaitingRoom
from server.errors import Reason, Refusal
from server.scan.environment import ScanEnvironment
from server.scan.handshake import find_check
from server.scan.inbox import ConnectionLost
from server.scan.messages import Inbound, Outbound
from server.scan.session import ScanSession
from server.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_STARTS = 16
_START_SECONDS = 1.0
_RETRY_SECONDS = 3.0
_WRITE_SECONDS = 10.0
_SETTLE_SECONDS = 0.2


class DeviceServicer:
    """Serves scans, up to the number of places."""

    def __init__(self, *, scans: Places, metrics: Metrics) -> None:
        """Creates a servicer that refuses every scan until ``open`` is called.

        A stream takes a place of a scan only after its token was verified. Until then it waits in a room for
        few.

        Args:
            scans: Places of scans.
            metrics: Counts streams.
        """
        self._waiting = WaitingRoom("scan_start", places=_STARTS, seconds=_START_SECONDS, metrics=metrics)
        self._scans = scans
        self._env: ScanEnvironment | None = None

    @property
    def scans(self) -> int:
        """The number of streams that are being served."""
        return self._scans.used

    def open(self, env: ScanEnvironment) -> None:
        """Starts to serve scans."""
        self._env = env

    async def idle(self) -> None:
        """Waits until no stream is being served."""
        await self._scans.idle()

    async def ScanFace(  # noqa: N802 - the name is the contract's
        self,
        request_iterator: AsyncIterator[scan_pb2.ScanFaceRequest],
        context: ServicerContext[scan_pb2.ScanFaceRequest, scan_pb2.ScanFaceResponse],
    ) -> None:
        """Serves one stream; see the contract."""
        env = self._env
        if env is None or env.running.draining.is_set():
            raise Refusal(
                Reason.NOT_SERVING,
                "the server is starting or shutting down; try again",
                retry_after=_RETRY_SECONDS,
            )
        inbound = _inbound(request_iterator)
        try:
            first = await self._waiting.wait(lambda: _next(inbound))
        except ConnectionLost:
            return
        if first is None:
            # The device half-closed the stream before its first message.
            return
        start, record = await find_check(env, first)
        # The place is taken before anything is written: a refused scan uses no attempt and binds no token.
        async with self._scans.taken(record.scope):
            try:
                with env.metrics.checks.scan():
                    session = ScanSession(env, header_origin=_header_origin(context))
                    await session.serve(start, record, inbound, _Sender(context).send)
            except ConnectionLost:
                # The device is gone, so no error can be sent.
                _log.info("connection_lost")


def _header_origin(context: ServicerContext[Any, Any]) -> str | None:
    """Returns the ``Origin`` header of the call, which gRPC-Web proxies forward; ``None`` if there is none.

    Two different headers give a text that is not an origin.
    """
    values = {str(value) for name, value in context.invocation_metadata() or () if name == "origin"}
    return ", ".join(sorted(values)) if values else None


class _Sender:
    def __init__(self, context: ServicerContext[Any, scan_pb2.ScanFaceResponse]) -> None:
        self._context = context

    async def send(self, message: Outbound) -> None:
        # If a device does not read, its flow control window fills up; only this timeout ends the wait.
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self._context.write(to_response(message))
        except BaseError as error:
            raise ConnectionLost from error
        except TimeoutError as error:
            raise Refusal(
                Reason.STREAM_IDLE,
                f"the device read nothing for {_WRITE_SECONDS:g} seconds; reconnect with `resume`",
                details={"idleSeconds": _WRITE_SECONDS},
            ) from error


async def _next(inbound: AsyncIterator[Inbound]) -> Inbound | None:
    return await anext(inbound, None)


async def _inbound(requests: AsyncIterator[scan_pb2.ScanFaceRequest]) -> AsyncIterator[Inbound]:
    try:
        async for request in requests:
            yield to_inbound(request)
        # grpc ends the iteration both for a half-close and for a lost connection, but only the latter cancels
        # the call, a moment later. A half-close ends the scan; a lost connection does not.
        await asyncio.sleep(_SETTLE_SECONDS)
    except DecodeError as error:
        raise Refusal(
            Reason.INVALID_FIELD,
            "a message is not a ScanFaceRequest",
            details={"field": "message"},
        ) from error
    except BaseError as error:
        raise ConnectionLost from error
