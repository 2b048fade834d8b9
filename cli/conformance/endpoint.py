"""The listeners of a real server, which hand every stream to a script, and the streams."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import grpc
from facegate.v1 import scan_pb2
from google.protobuf.message import DecodeError
from prometheus_client import CollectorRegistry

from cli.conformance.rules import Rule, Violation
from cli.errors import CommandError
from server.base.errors import Refusal
from server.edge.listeners import SCAN_METHOD, Listener
from server.edge.scan_codec import MAX_SCAN_MESSAGE_BYTES
from server.edge.web_listener import WebListener, WebStream
from server.scan.inbox import ConnectionLost
from server.telemetry.metrics import Metrics

_HOST: Final = "127.0.0.1"
_CHUNK: Final = 65_536
_CONNECTIONS: Final = 64
_GRACE_SECONDS: Final = 3600.0
_SETTLE_SECONDS: Final = 0.05

Request: TypeAlias = scan_pb2.ScanFaceRequest


class StreamLost(Exception):
    """The client ended the stream without a half-close, or the connection was cut."""


class _ProxyFailed(Exception):
    """The stream ends as a proxy ends it: without an ErrorInfo."""


class _StreamCut(Exception):
    """The connection below the stream was reset."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message of the client.

    Attributes:
        time: When it arrived, seconds of the loop's clock.
        request: The message; ``None`` for the half-close.
    """

    time: float
    request: Request | None

    def __str__(self) -> str:
        """Returns the name of the message, for people."""
        return "the half-close" if self.request is None else f"`{self.request.WhichOneof('message')}`"


class ClientStream:
    """One stream of a client: its messages with their times, and its end.

    Attributes:
        opened: When it was opened, seconds of the loop's clock.
        arrives: Called with each message when it arrives; a Violation that it raises takes its place.
    """

    def __init__(self, *, page: bool, cut: Callable[[], None]) -> None:
        """Starts without messages; ``cut`` resets the connection below the stream."""
        loop = asyncio.get_running_loop()
        self.page = page
        self.transport = "WebSocket" if page else "gRPC"
        self.opened = loop.time()
        self.arrives: Callable[[Request], None] = lambda _request: None
        self._cut = cut
        self._respond: Callable[[scan_pb2.ScanFaceResponse], Awaitable[None]] | None = None
        self._arrived: asyncio.Queue[Arrival | Exception] = asyncio.Queue()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._over = False

    async def carry(
        self,
        requests: AsyncIterator[Request],
        respond: Callable[[scan_pb2.ScanFaceResponse], Awaitable[None]],
    ) -> None:
        """Carries the stream until a scenario ends it or the client disconnects."""
        self._respond = respond
        receiving = asyncio.create_task(self._receive(requests))
        try:
            await self._ended
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            self._arrived.put_nowait(StreamLost())

    async def _receive(self, requests: AsyncIterator[Request]) -> None:
        loop = asyncio.get_running_loop()
        try:
            async for request in requests:
                self.arrives(request)
                self._arrived.put_nowait(Arrival(loop.time(), request))
            # gRPC ends the iteration for a lost connection, too, and cancels the call a moment later.
            await asyncio.sleep(_SETTLE_SECONDS)
            self._arrived.put_nowait(Arrival(loop.time(), None))
        except ConnectionLost:
            self._arrived.put_nowait(StreamLost())
            self._end(None)
        except DecodeError:
            self._arrived.put_nowait(Violation(Rule.MESSAGE, "a message is no ScanFaceRequest"))
        except Refusal as error:
            self._arrived.put_nowait(Violation(Rule.MESSAGE, str(error)))
        except Violation as broken:
            self._arrived.put_nowait(broken)

    async def receive(self, timeout_s: float) -> Arrival:
        """Returns the next message."""
        if self._over and self._arrived.empty():
            raise StreamLost
        async with asyncio.timeout(timeout_s):
            item = await self._arrived.get()
        if isinstance(item, Exception):
            self._over = isinstance(item, StreamLost)
            raise item
        self._over = item.request is None
        return item

    async def send(self, response: scan_pb2.ScanFaceResponse) -> None:
        """Sends a message; a client that is gone does not receive it."""
        if self._respond is None or self._ended.done():
            return
        try:
            await self._respond(response)
        except (ConnectionLost, asyncio.InvalidStateError):
            self._arrived.put_nowait(StreamLost())

    def finish(self, refusal: Refusal | None = None) -> None:
        """Ends the stream: with status OK, or with a refusal."""
        self._end(refusal)

    def fail(self) -> None:
        """Ends the stream as a proxy does that lost its server."""
        self._end(_ProxyFailed())

    def cut(self) -> None:
        """Cuts the connection."""
        self._cut()
        self._end(_StreamCut())

    def _end(self, error: Exception | None) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
            # A client that was gone before has no handler that raises it.
            self._ended.exception()


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
        stream = ClientStream(page=False, cut=self._cut)
        self._take(stream)
        try:
            await stream.carry(request_iterator, context.write)
        except _ProxyFailed:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the proxy lost the server")
        except _StreamCut:
            # gRPC cancels the call when it notices; a status that nobody can receive would be an error.
            await asyncio.Event().wait()


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
        """Listens, and forwards to the port ``target``."""
        self._target = target
        try:
            self._listening = await asyncio.start_server(self._accept, _HOST, self.port)
        except OSError as error:
            raise CommandError(
                f"port {self.port} of {_HOST} cannot be used: {error.strerror or error}; give another one"
            ) from error
        self.port = self._listening.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Resets every open connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Stops to listen and cuts all connections."""
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
    """Listens on loopback, on a port and for pages on the next one, for as long as the context is open."""
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
        streaming=True,
        metrics=metrics,
    )

    async def serve(web_stream: WebStream, _origin: str) -> None:
        stream = ClientStream(page=True, cut=web_relay.cut)
        take(stream)
        try:
            await stream.carry(web_stream.requests(), web_stream.respond)
        except (_ProxyFailed, _StreamCut):
            web_relay.cut()

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
