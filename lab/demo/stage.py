"""Makes the portraits and frames of the simulated camera."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from cli.errors import CommandError
from lab.demo.scenarios import Scenario
from lab.simulator import (
    FlashKind,
    FlashScanSettings,
    Photo,
    ScanKind,
    SceneSettings,
    SimulatedFrame,
    SimulatorError,
    builtin_photos,
    simulate_scan,
)
from lab.simulator.phone import TapedPhone
from vision.errors import VisionError
from vision.face import BgrImage
from vision.image import encode_jpeg

FRAMES_PER_SECOND: Final = 15.0
"""Rate of the simulated camera."""
SEED: Final = 1

_AHEAD_SECONDS: Final = 6.0
# Frames after those rendered in advance are made while the scan runs; only a slow machine needs them.
_LONGEST_SECONDS: Final = 30.0
_FLASH_SECONDS: Final = 60.0
"""Enough for all attempts; frames are made only on demand."""

_PORTRAIT_QUALITY: Final = 92
_FRAME_QUALITY: Final = 85
_STRIP_FRAMES: Final = 6
_STRIP_WIDTH: Final = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedScan:
    """A scan that is ready to send."""

    frames: Iterator[tuple[bytes, float]]
    strip: tuple[bytes, ...]


class Stage:
    """Makes the material of a scenario. Slow: do not call it in the event loop."""

    def __init__(self, *, photos: dict[str, Photo]) -> None:
        """Take the photos that ``open_stage`` loaded."""
        self._photos = photos

    def portrait(self, scenario: Scenario) -> bytes:
        """Return the trusted image as a JPEG."""
        photo = self._photos[scenario.portrait]
        pixels = photo.pixels
        if scenario.portrait_eye_distance is not None:
            pixels = _scaled(pixels, scenario.portrait_eye_distance / photo.eye_distance)
        return encode_jpeg(pixels, quality=_PORTRAIT_QUALITY)

    def scan(
        self, scenario: Scenario, *, progress: Callable[[float], None] = lambda share: None
    ) -> StagedScan | None:
        """Render a scan; None if the scenario has none, or one that `phone` makes."""
        if scenario.scanned is None or not isinstance(scenario.kind, ScanKind):
            return None
        settings = SceneSettings(
            kind=scenario.kind,
            seed=SEED + scenario.turn,
            seconds=_LONGEST_SECONDS,
            frames_per_second=FRAMES_PER_SECOND,
        )
        rendered = simulate_scan(self._photos[scenario.scanned], settings)
        count = round(_AHEAD_SECONDS * FRAMES_PER_SECOND)
        pictured = {round(share * (count - 1)) for share in np.linspace(0.05, 0.65, _STRIP_FRAMES)}
        ahead: list[tuple[bytes, float]] = []
        strip: list[bytes] = []
        for number, frame in enumerate(itertools.islice(rendered, count)):
            ahead.append(_encoded(frame))
            if number in pictured:
                scaled = _scaled(frame.pixels, _STRIP_WIDTH / frame.pixels.shape[1])
                strip.append(encode_jpeg(scaled, quality=_FRAME_QUALITY))
            progress((number + 1) / count)
        return StagedScan(frames=itertools.chain(ahead, map(_encoded, rendered)), strip=tuple(strip))

    def phone(self, scenario: Scenario) -> TapedPhone | None:
        """Return a phone with a screen, which renders most frames as it captures; None without a flash."""
        if scenario.scanned is None or not isinstance(scenario.kind, FlashKind):
            return None
        settings = FlashScanSettings(
            kind=scenario.kind,
            seed=SEED + scenario.turn,
            seconds=_FLASH_SECONDS,
            frames_per_second=FRAMES_PER_SECOND,
        )
        return TapedPhone.in_hand(self._photos[scenario.scanned], settings)


def open_stage(names: frozenset[str]) -> Stage:
    """Load the built-in photos of these names, and find the heads in them with the pack ``embedded``."""
    try:
        photos = builtin_photos(names=tuple(sorted(names)))
    except (SimulatorError, VisionError) as error:
        raise CommandError(str(error)) from error
    return Stage(photos=photos)


def _encoded(frame: SimulatedFrame) -> tuple[bytes, float]:
    return encode_jpeg(frame.pixels, quality=_FRAME_QUALITY), frame.capture_time


def _scaled(pixels: BgrImage, factor: float) -> BgrImage:
    scaled = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, np.uint8)
