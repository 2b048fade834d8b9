"""The reading ahead of the inbox."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.base.errors import Reason, Refusal
from server.scan.inbox import CreditLedger, Inbox, StreamEnded
from server.scan.messages import AttemptEndMessage, EndCause, FrameMessage, Inbound, ResumeProofMessage
from tests.server.scan.records import frame_message


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


FRAMES, BYTES, LARGEST = 4, 1000, 700


def _ledger(
    *, window_frames: int = FRAMES, window_bytes: int = BYTES, largest_frame: int = LARGEST
) -> CreditLedger:
    """Returns a ledger within an attempt."""
    ledger = CreditLedger(window_frames=window_frames, window_bytes=window_bytes, largest_frame=largest_frame)
    opening = ledger.open()
    assert (opening.frames, opening.bytes) == (window_frames, window_bytes)
    return ledger


def _frame(size: int) -> FrameMessage:
    return replace(frame_message(0), image=bytes(size))


def _end() -> AttemptEndMessage:
    return AttemptEndMessage(
        body=b"",
        signature=b"",
        attempt=1,
        frame_count=0,
        last_mac=b"",
        dropped_count=0,
        cause=EndCause.COMPLETE,
    )


def test_a_window_opens_full_and_is_granted_again() -> None:
    ledger = _ledger()
    assert ledger.grant() is None
    ledger.count_arrival(_frame(100))
    ledger.count_arrival(_frame(50))
    assert ledger.grant() is None
    ledger.note_processed(100)
    ledger.note_processed(50)
    grant = ledger.grant()
    assert grant is not None
    assert (grant.frames, grant.bytes) == (2, 150)
    assert ledger.grant() is None


def test_credit_is_spent_from_the_arrival_of_the_frame_that_leaves_none() -> None:
    now = 0.0
    ledger = CreditLedger(
        window_frames=FRAMES, window_bytes=BYTES, largest_frame=LARGEST, monotonic=lambda: now
    )
    ledger.open()
    found = [ledger.spent_since]
    for _ in range(FRAMES):
        now += 1.0
        ledger.count_arrival(_frame(1))
        found.append(ledger.spent_since)
    now += 1.0
    ledger.note_processed(1)
    found.append(ledger.spent_since)
    ledger.grant()
    found.append(ledger.spent_since)
    assert found == [*[None] * FRAMES, float(FRAMES), float(FRAMES), None]


def test_no_credit_is_granted_while_the_device_has_enough() -> None:
    ledger = _ledger()
    for size, granted in ((100, None), (50, (2, 150)), (100, None), (400, (2, 500)), (301, (1, 301))):
        ledger.count_arrival(_frame(size))
        ledger.note_processed(size)
        grant = ledger.grant()
        assert (None if grant is None else (grant.frames, grant.bytes)) == granted


def test_held_back_credit_is_granted_if_every_frame_is_requested() -> None:
    ledger = _ledger()
    ledger.count_arrival(_frame(100))
    ledger.note_processed(100)
    assert ledger.grant() is None
    waited = ledger.held_back
    grant = ledger.grant(everything=True)
    assert grant is not None
    assert (waited, grant.frames, grant.bytes) == (True, 1, 100)
    assert not ledger.held_back
    assert ledger.grant(everything=True) is None


def test_a_window_of_one_frame_is_granted_at_once() -> None:
    ledger = _ledger(window_frames=1, largest_frame=BYTES)
    for _ in range(3):
        ledger.count_arrival(_frame(1))
        ledger.note_processed(1)
        assert ledger.grant() is not None


@given(st.lists(st.integers(0, LARGEST), max_size=40))
def test_a_device_that_was_worked_through_can_always_send_its_largest_image(sizes: list[int]) -> None:
    ledger = _ledger()
    frames, room = FRAMES, BYTES
    for size in sizes:
        ledger.count_arrival(_frame(size))
        frames, room = frames - 1, room - size
        ledger.note_processed(size)
        if (grant := ledger.grant()) is not None:
            frames, room = frames + grant.frames, room + grant.bytes
        assert frames >= 1
        assert room >= LARGEST


@pytest.mark.parametrize("sizes", [[1] * (FRAMES + 1), [600, 401], [600, LARGEST + 1]])
def test_sending_beyond_it_is_refused(sizes: list[int]) -> None:
    ledger = _ledger()
    for size in sizes[:-1]:
        ledger.count_arrival(_frame(size))
    with pytest.raises(Refusal) as caught:
        ledger.count_arrival(_frame(sizes[-1]))
    assert caught.value.reason is Reason.CREDIT_EXCEEDED
    assert caught.value.details["frameBytes"] == sizes[-1]


def test_credit_counts_from_when_it_is_granted_and_not_from_when_a_frame_is_worked_off() -> None:
    ledger = _ledger()
    for _ in range(FRAMES):
        ledger.count_arrival(_frame(1))
        ledger.note_processed(1)
    with pytest.raises(Refusal):
        ledger.count_arrival(_frame(1))
    grant = ledger.grant()
    assert grant is not None
    for _ in range(grant.frames):
        ledger.count_arrival(_frame(1))


def test_the_ledger_leaves_oversized_frames_to_the_frame_limits() -> None:
    _ledger().count_arrival(_frame(BYTES + 1))


def test_only_the_frames_of_an_attempt_need_credit() -> None:
    ledger = CreditLedger(window_frames=FRAMES, window_bytes=BYTES, largest_frame=LARGEST)
    for _ in range(2 * FRAMES):
        ledger.count_arrival(_frame(1))
    ledger.open()
    ledger.count_arrival(_frame(1))
    ledger.count_arrival(_end())
    for _ in range(2 * FRAMES):
        ledger.count_arrival(_frame(1))


def test_the_next_attempt_has_a_full_window_whatever_was_left() -> None:
    ledger = _ledger()
    for _ in range(FRAMES):
        ledger.count_arrival(_frame(1))
        ledger.note_processed(1)
    ledger.count_arrival(_end())
    ledger.open()
    assert not ledger.held_back
    for _ in range(FRAMES):
        ledger.count_arrival(_frame(1))
    with pytest.raises(Refusal):
        ledger.count_arrival(_frame(1))


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.integers(0, 700)),
            st.tuples(st.just("work"), st.just(0)),
            st.tuples(st.just("grant"), st.just(0)),
        ),
        max_size=60,
    )
)
def test_outstanding_credit_never_exceeds_the_window(
    steps: list[tuple[str, int]],
) -> None:
    ledger = _ledger()
    granted_frames, granted_bytes = FRAMES, BYTES
    sent: list[int] = []
    worked = 0
    for step, size in steps:
        if step == "send":
            room = granted_frames > len(sent) and granted_bytes - sum(sent) >= size
            if room:
                ledger.count_arrival(_frame(size))
                sent.append(size)
            else:
                with pytest.raises(Refusal):
                    ledger.count_arrival(_frame(size))
        elif step == "work" and worked < len(sent):
            ledger.note_processed(sent[worked])
            worked += 1
        elif step == "grant" and (grant := ledger.grant()) is not None:
            granted_frames += grant.frames
            granted_bytes += grant.bytes
        # The remaining credit, and the frames that wait to be processed.
        assert granted_frames - worked <= FRAMES
        assert granted_bytes - sum(sent[:worked]) <= BYTES


def test_the_wait_for_credit_is_measured_once_and_only_without_credit() -> None:
    now, waits = [10.0], list[float]()
    ledger = CreditLedger(
        window_frames=2,
        window_bytes=BYTES,
        largest_frame=LARGEST,
        monotonic=lambda: now[0],
        waited=waits.append,
    )
    ledger.open()
    ledger.count_arrival(_frame(100))
    ledger.note_processed(100)
    now[0] = 11.0
    ledger.grant(everything=True)
    assert waits == []
    for _ in range(2):
        ledger.count_arrival(_frame(100))
        ledger.note_processed(100)
    now[0] = 11.25
    assert ledger.grant() is not None
    assert ledger.grant() is None
    assert waits == [0.25]
