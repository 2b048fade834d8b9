"""The evidence record that a whole check leaves, and what FinishCheck makes of it."""

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from server.domain.terms import PortraitKept
from server.evidence.records import RecordVault
from server.evidence.store import EvidenceStore
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from server.storage.database import open_database
from server.storage.evidence_records import EvidenceRecordRepository, remove_record
from server.storage.objects import open_object_store
from server.storage.records import ImagePurpose
from server.storage.repository import CheckRepository
from server.verdict.record import EvidenceRecord
from tests.server.live import LiveServer, fresh_pictures, pictures, portrait, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice
from tests.server.refusals import refused


@pytest_asyncio.fixture
async def live(tmp_path: Path) -> AsyncIterator[LiveServer]:
    settings = settings_for(tmp_path)
    for kept in PortraitKept:
        write_policy(tmp_path / "policies", f"portrait-{kept}", portrait=kept.value)
    write_policy(tmp_path / "policies", "three-days", evidence_seconds=3 * 86_400)
    async with serving(settings) as live:
        yield live


def _vault(live: LiveServer) -> RecordVault:
    keys = KeyFolder(KeyFiles(live.settings.key_folder)).keys
    return RecordVault(
        wrapping_keys=keys.wrapping_keys,
        tenant_key=keys.memory.tenant_key,
        sign=keys.results.sign,
        random=bytes,
    )


async def _record(live: LiveServer, check_id: str) -> EvidenceRecord:
    database = open_database(live.settings.database_url)
    stored = await EvidenceRecordRepository(database).find(UUID(check_id))
    await database.close()
    assert stored is not None
    return _vault(live).open(stored)


async def _scanned(live: LiveServer, policy: str = "test") -> str:
    upload = await live.upload(policy=policy, subject_reference="anna", consent_reference="c-1")
    stream = await RawDevice(live.device, upload).open()
    await stream.run_attempt(pictures())
    assert await stream.outcome() is None
    return upload.check_id


@pytest.mark.parametrize(
    ("asked", "kept"), [(200_000, 200_000), (5, None), (400_000, 259_200), (None, 259_200)]
)
async def test_an_upload_only_shortens_the_retention(
    live: LiveServer, asked: int | None, kept: int | None
) -> None:
    upload = await live.upload(policy="three-days", retention_seconds=asked)
    await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
    database = open_database(live.settings.database_url)
    check = await CheckRepository(database).get(UUID(upload.check_id))
    await database.close()
    assert check is not None
    assert check.decide_time is not None
    # Never before the deadline of the result.
    expected = check.result_deadline if kept is None else check.decide_time + timedelta(seconds=kept)
    assert check.retain_until == expected


async def test_the_record_has_everything_that_the_check_was_decided_by(live: LiveServer) -> None:
    check_id = await _scanned(live)
    record = await _record(live, check_id)
    answer = await live.finish(check_id, audit_images=4)

    assert result_pb2.CheckResult.FromString(record.result) == answer.result
    assert (record.subject_reference, record.consent_reference, record.tenant) == ("anna", "c-1", "default")
    assert record.outcome.liveness is not None
    assert record.outcome.liveness.policy.live_threshold > 0
    assert record.times.source.startswith("system clock of ")
    (frames,) = record.frames
    assert frames.complete
    assert len(frames.sha256) == answer.result.transcript.frames
    assert {image.sha256 for image in record.images} <= set(frames.sha256)
    assert answer.evidence_frame.sha256 in frames.sha256
    assert record.portrait.sha256 == hashlib.sha256(portrait()).digest()
    assert record.result_jws.split(".")[1] == answer.result_jws.split(".")[1]


@pytest.mark.parametrize("kept", PortraitKept)
async def test_the_policy_states_what_is_kept_of_the_portrait(live: LiveServer, kept: PortraitKept) -> None:
    upload = await live.upload(policy=f"portrait-{kept}")
    await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
    record = await _record(live, upload.check_id)
    assert record.portrait.kept is kept
    entries = await live.evidence(upload.check_id)
    if kept is not PortraitKept.BYTES:
        assert entries == ()
        return
    (entry,) = entries
    assert entry.kind is ImagePurpose.PORTRAIT
    keys = KeyFolder(KeyFiles(live.settings.key_folder)).keys
    store = EvidenceStore(
        open_object_store(live.settings.objects_url), wrapping_keys=keys.wrapping_keys, random=bytes
    )
    assert await store.load(UUID(upload.check_id), entry, tenant="default") == portrait()
    answer = await live.finish(upload.check_id, audit_images=4)
    assert not answer.HasField("evidence_frame")
    assert not answer.audit_images


async def test_a_repeated_request_leaves_no_second_portrait(live: LiveServer) -> None:
    request_id = "0f0e0d0c-0b0a-4908-8706-050403020100"
    first, again = [await live.upload(policy="portrait-bytes", request_id=request_id) for _ in range(2)]
    assert first.check_id == again.check_id
    assert await live.orphans() == set()


async def test_a_lost_record_is_named_and_is_no_fault_of_the_call(live: LiveServer) -> None:
    check_id = await _scanned(live)
    database = open_database(live.settings.database_url)
    await database.write(remove_record, UUID(check_id))
    await database.close()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await live.finish(check_id)
    refusal = refused(caught.value)
    assert (refusal.reason, refusal.metadata["problem"]) == ("EVIDENCE_UNREADABLE", "LOST")


async def test_the_frames_of_every_attempt_are_in_the_record(live: LiveServer) -> None:
    upload = await live.upload()
    device = RawDevice(live.device, upload)
    lost = await device.open()
    await lost.begin()
    await lost.send_frames(fresh_pictures()[:10])
    await lost.vanish()
    await live.unattended()
    stream = await device.resume()
    await stream.run_attempt(pictures())
    record = await _record(live, upload.check_id)
    assert [(one.attempt, one.complete) for one in record.frames] == [(1, True), (2, True)]
    assert 1 <= len(record.frames[0].sha256) <= 10
