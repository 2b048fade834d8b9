"""Whole streams against a real server, up to their result or another end."""

import asyncio
import gc
import math
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
import pytest
from facegate.v1 import device_pb2, feedback_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from attempt import AttemptCapture
from attempt.judgement import AttemptJudgement, judge_attempt
from lab.simulator.scene import ScanKind
from server.device.assessment import assess_device
from server.domain.terms import AttemptOutcome, CheckState, ImagePurpose
from server.scan.endings import LeaseLost
from server.scan.lease import HeldLease
from server.scan.messages import CaptureBudget
from server.scan.timing import AttemptPace
from server.storage.records import CheckRecord
from server.verdict import CheckStatus, FailureReason
from server.verdict.outcome import DeviceOutcome
from tests.sampling import some_fast
from tests.server.live import (
    FAST,
    LiveServer,
    Picture,
    fresh_pictures,
    pictures,
    serving,
    settings_for,
    until,
)
from tests.server.policy_files import write_policy
from tests.server.raw_device import Ended, RawDevice, RawStream, Request, opened
from tests.server.scan.records import hints, reasons, seen

# Whole streams against a real server, up to their result.


def _later(count: int | None = None) -> list[Picture]:
    """Return images for a second attempt; the capture clock rises over the whole stream."""
    return [replace(each, time_us=each.time_us + 10_000_000) for each in fresh_pictures()[:count]]


