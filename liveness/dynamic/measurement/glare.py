"""The signal of light that falls on the whole face, and is not a mirror image in the glass of a display.

A display that shows a face emits light and reflects little of the flash: its glass mirrors the phone, with
much light at one spot and none beside it, whatever the display shows. Light on a face is weaker on its sides,
in its folds and where other light is strong, but it reaches every part. If nearly all of the response comes
from a few parts of the face, it does not prove a face. Nor does it prove an attack, because sweat and oil
also shine.
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
        uneven: The value of ``ShapeFinding.uneven``, not stretched, that counts for neither side.
        steepness: The factor from the logarithm to log odds.
        most_for: Maximum of the log odds for a face, because tints and prints also respond evenly.
        most_against: Maximum of the log odds against a face.
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
