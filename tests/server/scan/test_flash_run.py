"""The flash of an attempt: what is sent and when, and what a frame may claim."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator
from itertools import count

import pytest

from liveness.dynamic.challenge.actions import HintCode
from liveness.dynamic.challenge.flash import FlashChallenge
from liveness.dynamic.challenge.interface import Light, Meter
from liveness.dynamic.challenge.script import ColourScript
from liveness.dynamic.challenge.steps import SHORTEST_HOLD_SECONDS
from liveness.dynamic.meter import FlashMeter
from liveness.dynamic.policy import DynamicPolicy, Fallback
from liveness.guidance import GuidanceCode
from server.scan.analyst import FrameAnalyst
from server.scan.challenge import ChallengeFrame
from server.scan.flash_run import FlashRun
from server.scan.messages import (
    CaptureBudget,
    FeedbackMessage,
    FlashStepMessage,
    FrameMessage,
    Outbound,
    PauseMessage,
)
from server.scan.worker_pool import WorkerPool
from tests.liveness.dynamic.flash_device import ScriptedMeter
from tests.server.live import pictures, remembering_pack

_RATE = 15.0


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(workers=1)
    yield pool
    pool.close()


class _Phone:
    """Sends frames at a rate, in virtual time, and shows what it is told at once."""

    def __init__(self, pool: WorkerPool, meter: Meter, policy: DynamicPolicy, first: int = 1) -> None:
        analyst = FrameAnalyst(pack=remembering_pack(), budget=CaptureBudget())
        self.run = FlashRun(
            FlashChallenge(
                script=ColourScript(secrets.token_bytes, first_number=first),
                meter=meter,
                policy=policy,
                depth_line=3.5,
            ),
            analyst=analyst,
            pool=pool,
            first_step=first,
        )
        picture = pictures()[0]
        self._picture = picture
        message = self._message(0, 0.0)
        self._seen = analyst.look(message, 0.0, with_light=True)
        self.sent: list[Outbound] = []
        self._index = count()
        self.now = 100.0
        self.step, self.since = 0, 0.0
        self.captured = True

    def _message(self, index: int, time: float, step: int = 0, since: float = 0.0) -> FrameMessage:
        return FrameMessage(
            header=b"",
            image=self._picture.jpeg,
            mac=b"",
            attempt=1,
            index=index,
            capture_time_us=1_000_000 + round(time * 1e6),
            rotation_degrees=0,
            mirrored=False,
            dropped_before=0,
            width=self._picture.width,
            height=self._picture.height,
            flash_step=step,
            flash_step_since_us=round(since * 1e6) + 1_000_000 if step else 0,
        )

    async def frame(self, *, claim: int | None = None) -> tuple[Outbound, ...]:
        time = self.now - 100.0
        step = self.step if claim is None else claim
        if self.run.settled:
            message = self._message(next(self._index), time, step, self.since)
            self.run.glance(message, origin_us=1_000_000, arrival=self.now)
            return await self._said(time)
        await self.run.take(
            ChallengeFrame(
                message=self._message(next(self._index), time, step, self.since),
                seen=self._seen,
                capture_time=time,
                origin_us=1_000_000,
                arrival=self.now,
                guidance=GuidanceCode.OK,
                blinked=False,
                captured=self.captured,
            )
        )
        return await self._said(time)

    async def _said(self, time: float) -> tuple[Outbound, ...]:
        said = await self.run.messages(self.now, frame_index=0)
        self.sent += said
        for message in said:
            if isinstance(message, FlashStepMessage):
                self.step, self.since = message.step.number, time
        self.now += 1 / _RATE
        return said

    async def play(self, *, longest: float = 25.0) -> None:
        while not self.run.over and self.now < 100 + longest:
            await self.frame()


async def test_a_face_that_answers_ends_it_with_the_closing_step(pool: WorkerPool) -> None:
    phone = _Phone(pool, ScriptedMeter(), DynamicPolicy(), first=5)
    await phone.play()
    steps = [message.step for message in phone.sent if isinstance(message, FlashStepMessage)]
    assert [step.number for step in steps] == list(range(5, 5 + len(steps)))
    assert [step.last for step in steps] == [False] * (len(steps) - 1) + [True]
    assert phone.run.over
    assert not phone.run.fell_back
    assert phone.run.progress == 1.0
    assert phone.run.next_step == 5 + len(steps)
    evidence = phone.run.evidence
    assert [revealed.step for revealed in evidence.steps] == steps
    assert len(evidence.samples) > 20
    assert {sample.step for sample in evidence.samples} >= {5, 6, 7}
    # Relative to the attempt's first frame, as the capture times are.
    assert all(
        0 <= sample.capture_time - sample.step_since < 20
        for sample in evidence.samples
        if sample.step_since is not None
    )


async def test_nothing_is_revealed_before_frames_show_the_step_before(pool: WorkerPool) -> None:
    phone = _Phone(pool, ScriptedMeter(), DynamicPolicy())
    while not phone.sent:
        await phone.frame()
    for _ in range(60):
        assert not any(isinstance(said, FlashStepMessage) for said in await phone.frame(claim=0))


class _WatchedMeter(FlashMeter):
    """Notes on which threads steps are read, and whether there was anything to read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: set[str] = set()

    def _analyse(self) -> None:
        if self._due:
            self.read.add(threading.current_thread().name)
        super()._analyse()


