"""The listener for the console: HTTP, the built page, and the interface behind the guard."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

from server.edge.console.answers import MOST_BYTES, refused_answer
from server.edge.console.guard import API, Guard, WrongHost
from server.edge.forwarded import TrustedProxies
from server.edge.http_connection import HttpListener, abort, connection_of
from server.edge.page_files import file_answer, page_files
from server.edge.proxy_protocol import ProxyProtocol
from server.edge.status import as_refusal

_FIRST_SECONDS: Final = 10.0
"""From the connection to its first request."""
_KEEPALIVE_SECONDS: Final = 60.0
_MAX_HEADER_BYTES: Final = 8_192
_log = structlog.get_logger(__name__)


class ConsoleListener(HttpListener):
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
        proxies: TrustedProxies,
        proxy_protocol: ProxyProtocol | None,
        started: Callable[[], None],
    ) -> None:
        """Prepare the listener; nothing is bound before ``start``.

        Args:
            port: TCP port; 0 for any free one.
            tls: TLS; ``None`` for plaintext, which settings allow on loopback only.
            routes: The interface and the log-in.
            proxies: The proxies that say who called.
            proxy_protocol: Reads the header before TLS; ``None`` if connections have none.
            max_connections: Maximum number of connections; a further one ends one without a whole request.
            started: Is called when the port is known.
        """
        self._guard = guard
        self._max_connections = max_connections
        self._started = started
        self._files = page_files("console_page")
        self._working: dict[RequestHandler, web.Request] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        application = web.Application(client_max_size=MOST_BYTES, middlewares=[self._middleware()])
        application.on_response_prepare.append(guard.restrict)
        application.add_routes([*routes, web.get("/{path:.*}", self._get_file)])
        super().__init__(
            "console",
            host=host,
            port=port,
            runner=web.AppRunner(application, shutdown_timeout=0),
            first_seconds=_FIRST_SECONDS,
            keepalive_seconds=_KEEPALIVE_SECONDS,
            max_header_bytes=_MAX_HEADER_BYTES,
            tls=tls,
            proxies=proxies,
            proxy_protocol=proxy_protocol,
        )

    @property
    def address(self) -> str:
        """The address of the page in browsers."""
        return self._guard.address

    async def start(self) -> None:
        """Bind the port.

        Raises:
            ListenerUnusable: The address is in use, or is not an address of this machine.
        """
        await super().start()
        self._guard.listens(self._host, self.port)

    def serve(self) -> None:
        """Show the one-time link, if there is one."""
        self._started()

    async def stop(self, grace: float) -> None:
        """Stop the listener. Requests that still run after ``grace`` seconds are ended."""
        await self._close(self._idle.wait(), grace=grace)

    def _has_place(self, server: web.Server) -> bool:
        """Return whether there is a place for one more connection; make one if need be.

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
            abort(oldest)
        return True

    def _is_free(self, handler: RequestHandler) -> bool:
        request = self._working.get(handler)
        return request is None or not request.content.is_eof()

    def _middleware(self) -> Middleware:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        return guarded

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        connection_of(request).limit_time(None)
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
    """Return the route of a request for the log, which repeats nothing that a stranger sent."""
    resource = request.match_info.route.resource
    return f"console {'' if resource is None else resource.canonical}"


def _address_of(handler: RequestHandler) -> str:
    peer = handler.peername
    return str(peer[0]) if isinstance(peer, tuple) else ""
