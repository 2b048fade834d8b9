"""VerificationService on the device listener, which serves ScanFace only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from facegate.v1 import scan_pb2
from google.protobuf.message import DecodeError
from grpc.aio import BaseError, ServicerContext

from server.base.errors import Reason, Refusal
from server.edge.gate import WaitingRoom
from server.edge.places import Places
from server.edge.scan_codec import to_inbound, to_response
from server.scan.environment import ScanEnvironment
from server.scan.handshake import find_check
from server.scan.inbox import ConnectionLost
from server.scan.messages import Inbound, Outbound
from server.scan.session import ScanSession
from server.telemetry.metrics import Metrics
from server.telemetry.stages import check_bound

_log = structlog.get_logger(__name__)

_STARTS = 16
_START_SECONDS = 1.0
_RETRY_SECONDS = 3.0
_SHORT_RETRY_SECONDS = 5.0
WRITE_SECONDS = 10.0
"""Maximum time for which a device may not read while the server has a message for it."""
_SETTLE_SECONDS = 0.2


class DeviceServicer:
    """Serves scans, up to the number of places."""

    def __init__(self, *, scans: Places, metrics: Metrics) -> None:
        """Create a servicer that refuses every scan until ``open`` is called.

        A stream takes a place of a scan only after its token was verified. Until then it waits in a room for
        few.
        """
        self._waiting = WaitingRoom("scan_start", places=_STARTS, seconds=_START_SECONDS, metrics=metrics)
        self._scans = scans
        self._env: ScanEnvironment | None = None
        self._short_of_memory = False

    @property
    def scans(self) -> int:
        """The number of streams that are being served."""
        return self._scans.used

    def open(self, env: ScanEnvironment) -> None:
        """Start to serve scans."""
        self._env = env

    def refuse_scans(self, *, short_of_memory: bool) -> None:
        """Refuse every new stream while the server is short of memory; those that are served go on."""
        self._short_of_memory = short_of_memory

    async def idle(self) -> None:
        """Wait until no stream is being served."""
        await self._scans.wait_until_idle()

    async def ScanFace(  # noqa: N802 - the name is the contract's
        self,
        request_iterator: AsyncIterator[scan_pb2.ScanFaceRequest],
        context: ServicerContext[scan_pb2.ScanFaceRequest, scan_pb2.ScanFaceResponse],
    ) -> None:
        """Serve one stream; see the contract."""
        await self.serve(
            _inbound(request_iterator), partial(_send, context), header_origin=_header_origin(context)
        )

    async def serve(
        self,
        inbound: AsyncIterator[Inbound],
        send: Callable[[Outbound], Awaitable[None]],
        *,
        header_origin: str | None,
    ) -> None:
        """Serve one stream of any transport.

        Args:
            inbound: The device's messages. The iteration ends with a half-close, and raises
                ``ConnectionLost`` if the device is gone.
            send: Sends a message; raises ``ConnectionLost`` if the device is gone.
            header_origin: The ``Origin`` header that opened the stream; ``None`` without one.

        Raises:
            Refusal: The scan is refused.
        """
        env = self._env
        if env is None or env.running.draining.is_set():
            raise Refusal(
                Reason.NOT_SERVING,
                "the server is starting or shutting down; try again",
                retry_after=_RETRY_SECONDS,
            )
        if self._short_of_memory:
            raise Refusal(
                Reason.OVERLOADED,
                "the server is short of memory and serves no new scan at the moment; try again",
                retry_after=_SHORT_RETRY_SECONDS,
            )
        try:
            first = await self._waiting.wait_for_message(lambda: _next(inbound))
        except ConnectionLost:
            return
        if first is None:
            # The device half-closed the stream before its first message.
            return
        start, record = await find_check(env, first)
        # The place is taken before anything is written: a refused scan uses no attempt and binds no token.
        async with self._scans.hold_place(record.scope):
            with check_bound(record.check_id):
                try:
                    with env.metrics.checks.scan():
                        session = ScanSession(env, header_origin=header_origin)
                        await session.serve(start, record, inbound, send)
                except ConnectionLost:
                    # The device is gone, so no error can be sent.
                    env.metrics.calls.connection_lost()
                    _log.info("connection_lost")


def _header_origin(context: ServicerContext[Any, Any]) -> str | None:
    """Return the ``Origin`` header of the call, which a proxy may forward; ``None`` if there is none.

    Several different headers give a text that is not an origin.
    """
    values = {str(value) for name, value in context.invocation_metadata() or () if name == "origin"}
    return ", ".join(sorted(values)) if values else None


async def _send(context: ServicerContext[Any, scan_pb2.ScanFaceResponse], message: Outbound) -> None:
    # If a device does not read, its flow control window fills up; only this timeout ends the wait.
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await context.write(to_response(message))
    except BaseError as error:
        raise ConnectionLost from error
    except TimeoutError as error:
        raise nothing_read() from error


def nothing_read() -> Refusal:
    """Return the refusal of a device that did not read for ``WRITE_SECONDS``."""
    return Refusal(
        Reason.STREAM_IDLE,
        f"the device read nothing for {WRITE_SECONDS:g} seconds; reconnect with `resume`",
        details={"idleSeconds": WRITE_SECONDS},
    )


async def _next(inbound: AsyncIterator[Inbound]) -> Inbound | None:
    return await anext(inbound, None)


def malformed() -> Refusal:
    """Return the refusal of a message that cannot be parsed."""
    return Refusal(Reason.INVALID_FIELD, "a message is not a ScanFaceRequest", details={"field": "message"})


async def _inbound(requests: AsyncIterator[scan_pb2.ScanFaceRequest]) -> AsyncIterator[Inbound]:
    try:
        async for request in requests:
            yield to_inbound(request)
        # grpc ends the iteration both for a half-close and for a lost connection, but only the latter cancels
        # the call, a moment later. A half-close ends the scan; a lost connection does not.
        await asyncio.sleep(_SETTLE_SECONDS)
    except DecodeError as error:
        raise malformed() from error
    except BaseError as error:
        raise ConnectionLost from error
