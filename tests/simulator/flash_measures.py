"""Measurements of simulated flash scans by averages over fixed parts of the frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import FlashScanSettings, Photo, ScreenLight, SimulatedFrame, simulate_flash_scan

LOW, HIGH = 108, 255
RED, GREEN, BLUE = (HIGH, LOW, LOW), (LOW, HIGH, LOW), (LOW, LOW, HIGH)
WHITE, DARK = (HIGH, HIGH, HIGH), (LOW, LOW, LOW)
_HOLD = 10
_LATE = 6


@dataclass(frozen=True, slots=True)
class Watched:
    """A scan in which the screen shows one colour after another, half a second each.

    Attributes:
        frames: All frames.
        light: The screen.
        settled: For each colour, the frames after it had been shown for a while.
    """

    frames: tuple[SimulatedFrame, ...]
    light: ScreenLight
    settled: tuple[tuple[SimulatedFrame, ...], ...]

    def face(self, colour: int) -> NDArray[np.float64]:
        """Mean linear blue-green-red of the middle of the face while a colour was on display."""
        return part_mean(self.settled[colour], rows=(0.45, 0.65), columns=(0.4, 0.6))

    def wall(self, colour: int) -> NDArray[np.float64]:
        """Mean linear blue-green-red of the upper right corner, where the wall is."""
        return part_mean(self.settled[colour], rows=(0.02, 0.12), columns=(0.92, 0.99))


def watch(
    photo: Photo,
    settings: FlashScanSettings,
    colours: Sequence[tuple[int, int, int]],
    *,
    scroll_seconds: float = 0.0,
) -> Watched:
    """Runs a scan that shows ``colours``."""
    light = ScreenLight(settings.phone)
    frames: list[SimulatedFrame] = []
    for index, frame in enumerate(simulate_flash_scan(photo, settings, light)):
        if index % _HOLD == 0:
            if index // _HOLD == len(colours):
                break
            light.show(colours[index // _HOLD], at=frame.capture_time, scroll_seconds=scroll_seconds)
        frames.append(frame)
    settled = tuple(tuple(frames[i * _HOLD + _LATE : (i + 1) * _HOLD]) for i in range(len(colours)))
    return Watched(frames=tuple(frames), light=light, settled=settled)


def linear(frame: SimulatedFrame) -> NDArray[np.float64]:
    """The frame in linear light, 0..1, by the sRGB curve."""
    value = frame.pixels.astype(np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def part_mean(
    frames: Sequence[SimulatedFrame], *, rows: tuple[float, float], columns: tuple[float, float]
) -> NDArray[np.float64]:
    """Mean linear colour of a part of the frames, given in shares of height and width."""
    height, width = frames[0].pixels.shape[:2]
    down = slice(round(rows[0] * height), round(rows[1] * height))
    across = slice(round(columns[0] * width), round(columns[1] * width))
    return np.asarray(np.mean([linear(frame)[down, across].mean(axis=(0, 1)) for frame in frames], axis=0))


def chromaticity(colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of blue, green and red."""
    return np.asarray(colour / colour.sum())
