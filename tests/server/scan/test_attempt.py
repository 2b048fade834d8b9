"""Frames and ends that break a rule or cannot be used, sent to a real server."""

import asyncio
import functools
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import cv2
import grpc
import numpy as np
import pytest
import pytest_asyncio
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from hypothesis import given
from hypothesis import strategies as st

from attempt import Reveal
from attempt.placement import CapturePlan
from liveness.watch import FramePace, FrameWork
from server.base.errors import Reason, Refusal
from server.domain.terms import CheckState, EndedBy
from server.scan.attempt import AttemptRun
from server.scan.budget import require_within_budget
from server.scan.endings import ScanDeadlinePassed
from server.scan.inbox import CreditLedger
from server.scan.messages import CaptureBudget, Inbound, Outbound
from server.scan.timing import AttemptClocks, AttemptPace, CaptureRate
from server.scan.transcript import AHEAD_SECONDS
from server.verdict import FailureReason
from tests.attempt.capturing import undecodable
from tests.client.fakes import cutting
from tests.packs import shared_pack
from tests.server.live import FAST, PLAN, LiveServer, Picture, pictures, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.raw_device import Ended, RawDevice, RawStream, after_two_frames, opened
from tests.server.refusals import Refused
from tests.server.scan.records import NOW, check_record, frame_message, hints, reasons
from vision.face import BgrImage, DetectedFace
from vision.image import encode_jpeg
from vision.packs import Pack

# Frames and ends that break a rule, sent to a real server: the documented error and the stored state.

Misbehave = Callable[[RawStream], Awaitable[None]]


async def _replays_a_frame(stream: RawStream) -> None:
    frame = stream.frame(pictures()[2])
    await stream.send(frame)
    await stream.send(frame)


async def _swaps_the_image(stream: RawStream) -> None:
    frame = stream.frame(pictures()[2])
    frame.frame.image = pictures()[3].jpeg
    await stream.send(frame)


async def _stops_the_clock(stream: RawStream) -> None:
    await stream.send(stream.frame(pictures()[1]))


async def _signs_something_else(stream: RawStream) -> None:
    await stream.send(stream.end(signature=stream.proof()))


