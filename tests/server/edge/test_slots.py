"""A slot is free when its thread has ended, and no sooner."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from server.edge.slots import BACK_OFF_SECONDS, Abandoned, Slot, Slots
from server.errors import Reason, Refusal
from server.scan.worker_pool import WorkerPool


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    workers = WorkerPool(workers=1)
    yield workers
    workers.close()


async def _until_free(slots: Slots) -> None:
    for _ in range(5000):
        if not slots.used:
            return
        await asyncio.sleep(0.001)
    pytest.fail("a slot was never given back")


async def test_work_answers_or_fails_and_leaves(pool: WorkerPool) -> None:
    slots = Slots("tests", 1)
    with slots.taken() as slot:
        assert await slot.run(pool, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError), slots.taken() as slot:
        await slot.run(pool, divmod, 7, 0)
    assert slots.used == 0


async def test_beyond_the_most_a_call_is_refused(pool: WorkerPool) -> None:
    slots = Slots("tests", 1)
    with slots.taken(), pytest.raises(Refusal) as caught, slots.taken():
        pytest.fail("there was a second slot")
    assert (caught.value.reason, caught.value.retry_after) == (Reason.OVERLOADED, BACK_OFF_SECONDS)
    assert slots.used == 0


async def test_callers_who_leave_pile_up_no_work(pool: WorkerPool) -> None:
    slots, begun, go_on = Slots("tests", 2), threading.Event(), threading.Event()
    told: list[str] = []

    def work(slot: Slot) -> None:
        begun.set()
        go_on.wait(5)
        told.append("begun")
        slot.check_wanted()
        told.append("ended")

    async def call() -> None:
        with slots.taken() as slot:
            await slot.run(pool, work, slot)

    calls = [asyncio.create_task(call()) for _ in range(2)]
    await asyncio.to_thread(begun.wait, 5)
    for left in calls:
        left.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    # One thread still works, and one job still waits for it.
    assert slots.used == 2
    with pytest.raises(Refusal):
        await call()
    go_on.set()
    await _until_free(slots)
    assert told == ["begun"]


async def test_work_learns_that_nobody_waits() -> None:
    slots = Slots("tests", 1)
    with slots.taken() as slot:
        slot.check_wanted()
    with pytest.raises(Abandoned):
        slot.check_wanted()
