"""Behaviour of the device's servicer outside the scan tests."""

import asyncio
from functools import partial
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from server.base.errors import Reason, Refusal
from server.edge.device_servicer import DeviceServicer, _send
from server.edge.places import PlaceRules, Places
from server.edge.web_listener import WebStream
from server.scan.messages import CompleteMessage
from server.telemetry.metrics import Metrics


class _Deaf:
    """A context, or a socket, with a device that reads nothing."""

    async def write(self, _message: object) -> None:
        await asyncio.Event().wait()

    async def send_bytes(self, message: bytes) -> None:
        await self.write(message)


async def test_a_device_that_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("device_servicer", "web_listener"):
        monkeypatch.setattr(f"server.edge.{module}.WRITE_SECONDS", 0.05)
    context: Any = _Deaf()
    web = WebStream(max_message_bytes=1)
    web._socket = context
    for send in (partial(_send, context), web.send):
        with pytest.raises(Refusal) as caught:
            await send(CompleteMessage(1))
        assert caught.value.reason is Reason.STREAM_IDLE


async def test_a_message_is_handed_over_before_its_sender_waits() -> None:
    """So the time immediately before ``send`` is that of the hand-over; the age of an answer relies on it."""
    handed: list[object] = []

    class _Slow(_Deaf):
        async def write(self, message: object) -> None:
            handed.append(message)
            await super().write(message)

    context: Any = _Slow()
    web = WebStream(max_message_bytes=1)
    web._socket = context
    for send in (partial(_send, context), web.send):
        sending = asyncio.create_task(send(CompleteMessage(1)))
        # One turn of the loop runs the task up to its first wait.
        await asyncio.sleep(0)
        assert handed.pop()
        sending.cancel()


async def test_the_servicer_serves_nothing_before_it_is_opened() -> None:
    metrics = Metrics(CollectorRegistry())
    servicer = DeviceServicer(scans=Places("scans", PlaceRules(most=1), metrics=metrics), metrics=metrics)
    nothing: Any = None
    with pytest.raises(Refusal) as caught:
        await servicer.serve(nothing, nothing, header_origin=None)
    assert caught.value.reason is Reason.NOT_SERVING
    assert caught.value.retry_after
    assert servicer.scans == 0
    await asyncio.wait_for(servicer.idle(), 1)
