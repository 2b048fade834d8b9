"""Attempts and their frames."""

import asyncio
import itertools

import pytest
from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from facegate_client import (
    CapturedImage,
    FaceScanner,
    ScanEvents,
    ScanSettings,
    ScanTicket,
    SourceError,
    generated_source,
    open_channel,
)
from tests.client.conftest import FAST, Scanning, pictures
from tests.client.fake_server import FakeServer, serving
from tests.client.recorder import Recorder
from tests.client.stream_plan import RETRY, SUCCESS, Send, StreamPlan

Cause = scan_pb2.AttemptEndBody


async def test_one_attempt_is_sent_in_order_and_signed(scanning: Scanning) -> None:
    fake, events = FakeServer(), Recorder()
    async with scanning(fake, events=events) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert outcome.attempts == outcome.streams == 1
    assert 6 <= outcome.frames == len(fake.frames) == events.sent <= 9
    assert fake.ends[0].cause == Cause.CAUSE_COMPLETE
    assert fake.half_closed == 1
    assert feedback_pb2.FEEDBACK_CODE_GOOD in events.hints
    assert events.finished == [1]


async def test_start_states_the_client_and_its_version(scanning: Scanning) -> None:
    fake = FakeServer()
    async with scanning(fake) as scanner:
        await scanner.scan()
    (start,) = fake.starts
    assert start.device.platform == device_pb2.PLATFORM_DESKTOP
    assert start.camera.label == "generated"
    assert list(start.capabilities) == [scan_pb2.CAPABILITY_CAPTURE_ADJUSTMENT, scan_pb2.CAPABILITY_READY]
    assert start.server_spki_sha256 == b""
    assert not start.resume
    (attestation,) = fake.attestations
    assert attestation.unavailable.reason == device_pb2.AttestationUnavailable.REASON_NOT_SUPPORTED


async def test_source_that_ends_first_ends_the_attempt(scanning: Scanning) -> None:
    fake = FakeServer(StreamPlan(frames_wanted=0))
    async with scanning(fake, frames=5) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert outcome.frames == 5
    assert fake.ends[0].cause == Cause.CAUSE_SOURCE_ENDED


async def test_fast_source_waits_for_credit_and_drops_nothing(scanning: Scanning) -> None:
    fake = FakeServer(StreamPlan(frames_wanted=0, credit=1))
    async with scanning(fake, frames=20) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert (outcome.frames, outcome.dropped) == (20, 0)


async def test_realtime_source_drops_before_the_index_without_credit(scanning: Scanning) -> None:
    async def credit_late(frame: int, send: Send) -> None:
        if frame == 2:
            await asyncio.sleep(0.3)
            await send(scan_pb2.ScanFaceResponse(credit=scan_pb2.Credit(frames=50, bytes=500_000)))

    plan = StreamPlan(frames_wanted=0, credit=2, withhold_credit=True, extra_credit=50, act=credit_late)
    fake = FakeServer(plan)
    async with scanning(fake, frames=25, pace="realtime") as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert outcome.dropped >= 4
    assert outcome.frames + outcome.dropped == 25
    assert [frame.header.index for frame in fake.frames] == list(range(outcome.frames))
    assert fake.frames[2].header.dropped_before >= 4
    assert fake.ends[0].dropped_count == outcome.dropped


async def test_bytes_of_credit_bind_too(scanning: Scanning) -> None:
    fake = FakeServer(StreamPlan(frames_wanted=0, credit=100, credit_bytes=3_000, withhold_credit=True))
    settings = ScanSettings(max_field=64, result_timeout_s=3.0)
    async with scanning(fake, frames=30, pace="realtime", settings=settings) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert sum(len(frame.image) for frame in fake.frames) <= 3_000
    assert 0 < outcome.frames < 30
    assert outcome.dropped == 30 - outcome.frames


