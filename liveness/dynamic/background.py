"""Whether the background answers the screen less than the face, as distance demands.

The screen's light falls off with the square of the distance, so a wall 1 to 3 m away gets less than a
tenth of what the face gets. A picture that is tinted as a whole answers everywhere alike. In the dark, where
the screen is nearly all the light there is, any background answers as the face does: nothing can be told.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liveness.dynamic.course import Appearance, light_at
from liveness.dynamic.drift import fit_drift
from liveness.dynamic.response import Response
from liveness.dynamic.track import TrackView
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["BACKGROUND", "BackgroundSettings", "background_signal", "measure_background"]

BACKGROUND = "flash_background"
_LABEL = "Background under the screen's light"


@dataclass(frozen=True, slots=True)
class BackgroundSettings:
    """Lines of the background.

    Attributes:
        share: The background's answer over the face's that speaks for neither side.
        steepness: How many times the difference counts as log odds.
        strongest: ``Response.strength`` above which the screen is nearly all the light there is.
    """

    share: float = 0.6
    steepness: float = 12.0
    strongest: float = 0.6


def measure_background(
    track: TrackView, shown: Sequence[Appearance], response: Response, *, lag: float
) -> float | None:
    """The background's answer over the face's; ``None`` where one of them was not measured.

    The background is not cleared of the gains that it shows itself, so a camera that pulls against the flash
    makes its answer smaller, and even negative.
    """
    seen = track.clean & np.isfinite(track.background).all(axis=1) & (track.times >= shown[0].at + lag)
    rows = np.flatnonzero(seen)
    drift = fit_drift(track, rows)
    if drift is None or response.strength <= 0:
        return None
    screen = drift.clear(light_at(shown, track.times[rows] - lag, blur=track.frame_seconds))
    drive = screen @ response.matrix.T
    power = float((drive**2).sum())
    return float((drift.clear(track.background[rows]) * drive).sum()) / power if power > 0 else None


def background_signal(share: float | None, strength: float, settings: BackgroundSettings) -> Signal:
    """What the background says; a small answer is as it must be, and proves little."""
    if share is None:
        return not_assessed(name=BACKGROUND, label=_LABEL, reason="no background was seen beside the face")
    if strength > settings.strongest:
        reason = "the screen is nearly all the light there is, on the face and behind it"
        return not_assessed(name=BACKGROUND, label=_LABEL, reason=reason)
    odds = settings.steepness * (settings.share - share)
    score = 1 / (1 + math.exp(-odds))
    detail = f"it answers {100 * share:.0f} % as much as the face does"
    return assessed(name=BACKGROUND, label=_LABEL, score=score, detail=detail)
