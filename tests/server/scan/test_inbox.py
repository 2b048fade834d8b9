"""The reading ahead of the inbox."""

import asyncio
from collections.abc import AsyncIterator, Callable

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


def _inbox(
    inbound: AsyncIterator[Inbound],
    *,
    monotonic: Callable[[], float] = lambda: 0.0,
    arrives: Callable[[Inbound], None] = lambda _: None,
    window_frames: int = 2,
) -> Inbox:
    return Inbox(inbound, monotonic=monotonic, arrives=arrives, window_frames=window_frames)


async def test_messages_come_in_order_with_their_arrival() -> None:
    ticks = iter(range(10))
    first, second = ResumeProofMessage(b"1"), ResumeProofMessage(b"2")
    inbox = _inbox(_stream(first, second), monotonic=lambda: float(next(ticks)))
    for expected, time in ((first, 0.0), (second, 1.0)):
        arrival = await inbox.next(timeout=5)
        assert arrival is not None
        assert (arrival.message, arrival.time) == (expected, time)
    for _ in range(2):
        with pytest.raises(StreamEnded):
            await inbox.next(timeout=5)
    inbox.close()


async def test_a_message_that_waits_to_be_processed_keeps_its_time_of_arrival() -> None:
    now = 5.0
    inbox = _inbox(_stream(ResumeProofMessage(b"1"), ResumeProofMessage(b"2")), monotonic=lambda: now)
    await asyncio.sleep(0.01)
    now = 6.5
    arrivals = [await inbox.next(timeout=5) for _ in range(2)]
    assert [None if one is None else one.time for one in arrivals] == [5.0, 5.0]
    inbox.close()


@pytest.mark.parametrize("error", [Refusal(Reason.INVALID_FIELD, "bad"), RuntimeError("broken")])
async def test_the_end_of_the_reading_reaches_the_session(error: Exception) -> None:
    inbox = _inbox(_stream(ResumeProofMessage(b""), error))
    assert await inbox.next(timeout=5) is not None
    for _ in range(2):
        with pytest.raises(type(error)):
            await inbox.next(timeout=5)
    inbox.close()


async def test_silence_is_a_tick() -> None:
    inbox = _inbox(_silent())
    assert await inbox.next(timeout=0.01) is None
    assert await inbox.next(timeout=-1) is None
    assert not inbox.waiting
    inbox.close()


@pytest.mark.parametrize("window", [2, 30])
async def test_the_inbox_reads_a_window_ahead_and_a_few_more(window: int) -> None:
    taken = 0

    async def endless() -> AsyncIterator[Inbound]:
        nonlocal taken
        while True:
            taken += 1
            yield ResumeProofMessage(b"")

    inbox = _inbox(endless(), window_frames=window)
    for _ in range(80):
        await asyncio.sleep(0)
    assert inbox.waiting
    assert window < taken <= window + 10
    inbox.close()


async def test_a_message_refused_on_arrival_ends_the_reading_in_order() -> None:
    arrived: list[bytes] = []

    def arrives(message: Inbound) -> None:
        assert isinstance(message, ResumeProofMessage)
        arrived.append(message.signature)
        if len(arrived) == 2:
            raise Refusal(Reason.CREDIT_EXCEEDED, "one too many")

    inbox = _inbox(_stream(*(ResumeProofMessage(each) for each in (b"1", b"2", b"3"))), arrives=arrives)
    await asyncio.sleep(0.01)
    assert arrived == [b"1", b"2"]
    first = await inbox.next(timeout=5)
    assert first is not None
    assert first.message == ResumeProofMessage(b"1")
    with pytest.raises(Refusal) as caught:
        await inbox.next(timeout=5)
    assert caught.value.reason is Reason.CREDIT_EXCEEDED
    inbox.close()