async def test_attempts_follow_in_one_stream_while_conditions_are_retried(scanning: Scanning) -> None:
    fake, events = FakeServer(StreamPlan(results=[RETRY, RETRY, SUCCESS], frames_wanted=4)), Recorder()
    async with scanning(fake, frames=60, events=events) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert (outcome.attempts, outcome.streams) == (3, 1)
    assert events.finished == [1, 2, 3]
    assert {frame.header.attempt for frame in fake.frames} == {1, 2, 3}


async def test_device_leaves_when_the_source_is_exhausted(scanning: Scanning) -> None:
    fake = FakeServer(StreamPlan(results=[RETRY, SUCCESS], frames_wanted=0))
    async with scanning(fake, frames=4) as scanner:
        outcome = await scanner.scan()
    assert outcome.status == scan_pb2.SCAN_STATUS_RETRY
    assert outcome.feedback == (feedback_pb2.FEEDBACK_CODE_TOO_DARK,)
    assert fake.half_closed == 1


async def test_device_makes_no_more_attempts_than_it_is_asked_for(scanning: Scanning) -> None:
    fake = FakeServer(StreamPlan(results=[RETRY, RETRY, SUCCESS], frames_wanted=3))
    settings = ScanSettings(max_field=64, max_attempts=2)
    async with scanning(fake, frames=60, settings=settings) as scanner:
        outcome = await scanner.scan()
    assert (outcome.attempts, outcome.status) == (2, scan_pb2.SCAN_STATUS_RETRY)


async def test_adjustment_makes_frames_smaller(scanning: Scanning) -> None:
    async def adjust(frame: int, send: Send) -> None:
        if frame == 2:
            message = scan_pb2.CaptureAdjustment(max_side=24)
            await send(scan_pb2.ScanFaceResponse(capture_adjustment=message))

    fake = FakeServer(StreamPlan(act=adjust, credit=1, frames_wanted=8))
    async with scanning(fake, frames=20) as scanner:
        await scanner.scan()
    assert fake.violations == []
    assert (fake.frames[0].header.width, fake.frames[0].header.height) == (32, 48)
    assert (fake.frames[-1].header.width, fake.frames[-1].header.height) == (16, 24)


async def test_adjustment_lowers_the_rate(scanning: Scanning) -> None:
    async def adjust(frame: int, send: Send) -> None:
        if frame == 1:
            message = scan_pb2.CaptureAdjustment(max_frames_per_second=5)
            await send(scan_pb2.ScanFaceResponse(capture_adjustment=message))

    fake = FakeServer(StreamPlan(act=adjust, credit=1, frames_wanted=0))
    async with scanning(fake, frames=50) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    times = [frame.header.capture_time_us for frame in fake.frames[3:]]
    assert (times[-1] - times[0]) / (len(times) - 1) >= 180_000
    assert outcome.dropped == 0


async def test_pause_holds_frames_back(scanning: Scanning) -> None:
    async def pause(frame: int, send: Send) -> None:
        if frame == 3:
            await send(_pause(paused=True))
            await asyncio.sleep(0.25)
            await send(_pause(paused=False))

    fake, events = FakeServer(StreamPlan(act=pause, credit=5, frames_wanted=8)), Recorder()
    async with scanning(fake, frames=60, pace="realtime", events=events) as scanner:
        await scanner.scan()
    assert fake.violations == []
    assert events.pauses == [True, False]
    times = [frame.header.capture_time_us for frame in fake.frames]
    assert max(b - a for a, b in itertools.pairwise(times)) >= 150_000


async def test_cancelling_ends_the_attempt_with_its_cause(scanning: Scanning) -> None:
    class CancelAfter(ScanEvents):
        def frame_sent(self, attempt: int, index: int, size: int) -> None:
            if index == 2:
                scanner.cancel()

    fake = FakeServer(StreamPlan(frames_wanted=0, results=[RETRY, SUCCESS]))
    async with scanning(fake, frames=60, events=CancelAfter()) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert fake.ends[0].cause == Cause.CAUSE_CANCELLED
    assert (outcome.attempts, outcome.frames) == (1, 3)