async def _succeeds(stream: RawStream) -> None:
    """The rest of an attempt that has begun."""
    assert (await stream.run_rest(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None


async def test_a_genuine_person_succeeds(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, subject_reference="subject", consent_reference="consent")
    result = await stream.run_attempt(pictures())
    assert await stream.outcome() is None

    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert not result.another_attempt
    assert not result.feedback
    record = await scene.record(check_id)
    assert record.state is CheckState.DECIDED
    assert record.status is CheckStatus.SUCCESS
    assert record.lease_until is None
    assert record.portrait_template is None
    (attempt,) = await scene.attempts(check_id)
    assert attempt.counted
    assert attempt.outcome is AttemptOutcome.DECIDED
    assert attempt.frames == stream.frames
    kinds = [entry.facts.purpose for entry in await scene.evidence(check_id)]
    assert kinds == [ImagePurpose.EVIDENCE_FRAME, ImagePurpose.AUDIT_IMAGE, ImagePurpose.AUDIT_IMAGE]

    answer = await scene.finish(check_id, audit_images=4)
    outcome = answer.result
    assert outcome.status == result_pb2.CHECK_STATUS_SUCCESS
    assert not outcome.reasons
    assert outcome.match.same_person
    assert outcome.transcript.intact
    assert outcome.transcript.frames == stream.frames
    assert outcome.subject_reference == "subject"
    assert outcome.consent_reference == "consent"
    sent = {picture.jpeg for picture in pictures()}
    assert answer.evidence_frame.image in sent
    assert len(answer.audit_images) == 2
    assert all(image.image in sent for image in answer.audit_images)
    assert (await scene.record(check_id)).state is CheckState.FINISHED


@pytest.mark.parametrize("ends", ["decided", "leaves", "tries no more"])
async def test_the_frames_of_an_ended_scan_are_free_at_once_without_the_collector(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    captures: weakref.WeakSet[AttemptCapture] = weakref.WeakSet()
    measured: list[None] = []
    measure = AttemptCapture.capture_frame

    def noted(capture: AttemptCapture, *args: Any, **kwargs: Any) -> Any:
        captures.add(capture)
        measured.append(None)
        return measure(capture, *args, **kwargs)

    monkeypatch.setattr(AttemptCapture, "capture_frame", noted)
    gc.disable()
    try:
        stream = await RawDevice(scene.device, await scene.upload()).open(**_READY)
        if ends == "leaves":
            await stream.begin()
            await stream.send(stream.frame(pictures()[0]))
            await until(lambda: bool(measured))
            stream.call.cancel()
        else:
            result = await stream.run_attempt(pictures() if ends == "decided" else pictures()[:9])
            assert result.another_attempt == (ends != "decided")
            assert measured
            await stream.half_close()
            await stream.outcome()
        await until(lambda: not captures)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("shown", "reason"),
    [(pictures("red-shirt"), "NOT_SAME_PERSON"), (pictures(kind=ScanKind.FROZEN_FRAME), "SPOOF")],
    ids=["another person", "frozen frame"],
)
async def test_an_adverse_finding_fails_and_is_not_asked_to_try_again(
    scene: LiveServer, shown: Sequence[Picture], reason: str
) -> None:
    check_id, _, stream = await opened(scene)
    result = await stream.run_attempt(shown)
    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    assert not result.another_attempt
    assert await stream.outcome() is None
    assert reason in await reasons(scene, check_id)


async def test_an_app_that_may_know_nothing_learns_nothing(scene: LiveServer) -> None:
    reported = []
    for person in ("astronaut", "red-shirt"):
        _, _, stream = await opened(scene, policy="silent")
        reported.append((await stream.run_attempt(pictures(person))).SerializeToString())
        assert await stream.outcome() is None
    assert reported[0] == reported[1]
    assert scan_pb2.ScanResult.FromString(reported[0]).status == scan_pb2.SCAN_STATUS_COMPLETED


async def test_a_camera_that_captures_too_few_images_is_told_so_while_it_can_be_helped(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Frames that a test sends at once, and not when they were captured, always wait for credit.
    monkeypatch.setattr("server.scan.timing._BUSY_SHARE", math.inf)
    _, _, stream = await opened(scene)
    slow = [replace(picture, time_us=2 * picture.time_us) for picture in pictures()]
    result = await stream.run_attempt(slow)
    assert hints(stream)[-1] == "CAPTURE_TOO_SLOW"
    assert result.status == scan_pb2.SCAN_STATUS_RETRY
    assert result.feedback == [feedback_pb2.FEEDBACK_CODE_CAPTURE_TOO_SLOW]
    await stream.half_close()
    assert await stream.outcome() is None


async def test_a_busy_server_says_so_during_the_capture(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AttemptPace, "busy", True)
    monkeypatch.setattr(AttemptPace, "too_slow", "NETWORK_TOO_SLOW")
    monkeypatch.setattr("server.scan.timing._BUSY_AFTER_SECONDS", 0.0)
    stream = await RawDevice(scene.device, await scene.upload()).open()
    await stream.run_attempt(pictures())
    assert "SERVER_BUSY" in hints(stream)
    assert "GOOD" not in hints(stream)
    await stream.half_close()
    await stream.outcome()


async def test_poor_conditions_give_another_attempt_in_the_same_stream(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)

    first = await stream.run_attempt(pictures()[:9])
    assert first.status == scan_pb2.SCAN_STATUS_RETRY
    assert first.another_attempt
    assert first.attempts_remaining == 2
    # The device did not state that it says when its person is ready.
    assert not first.HasField("ready_within")
    assert first.feedback
    assert (await scene.record(check_id)).state is CheckState.SCANNING

    second = await stream.run_attempt(_later())
    assert second.attempt == 2
    assert second.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    answer = await scene.finish(check_id)
    assert [a.outcome for a in answer.result.attempts] == [
        result_pb2.AttemptSummary.OUTCOME_RETRY,
        result_pb2.AttemptSummary.OUTCOME_DECIDED,
    ]


@pytest.mark.parametrize(
    ("policy", "attempts"), [("once", [9]), ("impatient", [7, 7])], ids=["that count", "of a few frames"]
)
async def test_used_up_attempts_decide(scene: LiveServer, policy: str, attempts: list[int]) -> None:
    check_id, _, stream = await opened(scene, policy=policy)
    shown = iter(pictures())
    *earlier, last = [await stream.run_attempt([*islice(shown, frames)]) for frames in attempts]
    assert all(result.another_attempt for result in earlier)
    assert last.status == scan_pb2.SCAN_STATUS_FAILURE
    assert not last.another_attempt
    assert await stream.outcome() is None
    assert (await reasons(scene, check_id))[0] == "CONDITIONS"


@pytest.mark.parametrize(("room", "another"), [(200, True), (60, True), (15, False)])
async def test_the_bytes_of_a_scan_are_for_all_of_its_attempts(
    tmp_path: Path, room: int, another: bool
) -> None:
    """Scarce bytes reduce the frame rate of another attempt; if too few are left, there is none."""
    shown = pictures()[:9]
    mean = sum(len(picture.jpeg) for picture in shown) / len(shown)
    budget = CaptureBudget(max_scan_bytes=round((len(shown) + room) * mean))
    async with serving(settings_for(tmp_path), tuning=replace(FAST, budget=budget)) as live:
        check_id, _, stream = await opened(live)
        first = await stream.run_attempt(shown)
        assert first.another_attempt is another
        if not another:
            assert first.status == scan_pb2.SCAN_STATUS_FAILURE
            assert await stream.outcome() is None
            assert (await reasons(live, check_id))[0] == "CONDITIONS"
            return
        assert (await stream.run_attempt(_later(12))).attempt == 2
        # First fewer frames, and then smaller ones, because the attempt may outlast its share of the bytes.
        asked = seen(stream, "capture_adjustment")
        assert [each.max_frames_per_second for each in asked] == ([12.0, 0.0] if room < 136 else [])
        assert [each.max_frame_bytes > 0 for each in asked] == ([False, True] if room < 136 else [])


async def test_attempts_that_do_not_count_end_too(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    attempts = 0
    again = True
    while again:
        again = (await stream.run_attempt(())).another_attempt
        attempts += 1
        assert attempts <= 40
    assert await stream.outcome() is None
    assert (await scene.record(check_id)).state is CheckState.DECIDED
    assert "CONDITIONS" in await reasons(scene, check_id)


# Streams that end before a result, and the stored state afterwards.


async def _nothing(_stream: RawStream) -> None:
    pass


async def _begun(stream: RawStream) -> None:
    await stream.start()
    await stream.begin()


async def _a_few_frames(stream: RawStream) -> None:
    await _begun(stream)
    await stream.send_frames(pictures()[:5])
    await stream.taken(5)


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
    "before the first frame": (_begun, 0),
    "after a few frames": (_a_few_frames, 1),
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


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ("", scan_pb2.SCAN_STATUS_RETRY),
        ("once", scan_pb2.SCAN_STATUS_FAILURE),
    ],
)
async def test_a_cancelled_attempt_never_succeeds(
    scene: LiveServer, policy: str, status: "scan_pb2.ScanStatus.ValueType"
) -> None:
    check_id, _, stream = await opened(scene, policy=policy)
    await stream.begin()
    await stream.send_frames(pictures())
    await stream.send(stream.end(cause=scan_pb2.AttemptEndBody.CAUSE_CANCELLED))
    assert (await stream.result()).status == status
    await stream.half_close()
    assert await stream.outcome() is None
    assert await reasons(scene, check_id) == ["CANCELLED"]


async def test_silence_ends_the_stream_and_not_the_scan(scene: LiveServer) -> None:
    check_id, device, stream = await opened(scene)
    await stream.begin()
    scene.world.pass_by(60.0)

    refusal = await stream.refusal()

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")
    assert (await scene.record(check_id)).state is CheckState.WAITING
    again = await device.resume()
    assert (await again.begin()).attempt == 1
    await again.half_close()
    assert await again.outcome() is None


async def test_a_complete_attempt_is_judged_while_its_device_signs_the_end(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = asyncio.Semaphore(0)
    loop, times = asyncio.get_running_loop(), 0

    def judge(*evidence: Any, **given: Any) -> AttemptJudgement:
        nonlocal times
        times += 1
        loop.call_soon_threadsafe(judged.release)
        return judge_attempt(*evidence, **given)

    bound: list[bool] = []

    def assess(**evidence: Any) -> DeviceOutcome:
        bound.append(evidence["transcript_bound"])
        return assess_device(**evidence)

    monkeypatch.setattr("server.scan.judging.judge_attempt", judge)
    monkeypatch.setattr("server.scan.judging.assess_device", assess)
    check_id, _, stream = await opened(scene)
    await stream.begin()
    await stream.send_frames(pictures())
    await stream.wait_complete()
    await asyncio.wait_for(judged.acquire(), timeout=60)
    # It decides nothing until the device has signed the transcript.
    assert (await scene.record(check_id)).state is CheckState.SCANNING
    await stream.send(stream.end())
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    # Its device is assessed once, too, as if the end was signed.
    assert (times, bound) == (1, [True])


async def test_the_scan_deadline_ends_a_running_scan(tmp_path: Path) -> None:
    # The stream comes upon its deadline itself, not the sweep.
    async with serving(settings_for(tmp_path), tuning=replace(FAST, sweep_seconds=600.0)) as live:
        check_id, device, stream = await opened(live, policy="short")
        await stream.begin()

        live.clock.ahead = timedelta(seconds=181)
        assert await stream.outcome() is None

        assert stream.goodbyes() == ["DEADLINE"]
        assert (await reasons(live, check_id))[0] == "EXPIRED"
        late = device.connect()
        with pytest.raises(Exception, match="TOKEN_EXPIRED"):
            await late.start(resume=True)


@pytest.mark.parametrize("leave", ["goes on", pytest.param("half-close", marks=pytest.mark.slow)])
async def test_a_newer_stream_fences_the_older_which_cannot_close_the_scan(
    scene: LiveServer, leave: str
) -> None:
    _, device, old = await opened(scene)
    await old.begin()
    await old.send_frames(pictures()[:4])
    await old.taken(4)
    new = await device.resume()
    await new.begin()
    if leave == "goes on":
        with pytest.raises(Ended):
            await old.send_frames(pictures()[4:])
    else:
        await old.half_close()
    refusal = await old.refusal()
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "SUPERSEDED")
    assert old.goodbyes() == ["SUPERSEDED"]
    await _succeeds(new)


@pytest.mark.parametrize("notices", some_fast(["when its lease is due", "when it ends"], step=2))
async def test_a_stream_that_is_fenced_before_its_signed_end_leaves_no_pictures(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch, notices: str
) -> None:
    check_id, device, old = await opened(scene)
    await old.begin()
    await old.send_frames(pictures())
    # Its images are stored after CaptureComplete; ``scene`` searches for images without a row.
    await old.wait_complete()
    new = await device.resume()
    await new.begin()
    if notices == "when it ends":
        await old.send(old.end())
    else:
        renew = HeldLease.renew

        async def lost(lease: HeldLease) -> None:
            if lease._record.lease_epoch == 1:
                raise LeaseLost
            await renew(lease)

        with monkeypatch.context() as patch:
            patch.setattr(HeldLease, "renew", lost)
            await old.send(old.end())
            await old.outcome()
    refusal = await old.refusal()
    assert refusal.reason == "SUPERSEDED"
    await _succeeds(new)
    assert {entry.facts.attempt for entry in await scene.evidence(check_id)} == {2}


# The wait between two attempts until the person is ready, on a real server.

_READY: dict[str, Any] = {"capabilities": [scan_pb2.CAPABILITY_READY]}
_FEW = 9


async def _interval(
    live: LiveServer, *, policy: str = ""
) -> tuple[service_pb2.UploadTrustedImageResponse, RawDevice, RawStream, scan_pb2.ScanResult]:
    """Return a stream between its first attempt, which had too few frames, and its second."""
    # They are rendered before the stream is open: a busy machine takes longer than the server waits.
    shown = fresh_pictures()[:_FEW]
    upload = await live.upload(policy=policy)
    device = RawDevice(live.device, upload)
    stream = await device.open(**_READY)
    result = await stream.run_attempt(shown)
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_RETRY, True)
    return upload, device, stream, result


async def _attempt_after(stream: RawStream, *, seconds: float) -> scan_pb2.AttemptStart:
    """Return the next attempt, which does not start until the device is ready, after ``seconds``."""
    starting = asyncio.ensure_future(stream.begin())
    await asyncio.wait({starting}, timeout=seconds)
    assert not starting.done()
    await stream.ready()
    return await starting


async def test_the_next_attempt_starts_when_the_person_is_ready(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    # Silence of a minute ends an attempt under this policy, but not the wait between attempts.
    write_policy(tmp_path / "policies", "patient", idle_seconds=60, ready_seconds=180, scan_seconds=3600)
    async with serving(settings) as live:
        upload, _, stream, result = await _interval(live, policy="patient")
        assert result.ready_within.seconds == 180
        starting = asyncio.ensure_future(stream.begin())
        for _ in range(2):
            live.world.pass_by(61.0)
            before = await live.record(upload.check_id)

            async def renewed(before: CheckRecord = before) -> bool:
                return _lease_until(await live.record(upload.check_id)) > _lease_until(before)

            # The lease is renewed during the wait.
            await until(renewed)
        assert not starting.done()
        await stream.ready()
        assert (await starting).attempt == 2
        assert (await live.record(upload.check_id)).state is CheckState.SCANNING
        assert (await stream.run_rest(_later())).status == scan_pb2.SCAN_STATUS_SUCCESS
        assert await stream.outcome() is None


def _lease_until(record: CheckRecord) -> datetime:
    assert record.lease_until is not None
    return record.lease_until


@pytest.mark.slow
async def test_a_device_that_is_not_ready_in_time_may_return(scene: LiveServer) -> None:
    upload, device, stream, _ = await _interval(scene, policy="unready")
    refusal = await stream.refusal()
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")
    assert refusal.metadata["idleSeconds"] == "2.0"
    await scene.reaches(upload.check_id, CheckState.WAITING)
    # A new stream begins with an attempt at once, because the person is present.
    again = await device.resume()
    assert (await again.run_attempt(_later())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None


async def test_evidence_may_come_while_the_person_gets_ready(scene: LiveServer) -> None:
    _, _, stream, _ = await _interval(scene)
    unavailable = device_pb2.Attestation(unavailable=device_pb2.AttestationUnavailable())
    await stream.send(Request(attestation=unavailable))
    assert (await _attempt_after(stream, seconds=0.3)).attempt == 2
    assert (await stream.run_rest(_later())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None


async def test_leaving_before_ready_ends_the_scan(scene: LiveServer) -> None:
    upload, _, stream, _ = await _interval(scene)
    await stream.half_close()
    assert await stream.outcome() is None
    answer = await scene.finish(upload.check_id)
    assert result_pb2.FAILURE_REASON_ABANDONED in answer.result.reasons


async def test_a_newer_stream_takes_over_from_one_that_waits(scene: LiveServer) -> None:
    _, device, stream, _ = await _interval(scene)
    again = await device.resume()
    assert (await again.begin()).attempt == 2
    with pytest.raises(Ended):
        await stream.begin()
    assert stream.goodbyes() == ["SUPERSEDED"]
    await again.vanish()


async def test_a_server_that_stops_does_not_wait_for_the_person(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path)) as live:
        _, _, stream, _ = await _interval(live)
        began = time.monotonic()
        await live.server.drain()
        assert time.monotonic() - began < 50
        assert await stream.outcome() is None
        assert stream.goodbyes() == ["DRAINING"]


async def test_the_wait_never_reaches_beyond_the_scan_deadline(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path), tuning=replace(FAST, sweep_seconds=60.0)) as live:
        _, _, stream = await opened(live, _READY)
        await stream.begin()
        live.clock.ahead = timedelta(seconds=160)
        result = await stream.run_rest(fresh_pictures()[:_FEW])
        assert result.another_attempt
        assert 5 < result.ready_within.seconds < 20
        live.clock.ahead = timedelta(seconds=181)
        assert await stream.outcome() is None
        assert stream.goodbyes() == ["DEADLINE"]


async def _in_an_attempt(stream: RawStream) -> None:
    await stream.ready()
    await stream.begin()
    await stream.send(stream.frame(_later(1)[0]))
    await stream.ready()


async def _twice(stream: RawStream) -> None:
    await stream.ready()
    await stream.ready()


async def _a_frame(stream: RawStream) -> None:
    await stream.send(stream.frame(_later(1)[0]))


@pytest.mark.parametrize("act", [_in_an_attempt, _twice, _a_frame])
async def test_an_unexpected_message_before_ready_is_refused_without_harm(
    scene: LiveServer, act: Callable[[RawStream], Awaitable[None]]
) -> None:
    upload, _, stream, _ = await _interval(scene)
    await act(stream)
    refusal = await stream.refusal()
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNEXPECTED_MESSAGE")
    await scene.reaches(upload.check_id, CheckState.WAITING)


async def test_ready_before_the_result_is_refused(scene: LiveServer) -> None:
    _, _, stream = await opened(scene, _READY)
    await stream.begin()
    await stream.send_frames(fresh_pictures()[:_FEW])
    await stream.send(stream.end())
    await stream.ready()
    assert (await stream.result()).another_attempt
    refusal = await stream.refusal()
    assert refusal.reason == "UNEXPECTED_MESSAGE"
