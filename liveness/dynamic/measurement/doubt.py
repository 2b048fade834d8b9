"""Whether more colours may tell what an answer that is right leaves in doubt."""

from typing import Final

from liveness.dynamic.measurement.lag import LagFinding
from liveness.dynamic.measurement.surface import Surface

__all__ = ["more_may_tell"]

_NEITHER: Final = 0.5
"""The score that speaks for neither side."""


def more_may_tell(surface: Surface, lag: LagFinding) -> bool:
    """Whether an answer is kept from being a face's by what a few steps measure with much noise.

    A wet or oily skin, an uneven wall or a head that moves with the colours looks for a few steps like light
    that lies over the picture or comes from a few spots, and for more it does not. Who has another shape than
    a face's is not waited for: a sheet keeps its own, and would only get more draws. Faint answers have to
    show, too, that they come when the screen changes.

    Args:
        surface: What the light falls on, by the frames so far.
        lag: How steadily it follows the screen, by them.
    """
    shape = surface.shape.score
    if shape is not None and shape < _NEITHER:
        return False
    if not lag.comparable:
        return True
    noisy = (surface.overlay.score, surface.glare.score)
    return any(score is not None and score < _NEITHER for score in noisy)
