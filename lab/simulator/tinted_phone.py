"""A phone that tints the frames of a recorded scan in the colours of its screen, instead of rendering a face.

Rendering a face in the light of a screen takes as much time as a server's own work. Here the screen's colour
scales the channels of each frame, of face and background alike. So the challenge runs completely and measures
colours, as with a person; its spatial measurements are those of an attack.

All frames are encoded in advance. A phone encodes on its own processors; here the encoding would use the
server's: on two cores, four phones that encoded during the scan used half as much as the server did.
"""

import asyncio
import os
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Final, Self, TypeAlias

import cv2
import numpy as np
from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from facegate_client import CameraDescription, CapturedImage, DisplayedStep, Pace
from vision.face import BgrImage
from vision.image import encode_jpeg

_QUALITY: Final = 85
_AMBIENT, _SCREEN = 0.45, 0.55
"""Shares of the light, in the values that JPEGs store; the second is the share that white adds."""
_LAG_US: Final = 60_000
"""Time from a colour's appearance until the camera captures it."""

Rgb: TypeAlias = tuple[int, int, int]
"""Red, green and blue of a screen, sRGB, each 0..255."""


class TintedFrames:
    """The frames of one scan in the light of a screen, in each of its colours, as JPEG files in memory."""

    def __init__(self, frames: Sequence[BgrImage], *, colours: Collection[Rgb]) -> None:
        """Encode every frame in every colour and in the light of a dark screen, on all cores."""
        wanted = tuple(product(range(len(frames)), (None, *colours)))

        def encoded(one: tuple[int, Rgb | None]) -> bytes:
            number, colour = one
            return encode_jpeg(tinted(frames[number], colour), quality=_QUALITY)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            self._jpegs = dict(zip(wanted, pool.map(encoded, wanted), strict=True))
        self._count = len(frames)

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._count

    def jpeg(self, number: int, colour: Rgb | None) -> bytes:
        """Return a frame in the light of a colour, ``None`` for a dark screen."""
        return self._jpegs[number, colour]


def tinted(pixels: BgrImage, colour: Rgb | None) -> BgrImage:
    """Return a frame in white light as if a screen lit all of it; ``None`` for a dark screen."""
    red, green, blue = colour or (0, 0, 0)
    gains = _AMBIENT + _SCREEN * np.array([blue, green, red]) / 255
    table = (np.arange(256)[:, None] * gains).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table.reshape(1, 256, 3)), np.uint8)


class TintedPhone:
    """Implements ``facegate_client.FrameSource`` and ``facegate_client.FlashScreen`` for one scan."""

    def __init__(self, frames: TintedFrames, *, frames_per_second: float) -> None:
        """Take the frames of a scan."""
        self._frames = frames
        self._interval_us = round(1e6 / frames_per_second)
        self._began_us: int | None = None
        self._next = 0
        self._steps: list[tuple[DisplayedStep, Rgb | None]] = [(DisplayedStep(), None)]
        self._camera = CameraDescription(
            label="tinted", frames_per_second=frames_per_second, timestamp_source="benchmark"
        )

    @property
    def camera(self) -> CameraDescription:
        """The description of the camera."""
        return self._camera

    @property
    def pace(self) -> Pace:
        """Always real time."""
        return "realtime"

    def begin_attempt(self) -> None:
        """Nothing changes."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """Return the frame that is due, in the colour that had appeared shortly before."""
        if self._began_us is None:
            self._began_us = _now_us()
        # Frames that were due while the device was busy are not captured.
        passed = (_now_us() - self._began_us) // self._interval_us
        number = self._next = max(self._next, passed)
        if number >= len(self._frames):
            raise StopAsyncIteration
        captured = self._began_us + number * self._interval_us
        await asyncio.sleep(max(0.0, (captured - _now_us()) / 1e6))
        self._next += 1
        _, colour = self._at(captured - _LAG_US)
        return CapturedImage(image=self._frames.jpeg(number, colour), capture_time_us=captured)

    async def aclose(self) -> None:
        """Do nothing, because nothing is open."""

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """The profile of the screen."""
        return device_pb2.ScreenProfile(width=1080, height=2340, brightness=1.0, refresh_rate_hz=60)

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        """None: it does not scroll and draws no oval."""
        return ()

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Fill the screen immediately."""
        colour = step.color.red, step.color.green, step.color.blue
        self._steps.append((DisplayedStep(step.step, _now_us()), colour))

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """Not called, because ovals are not among the capabilities."""

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """Ignore hints."""

    def restore(self) -> None:
        """Clear the screen."""
        self._steps.append((DisplayedStep(0, _now_us()), None))

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Return the step on display at the capture of a frame."""
        shown, _ = self._at(capture_time_us)
        return shown if shown.number else DisplayedStep()

    def _at(self, time_us: int) -> tuple[DisplayedStep, Rgb | None]:
        return next(one for one in reversed(self._steps) if one[0].since_us <= time_us)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
