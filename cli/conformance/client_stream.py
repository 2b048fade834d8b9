"""One stream of a client, over gRPC or WebSocket: its messages with their times, and its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from facegate.v1 import scan_pb2
from google.protobuf.message import DecodeError

from cli.conformance.rules import Rule, Violation
from server.base.errors import Refusal
from server.scan.inbox import ConnectionLost

__all__ = ["Arrival", "ClientStream", "ProxyFailed", "StreamCut", "StreamLost"]

_SETTLE_SECONDS = 0.05


class StreamLost(Exception):
    """The client ended the stream without a half-close, or the connection was cut."""


class ProxyFailed(Exception):
    """The stream ends as a proxy ends it: without an ErrorInfo."""


class StreamCut(Exception):
    """The connection below the stream was reset."""


class _End(Enum):
    HALF_CLOSED = "half-closed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message of the client.

    Attributes:
        time: When it arrived, seconds of the loop's clock.
        request: The message; ``None`` for the half-close.
    """

    time: float
    request: scan_pb2.ScanFaceRequest | None


_Item: TypeAlias = "tuple[float, scan_pb2.ScanFaceRequest | Exception | _End]"
Respond: TypeAlias = Callable[[scan_pb2.ScanFaceResponse], Awaitable[None]]


class ClientStream:
    """A stream.

    Attributes:
        transport: The name of the transport.
        page: Whether it comes from a page.
        opened: When it was opened, seconds of the loop's clock.
    """

    def __init__(self, *, page: bool, cut: Callable[[], None]) -> None:
        """Starts without messages.

        Args:
            page: Whether the stream is a WebSocket.
            cut: Resets the connection below the stream.
        """
        loop = asyncio.get_running_loop()
        self.page = page
        self.transport = "WebSocket" if page else "gRPC"
        self.opened = loop.time()
        self._cut = cut
        self._respond: Respond | None = None
        self._arrived: asyncio.Queue[_Item] = asyncio.Queue()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._over: _End | None = None

    @property
    def over(self) -> bool:
        """Whether the end of the stream was received or caused."""
        return self._over is not None or self._ended.done()

    async def carry(self, requests: AsyncIterator[scan_pb2.ScanFaceRequest], respond: Respond) -> None:
        """Carries the stream until a scenario ends it or the client disconnects.

        Args:
            requests: The client's messages. Their end is a half-close.
            respond: Sends a message to the client.

        Raises:
            Refusal: The scenario refused the stream.
            ProxyFailed: The scenario ended it without a reason.
            StreamCut: The scenario reset the connection.
        """
        self._respond = respond
        receiving = asyncio.create_task(self._receive(requests))
        try:
            await self._ended
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            self._put(_End.LOST)

    async def receive(self, timeout_s: float) -> Arrival:
        """Returns the next message.

        Raises:
            TimeoutError: None came in time.
            StreamLost: The stream is over.
            Violation: The bytes are no ScanFaceRequest.
        """
        if self._over is not None and self._arrived.empty():
            raise StreamLost
        async with asyncio.timeout(timeout_s):
            time, item = await self._arrived.get()
        match item:
            case _End.LOST:
                self._over = _End.LOST
                raise StreamLost
            case _End.HALF_CLOSED:
                self._over = _End.HALF_CLOSED
                return Arrival(time, None)
            case DecodeError():
                raise Violation(Rule.MESSAGE, "a message is no ScanFaceRequest")
            case Refusal():
                raise Violation(Rule.MESSAGE, str(item))
            case Exception():
                raise item
            case _:
                return Arrival(time, item)

    async def send(self, response: scan_pb2.ScanFaceResponse) -> None:
        """Sends a message; a client that is gone does not receive it."""
        if self._respond is None or self._ended.done():
            return
        try:
            await self._respond(response)
        except (ConnectionLost, asyncio.InvalidStateError):
            self._put(_End.LOST)

    def finish(self, refusal: Refusal | None = None) -> None:
        """Ends the stream: with status OK, or with a refusal."""
        self._end_with(refusal)

    def fail(self) -> None:
        """Ends the stream as a proxy does that lost its server."""
        self._end_with(ProxyFailed())

    def cut(self) -> None:
        """Cuts the connection."""
        self._cut()
        self._end_with(StreamCut())

    def _end_with(self, error: Exception | None) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
            # A client that was gone before has no handler that raises it.
            self._ended.exception()

    def _put(self, item: scan_pb2.ScanFaceRequest | Exception | _End) -> None:
        self._arrived.put_nowait((asyncio.get_running_loop().time(), item))

    async def _receive(self, requests: AsyncIterator[scan_pb2.ScanFaceRequest]) -> None:
        try:
            async for request in requests:
                self._put(request)
            # gRPC ends the iteration for a lost connection, too, and cancels the call a moment later.
            await asyncio.sleep(_SETTLE_SECONDS)
            self._put(_End.HALF_CLOSED)
        except ConnectionLost:
            self._put(_End.LOST)
            self._end_with(None)
        except (DecodeError, Refusal) as error:
            self._put(error)
