"""Decides whether further steps may remove a doubt about a right answer."""

from typing import Final

from liveness.dynamic.measurement.lag import LagFinding
from liveness.dynamic.measurement.surface import Surface

__all__ = ["may_be_noise"]

_NEITHER: Final = 0.5
"""The neutral score."""


def may_be_noise(surface: Surface, lag: LagFinding) -> bool:
    """Returns whether a doubt about an answer may be due to noise, because there were only a few steps.

    Over a few steps, wet or oily skin, an uneven wall or a head that moves with the colours can look like an
    overlay or like light from a few spots; over more steps it does not. It may also be too early to compare
    the lags of steps or regions. If the surface does not have the shape of a face, the answer is no: a sheet
    keeps its shape, and more steps would only give an attacker more chances.

    Args:
        surface: The measured surface, by the frames so far.
        lag: The measured lag behind the screen, by the same frames.
    """
    shape = surface.shape.score
    if shape is not None and shape < _NEITHER:
        return False
    if not lag.comparable:
        return True
    noisy = (surface.overlay.score, surface.glare.score)
    return any(score is not None and score < _NEITHER for score in noisy)
