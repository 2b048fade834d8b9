"""Attempts that end without a signature: an adverse judgement stands, however the connection was lost.

The attack here is a frozen image, which is detected whatever colours are drawn.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from facegate.v1 import result_pb2, scan_pb2

from server.checks.recorder import CheckRecorder
from server.domain.terms import AttemptOutcome, CheckState, EndedBy, Mode, Plan
from server.scan.attempt import AttemptClocks, AttemptRun
from server.scan.endings import ScanDeadlinePassed
from server.verdict import FailureReason
from simulator.scene import ScanKind
from tests.sampling import some_fast
from tests.server.live import LiveServer, Picture, pictures
from tests.server.raw_device import RawDevice, RawStream

_ENOUGH = 36
"""Images that are enough to decide an attempt that is left early, at ten per second."""

_TOO_FEW = 14
"""Images that are enough for an attempt to count, but not to decide against it."""

_GENUINE = pictures(count=_ENOUGH)
_ATTACK = pictures(kind=ScanKind.FROZEN_FRAME, count=_ENOUGH)
_SOMEBODY_ELSE = pictures("red-shirt", count=_ENOUGH)

_SPOOF, _ANOTHER = FailureReason.SPOOF, FailureReason.NOT_SAME_PERSON
_MODES = {Mode.EXPRESS: scan_pb2.MODE_EXPRESS, Mode.DYNAMIC: scan_pb2.MODE_DYNAMIC}
_PLANS = {Mode.EXPRESS: Plan.EXPRESS, Mode.DYNAMIC: Plan.FLASH}
_FLASH = [scan_pb2.CAPABILITY_FLASH]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server does not end a stream that sends nothing: on a busy machine a newer one may come late."""
    monkeypatch.setattr(AttemptClocks, "require_activity", lambda *_: None)


@dataclass(frozen=True)
class _Shown:
    """A stream whose first attempt has frames and was not ended."""

    check_id: str
    device: RawDevice
    stream: RawStream
    mode: Mode


async def _show(
    scene: LiveServer,
    shown: Sequence[Picture],
    *,
    mode: Mode = Mode.EXPRESS,
    policy: str = "",
    frames: int = _ENOUGH,
) -> _Shown:
    upload = await scene.upload(mode=_MODES[mode], policy=policy)
    device = RawDevice(scene.device, upload)
    stream = await device.open(capabilities=_FLASH)
    await stream.begin()
    await stream.send_frames(shown[:frames])
    await stream.taken(frames)
    return _Shown(upload.check_id, device, stream, mode)


async def _assert_stands(
    scene: LiveServer, shown: _Shown, reason: FailureReason, ended_by: EndedBy, *also: FailureReason
) -> None:
    """Asserts that the left attempt decided the check, which is closed to its device."""
    record = await scene.record(shown.check_id)
    assert record.state is CheckState.DECIDED
    assert record.reasons
    assert record.reasons[: len(also) + 1] == (*also, reason)
    assert FailureReason.ABANDONED not in record.reasons
    attempt, *_ = await scene.attempts(shown.check_id)
    assert attempt.outcome is AttemptOutcome.DECIDED
    assert (attempt.mode, attempt.plan) == (shown.mode, _PLANS[shown.mode])
    assert attempt.ended_by is ended_by
    answer = await scene.finish(shown.check_id, audit_images=2)
    result = answer.result
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result.liveness.used_mode == _MODES[shown.mode]
    assert not result.transcript.intact
    assert result.transcript.frames >= result.transcript.frames_examined > 0
    reported = result.attempts[0]
    assert reported.mode == _MODES[shown.mode]
    assert reported.plan == scan_pb2.Plan.Value(f"PLAN_{_PLANS[shown.mode]}")
    assert reported.ended_by == result_pb2.AttemptSummary.EndedBy.Value(f"ENDED_BY_{ended_by}")
    assert reported.verdict == result.liveness.verdict
    assert reported.outcome == result_pb2.AttemptSummary.OUTCOME_DECIDED
    if reason is _SPOOF:
        assert result.liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF
    if reason is _ANOTHER:
        assert not result.match.same_person
    assert answer.evidence_frame.sha256 == result.evidence_frame.sha256
    assert len(answer.audit_images) == 2
    assert (await shown.device.refusal()).reason == "CHECK_CLOSED"


async def _vanishes(stream: RawStream) -> EndedBy:
    await stream.vanish()
    return EndedBy.CONNECTION_LOST


async def _half_closes(stream: RawStream) -> EndedBy:
    await stream.half_close()
    assert await stream.outcome() is None
    return EndedBy.HALF_CLOSED


async def _breaks_a_rule(stream: RawStream) -> EndedBy:
    await stream.prove()
    refusal = await stream.outcome()
    assert refusal is not None
    assert refusal.reason == "UNEXPECTED_MESSAGE"
    return EndedBy.REFUSED


Leave = Callable[[RawStream], Awaitable[EndedBy]]


