"""Whether the screen's light falls on a face, or is mirrored in glass in front of a picture of one.

A display that shows a face shines by itself. What little of the flash comes back from it is a mirror image of
the phone in its glass: much light at one spot, none beside it, whatever the picture shows there. Light on a
face is weaker on its sides, in its folds and where other light is strong, but no part of it is left out. So
where a few parts of the face give nearly all of its answer, no face is proved; neither is an attack, as sweat
and oil shine, too.
"""

import math
from dataclasses import dataclass
from typing import Final

from liveness.dynamic.measurement.cells import NO_ANSWER
from liveness.dynamic.measurement.shape import ShapeFinding
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["GLARE", "GlareSettings", "glare_signal"]

GLARE: Final = "flash_glare"
_LABEL: Final = "Light all over the face, not mirrored in glass"
_EVEN: Final = 0.01
"""``ShapeFinding.uneven`` of an answer that is as even as can be told: it needs a logarithm."""


@dataclass(frozen=True, slots=True)
class GlareSettings:
    """Lines of the glare.

    Attributes:
        uneven: ``ShapeFinding.uneven``, as measured, that speaks for neither side.
        steepness: How many times its logarithm counts as log odds.
        most_for: Log odds for a face, at most: tints and prints answer evenly, too.
        most_against: Log odds against a face, at most.
    """

    uneven: float
    steepness: float
    most_for: float
    most_against: float


def glare_signal(shape: ShapeFinding | None, settings: GlareSettings) -> Signal:
    """What the parts of the face say that give most of its answer.

    Args:
        shape: See ``measure_shape``; of it, how far parts of the face differ.
        settings: Lines.
    """
    if shape is None:
        return not_assessed(name=GLARE, label=_LABEL, reason=NO_ANSWER)
    odds = settings.steepness * math.log(settings.uneven / max(shape.uneven, _EVEN))
    held = min(settings.most_for, max(-settings.most_against, odds))
    detail = (
        f"parts of the face answer by amounts that differ by {100 * shape.uneven:.0f} % (a screen that is "
        f"mirrored in glass: by more than {100 * settings.uneven:.0f} %)"
    )
    return assessed(name=GLARE, label=_LABEL, score=1 / (1 + math.exp(-held)), detail=detail)
