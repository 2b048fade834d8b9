"""The thread pool of CPU work."""

import asyncio
import contextvars
import threading
import time

import cv2
import pytest

from server.base.worker_pool import WorkerPool


async def test_the_pool_returns_and_raises_as_the_work_does() -> None:
    pool = WorkerPool(workers=1)
    assert await pool.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await pool.run(divmod, 7, 0)
    assert pool.waiting == 0
    pool.close()


async def test_work_is_off_the_event_loop_on_no_more_threads_than_workers() -> None:
    pool = WorkerPool(workers=2)
    threads = await asyncio.gather(*(pool.run(_thread_after_a_moment) for _ in range(6)))
    assert threading.get_ident() not in threads
    assert len(set(threads)) <= 2
    pool.close()


async def test_the_context_of_the_caller_is_the_works() -> None:
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("check 7")
    pool = WorkerPool(workers=1)
    assert await pool.run(variable.get) == "check 7"
    pool.close()


async def test_cpu_time_is_counted_and_waiting_time_is_not() -> None:
    pool = WorkerPool(workers=1)
    await pool.run(time.sleep, 0.05)
    assert pool.cpu_seconds < 0.04
    await pool.run(_busy, 0.05)
    assert pool.cpu_seconds >= 0.05
    pool.close()


async def test_waiting_calls_are_reported() -> None:
    pool = WorkerPool(workers=1)
    release = threading.Event()
    tasks = [asyncio.ensure_future(pool.run(release.wait, 20)) for _ in range(3)]
    await asyncio.sleep(0)
    assert pool.waiting == 3
    release.set()
    await asyncio.gather(*tasks)
    assert pool.waiting == 0
    pool.close()


async def test_work_of_a_verdict_comes_before_earlier_work() -> None:
    pool = WorkerPool(workers=1)
    release, done = threading.Event(), list[str]()
    tasks = [
        asyncio.ensure_future(pool.run(release.wait, 20)),
        asyncio.ensure_future(pool.run(done.append, "frame")),
        asyncio.ensure_future(pool.run_first(done.append, "verdict")),
        asyncio.ensure_future(pool.run(done.append, "later frame")),
        asyncio.ensure_future(pool.run_first(done.append, "later verdict")),
    ]
    await asyncio.sleep(0.02)
    release.set()
    await asyncio.gather(*tasks)
    assert done == ["verdict", "later verdict", "frame", "later frame"]
    pool.close()


async def test_a_verdict_does_not_wait_until_a_worker_has_done_with_a_frame() -> None:
    pool = WorkerPool(workers=1)
    release = threading.Event()
    held = asyncio.ensure_future(pool.run(release.wait, 20))
    await asyncio.sleep(0.02)
    assert await pool.run_first(divmod, 7, 2) == (3, 1)
    works = pool.run_later(divmod, 9, 2)
    assert await works.result() == (4, 1)
    assert not held.done()
    release.set()
    await held
    pool.close()


async def test_a_cancelled_call_does_not_delay_others() -> None:
    pool = WorkerPool(workers=1)
    release, done = threading.Event(), list[str]()
    held = asyncio.gather(*(run(release.wait, 20) for run in (pool.run, pool.run_first)))
    await asyncio.sleep(0.02)
    leaver = asyncio.ensure_future(pool.run_first(done.append, "leaver"))
    stayer = asyncio.ensure_future(pool.run(done.append, "stayer"))
    await asyncio.sleep(0.02)
    leaver.cancel()
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(held, stayer)
    assert (done, pool.waiting) == (["stayer"], 0)
    pool.close()


async def test_cancellation_is_raised_once_the_running_call_has_ended() -> None:
    pool = WorkerPool(workers=1)
    release, done = threading.Event(), list[str]()

    def changes_what_the_caller_holds() -> None:
        release.wait(20)
        done.append("changed")
        raise LookupError

    caller = asyncio.ensure_future(pool.run(changes_what_the_caller_holds))
    await asyncio.sleep(0.02)
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0.02)
        assert not caller.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert (done, pool.waiting) == (["changed"], 0)
    pool.close()


async def test_a_detached_call_is_cancelled_at_once() -> None:
    pool = WorkerPool(workers=1)
    release, done = threading.Event(), list[str]()
    running = asyncio.ensure_future(pool.run_apart(release.wait, 20))
    await asyncio.sleep(0.02)
    waiting = asyncio.ensure_future(pool.run_apart(done.append, "dropped"))
    await asyncio.sleep(0.02)
    for caller in (running, waiting):
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    release.set()
    await pool.run(done.append, "next")
    assert (done, pool.waiting) == (["next"], 0)
    pool.close()


async def test_later_work_comes_last_until_it_is_awaited() -> None:
    pool = WorkerPool(workers=1)
    release, done = threading.Event(), list[str]()
    held = asyncio.ensure_future(pool.run(release.wait, 20))
    await asyncio.sleep(0.02)
    patient, hurried = (pool.run_later(done.append, name) for name in ("patient", "hurried"))
    frame = asyncio.ensure_future(pool.run(done.append, "frame"))
    asked = asyncio.ensure_future(hurried.result())
    await asyncio.sleep(0.02)
    release.set()
    await asyncio.gather(held, frame, asked)
    await patient.result()
    assert done == ["hurried", "frame", "patient"]
    assert hurried.done
    assert patient.done
    pool.close()


async def test_later_work_can_be_awaited_repeatedly() -> None:
    pool = WorkerPool(workers=2)
    works, fails = pool.run_later(divmod, 7, 2), pool.run_later(divmod, 7, 0)
    assert [await works.result() for _ in range(2)] == [(3, 1)] * 2
    with pytest.raises(ZeroDivisionError):
        await fails.result()
    pool.close()


async def test_closing_drops_calls_that_have_not_begun() -> None:
    pool = WorkerPool(workers=1)
    release, done = threading.Event(), list[str]()
    held = asyncio.gather(*(run(release.wait, 20) for run in (pool.run, pool.run_first)))
    await asyncio.sleep(0.02)
    dropped = [asyncio.ensure_future(run(done.append, "late")) for run in (pool.run, pool.run_first)]
    await asyncio.sleep(0.02)
    later = pool.run_later(done.append, "later")
    asyncio.get_running_loop().call_later(0.02, release.set)
    await asyncio.to_thread(pool.close)
    await asyncio.wait(dropped)
    assert (await held, [task.cancelled() for task in dropped], done) == ([True] * 2, [True] * 2, [])
    with pytest.raises(asyncio.CancelledError):
        await later.result()


def _thread_after_a_moment() -> int:
    time.sleep(0.01)
    return threading.get_ident()


def _busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_opencv_keeps_to_the_thread_that_calls_it() -> None:
    cv2.setNumThreads(4)
    WorkerPool(workers=2).close()
    assert cv2.getNumThreads() == 1
