"""The listeners of a real server, which hand every stream to a script."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
from facegate.v1 import scan_pb2
from prometheus_client import CollectorRegistry

from cli.conformance.client_stream import ClientStream, ProxyFailed, StreamCut
from cli.conformance.relay import Relay
from server.edge.listeners import SCAN_METHOD, Listener
from server.edge.scan_codec import MAX_SCAN_MESSAGE_BYTES
from server.edge.web_listener import WebListener, WebStream
from server.telemetry.metrics import Metrics

__all__ = ["Addresses", "Certificate", "listening"]

_HOST: Final = "127.0.0.1"
_CONNECTIONS: Final = 64
_GRACE_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The server's certificate.

    Attributes:
        chain: PEM.
        key: PEM of its private key.
        context: The same for the web listener.
    """

    chain: bytes
    key: bytes
    context: ssl.SSLContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a client finds the server.

    Attributes:
        device: ``host:port`` of the gRPC listener.
        web: Address of the WebSocket; empty if no origin may open one.
    """

    device: str
    web: str


class _Servicer:
    def __init__(self, take: Callable[[ClientStream], None], cut: Callable[[], None]) -> None:
        self._take = take
        self._cut = cut

    async def ScanFace(  # noqa: N802 - the name is the contract's
        self,
        request_iterator: AsyncIterator[scan_pb2.ScanFaceRequest],
        context: "grpc.aio.ServicerContext[Any, Any]",
    ) -> None:
        stream = ClientStream(page=False, cut=self._cut)
        self._take(stream)
        try:
            await stream.carry(request_iterator, context.write)
        except ProxyFailed:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the proxy lost the server")
        except StreamCut:
            # gRPC cancels the call when it notices; a status that nobody can receive would be an error.
            await asyncio.Event().wait()


@asynccontextmanager
async def listening(
    take: Callable[[ClientStream], None],
    *,
    port: int = 0,
    web_port: int = 0,
    origins: Collection[str] = (),
    certificate: Certificate | None = None,
) -> AsyncIterator[Addresses]:
    """Listens on loopback for as long as the context is open.

    Args:
        take: Takes each new stream.
        port: Port for gRPC; 0 for any free one.
        web_port: Port for WebSocket; 0 for any free one.
        origins: The origins whose pages may open streams; without one there is no web listener.
        certificate: The certificate; ``None`` for plaintext.

    Raises:
        ServerUnusable: A port is in use.
    """
    metrics = Metrics(CollectorRegistry())
    device_relay = Relay(host=_HOST, port=port)
    web_relay = Relay(host=_HOST, port=web_port)
    device = Listener(
        name="device",
        host=_HOST,
        port=0,
        credentials=None
        if certificate is None
        else grpc.ssl_server_credentials([(certificate.key, certificate.chain)]),
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
        stream = ClientStream(page=True, cut=web_relay.cut)
        take(stream)
        try:
            await stream.carry(web_stream.requests(), web_stream.respond)
        except (ProxyFailed, StreamCut):
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
