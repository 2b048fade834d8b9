"""The calls that wait for a message, the time limit, and the calls that are disconnected."""

import asyncio
import gc

import pytest
from prometheus_client import CollectorRegistry

from server.base.errors import Reason, Refusal
from server.edge.gate import WaitingRoom
from server.telemetry.metrics import Metrics


def _room(metrics: Metrics, *, places: int = 2, seconds: float = 30.0, moment: float = 0.0) -> WaitingRoom:
    return WaitingRoom("message", places=places, seconds=seconds, metrics=metrics, moment=moment)


async def test_the_oldest_gives_way() -> None:
    metrics = Metrics(CollectorRegistry())
    room = _room(metrics)
    messages = [asyncio.Event() for _ in range(3)]
    waiting = []
    for message in messages:
        waiting.append(asyncio.create_task(room.wait_for_message(message.wait)))
        await asyncio.sleep(0.01)
    with pytest.raises(Refusal) as caught:
        await waiting[0]
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_after
    assert b'facegate_streams_waiting{awaited="message"} 2.0' in metrics.render()[0]
    for message in messages[1:]:
        message.set()
    assert await asyncio.gather(*waiting[1:]) == [True, True]
    body = metrics.render()[0]
    assert b'facegate_streams_waiting{awaited="message"} 0.0' in body
    assert b'facegate_streams_sent_away_total{awaited="message",cause="gave_way"} 1.0' in body


async def test_an_immediate_message_needs_no_place() -> None:
    room = _room(Metrics(CollectorRegistry()), places=1, moment=20.0)
    gate = asyncio.Event()
    waiting = [asyncio.create_task(room.wait_for_message(gate.wait)) for _ in range(50)]
    await asyncio.sleep(0.01)
    gate.set()
    assert await asyncio.gather(*waiting) == [True] * 50


async def test_no_wait_is_unlimited() -> None:
    metrics = Metrics(CollectorRegistry())
    with pytest.raises(Refusal) as caught:
        await _room(metrics, seconds=0.01).wait_for_message(asyncio.Event().wait)
    assert caught.value.reason is Reason.STREAM_IDLE
    assert b'{awaited="message",cause="too_late"} 1.0' in metrics.render()[0]


async def test_the_end_of_the_reading_is_reported() -> None:
    async def broken() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await _room(Metrics(CollectorRegistry())).wait_for_message(broken)


async def test_a_call_that_ends_while_nobody_waits_any_more_is_no_error() -> None:
    """grpc ends the reading of a cancelled call as if the caller had sent nothing."""
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def ends() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise LookupError from None

    try:
        waiting = asyncio.create_task(_room(Metrics(CollectorRegistry())).wait_for_message(ends))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.sleep(0)
        del waiting
        gc.collect()
        await asyncio.sleep(0)
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert reported == []


async def test_a_caller_that_leaves_frees_its_place() -> None:
    metrics = Metrics(CollectorRegistry())
    room = _room(metrics, places=1)
    cancelled = asyncio.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    first = asyncio.create_task(room.wait_for_message(never))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait([first])
    await cancelled.wait()
    message = asyncio.Event()
    second = asyncio.create_task(room.wait_for_message(message.wait))
    await asyncio.sleep(0.01)
    message.set()
    assert await second
    assert b'cause="gave_way"' not in metrics.render()[0]
