"""Frames and ends that break a rule or cannot be used, sent to a real server."""

import asyncio
import functools
import itertools
import math
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import grpc
import numpy as np
import pytest
import pytest_asyncio
from facegate.v1 import device_pb2, feedback_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from hypothesis import given
from hypothesis import strategies as st

from attempt.placement import CapturePlan
from liveness.watch import FramePace, FrameWork
from server.base.errors import Reason, Refusal
from server.domain.terms import CheckState, EndedBy
from server.scan.attempt import AttemptClocks, CaptureRate
from server.scan.endings import ScanDeadlinePassed
from server.scan.inbox import CreditLedger
from server.scan.messages import CaptureBudget, Inbound
from server.scan.transcript import AHEAD_SECONDS
from server.verdict import FailureReason
from tests.attempt.capturing import undecodable
from tests.client.fakes import cutting
from tests.packs import shared_pack
from tests.sampling import some_fast
from tests.server.live import FAST, PLAN, LiveServer, Picture, pictures, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.raw_device import Ended, RawDevice, RawStream, Request, after_two_frames, opened
from tests.server.refusals import Refused
from tests.server.scan.records import NOW, check_record
from vision.face import BgrImage, DetectedFace
from vision.image import encode_jpeg
from vision.packs import FaceDetector, Pack

# Frames and ends that break a rule, sent to a real server: the documented error and the stored state.

Misbehave = Callable[[RawStream], Awaitable[None]]


async def _skips_an_index(stream: RawStream) -> None:
    stream.frames += 1
    await stream.send(stream.frame(pictures()[2]))


async def _repeats_an_index(stream: RawStream) -> None:
    stream.frames -= 1
    await stream.send(stream.frame(pictures()[2]))


async def _replays_a_frame(stream: RawStream) -> None:
    frame = stream.frame(pictures()[2])
    await stream.send(frame)
    await stream.send(frame)


async def _swaps_two_frames(stream: RawStream) -> None:
    first, second = stream.frame(pictures()[2]), stream.frame(pictures()[3])
    await stream.send(second)
    await stream.send(first)


async def _names_another_attempt(stream: RawStream) -> None:
    await stream.send(stream.frame(pictures()[2], attempt=2))


async def _sends_a_wrong_mac(stream: RawStream) -> None:
    frame = stream.frame(pictures()[2])
    frame.frame.mac = bytes(32)
    await stream.send(frame)


async def _sends_no_mac(stream: RawStream) -> None:
    frame = stream.frame(pictures()[2])
    frame.frame.mac = b""
    await stream.send(frame)


async def _sends_a_long_mac(stream: RawStream) -> None:
    frame = stream.frame(pictures()[2])
    frame.frame.mac += b"\x00"
    await stream.send(frame)


async def _swaps_the_image(stream: RawStream) -> None:
    frame = stream.frame(pictures()[2])
    frame.frame.image = pictures()[3].jpeg
    await stream.send(frame)


