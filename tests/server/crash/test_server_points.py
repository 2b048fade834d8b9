"""kill -9 of a server between any two steps of deciding and of telling about it, and its restart."""

import asyncio
import signal
import sys
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from prometheus_client import CollectorRegistry

from server.audit import CheckpointKeys
from server.domain.events import EventState
from server.domain.terms import CheckState
from server.evidence.store import EvidenceStore
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder, read_audit_keys
from server.storage.audit_reader import AuditReader
from server.storage.database import open_database
from server.storage.events import EventRepository, StoredEvent
from server.storage.objects import open_object_store
from server.storage.repository import CheckRepository
from server.storage.schema import upgrade
from server.telemetry.metrics import Metrics
from tests.canaries import Canaries
from tests.server.crash.tripwire import Moment, Trip
from tests.server.databases import PostgresServer
from tests.server.live import pictures, portrait
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.raw_device import RawDevice
from tests.server.running.receiver import Receiver, receiving, settings_of

_FRAMES: Final = 9
_BEFORE, _AFTER = Moment.BEFORE, Moment.AFTER
_PUT: Final = "server.storage.objects:_FolderObjects.put"
_DECIDE: Final = "server.storage.repository:CheckRepository.decide"
_FINISH: Final = "server.storage.repository:CheckRepository.finish"


@dataclass(frozen=True, slots=True)
class _Point:
    """A crash point of a server.

    Attributes:
        name: Between which steps it is killed.
        decided: Whether the verdict is durable then.
        delivered: Whether its delivery is durable then.
        ci: Whether CI runs it.
        postgres: Whether it also runs on PostgreSQL.
    """

    name: str
    trip: Trip
    decided: bool = False
    delivered: bool = False
    ci: bool = False
    postgres: bool = False


def _params(points: Iterable[_Point]) -> list[Any]:
    return [pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.ci else []) for one in points]


# The first object that is put is the trusted image, at its upload.
_POINTS: Final = (
    _Point("decide: before the first picture", Trip(_PUT, 2, _BEFORE)),
    _Point("decide: between two pictures", Trip(_PUT, 2, _AFTER)),
    _Point("decide: after the pictures, before the transaction", Trip(_DECIDE, 1, _BEFORE), ci=True),
    _Point("decide: inside the transaction", Trip("server.storage.repository:settle_tries", 1, _AFTER)),
    _Point("decide: after the transaction, before the answer", Trip(_DECIDE, 1, _AFTER), decided=True),
    _Point("finish: before the transaction", Trip(_FINISH, 1, _BEFORE), decided=True),
    _Point(
        "finish: inside the transaction", Trip("server.storage.repository:append", 1, _AFTER), decided=True
    ),
    _Point(
        "finish: after the transaction, before the answer",
        Trip(_FINISH, 1, _AFTER),
        decided=True,
        delivered=True,
        ci=True,
    ),
)


@pytest.mark.crash
@pytest.mark.parametrize("point", _params(_POINTS))
async def test_a_killed_server_loses_and_doubles_no_verdict(tmp_path: Path, point: _Point) -> None:
    home = DataFolder(tmp_path)
    request_id = str(uuid4())
    acknowledged: list[scan_pb2.ScanResult] = []
    async with _armed(home, point.trip) as server:
        upload = await server.upload(request_id)
        calls = asyncio.create_task(_whole_check(server, upload, acknowledged))
        assert await server.process.wait() == -signal.SIGKILL, await server.written()
        await asyncio.gather(calls, return_exceptions=True)

    async with home.serving() as server:
        repeated = service_pb2.UploadTrustedImageResponse()
        repeated.CopyFrom(upload)
        if point.decided:
            # The decision destroys the measurements of the portrait.
            repeated.portrait.Clear()
        assert await server.upload(request_id) == repeated
        async with home.database() as database:
            state = (await database.record(upload.check_id)).state
        expected = {CheckState.FINISHED} if point.delivered else {CheckState.DECIDED}
        assert (state in expected) is point.decided, state
        first = await server.finished(upload.check_id)
        again = await server.finish(upload.check_id)
        assert again.result == first.result
        assert (again.evidence_frame, again.audit_images) == (first.evidence_frame, first.audit_images)
        if acknowledged:
            assert acknowledged[0].status == scan_pb2.SCAN_STATUS_FAILURE
        reason = first.result.reasons[0]
        assert (reason == result_pb2.FAILURE_REASON_INTERRUPTED) is not point.decided
    await _verified(home, upload.check_id)
    canaries = Canaries()
    canaries.plant("scan token", upload.scan_token)
    canaries.plant("portrait", portrait())
    for number, picture in enumerate(pictures()[:_FRAMES]):
        canaries.plant(f"picture {number}", picture.jpeg)
    for name, content in home.key_files().items():
        canaries.plant(name, content)
    assert not [leak for log in home.folder.glob("run-*.log") for leak in canaries.leaks(log.read_bytes())]


