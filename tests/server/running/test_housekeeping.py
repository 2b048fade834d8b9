"""What a server does beside calls: files read again, housekeeping, events and time stamps."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from server.audit import SERVER_TENANT, Actor, AuditAction, AuditEvent
from server.base.errors import ConfigurationError
from server.checks.expiry import ErasedChecks
from server.configuration.settings import Settings
from server.policies import load_policies
from server.running.audit_keeping import (
    AuditKeeper,
    DescribedPart,
    callers_event,
    keys_event,
    policies_event,
    settings_event,
)
from server.running.housekeeping import FileWatch, Housekeeper
from server.running.timestamps import TimestampAuthority, TimestampFailed, TimestampRoots
from server.storage.audit import COMPARED
from server.storage.errors import StorageUnavailable
from server.storage.reviews import ReviewBacklog
from server.telemetry.metrics import Metrics
from tests.server.certificates import LocalAuthority, local_authority
from tests.server.live import until

# Housekeeping continues if one of its steps fails.

_FIRST = ["sweep", "reviews", "erase", "devices", "sessions", "orphans"]
NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


class _Work:
    """Represents all parts of a housekeeper."""

    def __init__(
        self, fails: dict[str, Exception], *, empty: bool = False, restored: datetime | None = None
    ) -> None:
        self.fails = fails
        self.empty = empty
        self.restored = restored
        self.now = NOW
        self.waits = timedelta()
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

    async def suspended_until(self, now: datetime) -> datetime | None:
        until = None if self.restored is None else self.restored + timedelta(days=1)
        return until if until is not None and until >= now else None

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
        self.now += self.waits
        return 0

    async def expire_tries(self, before: datetime) -> int:
        assert before == self.now - timedelta(days=30)
        self.now += self.waits
        return 0

    async def expire_sessions(self, now: datetime) -> int:
        assert now == self.now
        return self.step("sessions")

    async def expire_approvals(self, now: datetime) -> int:
        assert now == self.now
        self.now += self.waits
        return 0

    async def backlog(self, now: datetime) -> ReviewBacklog:
        assert now == self.now
        return ReviewBacklog(3, NOW - timedelta(hours=2), 1)

    async def close_overdue(self, now: datetime, limit: int, *, actor: Actor) -> int:
        assert (now, actor.name) == (self.now, "housekeeping")
        return self.step("reviews")

    async def forget(self, now: datetime, *, endpoints: list[str], limit: int) -> int:
        assert (now, endpoints) == (self.now, [])
        return 0

    async def any_check(self) -> bool:
        return not self.empty

    async def referenced(self, _keys: object) -> frozenset[str]:
        return frozenset()


async def _rounds(work: Any, count: int) -> None:
    metrics = Metrics(CollectorRegistry())
    names = ("checks", "devices", "events", "evidence", "retention", "reviews", "sessions")
    stores: Any = SimpleNamespace(**dict.fromkeys(names, work))
    housekeeper = Housekeeper(
        completion=work,
        expiry=work,
        stores=stores,
        webhooks=(),
        metrics=metrics,
        now=lambda: work.now,
        sweep_seconds=0.001,
        enrolment=timedelta(days=400),
        tries=timedelta(days=30),
        most_scans=1_000,
    )
    housekeeper.start()
    await until(lambda: bool(work.done.count("sweep") >= count))
    await housekeeper.stop()


async def test_housekeeping_starts_with_every_task_and_then_runs_deadlines_most() -> None:
    work = _Work({})
    with capture_logs() as logs:
        await _rounds(work, 13)
    # The second erasure removes the remains of the first in the database's log.
    assert [entry["event"] for entry in logs] == ["erased_still_in_log"]
    assert work.done[:6] == _FIRST
    assert work.done.count("erase") == 1 + (work.done.count("sweep") - 1) // 12
    assert work.done.count("orphans") == 1
    assert work.older_than == NOW - timedelta(hours=1)


@pytest.mark.parametrize("error", [StorageUnavailable("away"), ValueError("one bad record")])
async def test_a_step_that_fails_keeps_no_other_from_its_turn(error: Exception) -> None:
    steps = ("sweep", "reviews", "erase", "orphans", "devices")
    work = _Work(dict.fromkeys(steps, error))
    with capture_logs() as logs:
        await _rounds(work, 3)
    assert work.done[:5] == [step for step in _FIRST if step != "sessions"]
    assert {entry["step"] for entry in logs if entry["event"] == "housekeeping_failed"} == {
        "deadlines",
        "reviews",
        "retention",
        "devices",
        "orphans",
    }


async def test_after_a_wait_for_the_database_things_expire_by_the_time_of_their_turn() -> None:
    work = _Work({})
    work.waits = timedelta(hours=1)
    await _rounds(work, 2)
    assert work.done[:6] == _FIRST


@pytest.mark.parametrize(("hours", "erases"), [(23, False), (25, True)])
async def test_holds_can_be_repeated_for_a_day_after_a_backup_was_restored(hours: int, erases: bool) -> None:
    work = _Work({}, restored=NOW - timedelta(hours=hours))
    with capture_logs() as logs:
        await _rounds(work, 26)
    assert ("erase" in work.done) is erases
    assert [entry["event"] for entry in logs].count("retention_waits") == (0 if erases else 1)
    assert "devices" in work.done


async def test_an_empty_database_makes_no_orphans_of_anothers_objects() -> None:
    work = _Work({}, empty=True)
    with capture_logs() as logs:
        await _rounds(work, 3)
    assert "orphans" not in work.done
    assert "orphans_not_swept" in [entry["event"] for entry in logs]


# Files of the operator that are read again.


class _Read:
    """Represents one of the files that are read again."""

    seconds_to_next_expiry = 60.0
    not_after = NOW + timedelta(days=3)
    max_age = timedelta(days=2)
    signing_since: ClassVar = {"results": NOW - timedelta(days=4), "audit": None}

    def __init__(self, name: str, *, fails: bool, usable: bool) -> None:
        self.name = name
        self.times = 0
        self._fails, self._usable = fails, usable

    def refresh(self, now: datetime = NOW) -> bool:
        assert now == NOW
        self.times += 1
        if self._fails:
            raise RuntimeError(self.name)
        return self._usable

    def age(self, now: datetime) -> timedelta:
        assert now == NOW
        return timedelta(hours=7)


_NAMES = ["callers", "device", "keys", "server_keys", "revocation", "webhooks"]


class _Scene:
    def __init__(self, *, fails: tuple[str, ...] = (), unusable: tuple[str, ...] = ()) -> None:
        self.read: dict[str, Any] = {
            name: _Read(name, fails=name in fails, usable=name not in unusable) for name in _NAMES
        }
        self.registry = CollectorRegistry()
        self.watch = FileWatch(
            callers=self.read["callers"],
            tls={"device": self.read["device"]},
            keys=self.read["keys"],
            server_keys=self.read["server_keys"],
            revocation=self.read["revocation"],
            issuers=[],
            webhooks=(self.read["webhooks"],),
            metrics=Metrics(self.registry),
            now=lambda: NOW,
            seconds=0.001,
        )

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.mark.parametrize("name", _NAMES)
def test_one_that_fails_keeps_no_other_from_being_read(name: str) -> None:
    scene = _Scene(fails=(name,))
    with capture_logs() as logs:
        scene.watch.refresh()
    assert [entry["event"] for entry in logs] == ["file_watch_failed"]
    assert {read.times for read in scene.read.values()} == {1}


def test_metrics_report_the_state_of_the_files() -> None:
    scene = _Scene(unusable=("device", "keys"))
    scene.watch.refresh()
    assert scene.metric("facegate_tls_certificate_seconds_to_expiry", listener="device") == 3 * 86_400
    assert scene.metric("facegate_tls_files_unusable", listener="device") == 1
    assert scene.metric("facegate_keys_unusable") == 1
    assert scene.metric("facegate_signing_key_age_seconds", purpose="results") == 4 * 86_400
    assert math.isnan(scene.metric("facegate_signing_key_age_seconds", purpose="audit") or 0.0)
    scene = _Scene()
    scene.watch.refresh()
    assert scene.metric("facegate_tls_files_unusable", listener="device") == 0


async def test_the_watch_repeats_until_it_is_stopped() -> None:
    scene = _Scene(fails=("server_keys",))
    scene.watch.start()
    await until(lambda: bool(scene.read["revocation"].times >= 3))
    await scene.watch.stop()
    # A read that a thread had begun may still end.
    looked = scene.read["revocation"].times
    await asyncio.sleep(0.05)
    assert scene.read["revocation"].times <= looked + 1


_SECRET = "hunter2"


def _settings(**values: object) -> Settings:
    return Settings.model_validate({"data_dir": Path("/data"), **values})


def test_only_the_table_that_changed_has_another_hash() -> None:
    before, after = (settings_event(_settings(drain_seconds=seconds)).detail for seconds in (1, 2))
    assert {key for key in before if before[key] != after[key]} == {COMPARED, "drain_seconds"}
    assert settings_event(_settings()).detail == settings_event(_settings()).detail


def test_no_secret_of_a_setting_is_hashed_or_shown() -> None:
    def event(password: str) -> object:
        url = f"postgresql+asyncpg://facegate:{password}@db/facegate"
        return settings_event(_settings(storage={"database_url": url})).detail

    assert event(_SECRET) == event("other")
    assert _SECRET not in json.dumps(dict(event(_SECRET)))  # type: ignore[call-overload]


def test_policies_are_named_with_version_and_hash() -> None:
    event = policies_event(load_policies(None))
    assert (event.tenant, event.action) == (SERVER_TENANT, AuditAction.POLICIES_CHANGED)
    assert event.detail["standard"].startswith("version ")
    assert event.actor.role == "server"


async def test_an_unchanged_part_is_not_written_again() -> None:
    written: list[str] = []

    class Log:
        async def append_if_changed(self, event: AuditEvent, *, now: datetime) -> None:
            written.append(event.detail[COMPARED])

    names = {"results-1.pem"}
    keeper: Any = AuditKeeper(
        log=cast("Any", Log()),
        signer=cast("Any", None),
        witness=cast("Any", None),
        authority=None,
        counted=(),
        described=[DescribedPart(lambda: frozenset(names), keys_event)],
        metrics=cast("Any", None),
        now=lambda: NOW,
        interval=timedelta(),
        seconds=1.0,
        older=False,
    )
    await keeper.write()
    await keeper.write()
    assert len(written) == 1
    names.add("results-2.pem")
    await keeper.write()
    assert len(set(written)) == 2


def test_many_callers_and_long_identities_are_an_event() -> None:
    entries = {f"key {number:016x}": "caller backend" for number in range(5000)}
    many = callers_event(entries)
    assert (many.detail["described"], len(many.detail)) == ("5000", 102)
    changed = callers_event({**entries, f"key {4999:016x}": "caller other"})
    assert changed.detail[COMPARED] != many.detail[COMPARED]
    long = callers_event({"certificate 1": "uri:" + "x" * 2048, "certificate 2": "cn:a\nb"})
    assert (len(long.detail["certificate 1"]), long.detail["certificate 2"]) == (1000, "cn:a?b")


def test_keys_are_listed_by_purpose() -> None:
    event = keys_event({"token-0002.key", "token-0001.key", "audit-0001.pem"})
    assert event.detail["token"] == "token-0001.key token-0002.key"
    assert event.detail["audit"] == "audit-0001.pem"


_MESSAGE = b"a checkpoint"


@pytest_asyncio.fixture(scope="module")
async def authority(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalAuthority]:
    async with local_authority(tmp_path_factory.mktemp("tsa") / "authority") as served:
        yield served


@pytest.fixture(scope="module")
def roots(authority: LocalAuthority) -> TimestampRoots:
    return TimestampRoots(authority.roots)


async def test_a_time_stamp_proves_the_time_of_a_message(
    authority: LocalAuthority, roots: TimestampRoots
) -> None:
    timestamp = await TimestampAuthority(authority.url, roots).stamp(_MESSAGE)
    assert abs(roots.verify(timestamp, _MESSAGE) - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(TimestampFailed):
        roots.verify(timestamp, _MESSAGE + b".")


async def test_another_authority_is_not_believed(
    authority: LocalAuthority, roots: TimestampRoots, tmp_path: Path
) -> None:
    async with local_authority(tmp_path / "other") as other:
        with pytest.raises(TimestampFailed):
            await TimestampAuthority(other.url, roots).stamp(_MESSAGE)
        timestamp = await TimestampAuthority(other.url, TimestampRoots(other.roots)).stamp(_MESSAGE)
    with pytest.raises(TimestampFailed):
        roots.verify(timestamp, _MESSAGE)


async def test_the_answer_to_another_request_is_refused(
    authority: LocalAuthority, roots: TimestampRoots
) -> None:
    earlier = await TimestampAuthority(authority.url, roots).stamp(_MESSAGE)
    authority.answer = web.Response(body=earlier)
    with pytest.raises(TimestampFailed, match=r"[Nn]once"):
        await TimestampAuthority(authority.url, roots).stamp(_MESSAGE)


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (302, b""), (200, b""), (200, b"0" * 65_537), (200, b"<html>")]
)
async def test_other_answers_are_no_time_stamps(
    authority: LocalAuthority, roots: TimestampRoots, status: int, body: bytes
) -> None:
    authority.answer = web.Response(status=status, body=body)
    with pytest.raises(TimestampFailed):
        await TimestampAuthority(authority.url, roots).stamp(_MESSAGE)


async def test_an_authority_that_is_not_there(roots: TimestampRoots) -> None:
    with pytest.raises(TimestampFailed):
        await TimestampAuthority("http://127.0.0.1:1/tsa", roots).stamp(_MESSAGE)


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused(roots: TimestampRoots, content: bytes) -> None:
    with pytest.raises(TimestampFailed):
        roots.verify(content, _MESSAGE)


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\n"])
def test_a_file_of_no_roots_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "roots.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="timestamp_roots"):
        TimestampRoots(file)
