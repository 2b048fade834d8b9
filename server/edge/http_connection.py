"""Listeners of HTTP, whose connections repeat nothing of a malformed request, in no answer and in no log."""

import asyncio
import ssl
from collections.abc import Awaitable
from typing import Any, cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from server.base.errors import ListenerUnusable
from server.edge.forwarded import TrustedProxies

_LINGER_SECONDS = 2.0
"""How long an answered connection still reads a body that nobody wants.

If it were closed before, the answer could be lost: a kernel drops what a connection received before a reset.
"""
_HANDSHAKE_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class HttpConnection(RequestHandler):
    """Answers what is not HTTP with 400 and a fixed text.

    aiohttp would log it as an error of the server, and both that line and its answer would have the beginning
    of the malformed line, which may be a cookie or a key.
    """

    __slots__ = ("_listener",)

    def __init__(
        self, server: web.Server, *, listener: str, keepalive_seconds: float, max_header_bytes: int
    ) -> None:
        """Prepare a connection.

        Args:
            server: Serves its requests.
            listener: The name of the listener in the log.
            keepalive_seconds: How long it may stay open without a request.
            max_header_bytes: The maximum size of the first line, and of each header.
        """
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # as its documentation allows
            keepalive_timeout=keepalive_seconds,
            lingering_time=_LINGER_SECONDS,
            max_line_size=max_header_bytes,
            max_field_size=max_header_bytes,
        )
        self._listener = listener

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log what failed, unless it is the rest of a body that was malformed: its request was answered."""
        if not isinstance(kw.get("exc_info"), HttpProcessingError | web.RequestPayloadError):
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to a request that cannot be parsed, or whose handler failed."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        _log.warning("http_request_malformed", listener=self._listener, address=request.remote)
        answer = web.Response(status=400, text="the request is malformed\n")
        answer.force_close()
        return answer


class HttpListener:
    """Binds a port, and makes a connection for everyone who connects."""

    def __init__(
        self,
        name: str,
        *,
        host: str,
        port: int,
        runner: web.AppRunner,
        keepalive_seconds: float,
        max_header_bytes: int,
        tls: ssl.SSLContext | None = None,
        proxies: TrustedProxies | None = None,
    ) -> None:
        """Prepare the listener; nothing is bound before ``start``.

        Args:
            name: Its name in the log and in errors.
            port: TCP port; 0 for any free one.
            runner: Serves the requests.
            keepalive_seconds: How long a connection may stay open without a request.
            max_header_bytes: The maximum size of the first line, and of each header.
            tls: TLS; ``None`` for plaintext, which settings allow on loopback only.
            proxies: The proxies that say who called; ``None`` if no header is read.
        """
        if proxies is not None:
            runner.app.middlewares.insert(0, proxies.middleware())
        self._name = name
        self._host = host
        self.port = port
        self._runner = runner
        self._keepalive_seconds = keepalive_seconds
        self._max_header_bytes = max_header_bytes
        self._tls = tls
        self._listening: asyncio.Server | None = None

    @property
    def target(self) -> str:
        """``host:port`` with the bound port."""
        return host_port(self._host, self.port)

    async def start(self) -> None:
        """Bind the port and start to accept connections.

        Raises:
            ListenerUnusable: The address is in use, or is not an address of this machine.
        """
        await self._runner.setup()
        try:
            self._listening = await asyncio.get_running_loop().create_server(
                self._connected,
                self._host,
                self.port,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else _HANDSHAKE_SECONDS,
            )
        except OSError as error:
            await self._runner.cleanup()
            raise ListenerUnusable(
                f"the {self._name} listener cannot use {self._host}:{self.port}: {error.strerror or error}; "
                "stop the process that listens there, or set another host or port"
            ) from error
        self.port = self._listening.sockets[0].getsockname()[1]

    async def _close(self, idle: Awaitable[object], *, grace: float) -> None:
        """Stop the listener when it is idle, or after ``grace`` seconds, and end its connections."""
        if self._listening is not None:
            self._listening.close()
        try:
            async with asyncio.timeout(grace):
                await idle
        except TimeoutError:
            pass
        await self._runner.cleanup()

    def _connected(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner was not set up")
        if not self._has_place(server):
            return _Refused()
        return self._begin(
            HttpConnection(
                server,
                listener=self._name,
                keepalive_seconds=self._keepalive_seconds,
                max_header_bytes=self._max_header_bytes,
            )
        )

    def _has_place(self, server: web.Server) -> bool:
        """Return whether there is a place for one more connection; may end others."""
        raise NotImplementedError

    def _begin(self, connection: HttpConnection) -> asyncio.BaseProtocol:
        """Return what serves a connection: itself, or a protocol around it."""
        return connection


class _Refused(asyncio.Protocol):
    """A connection that is closed as it comes, because there are too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        cast("asyncio.Transport", transport).abort()


def abort(handler: RequestHandler) -> None:
    """End a connection at once."""
    if handler.transport is not None:
        handler.transport.abort()


def host_port(host: str, port: int) -> str:
    """Return an address as ``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
