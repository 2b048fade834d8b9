"""The signal of a background that responds to the screen less than the face, because it is farther away.

The screen's light falls off with the square of the distance, so a wall 1 to 3 m away gets less than a tenth
of the light on the face. A pillow or a wall right behind the head gets much more, so the background alone
never proves an attack. A picture that is tinted as a whole responds equally everywhere. In the dark, the
screen is nearly all the light there is, and any background responds as the face does, so the signal is not
assessed.

Only colours are compared. A camera's exposure counteracts the flash, on the background as on the face, so the
brightness of the background would respond too little, or negatively.
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
"""The degrees of freedom of the three colours without their mean."""


@dataclass(frozen=True, slots=True)
class BackgroundSettings:
    """Lines of the background.

    Attributes:
        share: The background's response, over the face's, that counts for neither side.
        steepness: The factor from the difference to log odds.
        strongest: The ``Response.strength`` above which the screen is nearly all the light there is.
        most_error: The ``BackgroundFinding.error`` above which the signal is not assessed.
    """

    share: float
    steepness: float
    strongest: float
    most_error: float


@dataclass(frozen=True, slots=True)
class BackgroundFinding:
    """The background's response over the face's.

    Attributes:
        share: 0 for no response, 1 for that of the face.
        error: The standard error of ``share``.
    """

    share: float
    error: float


def measure_background(
    track: TrackView, shown: Sequence[Appearance], response: Response, *, lag: float
) -> BackgroundFinding | None:
    """Returns the background's response over the face's; ``None`` if one of them was not measured."""
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
    """Returns the signal of the background. A small response is normal and proves little.

    Args:
        finding: The result of ``measure_background``.
        strength: ``Response.strength``.
        settings: Lines.
    """
    if finding is None:
        return not_assessed(name=BACKGROUND, label=_LABEL, reason="no background is visible beside the face")
    if finding.error > settings.most_error:
        reason = f"the error of its response is {100 * finding.error:.0f} % of the face's response, too large"
        return not_assessed(name=BACKGROUND, label=_LABEL, reason=reason)
    if strength > settings.strongest:
        reason = "the screen is nearly all the light there is, on the face and behind it"
        return not_assessed(name=BACKGROUND, label=_LABEL, reason=reason)
    odds = settings.steepness * (settings.share - finding.share)
    score = 1 / (1 + math.exp(-odds))
    error = f"standard error {100 * finding.error:.0f} %"
    detail = f"it responds {100 * finding.share:.0f} % as much as the face, {error}"
    return assessed(name=BACKGROUND, label=_LABEL, score=score, detail=detail)


def _colour(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns logarithms less their mean over the colours. A camera's exposure does not change the result."""
    colour: NDArray[np.float64] = light - light.mean(axis=1, keepdims=True)
    return colour
