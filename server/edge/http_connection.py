"""Listeners of HTTP, whose connections repeat nothing of a malformed request, in no answer and in no log."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable
from functools import partial
from typing import Any, cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from server.base.errors import ListenerUnusable
from server.edge.forwarded import TrustedProxies
from server.edge.proxy_protocol import ProxyProtocol

_LINGER_SECONDS = 2.0
"""How long an answered connection still reads a body that nobody wants.

If it were closed before, the answer could be lost: a kernel drops what a connection received before a reset.
"""
_HANDSHAKE_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class HttpConnection(RequestHandler):
    """Answers what is not HTTP with 400 and a fixed text, and ends when its time is over.

    aiohttp would log it as an error of the server, and both that line and its answer would have the beginning
    of the malformed line, which may be a cookie or a key.
    """

    __slots__ = ("_caller", "_listener", "_timer", "is_own")

    def __init__(
        self,
        server: web.Server,
        *,
        listener: str,
        first_seconds: float | None,
        keepalive_seconds: float,
        max_header_bytes: int,
        caller: str | None,
        is_own: bool,
    ) -> None:
        """Prepare a connection.

        Args:
            server: Serves its requests.
            listener: The name of the listener in the log.
            first_seconds: From now until ``limit_time`` is called, TLS included; ``None`` for any time.
            keepalive_seconds: How long it may stay open without a request.
            max_header_bytes: The maximum size of the first line, and of each header.
            caller: The address for which a proxy connected; ``None`` for that of the socket.
            is_own: Whether a proxy connected for itself.
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
        self._caller = caller
        self.is_own = is_own
        self._timer: asyncio.TimerHandle | None = None
        self.limit_time(first_seconds)

    def limit_time(self, seconds: float | None) -> None:
        """End the connection in ``seconds`` from now, and no more at the time that was set before.

        Args:
            seconds: ``None`` for any time.
        """
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if seconds is None else loop.call_later(seconds, abort, self)

    @property
    def over(self) -> bool:
        """Whether the connection has ended, so that nothing can be answered."""
        return self.transport is None or self.transport.is_closing()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Note the end of the connection."""
        self.limit_time(None)
        super().connection_lost(exc)

    @property
    def peername(self) -> Any:
        """The address and port of the other side; a port of 0 if a proxy is between."""
        return super().peername if self._caller is None else (self._caller, 0)

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

    _connection: type[HttpConnection] = HttpConnection

    def __init__(
        self,
        name: str,
        *,
        host: str,
        port: int,
        runner: web.AppRunner,
        first_seconds: float | None = None,
        keepalive_seconds: float,
        max_header_bytes: int,
        tls: ssl.SSLContext | None = None,
        proxies: TrustedProxies | None = None,
        proxy_protocol: ProxyProtocol | None = None,
    ) -> None:
        """Prepare the listener; nothing is bound before ``start``.

        Args:
            name: Its name in the log and in errors.
            port: TCP port; 0 for any free one.
            runner: Serves the requests.
            first_seconds: How long a connection has until ``HttpConnection.limit_time`` is called.
            keepalive_seconds: How long a connection may stay open without a request.
            max_header_bytes: The maximum size of the first line, and of each header.
            tls: TLS; ``None`` for plaintext, which settings allow on loopback only.
            proxies: The proxies that say who called; ``None`` if no header is read.
            proxy_protocol: Reads the header before TLS; ``None`` if connections have none.
        """
        if proxies is not None:
            runner.app.middlewares.insert(0, proxies.middleware(is_own=_is_own))
        self._name = name
        self._host = host
        self.port = port
        self._runner = runner
        self._first_seconds = first_seconds
        self._keepalive_seconds = keepalive_seconds
        self._max_header_bytes = max_header_bytes
        self._tls = tls
        self._handshake_seconds = None if tls is None else _HANDSHAKE_SECONDS
        self._proxy_protocol = proxy_protocol
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
        loop, headed = asyncio.get_running_loop(), self._proxy_protocol
        try:
            if headed is None:
                self._listening = await loop.create_server(
                    self._connected,
                    self._host,
                    self.port,
                    ssl=self._tls,
                    ssl_handshake_timeout=self._handshake_seconds,
                )
            else:
                accepting = partial(headed.accepting, self._begin_after_header)
                self._listening = await loop.create_server(accepting, self._host, self.port)
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
        if self._proxy_protocol is not None:
            await self._proxy_protocol.close()
        await self._runner.cleanup()

    async def _begin_after_header(self, accepted: socket.socket, caller: str | None) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(
            partial(self._connected, caller, is_own=caller is None),
            accepted,
            ssl=self._tls,
            ssl_handshake_timeout=self._handshake_seconds,
        )

    def _connected(self, caller: str | None = None, *, is_own: bool = False) -> asyncio.BaseProtocol:
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner was not set up")
        if not self._has_place(server):
            return _Refused()
        return self._connection(
            server,
            listener=self._name,
            first_seconds=self._first_seconds,
            keepalive_seconds=self._keepalive_seconds,
            max_header_bytes=self._max_header_bytes,
            caller=caller,
            is_own=is_own,
        )

    def _has_place(self, server: web.Server) -> bool:
        """Return whether there is a place for one more connection; may end others."""
        raise NotImplementedError


class _Refused(asyncio.Protocol):
    """A connection that is closed as it comes, because there are too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        cast("asyncio.Transport", transport).abort()


def _is_own(request: web.Request) -> bool:
    return connection_of(request).is_own


def connection_of(request: web.Request) -> HttpConnection:
    """Return the connection of a request to an ``HttpListener``."""
    return cast("HttpConnection", request.protocol)


def abort(handler: RequestHandler) -> None:
    """End a connection at once."""
    if handler.transport is not None:
        handler.transport.abort()


def host_port(host: str, port: int) -> str:
    """Return an address as ``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
