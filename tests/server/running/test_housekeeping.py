"""Housekeeping continues if one of its steps fails."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from server.checks.expiry import ErasedChecks
from server.running.housekeeping import Housekeeper
from server.storage.errors import StorageUnavailable
from server.telemetry.metrics import Metrics

_FIRST = ["sweep", "erase", "devices", "orphans", "sweep"]
NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


class _Work:
    """Represents all parts of a housekeeper."""

    def __init__(self, fails: dict[str, Exception], *, empty: bool = False) -> None:
        self.fails = fails
        self.empty = empty
        self.done: list[str] = []
        self.older_than: datetime | None = None

    def step(self, name: str) -> int:
        self.done.append(name)
        if name in self.fails:
            raise self.fails[name]
        return 1

    async def sweep(self, _now: datetime, *, limit: int) -> int:
        return self.step("sweep") * min(limit, 1)

    async def erase(self, _now: datetime, *, limit: int) -> ErasedChecks:
        return ErasedChecks(found=1, erased=self.step("erase") * min(limit, 1))

    async def erase_images(self, _now: datetime, *, limit: int) -> ErasedChecks:
        return ErasedChecks(found=limit, erased=0)

    async def forget_erased(self) -> bool:
        return self.done.count("erase") > 1

    async def sweep_orphans(self, *, older_than: datetime, referenced: object) -> int:
        assert referenced == self.referenced
        self.older_than = older_than
        return self.step("orphans")

    async def expire(self, now: datetime, *, unused_since: datetime) -> int:
        assert unused_since == now - timedelta(days=400)
        return self.step("devices")

    async def forget_oldest_scans(self, *, most: int, limit: int) -> int:
        assert (most, limit) == (1_000, 1_000)
        return 0

    async def expire_tries(self, before: datetime) -> int:
        assert before == NOW - timedelta(days=30)
        return 0

    async def expire_approvals(self, now: datetime) -> int:
        assert now == NOW
        return 0

    async def any_check(self) -> bool:
        return not self.empty

    async def referenced(self, _keys: object) -> frozenset[str]:
        return frozenset()


async def _rounds(work: Any, count: int) -> None:
    metrics = Metrics(CollectorRegistry())
    housekeeper = Housekeeper(
        completion=work,
        expiry=work,
        evidence=work,
        repository=work,
        retention=work,
        metrics=metrics,
        now=lambda: NOW,
        sweep_seconds=0.001,
        devices=work,
        enrolment=timedelta(days=400),
        tries=timedelta(days=30),
        most_scans=1_000,
    )
    housekeeper.start()
    for _ in range(2000):
        if work.done.count("sweep") >= count:
            break
        await asyncio.sleep(0.005)
    await housekeeper.stop()


async def test_housekeeping_starts_with_every_task_and_then_runs_deadlines_most() -> None:
    work = _Work({})
    with capture_logs() as logs:
        await _rounds(work, 13)
    # The second erasure removes the remains of the first in the database's log.
    assert [entry["event"] for entry in logs] == ["erased_still_in_log"]
    assert work.done[:5] == _FIRST
    assert work.done.count("erase") == 1 + (work.done.count("sweep") - 1) // 12
    assert work.done.count("orphans") == 1
    assert work.older_than == NOW - timedelta(hours=1)


@pytest.mark.parametrize("error", [StorageUnavailable("away"), ValueError("one bad record")])
async def test_a_step_that_fails_keeps_no_other_from_its_turn(error: Exception) -> None:
    steps = ("sweep", "erase", "orphans", "devices")
    work = _Work(dict.fromkeys(steps, error))
    with capture_logs() as logs:
        await _rounds(work, 3)
    assert work.done[:5] == _FIRST
    assert {entry["step"] for entry in logs if entry["event"] == "housekeeping_failed"} == {
        "deadlines",
        "retention",
        "devices",
        "orphans",
    }


async def test_an_empty_database_makes_no_orphans_of_anothers_objects() -> None:
    work = _Work({}, empty=True)
    with capture_logs() as logs:
        await _rounds(work, 3)
    assert "orphans" not in work.done
    assert "orphans_not_swept" in [entry["event"] for entry in logs]
