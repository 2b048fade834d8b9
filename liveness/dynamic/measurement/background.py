"""Whether the background answers the screen less than the face, as distance demands.

The screen's light falls off with the square of the distance, so a wall 1 to 3 m away gets less than a
tenth of what the face gets; a pillow or a wall right behind the head gets much more, so the background alone
calls nobody an attacker. A picture that is tinted as a whole answers everywhere alike. In the dark, where the
screen is nearly all the light there is, any background answers as the face does: nothing can be told.

Only colours are compared. A camera's exposure pulls against the flash, and it pulls the background with the
face: brightness would make the background's answer too small, or negative.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.course import Appearance, light_at
from liveness.dynamic.measurement.drift import fit_drift
from liveness.dynamic.measurement.response import Response, inflation
from liveness.dynamic.measurement.track import TrackView
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["BACKGROUND", "BackgroundFinding", "BackgroundSettings", "background_signal", "measure_background"]

BACKGROUND = "flash_background"
_LABEL = "Background under the screen's light"
_FREE = 2
"""Colours that are free once their mean is taken out."""


@dataclass(frozen=True, slots=True)
class BackgroundSettings:
    """Lines of the background.

    Attributes:
        share: The background's answer over the face's that speaks for neither side.
        steepness: How many times the difference counts as log odds.
        strongest: ``Response.strength`` above which the screen is nearly all the light there is.
        most_error: ``BackgroundFinding.error`` above which nothing can be told.
    """

    share: float
    steepness: float
    strongest: float
    most_error: float


@dataclass(frozen=True, slots=True)
class BackgroundFinding:
    """The background's answer over the face's.

    Attributes:
        share: 0 for none, 1 for as much as the face.
        error: Its standard error.
    """

    share: float
    error: float


def measure_background(
    track: TrackView, shown: Sequence[Appearance], response: Response, *, lag: float
) -> BackgroundFinding | None:
    """How much of the face's answer the background gives; ``None`` where one of them was not measured."""
    seen = track.clean & np.isfinite(track.background).all(axis=1) & (track.times >= shown[0].at + lag)
    rows = np.flatnonzero(seen)
    drift = fit_drift(track, rows)
    if drift is None or response.strength <= 0:
        return None
    screen = drift.clear(light_at(shown, track.times[rows] - lag, blur=track.frame_seconds))
    drive = _colour(screen @ response.matrix.T)
    power = float((drive**2).sum())
    if power <= 0:
        return None
    light = _colour(drift.clear(track.background[rows]))
    share = float((light * drive).sum()) / power
    rest = light - share * drive
    error = math.sqrt(float((rest**2).sum()) / (_FREE * len(rows)) * inflation(rest) / power)
    return BackgroundFinding(share=share, error=error)


def background_signal(
    finding: BackgroundFinding | None, strength: float, settings: BackgroundSettings
) -> Signal:
    """What the background says; a small answer is as it must be, and proves little.

    Args:
        finding: See ``measure_background``.
        strength: ``Response.strength``.
        settings: Lines.
    """
    if finding is None:
        return not_assessed(name=BACKGROUND, label=_LABEL, reason="no background was seen beside the face")
    if finding.error > settings.most_error:
        reason = f"its answer is only known to {100 * finding.error:.0f} % of the face's"
        return not_assessed(name=BACKGROUND, label=_LABEL, reason=reason)
    if strength > settings.strongest:
        reason = "the screen is nearly all the light there is, on the face and behind it"
        return not_assessed(name=BACKGROUND, label=_LABEL, reason=reason)
    odds = settings.steepness * (settings.share - finding.share)
    score = 1 / (1 + math.exp(-odds))
    known = f"known to {100 * finding.error:.0f} %"
    detail = f"it answers {100 * finding.share:.0f} % as much as the face does, {known}"
    return assessed(name=BACKGROUND, label=_LABEL, score=score, detail=detail)


def _colour(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms without their mean over the colours: what a camera's exposure leaves alone."""
    colour: NDArray[np.float64] = light - light.mean(axis=1, keepdims=True)
    return colour
