"""The listeners of a real server, which hand every stream to a script, and the streams."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import grpc
from facegate.v1 import scan_pb2
from google.protobuf.message import DecodeError
from prometheus_client import CollectorRegistry

from cli.errors import CommandError
from lab.conformance.rules import HalfClosed, Rule, Violation, refusals_broken
from server.base.errors import Refusal
from server.edge.device_servicer import malformed
from server.edge.listeners import SCAN_METHOD, Listener
from server.edge.scan_codec import MAX_SCAN_MESSAGE_BYTES, to_inbound
from server.edge.web_listener import WebListener, WebStream
from server.scan.inbox import Arrival, ConnectionLost, Inbox, StreamEnded
from server.scan.messages import AttemptReadyMessage, Inbound
from server.telemetry.metrics import Metrics

_HOST: Final = "127.0.0.1"
_CHUNK: Final = 65_536
_CONNECTIONS: Final = 64
_GRACE_SECONDS: Final = 3600.0
_SETTLE_SECONDS: Final = 0.05
_MOST_IN_FLIGHT: Final = 1000
"""The frames of the largest credit of a scenario."""

Request: TypeAlias = scan_pb2.ScanFaceRequest


class _ProxyFailed(Exception):
    """The stream ends as a proxy ends it: without an ErrorInfo."""


@dataclass(frozen=True, slots=True)
class AttemptReady(AttemptReadyMessage):
    """The message ``attempt_ready`` with the number of its attempt, which a server does not read."""

    after_attempt: int


def name_of(message: Inbound) -> str:
    """Return the name of a message, for people."""
    words = re.findall("[A-Z][a-z]+", type(message).__name__.removesuffix("Message"))
    return f"`{'_'.join(words).lower()}`"


class ClientStream:
    """One stream of a client: its messages in the session's own inbox, and its end.

    Attributes:
        opened: When it was opened, seconds of the loop's clock.
        arrives: Called with each message when it arrives; a Refusal that it raises takes its place.
        first: The first message, once it was read.
        ended: Done when a scenario has ended it, or the client has disconnected.
    """

    def __init__(
        self,
        requests: AsyncIterator[Request],
        respond: Callable[[scan_pb2.ScanFaceResponse], Awaitable[None]],
        *,
        page: bool,
        cut: Callable[[], None],
    ) -> None:
        """Start to read; ``cut`` resets the connection below the stream."""
        loop = asyncio.get_running_loop()
        self.page = page
        self.transport = "WebSocket" if page else "gRPC"
        self.opened = loop.time()
        self.arrives: Callable[[Inbound], None] = lambda _message: None
        self.first: Inbound | None = None
        self.ended: asyncio.Future[None] = loop.create_future()
        self._respond = respond
        self._cut = cut
        self._inbox = Inbox(
            self._inbound(requests),
            monotonic=loop.time,
            arrives=lambda _message: None,
            window_frames=_MOST_IN_FLIGHT,
        )

    async def _inbound(self, requests: AsyncIterator[Request]) -> AsyncIterator[Inbound]:
        try:
            async for request in requests:
                message = to_inbound(request)
                self.arrives(message)
                if request.WhichOneof("message") == "attempt_ready":
                    message = AttemptReady(request.attempt_ready.after_attempt)
                yield message
            # gRPC ends the iteration for a lost connection, too, and cancels the call a moment later.
            await asyncio.sleep(_SETTLE_SECONDS)
        except DecodeError as error:
            raise malformed() from error
        except ConnectionLost:
            self._end(None)
            raise
        if self.ended.cancelled():
            raise ConnectionLost

    async def receive(self, timeout_s: float) -> Arrival | None:
        """Return the next message; ``None`` if none comes in time.

        Raises:
            ConnectionLost: The client ended the stream without a half-close.
        """
        try:
            with refusals_broken():
                return await self._inbox.next(timeout=timeout_s)
        except StreamEnded as error:
            raise HalfClosed from error

    async def expect(self, timeout_s: float, rule: Rule, late: str) -> Arrival:
        """Return the next message; if none comes in time, ``rule`` is broken as ``late`` says."""
        try:
            arrival = await self.receive(timeout_s)
        except ConnectionLost as error:
            raise Violation(rule, f"the client dropped the connection; {late}") from error
        if arrival is None:
            raise Violation(rule, late)
        return arrival

    async def send(self, response: scan_pb2.ScanFaceResponse) -> None:
        """Send a message; a client that is gone does not receive it."""
        if not self.ended.done():
            with contextlib.suppress(ConnectionLost, asyncio.InvalidStateError):
                await self._respond(response)

    def finish(self, refusal: Refusal | None = None) -> None:
        """End the stream: with status OK, or with a refusal."""
        self._inbox.close()
        self._end(refusal)

    def fail(self) -> None:
        """End the stream as a proxy does that lost its server: a WebSocket without a close code."""
        if self.page:
            self._cut()
        else:
            self._end(_ProxyFailed())

    def cut(self) -> None:
        """Cut the connection, which ends the stream as soon as that is noticed."""
        self._cut()

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
            # A client that was gone before has no handler that raises it.
            self.ended.exception()


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The server's certificate and its private key, PEM; ``context`` is the same for the web listener."""

    pem: bytes
    context: ssl.SSLContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a client finds the server."""

    device: str
    web: str


class _Servicer:
    def __init__(self, take: Callable[[ClientStream], None], cut: Callable[[], None]) -> None:
        self._take = take
        self._cut = cut

    async def ScanFace(  # noqa: N802 - the name is the contract's
        self, request_iterator: AsyncIterator[Request], context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> None:
        stream = ClientStream(request_iterator, context.write, page=False, cut=self._cut)
        self._take(stream)
        try:
            await stream.ended
        except _ProxyFailed:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the proxy lost the server")


class Relay:
    """A TCP relay on loopback, which loses every connection at once when it is cut."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._target = 0
        self._listening: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self, target: int) -> None:
        """Listen, and forward to the port ``target``."""
        self._target = target
        try:
            self._listening = await asyncio.start_server(self._accept, _HOST, self.port)
        except OSError as error:
            raise CommandError(
                f"port {self.port} of {_HOST} cannot be used: {error.strerror or error}; give another one"
            ) from error
        self.port = self._listening.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset every open connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Stop listening and cut all connections."""
        if self._listening is not None:
            loop = asyncio.get_running_loop()
            for listening in self._listening.sockets:
                loop.remove_reader(listening.fileno())
            # A connection that asyncio has just accepted would stay open with a closed server.
            await asyncio.sleep(0)
            self._listening.close()
        self._closed = True
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:
            writer.transport.abort()
            return
        self._writers.add(writer)
        task = asyncio.ensure_future(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        both = {writer}
        try:
            far_reader, far_writer = await asyncio.open_connection(_HOST, self._target)
            both.add(far_writer)
            self._writers.add(far_writer)
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
            for one in both:
                one.close()
                with contextlib.suppress(OSError):
                    await one.wait_closed()
        except OSError:
            # The target is away: the connection ends below, as one that was lost.
            pass
        finally:
            self._writers -= both
            for one in both:
                one.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    # The other direction may still be active.
    with contextlib.suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def listening(
    take: Callable[[ClientStream], None],
    *,
    port: int = 0,
    origins: Collection[str] = (),
    certificate: Certificate | None = None,
) -> AsyncIterator[Addresses]:
    """Listen on loopback, on a port and for pages on the next one, for as long as the context is open."""
    metrics = Metrics(CollectorRegistry())
    device_relay = Relay(port)
    web_relay = Relay(port and port + 1)
    device = Listener(
        name="device",
        host=_HOST,
        port=0,
        credentials=None
        if certificate is None
        else grpc.ssl_server_credentials([(certificate.pem, certificate.pem)]),
        max_message_bytes=MAX_SCAN_MESSAGE_BYTES,
        max_connections=_CONNECTIONS,
        grace_seconds=_GRACE_SECONDS,
        servicers=[_Servicer(take, device_relay.cut)],
        other="service",
        reflection_enabled=False,
        streaming=True,
        metrics=metrics,
    )

    async def serve(web_stream: WebStream, _origin: str) -> None:
        stream = ClientStream(web_stream.requests(), web_stream.respond, page=True, cut=web_relay.cut)
        take(stream)
        await stream.ended

    web = WebListener(
        host=_HOST,
        port=0,
        tls=None if certificate is None else certificate.context,
        origins=origins,
        max_message_bytes=MAX_SCAN_MESSAGE_BYTES,
        max_connections=_CONNECTIONS,
        serve=serve,
        idle=_at_once,
        metrics=metrics,
    )
    try:
        await device.start()
        await device_relay.start(device.port)
        device.serve()
        if origins:
            await web.start()
            await web_relay.start(web.port)
        scheme = "ws" if certificate is None else "wss"
        yield Addresses(
            device=f"{_HOST}:{device_relay.port}",
            web=f"{scheme}://{_HOST}:{web_relay.port}{SCAN_METHOD}" if origins else "",
        )
    finally:
        await device_relay.close()
        await web_relay.close()
        await device.stop(0)
        if origins:
            await web.stop(0)


async def _at_once() -> None:
    await asyncio.sleep(0)
