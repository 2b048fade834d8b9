"""The listener for the console: HTTP, the built page, and the interface behind the guard."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Final, cast

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

from server.base.errors import ListenerUnusable
from server.edge.console.answers import MOST_BYTES, refused_answer
from server.edge.console.guard import API, Guard, WrongHost
from server.edge.http_connection import HttpConnection
from server.edge.page_files import file_answer, page_files
from server.edge.status import as_refusal

_HANDSHAKE_SECONDS: Final = 5.0
_FIRST_SECONDS: Final = 10.0
"""From the connection to its first request."""
_KEEPALIVE_SECONDS: Final = 60.0
_MAX_HEADER_BYTES: Final = 8_192
_log = structlog.get_logger(__name__)


class ConsoleListener:
    """One port with the console.

    Attributes:
        port: TCP port. For port 0, the chosen port after ``start``.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        guard: Guard,
        routes: list[web.RouteDef],
        max_connections: int,
        started: Callable[[], None],
    ) -> None:
        """Prepares the listener; nothing is bound before ``start``.

        Args:
            port: TCP port; 0 for any free one.
            tls: TLS; ``None`` for plaintext, which settings allow on loopback only.
            routes: The interface and the log-in.
            max_connections: Maximum number of connections; a further one ends one without a whole request.
            started: Is called when the port is known.
        """
        self._host = host
        self.port = port
        self._tls = tls
        self._guard = guard
        self._max_connections = max_connections
        self._started = started
        self._files = page_files("console_page")
        self._opening: dict[RequestHandler, asyncio.TimerHandle] = {}
        self._working: dict[RequestHandler, web.Request] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._listening: asyncio.Server | None = None
        application = web.Application(client_max_size=MOST_BYTES, middlewares=[self._middleware()])
        application.on_response_prepare.append(guard.restrict)
        application.add_routes([*routes, web.get("/{path:.*}", self._get_file)])
        self._runner = web.AppRunner(application, shutdown_timeout=0)

    @property
    def target(self) -> str:
        """``host:port`` with the bound port."""
        return f"[{self._host}]:{self.port}" if ":" in self._host else f"{self._host}:{self.port}"

    @property
    def address(self) -> str:
        """The address of the page in browsers."""
        return self._guard.address

    async def start(self) -> None:
        """Binds the port.

        Raises:
            ListenerUnusable: The address is in use, or is not an address of this machine.
        """
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(
                self._connected,
                self._host,
                self.port,
                ssl=self._tls,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._tls is not None else None,
            )
        except OSError as error:
            await self._runner.cleanup()
            raise ListenerUnusable(
                f"the console cannot use {self._host}:{self.port}: {error.strerror or error}; "
                "stop the process that listens there, or set another host or port"
            ) from error
        self.port = self._listening.sockets[0].getsockname()[1]
        self._guard.listens(self._host, self.port)

    def serve(self) -> None:
        """Shows the one-time link, if there is one."""
        self._started()

    async def stop(self, grace: float) -> None:
        """Stops the listener. Requests that still run after ``grace`` seconds are ended."""
        if self._listening is not None:
            self._listening.close()
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
        except TimeoutError:
            pass
        await self._runner.cleanup()

    def _connected(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner was not set up")
        if not self._has_place(server):
            return _Refused()
        handler = HttpConnection(
            server,
            listener="console",
            keepalive_seconds=_KEEPALIVE_SECONDS,
            max_header_bytes=_MAX_HEADER_BYTES,
        )
        timer = asyncio.get_running_loop().call_later(_FIRST_SECONDS, self._end_unused, handler)
        self._opening[handler] = timer
        return handler

    def _has_place(self, server: web.Server) -> bool:
        """Returns whether there is a place for one more connection; makes one if need be.

        The oldest connection without a whole request gives way, of the address that has most of them.
        """
        connections = [one for one in server.connections if one.transport and not one.transport.is_closing()]
        free = [one for one in connections if self._is_free(one)]
        for _ in range(len(connections) + 1 - self._max_connections):
            if not free:
                return False
            crowds = Counter(map(_address_of, free))
            oldest = max(free, key=lambda one: crowds[_address_of(one)])
            free.remove(oldest)
            _abort(oldest)
        return True

    def _is_free(self, handler: RequestHandler) -> bool:
        request = self._working.get(handler)
        return request is None or not request.content.is_eof()

    def _end_unused(self, handler: RequestHandler) -> None:
        """Ends a connection that has not sent the head of a request in time."""
        self._opening.pop(handler, None)
        _abort(handler)

    def _middleware(self) -> Middleware:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        return guarded

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        timer = self._opening.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()
        self._working[request.protocol] = request
        self._idle.clear()
        try:
            self._guard.origin_of(request)
            if request.method == "POST" and request.path.startswith(API):
                self._guard.require_own_page(request)
            return await handler(request)
        except WrongHost:
            return web.Response(status=421, text=f"this console is {self._guard.address}\n")
        except web.HTTPException as error:
            return web.Response(status=error.status, text=f"{error.reason}\n")
        except Exception as error:  # noqa: BLE001 - hides internal errors, as the gate does
            return refused_answer(as_refusal(error, method=_name_of(request)))
        finally:
            del self._working[request.protocol]
            if not self._working:
                self._idle.set()

    async def _get_file(self, request: web.Request) -> web.Response:
        path = "/index.html" if request.path == "/" else request.path
        return file_answer(self._files, path, request)


def _name_of(request: web.Request) -> str:
    """Returns the route of a request for the log, which repeats nothing that a stranger sent."""
    resource = request.match_info.route.resource
    return f"console {'' if resource is None else resource.canonical}"


class _Refused(asyncio.Protocol):
    """Ends a connection as soon as it has a transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


def _address_of(handler: RequestHandler) -> str:
    peer = handler.peername
    return str(peer[0]) if isinstance(peer, tuple) else ""


def _abort(handler: RequestHandler) -> None:
    if handler.transport is not None:
        handler.transport.abort()