@pytest.mark.parametrize("leave", some_fast([_vanishes, _half_closes, _breaks_a_rule], step=3))
@pytest.mark.parametrize("mode", list(Mode))
async def test_a_detected_attack_counts_after_an_early_departure(
    scene: LiveServer, mode: Mode, leave: Leave
) -> None:
    shown = await _show(scene, _ATTACK, mode=mode)
    ended_by = await leave(shown.stream)
    await scene.unattended()
    await _assert_stands(scene, shown, _SPOOF, ended_by)


@pytest.mark.parametrize("mode", some_fast(Mode, step=2))
async def test_a_detected_other_person_counts_after_an_early_departure(scene: LiveServer, mode: Mode) -> None:
    shown = await _show(scene, _SOMEBODY_ELSE, mode=mode)
    await shown.stream.vanish()
    await scene.unattended()
    await _assert_stands(scene, shown, _ANOTHER, EndedBy.CONNECTION_LOST)


async def test_a_change_of_person_counts_after_an_early_departure(scene: LiveServer) -> None:
    shown = await _show(scene, [*_GENUINE[:9], *_SOMEBODY_ELSE[9:]])
    await shown.stream.vanish()
    await scene.unattended()
    await _assert_stands(scene, shown, FailureReason.IDENTITY_CHANGED, EndedBy.CONNECTION_LOST)


async def test_a_broken_transcript_is_reported_beside_the_attack(scene: LiveServer) -> None:
    shown = await _show(scene, _ATTACK)
    await shown.stream.send(shown.stream.end(frame_count=3))
    refusal = await shown.stream.outcome()
    assert refusal is not None
    assert refusal.reason == "ATTEMPT_END_INVALID"
    await scene.unattended()
    await _assert_stands(scene, shown, _SPOOF, EndedBy.REFUSED, FailureReason.TRANSCRIPT_BROKEN)


@pytest.mark.parametrize(
    "shown", some_fast([_ATTACK, _SOMEBODY_ELSE], step=2), ids=["attack", "another person"]
)
async def test_too_short_a_scan_never_counts_against_the_person(
    scene: LiveServer, shown: Sequence[Picture]
) -> None:
    left = await _show(scene, shown, frames=_TOO_FEW)
    await left.stream.vanish()
    await scene.reaches(left.check_id, CheckState.WAITING)
    result = (await scene.finish(left.check_id, close_now=True)).result
    assert list(result.reasons) == [result_pb2.FAILURE_REASON_ABANDONED]
    assert not result.HasField("liveness")
    assert result.match.frames_used == 0
    assert not result.match.HasField("similarity")
    (reported,) = result.attempts
    assert reported.outcome == result_pb2.AttemptSummary.OUTCOME_INTERRUPTED
    assert reported.verdict == result_pb2.LIVENESS_VERDICT_UNSPECIFIED
    assert reported.frames == _TOO_FEW


async def test_withholding_the_end_does_not_prevent_the_judgement(scene: LiveServer) -> None:
    shown = await _show(scene, _ATTACK)
    await shown.stream.wait_complete()
    refusal = await shown.stream.outcome()
    assert refusal is not None
    assert refusal.reason == "STREAM_IDLE"
    await _assert_stands(scene, shown, _SPOOF, EndedBy.REFUSED)


