"""kill -9 in every state, and a restart over the same data: no acknowledged state is lost."""

import asyncio
import os
import random
import time
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client.result_keys import fetch_key_set
from facegate_client.result_signature import verify_response
from server.domain.terms import AttemptOutcome, CheckState
from tests.server.live import pictures
from tests.server.process.server_process import DataFolder
from tests.server.raw_device import Ended, RawDevice, RawStream
from tests.server.refusals import refused

FEW, COUNTED = 4, 9


async def _capture(stream: RawStream, frames: int) -> None:
    await stream.begin()
    await stream.send_frames(pictures()[:frames])
    await stream.taken(frames)


async def _whole(device: RawDevice) -> scan_pb2.ScanResult:
    stream = await device.open()
    result = await stream.run_attempt(pictures()[:COUNTED])
    assert await stream.outcome() is None
    return result


def _reasons(answer: service_pb2.FinishCheckResponse) -> list[str]:
    return [
        result_pb2.FailureReason.Name(reason).removeprefix("FAILURE_REASON_")
        for reason in answer.result.reasons
    ]


@pytest.mark.slow
async def test_every_state_survives_a_kill(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    states = ("uploaded", "challenged", "few", "counted", "returning", "ended", "answered", "finished")
    requests = {state: str(uuid4()) for state in states}
    async with home.serving() as server:
        uploads = {state: await server.upload(requests[state]) for state in states}
        devices = {state: RawDevice(server.device, uploads[state]) for state in states}
        answered = await _whole(devices["answered"])
        await _whole(devices["finished"])
        verdict = await server.finish(uploads["finished"].check_id)
        await devices["challenged"].open()
        for state, frames in (("few", FEW), ("counted", COUNTED), ("returning", COUNTED)):
            await _capture(await devices[state].open(), frames)
        ending = await devices["ended"].open()
        await _capture(ending, COUNTED)
        keys = home.key_files()
        await ending.send(ending.end())
        await server.kill()
        first_log = await server.written()

    old, fresh = home.data / "objects" / "evidence" / "old", home.data / "objects" / "evidence" / "fresh"
    for path in (old, fresh):
        await asyncio.to_thread(path.write_bytes, b"what a crash left between the object and its row")
    await asyncio.to_thread(os.utime, old, (time.time() - 7200,) * 2)

    async with home.serving() as server:
        assert home.key_files() == keys
        for state in states:
            # The same answer to the same request: check, token, deadlines, fingerprint.
            assert await server.upload(requests[state]) == uploads[state]
        published = await fetch_key_set(f"http://127.0.0.1:{server.admin_port}/.well-known/jwks.json")

        again = await server.finish(uploads["finished"].check_id)
        assert again.result == verdict.result
        assert again.evidence_frame == verdict.evidence_frame
        assert again.audit_images == verdict.audit_images
        assert again.result_jws.split(".")[:2] == verdict.result_jws.split(".")[:2]
        verify_response(again, published, check_id=uploads["finished"].check_id, accept_sandbox=True)
        verify_response(verdict, published, check_id=uploads["finished"].check_id, accept_sandbox=True)

        # The device got FAILURE before the kill, and it stays FAILURE, with its evidence.
        assert answered.status == scan_pb2.SCAN_STATUS_FAILURE
        answer = await server.finish(uploads["answered"].check_id)
        assert _reasons(answer)[0] == "CONDITIONS"
        assert answer.evidence_frame.image
        verify_response(answer, published, check_id=uploads["answered"].check_id, accept_sandbox=True)

        # A device reconnects with its key at once, and finishes.
        device = devices["returning"]
        device.rebind(server.device)
        with pytest.raises(Ended, match="CHECK_CLOSED"):
            # Its only attempt counted already: the policy allows one.
            await device.open(resume=True)
        device = devices["few"]
        device.rebind(server.device)
        stream = await device.resume()
        result = await stream.run_attempt(pictures()[:COUNTED])
        assert result.attempt == 2
        assert result.status == scan_pb2.SCAN_STATUS_FAILURE
        assert await stream.outcome() is None
        answer = await server.finish(uploads["few"].check_id)
        assert _reasons(answer)[0] == "CONDITIONS"
        assert [attempt.outcome for attempt in answer.result.attempts] == [
            result_pb2.AttemptSummary.OUTCOME_INTERRUPTED,
            result_pb2.AttemptSummary.OUTCOME_DECIDED,
        ]

        for state in ("challenged", "counted", "returning"):
            answer = await server.finished(uploads[state].check_id)
            assert answer.result.status == result_pb2.CHECK_STATUS_NOT_DECIDED, state
            assert _reasons(answer) == ["INTERRUPTED"], state
            assert not answer.result.HasField("liveness")
            assert not answer.result.HasField("match")
            verify_response(answer, published, check_id=uploads[state].check_id, accept_sandbox=True)
        # The end of this attempt was not reported: either its verdict was durable, or it was interrupted.
        answer = await server.finished(uploads["ended"].check_id)
        assert _reasons(answer)[0] in {"CONDITIONS", "INTERRUPTED"}

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.finish(uploads["uploaded"].check_id)
        assert refused(caught.value).reason == "NOT_SCANNED_YET"
        untouched = devices["uploaded"]
        untouched.rebind(server.device)
        assert (await _whole(untouched)).status == scan_pb2.SCAN_STATUS_FAILURE

        async with home.database() as database:
            for state in states:
                record = await database.record(uploads[state].check_id)
                assert record.lease_until is None
                assert all(
                    attempt.outcome is not None
                    for attempt in await database.attempts(uploads[state].check_id)
                )
            objects = await asyncio.to_thread(home.objects)
            orphans = objects - await database.repository.referenced(objects)
        assert "evidence/old" not in objects
        assert "evidence/fresh" in orphans
        # The unfinished write of a verdict may have left its images; a later sweep deletes them.
        assert len(orphans) <= 1 + 3
        log = first_log + await server.written()
        server.terminate()
        assert await server.ended() == 0
    _says_nothing_secret(log, uploads, devices)


def _says_nothing_secret(
    log: str, uploads: dict[str, service_pb2.UploadTrustedImageResponse], devices: dict[str, RawDevice]
) -> None:
    assert '"event": "serving"' in log
    for name, upload in uploads.items():
        assert upload.scan_token not in log, name
        assert upload.scan_token[-40:] not in log, name
    for device in devices.values():
        number = device.session_key.private_numbers().private_value
        assert f"{number:x}" not in log
    for picture in pictures()[:COUNTED]:
        part = picture.jpeg[400:430]
        assert part.hex() not in log
        assert b64encode(picture.jpeg[399:429]).decode() not in log
        assert repr(part)[2:-1] not in log
    assert "array(" not in log
    assert "float32" not in log


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_kill_at_any_moment_of_a_scan_loses_nothing_acknowledged(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    moments = random.Random(5)
    for round_number in range(3):
        request_id = str(uuid4())
        acknowledged: list[scan_pb2.ScanResult] = []
        async with home.serving() as server:
            upload = await server.upload(request_id)
            device = RawDevice(server.device, upload)
            scanning = asyncio.ensure_future(_scan(device, acknowledged))
            await asyncio.sleep(moments.uniform(0.02, 1.6))
            await server.kill()
            await asyncio.gather(scanning, return_exceptions=True)
        async with home.serving() as server:
            assert await server.upload(request_id) == upload, round_number
            async with home.database() as database:
                state = (await database.record(upload.check_id)).state
            if acknowledged:
                assert state is CheckState.DECIDED
                assert _reasons(await server.finish(upload.check_id))[0] == "CONDITIONS"
            elif state is CheckState.CREATED:
                device.rebind(server.device)
                assert (await _whole(device)).status == scan_pb2.SCAN_STATUS_FAILURE
            else:
                answer = await server.finished(upload.check_id)
                assert _reasons(answer)[0] in {"INTERRUPTED", "CONDITIONS"}
            assert not [name for name in home.key_files() if name.startswith(".") or name.endswith(".tmp")]


async def _scan(device: RawDevice, acknowledged: list[scan_pb2.ScanResult]) -> None:
    stream = await device.open()
    acknowledged.append(await stream.run_attempt(pictures()[:COUNTED]))


@pytest.mark.slow
async def test_repeated_kills_use_up_reconnects_and_never_attempts_that_did_not_count(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    request_id = str(uuid4())
    async with home.serving() as server:
        upload = await server.upload(request_id)
        device = RawDevice(server.device, upload)
        await _capture(await device.open(), FEW)
        await server.kill()
    for _ in range(2):
        async with home.serving() as server:
            device.rebind(server.device)
            await _capture(await device.resume(), FEW)
            await server.kill()
    async with home.serving() as server:
        device.rebind(server.device)
        stream = await device.resume()
        assert stream.challenge.attempts_remaining == 1
        result = await stream.run_attempt(pictures()[:COUNTED])
        assert result.attempt == 4
        answer = await server.finish(upload.check_id)
        assert answer.result.transcript.streams == 4
        async with home.database() as database:
            outcomes = [attempt.outcome for attempt in await database.attempts(upload.check_id)]
        assert outcomes == [AttemptOutcome.INTERRUPTED] * 3 + [AttemptOutcome.DECIDED]


@pytest.mark.slow
async def test_the_scan_of_a_killed_server_may_be_resumed_after_its_lease(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    async with home.serving() as server:
        upload = await server.upload(str(uuid4()), policy="resumable")
        device = RawDevice(server.device, upload)
        await _capture(await device.open(), FEW)
        await server.kill()
    async with home.serving() as server:
        async with home.database() as database:
            record = await database.record(upload.check_id)
        assert record.lease_until is not None
        await asyncio.sleep(max(0.0, (record.lease_until - datetime.now(UTC)).total_seconds()) + 0.1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.finish(upload.check_id)
        refusal = refused(caught.value)
        assert (refusal.reason, refusal.metadata["state"]) == ("SCAN_IN_PROGRESS", "INTERRUPTED")
        device.rebind(server.device)
        assert (await (await device.resume()).run_attempt(pictures()[:COUNTED])).attempt == 2
        answer = await server.service.FinishCheck(
            service_pb2.FinishCheckRequest(check_id=upload.check_id, close_now=True)
        )
        assert answer.result.transcript.streams == 2
