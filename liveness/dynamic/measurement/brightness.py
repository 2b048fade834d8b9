"""Estimates the brightness of the surroundings, and the response to the screen's light to expect there.

The camera's settings determine the illuminance: an exposure of t seconds at ISO S and aperture N renders a
surface of luminance L = 12.5 N^2 / (t S) cd/m2 as a mid-grey of 0.18 (ISO 12232, ISO 2720). They are the
device's claim, and genuine phones may report stale, rounded or otherwise scaled values. A claim therefore
only gives hints, and a claimed bright room only makes the flash not measurable. The claim counts towards an
attack only if the frames are consistent with it: they get brighter and darker with the settings, or the
settings are claimed to be locked and the frames do not change.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from formats.exposure import ExposureClaim
from liveness.dynamic.challenge.script import LOW
from liveness.dynamic.sample import SKIN_REGIONS, FlashSample, Region

_CONSTANT: Final = 12.5
"""The constant of reflected light meters (ISO 2720), cd s / m2."""
_APERTURE: Final = 2.0
"""The aperture; phones' front cameras have f/1.8 to f/2.4."""
_MID_GREY: Final = 0.18
"""The linear light with which a correct exposure renders the mean of a scene (ISO 12232)."""
_SKIN_ALBEDO: Final = 0.35
"""The albedo of skin of medium tone in green light. Very dark and very light skin lie within a factor of
3."""
_MOSTLY_USABLE: Final = 0.8
"""The share of the skin's pixels that follow the light below which most of the face is lost."""

# Of the logarithms of the settings and of the background's light over a scan:
_FEWEST_READINGS: Final = 20
_VARIED, _HELD = 0.02, 0.005
"""The deviation of the settings from which they vary, and below which they are held."""
_ALIKE: Final = 0.8
_LEAST_SLOPE, _MOST_SLOPE = 0.5, 2.0
"""The least correlation of frames and settings, and the range of their slope, which is 1 except for the
camera's tone curve."""
_STILL: Final = 0.06
"""The deviation below which frames do not change. Heads move, and cover more or less of the background."""


@dataclass(frozen=True, slots=True)
class Exposed:
    """The camera's exposure of the face.

    Attributes:
        level: The median linear light of the skin, 0..1; ``None`` if it was never measured.
        lost: The share, 0..1, of the frames with a face in which most of the skin is saturated or nearly
            black.
    """

    level: float | None
    lost: float


def read_exposure(samples: Sequence[FlashSample]) -> Exposed:
    """Return the exposure of the face over ``samples``; frames without a face do not count."""
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
    """Return the median illuminance of the face, lux, by the exposure metadata; ``None`` without metadata.

    It is correct within a factor of 3 if the metadata are true; see ``lux_borne_out``.
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
    """Return whether the exposure metadata claim less than ``line`` lux; False without metadata.

    Skin that is saturated everywhere counts as the brightest that the camera can show.
    """
    lux = scene_lux(samples)
    if lux is None:
        products = [product for sample in samples if (product := _product(sample.exposure)) is not None]
        lux = _lux(float(np.median(products)), 1.0) if products else math.inf
    return lux < line


def _lux(product: float, level: float) -> float:
    """Return the illuminance of skin that the camera's settings render as ``level``, linear light, 0..1."""
    luminance = _CONSTANT * _APERTURE**2 / product * level / _MID_GREY
    return luminance * math.pi / _SKIN_ALBEDO


def lux_borne_out(samples: Sequence[FlashSample]) -> bool:
    """Return whether the frames fit the exposure metadata; False without metadata or background.

    The frames cannot confirm the scale: values that follow the camera and are all wrong by the same factor
    are consistent. If enough frames are claimed to be locked, only those count, because cameras are locked in
    the middle of a scan, once they have adapted to the screen.
    """
    locked = [one for one in samples if one.exposure is not None and one.exposure.exposure_locked]
    held = len(locked) >= _FEWEST_READINGS
    samples = locked if held else samples
    claims = [(_product(sample.exposure), sample.linear[Region.BACKGROUND]) for sample in samples]
    seen = [
        (math.log(product), light)
        for product, light in claims
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


def _product(reading: ExposureClaim | None) -> float | None:
    """Return exposure time times sensitivity; ``None`` if they are not stated, or impossible."""
    if reading is None or not reading.exposure_seconds or not reading.iso:
        return None
    product = reading.exposure_seconds * reading.iso
    return product if math.isfinite(product) and product > 0 else None


def expected_response(lux: float, screen_lux: float) -> float:
    """Return the ``Response.strength`` of skin that reflects the screen's and all other light equally.

    Args:
        lux: Illuminance of the face by other light than the screen's, lux; 0 or more.
        screen_lux: Illuminance of the face by a white screen, lux; more than 0.
    """
    return math.log((lux + screen_lux) / (lux + LOW * screen_lux)) / (1 - LOW)