async def test_the_deadline_does_not_hide_an_attack(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = await _show(scene, _ATTACK, mode=Mode.DYNAMIC)

    async def passed(run: AttemptRun) -> None:
        raise ScanDeadlinePassed

    with monkeypatch.context() as patch:
        patch.setattr(AttemptRun, "renew_lease", passed)
        assert await shown.stream.outcome() is None
    assert shown.stream.goodbyes() == ["DEADLINE"]
    await _assert_stands(scene, shown, _SPOOF, EndedBy.DEADLINE)


@pytest.mark.parametrize("mode", some_fast(Mode, step=2))
async def test_a_newer_stream_elsewhere_does_not_undo_findings_of_the_older(
    scene: LiveServer, mode: Mode
) -> None:
    shown = await _show(scene, _ATTACK, mode=mode)
    record = await scene.record(shown.check_id)
    assert record.session_key is not None
    # This is the effect of a newer stream on another replica.
    await scene.repository.acquire_lease(
        UUID(shown.check_id),
        session_key=record.session_key,
        proven=True,
        owner="another replica",
        now=datetime.now(UTC),
        lease_seconds=60.0,
    )
    await shown.stream.vanish()
    await scene.unattended()
    await _assert_stands(scene, shown, _SPOOF, EndedBy.SUPERSEDED)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("mode", some_fast(Mode, step=2))
async def test_a_stream_that_is_fenced_and_silent_is_judged_before_the_newer_one_is_far(
    scene: LiveServer, mode: Mode
) -> None:
    shown = await _show(scene, _ATTACK, mode=mode)
    newer = await shown.device.open(resume=True, capabilities=_FLASH)
    await newer.prove()
    await newer.begin()
    async with asyncio.timeout(60.0):
        await scene.reaches(shown.check_id, CheckState.DECIDED)
    await shown.stream.outcome()
    refusal = await newer.outcome()
    assert refusal is not None
    assert refusal.reason == "CHECK_CLOSED"
    await _assert_stands(scene, shown, _SPOOF, EndedBy.SUPERSEDED)


@pytest.mark.usefixtures("patience")
async def test_a_faster_newer_stream_waits_for_findings_of_the_older(scene: LiveServer) -> None:
    shown = await _show(scene, _SOMEBODY_ELSE)
    newer = await shown.device.resume()
    await newer.begin()
    # Faster than any camera, and finished before the older stream can notice that it was superseded.
    await newer.send_frames(_GENUINE)
    await newer.send(newer.end())
    refusal = await newer.outcome()
    assert refusal is not None
    assert refusal.reason == "CHECK_CLOSED"
    await shown.stream.outcome()
    await scene.unattended()
    await _assert_stands(scene, shown, _ANOTHER, EndedBy.SUPERSEDED)
    answer = await scene.finish(shown.check_id)
    assert [attempt.ended_by for attempt in answer.result.attempts] == [
        result_pb2.AttemptSummary.ENDED_BY_SUPERSEDED,
        result_pb2.AttemptSummary.ENDED_BY_CHECK_CLOSED,
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("patience")
async def test_an_older_attempt_ends_with_the_decision_that_it_brings(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = CheckRecorder.decide

    async def slowly(recorder: CheckRecorder, *args: Any, epoch: int | None, **kwargs: Any) -> Any:
        if epoch is None:
            # Without the wait, a newer stream would decide the check by its own attempt.
            await asyncio.sleep(1.0)
        return await decide(recorder, *args, epoch=epoch, **kwargs)

    monkeypatch.setattr(CheckRecorder, "decide", slowly)
    shown = await _show(scene, _ATTACK)
    newer = await shown.device.resume()
    await newer.begin()
    await newer.send_frames(_GENUINE)
    await newer.send(newer.end())
    refusal = await newer.outcome()
    assert refusal is not None
    assert refusal.reason == "CHECK_CLOSED"
    await shown.stream.outcome()
    await scene.unattended()
    await _assert_stands(scene, shown, _SPOOF, EndedBy.SUPERSEDED)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("frames", [_ENOUGH, 4])
async def test_a_newer_stream_that_leaves_at_once_hides_nothing(scene: LiveServer, frames: int) -> None:
    shown = await _show(scene, _SOMEBODY_ELSE, frames=frames)
    newer = await shown.device.resume()
    await newer.half_close()
    await newer.outcome()
    await shown.stream.outcome()
    await scene.unattended()
    if frames == _ENOUGH:
        await _assert_stands(scene, shown, _ANOTHER, EndedBy.SUPERSEDED)
        return
    result = (await scene.finish(shown.check_id)).result
    # The device left; the server has no fault.
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result.reasons == [result_pb2.FAILURE_REASON_ABANDONED]
    assert result.attempts[0].ended_by == result_pb2.AttemptSummary.ENDED_BY_SUPERSEDED


async def test_an_earlier_result_does_not_keep_a_later_attack_from_standing(scene: LiveServer) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    stream = await device.open(capabilities=_FLASH)
    assert (await stream.run_attempt(_GENUINE[:9])).another_attempt
    await stream.begin()
    await stream.send_frames(_SOMEBODY_ELSE[9:])
    await stream.wait_complete()
    await stream.vanish()
    await scene.unattended()
    answer = await scene.finish(upload.check_id)
    assert answer.result.reasons[0] == result_pb2.FAILURE_REASON_NOT_SAME_PERSON
    summary = result_pb2.AttemptSummary
    assert [(each.outcome, each.ended_by) for each in answer.result.attempts] == [
        (summary.OUTCOME_RETRY, summary.ENDED_BY_SIGNED),
        (summary.OUTCOME_DECIDED, summary.ENDED_BY_CONNECTION_LOST),
    ]
    assert answer.result.attempts[0].verdict == result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
    assert answer.result.attempts[0].feedback


@pytest.mark.parametrize("mode", some_fast(Mode, step=2))
async def test_a_genuine_scan_continues_after_a_lost_connection(scene: LiveServer, mode: Mode) -> None:
    shown = await _show(scene, _GENUINE, mode=mode)
    await shown.stream.vanish()
    await scene.unattended()
    assert (await scene.record(shown.check_id)).state is CheckState.WAITING
    (attempt,) = await scene.attempts(shown.check_id)
    assert (attempt.outcome, attempt.ended_by) == (AttemptOutcome.INTERRUPTED, EndedBy.CONNECTION_LOST)
    assert attempt.verdict is not None
    again = await shown.device.open(resume=True, capabilities=_FLASH)
    await again.prove()
    if mode is Mode.DYNAMIC:
        assert (await again.begin()).plan == scan_pb2.PLAN_FLASH
        await again.vanish()
        return
    assert (await again.run_attempt(_GENUINE)).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None


async def test_too_little_of_an_attack_decides_nothing_and_costs_an_attempt(scene: LiveServer) -> None:
    shown = await _show(scene, _ATTACK, frames=14)
    await shown.stream.vanish()
    await scene.unattended()
    assert (await scene.record(shown.check_id)).state is CheckState.WAITING
    (attempt,) = await scene.attempts(shown.check_id)
    assert attempt.counted
    assert attempt.outcome is AttemptOutcome.INTERRUPTED
