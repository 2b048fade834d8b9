"""How bright the surroundings are, and whether the screen's light would have shown.

The camera's own settings tell the illuminance: an exposure of t seconds at ISO S and aperture N renders a
surface of luminance L = 12.5 N^2 / (t S) cd/m2 as a mid-grey of 0.18 (ISO 12232, ISO 2720). They are the
device's claim, and phones that report stale, rounded or otherwise scaled values are genuine. So a claim gives
hints, and who claims a bright room only gets "cannot be measured" for it. It takes part in calling somebody
an attacker only where the picture bears it out: where it gets brighter and darker as the settings say, or
where the settings are said to be held and the picture holds still.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from liveness.dynamic.challenge.palette import LOW
from liveness.dynamic.sample import SKIN_REGIONS, ExposureReading, FlashSample, Region

__all__ = ["Exposed", "expected_response", "is_dim", "lux_borne_out", "read_exposure", "scene_lux"]

_CONSTANT: Final = 12.5
"""Of reflected light meters (ISO 2720), cd s / m2."""
_APERTURE: Final = 2.0
"""Phones' front cameras open to f/1.8 to f/2.4."""
_MID_GREY: Final = 0.18
"""Linear light as which a correct exposure renders the mean of a scene (ISO 12232)."""
_SKIN_ALBEDO: Final = 0.35
"""Of skin of medium tone in green light: very dark and very light skin lie within a factor of 3."""
_MOSTLY_USABLE: Final = 0.8
"""Share of the skin's pixels that follow the light below which most of the face is lost."""

# Of the settings and the background's light over a scan, as logarithms:
_FEWEST_READINGS: Final = 20
_VARIED, _HELD = 0.02, 0.005
"""Deviation of the settings from which they vary, and up to which they are held."""
_ALIKE: Final = 0.8
_LEAST_SLOPE, _MOST_SLOPE = 0.5, 2.0
"""Correlation with the picture, and how strongly it follows: 1, but for the camera's tone curve."""
_STILL: Final = 0.06
"""Deviation of a picture that is held: heads move, and the edge of what is behind them with them."""


@dataclass(frozen=True, slots=True)
class Exposed:
    """How the camera exposes the face.

    Attributes:
        level: Median linear light of the skin, 0..1; ``None`` where it was never measured.
        lost: Share of the frames with a face whose skin mostly does not follow the light, 0..1.
    """

    level: float | None
    lost: float


def read_exposure(samples: Sequence[FlashSample]) -> Exposed:
    """Read ``samples``; frames without a face do not count."""
    faces = [sample for sample in samples if sample.face is not None]
    if not faces:
        return Exposed(level=None, lost=0.0)
    skin = np.stack([sample.linear[: len(SKIN_REGIONS)] for sample in faces])
    usable = np.stack([sample.usable[: len(SKIN_REGIONS)] for sample in faces]).mean(axis=1)
    seen = skin[np.isfinite(skin)]
    return Exposed(
        level=float(np.median(seen)) if len(seen) else None,
        lost=float((usable < _MOSTLY_USABLE).mean()),
    )


def scene_lux(samples: Sequence[FlashSample]) -> float | None:
    """Median illuminance of the face as the exposure metadata claim; ``None`` without.

    Lux, within a factor of 3 if they are true; see ``lux_borne_out``.
    """
    found: list[float] = []
    for sample in samples:
        product = _product(sample.exposure)
        skin = sample.linear[: len(SKIN_REGIONS)]
        seen = skin[np.isfinite(skin)]
        if product is None or not len(seen):
            continue
        found.append(_lux(product, float(seen.mean())))
    return float(np.median(found)) if found else None


def is_dim(samples: Sequence[FlashSample], line: float) -> bool:
    """Whether the exposure metadata claim less than ``line`` lux; False where they do not say.

    Skin that is saturated everywhere counts as bright as the camera can show.
    """
    lux = scene_lux(samples)
    if lux is None:
        told = [product for sample in samples if (product := _product(sample.exposure)) is not None]
        lux = _lux(float(np.median(told)), 1.0) if told else math.inf
    return lux < line


def _lux(product: float, level: float) -> float:
    """Illuminance of skin that settings render as ``level``, linear light of 0..1."""
    luminance = _CONSTANT * _APERTURE**2 / product * level / _MID_GREY
    return luminance * math.pi / _SKIN_ALBEDO


def lux_borne_out(samples: Sequence[FlashSample]) -> bool:
    """Whether the picture bears out what the exposure metadata say; False without metadata or background.

    It cannot bear out their scale: a device whose values follow its camera, and are all wrong by the same
    factor, is believed. Where enough frames are said to be locked only those are looked at: cameras are
    locked in the middle of a scan, once they have followed the screen.
    """
    locked = [one for one in samples if one.exposure is not None and one.exposure.exposure_locked]
    held = len(locked) >= _FEWEST_READINGS
    samples = locked if held else samples
    told = [(_product(sample.exposure), sample.linear[Region.BACKGROUND]) for sample in samples]
    seen = [
        (math.log(product), light)
        for product, light in told
        if product is not None and np.isfinite(light).all() and light.min() > 0
    ]
    if len(seen) < _FEWEST_READINGS or len(seen) < len(samples) / 2:
        return False
    settings = np.array([setting for setting, _ in seen])
    picture = np.log(np.stack([light for _, light in seen]).astype(np.float64)).mean(axis=1)
    if settings.std() < _HELD:
        return held and float(picture.std()) < _STILL
    if settings.std() < _VARIED:
        return False
    deviation = settings - settings.mean()
    slope = float(deviation @ picture) / float(deviation @ deviation)
    alike = slope * float(settings.std()) / max(float(picture.std()), 1e-9)
    return alike >= _ALIKE and _LEAST_SLOPE <= slope <= _MOST_SLOPE


def _product(reading: ExposureReading | None) -> float | None:
    """Exposure time by sensitivity; ``None`` where the device does not say, or says what cannot be."""
    if reading is None or not reading.exposure_seconds or not reading.iso:
        return None
    product = reading.exposure_seconds * reading.iso
    return product if math.isfinite(product) and product > 0 else None


def expected_response(lux: float, screen_lux: float) -> float:
    """``Response.strength`` of skin under ``lux`` of other light and ``screen_lux`` from a white screen."""
    return math.log((lux + screen_lux) / (lux + LOW * screen_lux)) / (1 - LOW)
