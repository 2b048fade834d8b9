import asyncio

import pytest

from server.storage.database import uncancelled


class Work:
    """Work that runs until it is released, and records its progress."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        self.ended = False

    @uncancelled
    async def run(self, *, fail: bool = False) -> str:
        self.begun.set()
        await self.let_go.wait()
        self.ended = True
        if fail:
            raise ValueError("failed")
        return "done"


async def test_the_answer_is_the_works() -> None:
    work = Work()
    work.let_go.set()
    assert await work.run() == "done"
    with pytest.raises(ValueError, match="failed"):
        await work.run(fail=True)


@pytest.mark.parametrize("fail", [False, True])
async def test_a_cancelled_caller_waits_for_the_end_and_is_cancelled_then(fail: bool) -> None:
    work = Work()
    caller = asyncio.create_task(work.run(fail=fail))
    await work.begun.wait()
    caller.cancel()
    await asyncio.sleep(0.01)
    assert not caller.done()
    work.let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.ended


async def test_the_work_ends_even_where_its_caller_is_cancelled_twice() -> None:
    work = Work()
    caller = asyncio.create_task(work.run())
    await work.begun.wait()
    for _ in range(2):
        caller.cancel()
        await asyncio.sleep(0.01)
    assert caller.cancelled()
    work.let_go.set()
    await asyncio.sleep(0.01)
    assert work.ended
