"""Streams that end before a result, and the stored state afterwards."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from facegate.v1 import result_pb2, scan_pb2

from attempt.judgement import AttemptJudgement, judge_attempt
from server.domain.terms import AttemptOutcome, CheckState
from server.scan.attempt import AttemptRun
from server.scan.endings import LeaseLost
from server.verdict import FailureReason
from tests.sampling import some_fast
from tests.server.live import LiveServer, pictures, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.raw_device import Ended, RawDevice, RawStream
from vision.face import BgrImage, DetectedFace
from vision.packs.interfaces import FaceDetector

_Body = scan_pb2.AttemptEndBody


async def _reasons(live: LiveServer, check_id: str) -> list[str]:
    answer = await live.finish(check_id)
    assert answer.result.check_id == check_id
    return [result_pb2.FailureReason.Name(r).removeprefix("FAILURE_REASON_") for r in answer.result.reasons]


async def _nothing(_stream: RawStream) -> None:
    pass


async def _challenged(stream: RawStream) -> None:
    await stream.start()


async def _begun(stream: RawStream) -> None:
    await stream.start()
    await stream.begin()


async def _a_few_frames(stream: RawStream) -> None:
    await _begun(stream)
    await stream.send_frames(pictures()[:5])
    await stream.taken(5)


async def _many_frames(stream: RawStream) -> None:
    await _begun(stream)
    await stream.send_frames(pictures()[:14])
    await stream.taken(14)


async def _complete(stream: RawStream) -> None:
    await _begun(stream)
    await stream.send_frames(pictures())
    await stream.wait_complete()


async def _retrying(stream: RawStream) -> None:
    await stream.start()
    await stream.run_attempt(pictures()[:9])


Point = Callable[[RawStream], Awaitable[None]]
POINTS: dict[str, tuple[Point, int | None]] = {
    # The point of the end, and the number of stored attempts; None if no scan began.
    "before the start": (_nothing, None),
    "after the challenge": (_challenged, 0),
    "before the first frame": (_begun, 0),
    "after a few frames": (_a_few_frames, 1),
    "after enough frames to count": (_many_frames, 1),
    "after CaptureComplete": (_complete, 1),
    "after a retry": (_retrying, 1),
}


@pytest.mark.parametrize("point", some_fast(POINTS, step=3))
async def test_a_half_close_ends_the_scan(scene: LiveServer, point: str) -> None:
    upload = await scene.upload()
    reach, attempts = POINTS[point]
    stream = RawDevice(scene.device, upload).connect()
    await reach(stream)

    await stream.half_close()
    assert await stream.outcome() is None

    record = await scene.record(upload.check_id)
    assert record.lease_until is None
    if attempts is None:
        assert record.state is CheckState.CREATED
        return
    assert record.state is CheckState.DECIDED
    assert record.reasons
    assert record.reasons[0] is FailureReason.ABANDONED
    stored = await scene.attempts(upload.check_id)
    assert len(stored) == attempts
    assert all(attempt.outcome is not None for attempt in stored)
    answer = await scene.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    if attempts:
        # The signed result contains the facts about an attempt that was left early.
        assert answer.evidence_frame.image
        assert answer.evidence_frame.sha256 == answer.result.evidence_frame.sha256
    else:
        assert not answer.HasField("evidence_frame")


@pytest.mark.parametrize("point", some_fast(POINTS, step=3))
async def test_a_device_that_vanishes_may_come_back(scene: LiveServer, point: str) -> None:
    upload = await scene.upload()
    reach, attempts = POINTS[point]
    device = RawDevice(scene.device, upload)
    stream = device.connect()
    await reach(stream)

    await stream.vanish()
    await scene.unattended()

    record = await scene.record(upload.check_id)
    assert record.lease_until is None
    if attempts is None:
        assert record.state is CheckState.CREATED
        return
    assert record.state is CheckState.WAITING
    assert all(attempt.outcome is not None for attempt in await scene.attempts(upload.check_id))

    again = await device.resume()
    result = await again.run_attempt(pictures())
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None
    answer = await scene.finish(upload.check_id)
    assert answer.result.transcript.streams == 2


class _HeldDetector:
    """A detector that holds its next image, once requested, until it is released; on worker threads."""

    def __init__(self, model: FaceDetector) -> None:
        self._model = model
        self.hold, self.held, self.release = (threading.Event() for _ in range(3))

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        if self.hold.is_set():
            self.hold.clear()
            self.held.set()
            assert self.release.wait(60)
        return self._model.detect(image)


async def test_an_attempt_is_put_away_after_the_frame_that_is_worked_on_when_its_device_vanishes(
    tmp_path: Path,
) -> None:
    detector = _HeldDetector(remembering_pack().detector)
    async with serving(settings_for(tmp_path), pack=replace(remembering_pack(), detector=detector)) as live:
        upload = await live.upload()
        stream = await RawDevice(live.device, upload).open()
        await stream.begin()
        await stream.send_frames(pictures()[:12])
        await stream.taken(12)
        detector.hold.set()
        await stream.send_frames(pictures()[12:16])
        assert await asyncio.to_thread(detector.held.wait, 20)

        await stream.vanish()
        await asyncio.sleep(1.0)
        assert live.server.scans == 1
        assert (await live.record(upload.check_id)).state is CheckState.SCANNING
        assert [attempt.outcome for attempt in await live.attempts(upload.check_id)] == [None]

        detector.release.set()
        await live.unattended()
        assert (await live.record(upload.check_id)).state is CheckState.WAITING
        (attempt,) = await live.attempts(upload.check_id)
        assert attempt.outcome is AttemptOutcome.INTERRUPTED
        assert attempt.judgement is not None


async def test_a_verdict_outlives_a_device_that_vanishes_after_attempt_end(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures("red-shirt"))
    await stream.send(stream.end())
    await stream.vanish()
    await scene.unattended()

    record = await scene.record(upload.check_id)
    assert record.lease_until is None
    # Only the network knows whether the end arrived. Without it, such a short attempt is not held against the
    # person.
    assert record.state in {CheckState.DECIDED, CheckState.WAITING}
    expected = "NOT_SAME_PERSON" if record.state is CheckState.DECIDED else "ABANDONED"
    assert expected in await _reasons(scene, upload.check_id)


async def test_no_attempt_follows_a_cancellation(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures()[:3])
    await stream.send(stream.end(cause=_Body.CAUSE_CANCELLED))
    await stream.result()
    await stream.half_close()
    assert await stream.outcome() is None
    assert (await _reasons(scene, upload.check_id))[0] == "CANCELLED"


@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_cancelled_attempt_never_succeeds(scene: LiveServer, attempts: int) -> None:
    upload = await scene.upload(policy="once" if attempts == 1 else "")
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures())
    await stream.send(stream.end(cause=_Body.CAUSE_CANCELLED))
    result = await stream.result()
    assert result.status == (scan_pb2.SCAN_STATUS_FAILURE if attempts == 1 else scan_pb2.SCAN_STATUS_RETRY)
    await stream.half_close()
    assert await stream.outcome() is None
    assert await _reasons(scene, upload.check_id) == ["CANCELLED"]


async def test_silence_ends_the_stream_and_not_the_scan(scene: LiveServer) -> None:
    upload = await scene.upload(policy="hasty")
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()

    refusal = await stream.outcome()

    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")
    assert (await scene.record(upload.check_id)).state is CheckState.WAITING
    again = await device.resume()
    assert (await again.begin()).attempt == 1
    await again.half_close()
    assert await again.outcome() is None


async def test_a_device_that_does_not_end_a_complete_attempt_is_left(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures())
    await stream.wait_complete()

    refusal = await stream.outcome()

    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")
    assert (await scene.record(upload.check_id)).state is CheckState.WAITING


async def test_a_complete_attempt_is_judged_while_its_device_signs_the_end(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = asyncio.Semaphore(0)
    loop, times = asyncio.get_running_loop(), 0

    def judge(**evidence: Any) -> AttemptJudgement:
        nonlocal times
        times += 1
        loop.call_soon_threadsafe(judged.release)
        return judge_attempt(**evidence)

    monkeypatch.setattr("server.scan.judging.judge_attempt", judge)
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures())
    await stream.wait_complete()
    await asyncio.wait_for(judged.acquire(), timeout=10)
    # It decides nothing until the device has signed the transcript.
    assert (await scene.record(upload.check_id)).state is CheckState.SCANNING
    await stream.send(stream.end())
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    assert times == 1


async def test_no_start_is_an_idle_stream(scene: LiveServer) -> None:
    stream = RawDevice(scene.device, await scene.upload()).connect()
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")


@pytest.mark.slow
async def test_an_attempt_that_takes_too_long_is_complete(scene: LiveServer) -> None:
    upload = await scene.upload(policy="hasty")
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    sent = 0
    while not stream.complete:
        # Too few frames to be enough, but never silent for so long that the stream is idle.
        await stream.send(stream.frame(pictures()[sent]))
        sent += 1
        await stream.taken(sent)
        assert sent < 12
        await asyncio.sleep(0.4)
    await stream.send(stream.end(cause=_Body.CAUSE_TIMED_OUT))
    assert (await stream.result()).another_attempt
    await stream.half_close()
    assert await stream.outcome() is None


async def test_the_scan_deadline_ends_a_running_scan(scene: LiveServer) -> None:
    upload = await scene.upload(policy="brief")
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()

    assert await stream.outcome() is None

    assert stream.goodbyes() == ["DEADLINE"]
    assert (await _reasons(scene, upload.check_id))[0] == "EXPIRED"
    late = device.connect()
    with pytest.raises(Exception, match="TOKEN_EXPIRED"):
        await late.start(resume=True)


async def test_a_newer_stream_fences_the_older(scene: LiveServer) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    old = await device.open()
    await old.begin()
    await old.send_frames(pictures()[:4])
    await old.taken(4)

    new = await device.resume()
    await new.begin()
    with pytest.raises(Ended):
        await old.send_frames(pictures()[4:])
    refusal = await old.outcome()

    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "SUPERSEDED")
    assert old.goodbyes() == ["SUPERSEDED"]
    await new.send_frames(pictures())
    await new.send(new.end())
    assert (await new.result()).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await new.outcome() is None


@pytest.mark.parametrize("leave", some_fast(["half-close", "broken transcript", "vanish"], step=3))
async def test_a_fenced_stream_cannot_close_the_scan(scene: LiveServer, leave: str) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    old = await device.open()
    await old.begin()
    await old.send_frames(pictures()[:4])
    await old.taken(4)
    new = await device.resume()
    await new.begin()

    if leave == "vanish":
        await old.vanish()
    elif leave == "half-close":
        await old.half_close()
    else:
        await old.send(old.end(frame_count=3))
    if leave != "vanish":
        refusal = await old.outcome()
        assert refusal is not None
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "SUPERSEDED")

    await new.send_frames(pictures())
    await new.send(new.end())
    assert (await new.result()).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await new.outcome() is None


@pytest.mark.parametrize("notices", some_fast(["when its lease is due", "when it ends"], step=2))
async def test_a_stream_that_is_fenced_before_its_signed_end_leaves_no_pictures(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch, notices: str
) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    old = await device.open()
    await old.begin()
    await old.send_frames(pictures())
    # Its images are stored after CaptureComplete; ``scene`` searches for images without a row.
    await old.wait_complete()
    new = await device.resume()
    await new.begin()
    if notices == "when it ends":
        await old.send(old.end())
    else:

        async def lost(run: AttemptRun) -> None:
            raise LeaseLost

        with monkeypatch.context() as patch:
            patch.setattr(AttemptRun, "renew_lease", lost)
            await old.send(old.end())
            await old.outcome()
    refusal = await old.outcome()
    assert refusal is not None
    assert refusal.reason == "SUPERSEDED"
    await new.send_frames(pictures())
    await new.send(new.end())
    assert (await new.result()).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await new.outcome() is None
    assert {entry.attempt for entry in await scene.evidence(upload.check_id)} == {2}