async def test_attempt_ends_before_the_servers_longest_duration(scanning: Scanning) -> None:
    def short(body: scan_pb2.ChallengeBody) -> None:
        body.budget.max_attempt_duration.FromMilliseconds(400)

    fake = FakeServer(StreamPlan(frames_wanted=0, body_changes=short))
    async with scanning(fake, frames=200, pace="realtime") as scanner:
        await scanner.scan()
    assert fake.violations == []
    assert fake.ends[0].cause == Cause.CAUSE_TIMED_OUT


@pytest.mark.parametrize(
    ("field", "limit", "frames"), [("max_frames_per_attempt", 5, 5), ("max_scan_bytes", 6_000, 3)]
)
async def test_budget_is_kept(scanning: Scanning, field: str, limit: int, frames: int) -> None:
    def tight(body: scan_pb2.ChallengeBody) -> None:
        setattr(body.budget, field, limit)

    fake = FakeServer(StreamPlan(frames_wanted=0, body_changes=tight))
    async with scanning(fake, frames=50) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert fake.ends[0].cause == Cause.CAUSE_TIMED_OUT
    assert outcome.frames == frames


async def test_result_before_the_end_is_taken(scanning: Scanning) -> None:
    async def decide(frame: int, send: Send) -> None:
        if frame == 3:
            await send(
                scan_pb2.ScanFaceResponse(
                    scan_result=scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_FAILURE)
                )
            )

    fake = FakeServer(StreamPlan(frames_wanted=0, act=decide, withhold_credit=True, credit=3))
    async with scanning(fake, frames=10) as scanner:
        outcome = await scanner.scan()
    assert outcome.status == scan_pb2.SCAN_STATUS_FAILURE
    assert fake.ends == []


async def test_camera_that_fails_ends_the_attempt_and_is_reported() -> None:
    class Failing:
        def __init__(self) -> None:
            self._good = generated_source(pictures(3), pace="fast")
            self.camera, self.pace, self.closed = self._good.camera, self._good.pace, 0

        def begin_attempt(self) -> None:
            self._good.begin_attempt()

        def __aiter__(self) -> "Failing":
            return self

        async def __anext__(self) -> CapturedImage:
            try:
                return await anext(self._good)
            except StopAsyncIteration:
                raise SourceError("unplugged") from None

        async def aclose(self) -> None:
            self.closed += 1

    fake, source = FakeServer(StreamPlan(frames_wanted=0)), Failing()
    async with serving(fake) as target, open_channel(target) as channel:
        ticket = ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256)
        outcome = await FaceScanner(channel=channel, ticket=ticket, source=source, settings=FAST).scan()
    assert fake.violations == []
    assert fake.ends[0].cause == Cause.CAUSE_CAMERA_FAILED
    assert str(outcome.source_error) == "unplugged"
    assert source.closed == 1


async def test_exception_of_the_interface_ends_the_scan(scanning: Scanning) -> None:
    class Broken(ScanEvents):
        def frame_sent(self, attempt: int, index: int, size: int) -> None:
            raise RuntimeError("the interface broke")

    async with scanning(FakeServer(), events=Broken()) as scanner:
        with pytest.raises(RuntimeError, match="the interface broke"):
            await scanner.scan()


def test_ticket_does_not_show_its_token() -> None:
    assert "secret" not in repr(ScanTicket(token="secret", challenge_key_sha256=bytes(32)))


def _pause(*, paused: bool) -> scan_pb2.ScanFaceResponse:
    return scan_pb2.ScanFaceResponse(
        capture_pause=scan_pb2.CapturePause(paused=paused, reason=feedback_pb2.FEEDBACK_CODE_CENTER_FACE)
    )
