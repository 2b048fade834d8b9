"""The admin listener: metrics, health and the public keys of results, over HTTP.

- ``/metrics``: Prometheus
- ``/healthz``: 200 while the process answers
- ``/readyz``: 200 if every part is ready, otherwise 503; the body has the state of each part, and why the
  storage is not ready
- ``/.well-known/jwks.json``: the keys that sign results (RFC 7517)
- ``/.well-known/audit-jwks.json``: the keys that sign checkpoints of the audit log

The listener serves no data of a single check.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiohttp import web

from server.base.errors import ListenerUnusable
from server.running.connections import ADMIN_CONNECTIONS
from server.storage.errors import SchemaOutdated, StorageError
from server.telemetry.metrics import Metrics

__all__ = ["AdminServer", "Readiness"]

_log = structlog.get_logger(__name__)

Readiness = Mapping[str, Callable[[], Awaitable[bool]]]
"""Functions that return whether a part is ready, by part, such as ``"models"`` and ``"database"``."""

_READY_SECONDS = 3.0
_JWKS_CACHE = "public, max-age=300"


class AdminServer:
    """Serves the machines of operators.

    Attributes:
        port: TCP port. For port 0, the chosen port after ``start``.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        metrics: Metrics,
        jwks: Callable[[], Mapping[str, Any]],
        audit_jwks: Callable[[], Mapping[str, Any]],
        readiness: Readiness,
    ) -> None:
        """Prepares the listener; ``start`` opens it.

        Args:
            host: Address to listen on.
            port: TCP port; 0 for any free one.
            metrics: The server's metrics.
            jwks: Returns the public keys of results, which change when keys are rotated.
            audit_jwks: Returns those of the audit log.
            readiness: The parts that must be ready.
        """
        self._host = host
        self.port = port
        self._metrics = metrics
        self._jwks = jwks
        self._audit_jwks = audit_jwks
        self._readiness = readiness
        application = web.Application()
        application.add_routes(
            [
                web.get("/metrics", self._get_metrics),
                web.get("/healthz", self._get_health),
                web.get("/readyz", self._get_ready),
                web.get("/.well-known/jwks.json", self._get_jwks),
                web.get("/.well-known/audit-jwks.json", self._get_audit_jwks),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)
        self._listening: asyncio.Server | None = None

    async def start(self) -> None:
        """Opens the listener.

        Raises:
            ListenerUnusable: The address is in use, or is not an address of this machine.
        """
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(self._connected, self._host, self.port)
        except OSError as error:
            await self._runner.cleanup()
            raise ListenerUnusable(
                f"the admin listener cannot use {self._host}:{self.port}: {error.strerror or error}; "
                "stop the process that listens there, or set another port"
            ) from error
        self.port = self._listening.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Closes the listener."""
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()

    def _connected(self) -> asyncio.BaseProtocol:
        """Serves a connection. At the limit, closes the oldest one, so that no client can block others."""
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner was not set up")
        connections = server.connections
        for handler in connections[: max(0, len(connections) + 1 - ADMIN_CONNECTIONS)]:
            if handler.transport is not None:
                handler.transport.abort()
        return server()

    async def _get_metrics(self, _request: web.Request) -> web.Response:
        body, media_type = self._metrics.render()
        return web.Response(body=body, headers={"Content-Type": media_type})

    async def _get_health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _get_ready(self, _request: web.Request) -> web.Response:
        answers = await asyncio.gather(*(_ready(name, part) for name, part in self._readiness.items()))
        named = dict(zip(self._readiness, answers, strict=True))
        parts = {name: answer is True for name, answer in named.items()}
        reasons = {name: answer for name, answer in named.items() if isinstance(answer, str)}
        ready = all(parts.values())
        body = {"ready": ready, "parts": parts} | ({"reasons": reasons} if reasons else {})
        return web.json_response(body, status=200 if ready else 503)

    async def _get_jwks(self, _request: web.Request) -> web.Response:
        return _key_set(self._jwks())

    async def _get_audit_jwks(self, _request: web.Request) -> web.Response:
        return _key_set(self._audit_jwks())


def _key_set(keys: Mapping[str, Any]) -> web.Response:
    return web.Response(
        body=json.dumps(keys).encode(),
        headers={
            "Content-Type": "application/jwk-set+json",
            "Cache-Control": _JWKS_CACHE,
            # The keys are public: any page may verify a result.
            "Access-Control-Allow-Origin": "*",
        },
    )


async def _ready(name: str, part: Callable[[], Awaitable[bool]]) -> bool | str:
    """Returns whether a part is ready; a text if it is known why it is not."""
    try:
        return await asyncio.wait_for(part(), timeout=_READY_SECONDS)
    except SchemaOutdated as error:
        # An expected state, which no traceback explains better.
        _log.warning("not_ready", part=name, why=str(error))
        return str(error)
    except Exception as error:  # noqa: BLE001 - a part that raises any exception is not ready
        _log.warning("not_ready", part=name, exc_info=True)
        # The texts of other exceptions may have values that nobody should see, such as passwords.
        return str(error) if isinstance(error, StorageError) else False
