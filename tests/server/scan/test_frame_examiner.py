"""Frames that are examined ahead and at the end, each once, with a pool whose only worker can be held up."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from liveness.selection import CUE_FRAMES
from server.scan.analyst import FrameAnalyst, SeenFrame
from server.scan.frame_examiner import FrameExaminer
from server.scan.messages import CaptureBudget
from server.scan.worker_pool import WorkerPool
from tests.server.live import pictures, remembering_pack
from tests.server.scan.idle_pool import until_idle
from tests.server.scan.records import frame_message


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(workers=1)
    yield pool
    pool.close()


class _Counting(FrameAnalyst):
    """Notes which frames it examined, in order."""

    def __init__(self) -> None:
        super().__init__(pack=remembering_pack(), budget=CaptureBudget())
        self.examined: list[int] = []

    def examine(self, seen, *, with_cues=False):  # type: ignore[no-untyped-def]
        self.examined.append(seen.observation.index)
        return super().examine(seen, with_cues=with_cues)


class _Setting:
    def __init__(self, pool: WorkerPool, frames: int = 5) -> None:
        self.pool = pool
        self.analyst = _Counting()
        self.kept: dict[int, SeenFrame] = {}
        for index in range(frames):
            picture = pictures()[index]
            message = frame_message(index, image=picture.jpeg, capture_time_us=picture.time_us + 1)
            self.kept[index] = self.analyst.look(message, picture.time_us / 1e6)
        self.examiner = FrameExaminer(analyst=self.analyst, pool=pool, kept=self.kept)

    async def idle(self) -> None:
        await until_idle(self.pool)

    @property
    def known(self) -> list[int]:
        return [examined.frame_index for examined in self.examiner.examined]


async def test_one_frame_at_a_time_and_the_wanted_first(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    for wanted in ([3, 1], [3, 1], [1, 0]):
        await setting.examiner.ahead(wanted)
        await setting.idle()
    await setting.examiner.ahead([])
    assert setting.analyst.examined == [3, 1, 0]
    assert setting.known == [0, 1, 3]


async def test_nothing_is_begun_while_one_waits_behind_frames(pool: WorkerPool) -> None:
    setting, release = _Setting(pool), threading.Event()
    busy = asyncio.ensure_future(pool.run(release.wait, 20))
    await asyncio.sleep(0.01)
    for _ in range(3):
        await setting.examiner.ahead([2, 4])
    frame = asyncio.ensure_future(pool.run(setting.analyst.examined.append, -1))
    await asyncio.sleep(0.01)
    assert not setting.known
    release.set()
    await asyncio.gather(busy, frame)
    await setting.idle()
    assert setting.analyst.examined == [-1, 2], "a frame of any scan came before it"


async def test_the_rest_takes_over_what_had_begun_or_waits(pool: WorkerPool) -> None:
    setting, release = _Setting(pool), threading.Event()
    busy = asyncio.ensure_future(pool.run(release.wait, 20))
    await asyncio.sleep(0.01)
    await setting.examiner.ahead([4])
    frame = asyncio.ensure_future(pool.run(setting.analyst.examined.append, -1))
    rest = asyncio.ensure_future(setting.examiner.rest([0, 4]))
    await asyncio.sleep(0.01)
    release.set()
    await asyncio.gather(busy, frame, rest)
    assert sorted(setting.analyst.examined[:2]) == [0, 4], "it is waited for now"
    assert setting.analyst.examined[2:] == [-1]
    assert setting.known == [0, 4]


async def test_a_frame_that_was_replaced_meanwhile_counts_no_more(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.examiner.ahead([1])
    await setting.idle()
    await setting.examiner.ahead([2])
    await setting.idle()
    del setting.kept[1]
    await setting.examiner.rest([0, 2])
    assert setting.known == [0, 2]
    assert setting.analyst.examined == [1, 2, 0]


async def test_so_many_frames_have_cues_and_no_replaced_one_takes_a_place(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.examiner.ahead([0])
    await setting.idle()
    await setting.examiner.ahead([])
    del setting.kept[0]
    await setting.examiner.rest([1, 2, 3, 4])
    assert sum(examined.cues is not None for examined in setting.examiner.examined) == CUE_FRAMES


async def test_what_fails_ahead_is_told_to_who_waits(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    object.__setattr__(setting.kept[2], "pixels", None)
    await setting.examiner.ahead([2])
    await setting.idle()
    with pytest.raises(ValueError, match="only a frame with a face"):
        await setting.examiner.rest([2])


async def test_witnesses_are_identified_and_no_more_than_eight(pool: WorkerPool) -> None:
    setting = _Setting(pool, frames=11)
    assert not setting.examiner.witnesses
    looks = [(seen.message, seen.observation) for seen in setting.kept.values()]
    await setting.examiner.identify(looks)
    witnesses = setting.examiner.witnesses
    assert [examined.frame_index for examined in witnesses] == list(range(8))
    assert not setting.known
