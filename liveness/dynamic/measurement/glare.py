"""The signal of light on the whole face, not mirrored in glass in front of a picture of a face.

A display that shows a face emits light. The little light of the flash that it reflects is a mirror image of
the phone in its glass: much light at one spot and none beside it, whatever the display shows there. Light on
a face is weaker on its sides, in its folds and where other light is strong, but it reaches every part. If a
few parts of the face give nearly all of its response, a face is not proved. An attack is not proved either,
because sweat and oil also shine.
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
"""The least ``ShapeFinding.uneven``, so that it has a logarithm."""


@dataclass(frozen=True, slots=True)
class GlareSettings:
    """Lines of the glare.

    Attributes:
        uneven: The ``ShapeFinding.uneven``, not stretched, that counts for neither side.
        steepness: The factor from the logarithm to log odds.
        most_for: The most log odds for a face, because tints and prints also respond evenly.
        most_against: The most log odds against a face.
    """

    uneven: float
    steepness: float
    most_for: float
    most_against: float


def glare_signal(shape: ShapeFinding | None, settings: GlareSettings) -> Signal:
    """Returns the signal of glare, from the unevenness of the face's response.

    Args:
        shape: The result of ``measure_shape``; its ``uneven`` is used.
        settings: Lines.
    """
    if shape is None:
        return not_assessed(name=GLARE, label=_LABEL, reason=NO_ANSWER)
    odds = settings.steepness * math.log(settings.uneven / max(shape.uneven, _EVEN))
    held = min(settings.most_for, max(-settings.most_against, odds))
    detail = (
        f"the responses of parts of the face differ by {100 * shape.uneven:.0f} % (of a screen mirrored in "
        f"glass by more than {100 * settings.uneven:.0f} %)"
    )
    return assessed(name=GLARE, label=_LABEL, score=1 / (1 + math.exp(-held)), detail=detail)
