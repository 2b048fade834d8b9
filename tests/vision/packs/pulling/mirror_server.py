"""A real HTTPS server with answers that a test sets: it cuts off, stalls, redirects and lies."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web

Answer: TypeAlias = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Mirror:
    """Serves ``files``; ``script`` contains answers that come before the honest one.

    Attributes:
        files: Content by path below the mirror's address.
        script: For each path, the answers to the first, the second request and so on.
        asked: The path of each request.
        base: The mirror's address.
        transports: The connection of each request.
    """

    files: dict[str, bytes]
    script: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    base: str = ""
    transports: list[asyncio.Transport] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request by the script, then honestly."""
        path = request.path.removeprefix("/")
        self.asked.append(path)
        if request.transport is not None:
            self.transports.append(request.transport)
        data = self.files.get(path, b"")
        planned = self.script.get(path, [])
        if planned:
            return await planned.pop(0)(request, data)
        if path not in self.files:
            raise web.HTTPNotFound
        return web.Response(body=data)


@asynccontextmanager
async def mirror_server(
    files: Mapping[str, bytes], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Mirror]:
    """Run a mirror on loopback."""
    mirror = Mirror(files=dict(files))
    application = web.Application()
    application.router.add_get("/{path:.*}", mirror.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    try:
        await site.start()
        port = runner.addresses[0][1]
        mirror.base = f"http://127.0.0.1:{port}" if tls is None else f"https://localhost:{port}"
        yield mirror
    finally:
        await runner.cleanup()
        # A client that left a body unread keeps its connection open.
        for transport in mirror.transports:
            transport.abort()
        # Python 3.11 does not wait for the connections of a closed server; the loop would end before they do.
        for _ in range(6000):
            if site._server is None or not site._server._active_count:  # type: ignore[attr-defined]
                break
            await asyncio.sleep(0.01)


def whole(data: bytes, *, headers: Mapping[str, str] | None = None) -> Answer:
    """Answers 200 with ``data``, whatever the request."""

    async def answer(_request: web.Request, _data: bytes) -> web.StreamResponse:
        return web.Response(body=data, headers=headers)

    return answer


def bad_status(status: int, *, headers: Mapping[str, str] | None = None) -> Answer:
    """Answers a status without a file."""

    async def answer(_request: web.Request, _data: bytes) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    return answer


def redirect(to: str) -> Answer:
    """Answers 302."""
    return bad_status(302, headers={"Location": to})


def cut_after(size: int) -> Answer:
    """Declares the full length, sends ``size`` bytes and drops the connection."""

    async def answer(request: web.Request, data: bytes) -> web.StreamResponse:
        response = await _begin(request, data)
        await response.write(data[:size])
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


def stalled(size: int, *, seconds: float = 60.0) -> Answer:
    """Declares the full length, sends ``size`` bytes, then nothing, and drops the connection."""

    async def answer(request: web.Request, data: bytes) -> web.StreamResponse:
        response = await _begin(request, data)
        await response.write(data[:size])
        await asyncio.sleep(seconds)
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


async def _begin(request: web.Request, data: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = len(data)
    await response.prepare(request)
    return response
