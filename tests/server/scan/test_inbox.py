"""The parts of a stream: its inbox, transcript, bytes and lease."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from facegate_protocol import MacChain, attempt_end_message, resume_message, sha256, sign
from server.base.errors import Reason, Refusal
from server.checks.running import CheckClosing
from server.domain.terms import CheckState, Plan
from server.scan.budget import AttemptBudget, AttemptShare, ScanBytes, fewer_bytes, leaner_frames
from server.scan.endings import LeaseLost
from server.scan.inbox import Arrival, CreditLedger, Inbox, StreamEnded
from server.scan.lease import HeldLease
from server.scan.messages import (
    AdjustmentMessage,
    AttemptEndMessage,
    CaptureBudget,
    EndCause,
    FrameMessage,
    Inbound,
    ResumeProofMessage,
)
from server.scan.transcript import StreamTranscript
from server.storage.records import CheckRecord
from server.verdict import FailureReason
from tests.server.scan.records import NOW, check_record, frame_message

# The reading ahead of the inbox.


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


async def _some_turns() -> None:
    """Let the inbox read what it can: turns of the loop, because a busy machine may take long for one."""
    for _ in range(80):
        await asyncio.sleep(0)


async def test_messages_come_in_order_with_their_arrival_however_long_they_wait() -> None:
    now, sent = 5.0, (ResumeProofMessage(b"1"), ResumeProofMessage(b"2"))
    inbox = _inbox(_stream(*sent), monotonic=lambda: now)
    await _some_turns()
    now = 6.5
    assert [await inbox.next(timeout=60) for _ in sent] == [Arrival(message, 5.0) for message in sent]
    for _ in range(2):
        with pytest.raises(StreamEnded):
            await inbox.next(timeout=60)
    inbox.close()


@pytest.mark.parametrize("error", [Refusal(Reason.INVALID_FIELD, "bad"), RuntimeError("broken")])
async def test_the_end_of_the_reading_reaches_the_session(error: Exception) -> None:
    inbox = _inbox(_stream(ResumeProofMessage(b""), error))
    assert await inbox.next(timeout=60) is not None
    for _ in range(2):
        with pytest.raises(type(error)):
            await inbox.next(timeout=60)
    inbox.close()


async def test_silence_is_a_tick() -> None:
    inbox = _inbox(_silent())
    assert await inbox.next(timeout=0.01) is None
    assert await inbox.next(timeout=-1) is None
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
    await _some_turns()
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
    await _some_turns()
    assert arrived == [b"1", b"2"]
    assert await inbox.next(timeout=60) == Arrival(ResumeProofMessage(b"1"), 0.0)
    with pytest.raises(Refusal) as caught:
        await inbox.next(timeout=60)
    assert caught.value.reason is Reason.CREDIT_EXCEEDED
    inbox.close()


FRAMES, BYTES, LARGEST = 4, 1000, 700


def _ledger(
    *, window_frames: int = FRAMES, window_bytes: int = BYTES, largest_frame: int = LARGEST
) -> CreditLedger:
    """Return a ledger within an attempt."""
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


def _longest_wait(*, seconds_a_frame: float, round_trip: float) -> tuple[float, int]:
    """The longest wait of a frame in the server after two seconds, and the frames worked off in ten seconds.

    The camera gives fifteen images a second; the device drops those for which it has no credit.
    """
    ledger = CreditLedger(window_frames=8, window_bytes=8 * LARGEST, largest_frame=LARGEST)
    credit = ledger.open().frames
    arriving: list[float] = []
    granted: list[tuple[float, int]] = []
    queue: list[float] = []
    free, longest, done, busy = 0.0, 0.0, 0, None
    for tick in range(10_000):
        now = tick / 1000
        credit += sum(frames for at, frames in granted if at <= now)
        granted = [one for one in granted if one[0] > now]
        if tick % 66 == 0 and credit:
            credit -= 1
            arriving.append(now + round_trip / 2)
        while arriving and arriving[0] <= now:
            ledger.count_arrival(_frame(1))
            queue.append(arriving.pop(0))
        if busy is not None and free <= now:
            ledger.note_processed(1, waited=now - busy)
            longest, done = max(longest, now - busy) if now > 2 else 0.0, done + 1
            busy = None
            if (grant := ledger.grant()) is not None:
                granted.append((now + round_trip / 2, grant.frames))
        if busy is None and queue:
            busy, free = queue.pop(0), now + seconds_a_frame
    return longest, done


def test_a_slow_server_lets_few_frames_wait_and_works_all_the_time() -> None:
    longest, done = _longest_wait(seconds_a_frame=0.12, round_trip=0.05)
    assert longest <= 4.1 * 0.12
    assert done >= 0.95 * 10 / 0.12


def test_a_slow_network_keeps_its_window() -> None:
    longest, done = _longest_wait(seconds_a_frame=0.01, round_trip=0.5)
    assert longest < 0.02
    assert done >= 10 * 10


def test_a_silent_device_gets_the_credit_that_a_smaller_window_held_back() -> None:
    ledger = _ledger()
    for _ in range(FRAMES):
        ledger.count_arrival(_frame(1))
    for _ in range(FRAMES):
        ledger.note_processed(1, waited=1.0)
    grant = ledger.grant()
    assert grant is not None
    assert grant.frames == min(4, FRAMES)
    assert ledger.grant() is None
    assert ledger.held_back == (FRAMES > 4)
    ledger.grant(everything=True)
    assert not ledger.held_back


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
    assert ledger.waited_seconds == 0.25
    ledger.open()
    assert ledger.waited_seconds == 0.0


# The transcript of a stream: every change, omission, swap, repetition or splice is refused.

KEY, BINDING, NONCE = bytes(range(32)), bytes(range(32, 64)), bytes(16)
SESSION_KEY = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())
TRANSCRIPT_FRAMES = 5


def _transcript(*, ahead_seconds: float = 1.0) -> StreamTranscript:
    transcript = StreamTranscript(
        key=KEY,
        binding=BINDING,
        session_key=SESSION_KEY.public_key(),
        ahead_seconds=ahead_seconds,
    )
    transcript.start_attempt(attempt=1, nonce=NONCE, time=0.0)
    return transcript


def _chain() -> MacChain:
    chain = MacChain(key=KEY, binding=BINDING)
    chain.mark_attempt(attempt=1, nonce=NONCE)
    return chain


def _signed(chain: MacChain, frame: FrameMessage) -> FrameMessage:
    return replace(frame, mac=chain.add_frame(header=frame.header, image=frame.image))


def _good(count: int = TRANSCRIPT_FRAMES) -> tuple[list[FrameMessage], bytes]:
    chain = _chain()
    frames = [_signed(chain, frame_message(index)) for index in range(count)]
    return frames, chain.value


def _transcript_end(count: int, last_mac: bytes, *, binding: bytes = BINDING) -> AttemptEndMessage:
    body = b"body %d" % count
    return AttemptEndMessage(
        body=body,
        signature=sign(SESSION_KEY, attempt_end_message(binding=binding, body=body)),
        attempt=1,
        frame_count=count,
        last_mac=last_mac,
        dropped_count=0,
        cause=EndCause.COMPLETE,
    )


def _take(transcript: StreamTranscript, frames: list[FrameMessage]) -> None:
    for frame in frames:
        transcript.accept_frame(frame, arrival=frame.capture_time_us / 1e6)


def _whole(frames: list[FrameMessage], end: AttemptEndMessage) -> None:
    transcript = _transcript()
    _take(transcript, frames)
    transcript.end_attempt(end)


def test_a_whole_attempt_is_accepted() -> None:
    frames, last_mac = _good()
    transcript = _transcript()
    _take(transcript, frames)
    assert transcript.frames == TRANSCRIPT_FRAMES
    assert transcript.final_mac_sha256 == sha256(last_mac)
    transcript.end_attempt(_transcript_end(TRANSCRIPT_FRAMES, last_mac))


def test_the_chain_continues_over_attempts() -> None:
    chain = _chain()
    transcript = _transcript()
    _take(transcript, [_signed(chain, frame_message(0, dropped_before=3))])
    assert transcript.dropped == 3
    transcript.start_attempt(attempt=2, nonce=bytes(16), time=1.0)
    chain.mark_attempt(attempt=2, nonce=bytes(16))
    assert (transcript.frames, transcript.dropped) == (0, 0)
    frame = frame_message(0, attempt=2, capture_time_us=9_000_000)
    transcript.accept_frame(_signed(chain, frame), arrival=9.0)
    assert transcript.frames == 1


@given(data=st.data())
def test_any_change_drop_swap_repeat_or_splice_is_refused(data: st.DataObject) -> None:
    frames, last_mac = _good()
    place = data.draw(st.integers(0, TRANSCRIPT_FRAMES - 1))
    other = data.draw(st.integers(0, TRANSCRIPT_FRAMES - 1).filter(lambda o: o != place))
    kind = data.draw(st.sampled_from(["header", "image", "mac", "drop", "swap", "repeat", "splice"]))
    tampered = list(frames)
    frame = frames[place]
    if kind in {"header", "image", "mac"}:
        value = bytearray(getattr(frame, kind))
        value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        changes: dict[str, Any] = {kind: bytes(value)}
        tampered[place] = replace(frame, **changes)
    elif kind == "drop":
        del tampered[place]
    elif kind == "swap":
        tampered[place], tampered[other] = tampered[other], tampered[place]
    elif kind == "repeat":
        tampered.insert(place, frame)
    else:
        foreign = MacChain(key=KEY, binding=bytes(32))
        foreign.mark_attempt(attempt=1, nonce=NONCE)
        tampered[place] = _signed(foreign, frame)
    with pytest.raises(Refusal) as caught:
        _whole(tampered, _transcript_end(TRANSCRIPT_FRAMES, last_mac))
    assert caught.value.reason in {
        Reason.FRAME_OUT_OF_ORDER,
        Reason.FRAME_MAC_INVALID,
        Reason.FRAME_TIME_INVALID,
        Reason.ATTEMPT_END_INVALID,
    }


@pytest.mark.parametrize("place", [{"index": 1}, {"index": 2**32 - 1}, {"attempt": 2}])
def test_a_frame_out_of_order_is_refused_before_its_mac_is_verified(place: dict[str, int]) -> None:
    with pytest.raises(Refusal) as caught:
        _transcript().accept_frame(frame_message(**place), arrival=0.0)
    assert caught.value.reason is Reason.FRAME_OUT_OF_ORDER
    assert caught.value.details["expectedFrameIndex"] == 0


@pytest.mark.parametrize("change", [lambda _: b"", lambda mac: mac + b"\0", lambda mac: mac * 1000])
def test_a_mac_of_another_length_is_refused(change: Callable[[bytes], bytes]) -> None:
    frame, *_ = _good()[0]
    with pytest.raises(Refusal) as caught:
        _transcript().accept_frame(replace(frame, mac=change(frame.mac)), arrival=0.0)
    assert caught.value.reason is Reason.FRAME_MAC_INVALID


@pytest.mark.parametrize("step_us", [0, -1])
def test_a_clock_that_does_not_rise_is_refused(step_us: int) -> None:
    chain, transcript = _chain(), _transcript()
    first = frame_message(0, capture_time_us=5_000_000)
    transcript.accept_frame(_signed(chain, first), arrival=0.0)
    second = frame_message(1, capture_time_us=5_000_000 + step_us)
    with pytest.raises(Refusal) as caught:
        transcript.accept_frame(_signed(chain, second), arrival=60.0)
    assert caught.value.reason is Reason.FRAME_TIME_INVALID


@given(
    passed=st.floats(0, 100),
    captured=st.integers(1, 200_000_000),
    ahead=st.floats(0, 10),
)
def test_capture_time_may_run_ahead_by_the_limit_and_no_further(
    passed: float, captured: int, ahead: float
) -> None:
    chain, transcript = _chain(), _transcript(ahead_seconds=ahead)
    transcript.accept_frame(_signed(chain, frame_message(0, capture_time_us=0)), arrival=0.0)
    second = _signed(chain, frame_message(1, capture_time_us=captured))
    if captured / 1e6 - passed > ahead:
        with pytest.raises(Refusal) as caught:
            transcript.accept_frame(second, arrival=passed)
        assert caught.value.reason is Reason.FRAME_TIME_INVALID
    else:
        transcript.accept_frame(second, arrival=passed)


@pytest.mark.parametrize(
    ("captured_us", "refused"), [(4_500_000, False), (6_000_000, False), (6_200_000, True)]
)
def test_a_slow_first_frame_is_not_a_fast_clock(captured_us: int, refused: bool) -> None:
    chain, transcript = _chain(), _transcript()
    transcript.accept_frame(_signed(chain, frame_message(0, capture_time_us=0)), arrival=5.0)
    second = _signed(chain, frame_message(1, capture_time_us=captured_us))
    if refused:
        with pytest.raises(Refusal) as caught:
            transcript.accept_frame(second, arrival=5.1)
        assert caught.value.reason is Reason.FRAME_TIME_INVALID
    else:
        transcript.accept_frame(second, arrival=5.1)


def test_a_forged_frame_does_not_move_the_clock() -> None:
    chain, transcript = _chain(), _transcript()
    with pytest.raises(Refusal):
        transcript.accept_frame(frame_message(0, capture_time_us=2**60), arrival=0.0)
    transcript.accept_frame(_signed(chain, frame_message(0)), arrival=0.0)


def test_dropped_images_are_counted_up_to_the_wire_limit() -> None:
    chain, transcript = _chain(), _transcript()
    for index in range(3):
        frame = frame_message(index, dropped_before=2**32 - 1)
        transcript.accept_frame(_signed(chain, frame), arrival=index)
    assert transcript.dropped == 2**31 - 1


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": 2},
        {"frame_count": TRANSCRIPT_FRAMES - 1},
        {"frame_count": TRANSCRIPT_FRAMES + 1},
        {"last_mac": bytes(32)},
        {"last_mac": b""},
        {"signature": b""},
        {"signature": bytes(81)},
        {"signature": b"\x30\x06\x02\x01\x01\x02\x01\x01"},
        {"body": b"another body"},
    ],
)
def test_an_end_that_differs_from_the_received_frames_is_refused(change: dict[str, Any]) -> None:
    frames, last_mac = _good()
    transcript = _transcript()
    _take(transcript, frames)
    with pytest.raises(Refusal) as caught:
        transcript.end_attempt(replace(_transcript_end(TRANSCRIPT_FRAMES, last_mac), **change))
    assert caught.value.reason is Reason.ATTEMPT_END_INVALID


def test_an_end_signed_in_another_stream_is_refused() -> None:
    frames, last_mac = _good()
    transcript = _transcript()
    _take(transcript, frames)
    with pytest.raises(Refusal) as caught:
        transcript.end_attempt(_transcript_end(TRANSCRIPT_FRAMES, last_mac, binding=bytes(32)))
    assert caught.value.reason is Reason.ATTEMPT_END_INVALID


def test_an_attempt_without_frames_ends_with_the_markers_mac() -> None:
    transcript = _transcript()
    transcript.end_attempt(_transcript_end(0, _chain().value))


def test_a_proof_is_of_this_stream_and_this_key() -> None:
    transcript = _transcript()
    transcript.prove_resume(sign(SESSION_KEY, resume_message(binding=BINDING)))
    for wrong in (
        sign(SESSION_KEY, resume_message(binding=bytes(32))),
        sign(ec.generate_private_key(ec.SECP256R1()), resume_message(binding=BINDING)),
        sign(SESSION_KEY, attempt_end_message(binding=BINDING, body=b"")),
        b"",
        bytes(81),
    ):
        with pytest.raises(Refusal) as caught:
            transcript.prove_resume(wrong)
        assert caught.value.reason is Reason.RESUME_PROOF_INVALID


_MIB = 1024 * 1024
_SMALLEST = 8 * 1024


def _after(*, frames: int, size: int, earlier: int = 0) -> ScanBytes:
    taken = ScanBytes(used=earlier)
    for _ in range(frames):
        taken.add(size)
    return taken


def test_frames_are_counted_beside_those_of_earlier_streams() -> None:
    taken = _after(frames=3, size=10, earlier=100)
    assert (taken.used, taken.own, taken.frames) == (130, 30, 3)


@pytest.mark.parametrize(
    ("frames", "size", "earlier", "attempts", "scarce"),
    [
        (0, 0, 19 * _MIB, 1, False),  # Nothing is known of the frames' size.
        (100, 10_000, 0, 2, False),  # 2 attempts of 12 s are 4.8 MB, and 19 are left.
        (275, 38_000, 0, 1, False),  # 9.1 MB, and 10.5 are left.
        (275, 38_000, 2 * _MIB, 1, True),
    ],
)
def test_bytes_are_scarce_where_the_attempts_that_are_left_may_take_more(
    frames: int, size: int, earlier: int, attempts: int, scarce: bool
) -> None:
    taken = _after(frames=frames, size=size, earlier=earlier)
    assert taken.scarce(seconds=6.0, attempts=attempts, budget=CaptureBudget()) is scarce


@pytest.mark.parametrize(
    ("frames", "size", "earlier", "suffice"),
    [
        (0, 0, 0, True),
        (0, 0, 20 * _MIB, False),
        (480, 38_000, 0, False),  # 2.7 MB left, and 6 s of 12 frames are 2.74 MB.
        (479, 38_000, 0, True),
    ],
)
def test_another_attempt_is_worth_it_where_a_good_one_fits(
    frames: int, size: int, earlier: int, suffice: bool
) -> None:
    taken = _after(frames=frames, size=size, earlier=earlier)
    assert taken.suffice(seconds=6.0, budget=CaptureBudget()) is suffice


def _longest_attempt(
    share: float, *, size: int, rate: float, longest: float = 20.0, fewer: bool = False
) -> tuple[float, list[tuple[float, AdjustmentMessage]]]:
    """The bytes that a device uses in the longest attempt, and the requests, with which it complies."""
    plan = AttemptShare(share, longest=longest, smallest=_SMALLEST, fewer=fewer)
    used, asked, now = 0.0, [], 0.0
    rate = min(rate, 12.0) if fewer else rate
    while now <= longest:
        plan.add(size)
        used += size
        if (request := plan.request(now)) is not None:
            asked.append((now, request))
            rate = min(rate, request.max_frames_per_second or math.inf)
            size = min(size, request.max_frame_bytes or size)
        now += 1 / rate
    return used, asked


@pytest.mark.parametrize("attempts", [3, 4])
def test_the_longest_attempts_of_large_frames_fit(attempts: int) -> None:
    budget, scan = CaptureBudget(), ScanBytes()
    for left in range(attempts, 0, -1):
        used, _ = _longest_attempt(scan.share(attempts=left, budget=budget), size=46_000, rate=20.0)
        scan.used += round(used)
    assert scan.used <= budget.max_scan_bytes


def test_an_attempt_has_more_bytes_than_each_later_one() -> None:
    budget, scan = CaptureBudget(), ScanBytes(used=6 * _MIB)
    shares = [scan.share(attempts=left, budget=budget) for left in (1, 2, 3)]
    assert shares[0] == 14 * _MIB
    for left, share in enumerate(shares[1:], start=1):
        assert share > (14 * _MIB - share) / left
    assert ScanBytes(used=21 * _MIB).share(attempts=1, budget=budget) == 0.0


def test_both_are_requested_at_once_if_smaller_frames_are_due() -> None:
    _, asked = _longest_attempt(20 * _MIB / 4, size=90_000, rate=20.0)
    (_, first), *later = asked
    assert first.max_frames_per_second == 12.0
    assert _SMALLEST < first.max_frame_bytes < 90_000 / 3
    assert later == []


def test_fewer_frames_are_requested_first_and_smaller_ones_late() -> None:
    _, asked = _longest_attempt(20 * _MIB / 3, size=46_000, rate=20.0)
    assert [(request.max_frames_per_second, request.max_frame_bytes > 0) for _, request in asked] == [
        (12.0, False),
        (0.0, True),
    ]
    (first, _), (second, leaner) = asked
    assert first == pytest.approx(1.0, abs=0.1)
    assert second > 6.0, "most attempts are over"
    assert leaner.max_frame_bytes == pytest.approx(46_000 / 3, rel=0.01)
    assert leaner.max_side == 0


@pytest.mark.parametrize(("size", "rate"), [(20_000, 12.0), (12_000, 20.0)])
def test_frames_that_fit_are_left_alone(size: int, rate: float) -> None:
    assert _longest_attempt(20 * _MIB / 3, size=size, rate=rate)[1] == []


def test_a_device_with_few_frames_is_asked_for_smaller_ones_only() -> None:
    for rate, fewer in ((10.0, False), (20.0, True)):
        _, asked = _longest_attempt(20 * _MIB / 3, size=90_000, rate=rate, fewer=fewer)
        assert [request.max_frames_per_second for _, request in asked] == [0.0] * len(asked)
        assert asked


def test_a_device_that_ignores_requests_is_asked_again_and_for_nothing_unusable() -> None:
    plan, asked = AttemptShare(1 * _MIB, longest=20.0, smallest=_SMALLEST, fewer=False), []
    for number in range(400):
        plan.add(46_000)
        if (request := plan.request(number / 20)) is not None:
            asked.append(request)
    assert 3 <= len(asked) <= 20
    assert all(request.max_frame_bytes >= _SMALLEST for request in asked)


def test_a_slow_network_and_late_answers_each_lead_to_one_request() -> None:
    limits, plan = CaptureBudget(), Plan.FLASH
    budget = AttemptBudget(plan, scan=_after(frames=2, size=60_000), limits=limits, attempts=1, seconds=6.0)
    asked = [budget.request(2.0, slow=True, late=True) for _ in range(3)]
    assert asked == [
        fewer_bytes(plan, max_frame_bytes=limits.max_frame_bytes),
        leaner_frames(plan, mean=60_000),
        None,
    ]


@settings(max_examples=50, deadline=None)
@given(
    size=st.integers(1_000, 512 * 1024),
    rate=st.floats(8.0, 24.0),
    longest=st.floats(5.0, 60.0),
    share=st.integers(4 * _MIB, 20 * _MIB),
    fewer=st.booleans(),
)
def test_an_attempt_keeps_its_share_whatever_the_frames(
    size: int, rate: float, longest: float, share: int, fewer: bool
) -> None:
    used, _ = _longest_attempt(share, size=size, rate=rate, longest=longest, fewer=fewer)
    # It takes two requests, a second each, to reach the least pace; and the smallest frames have a size.
    if 2.2 * size * rate + 12 * max(size / 3, _SMALLEST) * longest <= 0.8 * share:
        assert used <= share + 3 * size


# The lease of a running stream, and the detection of its loss.


@dataclass
class _Setting:
    lease_seconds: float = 15.0
    time: float = 100.0
    held: bool = True
    current: CheckRecord | None = None
    renewed: list[int | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        env = SimpleNamespace(
            clock=SimpleNamespace(monotonic=lambda: self.time, now=lambda: NOW),
            limits=SimpleNamespace(lease_seconds=self.lease_seconds),
            repository=self,
        )
        self.bytes = ScanBytes()
        record = check_record(state=CheckState.SCANNING, lease_epoch=3)
        self.lease = HeldLease(cast("Any", env), record, scan_bytes=self.bytes)

    async def renew_lease(self, _id: Any, *, epoch: int, bytes_received: int, **_: Any) -> bool:
        assert epoch == 3
        self.renewed.append(bytes_received)
        return self.held

    async def get(self, _id: Any) -> CheckRecord | None:
        return self.current


@pytest.mark.parametrize(("lease_seconds", "due"), [(15.0, 1.5), (3.0, 1.0)])
async def test_the_lease_is_renewed_when_due(lease_seconds: float, due: float) -> None:
    setting = _Setting(lease_seconds=lease_seconds)
    assert setting.lease.due == pytest.approx(100.0 + due)
    setting.time += due - 0.01
    await setting.lease.renew()
    assert setting.renewed == []
    setting.time += 0.02
    setting.bytes.add(700)
    await setting.lease.renew()
    await setting.lease.renew()
    assert setting.renewed == [700]
    assert setting.lease.due == pytest.approx(setting.time + due)


@pytest.mark.parametrize(
    "current",
    [
        None,
        check_record(state=CheckState.SCANNING, lease_epoch=4),
        check_record(state=CheckState.SCANNING, lease_epoch=4, closing=FailureReason.CANCELLED),
        check_record(state=CheckState.DECIDED, lease_epoch=3),
    ],
)
async def test_a_lease_that_is_anothers_is_lost(current: CheckRecord | None) -> None:
    setting = _Setting(held=False, current=current)
    setting.time += 2.0
    with pytest.raises(LeaseLost):
        await setting.lease.renew()


async def test_a_closed_check_states_the_reason() -> None:
    closing = check_record(state=CheckState.SCANNING, lease_epoch=3, closing=FailureReason.CANCELLED)
    setting = _Setting(held=False, current=closing)
    setting.time += 2.0
    with pytest.raises(CheckClosing) as caught:
        await setting.lease.renew()
    assert caught.value.reason is FailureReason.CANCELLED
