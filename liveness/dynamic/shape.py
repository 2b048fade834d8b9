"""Whether the screen's light falls on something shaped like a face.

Every cell of the aligned face answers the screen by its own share: by how it is turned to the screen and how
far away it is, against the other light that falls on it. Its colour cancels, as logarithms are compared. A
head with nose, brows and chin answers unevenly. A sheet answers smoothly: where it is tilted or near, by a
gradient, where it is bent, by a gradient that changes evenly. So does a generic head, put on by software. So
what a quadratic curve over the face's places explains says nothing, and what it leaves is what a sheet does
not have. What lies over the picture alone (``overlay``) may answer by how bright the picture is, which is
uneven, too, and is told by another signal. The less other light there is, the closer the shares come to each
other. Their differences are stretched by as much as that compresses them; in the dark nothing is left to
stretch.
"""

import math
from dataclasses import dataclass

import numpy as np

from liveness.dynamic.cells import ALL_ALIKE, NO_ANSWER, FaceCells, measure_unevenness
from liveness.dynamic.response import Response
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["SHAPE", "ShapeFinding", "ShapeSettings", "measure_shape", "shape_signal"]

SHAPE = "flash_shape"
_LABEL = "Shape under the screen's light"
_SPAN = 0.85
"""Of the palette's linear light, from a channel that is down to one that is up."""
_LOW = 0.15
_FLOOR = 0.03
_BLACK = 3e-4
_DOUBT = 0.2
"""Log odds by which a smooth answer speaks against a face at least."""


@dataclass(frozen=True, slots=True)
class ShapeSettings:
    """Lines of the shape.

    Attributes:
        relief: ``ShapeFinding.relief`` that speaks for neither side.
        steepness: How many times the relief's logarithm counts as log odds.
        most_error: ``ShapeFinding.error`` above which nothing can be told.
        strongest: ``Response.strength`` above which the screen is nearly all the light there is. Then every
            part follows it alike, whatever its shape, and a face may look smooth.
    """

    relief: float = 0.18
    steepness: float = 4.0
    most_error: float = 0.5
    strongest: float = 1.0


@dataclass(frozen=True, slots=True)
class ShapeFinding:
    """How unevenly the face answers; as shares of its mean answer, stretched where light saturates.

    Attributes:
        relief: Standard deviation of the cells' answers, without their errors and without what a quadratic
            curve over their places explains, as a bent sheet does. 0 for a smooth answer.
        error: The relief that a smooth answer may seem to have: root of the standard error of its square.
    """

    relief: float
    error: float


def measure_shape(cells: FaceCells, response: Response) -> ShapeFinding | None:
    """Measure it; ``None`` where there is no answer.

    Args:
        cells: Of the scan.
        response: Of the whole face.
    """
    drive = cells.screen @ response.matrix.T
    power = float((drive**2).sum())
    if power <= 0 or response.strength <= 0:
        return None
    answers = cells.clear(np.log(np.maximum(cells.light, _BLACK)))
    shares = np.einsum("tc,tkc->k", drive, answers) / power
    rest = answers - shares[None, :, None] * drive[:, None, :]
    # Two frames make an independent one, as motion is slower than the frames.
    errors = np.sqrt(2 * (rest**2).sum(axis=(0, 2)) / len(rest) / power)
    down, across = (cells.places - cells.places.mean(axis=0)).T / cells.places.max()
    smooth = [np.ones_like(down), down, across, down**2, down * across, across**2]
    found = measure_unevenness(
        drive, answers, cells.steps, np.stack(smooth, axis=1), 1 / (errors**2 + _FLOOR**2)
    )
    if found is None:
        return None
    stretch = _stretch(response.strength)
    return ShapeFinding(
        relief=stretch * math.sqrt(max(0.0, found.variance)), error=stretch * math.sqrt(found.error)
    )


def shape_signal(finding: ShapeFinding | None, strength: float, settings: ShapeSettings) -> Signal:
    """What the shape says.

    Args:
        finding: See ``measure_shape``.
        strength: ``Response.strength``.
        settings: Lines.
    """
    if finding is None:
        return not_assessed(name=SHAPE, label=_LABEL, reason=NO_ANSWER)
    if strength > settings.strongest:
        return not_assessed(name=SHAPE, label=_LABEL, reason=ALL_ALIKE)
    if finding.error > settings.most_error:
        reason = f"how unevenly parts answer is only known to {100 * finding.error:.0f} %"
        return not_assessed(name=SHAPE, label=_LABEL, reason=reason)
    odds = settings.steepness * math.log(max(finding.relief, 0.01) / settings.relief)
    if odds < 0:
        # As much relief may be there and hidden by errors.
        doubtful = settings.steepness * math.log(
            max(math.hypot(finding.relief, finding.error), 0.01) / settings.relief
        )
        odds = min(-_DOUBT, max(odds, doubtful))
    score = 1 / (1 + math.exp(-odds))
    detail = (
        f"parts of the face answer differently by {100 * finding.relief:.0f} % beyond what is smooth, as a "
        f"sheet is (below {100 * settings.relief:.0f} %); errors make up to {100 * finding.error:.0f} % of it"
    )
    return assessed(name=SHAPE, label=_LABEL, score=score, detail=detail)


def _stretch(strength: float) -> float:
    """How much differences of the light's ratio exceed the answer's: 1 in bright light, more in the dark.

    An answer of r to a colour that goes up means a ratio x of screen to other light, with
    exp(r) = (1 + x) / (1 + 0.15 x).
    """
    answer = min(max(_SPAN * strength, 1e-3), 1.6)
    grown = math.exp(answer)
    return answer * (grown / (grown - 1) + _LOW * grown / (1 - _LOW * grown))
