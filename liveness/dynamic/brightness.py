"""How bright the surroundings are, and whether the screen's light would have shown.

The camera's own settings tell the illuminance: an exposure of t seconds at ISO S and aperture N renders a
surface of luminance L = 12.5 N^2 / (t S) cd/m2 as a mid-grey of 0.18 (ISO 12232, ISO 2720). They are the
device's claim: who claims a bright room only gets "cannot be measured" for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from liveness.dynamic.sample import SKIN_REGIONS, FlashSample

__all__ = ["Exposed", "expected_response", "read_exposure", "scene_lux"]

_CONSTANT: Final = 12.5
_APERTURE: Final = 2.0
"""Phones' front cameras open to f/1.8 to f/2.4."""
_MID_GREY: Final = 0.18
_SKIN_ALBEDO: Final = 0.35


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
        lost=float((usable < 0.8).mean()),
    )


def scene_lux(samples: Sequence[FlashSample]) -> float | None:
    """Median illuminance of the face by the exposure metadata, lux within a factor of 3; ``None`` without."""
    found: list[float] = []
    for sample in samples:
        reading = sample.exposure
        if reading is None or not reading.exposure_seconds or not reading.iso:
            continue
        product = reading.exposure_seconds * reading.iso
        skin = sample.linear[: len(SKIN_REGIONS)]
        seen = skin[np.isfinite(skin)]
        if not len(seen) or not math.isfinite(product) or product <= 0:
            continue
        luminance = _CONSTANT * _APERTURE**2 / product * float(seen.mean()) / _MID_GREY
        found.append(luminance * math.pi / _SKIN_ALBEDO)
    return float(np.median(found)) if found else None


def expected_response(lux: float, screen_lux: float) -> float:
    """``Response.strength`` of skin under ``lux`` of other light and ``screen_lux`` from a white screen."""
    return math.log((lux + screen_lux) / (lux + 0.15 * screen_lux)) / 0.85
