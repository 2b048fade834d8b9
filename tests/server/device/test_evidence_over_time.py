"""Evidence that arrives late, never, or before a lost connection; and its storage and erasure."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from facegate.v1 import device_pb2, result_pb2, scan_pb2

from server.base.sandbox import memory_scope
from server.domain.terms import CheckState
from server.storage.database import open_database
from server.storage.devices import DeviceRepository, KeyKind
from tests.device_integrity.android import phones
from tests.device_integrity.apple import apple_in_software as apples
from tests.sampling import some_fast
from tests.server.device.devices import (
    ANDROID,
    IPHONE,
    AndroidAttestor,
    AppleAttestor,
    at_time,
    believing_server,
    camera_of,
    scan,
)
from tests.server.live import LiveServer, Picture, fresh_pictures, until
from tests.server.raw_device import RawDevice, RawStream

_NOT_TRUSTED = [result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def believing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server that trusts the test devices."""
    async with believing_server(tmp_path_factory.mktemp("devices")) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def devices(believing: LiveServer) -> AsyncIterator[DeviceRepository]:
    """The device repository over the server's database."""
    database = open_database(believing.settings.database_url)
    yield DeviceRepository(database)
    await database.close()


async def _open(live: LiveServer, policy: str) -> tuple[str, RawDevice, RawStream]:
    upload = await live.upload(policy=policy)
    device = RawDevice(live.device, upload)
    stream = await device.open(device=ANDROID, camera=camera_of(ANDROID))
    return upload.check_id, device, stream


async def _evidence(stream: RawStream, *, binding: bytes | None = None) -> scan_pb2.ScanFaceRequest:
    made = [one async for one in AndroidAttestor().attest(binding=binding or stream.binding)]
    return scan_pb2.ScanFaceRequest(attestation=made[0])


async def test_evidence_within_the_grace_counts(believing: LiveServer) -> None:
    check_id, _, stream = await _open(believing, "patient")
    await stream.begin()
    await stream.send_frames(fresh_pictures())
    await stream.send(stream.end())
    await asyncio.sleep(0.3)
    await stream.send(await _evidence(stream))
    result = await stream.result()
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    assert not (await believing.finish(check_id)).result.reasons


async def test_the_grace_ends(believing: LiveServer) -> None:
    check_id, _, stream = await _open(believing, "attested")
    await stream.begin()
    await stream.send_frames(fresh_pictures())
    await stream.send(stream.end())
    ended = time.monotonic()
    result = await stream.result()
    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    assert time.monotonic() - ended >= 1.0
    await stream.outcome()
    assert (await believing.finish(check_id)).result.reasons == _NOT_TRUSTED


async def test_evidence_is_not_awaited_from_a_device_without_any(believing: LiveServer) -> None:
    check_id, _, stream = await _open(believing, "patient")
    unavailable = device_pb2.AttestationUnavailable(
        reason=device_pb2.AttestationUnavailable.REASON_NOT_SUPPORTED
    )
    await stream.send(scan_pb2.ScanFaceRequest(attestation=device_pb2.Attestation(unavailable=unavailable)))
    await stream.begin()
    await stream.send_frames(fresh_pictures())
    await stream.send(stream.end())
    ended = time.monotonic()
    await stream.result()
    assert time.monotonic() - ended < 10
    await stream.outcome()
    assert (await believing.finish(check_id)).result.reasons == _NOT_TRUSTED


_MALFORMED = scan_pb2.ScanFaceRequest(
    attestation=device_pb2.Attestation(app_attest=device_pb2.AppAttestAttestation(key_id=b"short"))
)


@pytest.mark.parametrize(
    "leaving", some_fast(["another end", "malformed evidence", "half-close", "lost connection"], step=2)
)
async def test_the_attempt_counts_whatever_happens_during_the_grace_period(
    believing: LiveServer, leaving: str
) -> None:
    check_id, _, stream = await _open(believing, "patient")
    await stream.begin()
    await stream.send_frames(fresh_pictures())
    await stream.send(stream.end())
    await asyncio.sleep(0.2)
    match leaving:
        case "another end":
            await stream.send(stream.end())
        case "malformed evidence":
            await stream.send(_MALFORMED)
        case "half-close":
            await stream.half_close()
        case _:
            await stream.vanish()
    began = time.monotonic()
    await believing.reaches(check_id, CheckState.DECIDED)
    assert time.monotonic() - began < 10
    result = (await believing.finish(check_id)).result
    assert result.reasons == _NOT_TRUSTED
    assert result.match.same_person


async def test_evidence_of_another_size_than_the_contracts_ends_the_stream(believing: LiveServer) -> None:
    _, _, stream = await _open(believing, "attested")
    await stream.begin()
    await stream.send(_MALFORMED)
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "attestation.app_attest.key_id")


async def test_evidence_of_a_lost_stream_vouches_for_its_session_key(believing: LiveServer) -> None:
    check_id, device, stream = await _open(believing, "attested")
    await stream.send(await _evidence(stream))
    await stream.begin()
    await stream.send_frames(fresh_pictures()[:4])
    await stream.taken(4)
    await asyncio.sleep(0.2)
    await stream.vanish()
    await believing.reaches(check_id, CheckState.WAITING)
    resumed = await device.open(resume=True, device=ANDROID, camera=camera_of(ANDROID))
    await resumed.prove()
    assert resumed.binding != stream.binding
    result = await resumed.run_attempt(fresh_pictures())
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await resumed.outcome() is None


