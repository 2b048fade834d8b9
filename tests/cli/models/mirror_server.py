"""A real HTTP server with answers that a test sets: it cuts off, stalls, redirects and lies."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web

__all__ = ["Answer", "Mirror", "bad_status", "cut_after", "mirror_server", "redirect", "stalled", "whole"]

Answer: TypeAlias = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Mirror:
    """Serves ``files``; ``script`` contains answers that come before the honest one.

    Attributes:
        files: Content by path below the mirror's address.
        script: For each path, the answers to the first, the second request and so on.
        ranges: For each path, the Range header of every request, None where there was none.
        conditions: For each path, the If-Range header of every request.
        etag: The ETag of every file, if honest answers have one.
        base: The mirror's address.
    """

    files: dict[str, bytes]
    script: dict[str, list[Answer]] = field(default_factory=dict)
    ranges: dict[str, list[str | None]] = field(default_factory=dict)
    conditions: dict[str, list[str | None]] = field(default_factory=dict)
    etag: str | None = '"v1"'
    base: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers a request by the script, then honestly."""
        path = request.path.removeprefix("/")
        self.ranges.setdefault(path, []).append(request.headers.get("Range"))
        self.conditions.setdefault(path, []).append(request.headers.get("If-Range"))
        data = self.files.get(path, b"")
        planned = self.script.get(path, [])
        if planned:
            return await planned.pop(0)(request, data)
        if path not in self.files:
            raise web.HTTPNotFound
        return self.honest(request, data)

    def honest(self, request: web.Request, data: bytes) -> web.Response:
        """The file, or the rest of it if requested and the condition holds."""
        headers = {} if self.etag is None else {"ETag": self.etag}
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        condition = request.headers.get("If-Range")
        if wanted is None or (condition is not None and condition != self.etag):
            return web.Response(body=data, headers=headers)
        start = int(wanted[1])
        if start >= len(data):
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return web.Response(status=206, body=data[start:], headers=headers)

    def requests(self, path: str) -> int:
        """The number of requests for a path."""
        return len(self.ranges.get(path, []))


@asynccontextmanager
async def mirror_server(
    files: Mapping[str, bytes], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Mirror]:
    """Runs a mirror on loopback."""
    mirror = Mirror(files=dict(files))
    application = web.Application()
    application.router.add_get("/{path:.*}", mirror.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        mirror.base = f"http://127.0.0.1:{port}" if tls is None else f"https://localhost:{port}"
        yield mirror
    finally:
        await runner.cleanup()


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


def cut_after(size: int, *, etag: str | None = '"v1"') -> Answer:
    """Declares the full length, sends ``size`` bytes of the requested part and drops the connection."""

    async def answer(request: web.Request, data: bytes) -> web.StreamResponse:
        response, rest = await _begin(request, data, etag)
        await response.write(rest[:size])
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


def stalled(size: int, *, seconds: float = 60.0, etag: str | None = '"v1"') -> Answer:
    """Declares the full length, sends ``size`` bytes of the requested part, then nothing."""

    async def answer(request: web.Request, data: bytes) -> web.StreamResponse:
        response, rest = await _begin(request, data, etag)
        await response.write(rest[:size])
        await asyncio.sleep(seconds)
        return response

    return answer


async def _begin(request: web.Request, data: bytes, etag: str | None) -> tuple[web.StreamResponse, bytes]:
    """The head of an honest answer, and the bytes that it declares."""
    headers = {} if etag is None else {"ETag": etag}
    wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
    start = 0 if wanted is None else int(wanted[1])
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    response = web.StreamResponse(status=206 if start else 200, headers=headers)
    response.content_length = len(data) - start
    await response.prepare(request)
    return response, data[start:]
