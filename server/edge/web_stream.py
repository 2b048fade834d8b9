"""One scan over a WebSocket: the messages of ScanFace, without gRPC.

Each binary message is one serialised ``ScanFaceRequest`` or ``ScanFaceResponse``. An empty text message is
the device's half-close. If the server refuses the scan, it sends the ``google.rpc.Status`` as JSON in a text
message, and then closes with 4000 plus the status code, and the reason of the ErrorInfo. Any other end of the
connection is a lost connection, after which the device may resume.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web
from facegate.v1 import scan_pb2
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from server.edge.device_servicer import WRITE_SECONDS, malformed, nothing_read
from server.edge.scan_codec import to_inbound, to_response
from server.edge.status import CODE_OF, to_status_message
from server.errors import Reason, Refusal
from server.scan.inbox import ConnectionLost
from server.scan.messages import Inbound, Outbound

__all__ = ["CLOSE_CODE_BASE", "SUBPROTOCOL", "WebStream"]

SUBPROTOCOL: Final = "facegate.v1"
"""The WebSocket subprotocol: the name and version of the messages."""
CLOSE_CODE_BASE: Final = 4000
"""The close code of a refusal is this number plus its gRPC status code."""
_CLOSE_SECONDS = 2.0
_MOST_PINGS = 64
"""Pings of one stream. Pages cannot send any, and the server sends its own."""
_HEARTBEAT_SECONDS = 20.0
_WRITE_BUFFER = 65_536
"""Bytes that may wait for a device to read before a message waits."""


class WebStream:
    """The two directions of one stream."""

    def __init__(self, *, max_message_bytes: int, begun: Callable[[], None] = lambda: None) -> None:
        """Creates a stream that is not open.

        Args:
            max_message_bytes: Largest message that is received.
            begun: Called when the first message is complete.
        """
        self._begun = begun
        self._socket = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            timeout=_CLOSE_SECONDS,
            heartbeat=_HEARTBEAT_SECONDS,
            autoclose=False,
            autoping=False,
            compress=False,
            max_msg_size=max_message_bytes,
            writer_limit=_WRITE_BUFFER,
        )

    @property
    def response(self) -> web.WebSocketResponse:
        """The response that a handler of aiohttp returns."""
        return self._socket

    async def open(self, request: web.Request) -> None:
        """Answers the opening handshake of a WebSocket."""
        await self._socket.prepare(request)

    async def messages(self) -> AsyncIterator[Inbound]:
        """Yields the device's messages until its half-close; raises as ``requests``, and for a bad part."""
        async for request in self.requests():
            yield to_inbound(request)

    async def requests(self) -> AsyncIterator[scan_pb2.ScanFaceRequest]:
        """Yields the device's messages, as they are on the wire, until its half-close.

        Raises:
            Refusal: A message is no ScanFaceRequest, or there are too many pings.
            ConnectionLost: The device is gone, or sent a message that is too large.
        """
        pings = 0
        while True:
            received = await self._socket.receive()
            match received.type:
                case WSMsgType.BINARY:
                    self._begun()
                    yield _parsed(received.data)
                case WSMsgType.TEXT if not received.data:
                    return
                case WSMsgType.PING if pings < _MOST_PINGS:
                    pings += 1
                    await self._write(self._socket.pong(received.data))
                case WSMsgType.PONG:
                    pass
                case WSMsgType.TEXT:
                    raise malformed()
                case WSMsgType.PING:
                    raise Refusal(
                        Reason.UNEXPECTED_MESSAGE,
                        f"the device sent more than {_MOST_PINGS} pings on one stream",
                    )
                case _:
                    # Closed, or broken: aiohttp has answered a violation of RFC 6455 or a message that is too
                    # large with its close code.
                    raise ConnectionLost

    async def send(self, message: Outbound) -> None:
        """Sends a message to the device; raises as ``respond``."""
        await self.respond(to_response(message))

    async def respond(self, response: scan_pb2.ScanFaceResponse) -> None:
        """Sends a message of the wire to the device.

        Raises:
            Refusal: The device does not read (STREAM_IDLE).
            ConnectionLost: The device is gone.
        """
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._write(self._socket.send_bytes(response.SerializeToString()))
        except TimeoutError as error:
            raise nothing_read() from error

    async def end(self, refusal: Refusal | None = None) -> None:
        """Closes the stream with 1000, or sends a refusal with its details and closes with that code.

        Waits at most ``_CLOSE_SECONDS`` for the device, which may be gone.
        """
        code, reason = int(WSCloseCode.OK), b""
        # A device that is gone, or does not read, learns nothing.
        with suppress(ConnectionLost, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                if refusal is not None:
                    status = json_format.MessageToJson(to_status_message(refusal), indent=None)
                    await self._write(self._socket.send_str(status))
                    code = CLOSE_CODE_BASE + int(CODE_OF[refusal.reason].value[0])
                    reason = refusal.reason.value.encode("ascii")
                await self._write(self._socket.close(code=code, message=reason))

    async def _write(self, writing: Awaitable[object]) -> None:
        try:
            await writing
        except (ConnectionError, RuntimeError) as error:
            # aiohttp raises RuntimeError for a socket that it has closed.
            raise ConnectionLost from error


def _parsed(data: bytes) -> scan_pb2.ScanFaceRequest:
    try:
        return scan_pb2.ScanFaceRequest.FromString(data)
    except DecodeError as error:
        raise malformed() from error
