"""Reading ahead."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.errors import Reason, Refusal
from server.scan.inbox import Inbox, StreamEnded
from server.scan.messages import Inbound, ResumeProofMessage


async def _stream(*items: Inbound | Exception) -> AsyncIterator[Inbound]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


async def _silent() -> AsyncIterator[Inbound]:
    await asyncio.Event().wait()
    yield ResumeProofMessage(b"")


async def test_messages_come_in_order_with_their_arrival() -> None:
    ticks = iter(range(10))
    first, second = ResumeProofMessage(b"1"), ResumeProofMessage(b"2")
    inbox = Inbox(_stream(first, second), monotonic=lambda: float(next(ticks)))
    for expected, time in ((first, 0.0), (second, 1.0)):
        arrival = await inbox.next(timeout=5)
        assert arrival is not None
        assert (arrival.message, arrival.time) == (expected, time)
    for _ in range(2):
        with pytest.raises(StreamEnded):
            await inbox.next(timeout=5)
    inbox.close()


@pytest.mark.parametrize("error", [Refusal(Reason.INVALID_FIELD, "bad"), RuntimeError("broken")])
async def test_what_ends_the_reading_reaches_whoever_serves(error: Exception) -> None:
    inbox = Inbox(_stream(ResumeProofMessage(b""), error), monotonic=lambda: 0.0)
    assert await inbox.next(timeout=5) is not None
    for _ in range(2):
        with pytest.raises(type(error)):
            await inbox.next(timeout=5)
    inbox.close()


async def test_silence_is_a_tick() -> None:
    inbox = Inbox(_silent(), monotonic=lambda: 0.0)
    assert await inbox.next(timeout=0.01) is None
    assert await inbox.next(timeout=-1) is None
    assert not inbox.waiting
    inbox.close()


async def test_it_reads_ahead_by_a_few_and_no_more() -> None:
    taken = 0

    async def endless() -> AsyncIterator[Inbound]:
        nonlocal taken
        while True:
            taken += 1
            yield ResumeProofMessage(b"")

    inbox = Inbox(endless(), monotonic=lambda: 0.0)
    for _ in range(50):
        await asyncio.sleep(0)
    assert inbox.waiting
    assert taken <= 17
    inbox.close()
