"""Whole streams against a real server, up to their result."""

from dataclasses import replace
from pathlib import Path

import pytest
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2

from server.domain.terms import AttemptOutcome, CheckState
from server.scan.messages import CaptureBudget
from server.storage.records import ImagePurpose
from server.verdict import CheckStatus
from simulator.scene import ScanKind
from tests.server.live import FAST, LiveServer, pictures, serving, settings_for
from tests.server.raw_device import Ended, RawDevice

_Body = scan_pb2.AttemptEndBody


async def _reasons(live: LiveServer, check_id: str) -> list[str]:
    answer = await live.finish(check_id)
    assert answer.result.check_id == check_id
    return [result_pb2.FailureReason.Name(r).removeprefix("FAILURE_REASON_") for r in answer.result.reasons]


async def test_a_genuine_person_succeeds(scene: LiveServer) -> None:
    upload = await scene.upload(subject_reference="subject", consent_reference="consent")
    device = RawDevice(scene.device, upload)

    stream = await device.open()
    result = await stream.run_attempt(pictures())
    assert await stream.outcome() is None

    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert not result.another_attempt
    assert not result.feedback
    record = await scene.record(upload.check_id)
    assert record.state is CheckState.DECIDED
    assert record.status is CheckStatus.SUCCESS
    assert record.lease_until is None
    assert record.portrait_template is None
    (attempt,) = await scene.attempts(upload.check_id)
    assert attempt.counted
    assert attempt.outcome is AttemptOutcome.DECIDED
    assert attempt.frames == stream.frames
    kinds = [entry.kind for entry in await scene.evidence(upload.check_id)]
    assert kinds == [ImagePurpose.EVIDENCE_FRAME, ImagePurpose.AUDIT_IMAGE, ImagePurpose.AUDIT_IMAGE]

    answer = await scene.finish(upload.check_id, audit_images=4)
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
    assert (await scene.record(upload.check_id)).state is CheckState.FINISHED


