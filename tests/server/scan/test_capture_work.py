"""An attempt on a pool whose only worker can be blocked: frames, examinations ahead, and the end."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from attempt.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from attempt.capture import AttemptCapture
from attempt.frame import FrameLimits
from liveness.guidance import GuidanceSettings, Oval
from matcher.persons import SCAN_SUBJECT
from server.base.errors import Reason, Refusal
from server.base.worker_pool import WorkerPool
from server.scan.capture_work import AttemptTrace, CaptureWork
from server.scan.messages import FrameMessage
from tests.attempt.capturing import undecodable
from tests.server.live import PLAN, pictures
from tests.server.models_once import remembering_pack
from tests.server.scan.idle_pool import until_idle
from tests.server.scan.records import frame_message


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(workers=1)
    yield pool
    pool.close()


class _Counting(FrameAnalyst):
    """Records the frames that it examined, in order, and the threads on which it measured frames."""

    def __init__(self) -> None:
        super().__init__(pack=remembering_pack(), limits=FrameLimits())
        self.examined: list[int] = []
        self.threads: set[str] = set()
        self.held: int | None = None
        self.reached, self.release = threading.Event(), threading.Event()
        self.before: Callable[[], object] = lambda: None

    def measure_frame(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.threads.add(threading.current_thread().name)
        self.before()
        return super().measure_frame(*args, **kwargs)

    def examine(self, seen: SeenFrame, *, with_cues: bool = False) -> ExaminedFrame:
        self.examined.append(seen.observation.index)
        if seen.observation.index == self.held:
            self.reached.set()
            self.release.wait(20)
        return super().examine(seen, with_cues=with_cues)


class _Setting:
    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.analyst = _Counting()
        self.trace = AttemptTrace(blocks=self.analyst.blocks)
        self.capture = AttemptCapture(
            analyst=self.analyst,
            plan=PLAN,
            oval=Oval(),
            guidance=GuidanceSettings(),
            random=bytes,
            subject=SCAN_SUBJECT,
        )
        self.work = CaptureWork(self.capture, pool=pool, trace=self.trace, monotonic=lambda: 0.0)

    async def take(self, *indices: int) -> None:
        for index in indices:
            await self.work.measure_frame(_frame(index), arrival=0.0, then_act=False)

    async def ahead(self) -> None:
        await self.work.examine_ahead()
        await until_idle(self.pool)

    @property
    def known(self) -> list[int]:
        return [examined.frame_index for examined in self.capture.examined]


def _frame(index: int) -> FrameMessage:
    picture = pictures()[index]
    return frame_message(index, image=picture.jpeg, capture_time_us=picture.time_us + 1)


async def test_a_frame_is_worked_in_and_traced_on_a_worker(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.take(0)
    assert len(setting.capture.observations.frames) == 1
    assert len(setting.trace.observed.measured_claims) == len(setting.trace.images) == 1
    assert all(name.startswith("facegate-cpu") for name in setting.analyst.threads)


async def test_an_image_that_cannot_be_used_is_refused(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    broken = frame_message(0, image=undecodable(pictures()[0].jpeg))
    with pytest.raises(Refusal) as caught:
        await setting.work.measure_frame(broken, arrival=0.0, then_act=False)
    assert caught.value.reason is Reason.FRAME_IMAGE_INVALID
    assert caught.value.details["frameIndex"] == 0


async def test_a_frame_is_worked_in_to_its_end_when_the_device_vanishes(pool: WorkerPool) -> None:
    setting, release = _Setting(pool), threading.Event()
    setting.analyst.before = lambda: release.wait(20)
    taking = asyncio.ensure_future(setting.take(0))
    await asyncio.sleep(0.02)
    taking.cancel()
    await asyncio.sleep(0.02)
    assert not taking.done(), "the attempt must not be read while a thread writes it"
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert len(setting.capture.observations.frames) == 1


async def test_one_frame_at_a_time_is_examined_ahead(pool: WorkerPool) -> None:
    setting, release = _Setting(pool), threading.Event()
    await setting.take(*range(PLAN.frames))
    busy = asyncio.ensure_future(pool.run(release.wait, 20))
    await asyncio.sleep(0.01)
    for _ in range(3):
        await setting.work.examine_ahead()
    frame = asyncio.ensure_future(pool.run(setting.analyst.examined.append, -1))
    await asyncio.sleep(0.01)
    assert not setting.known
    release.set()
    await asyncio.gather(busy, frame)
    await until_idle(pool)
    assert setting.analyst.examined[0] == -1, "a frame of any scan comes before it"
    assert len(setting.analyst.examined) == 2


async def test_the_rest_awaits_examinations_that_run(pool: WorkerPool) -> None:
    setting, release = _Setting(pool), threading.Event()
    await setting.take(*range(PLAN.frames))
    await setting.ahead()
    busy = asyncio.ensure_future(pool.run(release.wait, 20))
    await asyncio.sleep(0.01)
    await setting.work.examine_ahead()
    other = asyncio.ensure_future(pool.run(setting.analyst.examined.append, -1))
    rest = asyncio.ensure_future(setting.work.examine_rest())
    await asyncio.sleep(0.01)
    release.set()
    await asyncio.gather(busy, other, rest)
    assert sorted(setting.analyst.examined[:-1]) == setting.known, "each once"
    assert setting.analyst.examined[-1] == -1, "a caller waits for it now, so it precedes other scans' frames"
    assert len(setting.known) == PLAN.selected


async def test_an_early_error_reaches_its_caller(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.take(*range(PLAN.frames))
    examination = setting.capture.next_examination()
    assert examination is not None
    object.__setattr__(examination.seen, "pixels", None)
    await setting.ahead()
    with pytest.raises(ValueError, match="only a frame with a face"):
        await setting.work.examine_rest()


async def test_when_one_examination_fails_the_others_have_ended(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.take(*range(PLAN.frames))
    held, broken, *_ = setting.capture.examinations(begun=None)
    object.__setattr__(broken.seen, "pixels", None)
    setting.analyst.held = held.index
    rest = asyncio.ensure_future(setting.work.examine_rest())
    await asyncio.to_thread(setting.analyst.reached.wait, 20)
    await asyncio.sleep(0.05)
    assert not rest.done(), "a thread still works on the attempt"
    setting.analyst.release.set()
    with pytest.raises(ValueError, match="only a frame with a face"):
        await rest
    assert pool.waiting == 0


async def test_a_second_cancellation_waits_for_the_running_examination(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.take(*range(PLAN.frames))
    held, *_ = setting.capture.examinations(begun=None)
    setting.analyst.held = held.index
    rest = asyncio.ensure_future(setting.work.examine_rest())
    await asyncio.to_thread(setting.analyst.reached.wait, 20)
    for _ in range(2):
        rest.cancel()
        await asyncio.sleep(0.02)
        assert not rest.done(), "a thread still works on the attempt"
    setting.analyst.release.set()
    with pytest.raises(asyncio.CancelledError):
        await rest
    assert pool.waiting == 0


async def test_a_drawn_frame_that_does_not_decode_is_refused_at_the_end(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.take(0)
    broken = frame_message(1, image=undecodable(pictures()[1].jpeg))
    setting.work.pass_over(broken, arrival=0.0)
    with pytest.raises(Refusal) as caught:
        await setting.work.verify_sample()
    assert caught.value.reason is Reason.FRAME_IMAGE_INVALID


async def _ahead_of_a_replaced_frame(setting: _Setting) -> None:
    """Holds an examination that was started ahead, of a frame that is then no longer selected."""
    await setting.take(*range(PLAN.frames))
    examination = setting.capture.next_examination()
    assert examination is not None
    setting.analyst.held = examination.index
    await setting.work.examine_ahead()
    await asyncio.to_thread(setting.analyst.reached.wait, 20)
    setting.capture._kept._selector._kept = [
        kept for kept in setting.capture._kept._selector._kept if kept.index != examination.index
    ]
    assert examination.index not in setting.capture.selected


async def test_an_attempt_is_put_away_after_an_examination_of_a_replaced_frame() -> None:
    pool = WorkerPool(workers=2)
    setting = _Setting(pool)
    await _ahead_of_a_replaced_frame(setting)
    held = setting.analyst.held
    await asyncio.wait_for(setting.work.examine_rest(), 20)
    assert held not in setting.known, "the verdict does not wait for it"
    closing = asyncio.ensure_future(setting.work.close())
    await asyncio.sleep(0.02)
    assert not closing.done(), "a thread still works on the attempt"
    setting.analyst.release.set()
    await closing
    assert pool.waiting == 0
    await setting.work.close()
    pool.close()


async def test_an_examination_that_has_not_begun_is_dropped_with_its_attempt(pool: WorkerPool) -> None:
    setting, release = _Setting(pool), threading.Event()
    await setting.take(*range(PLAN.frames))
    busy = asyncio.ensure_future(pool.run(release.wait, 20))
    await asyncio.sleep(0.01)
    await setting.work.examine_ahead()
    await asyncio.wait_for(setting.work.close(), 5)
    release.set()
    await busy
    await until_idle(pool)
    assert setting.analyst.examined == []


async def test_an_error_of_a_discarded_examination_is_lost(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.take(*range(PLAN.frames))
    examination = setting.capture.next_examination()
    assert examination is not None
    object.__setattr__(examination.seen, "pixels", None)
    await setting.ahead()
    await setting.work.close()
    assert pool.waiting == 0
