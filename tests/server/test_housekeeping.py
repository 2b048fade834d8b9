"""Housekeeping goes on, whatever one of its steps runs into."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from server.housekeeping import Housekeeper
from server.storage.errors import StorageUnavailable
from server.telemetry.metrics import Metrics

_FIRST = ["sweep", "erase", "devices", "revocation", "server_keys", "orphans", "sweep"]
NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


class _ServerKeys:
    def __init__(self, work: "_Work") -> None:
        self._work = work

    def refresh(self) -> None:
        self._work.step("server_keys")


class _Callers:
    seconds_to_next_expiry = 60.0

    def __init__(self, work: "_Work") -> None:
        self._work = work

    def refresh(self) -> bool:
        return bool(self._work.step("api_keys"))


class _Work:
    """Stands for all that a housekeeper keeps at once."""

    def __init__(self, fails: dict[str, Exception]) -> None:
        self.fails = fails
        self.done: list[str] = []
        self.hangs = False
        self.older_than: datetime | None = None
        self.server_keys = _ServerKeys(self)
        self.callers = _Callers(self)

    def step(self, name: str) -> int:
        self.done.append(name)
        if name in self.fails:
            raise self.fails[name]
        return 1

    async def sweep(self, _now: datetime, *, limit: int) -> int:
        if self.hangs:
            await asyncio.Event().wait()
        return self.step("sweep") * min(limit, 1)

    async def erase_expired(self, _now: datetime, *, limit: int) -> int:
        return self.step("erase") * min(limit, 1)

    async def forget_erased(self) -> bool:
        return self.done.count("erase") > 1

    async def sweep_orphans(self, *, older_than: datetime, referenced: object) -> int:
        assert referenced == self.referenced
        self.older_than = older_than
        return self.step("orphans")

    async def expire(self, now: datetime, *, unused_since: datetime) -> int:
        assert unused_since == now - timedelta(days=400)
        return self.step("devices")

    async def expire_tries(self, before: datetime) -> int:
        assert before == NOW - timedelta(days=30)
        return 0

    max_age = timedelta(days=2)

    def refresh(self, now: datetime) -> None:
        assert now == NOW
        self.step("revocation")

    def age(self, now: datetime) -> timedelta:
        return timedelta(0)

    async def referenced(self, _keys: object) -> frozenset[str]:
        return frozenset()


async def _rounds(work: Any, count: int, *, of: str = "sweep") -> None:
    metrics = Metrics(CollectorRegistry())
    housekeeper = Housekeeper(
        completion=work,
        evidence=work,
        repository=work,
        retention=work,
        metrics=metrics,
        now=lambda: NOW,
        sweep_seconds=0.001,
        devices=work,
        revocation=work,
        server_keys=work.server_keys,
        callers=work.callers,
        enrolment=timedelta(days=400),
        tries=timedelta(days=30),
    )
    housekeeper.start()
    for _ in range(2000):
        if work.done.count(of) >= count:
            break
        await asyncio.sleep(0.005)
    await housekeeper.stop()


async def test_it_begins_with_everything_and_then_looks_at_deadlines_most() -> None:
    work = _Work({})
    with capture_logs() as logs:
        await _rounds(work, 13)
    # What the first erasure left in the database's log is gone with the second.
    assert [entry["event"] for entry in logs] == ["erased_still_in_log"]
    assert [step for step in work.done if step != "api_keys"][:7] == _FIRST
    assert work.done.count("erase") == 1 + (work.done.count("sweep") - 1) // 12
    assert work.done.count("orphans") == 1
    assert work.older_than == NOW - timedelta(hours=1)


@pytest.mark.parametrize("error", [StorageUnavailable("away"), ValueError("one bad record")])
async def test_a_step_that_fails_keeps_no_other_from_its_turn(error: Exception) -> None:
    steps = ("api_keys", "sweep", "erase", "orphans", "devices", "revocation", "server_keys")
    work = _Work(dict.fromkeys(steps, error))
    with capture_logs() as logs:
        await _rounds(work, 3)
    assert [step for step in work.done if step != "api_keys"][:7] == _FIRST
    assert {entry["step"] for entry in logs if entry["event"] == "housekeeping_failed"} == {
        "api_keys",
        "deadlines",
        "retention",
        "devices",
        "revocation",
        "server_keys",
        "orphans",
    }


async def test_storage_that_hangs_keeps_no_removed_key_alive() -> None:
    work = _Work({})
    work.hangs = True
    await _rounds(work, 3, of="api_keys")
    assert work.done.count("api_keys") >= 3