async def test_steps_are_read_off_the_event_loop(pool: WorkerPool) -> None:
    meter = _WatchedMeter()
    phone = _Phone(pool, meter, DynamicPolicy())
    await phone.play(longest=4.0)
    assert len([said for said in phone.sent if isinstance(said, FlashStepMessage)]) >= 2
    assert meter.read
    assert all(name.startswith("facegate-cpu") for name in meter.read)


async def test_its_end_does_not_wait_behind_other_work(pool: WorkerPool) -> None:
    phone = _Phone(pool, ScriptedMeter(), DynamicPolicy())
    while not phone.run.settled:
        await phone.frame()
    release = threading.Event()
    others = asyncio.ensure_future(pool.run(release.wait))
    closed = phone.now
    try:
        async with asyncio.timeout(5):
            await phone.play()
    finally:
        release.set()
        await others
    assert phone.run.over
    # The frame that held the closing step, and the rate's interval at most.
    assert SHORTEST_HOLD_SECONDS <= phone.now - closed < SHORTEST_HOLD_SECONDS + 3 / _RATE


async def test_a_claim_of_an_earlier_attempt_is_no_claim(pool: WorkerPool) -> None:
    phone = _Phone(pool, ScriptedMeter(), DynamicPolicy(), first=9)
    await phone.frame(claim=8)
    assert phone.run.evidence.samples[-1].step == 0
    assert phone.run.evidence.samples[-1].step_since is None


@pytest.mark.parametrize(("fallback", "falls"), [(Fallback.MOVEMENT, True), (Fallback.NONE, False)])
async def test_bright_light_is_told_and_ends_it(pool: WorkerPool, fallback: Fallback, falls: bool) -> None:
    meter = ScriptedMeter(answer=lambda _: None, told_light=lambda _: Light.TOO_BRIGHT)
    phone = _Phone(pool, meter, DynamicPolicy(fallback=fallback))
    await phone.play()
    told = [message.code for message in phone.sent if isinstance(message, FeedbackMessage)]
    assert set(told) == {HintCode.TOO_BRIGHT}
    assert phone.run.hints == ("TOO_BRIGHT",)
    assert phone.run.over
    assert phone.run.fell_back is falls


async def test_who_says_nothing_more_is_not_asked_at_once_again(pool: WorkerPool) -> None:
    phone = _Phone(pool, ScriptedMeter(), DynamicPolicy())
    assert phone.run.due(phone.now) is None
    await phone.frame()
    due = phone.run.due(phone.now)
    assert due is not None
    assert due > phone.now
    await phone.play()
    assert phone.run.due(phone.now) is None


async def test_a_face_that_leaves_pauses_the_capture(pool: WorkerPool) -> None:
    phone = _Phone(pool, ScriptedMeter(), DynamicPolicy())
    while not phone.sent:
        await phone.frame()
    index = 1000
    pauses: list[PauseMessage] = []
    for _ in range(40):
        if not (pauses and pauses[-1].paused):
            time = phone.now - 100
            await phone.run.take(
                ChallengeFrame(
                    message=phone._message(index, time, phone.step, phone.since),
                    seen=phone._seen,
                    capture_time=time,
                    origin_us=1_000_000,
                    arrival=phone.now,
                    guidance=GuidanceCode.CENTER_FACE,
                    blinked=False,
                    captured=True,
                )
            )
            index += 1
        said = await phone.run.messages(phone.now, frame_index=index)
        pauses += [message for message in said if isinstance(message, PauseMessage)]
        phone.now += 1 / _RATE
    assert [pause.paused for pause in pauses[:2]] == [True, False]
    assert pauses[0].reason == "CENTER_FACE"
