"""Whether more colours may tell what an answer that is right leaves in doubt."""

from typing import Final

from liveness.dynamic.finding import Finding
from liveness.dynamic.glare import GLARE
from liveness.dynamic.judge import FlashResult
from liveness.dynamic.overlay import OVERLAY
from liveness.dynamic.shape import SHAPE

__all__ = ["more_may_tell"]

_NEITHER: Final = 0.5
"""The score that speaks for neither side."""


def more_may_tell(result: FlashResult) -> bool:
    """Whether an answer is kept from being a face's by what a few steps measure with much noise.

    A wet or oily skin, an uneven wall or a head that moves with the colours looks for a few steps like light
    that lies over the picture or comes from a few spots, and for more it does not. Who has another shape than
    a face's is not waited for: a sheet keeps its own, and would only get more draws.

    Args:
        result: What the scan's frames so far would be judged as, once enough bits are verified.
    """
    if result.finding is not Finding.NOT_MEASURABLE:
        return False
    scores = {signal.name: signal.score for signal in result.signals if signal.score is not None}
    if scores.get(SHAPE, _NEITHER) < _NEITHER:
        return False
    return min(scores.get(OVERLAY, _NEITHER), scores.get(GLARE, _NEITHER)) < _NEITHER