async def _changes_one_bit_of_the_image(stream: RawStream) -> None:
    frame = stream.frame(pictures()[2])
    image = bytearray(frame.frame.image)
    image[len(image) // 2] ^= 1
    frame.frame.image = bytes(image)
    await stream.send(frame)


async def _changes_the_header(stream: RawStream) -> None:
    frame = stream.frame(pictures()[2])
    header = scan_pb2.FrameHeader.FromString(frame.frame.header)
    header.capture_time_us += 1
    frame.frame.header = header.SerializeToString()
    await stream.send(frame)


async def _drops_a_frame_from_the_chain(stream: RawStream) -> None:
    stream.frame(pictures()[2])
    stream.frames -= 1
    await stream.send(stream.frame(pictures()[3]))


async def _turns_the_clock_back(stream: RawStream) -> None:
    await stream.send(stream.frame(pictures()[0]))


async def _stops_the_clock(stream: RawStream) -> None:
    await stream.send(stream.frame(pictures()[1]))


async def _counts_too_few(stream: RawStream) -> None:
    await stream.send(stream.end(frame_count=1))


async def _counts_too_many(stream: RawStream) -> None:
    await stream.send(stream.end(frame_count=3))


async def _ends_another_attempt(stream: RawStream) -> None:
    await stream.send(stream.end(attempt=2))


async def _ends_with_a_wrong_last_mac(stream: RawStream) -> None:
    await stream.send(stream.end(last_mac=bytes(32)))


async def _ends_with_a_wrong_signature(stream: RawStream) -> None:
    await stream.send(stream.end(signature=b"\x30\x06\x02\x01\x01\x02\x01\x01"))


async def _ends_with_a_long_signature(stream: RawStream) -> None:
    await stream.send(stream.end(signature=bytes(81)))


async def _ends_with_a_signature_of_something_else(stream: RawStream) -> None:
    await stream.send(stream.end(signature=stream.proof()))


TAMPERING: dict[str, tuple[Misbehave, str]] = {
    "skips an index": (_skips_an_index, "FRAME_OUT_OF_ORDER"),
    "repeats an index": (_repeats_an_index, "FRAME_OUT_OF_ORDER"),
    "replays a frame": (_replays_a_frame, "FRAME_OUT_OF_ORDER"),
    "swaps two frames": (_swaps_two_frames, "FRAME_OUT_OF_ORDER"),
    "names another attempt": (_names_another_attempt, "FRAME_OUT_OF_ORDER"),
    "wrong MAC": (_sends_a_wrong_mac, "FRAME_MAC_INVALID"),
    "no MAC": (_sends_no_mac, "FRAME_MAC_INVALID"),
    "long MAC": (_sends_a_long_mac, "FRAME_MAC_INVALID"),
    "another image": (_swaps_the_image, "FRAME_MAC_INVALID"),
    "one bit of the image": (_changes_one_bit_of_the_image, "FRAME_MAC_INVALID"),
    "another header": (_changes_the_header, "FRAME_MAC_INVALID"),
    "a frame missing from the chain": (_drops_a_frame_from_the_chain, "FRAME_MAC_INVALID"),
    "clock turned back": (_turns_the_clock_back, "FRAME_TIME_INVALID"),
    "clock that stands": (_stops_the_clock, "FRAME_TIME_INVALID"),
    "end with too few": (_counts_too_few, "ATTEMPT_END_INVALID"),
    "end with too many": (_counts_too_many, "ATTEMPT_END_INVALID"),
    "end of another attempt": (_ends_another_attempt, "ATTEMPT_END_INVALID"),
    "end with a wrong MAC": (_ends_with_a_wrong_last_mac, "ATTEMPT_END_INVALID"),
    "end with a wrong signature": (_ends_with_a_wrong_signature, "ATTEMPT_END_INVALID"),
    "end with a long signature": (_ends_with_a_long_signature, "ATTEMPT_END_INVALID"),
    "end signed for something else": (_ends_with_a_signature_of_something_else, "ATTEMPT_END_INVALID"),
}


@pytest.mark.parametrize("case", some_fast(TAMPERING, step=3))
async def test_a_broken_transcript_ends_the_check(scene: LiveServer, case: str) -> None:
    misbehave, reason = TAMPERING[case]
    device, stream, check_id = await after_two_frames(scene)

    await misbehave(stream)
    refusal = await stream.refusal()

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    record = await scene.record(check_id)
    assert record.state is CheckState.DECIDED
    assert record.reasons
    assert record.reasons[0] is FailureReason.TRANSCRIPT_BROKEN
    assert record.lease_until is None
    answer = await scene.finish(check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert not answer.result.transcript.intact
    assert answer.evidence_frame.sha256 == answer.result.evidence_frame.sha256
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.open(resume=True)


async def test_a_mac_of_another_stream_is_refused(scene: LiveServer) -> None:
    _, one, _ = await after_two_frames(scene)
    _, other, check_id = await after_two_frames(scene)
    await other.send(one.frame(pictures()[2]))
    refusal = await other.refusal()
    assert refusal.reason == "FRAME_MAC_INVALID"
    assert (await scene.record(check_id)).state is CheckState.DECIDED
    await one.vanish()


async def test_a_frame_of_an_earlier_stream_of_the_same_scan_is_refused(scene: LiveServer) -> None:
    device, stream, check_id = await after_two_frames(scene)
    recorded = stream.frame(pictures()[2], index=0)
    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    again = await device.resume()
    # The number is 2 because the interrupted attempt keeps its number.
    assert (await again.begin()).attempt == 2
    await again.send(recorded)
    refusal = await again.refusal()
    assert refusal.reason == "FRAME_OUT_OF_ORDER"


async def test_a_giant_end_is_refused(scene: LiveServer) -> None:
    _, stream, _ = await after_two_frames(scene)
    await stream.send(Request(attempt_end=scan_pb2.AttemptEnd(body=bytes(1025))))
    refusal = await stream.refusal()
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_attestations_are_limited(scene: LiveServer) -> None:
    _, stream, _ = await after_two_frames(scene)
    attestation = device_pb2.Attestation()
    for _ in range(5):
        await stream.send(Request(attestation=attestation))
    refusal = await stream.refusal()
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SCAN_BUDGET_EXCEEDED")


async def test_a_frame_after_the_end_changes_nothing(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    await stream.begin()
    sent = await stream.send_frames(pictures())
    late = pictures()[-1]
    end = stream.end()
    await stream.send(end)
    await stream.send(stream.frame(late))
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    answer = await scene.finish(check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert answer.result.transcript.frames == sent


@pytest.mark.slow
async def test_frames_on_their_way_when_the_server_has_enough_are_accepted(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    await stream.begin()
    sent = 0
    while not stream.complete:
        # Frames are sent one at a time, so that credit is left at the end.
        await stream.send(stream.frame(pictures()[sent]))
        sent += 1
        await stream.taken(sent)
    await stream.send(stream.frame(pictures()[sent]))
    await stream.send(stream.end())
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    assert (await scene.attempts(check_id))[0].frames == sent + 1


async def test_a_frame_that_is_refused_does_not_make_the_attempt_count(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    await stream.begin()
    await stream.send_frames(pictures()[:7])
    await stream.taken(7)
    eighth = pictures()[7]
    await stream.send(stream.frame(replace(eighth, jpeg=eighth.jpeg[: len(eighth.jpeg) // 2])))
    refusal = await stream.refusal()
    assert refusal.reason == "FRAME_IMAGE_INVALID"
    await scene.reaches(check_id, CheckState.WAITING)
    (attempt,) = await scene.attempts(check_id)
    assert (attempt.frames, attempt.counted, attempt.ended_by) == (7, False, EndedBy.REFUSED)


async def test_a_transcript_that_breaks_before_the_first_frame_is_an_attempt_of_its_own(
    scene: LiveServer,
) -> None:
    check_id, _, stream = await opened(scene)
    await stream.begin()
    await stream.send_frames(pictures()[:9])
    await stream.send(stream.end())
    assert (await stream.result()).another_attempt
    await stream.begin()
    await stream.send(stream.end(attempt=1))
    refusal = await stream.refusal()
    assert refusal.reason == "ATTEMPT_END_INVALID"
    result = (await scene.finish(check_id)).result
    assert result.reasons[0] == result_pb2.FAILURE_REASON_TRANSCRIPT_BROKEN
    first, second = result.attempts
    assert (first.ended_by, first.frames) == (result_pb2.AttemptSummary.ENDED_BY_SIGNED, 9)
    assert (second.ended_by, second.frames) == (result_pb2.AttemptSummary.ENDED_BY_REFUSED, 0)


@pytest.mark.slow
async def test_a_device_that_claims_to_have_dropped_billions_breaks_nothing(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    await stream.begin()
    for sent, picture in enumerate(itertools.islice(pictures(), 9)):
        await stream.send(stream.frame(picture, dropped_before=2**32 - 1))
        await stream.taken(sent + 1)
    await stream.send(stream.end())
    assert (await stream.result()).another_attempt
    await stream.half_close()
    assert await stream.outcome() is None
    assert (await scene.finish(check_id)).result.transcript.dropped == 2**31 - 1


async def test_a_clock_that_runs_ahead_is_refused(tmp_path: Path) -> None:
    tuning = replace(FAST, ahead_seconds=AHEAD_SECONDS)
    async with serving(settings_for(tmp_path), tuning=tuning) as live:
        check_id, _, stream = await opened(live)
        await stream.begin()
        await stream.send(stream.frame(pictures()[0]))
        await stream.send(stream.frame(pictures()[1], capture_time_us=pictures()[0].time_us + 60_000_000))
        refusal = await stream.refusal()
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FRAME_TIME_INVALID")
        reasons = (await live.record(check_id)).reasons
        assert reasons
        assert reasons[0] is FailureReason.TRANSCRIPT_BROKEN


@pytest.mark.parametrize("limit", ["frames", "bytes"])
async def test_the_budget_of_a_scan_holds(tmp_path: Path, limit: str) -> None:
    size = len(pictures()[0].jpeg)
    budget = (
        CaptureBudget(max_frames_per_attempt=3)
        if limit == "frames"
        else CaptureBudget(max_scan_bytes=4 * size)
    )
    async with serving(settings_for(tmp_path), tuning=replace(FAST, budget=budget)) as live:
        check_id, device, stream = await opened(live)
        await stream.begin()
        with pytest.raises(Ended, match="SCAN_BUDGET_EXCEEDED"):
            await stream.send_frames(pictures())
        refusal = await stream.refusal()
        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await live.record(check_id)).state is CheckState.WAITING
        if limit == "bytes":
            # A reconnect does not restart the count.
            again = await device.resume()
            await again.begin()
            await again.send(again.frame(pictures()[0]))
            await again.send(again.frame(pictures()[1]))
            refusal = await again.refusal()
            assert refusal.reason == "SCAN_BUDGET_EXCEEDED"


_SECONDS, _IDLE, _END, _DEADLINE = 20, 10, 5.0, 60


@dataclass
class _Time:
    passed: float = 0.0

    def clocks(self) -> AttemptClocks:
        clock = SimpleNamespace(
            monotonic=lambda: 1000.0 + self.passed, now=lambda: NOW + timedelta(seconds=self.passed)
        )
        settings = SimpleNamespace(end_seconds=_END)
        deadlines = SimpleNamespace(idle_seconds=_IDLE)
        stream = SimpleNamespace(
            policy=SimpleNamespace(deadlines=deadlines),
            budget=CaptureBudget(max_attempt_seconds=_SECONDS),
            record=check_record(scan_deadline=NOW + timedelta(seconds=_DEADLINE)),
        )
        env = SimpleNamespace(clock=clock, limits=settings)
        return AttemptClocks(cast("Any", env), cast("Any", stream))

    @property
    def now(self) -> float:
        return 1000.0 + self.passed


def test_the_clock_waits_for_the_next_due_time() -> None:
    time = _Time()
    clocks = time.clocks()
    assert clocks.wait([time.now + 3.0, time.now + 7.0]) == 3.0
    assert clocks.wait([]) == _IDLE
    time.passed = 8.0
    clocks.note_activity()
    assert clocks.wait([]) == _IDLE
    time.passed = 12.0
    clocks.note_activity()
    assert clocks.wait([]) == _SECONDS - 12.0, "then it is the attempt's end"
    time.passed = _DEADLINE - 2.0
    clocks.begin()
    assert clocks.wait([]) == 2.0, "and at last the scan's"
    assert clocks.wait([time.now - 1.0]) == 0.0


def test_an_attempt_is_overdue_until_it_is_complete() -> None:
    time = _Time()
    clocks = time.clocks()
    assert not clocks.overdue(time.now + _SECONDS - 0.1)
    assert clocks.overdue(time.now + _SECONDS)
    clocks.completed = time.now + _SECONDS
    assert not clocks.overdue(time.now + _SECONDS)
    assert clocks.wait([]) == _IDLE


def test_a_device_that_knows_the_completion_has_time_to_send_the_end() -> None:
    time = _Time()
    clocks = time.clocks()
    clocks.completed = time.now
    assert clocks.wait([]) == _END
    clocks.require_activity(time.now + _END - 0.1)
    with pytest.raises(Refusal, match="`attempt_end` did not arrive for 5 seconds") as caught:
        clocks.require_activity(time.now + _END)
    assert caught.value.reason is Reason.STREAM_IDLE


def test_silence_is_reported_with_its_length() -> None:
    time = _Time()
    clocks = time.clocks()
    clocks.require_activity(time.now + _IDLE - 0.1)
    with pytest.raises(Refusal, match="nothing arrived for 10 seconds") as caught:
        clocks.require_activity(time.now + _IDLE)
    assert caught.value.details == {"idleSeconds": _IDLE}


def test_the_scans_deadline_ends_everything() -> None:
    time = _Time(passed=_DEADLINE - 0.1)
    clocks = time.clocks()
    clocks.require_before_deadline()
    time.passed = _DEADLINE
    with pytest.raises(ScanDeadlinePassed):
        clocks.require_before_deadline()


def _sent(rate: CaptureRate, *, begin: float, count: int, interval: float) -> float:
    for number in range(count):
        rate.count_frame(begin + number * interval)
    return begin + count * interval


def test_before_two_frames_there_is_no_rate() -> None:
    rate = CaptureRate()
    assert rate.per_second is None
    rate.count_frame(5.0)
    assert (rate.per_second, rate.seconds, rate.frames) == (None, 0.0, 1)


def test_dropped_images_were_captured() -> None:
    rate = CaptureRate()
    assert rate.captured_per_second is None
    for at in range(11):
        rate.count_frame(0.2 * at, dropped=1)
    assert rate.captured_per_second == pytest.approx(10.0)


def test_a_slow_network_makes_bursts_and_a_slow_camera_none() -> None:
    bursts, camera = CaptureRate(), CaptureRate()
    for at in range(24):
        bursts.count_frame(0.1 * (at % 4) + 1.2 * (at // 4))
        camera.count_frame(0.2 * at + 0.02 * (at % 3))
    assert bursts.per_second == pytest.approx(3.6, abs=0.2)
    assert bursts.captured_per_second == pytest.approx(10.0)
    assert camera.captured_per_second == pytest.approx(6.25)


def test_a_pause_as_the_device_had_it_does_not_count() -> None:
    rate = CaptureRate()
    end = _sent(rate, begin=100.0, count=30, interval=0.1)
    # Two more frames were in flight; the device received the pause and its end 0.2 s late.
    rate.pause(7.0)
    end = _sent(rate, begin=end, count=2, interval=0.1)
    rate.resume(8.0)
    _sent(rate, begin=end + 1.0, count=30, interval=0.1)
    assert rate.paused_seconds == pytest.approx(1.0)
    assert rate.per_second == pytest.approx(10.0)


def test_a_slow_device_is_slow_beside_a_pause_too() -> None:
    rate = CaptureRate()
    end = _sent(rate, begin=0.0, count=10, interval=0.5)
    rate.pause(50.0)
    rate.resume(51.0)
    _sent(rate, begin=end + 4.0, count=10, interval=0.5)
    assert rate.paused_seconds == pytest.approx(1.0)
    assert rate.per_second is not None
    assert rate.per_second < 2.0


def test_a_pause_without_an_end_excuses_nothing() -> None:
    rate = CaptureRate()
    end = _sent(rate, begin=0.0, count=10, interval=0.1)
    rate.pause(50.0)
    _sent(rate, begin=end + 9.0, count=10, interval=0.1)
    assert rate.paused_seconds == 0.0


@given(
    st.lists(
        st.one_of(
            st.floats(min_value=0.001, max_value=5.0).map(lambda gap: ("frame", gap)),
            st.floats(min_value=0.0, max_value=5.0).map(lambda wait: ("pause", wait)),
            st.floats(min_value=0.0, max_value=5.0).map(lambda wait: ("resume", wait)),
        ),
        max_size=40,
    )
)
def test_pauses_never_make_up_for_more_than_the_server_asked(events: list[tuple[str, float]]) -> None:
    rate, captured, now, asked, since = CaptureRate(), 0.0, 0.0, 0.0, None
    for what, amount in events:
        if what == "frame":
            captured += amount
            rate.count_frame(captured)
        elif what == "pause":
            now += amount
            rate.pause(now)
            since = now
        else:
            now += amount
            rate.resume(now)
            if since is not None:
                asked, since = asked + now - since, None
        assert 0.0 <= rate.paused_seconds <= asked + 1e-9
        assert rate.seconds >= 0.0


# Images and headers of frames that cannot be used, sent to a real server.

_C = grpc.StatusCode


def _blank(width: int, height: int, time_us: int) -> Picture:
    jpeg = encode_jpeg(np.full((height, width, 3), 128, np.uint8), quality=50)
    return Picture(jpeg, time_us, width, height)


def _as(extension: str, picture: Picture) -> Picture:
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    done, data = cv2.imencode(extension, pixels)
    assert done
    return replace(picture, jpeg=data.tobytes())


_BAD_IMAGES: dict[str, Callable[[Picture], Picture]] = {
    "empty": lambda good: replace(good, jpeg=b""),
    "no JPEG": lambda good: replace(good, jpeg=b"not a picture" * 9),
    "PNG": lambda good: _as(".png", good),
    "header only": lambda good: replace(good, jpeg=good.jpeg[:120]),
    "cut short": lambda good: replace(good, jpeg=good.jpeg[: len(good.jpeg) // 2]),
    "declared too wide": lambda good: replace(good, width=361),
    "declared too low": lambda good: replace(good, height=479),
    "turned on paper": lambda good: replace(good, width=480, height=360),
    "too many pixels": lambda good: _blank(2000, 1900, good.time_us),
    "too few pixels": lambda good: _blank(160, 160, good.time_us),
    "too many bytes": lambda good: replace(good, jpeg=good.jpeg.ljust(524_289, b"\0")),
}


@pytest.mark.parametrize("case", some_fast(_BAD_IMAGES, step=4))
async def test_an_image_that_cannot_be_used_ends_the_stream_and_not_the_check(
    scene: LiveServer, case: str
) -> None:
    device, stream, check_id = await after_two_frames(scene)

    await stream.send(stream.frame(_BAD_IMAGES[case](pictures()[2])))
    refusal = await stream.refusal()

    assert (refusal.code, refusal.reason) == (
        (_C.RESOURCE_EXHAUSTED, "FRAME_TOO_LARGE")
        if case == "too many bytes"
        else (_C.INVALID_ARGUMENT, "FRAME_IMAGE_INVALID")
    )
    record = await scene.record(check_id)
    assert record.state is CheckState.WAITING
    assert record.lease_until is None
    assert record.bytes_received > 0
    again = await device.resume()
    assert (await again.run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"header": b"\xff\xff"}, "frame.header"),
        ({"header": bytes(1025)}, "frame.header"),
        ({"rotation": 7}, "frame.header.rotation"),
    ],
    ids=["garbage", "giant", "rotation"],
)
async def test_a_malformed_header_is_refused(scene: LiveServer, change: dict[str, Any], field: str) -> None:
    _, stream, _ = await after_two_frames(scene)
    if "header" in change:
        frame = stream.frame(pictures()[2])
        frame.frame.header = change["header"]
    else:
        frame = stream.frame(pictures()[2], **change)
    await stream.send(frame)
    refusal = await stream.refusal()
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata["field"] == field


# Frames that are not measured: the tests of all of them, and of the few that are drawn.

_RATE = 24.0
_SENT = 62


def _unmeasured(sent: Sequence[Picture]) -> set[int]:
    """Return the frames that are not measured, which anyone can compute from the pace."""
    pace = FramePace(apart_seconds=PLAN.apart_seconds)
    works = [pace.next(picture.time_us / 1e6, restless=False) for picture in sent]
    return {index for index, work in enumerate(works) if work is FrameWork.NOTE}


def _spoilt(spoil: Callable[[bytes], bytes]) -> list[Picture]:
    sent = pictures(count=_SENT, rate=_RATE)
    unmeasured = _unmeasured(sent)
    assert len(unmeasured) > _SENT / 3
    return [
        replace(picture, jpeg=spoil(picture.jpeg)) if index in unmeasured else picture
        for index, picture in enumerate(sent)
    ]


async def _refused(live: LiveServer, sent: Sequence[Picture]) -> tuple[Refused, str]:
    """Return the refusal of a scan of these frames, and its check."""
    for _ in range(5):
        check_id, _, stream = await opened(live)
        await stream.begin()
        with suppress(Ended):
            await stream.send_frames(sent)
            await stream.send(stream.end())
        # grpc.aio's client sometimes loses the status of a stream that it writes to.
        if (refusal := await stream.outcome()) is not None:
            return refusal, check_id
    raise AssertionError("it was not refused")


@pytest.mark.parametrize(
    "spoil", [lambda jpeg: os.urandom(len(jpeg)), undecodable], ids=["random bytes", "undecodable"]
)
async def test_frames_that_nothing_is_measured_of_must_be_pictures(
    scene: LiveServer, spoil: Callable[[bytes], bytes]
) -> None:
    refusal, check_id = await _refused(scene, _spoilt(spoil))
    assert refusal.reason == "FRAME_IMAGE_INVALID"
    await scene.unattended()
    answer = await scene.finish(check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE


async def test_the_result_states_the_number_of_examined_frames(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    result = await stream.run_attempt(pictures(count=_SENT, rate=_RATE))
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    transcript = (await scene.finish(check_id)).result.transcript
    unmeasured = [index for index in _unmeasured(pictures(count=_SENT, rate=_RATE)) if index < stream.frames]
    assert transcript.frames == stream.frames
    most = stream.frames - len(unmeasured) + 4
    # The frames in flight when the capture was complete are not measured either.
    assert most - 8 <= transcript.frames_examined <= most < transcript.frames


# Frames whose rotation differs from their header, sent to a real server.

_ROTATIONS = (scan_pb2.ROTATION_90, scan_pb2.ROTATION_180, scan_pb2.ROTATION_270)


@functools.cache
def _turned(turns: int) -> tuple[Picture, ...]:
    """Return the frames of a genuine scan, each turned counter-clockwise by this number of quarters."""
    return tuple(_turn(picture, turns) for picture in pictures())


def _turn(picture: Picture, turns: int) -> Picture:
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    turned = np.ascontiguousarray(np.rot90(pixels, turns)).astype(np.uint8)
    height, width = turned.shape[:2]
    return replace(picture, jpeg=encode_jpeg(turned, quality=90), width=width, height=height)


def _hints(stream: RawStream) -> list[str]:
    return [
        feedback_pb2.FeedbackCode.Name(message.feedback.code).removeprefix("FEEDBACK_CODE_")
        for message in stream.seen
        if message.WhichOneof("message") == "feedback"
    ]


async def _send(stream: RawStream, frames: tuple[Picture, ...], **header: object) -> scan_pb2.ScanResult:
    await stream.begin()
    late = stream.attempt.attempt * 10_000_000
    for picture in frames:
        while not stream.credit and not stream.complete:
            await stream.read()
        if stream.complete:
            break
        await stream.send(stream.frame(replace(picture, time_us=picture.time_us + late), **header))
        stream.credit -= 1
    await stream.send(stream.end())
    return await stream.result()


@pytest.mark.parametrize("turns", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_a_wrong_rotation_is_named_and_may_be_put_right(scene: LiveServer, turns: int) -> None:
    _, _, stream = await opened(scene)
    result = await _send(stream, _turned(turns))
    assert result.status == scan_pb2.SCAN_STATUS_RETRY
    assert result.another_attempt
    assert result.feedback[0] == feedback_pb2.FEEDBACK_CODE_WRONG_ROTATION
    assert feedback_pb2.FEEDBACK_CODE_NO_FACE not in result.feedback
    assert feedback_pb2.FEEDBACK_CODE_TURN_HEAD_SLIGHTLY not in result.feedback
    assert "WRONG_ROTATION" in _hints(stream)
    assert "GOOD" not in _hints(stream)

    result = await _send(stream, _turned(turns), rotation=_ROTATIONS[turns - 1])
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None


async def test_the_last_attempt_fails_by_conditions_and_not_by_its_person(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, policy="once", person="astronaut")
    result = await _send(stream, _turned(1))
    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    answer = (await scene.finish(check_id)).result
    assert answer.status == result_pb2.CHECK_STATUS_FAILURE
    assert result_pb2.FAILURE_REASON_CONDITIONS in answer.reasons
    assert result_pb2.FAILURE_REASON_NOT_SAME_PERSON not in answer.reasons
    assert result_pb2.FAILURE_REASON_SPOOF not in answer.reasons
    assert answer.liveness.explanations[0].startswith("The frames are rotated")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def open_server(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose detector also detects faces in turned images, with upright landmarks."""
    settings = settings_for(tmp_path_factory.mktemp("open"))
    pack = shared_pack(f"open:{assets / 'models'}")
    async with serving(settings, pack=pack, tuning=FAST) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_a_rotated_face_is_not_another_person(open_server: LiveServer, turns: int) -> None:
    check_id, _, stream = await opened(open_server)
    result = await _send(stream, _turned(turns))
    assert result.status == scan_pb2.SCAN_STATUS_RETRY
    assert result.feedback[0] == feedback_pb2.FEEDBACK_CODE_WRONG_ROTATION
    await stream.half_close()
    assert await stream.outcome() is None
    answer = (await open_server.finish(check_id)).result
    assert FailureReason.NOT_SAME_PERSON not in {
        result_pb2.FailureReason.Name(reason).removeprefix("FAILURE_REASON_") for reason in answer.reasons
    }


# Attempts that last as long as the server allows, with large frames, against a real server.

_LARGE, _LONG_RATE = 46_000, 20.0
_WIDTH, _HEIGHT = 240, 320


class _Blind:
    """Finds no face in this camera's images without a search, which would take most of the test's time."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return () if image.shape[:2] == (_HEIGHT, _WIDTH) else self._detector.detect(image)


class _Camera:
    """Takes images without a face, so that no attempt succeeds; complies with requests for smaller frames."""

    def __init__(self, stream: RawStream) -> None:
        self._stream = stream
        self._noise = np.random.default_rng(0)
        self.bytes = 0
        self.requests: list[scan_pb2.CaptureAdjustment] = []

    async def attempt(self, *, seconds: float) -> int:
        """Run one attempt of the longest duration; return the bytes of its frames."""
        await self._stream.begin()
        before, start, time, seen = (
            self.bytes,
            30.0 * self._stream.attempt.attempt,
            0.0,
            len(self._stream.seen),
        )
        self._rate, self._size = _LONG_RATE, _LARGE
        while time <= seconds and not self._stream.complete:
            image = self._image()
            picture = Picture(image, round((start + time) * 1e6), _WIDTH, _HEIGHT)
            await self._stream.send_frames([picture])
            self.bytes += len(image)
            for request in self._requests(seen):
                self._follow(request)
            seen = len(self._stream.seen)
            time += 1 / self._rate
        return self.bytes - before

    def _requests(self, seen: int) -> Iterator[scan_pb2.CaptureAdjustment]:
        for message in self._stream.seen[seen:]:
            if message.WhichOneof("message") == "capture_adjustment":
                yield message.capture_adjustment

    def _follow(self, request: scan_pb2.CaptureAdjustment) -> None:
        self.requests.append(request)
        self._rate = min(self._rate, request.max_frames_per_second or math.inf)
        self._size = min(self._size, request.max_frame_bytes or self._size)

    def _image(self) -> bytes:
        """A JPEG of the current size; a comment fills it up. No two images are alike."""
        blocks = self._noise.integers(60, 120, (20, 15, 1), dtype=np.uint8)
        jpeg = encode_jpeg(np.repeat(blocks.repeat(16, axis=0).repeat(16, axis=1), 3, axis=2), quality=60)
        filling = self._size - len(jpeg) - 4
        return jpeg[:2] + b"\xff\xfe" + (filling + 2).to_bytes(2, "big") + bytes(filling) + jpeg[2:]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.usefixtures("unhurried")
async def test_three_long_attempts_of_large_frames_fit(tmp_path: Path) -> None:
    budget, pack = CaptureBudget(), remembering_pack()
    blind = replace(pack, detector=_Blind(pack.detector))
    async with serving(settings_for(tmp_path), pack=blind, tuning=replace(FAST, budget=budget)) as live:
        stream = await RawDevice(live.device, await live.upload()).open()
        camera = _Camera(stream)
        again, used = True, []
        for number in range(1, 4):
            assert again, f"attempt {number} is refused"
            used.append(await camera.attempt(seconds=budget.max_attempt_seconds))
            await stream.send(stream.end(cause=scan_pb2.AttemptEndBody.CAUSE_TIMED_OUT))
            again = (await stream.result()).another_attempt
        assert await stream.outcome() is None
    assert sum(used) <= budget.max_scan_bytes
    assert used == sorted(used, reverse=True)
    assert {request.max_frames_per_second for request in camera.requests} == {0.0, 12.0}


# Credit over the wire: a device that ignores it is refused, and no other device is, whatever the latency.

WINDOW = 8
_BRIEF = replace(FAST, plan=CapturePlan(frames=12, seconds=1.0, selected=3, motion_seconds=0.0))
"""Sixteen concurrent scans; their decisions do not matter."""
ROUND_TRIP_SECONDS = 0.3


class _SlowDetector:
    """Detects the same faces as the real detector, but none until a frame came without credit."""

    def __init__(self) -> None:
        self.scans, self.exceeded = False, threading.Event()
        self._model = remembering_pack().detector

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        assert not self.scans or self.exceeded.wait(100)
        return self._model.detect(image)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Pack:
    """The pack of a server that processes no frame until one came without credit."""
    detector, count_arrival = _SlowDetector(), CreditLedger.count_arrival

    def counted(ledger: CreditLedger, message: Inbound) -> None:
        detector.scans = True
        try:
            count_arrival(ledger, message)
        except Refusal:
            detector.exceeded.set()
            raise

    monkeypatch.setattr(CreditLedger, "count_arrival", counted)
    return replace(remembering_pack(), detector=detector)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends no attempt by the clock: on a busy machine frames may come late."""
    monkeypatch.setattr(AttemptClocks, "overdue", lambda *_: False)


def _endless() -> Iterator[Picture]:
    """Repeat the same images on one clock."""
    once = pictures()
    step = once[1].time_us - once[0].time_us
    for number in itertools.count():
        yield replace(once[number % len(once)], time_us=once[0].time_us + number * step)


async def _begun(live: LiveServer) -> tuple[RawStream, str]:
    check_id, _, stream = await opened(live)
    await stream.begin()
    return stream, check_id


async def test_frames_are_held_to_the_credit_as_they_arrive(tmp_path: Path, slow: Pack) -> None:
    async with serving(settings_for(tmp_path), pack=slow) as live:
        stream, check_id = await _begun(live)
        for picture in itertools.islice(_endless(), WINDOW + 1):
            await stream.send(stream.frame(picture))
        refusal = await stream.refusal()
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CREDIT_EXCEEDED")
        assert refusal.metadata["creditFrames"] == "0"
        await live.reaches(check_id, CheckState.WAITING)
        # The frames that arrived within the credit were processed.
        assert [attempt.frames for attempt in await live.attempts(check_id)] == [WINDOW]


async def test_a_stream_that_ignores_its_credit_does_not_get_far(tmp_path: Path, slow: Pack) -> None:
    async with serving(settings_for(tmp_path), pack=slow) as live:
        stream, check_id = await _begun(live)
        for picture in itertools.islice(_endless(), 399):
            if stream.call.done():
                break
            await stream.send(stream.frame(picture))
            await asyncio.sleep(0.02)
        assert stream.frames < 399
        await live.reaches(check_id, CheckState.WAITING)
        (attempt,) = await live.attempts(check_id)
        assert WINDOW <= attempt.frames <= 3 * WINDOW


@pytest.mark.slow
@pytest.mark.usefixtures("unhurried")
async def test_a_device_within_its_credit_is_never_refused(tmp_path: Path) -> None:
    async with (
        serving(settings_for(tmp_path), tuning=_BRIEF) as live,
        cutting(live.server.device_target, delay_s=ROUND_TRIP_SECONDS / 2) as (_, through),
        grpc.aio.insecure_channel(through) as channel,
    ):
        stub = VerificationServiceStub(channel)

        async def scan(upload: service_pb2.UploadTrustedImageResponse) -> scan_pb2.ScanResult:
            stream = await RawDevice(stub, upload).open()
            result = await stream.run_attempt(pictures()[:20])
            assert stream.complete
            assert stream.frames > WINDOW
            await stream.half_close()
            assert await stream.outcome() is None
            return result

        uploads = [await live.upload() for _ in range(16)]
        began = time.monotonic()
        results = await asyncio.gather(*map(scan, uploads))
        # The latency takes effect: handshake, frames against credit, end, result.
        assert time.monotonic() - began > 3 * ROUND_TRIP_SECONDS
        assert len(results) == 16
