"""A receiver of webhooks on loopback, which verifies every event with the library of Standard Webhooks."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from standardwebhooks import Webhook

from tests.server.private_files import private

_SECRET: Final = bytes(range(32))


@dataclass(frozen=True, slots=True)
class Received:
    """An event whose signature holds."""

    webhook_id: str
    headers: dict[str, str]
    body: bytes

    @property
    def type(self) -> str:
        return str(self.content["type"])

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.content["data"]
        return data

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


@dataclass(slots=True)
class Receiver:
    """What arrived. ``answer`` may be replaced; it makes the response to a request."""

    port: int = 0
    secret: str = "whsec_" + base64.b64encode(_SECRET).decode()
    scheme: str = "http"
    requests: int = 0
    verifies: bool = True
    events: list[Received] = field(default_factory=list)
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/hook?for=tests"

    @property
    def types(self) -> list[str]:
        """The types of the events that were taken, each once, in their order."""
        return [event.type for event in {one.webhook_id: one for one in self.events}.values()]

    async def until(self, count: int) -> None:
        """Wait until so many different events were taken."""
        for _ in range(3000):
            if len({event.webhook_id for event in self.events}) >= count:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"only {self.types}")

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if self.verifies:
            # A forged event raises, and is answered with 500.
            Webhook(self.secret).verify(body, headers)
        response = web.Response(status=204) if self.answer is None else await self.answer(request)
        if 200 <= response.status < 300:
            self.events.append(Received(headers["webhook-id"], headers, body))
        return response


@asynccontextmanager
async def receiving(
    *, tls: ssl.SSLContext | None = None, port: int = 0, host: str = "127.0.0.1"
) -> AsyncIterator[Receiver]:
    """Listen until the block ends."""
    receiver = Receiver(scheme="http" if tls is None else "https")
    application = web.Application()
    application.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=tls)
        await site.start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()


def secret_file(folder: Path, secret: str, name: str = "hook.whsec") -> Path:
    """Write a secret as its owner keeps it."""
    return private(folder / name, secret + "\n")


def settings_of(receiver: Receiver, folder: Path, **changes: object) -> dict[str, object]:
    """The settings of an endpoint that is the receiver."""
    return {
        "tenant": "default",
        "url": receiver.url,
        "secret_files": [str(secret_file(folder, receiver.secret))],
        "allow_private": True,
        "sandbox": "also",
    } | changes
