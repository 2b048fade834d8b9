"""A store that fails during a scan: it is no failure of the person, and adverse judgements stand."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client.result_keys import fetch_key_set
from facegate_client.result_signature import verify_response
from server.domain.terms import AttemptOutcome, CheckState, EndedBy
from server.evidence.store import EvidenceStore
from server.scan.ends import ScanEnds
from server.storage.errors import StorageUnavailable
from server.storage.repository import CheckRepository
from tests.server.live import LiveServer, Picture, pictures, serving, settings_for
from tests.server.raw_device import Ended, RawDevice, RawStream
from tests.server.refusals import Refused
from tests.server.silent_store import silent_store

_Summary = result_pb2.AttemptSummary
_Problem = service_pb2.EvidenceProblem
_BEFORE = 10
"""Frames before the store fails; images are stored once there are enough frames."""


@contextmanager
def _store_away(live: LiveServer) -> Iterator[None]:
    """Makes the store fail every read and write inside the block."""
    folder = Path(live.settings.objects_url)
    away = folder.with_name("away")
    folder.rename(away)
    folder.write_bytes(b"")
    try:
        yield
    finally:
        folder.unlink()
        away.rename(folder)


async def _ended(stream: RawStream) -> Refused:
    """Returns how the server ended a stream that waits for its result."""
    with pytest.raises(Ended) as caught:
        await stream.result()
    assert caught.value.refusal is not None
    return caught.value.refusal


async def _undecided(live: LiveServer, check_id: str, reason: str) -> service_pb2.FinishCheckResponse:
    """Returns the result of FinishCheck, which must be signed and not concern the person."""
    answer = await live.finish(check_id, close_now=True, audit_images=2)
    result = answer.result
    assert result.status == result_pb2.CHECK_STATUS_NOT_DECIDED
    assert [result_pb2.FailureReason.Name(each) for each in result.reasons] == [f"FAILURE_REASON_{reason}"]
    assert not result.HasField("liveness")
    assert not result.HasField("match")
    keys = await fetch_key_set(f"http://127.0.0.1:{live.server.admin_port}/.well-known/jwks.json")
    assert verify_response(answer, keys, check_id=check_id, accept_sandbox=True) == result
    return answer


async def test_an_unavailable_store_is_no_failure_of_the_person(scene: LiveServer) -> None:
    upload = await scene.upload(policy="once")
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures()[:_BEFORE])
    with _store_away(scene):
        await stream.send_frames(pictures()[_BEFORE:])
        await stream.send(stream.end())
        refusal = await _ended(stream)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
        assert refusal.retry_seconds
        assert stream.goodbyes() == ["SERVER_FAULT"]
        assert next(
            message.goodbye.HasField("reconnect_after")
            for message in stream.seen
            if message.WhichOneof("message") == "goodbye"
        )
        await scene.reaches(upload.check_id, CheckState.WAITING)
    (attempt,) = await scene.attempts(upload.check_id)
    assert (attempt.outcome, attempt.ended_by) == (AttemptOutcome.INTERRUPTED, EndedBy.SERVER_FAULT)
    assert not attempt.counted
    assert attempt.judgement is None
    assert attempt.verdict is None
    assert await scene.evidence(upload.check_id) == ()

    answer = await _undecided(scene, upload.check_id, "SERVER_FAULT")

    (summary,) = answer.result.attempts
    assert summary.ended_by == _Summary.ENDED_BY_SERVER_FAULT
    assert summary.verdict == result_pb2.LIVENESS_VERDICT_UNSPECIFIED
    assert not answer.HasField("evidence_frame")


@pytest.mark.slow
async def test_a_hanging_store_is_no_failure_of_the_person_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with silent_store() as silent:
        for name, value in silent.environment.items():
            monkeypatch.setenv(name, value)
        settings = settings_for(tmp_path, storage={"objects_url": "s3://evidence"})
        async with serving(settings) as live:
            upload = await live.upload(policy="once")
            stream = await RawDevice(live.device, upload).open()
            await stream.begin()
            await stream.send_frames(pictures())
            begun = time.monotonic()
            await stream.send(stream.end())
            refusal = await _ended(stream)
            assert time.monotonic() - begun < 15
            assert any(line.startswith(b"PUT /evidence/evidence/") for line in silent.asked)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
            assert stream.goodbyes() == ["SERVER_FAULT"]
            (attempt,) = await live.attempts(upload.check_id)
            assert (attempt.outcome, attempt.ended_by) == (AttemptOutcome.INTERRUPTED, EndedBy.SERVER_FAULT)
            assert not attempt.counted
            await _undecided(live, upload.check_id, "SERVER_FAULT")


async def test_a_return_after_a_fault_loses_no_attempt(scene: LiveServer) -> None:
    upload = await scene.upload(policy="once")
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()
    await stream.send_frames(pictures()[:_BEFORE])
    with _store_away(scene):
        await stream.send_frames(pictures()[_BEFORE:])
        await stream.send(stream.end())
        await _ended(stream)
    again = await device.resume()
    assert again.challenge.attempts_remaining == 1
    result = await again.run_attempt(pictures())
    assert await again.outcome() is None
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    answer = await scene.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert [summary.ended_by for summary in answer.result.attempts] == [
        _Summary.ENDED_BY_SERVER_FAULT,
        _Summary.ENDED_BY_SIGNED,
    ]


async def test_giving_up_after_a_fault_is_not_judged(scene: LiveServer) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()
    await stream.send_frames(pictures()[:_BEFORE])
    with _store_away(scene):
        await stream.send_frames(pictures()[_BEFORE:])
        await stream.send(stream.end())
        await _ended(stream)
    again = await device.resume()
    await again.begin()
    await again.half_close()
    assert await again.outcome() is None
    await _undecided(scene, upload.check_id, "SERVER_FAULT")


@pytest.mark.parametrize("sent", [pictures("red-shirt")], ids=["another person"])
async def test_findings_against_the_person_survive_a_store_fault(
    scene: LiveServer, sent: tuple[Picture, ...]
) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(sent[:_BEFORE])
    with _store_away(scene):
        await stream.send_frames(sent[_BEFORE:])
        await stream.send(stream.end())
        result = await stream.result()
        assert result.status == scan_pb2.SCAN_STATUS_FAILURE
        assert await stream.outcome() is None
        answer = await scene.finish(upload.check_id)
        assert {problem.kind for problem in answer.evidence_problems} == {_Problem.KIND_UNAVAILABLE}
    answer = await scene.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result_pb2.FAILURE_REASON_NOT_SAME_PERSON in answer.result.reasons
    # The result names the adverse frame, and FinishCheck reports that its image is lost.
    assert not answer.HasField("evidence_frame")
    assert [(problem.kind, problem.picture) for problem in answer.evidence_problems] == [
        (_Problem.KIND_LOST, answer.result.evidence_frame)
    ]


async def test_a_device_that_leaves_is_not_excused_by_a_store_that_is_away(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures()[:10])
    await stream.taken(10)
    with _store_away(scene):
        await stream.vanish()
        await scene.reaches(upload.check_id, CheckState.WAITING)
        answer = await scene.finish(upload.check_id, close_now=True)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert answer.result.reasons[0] == result_pb2.FAILURE_REASON_ABANDONED
    (summary,) = answer.result.attempts
    assert summary.ended_by == _Summary.ENDED_BY_CONNECTION_LOST
    assert summary.verdict != result_pb2.LIVENESS_VERDICT_UNSPECIFIED


@pytest.mark.parametrize(("write", "frames"), [("start_attempt", 1), ("count_attempt", 8)])
async def test_a_database_error_is_recorded_in_the_attempt(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch, write: str, frames: int
) -> None:
    genuine = getattr(CheckRepository, write)
    failed: list[str] = []

    async def failing(*args: Any, **kwargs: Any) -> Any:
        if not failed:
            failed.append(write)
            raise StorageUnavailable("the database failed")
        return await genuine(*args, **kwargs)

    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    monkeypatch.setattr(CheckRepository, write, failing)
    await stream.begin()
    await stream.send_frames(pictures()[:frames])
    refusal = await _ended(stream)
    assert refusal.reason == "NOT_SERVING"
    assert failed
    await scene.reaches(upload.check_id, CheckState.WAITING)
    (attempt,) = await scene.attempts(upload.check_id)
    assert (attempt.ended_by, attempt.counted) == (EndedBy.SERVER_FAULT, False)
    await _undecided(scene, upload.check_id, "SERVER_FAULT")


async def test_a_fault_that_shows_after_the_device_came_back_is_still_a_fault(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, concluding = asyncio.Event(), asyncio.Event()
    genuine, conclude = EvidenceStore.put, ScanEnds.conclude

    async def concluded(ends: ScanEnds, *args: Any) -> Any:
        concluding.set()
        return await conclude(ends, *args)

    async def fail_the_first(store: EvidenceStore, *picture: Any) -> None:
        # The other images of the attempt were stored and must be deleted.
        if storing.is_set():
            await genuine(store, *picture)
            return
        storing.set()
        await asyncio.sleep(1.5)
        raise StorageUnavailable("the object store failed")

    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()
    with monkeypatch.context() as patched:
        patched.setattr(EvidenceStore, "put", fail_the_first)
        patched.setattr(ScanEnds, "conclude", concluded)
        await stream.send_frames(pictures())
        await stream.send(stream.end())
        await storing.wait()
        await concluding.wait()
    # The device does not wait as long as the server.
    await stream.vanish()
    again = await device.resume()
    result = await again.run_attempt(pictures())
    assert await again.outcome() is None
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    first, second = await scene.attempts(upload.check_id)
    assert (first.ended_by, first.counted) == (EndedBy.SERVER_FAULT, False)
    assert (second.ended_by, second.counted) == (EndedBy.SIGNED, True)
