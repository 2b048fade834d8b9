"""``grpc.health.v1.Health`` of a listener, for probes without credentials, with limits on their resources.

The servicer of the grpc package holds a lock while it writes to a watcher. A watcher that reads nothing thus
blocks the other watchers and the shutdown of the server.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import grpc
from grpc.aio import ServicerContext
from grpc_health.v1 import health_pb2

from server.errors import Reason, Refusal

__all__ = ["Health"]

_MOST_WATCHES = 64
_WRITE_SECONDS = 5.0
_RETRY_SECONDS = 5.0
_Status = health_pb2.HealthCheckResponse


class Health:
    """Reports whether the services of a listener serve. Use it on the event loop only."""

    def __init__(self, services: Iterable[str], *, most_watches: int = _MOST_WATCHES) -> None:
        """Reports ``services`` as not serving; the name ``""`` is the whole listener."""
        self._services = frozenset(services) | {""}
        self._serving = False
        self._changed = asyncio.Event()
        self._most_watches = most_watches
        # In order of age. A future that is done marks a watch that must end for a newer one.
        self._watches: dict[asyncio.Future[None], None] = {}

    def set(self, *, serving: bool) -> None:
        """Sets whether the listener serves, and wakes the watches."""
        self._serving = serving
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(  # noqa: N802 - the name is the contract's
        self, request: health_pb2.HealthCheckRequest, context: ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        """Returns the current state; NOT_FOUND for an unknown service."""
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return self._state(request.service)

    async def Watch(  # noqa: N802 - the name is the contract's
        self, request: health_pb2.HealthCheckRequest, context: ServicerContext[Any, Any]
    ) -> None:
        """Sends the current state and each change. If too many clients watch, the oldest watch ends."""
        if len(self._watches) >= self._most_watches:
            oldest = next(iter(self._watches))
            del self._watches[oldest]
            oldest.set_result(None)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watches[place] = None
        try:
            await self._watch(request.service, context, place)
        finally:
            self._watches.pop(place, None)

    async def _watch(
        self, service: str, context: ServicerContext[Any, Any], place: "asyncio.Future[None]"
    ) -> None:
        sent: health_pb2.HealthCheckResponse | None = None
        while not place.done():
            changed, state = self._changed, self._state(service)
            if state != sent:
                await _write(context, state)
                sent = state
            change: asyncio.Future[Any] = asyncio.ensure_future(changed.wait())
            try:
                await asyncio.wait({change, place}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                change.cancel()
        raise Refusal(
            Reason.OVERLOADED,
            f"more than {self._most_watches} clients watch this listener's health; use Check, or watch again",
            details={"limit": self._most_watches},
            retry_after=_RETRY_SECONDS,
        )

    def _state(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._services:
            return _Status(status=_Status.SERVICE_UNKNOWN)
        return _Status(status=_Status.SERVING if self._serving else _Status.NOT_SERVING)


async def _write(context: ServicerContext[Any, Any], state: health_pb2.HealthCheckResponse) -> None:
    try:
        async with asyncio.timeout(_WRITE_SECONDS):
            await context.write(state)
    except TimeoutError as error:
        raise Refusal(
            Reason.STREAM_IDLE,
            f"the client read nothing for {_WRITE_SECONDS:g} seconds",
            details={"idleSeconds": _WRITE_SECONDS},
        ) from error
