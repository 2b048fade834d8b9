"""Frames and ends that break a rule, sent to a real server: the documented error and the stored state."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from facegate.v1 import device_pb2, result_pb2, scan_pb2
from hypothesis import given
from hypothesis import strategies as st

from server.base.errors import Reason, Refusal
from server.domain.terms import CheckState, EndedBy
from server.scan.attempt import AttemptClocks, CaptureRate
from server.scan.endings import ScanDeadlinePassed
from server.scan.messages import CaptureBudget
from server.verdict import FailureReason
from tests.sampling import some_fast
from tests.server.live import FAST, LiveServer, pictures, serving, settings_for
from tests.server.raw_device import Ended, RawDevice, RawStream, Request, after_two_frames
from tests.server.scan.records import NOW, check_record

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
    refusal = await stream.outcome()

    assert refusal is not None
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
    refusal = await other.outcome()
    assert refusal is not None
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
    refusal = await again.outcome()
    assert refusal is not None
    assert refusal.reason == "FRAME_OUT_OF_ORDER"


async def test_a_giant_end_is_refused(scene: LiveServer) -> None:
    _, stream, _ = await after_two_frames(scene)
    await stream.send(Request(attempt_end=scan_pb2.AttemptEnd(body=bytes(1025))))
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_attestations_are_limited(scene: LiveServer) -> None:
    _, stream, _ = await after_two_frames(scene)
    attestation = device_pb2.Attestation()
    for _ in range(5):
        await stream.send(Request(attestation=attestation))
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SCAN_BUDGET_EXCEEDED")


async def test_a_frame_after_the_end_changes_nothing(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    sent = await stream.send_frames(pictures())
    late = pictures()[-1]
    end = stream.end()
    await stream.send(end)
    await stream.send(stream.frame(late))
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    answer = await scene.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert answer.result.transcript.frames == sent


@pytest.mark.slow
async def test_frames_on_their_way_when_the_server_has_enough_are_accepted(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
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
    assert (await scene.attempts(upload.check_id))[0].frames == sent + 1


async def test_a_frame_that_is_refused_does_not_make_the_attempt_count(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures()[:7])
    await stream.taken(7)
    eighth = pictures()[7]
    await stream.send(stream.frame(replace(eighth, jpeg=eighth.jpeg[: len(eighth.jpeg) // 2])))
    refusal = await stream.outcome()
    assert refusal is not None
    assert refusal.reason == "FRAME_IMAGE_INVALID"
    await scene.reaches(upload.check_id, CheckState.WAITING)
    (attempt,) = await scene.attempts(upload.check_id)
    assert (attempt.frames, attempt.counted, attempt.ended_by) == (7, False, EndedBy.REFUSED)


async def test_a_transcript_that_breaks_before_the_first_frame_is_an_attempt_of_its_own(
    scene: LiveServer,
) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures()[:9])
    await stream.send(stream.end())
    assert (await stream.result()).another_attempt
    await stream.begin()
    await stream.send(stream.end(attempt=1))
    refusal = await stream.outcome()
    assert refusal is not None
    assert refusal.reason == "ATTEMPT_END_INVALID"
    result = (await scene.finish(upload.check_id)).result
    assert result.reasons[0] == result_pb2.FAILURE_REASON_TRANSCRIPT_BROKEN
    first, second = result.attempts
    assert (first.ended_by, first.frames) == (result_pb2.AttemptSummary.ENDED_BY_SIGNED, 9)
    assert (second.ended_by, second.frames) == (result_pb2.AttemptSummary.ENDED_BY_REFUSED, 0)


@pytest.mark.slow
async def test_a_device_that_claims_to_have_dropped_billions_breaks_nothing(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    for sent, picture in enumerate(itertools.islice(pictures(), 9)):
        await stream.send(stream.frame(picture, dropped_before=2**32 - 1))
        await stream.taken(sent + 1)
    await stream.send(stream.end())
    assert (await stream.result()).another_attempt
    await stream.half_close()
    assert await stream.outcome() is None
    assert (await scene.finish(upload.check_id)).result.transcript.dropped == 2**31 - 1


async def test_a_clock_that_runs_ahead_is_refused(tmp_path: Path) -> None:
    tuning = replace(FAST, clocks=type(FAST.clocks)())
    async with serving(settings_for(tmp_path), tuning=tuning) as live:
        upload = await live.upload()
        stream = await RawDevice(live.device, upload).open()
        await stream.begin()
        await stream.send(stream.frame(pictures()[0]))
        await stream.send(stream.frame(pictures()[1], capture_time_us=pictures()[0].time_us + 60_000_000))
        refusal = await stream.outcome()
        assert refusal is not None
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FRAME_TIME_INVALID")
        reasons = (await live.record(upload.check_id)).reasons
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
        upload = await live.upload()
        device = RawDevice(live.device, upload)
        stream = await device.open()
        await stream.begin()
        with pytest.raises(Ended, match="SCAN_BUDGET_EXCEEDED"):
            await stream.send_frames(pictures())
        refusal = await stream.outcome()
        assert refusal is not None
        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await live.record(upload.check_id)).state is CheckState.WAITING
        if limit == "bytes":
            # A reconnect does not restart the count.
            again = await device.resume()
            await again.begin()
            await again.send(again.frame(pictures()[0]))
            await again.send(again.frame(pictures()[1]))
            refusal = await again.outcome()
            assert refusal is not None
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
