import asyncio

from facegate.v1 import scan_pb2
from hypothesis import given
from hypothesis import strategies as st

from facegate_client.attempt import SendGate, StopSignal

Cause = scan_pb2.AttemptEndBody
steps = st.lists(
    st.one_of(
        st.tuples(st.just("credit"), st.integers(0, 5), st.integers(0, 5000)),
        st.tuples(st.just("send"), st.integers(1, 3000), st.just(0)),
        st.tuples(st.just("pause"), st.integers(0, 1), st.just(0)),
    ),
    max_size=40,
)


@given(steps)
def test_never_more_is_sent_than_was_granted(sequence: list[tuple[str, int, int]]) -> None:
    gate = SendGate(scan_pb2.Credit(frames=2, bytes=2000))
    frames, size, paused = 2, 2000, False
    for kind, first, second in sequence:
        if kind == "credit":
            gate.add(scan_pb2.Credit(frames=first, bytes=second))
            frames, size = frames + first, size + second
        elif kind == "pause":
            gate.pause(bool(first))
            paused = bool(first)
        else:
            allowed = not paused and frames >= 1 and size >= first
            assert gate.has_room(first) == allowed
            assert gate.take_credit(first) == allowed
            if allowed:
                frames, size = frames - 1, size - first


async def test_waiting_ends_with_credit() -> None:
    gate, stop = SendGate(scan_pb2.Credit()), StopSignal()
    waiting = asyncio.create_task(gate.wait_for_room(100, stop))
    gate.add(scan_pb2.Credit(frames=1, bytes=99))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    gate.add(scan_pb2.Credit(bytes=1))
    assert await waiting
    assert gate.take_credit(100)


async def test_waiting_ends_with_the_attempt() -> None:
    gate, stop = SendGate(scan_pb2.Credit()), StopSignal()
    waiting = asyncio.create_task(gate.wait_for_room(1, stop))
    await asyncio.sleep(0)
    stop.set(Cause.CAUSE_COMPLETE)
    assert not await waiting


async def test_waiting_lasts_over_a_pause() -> None:
    gate, stop = SendGate(scan_pb2.Credit(frames=1, bytes=10)), StopSignal()
    gate.pause(True)
    waiting = asyncio.create_task(gate.wait_for_room(1, stop))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    gate.pause(False)
    assert await waiting


def test_first_cause_stays() -> None:
    stop = StopSignal()
    assert not stop.is_set
    stop.set(Cause.CAUSE_CANCELLED)
    stop.set(Cause.CAUSE_COMPLETE)
    assert stop.cause == Cause.CAUSE_CANCELLED
