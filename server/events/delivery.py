"""Delivers the events of the outbox to their endpoints. Several replicas may each run it."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import structlog

from server.domain.events import pause_after
from server.events.sending import Endpoint
from server.storage.errors import SchemaOutdated, StorageUnavailable
from server.storage.events import EventRepository, StoredEvent
from server.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_AT_ONCE: Final = 8
"""Events that are sent to one endpoint at once. A slow endpoint blocks no other one."""
_SPREAD: Final = 100
"""By how many thousandths a pause varies, so that the retries of many events do not arrive at once."""


class EventDelivery:
    """Sends what is due, in a task for each endpoint."""

    def __init__(
        self,
        *,
        repository: EventRepository,
        endpoints: Sequence[Endpoint],
        metrics: Metrics,
        now: Callable[[], datetime],
        seconds: float,
    ) -> None:
        """Sets the outbox and the endpoints; ``start`` starts the tasks.

        Args:
            seconds: Time between two looks for events that are due.
        """
        self._repository = repository
        self._endpoints = endpoints
        self._metrics = metrics.events
        self._now = now
        self._seconds = seconds
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts the tasks."""
        self._tasks = [asyncio.create_task(self._run(endpoint)) for endpoint in self._endpoints]

    async def stop(self) -> None:
        """Stops the tasks. Attempts that are cut off are made again, by whichever server runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for endpoint in self._endpoints:
            await endpoint.close()

    async def _run(self, endpoint: Endpoint) -> None:
        shut_out = False
        while True:
            try:
                while await self.deliver(endpoint):
                    pass
            except SchemaOutdated as error:
                # A newer version shut this server out, for ever: it says so once.
                if not shut_out:
                    shut_out = True
                    _log.error("events_not_delivered", endpoint=endpoint.name, why=str(error))
            except StorageUnavailable as error:
                _log.warning("events_not_delivered", endpoint=endpoint.name, why=str(error))
            except Exception:  # noqa: BLE001 - logged with its traceback; the next round tries again
                _log.exception("events_not_delivered", endpoint=endpoint.name)
            await asyncio.sleep(self._seconds)

    async def deliver(self, endpoint: Endpoint) -> int:
        """Sends some events that are due; returns their number, 0 if none is."""
        if not await self._repository.is_due(endpoint.tenant, endpoint.name, self._now()):
            return 0
        claimed = await self._repository.claim(endpoint.tenant, endpoint.name, self._now(), _AT_ONCE)
        await asyncio.gather(*(self._attempt(endpoint, event) for event in claimed))
        return len(claimed)

    async def _attempt(self, endpoint: Endpoint, event: StoredEvent) -> None:
        answer = await endpoint.send(event, self._now())
        now = self._now()
        pause = None if answer.gone else pause_after(event.attempts)
        if pause is not None:
            pause *= 1 + secrets.randbelow(_SPREAD) / 1000
        await self._repository.settle(
            event, answer=answer.words, now=now, delivered=answer.delivered, pause=pause
        )
        line = {"event_id": str(event.event_id), "endpoint": endpoint.name, "kind": event.kind.value}
        if answer.delivered:
            self._metrics.delivered(endpoint.name)
            _log.info("event_delivered", attempts=event.attempts, **line)
            return
        self._metrics.failed(endpoint.name)
        _log.warning("event_not_delivered", attempts=event.attempts, why=answer.words, **line)
        dead = 0 if pause is not None else 1
        if answer.gone:
            dead += await self._repository.abandon(endpoint.tenant, endpoint.name, answer.words, now)
        if dead:
            self._metrics.died(endpoint.name, dead)
            _log.error("events_dead", endpoint=endpoint.name, events=dead, why=answer.words)