async def test_evidence_of_a_lost_stream_is_none_of_a_later_one(believing: LiveServer) -> None:
    check_id, device, stream = await _open(believing, "attested")
    await stream.begin()
    await stream.vanish()
    await believing.reaches(check_id, CheckState.WAITING)
    resumed = await device.open(resume=True, device=ANDROID, camera=camera_of(ANDROID))
    await resumed.prove()
    await resumed.send(await _evidence(resumed, binding=stream.binding))
    await resumed.run_attempt(fresh_pictures())
    await resumed.outcome()
    assert (await believing.finish(check_id)).result.reasons == _NOT_TRUSTED


async def test_a_fifth_piece_is_refused_over_all_streams(
    believing: LiveServer, devices: DeviceRepository
) -> None:
    check_id, device, stream = await _open(believing, "advisory")
    await stream.begin()
    for _ in range(2):
        await stream.send(await _evidence(stream))

    async def kept() -> bool:
        return len(await devices.findings(UUID(check_id))) == 2

    await until(kept)
    await stream.vanish()
    await believing.reaches(check_id, CheckState.WAITING)
    resumed = await device.open(resume=True, device=ANDROID, camera=camera_of(ANDROID))
    await resumed.prove()
    await resumed.begin()
    for _ in range(3):
        await resumed.send(await _evidence(resumed))
    refusal = await resumed.outcome()
    assert refusal is not None
    assert refusal.reason == "SCAN_BUDGET_EXCEEDED"


async def _memory_checks(live: LiveServer, policy: str, shown: Sequence[Picture]) -> dict[str, str]:
    check_id, _, stream = await _open(live, policy)
    await stream.send(await _evidence(stream))
    await stream.run_attempt(shown)
    await stream.outcome()
    result = (await live.finish(check_id)).result
    return {check.name: check.reason for check in result.device.checks if check.name.startswith("memory.")}


async def test_frames_of_an_earlier_check_are_recognised(believing: LiveServer) -> None:
    shown = fresh_pictures()
    assert (await _memory_checks(believing, "advisory", shown))["memory.frames"] != "FRAMES_SEEN_BEFORE"
    found = await _memory_checks(believing, "advisory", shown)
    assert found["memory.frames"] == "FRAMES_SEEN_BEFORE"
    assert found["memory.attestation_key"] == "KEY_NEW"


async def test_frames_of_an_attempt_that_was_to_be_repeated_are_recognised(believing: LiveServer) -> None:
    shown = fresh_pictures()
    few = fresh_pictures(shown[:10])
    _, _, stream = await _open(believing, "advisory")
    first = await stream.run_attempt(few)
    assert (first.status, first.another_attempt) == (scan_pb2.SCAN_STATUS_RETRY, True)
    # The capture clock rises over the whole stream.
    await stream.run_attempt([replace(one, time_us=one.time_us + 10_000_000) for one in shown])
    assert await stream.outcome() is None
    others = fresh_pictures(shown[10:])
    found = await _memory_checks(believing, "advisory", [*few, *others])
    assert found["memory.frames"] == "FRAMES_SEEN_BEFORE"


async def test_a_policy_without_scan_memory_compares_with_that_of_others(believing: LiveServer) -> None:
    shown = fresh_pictures()
    for _ in range(2):
        found = await _memory_checks(believing, "forgetful", shown)
        assert found["memory.frames"] != "FRAMES_SEEN_BEFORE"
    await _memory_checks(believing, "advisory", shown)
    assert (await _memory_checks(believing, "forgetful", shown))["memory.frames"] == "FRAMES_SEEN_BEFORE"


async def test_frames_that_return_within_a_scan_are_injected(believing: LiveServer) -> None:
    shown = fresh_pictures()
    # A file that is played again has the very bytes of earlier frames.
    looped = [replace(shown[at % 9], time_us=picture.time_us) for at, picture in enumerate(shown)]
    check_id, _, stream = await _open(believing, "attested")
    await stream.send(await _evidence(stream))
    result = await stream.run_attempt(looped)
    assert not result.another_attempt
    await stream.outcome()
    answer = (await believing.finish(check_id)).result
    assert result_pb2.FAILURE_REASON_DEVICE_MANIPULATED in answer.reasons
    spoof = answer.liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF
    assert (result_pb2.FAILURE_REASON_SPOOF in answer.reasons) == spoof
    assert result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED in answer.reasons
    assert "stream.duplicates" in {check.name for check in answer.device.checks if check.decisive}
    assert answer.device.injection_instrument == "recorded_video"


@pytest.mark.slow
async def test_erasure_includes_the_memory_of_the_device(
    believing: LiveServer, devices: DeviceRepository
) -> None:
    at_time(believing, apples.NOW)
    phone = AppleAttestor()
    upload = await believing.upload(policy="attested", subject_reference="carla")
    check_id = UUID(upload.check_id)
    await scan(believing, upload, IPHONE, phone)
    await believing.finish(upload.check_id)
    assert await devices.count_rows(check_id) > 20
    at_time(believing, apples.NOW + timedelta(days=40))

    async def gone() -> bool:
        return await devices.count_rows(check_id) == 0

    await until(gone)
    key = await devices.find_key(memory_scope("default", sandbox=True), KeyKind.APP_ATTEST, phone.key.key_id)
    assert key is not None
    assert key.subject_hash == ""
    at_time(believing, phones.NOW)