async def test_another_person_fails_and_is_not_asked_to_try_again(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()

    result = await stream.run_attempt(pictures("red-shirt"))

    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    assert not result.another_attempt
    assert await stream.outcome() is None
    assert "NOT_SAME_PERSON" in await _reasons(scene, upload.check_id)


async def test_a_frozen_frame_is_a_spoof_and_is_not_asked_to_try_again(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()

    result = await stream.run_attempt(pictures(kind=ScanKind.FROZEN_FRAME))

    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    assert not result.another_attempt
    assert await stream.outcome() is None
    assert "SPOOF" in await _reasons(scene, upload.check_id)


async def test_an_app_that_may_know_nothing_learns_nothing(scene: LiveServer) -> None:
    reported = []
    for person in ("astronaut", "red-shirt"):
        upload = await scene.upload(policy="silent")
        stream = await RawDevice(scene.device, upload).open()
        reported.append((await stream.run_attempt(pictures(person))).SerializeToString())
        assert await stream.outcome() is None
    assert reported[0] == reported[1]
    assert scan_pb2.ScanResult.FromString(reported[0]).status == scan_pb2.SCAN_STATUS_COMPLETED


async def test_many_frames_of_few_moments_are_too_slow(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    crowded = [
        replace(picture, time_us=picture.time_us + nth) for picture in pictures()[::3] for nth in range(4)
    ]
    assert len(crowded) / 2.6 > CaptureBudget().min_frames_per_second
    result = await stream.run_attempt(crowded)
    assert result.status == scan_pb2.SCAN_STATUS_RETRY
    assert result.feedback[0] == feedback_pb2.FEEDBACK_CODE_NETWORK_TOO_SLOW
    await stream.half_close()
    assert await stream.outcome() is None


async def test_a_camera_that_captures_too_few_images_is_told_so_while_it_can_be_helped(
    scene: LiveServer,
) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    slow = [replace(picture, time_us=2 * picture.time_us) for picture in pictures()]
    result = await stream.run_attempt(slow)
    hints = [seen.feedback.code for seen in stream.seen if seen.WhichOneof("message") == "feedback"]
    assert hints[-1] == feedback_pb2.FEEDBACK_CODE_CAPTURE_TOO_SLOW
    assert result.status == scan_pb2.SCAN_STATUS_RETRY
    assert result.feedback == [feedback_pb2.FEEDBACK_CODE_CAPTURE_TOO_SLOW]
    await stream.half_close()
    assert await stream.outcome() is None


async def test_images_that_the_device_dropped_are_the_networks_fault(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    for picture in pictures():
        while not stream.credit and not stream.complete:
            await stream.read()
        if stream.complete:
            break
        slow = replace(picture, time_us=2 * picture.time_us)
        await stream.send(stream.frame(slow, dropped_before=2))
        stream.credit -= 1
    await stream.send(stream.end(dropped_count=2 * stream.frames))
    result = await stream.result()
    assert result.feedback[0] == feedback_pb2.FEEDBACK_CODE_NETWORK_TOO_SLOW
    await stream.half_close()
    assert await stream.outcome() is None


async def test_poor_conditions_give_another_attempt_in_the_same_stream(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()

    first = await stream.run_attempt(pictures()[:9])
    assert first.status == scan_pb2.SCAN_STATUS_RETRY
    assert first.another_attempt
    assert first.attempts_remaining == 2
    assert first.feedback
    assert (await scene.record(upload.check_id)).state is CheckState.SCANNING

    later = [
        type(p)(p.jpeg, p.time_us + 10_000_000, p.width, p.height) for p in pictures()
    ]  # the capture clock rises over the whole stream
    second = await stream.run_attempt(later)
    assert second.attempt == 2
    assert second.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    answer = await scene.finish(upload.check_id)
    assert [a.outcome for a in answer.result.attempts] == [
        result_pb2.AttemptSummary.OUTCOME_RETRY,
        result_pb2.AttemptSummary.OUTCOME_DECIDED,
    ]


async def test_an_attempt_of_a_few_frames_does_not_count(scene: LiveServer) -> None:
    upload = await scene.upload(policy="once")
    stream = await RawDevice(scene.device, upload).open()

    result = await stream.run_attempt(pictures()[:7])

    assert result.another_attempt
    assert result.attempts_remaining == 1
    (attempt,) = await scene.attempts(upload.check_id)
    assert not attempt.counted
    await stream.half_close()
    assert await stream.outcome() is None


async def test_attempts_of_a_few_frames_are_used_up(scene: LiveServer) -> None:
    upload = await scene.upload(policy="impatient")
    stream = await RawDevice(scene.device, upload).open()

    first = await stream.run_attempt(pictures()[:7])
    second = await stream.run_attempt(pictures()[7:14])

    assert first.another_attempt
    assert second.status == scan_pb2.SCAN_STATUS_FAILURE
    assert not second.another_attempt
    assert await stream.outcome() is None
    assert (await _reasons(scene, upload.check_id))[0] == "CONDITIONS"


async def test_a_policy_of_three_attempts_allows_few_of_seven_frames(scene: LiveServer) -> None:
    upload = await scene.upload(policy="standard")
    stream = await RawDevice(scene.device, upload).open()
    shown, made, another = pictures(count=36), 0, True
    while another:
        result = await stream.run_attempt(shown[7 * made : 7 * (made + 1)])
        made, another = made + 1, result.another_attempt
    # As many as count, and the one that is too many.
    assert made == 3 + 1
    assert await stream.outcome() is None
    assert [attempt.counted for attempt in await scene.attempts(upload.check_id)] == [False] * made
    assert (await _reasons(scene, upload.check_id))[0] == "CONDITIONS"


async def test_a_check_ends_however_its_short_attempts_break_off(scene: LiveServer) -> None:
    upload = await scene.upload(policy="standard")
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    # The first stream and five reconnects.
    for left in reversed(range(6)):
        await stream.begin()
        await stream.send_frames(pictures()[:7])
        await stream.taken(7)
        if left % 2:
            await stream.vanish()
        else:
            # A device sends this between attempts only.
            await stream.ready()
            assert await stream.outcome() is not None
        await scene.reaches(upload.check_id, CheckState.WAITING)
        if left:
            stream = await device.resume()
    with pytest.raises(Ended) as ended:
        await device.resume()
    assert ended.value.refusal is not None
    assert ended.value.refusal.reason == "TOO_MANY_RECONNECTS"


async def test_used_up_attempts_decide(scene: LiveServer) -> None:
    upload = await scene.upload(policy="once")
    stream = await RawDevice(scene.device, upload).open()

    result = await stream.run_attempt(pictures()[:9])

    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    assert not result.another_attempt
    assert await stream.outcome() is None
    assert (await _reasons(scene, upload.check_id))[0] == "CONDITIONS"


@pytest.mark.parametrize(("room", "another"), [(200, True), (60, True), (15, False)])
async def test_the_bytes_of_a_scan_are_for_all_of_its_attempts(
    tmp_path: Path, room: int, another: bool
) -> None:
    """Scarce bytes reduce the frame rate of another attempt; if too few are left, there is none."""
    shown = pictures()[:9]
    mean = sum(len(picture.jpeg) for picture in shown) / len(shown)
    budget = CaptureBudget(max_scan_bytes=round((len(shown) + room) * mean))
    async with serving(settings_for(tmp_path), tuning=replace(FAST, budget=budget)) as live:
        upload = await live.upload()
        stream = await RawDevice(live.device, upload).open()
        first = await stream.run_attempt(shown)
        assert first.another_attempt is another
        if not another:
            assert first.status == scan_pb2.SCAN_STATUS_FAILURE
            assert await stream.outcome() is None
            assert (await _reasons(live, upload.check_id))[0] == "CONDITIONS"
            return
        later = [replace(picture, time_us=picture.time_us + 10_000_000) for picture in pictures()]
        assert (await stream.run_attempt(later[:12])).attempt == 2
        asked = [
            message.capture_adjustment.max_frames_per_second
            for message in stream.seen
            if message.WhichOneof("message") == "capture_adjustment"
            and message.capture_adjustment.max_frames_per_second
        ]
        assert asked == ([12.0] if room < 136 else [])


async def test_attempts_that_do_not_count_end_too(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    attempts = 0
    again = True
    while again:
        again = (await stream.run_attempt(())).another_attempt
        attempts += 1
        assert attempts <= 40
    assert await stream.outcome() is None
    assert (await scene.record(upload.check_id)).state is CheckState.DECIDED
    assert "CONDITIONS" in await _reasons(scene, upload.check_id)
