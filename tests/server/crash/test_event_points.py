"""kill -9 of a server between any two steps of writing and delivering events, and its restart.

A real receiver gets every event, in the order of the check, and none about what did not happen. Those of
erasures are tested with the erasures (``inspection.sound``).
"""

import asyncio
import signal
import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest
from facegate.v1 import verification_service_pb2 as service_pb2

from server.domain.events import EventState
from server.domain.terms import CheckState
from server.storage.database import open_database
from server.storage.events import EventRepository, StoredEvent
from server.storage.repository import CheckRepository
from server.storage.schema import upgrade
from tests.server.crash.tripwire import Moment, Trip
from tests.server.databases import PostgresServer
from tests.server.live import pictures
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.raw_device import RawDevice
from tests.server.running.receiver import Receiver, receiving, settings_of

_BEFORE, _AFTER = Moment.BEFORE, Moment.AFTER
_WRITE: Final = "server.storage.events:Outbox.of_check"
_LEASE: Final = "server.storage.repository:CheckRepository.acquire_lease"
_DECIDE: Final = "server.storage.repository:CheckRepository.decide"
_CLAIM: Final = "server.storage.events:EventRepository.claim"
_SEND: Final = "server.running.webhooks:Endpoint.send"
_SETTLE: Final = "server.storage.events:EventRepository.settle"
_NEVER: Final = Trip(_SEND, 1_000_000, _BEFORE)


@dataclass(frozen=True, slots=True)
class _Point:
    """A crash point.

    Attributes:
        ci: Whether CI runs it.
        postgres: Whether it also runs on PostgreSQL.
    """

    name: str
    trip: Trip
    ci: bool = False
    postgres: bool = False


_POINTS: Final = (
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
_PARAMS = [pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.ci else []) for one in _POINTS]
_ON_POSTGRES = [pytest.param(one, id=one.name) for one in _POINTS if one.postgres]


@pytest.mark.crash
@pytest.mark.parametrize("point", _PARAMS)
async def test_a_killed_server_loses_no_event(tmp_path: Path, point: _Point) -> None:
    await _survives(tmp_path, point, f"sqlite:///{tmp_path / 'home' / 'data' / 'facegate.db'}")


@pytest.mark.crash
@pytest.mark.parametrize("point", _ON_POSTGRES)
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
            scan = asyncio.create_task(_scan(server, upload))
            assert await server.process.wait() == -signal.SIGKILL, await server.written()
            await asyncio.gather(scan, return_exceptions=True)
        async with _armed(home, _NEVER) as server:
            if await _scanned(url, upload.check_id):
                await server.finished(upload.check_id)
            else:
                await server.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
            told = await _all_delivered(url, server)
        await _complete(url, UUID(upload.check_id), told, receiver)


def _armed(home: DataFolder, trip: Trip) -> AbstractAsyncContextManager[ServerProcess]:
    """A server that is killed at a step."""
    words = (trip.target, str(trip.call), trip.moment.value)
    return home.serving(program=(sys.executable, "-m", "tests.server.crash.armed", *words))


async def _scan(server: ServerProcess, upload: object) -> None:
    stream = await RawDevice(server.device, upload).open()  # type: ignore[arg-type]  # the response
    await stream.run_attempt(pictures()[:9])
    await stream.outcome()


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
