"""Decides whether further steps can settle a right answer that noise makes doubtful."""

from typing import Final

from liveness.dynamic.measurement.lag import LagFinding
from liveness.dynamic.measurement.surface import Surface

__all__ = ["may_be_noise"]

_NEITHER: Final = 0.5
"""The neutral score."""


def may_be_noise(surface: Surface, lag: LagFinding) -> bool:
    """Returns whether the doubt about an answer may be noise of the few steps so far.

    Over a few steps, wet or oily skin, an uneven wall or a head that moves with the colours measures like an
    overlay or like light from a few spots; over more steps it does not. A surface of another shape than a
    face's gets no further steps: a sheet keeps its shape, and would only get more draws. Faint answers must
    also be shown to come when the screen changes.

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