@pytest.mark.parametrize(
    ("misbehave", "reason"),
    [
        (_replays_a_frame, "FRAME_OUT_OF_ORDER"),
        (_swaps_the_image, "FRAME_MAC_INVALID"),
        (_stops_the_clock, "FRAME_TIME_INVALID"),
        (_signs_something_else, "ATTEMPT_END_INVALID"),
    ],
)
async def test_a_broken_transcript_ends_the_check(
    scene: LiveServer, misbehave: Misbehave, reason: str
) -> None:
    device, stream, check_id = await after_two_frames(scene)

    await misbehave(stream)
    refusal = await stream.refusal()

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    record = await scene.record(check_id)
    assert (record.state, record.lease_until) == (CheckState.DECIDED, None)
    assert (record.reasons or ())[0] is FailureReason.TRANSCRIPT_BROKEN
    answer = await scene.finish(check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert not answer.result.transcript.intact
    assert answer.evidence_frame.sha256 == answer.result.evidence_frame.sha256
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.open(resume=True)


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


async def test_a_clock_that_runs_ahead_is_refused(tmp_path: Path) -> None:
    tuning = replace(FAST, ahead_seconds=AHEAD_SECONDS)
    async with serving(settings_for(tmp_path), tuning=tuning) as live:
        check_id, _, stream = await opened(live)
        await stream.begin()
        await stream.send(stream.frame(pictures()[0]))
        await stream.send(stream.frame(pictures()[1], capture_time_us=pictures()[0].time_us + 60_000_000))
        refusal = await stream.refusal()
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FRAME_TIME_INVALID")
        assert (await reasons(live, check_id))[0] == "TRANSCRIPT_BROKEN"


@pytest.mark.parametrize(
    ("size", "before", "bytes_before", "reason"),
    [
        (10, 2, 20, None),
        (11, 0, 0, Reason.FRAME_TOO_LARGE),
        (10, 3, 0, Reason.SCAN_BUDGET_EXCEEDED),
        (10, 0, 21, Reason.SCAN_BUDGET_EXCEEDED),
    ],
)
def test_a_frame_is_within_the_budget(
    size: int, before: int, bytes_before: int, reason: Reason | None
) -> None:
    budget = CaptureBudget(max_frame_bytes=10, max_frames_per_attempt=3, max_scan_bytes=30)
    with pytest.raises(Refusal) if reason else nullcontext() as caught:
        require_within_budget(
            frame_message(image=bytes(size)), before=before, bytes_before=bytes_before, budget=budget
        )
    assert caught is None or caught.value.reason is reason


async def test_a_reconnect_does_not_restart_the_count_of_bytes(tmp_path: Path) -> None:
    budget = CaptureBudget(max_scan_bytes=4 * len(pictures()[0].jpeg))
    async with serving(settings_for(tmp_path), tuning=replace(FAST, budget=budget)) as live:
        check_id, device, stream = await opened(live)
        await stream.begin()
        with pytest.raises(Ended, match="SCAN_BUDGET_EXCEEDED"):
            await stream.send_frames(pictures())
        assert (await live.record(check_id)).state is CheckState.WAITING
        again = await device.resume()
        await again.begin()
        await again.send(again.frame(pictures()[0]))
        await again.send(again.frame(pictures()[1]))
        assert (await again.refusal()).reason == "SCAN_BUDGET_EXCEEDED"


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


def _paced(
    *, interval: float, dropped: int = 0, measured: float | None = None, waited: float = 0.0
) -> AttemptPace:
    """The pace of an attempt of 30 frames."""
    rate = CaptureRate()
    for number in range(30):
        rate.count_frame(interval * number, dropped=dropped)
    capture: Any = SimpleNamespace(measured_per_second=lambda **_: measured)
    credit: Any = SimpleNamespace(waited_seconds=waited)
    return AttemptPace(rate=rate, capture=capture, credit=credit, least=8.0)


@pytest.mark.parametrize(
    ("pace", "slow"),
    [
        ({"interval": 0.1}, None),
        ({"interval": 0.2}, "CAPTURE_TOO_SLOW"),
        # The device captured more and could not send them, or many frames are of few moments.
        ({"interval": 0.2, "dropped": 2}, "NETWORK_TOO_SLOW"),
        ({"interval": 0.1, "measured": 3.9}, "NETWORK_TOO_SLOW"),
        ({"interval": 0.1, "measured": 4.0}, None),
    ],
)
def test_too_few_frames_are_the_cameras_fault_or_the_networks(pace: dict[str, Any], slow: str | None) -> None:
    assert _paced(**pace).too_slow == slow


@pytest.mark.parametrize(
    ("pace", "busy", "told"),
    [
        ({"interval": 0.2, "waited": 2.8}, False, "CAPTURE_TOO_SLOW"),
        ({"interval": 0.2, "waited": 3.0}, True, "SERVER_BUSY"),
        ({"interval": 0.2, "dropped": 2, "waited": 3.0}, True, "SERVER_BUSY"),
        ({"interval": 0.1, "waited": 2.9}, True, None),
        ({"interval": 0.2, "dropped": 2}, False, None),
    ],
)
def test_a_server_that_is_late_with_its_credit_blames_neither_line_nor_camera(
    pace: dict[str, Any], *, busy: bool, told: str | None
) -> None:
    paced = _paced(**pace)
    assert (paced.busy, paced.slow_by_now) == (busy, told)


async def test_a_step_counts_as_sent_before_the_wait_for_the_device() -> None:
    order: list[str] = []

    async def send(_message: Outbound) -> None:
        order.append("sent")

    run: Any = SimpleNamespace(
        capture=SimpleNamespace(note_sent=lambda action, at: order.append(f"noted at {at:g}")),
        _env=SimpleNamespace(clock=SimpleNamespace(monotonic=lambda: 5.0)),
        _send=send,
        _complete_if_due=AsyncMock(),
    )
    step: Any = SimpleNamespace(number=3)
    await AttemptRun._do(run, (Reveal(step),))
    assert (order, run._step) == (["noted at 5", "sent"], 3)


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


# Frames whose rotation differs from their header, sent to a real server.


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


async def _send_turned(
    stream: RawStream, frames: tuple[Picture, ...], **header: object
) -> scan_pb2.ScanResult:
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


async def test_a_wrong_rotation_is_named_and_may_be_put_right(scene: LiveServer) -> None:
    _, _, stream = await opened(scene)
    result = await _send_turned(stream, _turned(1))
    assert result.status == scan_pb2.SCAN_STATUS_RETRY
    assert result.another_attempt
    assert result.feedback[0] == feedback_pb2.FEEDBACK_CODE_WRONG_ROTATION
    assert feedback_pb2.FEEDBACK_CODE_NO_FACE not in result.feedback
    assert feedback_pb2.FEEDBACK_CODE_TURN_HEAD_SLIGHTLY not in result.feedback
    assert "WRONG_ROTATION" in hints(stream)
    assert "GOOD" not in hints(stream)

    result = await _send_turned(stream, _turned(1), rotation=scan_pb2.ROTATION_90)
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None


async def test_the_last_attempt_fails_by_conditions_and_not_by_its_person(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, policy="once", person="astronaut")
    result = await _send_turned(stream, _turned(1))
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
    result = await _send_turned(stream, _turned(turns))
    assert result.status == scan_pb2.SCAN_STATUS_RETRY
    assert result.feedback[0] == feedback_pb2.FEEDBACK_CODE_WRONG_ROTATION
    await stream.half_close()
    assert await stream.outcome() is None
    assert "NOT_SAME_PERSON" not in await reasons(open_server, check_id)


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


async def test_frames_are_held_to_the_credit_as_they_arrive(tmp_path: Path, slow: Pack) -> None:
    async with serving(settings_for(tmp_path), pack=slow) as live:
        check_id, _, stream = await opened(live)
        await stream.begin()
        for picture in pictures()[: WINDOW + 1]:
            await stream.send(stream.frame(picture))
        refusal = await stream.refusal()
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CREDIT_EXCEEDED")
        assert refusal.metadata["creditFrames"] == "0"
        await live.reaches(check_id, CheckState.WAITING)
        # The frames that arrived within the credit were processed.
        assert [attempt.frames for attempt in await live.attempts(check_id)] == [WINDOW]


@pytest.mark.slow
async def test_a_device_within_its_credit_is_never_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine frames may come late.
    monkeypatch.setattr(AttemptClocks, "overdue", lambda *_: False)
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
