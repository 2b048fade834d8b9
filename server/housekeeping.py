"""What a server does by itself: deadlines, retention, and what a crash left behind."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from server.checks.completion import CheckCompletion
from server.evidence.store import EvidenceStore
from server.storage.devices import DeviceRepository
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.telemetry.metrics import Metrics

_BATCH = 100
_ORPHAN_AGE = timedelta(hours=1)
_ERASE_EVERY = 12
_ORPHANS_EVERY = 720
_log = structlog.get_logger(__name__)


class Housekeeper:
    """Runs in a task of its own; several replicas may run one each."""

    def __init__(
        self,
        *,
        completion: CheckCompletion,
        evidence: EvidenceStore,
        repository: CheckRepository,
        retention: RetentionRepository,
        metrics: Metrics,
        now: Callable[[], datetime],
        sweep_seconds: float,
        devices: DeviceRepository,
        enrolment: timedelta,
        tries: timedelta,
    ) -> None:
        """Takes what it keeps; ``start`` begins.

        Args:
            completion: Closes checks.
            evidence: Erases pictures.
            repository: Says which pictures are still referred to.
            retention: Says whether nothing is left of what was erased.
            metrics: Counts.
            now: Wall clock, UTC.
            sweep_seconds: Between two looks at deadlines; retention is looked at every 12th time,
                orphans every 720th.
            devices: Forgets enrolled keys and one-time tokens.
            enrolment: How long a key that nobody uses stays enrolled.
            tries: How long failed checks are remembered for the limits on further ones.
        """
        self._completion = completion
        self._evidence = evidence
        self._repository = repository
        self._retention = retention
        self._metrics = metrics
        self._now = now
        self._sweep_seconds = sweep_seconds
        self._devices = devices
        self._enrolment = enrolment
        self._tries = tries
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins, with a look at everything that a stopped server may have left."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends, between two steps."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        round_number = 0
        while True:
            await self._round(round_number)
            round_number += 1
            await asyncio.sleep(self._sweep_seconds)

    async def _round(self, number: int) -> None:
        await self._step("deadlines", self._sweep)
        if number % _ERASE_EVERY == 0:
            await self._step("retention", self._erase)
            await self._step("devices", self._expire_devices)
        if number % _ORPHANS_EVERY == 0:
            await self._step("orphans", self._sweep_orphans)

    async def _step(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:  # noqa: BLE001 - logged with its traceback, and the next round tries again
            # Storage that is away may come back, and one record that cannot be dealt with must not keep
            # the others waiting for ever; deadlines are also looked at by FinishCheck itself.
            _log.exception("housekeeping_failed", step=name)

    async def _sweep(self) -> None:
        await self._completion.sweep(self._now(), limit=_BATCH)

    async def _erase(self) -> None:
        self._metrics.checks.checks_erased(await self._completion.erase_expired(self._now(), limit=_BATCH))
        if not await self._retention.forget_erased():
            _log.warning("erased_still_in_log", why="a reader, such as a backup, holds the database's log")

    async def _expire_devices(self) -> None:
        now = self._now()
        await self._devices.expire(now, unused_since=now - self._enrolment)
        await self._repository.expire_tries(now - self._tries)

    async def _sweep_orphans(self) -> None:
        if not await self._repository.any_check():
            # To an empty database beside another one's store all objects would seem orphans.
            _log.info("orphans_not_swept", why="the database has no check yet")
            return
        await self._evidence.sweep_orphans(
            older_than=self._now() - _ORPHAN_AGE, referenced=self._repository.referenced
        )
