"""The listener for pages: ScanFace over WebSocket, on a port of its own, and the server's own page.

gRPC-Web has no bidirectional stream, so a page cannot call ScanFace. ``docs/device_protocol.md`` describes
the WebSocket frames that a page sends instead. The messages are the same.
"""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, cast

import structlog
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.typedefs import Handler
from facegate.v1 import scan_pb2
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from server.audit import Tally
from server.base.errors import Reason, Refusal
from server.edge.device_servicer import WRITE_SECONDS, malformed, nothing_read
from server.edge.forwarded import TrustedProxies
from server.edge.hosted import HostedPage, PageHandler
from server.edge.http_connection import HttpConnection, HttpListener, abort, connection_of
from server.edge.listeners import SCAN_METHOD
from server.edge.proxy_protocol import ProxyProtocol
from server.edge.scan_codec import to_inbound, to_response
from server.edge.status import CODE_OF, counted_refusal, to_status_message
from server.scan.inbox import ConnectionLost
from server.scan.messages import Inbound, Outbound
from server.telemetry.metrics import Metrics

_HANDSHAKE_SECONDS = 5.0
"""From the connection to the open stream, TLS included."""
_ANSWER_SECONDS = 60.0
"""From the head of a request of the server's own page to the end of its answer."""
_MAX_HEADER_BYTES = 4_096
_MAX_OPENING_BYTES = 32_768
"""Bytes up to the end of the first message. A ScanStart has at most 16 KiB."""
_MOST_CALL_BYTES = 16_384
"""Bytes of the body of a call of the server's own page; with its head, less than those of an opening."""
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
_ORIGINS: Final = 8
_MAX_CHARACTERS: Final = 200
_REMEDY: Final = "if its pages may scan, list the origin in device_integrity.web.origins"
_log = structlog.get_logger(__name__)


