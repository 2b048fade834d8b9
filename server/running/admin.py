"""The admin listener: metrics, health and the public keys of results, over HTTP.

- ``/metrics``: Prometheus
- ``/healthz``: 200 while the process answers
- ``/readyz``: 200 if every part is ready, otherwise 503; the body has the state of each part, and why the
  storage is not ready
- ``/.well-known/jwks.json``: the keys that sign results (RFC 7517)
- ``/.well-known/audit-jwks.json``: the keys that sign checkpoints of the audit log

The listener serves no data of a single check.

A server whose database answers reads can still be unable to store a decision or its evidence. The probes of
``/readyz`` write, so their result is cached for a few seconds: frequent requests cause no load.
"""

import asyncio
import json
import os
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import structlog
from aiohttp import web

from server.edge.http_connection import HttpListener, abort
from server.running.capacity import ADMIN_CONNECTIONS
from server.storage.engine import database_file, is_sqlite
from server.storage.errors import StorageError, StorageUnavailable
from server.storage.objects import ObjectStore
from server.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

Readiness = Mapping[str, Callable[[], Awaitable[bool]]]
"""Functions that return whether a part is ready, by part, such as ``"models"`` and ``"database"``."""

_READY_SECONDS = 3.0
_KEEPALIVE_SECONDS = 3_600.0
_MAX_HEADER_BYTES = 8_192
_JWKS_CACHE = "public, max-age=300"


class AdminServer(HttpListener):
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
        """Prepare the listener; ``start`` opens it.

        Args:
            port: TCP port; 0 for any free one.
            jwks: Returns the public keys of results, which change when keys are rotated.
            audit_jwks: Returns those of the audit log.
            readiness: The parts that must be ready.
        """
        self._metrics = metrics
        self._jwks = jwks
        self._audit_jwks = audit_jwks
        self._readiness = readiness
        self._unready: dict[str, str] = {}
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
        super().__init__(
            "admin",
            host=host,
            port=port,
            runner=web.AppRunner(application),
            keepalive_seconds=_KEEPALIVE_SECONDS,
            max_header_bytes=_MAX_HEADER_BYTES,
        )

    async def stop(self) -> None:
        """Close the listener."""
        await self._close(asyncio.sleep(0), grace=1.0)

    def _has_place(self, server: web.Server) -> bool:
        # At the limit the oldest one ends, so that no client can block others.
        for handler in server.connections[: max(0, len(server.connections) + 1 - ADMIN_CONNECTIONS)]:
            abort(handler)
        return True

    async def _get_metrics(self, _request: web.Request) -> web.Response:
        body, media_type = self._metrics.render()
        return web.Response(body=body, headers={"Content-Type": media_type})

    async def _get_health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _get_ready(self, _request: web.Request) -> web.Response:
        answers = await asyncio.gather(*(self._ready(name, part) for name, part in self._readiness.items()))
        named = dict(zip(self._readiness, answers, strict=True))
        parts = {name: answer is True for name, answer in named.items()}
        reasons = {name: answer for name, answer in named.items() if isinstance(answer, str)}
        ready = all(parts.values())
        body = {"ready": ready, "parts": parts} | ({"reasons": reasons} if reasons else {})
        return web.json_response(body, status=200 if ready else 503)

    async def _ready(self, name: str, part: Callable[[], Awaitable[bool]]) -> bool | str:
        """Return whether a part is ready; a text if it is known why it is not."""
        try:
            ready = await asyncio.wait_for(part(), timeout=_READY_SECONDS)
        except Exception as error:  # noqa: BLE001 - a part that raises any exception is not ready
            # The texts of other exceptions may have values that nobody should see, such as passwords.
            shown = str(error) if isinstance(error, StorageError) else ""
            why = shown or type(error).__name__
            # Probes come every few seconds: a state is logged once.
            if self._unready.get(name) != why:
                _log.warning("not_ready", part=name, why=why)
            self._unready[name] = why
            return shown or False
        self._unready.pop(name, None)
        return ready

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


Probe: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""Raises an exception if the part does not work."""

_CACHE_SECONDS = 5.0
_PROBE_PREFIX = "probe"
"""Outside ``evidence/``, which the sweep of orphans lists."""
_OBJECT = b"facegate write probe"
_DISK_BYTES = 64 * 1024


@dataclass(eq=False)
class CachedProbe:
    """Runs a probe at most every few seconds, and never twice at once.

    Attributes:
        seconds: How long a result is valid.
    """

    probe: Probe
    _: KW_ONLY
    seconds: float = _CACHE_SECONDS
    monotonic: Callable[[], float] = time.monotonic
    _running: asyncio.Task[None] | None = field(default=None, init=False)
    _asked: float = field(default=0.0, init=False)

    async def __call__(self) -> bool:
        """Return ``True`` if the part works.

        Raises:
            Exception: The exception of the probe.
        """
        running = self._running
        stale = running is not None and running.done() and self.monotonic() - self._asked >= self.seconds
        if running is None or stale:
            self._asked = self.monotonic()
            running = self._running = asyncio.create_task(self.probe())
            running.add_done_callback(_retrieve_error)
        # If this caller is cancelled, the probe continues for the next caller.
        await asyncio.shield(running)
        return True


def storage_readiness(objects: ObjectStore, *, database_url: str) -> Readiness:
    """Return the parts ``objects`` and, if the database is a SQLite file, ``disk``.

    Args:
        database_url: The URL of the database; the probe writes to the folder of its file.
    """
    # The name is unique to this process, because replicas must not delete each other's object.
    parts = {"objects": CachedProbe(object_store_probe(objects, name=uuid.uuid4().hex))}
    file = database_file(database_url) if is_sqlite(database_url) else None
    if file is not None:
        parts["disk"] = CachedProbe(disk_probe(file.parent))
    return parts


def object_store_probe(objects: ObjectStore, *, name: str) -> Probe:
    """Return a probe that stores, reads and deletes a small object."""
    key = f"{_PROBE_PREFIX}/{name}"

    async def probe() -> None:
        await objects.put(key, _OBJECT)
        if await objects.get(key) != _OBJECT:
            raise OSError("the object store returned other bytes than were stored")
        await objects.delete(key)

    return probe


def disk_probe(folder: Path) -> Probe:
    """Return a probe that writes a small file to ``folder``, syncs it to the disk, and deletes it."""

    def write() -> None:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_DISK_BYTES))
            file.flush()
            os.fsync(file.fileno())

    async def probe() -> None:
        try:
            await asyncio.to_thread(write)
        except OSError as error:
            why = f"the folder of the database cannot be written: {error.strerror}"
            raise StorageUnavailable(why) from error

    return probe


def _retrieve_error(probe: "asyncio.Task[None]") -> None:
    # Otherwise asyncio would log an exception that no caller awaits any more.
    if not probe.cancelled():
        probe.exception()
