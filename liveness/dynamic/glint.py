"""The screen's image in the eyes.

The cornea mirrors the screen as a small bright spot. Against the dark iris it takes on the screen's colours
more strongly than skin does. It needs eyes about 85 pixels apart to be more than a pixel or two, and it is
hidden by glasses and lids, so a missing glint says nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liveness.dynamic.course import Appearance, light_at
from liveness.dynamic.drift import fit_drift
from liveness.dynamic.response import Response
from liveness.dynamic.sample import FlashSample, Region
from liveness.dynamic.track import TrackView
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["GlintSettings", "glint_signal", "measure_glint"]

_NAME = "flash_glint"
_LABEL = "Screen mirrored in the eyes"


@dataclass(frozen=True, slots=True)
class GlintSettings:
    """Lines of the glint.

    Attributes:
        least_eye_distance: Pixels.
        share: The eyes' answer over the skin's from which a glint is seen.
    """

    least_eye_distance: float = 85.0
    share: float = 1.5


def measure_glint(
    samples: Sequence[FlashSample],
    track: TrackView,
    shown: Sequence[Appearance],
    response: Response,
    *,
    lag: float,
    settings: GlintSettings,
) -> float | None:
    """The brighter eye's answer over the skin's; ``None`` where eyes are too small or were not measured."""
    distances = [one.face.eye_distance for one in samples if one.face is not None]
    if not distances or float(np.median(distances)) < settings.least_eye_distance:
        return None
    found: list[float] = []
    for region in (Region.LEFT_EYE, Region.RIGHT_EYE):
        light = np.stack([sample.linear[region] for sample in samples]).astype(np.float64)
        bright = np.isfinite(light).all(axis=1) & (light.max(axis=1) > 1e-3)
        rows = np.flatnonzero(track.clean & bright & (track.times >= shown[0].at + lag))
        drift = fit_drift(track, rows)
        if drift is None:
            continue
        screen = drift.clear(light_at(shown, track.times[rows] - lag, blur=track.frame_seconds))
        drive = screen @ response.matrix.T
        power = float((drive**2).sum())
        if power > 0:
            answer = drift.clear(np.log(np.maximum(light[rows], 1e-3)))
            found.append(float((answer * drive).sum()) / power)
    return max(found) if found else None


def glint_signal(share: float | None, settings: GlintSettings) -> Signal:
    """A glint that is seen speaks for eyes; one that is not says nothing."""
    if share is None or not math.isfinite(share):
        return not_assessed(name=_NAME, label=_LABEL, reason="the eyes are too small in the picture")
    if share < settings.share:
        return not_assessed(name=_NAME, label=_LABEL, reason="no spot in the eyes follows the screen")
    detail = f"a spot in the eyes follows the screen's colours {share:.1f} times as strongly as skin"
    return assessed(name=_NAME, label=_LABEL, score=0.75, detail=detail)