async def _whole_check(
    server: ServerProcess,
    upload: service_pb2.UploadTrustedImageResponse,
    acknowledged: list[scan_pb2.ScanResult],
) -> None:
    await _scan(server, upload, acknowledged)
    await server.finish(upload.check_id)


async def _scan(
    server: ServerProcess,
    upload: service_pb2.UploadTrustedImageResponse,
    acknowledged: list[scan_pb2.ScanResult],
) -> None:
    stream = await RawDevice(server.device, upload).open()
    acknowledged.append(await stream.run_attempt(pictures()[:_FRAMES]))
    await stream.outcome()


def _armed(home: DataFolder, trip: Trip) -> AbstractAsyncContextManager[ServerProcess]:
    """A server that is killed at a step."""
    words = (trip.target, str(trip.call), trip.moment.value)
    return home.serving(program=(sys.executable, "-m", "tests.server.crash.tripwire", *words))


async def _verified(home: DataFolder, check_id: str) -> None:
    """The verdict was delivered for the first time once, the chains are whole, and no object is an orphan."""
    objects = open_object_store(str(home.data / "objects"))
    database = open_database(f"sqlite:///{home.data / 'facegate.db'}")
    try:
        reader = AuditReader(database)
        found = await reader.entries("default")
        actions = [entry.action for entry in found if entry.check_id == check_id]
        assert actions.count("result.delivered") == 1
        keys = CheckpointKeys(read_audit_keys(KeyFiles(home.data / "keys")))
        for tenant in await reader.tenants():
            report = await reader.verify(tenant, keys=keys)
            assert report.whole, report.problems
        checks = CheckRepository(database)
        wrapping = KeyFolder(KeyFiles(home.data / "keys")).keys.wrapping_keys
        await EvidenceStore(
            objects, wrapping_keys=wrapping, metrics=Metrics(CollectorRegistry())
        ).sweep_orphans(older_than=datetime.now(UTC) + timedelta(hours=1), referenced=checks.referenced)
        named = {entry.object_key for entry in await checks.evidence(UUID(check_id))}
        assert home.objects() == named
    finally:
        await database.close()


# The same between any two steps of writing and delivering events. A real receiver gets every event, in the
# order of the check, and none about what did not happen. Those of erasures are tested with the erasures
# (``inspection.sound``).

_WRITE: Final = "server.storage.events:Outbox.of_check"
_LEASE: Final = "server.storage.repository:CheckRepository.acquire_lease"
_CLAIM: Final = "server.storage.events:EventRepository.claim"
_SEND: Final = "server.running.webhooks:Endpoint.send"
_SETTLE: Final = "server.storage.events:EventRepository.settle"
_NEVER: Final = Trip(_SEND, 1_000_000, _BEFORE)
_EVENT_POINTS: Final = (
    _Point("scan started: event written, not durable", Trip(_WRITE, 1, _AFTER), postgres=True),
    _Point("scan started: after the transaction", Trip(_LEASE, 1, _AFTER)),
    _Point("decided: before its event", Trip(_WRITE, 2, _BEFORE)),
    _Point("decided: event written, not durable", Trip(_WRITE, 2, _AFTER), ci=True, postgres=True),
    _Point("decided: after the transaction", Trip(_DECIDE, 1, _AFTER), ci=True),
    _Point("delivery: before the claim", Trip(_CLAIM, 1, _BEFORE)),
    _Point("delivery: claimed, not sent", Trip(_SEND, 1, _BEFORE), ci=True, postgres=True),
    _Point("delivery: sent, not settled", Trip(_SEND, 1, _AFTER), postgres=True),
    _Point("delivery: sent, before the outcome is durable", Trip(_SETTLE, 1, _BEFORE)),
    _Point("delivery: outcome durable", Trip(_SETTLE, 1, _AFTER), postgres=True),
    _Point("delivery: the second event sent, not settled", Trip(_SEND, 2, _AFTER), ci=True),
)


