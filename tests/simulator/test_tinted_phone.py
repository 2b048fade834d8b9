"""The benchmark's phone: the light of its screen on its frames, real time, and true claims."""

import asyncio
import time

import cv2
import numpy as np
import pytest
from facegate.v1 import scan_pb2

from facegate_client import CapturedImage
from simulator.tinted_phone import TintedFrames, TintedPhone, tinted

_GREY = np.full((16, 16, 3), 200, np.uint8)
_WHITE, _ORANGE = (255, 255, 255), (255, 128, 0)


def _mean(jpeg: bytes) -> list[float]:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return [float(value) for value in pixels.reshape(-1, 3).mean(axis=0)]


def test_a_colour_scales_its_channels() -> None:
    assert (tinted(_GREY, _WHITE) == 200).all()
    blue, green, red = tinted(_GREY, (255, 0, 128))[0, 0]
    assert red == 200
    assert green < blue < red
    assert (tinted(_GREY, None) == green).all()


def test_every_picture_is_there_in_every_colour_and_in_the_dark() -> None:
    darker = (_GREY // 2).astype(np.uint8)
    frames = TintedFrames([_GREY, darker], colours=[_WHITE, _ORANGE])
    assert len(frames) == 2
    assert _mean(frames.jpeg(0, _WHITE)) == pytest.approx([200.0] * 3, abs=2)
    assert _mean(frames.jpeg(1, _WHITE)) == pytest.approx([100.0] * 3, abs=2)
    blue, green, red = _mean(frames.jpeg(0, _ORANGE))
    assert blue < green < red
    assert _mean(frames.jpeg(0, None)) == pytest.approx([90.0] * 3, abs=2)
    for number, colour in ((2, _WHITE), (0, (1, 2, 3))):
        with pytest.raises(KeyError):
            frames.jpeg(number, colour)


def _phone(frames: int, *, frames_per_second: float) -> TintedPhone:
    pictures = TintedFrames([_GREY] * frames, colours=[_WHITE])
    return TintedPhone(pictures, frames_per_second=frames_per_second)


def _brightness(image: CapturedImage) -> float:
    assert isinstance(image.image, bytes)
    pixels = cv2.imdecode(np.frombuffer(image.image, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return float(pixels.mean())


async def _frames(phone: TintedPhone, count: int) -> list[CapturedImage]:
    return [await anext(phone) for _ in range(count)]


async def test_frames_come_in_real_time_and_none_before_it_was_captured() -> None:
    # Longer than a busy machine holds the test up, because frames that were due meanwhile are not captured.
    phone = _phone(1000, frames_per_second=50.0)
    began = time.monotonic_ns() // 1000
    frames = await _frames(phone, 5)
    times = [frame.capture_time_us for frame in frames]
    assert times == sorted(set(times))
    assert times[0] >= began
    assert times[-1] <= time.monotonic_ns() // 1000
    assert 1 <= len([frame async for frame in _phone(2, frames_per_second=50.0)]) <= 2


async def test_a_colour_is_claimed_at_once_and_seen_a_little_later() -> None:
    phone = _phone(1000, frames_per_second=100.0)
    (before,) = await _frames(phone, 1)
    assert phone.displayed(before.capture_time_us).number == 0
    phone.show_step(scan_pb2.FlashStep(step=3, color=scan_pb2.Rgb(red=255, green=255, blue=255)))
    await asyncio.sleep(0.12)
    (after,) = await _frames(phone, 1)
    shown = phone.displayed(after.capture_time_us)
    assert shown.number == 3
    assert before.capture_time_us < shown.since_us <= after.capture_time_us
    assert _brightness(before) < 100
    assert _brightness(after) > 195
    phone.restore()
    assert phone.displayed(time.monotonic_ns() // 1000 + 1).number == 0
