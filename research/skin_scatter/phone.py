"""Films a lit face under random colours, and separates the screen's light from other light."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.challenge.palette import LOW
from simulator import FlashCameraSettings, ToneCurve
from simulator.light.colour import linear_table
from simulator.light.phone_camera import PhoneCamera
from vision.image import encode_jpeg

__all__ = ["Answer", "Lens", "draw_lens", "film", "seen_ideally", "through"]

Picture: TypeAlias = NDArray[np.float32]
_COLOURS, _EACH = 12, 6
"""A scan's colours, and the frames of each."""
_RATE: Final = 15.0
_MISPLACED: Final = 0.15
"""Standard deviation of the error with which frames are laid over each other, pixels."""
_WANDERED: Final = 2.0
_QUALITY: Final = 88


@dataclass(frozen=True, slots=True)
class Lens:
    """What a camera does to the colours besides noise.

    Attributes:
        blur: Standard deviation of the blur, blue-green-red, pixels; the sensor's mosaic and the lens.
        wider: Growth of the blue and of the red image against the green one: lateral chromatic aberration.
        tone: How linear light becomes an 8-bit value.
    """

    blur: tuple[float, float, float]
    wider: tuple[float, float]
    tone: ToneCurve


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The light of a scan, each from one half of its colours.

    Attributes:
        screen: Light that a full channel of the screen adds, shape (2, h, w, 3), linear, up to a factor.
        other: Other light, of the same shape and unit.
    """

    screen: Picture
    other: Picture


def draw_lens(*, held_out: bool, rng: np.random.Generator) -> Lens:
    """Draw a lens; those of other phones are worse, and their curve is another."""
    green = float(rng.uniform(0.4, 0.7))
    worse = 0.4 if held_out else 0.25
    blue, red = (max(0.3, green + float(rng.uniform(-0.15, worse))) for _ in range(2))
    growth = 0.0008 if held_out else 0.0005
    tone = ToneCurve.CONTRAST if held_out else (ToneCurve.SRGB, ToneCurve.GAMMA_22)[int(rng.integers(2))]
    return Lens((blue, green, red), (float(rng.normal(0, growth)), float(rng.normal(0, growth))), tone)


def seen_ideally(screen: Picture, other: Picture) -> Answer:
    """Return the light itself, shape (h, w, 3) each: the bound that no camera passes."""
    return Answer(np.stack([screen, screen]), np.stack([other, other]))


def film(
    screen: Picture, other: Picture, lens: Lens, *, luminance: float, rng: np.random.Generator
) -> dict[str, Answer]:
    """Film a face; return its answer from JPEGs of 4:2:0 (``"sent"``) and from the pixels (``"raw"``).

    Args:
        screen: Light that the face reflects of 1 cd/m2 of each channel, shape (h, 480, 3), lux.
        other: Other light that it reflects, lux.
        lens: The lens.
        luminance: Of a full channel, cd/m2.
        rng: Draws the colours, the movement, the errors and the noise.
    """
    height, width = screen.shape[:2]
    settings = FlashCameraSettings(tone_curve=lens.tone, exposure_locked=True, white_balance_locked=True)
    camera = PhoneCamera(settings, rng, width=width, height=height)
    screen, other = (through(one, lens) for one in (screen * np.float32(luminance), other))
    camera.start(other + np.float32((1 + LOW) / 2) * screen)
    gains = camera.gains.astype(np.float32)
    sums = {name: np.zeros((2, 2, height, width, 3), np.float32) for name in ("sent", "raw")}
    for number, full in enumerate(_colours(rng)):
        levels = np.where(full, 1.0, LOW).astype(np.float32)
        scene = (other + levels * screen) * gains
        for each in range(_EACH):
            moved = rng.normal(0, _WANDERED, 2)
            seen = _shifted(scene, moved) + np.float32(camera.pedestal)
            pixels, _ = camera.take(seen, (number * _EACH + each) / _RATE, locked=True)
            sent = np.frombuffer(encode_jpeg(pixels, quality=_QUALITY), np.uint8)
            back = -moved + rng.normal(0, _MISPLACED, 2)
            for name, image in (("raw", pixels), ("sent", cv2.imdecode(sent, cv2.IMREAD_COLOR))):
                light = _shifted(np.asarray(cv2.LUT(np.asarray(image), linear_table()), np.float32), back)
                half = sums[name][number % 2]
                half[1] += light * full
                half[0] += light * ~full
    shares = _COLOURS / 4 * _EACH
    return {name: _separated(halves / np.float32(shares)) for name, halves in sums.items()}


def _separated(means: Picture) -> Answer:
    low, high = means[:, 0], means[:, 1]
    screen = (high - low) / np.float32(1 - LOW)
    return Answer(screen, low - np.float32(LOW) * screen)


def _colours(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which channels are full in each colour, shape (12, 3): each in half of each half's colours."""
    half = np.arange(_COLOURS // 2) < _COLOURS // 4
    order = np.stack([[rng.permutation(half) for _ in range(3)] for _ in range(2)])
    return np.asarray(order.transpose(2, 0, 1).reshape(_COLOURS, 3))


def through(light: Picture, lens: Lens) -> Picture:
    """Return light, shape (h, w, 3), behind a lens."""
    height, width = light.shape[:2]
    growths = lens.wider[0], 0.0, lens.wider[1]
    planes = []
    for plane, blur, growth in zip(cv2.split(light), lens.blur, growths, strict=True):
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 0.0, 1 + growth)
        grown = cv2.warpAffine(
            plane, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        planes.append(cv2.GaussianBlur(grown, (0, 0), blur))
    return np.maximum(np.stack(planes, axis=-1), 0).astype(np.float32)


def _shifted(picture: Picture, by: NDArray[np.float64]) -> Picture:
    matrix = np.array([[1.0, 0.0, by[0]], [0.0, 1.0, by[1]]])
    size = picture.shape[1], picture.shape[0]
    moved = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.maximum(np.asarray(moved, np.float32), 0)
