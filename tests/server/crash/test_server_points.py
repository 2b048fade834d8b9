"""kill -9 of a server between any two steps of deciding and of delivering a verdict, and its restart."""

import asyncio
import signal
import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from prometheus_client import CollectorRegistry

from server.audit import CheckpointKeys
from server.domain.terms import CheckState
from server.evidence.store import EvidenceStore
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder, read_audit_keys
from server.storage.audit_reader import AuditReader
from server.storage.database import open_database
from server.storage.objects import open_object_store
from server.storage.repository import CheckRepository
from server.telemetry.metrics import Metrics
from tests.canaries import Canaries
from tests.server.crash.tripwire import Moment, Trip
from tests.server.live import pictures, portrait
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.raw_device import RawDevice

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
    """

    name: str
    trip: Trip
    decided: bool = False
    delivered: bool = False
    ci: bool = False


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
@pytest.mark.parametrize(
    "point",
    [pytest.param(point, id=point.name, marks=[pytest.mark.slow] if point.ci else []) for point in _POINTS],
)
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
    stream = await RawDevice(server.device, upload).open()
    acknowledged.append(await stream.run_attempt(pictures()[:_FRAMES]))
    await stream.outcome()
    await server.finish(upload.check_id)


def _armed(home: DataFolder, trip: Trip) -> AbstractAsyncContextManager[ServerProcess]:
    """A server that is killed at a step."""
    words = (trip.target, str(trip.call), trip.moment.value)
    return home.serving(program=(sys.executable, "-m", "tests.server.crash.armed", *words))


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