class WebStream:
    """One scan over a WebSocket: the messages of ScanFace, without gRPC.

    Each binary message is one serialised ``ScanFaceRequest`` or ``ScanFaceResponse``. An empty text message
    is the device's half-close. If the server refuses the scan, it sends the ``google.rpc.Status`` as JSON in
    a text message, and then closes with 4000 plus the status code, and the reason of the ErrorInfo. Any other
    end of the connection is a lost connection, after which the device may resume.
    """

    def __init__(self, *, max_message_bytes: int, begun: Callable[[], None] = lambda: None) -> None:
        """Create a stream that is not open.

        Args:
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
        """Answer the opening handshake of a WebSocket."""
        await self._socket.prepare(request)

    async def messages(self) -> AsyncIterator[Inbound]:
        """Yield the device's messages until its half-close; raise as ``requests``, and for a bad part."""
        async for request in self.requests():
            yield to_inbound(request)

    async def requests(self) -> AsyncIterator[scan_pb2.ScanFaceRequest]:
        """Yield the device's messages, as they are on the wire, until its half-close.

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
        """Send a message to the device; raise as ``respond``."""
        await self.respond(to_response(message))

    async def respond(self, response: scan_pb2.ScanFaceResponse) -> None:
        """Send a message of the wire to the device.

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
        """Close the stream with 1000, or send a refusal with its details and close with that code.

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


class RefusedOrigins:
    """Logs the handshakes of pages that may not scan, because a page cannot read why it was refused.

    The first refused handshake of an origin is logged at once. Later ones are counted and logged at most once
    a minute. Beyond 8 origins a minute the rest share one count, so that a flood cannot fill the log. Use it
    on the event loop only.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Set the wall clock, UTC."""
        self._now = now
        self._tally: Tally[str] = Tally(most=_ORIGINS)

    def log_refusal(self, origin: str) -> None:
        """Log or count a refused handshake.

        Args:
            origin: The header, of any length; empty if there was none.
        """
        now, origin = self._now(), origin[:_MAX_CHARACTERS]
        for repeats in self._tally.due(now):
            several = repeats.key is None
            _log.warning(
                "origin_refused",
                origin="several" if several else repeats.key,
                count=repeats.count,
                remedy=_REMEDY,
            )
        if self._tally.record_or_count(origin, now):
            _log.warning("origin_refused", origin=origin, count=1, remedy=_REMEDY)


class _WebConnection(HttpConnection):
    """Reads little before the first message of a stream is complete.

    aiohttp keeps the parts of a message in memory, so that many connections could fill it without a token. A
    stream that sends more ends. The rest of any other request is left out, so that its answer arrives.
    """

    __slots__ = ("_left", "_opens_stream")

    def __init__(self, server: web.Server, **settings: Any) -> None:
        """Prepare a connection with the ``settings`` of ``HttpConnection``."""
        super().__init__(server, **settings)
        self._left = _MAX_OPENING_BYTES
        self._opens_stream = False

    def expect_stream(self) -> None:
        """Note that the request opens a stream, which ends if it sends too much."""
        self._opens_stream = True
        if self._left < 0:
            abort(self)

    def note_begun(self) -> None:
        """Lift the limit: the first message is complete."""
        self._left = sys.maxsize

    def data_received(self, data: bytes) -> None:
        """Receive bytes as far as the limit allows."""
        allowed = data[: max(0, self._left)]
        self._left -= len(data)
        if self._left < 0 and self._opens_stream:
            abort(self)
        else:
            super().data_received(allowed)


class WebListener(HttpListener):
    """One port on which pages open scans.

    Attributes:
        port: TCP port. For port 0, the chosen port after ``start``.
    """

    _connection = _WebConnection

    def __init__(
        self,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        origins: Collection[str],
        max_message_bytes: int,
        max_connections: int,
        serve: Callable[[WebStream, str], Awaitable[None]],
        idle: Callable[[], Awaitable[None]],
        metrics: Metrics,
        page: HostedPage | None = None,
        proxies: TrustedProxies | None = None,
        proxy_protocol: ProxyProtocol | None = None,
    ) -> None:
        """Prepare the listener; nothing is bound before ``start``.

        Args:
            port: TCP port; 0 for any free one.
            tls: TLS; ``None`` for plaintext, which settings allow on loopback only.
            page: The server's own page; ``None`` without one.
            proxies: The proxies that say who called; ``None`` if no header is read.
            proxy_protocol: Reads the header before TLS; ``None`` if connections have none.
            origins: The origins whose pages may scan, as browsers write them.
            max_connections: Maximum number of connections; further ones are closed as they come.
            serve: Serves a stream that a page of this origin opened. Its exceptions are sent as refusals.
            idle: Waits until no stream is being served.
        """
        self._origins = frozenset(origins)
        self._max_message_bytes = max_message_bytes
        self._max_connections = max_connections
        self._serve = serve
        self._idle = idle
        self._metrics = metrics
        self._refused_origins = RefusedOrigins(lambda: datetime.now(UTC))
        application = web.Application(client_max_size=_MOST_CALL_BYTES)
        application.router.add_get(SCAN_METHOD, self._scan, allow_head=False)
        if page is not None:
            application.on_response_prepare.append(page.restrict)
            application.add_routes(
                web.route(method, path, _timed(handler)) for method, path, handler in page.routes()
            )
        super().__init__(
            "web",
            host=host,
            port=port,
            runner=web.AppRunner(application, shutdown_timeout=0),
            first_seconds=_HANDSHAKE_SECONDS,
            keepalive_seconds=0,
            max_header_bytes=_MAX_HEADER_BYTES,
            tls=tls,
            proxies=proxies,
            proxy_protocol=proxy_protocol,
        )

    async def stop(self, grace: float) -> None:
        """Stop the listener. Streams that still run after ``grace`` seconds are ended."""
        await self._close(self._idle(), grace=grace)

    def _has_place(self, server: web.Server) -> bool:
        return len(server.connections) < self._max_connections

    async def _scan(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        connection = cast("_WebConnection", connection_of(request))
        connection.expect_stream()
        if connection.over:
            raise web.HTTPRequestTimeout
        stream = WebStream(max_message_bytes=self._max_message_bytes, begun=connection.note_begun)
        await stream.open(request)
        connection.limit_time(None)
        refusal = await self._served(stream, origin=request.headers["Origin"])
        await stream.end(refusal)
        return stream.response

    def _check(self, request: web.Request) -> None:
        """Refuse a handshake with an HTTP status.

        A page cannot read it: the browser reports a failed connection. It is for the author of the page.
        """
        if request.query_string:
            # Proxies log addresses, so nothing secret may become a habit there.
            raise web.HTTPBadRequest(text="the address has a query; the scan token belongs into ScanStart\n")
        origins = request.headers.getall("Origin", [])
        if len(origins) != 1 or origins[0] not in self._origins:
            self._refused_origins.log_refusal(", ".join(origins))
            self._metrics.calls.call_refused(Reason.ORIGIN_NOT_ALLOWED.value)
            raise web.HTTPForbidden(
                text="the page's origin may not scan: list it in device_integrity.web.origins\n"
            )
        offered = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
        if SUBPROTOCOL not in {name.strip() for name in offered.split(",")}:
            raise web.HTTPBadRequest(text=f"offer the WebSocket subprotocol {SUBPROTOCOL}\n")

    async def _served(self, stream: WebStream, *, origin: str) -> Refusal | None:
        # A browser cannot send a traceparent with a WebSocket.
        with self._metrics.stages.call(SCAN_METHOD, (), trusted=False) as span:
            try:
                await self._serve(stream, origin)
            except ConnectionLost:
                return None
            except Exception as error:  # noqa: BLE001 - hides internal errors, as the gate does
                return counted_refusal(error, method=SCAN_METHOD, span=span, metrics=self._metrics)
            return None


def _timed(handler: PageHandler) -> Handler:
    """Give a request of the page the time that a slow line needs, and then end its connection."""

    async def serve(request: web.Request) -> web.Response:
        connection = connection_of(request)
        if connection.over:
            raise web.HTTPRequestTimeout
        connection.limit_time(_ANSWER_SECONDS)
        answer = await handler(request)
        answer.force_close()
        return answer

    return serve