@pytest.mark.crash
@pytest.mark.parametrize("point", _params(_EVENT_POINTS))
async def test_a_killed_server_loses_no_event(tmp_path: Path, point: _Point) -> None:
    await _survives(tmp_path, point, f"sqlite:///{tmp_path / 'home' / 'data' / 'facegate.db'}")


@pytest.mark.crash
@pytest.mark.parametrize("point", [pytest.param(one, id=one.name) for one in _EVENT_POINTS if one.postgres])
async def test_nor_does_it_on_postgresql(tmp_path: Path, postgres: PostgresServer, point: _Point) -> None:
    url = await postgres.new_database()
    try:
        await upgrade(url)
        await _survives(tmp_path, point, url)
    finally:
        await postgres.drop_database(url)


async def _survives(folder: Path, point: _Point, url: str) -> None:
    async with receiving() as receiver:
        endpoint = settings_of(receiver, folder, sandbox="only")
        home = DataFolder(
            folder / "home",
            storage={"database_url": url},
            webhooks={"endpoints": {"hook": endpoint}},
        )
        async with _armed(home, point.trip) as server:
            upload = await server.upload(str(uuid4()))
            scan = asyncio.create_task(_scan(server, upload, []))
            assert await server.process.wait() == -signal.SIGKILL, await server.written()
            await asyncio.gather(scan, return_exceptions=True)
        async with _armed(home, _NEVER) as server:
            if await _scanned(url, upload.check_id):
                await server.finished(upload.check_id)
            else:
                await server.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
            told = await _all_delivered(url, server)
        await _complete(url, UUID(upload.check_id), told, receiver)


async def _scanned(url: str, check_id: str) -> bool:
    """Whether a stream has begun, so that the check ends by itself."""
    database = open_database(url)
    try:
        record = await CheckRepository(database).get(UUID(check_id))
    finally:
        await database.close()
    return record is not None and record.streams > 0


async def _all_delivered(url: str, server: ServerProcess) -> tuple[StoredEvent, ...]:
    """The events in their order, once all are delivered."""
    database = open_database(url)
    found: tuple[StoredEvent, ...] = ()
    try:
        for _ in range(1200):
            found = await EventRepository(database).list(
                "default", sandbox_only=True, endpoint="hook", state=None, check_id=None, after=None, limit=99
            )
            if found and all(event.state is EventState.DELIVERED for event in found):
                return tuple(sorted(found, key=lambda event: event.sequence))
            await asyncio.sleep(0.05)
    finally:
        await database.close()
    raise AssertionError((found, await server.written()))


async def _complete(url: str, check_id: UUID, told: tuple[StoredEvent, ...], receiver: Receiver) -> None:
    database = open_database(url)
    try:
        record = await CheckRepository(database).get(check_id)
    finally:
        await database.close()
    assert record is not None
    started = ["check.scan_started"] if record.streams else []
    kinds = [event.kind.value for event in told]
    closed = ["check.closed"] if record.state is CheckState.FINISHED else []
    assert kinds == [*started, "check.decided", *closed]
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    assert receiver.types == kinds
    bodies = {event.body for event in receiver.events}
    assert len(bodies) == len(told)
    decided = next(event for event in receiver.events if event.type == "check.decided")
    assert decided.data["status"] == (record.status or "")
