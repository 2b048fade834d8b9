"""The bench's phone: real time, the screen's colour on its frames, and true claims."""

import asyncio
import time

import numpy as np
from facegate.v1 import scan_pb2

from cli.bench.tinted_phone import TintedPhone, tinted
from client import CapturedImage

_GREY = np.full((8, 6, 3), 200, np.uint8)


def test_a_colour_scales_its_channels() -> None:
    assert (tinted(_GREY, (255, 255, 255)) == 200).all()
    blue, green, red = tinted(_GREY, (255, 0, 128))[0, 0]
    assert red == 200
    assert green < blue < red
    assert (tinted(_GREY, None) == green).all()


async def _frames(phone: TintedPhone, count: int) -> list[CapturedImage]:
    return [await anext(phone) for _ in range(count)]


async def test_frames_come_in_real_time_and_none_before_it_was_captured() -> None:
    phone = TintedPhone([_GREY] * 5, frames_per_second=50.0)
    began = time.monotonic_ns() // 1000
    frames = [frame async for frame in phone]
    assert len(frames) >= 2
    times = [frame.capture_time_us for frame in frames]
    assert times == sorted(set(times))
    assert times[0] >= began
    assert times[-1] <= time.monotonic_ns() // 1000


async def test_a_colour_is_claimed_at_once_and_seen_a_little_later() -> None:
    phone = TintedPhone([_GREY] * 200, frames_per_second=100.0)
    (before,) = await _frames(phone, 1)
    assert phone.displayed(before.capture_time_us).number == 0
    phone.show_step(scan_pb2.FlashStep(step=3, color=scan_pb2.Rgb(red=255, green=255, blue=255)))
    await asyncio.sleep(0.12)
    (after,) = await _frames(phone, 1)
    shown = phone.displayed(after.capture_time_us)
    assert shown.number == 3
    assert before.capture_time_us < shown.since_us <= after.capture_time_us
    assert isinstance(before.image, np.ndarray)
    assert isinstance(after.image, np.ndarray)
    assert before.image.mean() < after.image.mean() == 200
    phone.restore()
    assert phone.displayed(time.monotonic_ns() // 1000 + 1).number == 0
