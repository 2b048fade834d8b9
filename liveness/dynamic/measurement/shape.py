"""Whether the screen's light falls on something shaped like a face.

Every cell of the aligned face answers the screen by its own share: by how it is turned to the screen and how
far away it is, against the other light that falls on it. Its colour cancels, as logarithms are compared. Two
things are asked of the shares:

* **They differ by much**, as a head's sides turn away from the screen and the other light comes from above. A
  sheet or a tint answers nearly alike all over. Left out are the rows of the eyes, as spectacles mirror the
  screen, and what grows evenly from one side of the face to the other, as on a sheet that is turned.
* **They differ unevenly**, as a head has a nose, brows and a chin. However near a sheet is held, and however
  it is bent, a quadratic curve over the face's places explains all of it.

What lies over the picture alone (``overlay``) may answer by how bright the picture is, which is uneven, too,
and is told by another signal; so is a mirror image in glass (``glare``). The less other light there is, the
closer the shares come to each other. Their differences are stretched by as much as that compresses them; in
the dark nothing is left to stretch.
"""

import math
from dataclasses import dataclass

import numpy as np

from liveness.dynamic.challenge.palette import LOW
from liveness.dynamic.measurement.cells import ALL_ALIKE, NO_ANSWER, FaceCells, Unevenness, measure_unevenness
from liveness.dynamic.measurement.response import Response
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["SHAPE", "ShapeFinding", "ShapeSettings", "measure_shape", "shape_signal"]

SHAPE = "flash_shape"
_LABEL = "Shape under the screen's light"
_SPAN = 1 - LOW
"""Of the palette's linear light, from a channel that is down to one that is up."""
_FAINTEST, _STRONGEST = 1e-3, 1.6
"""Logarithms between which an answer is held: the upper is short of the 1.9 that a screen gives in the dark,
where the stretch has no bound."""
_FLOOR, _PARTS_FLOOR = 0.03, 0.1
"""Of a cell's error, as a share of the mean answer, for the relief and for the difference: no cell counts as
known better."""
_EYE_ROWS = (4, 6)
"""First and last row of ``FaceCells.places`` within a quarter of an eye distance of the eyes."""
_EVEN = 0.01
"""Deviation of an answer that is as even as can be told: it needs a logarithm."""


@dataclass(frozen=True, slots=True)
class ShapeSettings:
    """Lines of the shape.

    Attributes:
        relief: ``ShapeFinding.relief``, stretched, that speaks for neither side.
        uneven: ``ShapeFinding.uneven``, stretched, that speaks for neither side.
        steepness: How many times the logarithm of the lower of both, over its line, counts as log odds.
        doubt: Log odds by which a smooth answer speaks against a face at least.
        most_error: ``ShapeFinding.relief_error``, stretched, above which nothing can be told.
        strongest: ``Response.strength`` above which the screen is nearly all the light there is. Then every
            part follows it alike, whatever its shape, and a face may look smooth.
        sure: The signal's score below which, where a background is seen beside it, it is no face's light.
    """

    relief: float
    uneven: float
    steepness: float
    doubt: float
    most_error: float
    strongest: float
    sure: float


@dataclass(frozen=True, slots=True)
class ShapeFinding:
    """How parts of the face answer; as shares of its mean answer, without errors.

    Attributes:
        relief: Standard deviation of the cells' answers without what a quadratic curve over their places
            explains, as a bent sheet does. 0 for a smooth answer.
        relief_error: The relief that a smooth answer may seem to have: root of the standard error of its
            square.
        uneven: Standard deviation of the cells' answers beside the eyes, without what grows evenly across
            the face. 0 where all answer alike, 1.7 where a quarter of the face gives the whole answer.
        uneven_error: As ``relief_error``.
        stretch: By how much the same shape would differ more under so much other light that it compresses
            nothing; 1 or more.
    """

    relief: float
    relief_error: float
    uneven: float
    uneven_error: float
    stretch: float


def measure_shape(cells: FaceCells, response: Response) -> ShapeFinding | None:
    """Measure it; ``None`` where there is no answer.

    Args:
        cells: Of the scan.
        response: Of the whole face.
    """
    drive = cells.screen @ response.matrix.T
    if not drive.any() or response.strength <= 0:
        return None
    errors = cells.errors(drive)
    rows = cells.places[:, 0]
    beside = (rows < _EYE_ROWS[0]) | (rows > _EYE_ROWS[1])
    down, across = (cells.places - cells.places.mean(axis=0)).T / cells.places.max()
    even = np.ones_like(down)
    quadratic = np.stack([even, down, across, down**2, down * across, across**2], axis=1)
    relief = measure_unevenness(drive, cells.answers, cells.steps, quadratic, 1 / (errors**2 + _FLOOR**2))
    sideways = np.stack([even, across], axis=1)[beside]
    weights = 1 / (errors[beside] ** 2 + _PARTS_FLOOR**2)
    uneven = measure_unevenness(drive, cells.answers[:, beside], cells.steps, sideways, weights)
    if relief is None or uneven is None:
        return None
    return ShapeFinding(
        relief=_deviation(relief),
        relief_error=math.sqrt(relief.error),
        uneven=_deviation(uneven),
        uneven_error=math.sqrt(uneven.error),
        stretch=_stretch(response.strength),
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
    stretch = finding.stretch
    relief, error = stretch * finding.relief, stretch * finding.relief_error
    uneven = stretch * finding.uneven
    if error > settings.most_error:
        reason = f"how unevenly parts answer is only known to {100 * error:.0f} %"
        return not_assessed(name=SHAPE, label=_LABEL, reason=reason)
    odds = settings.steepness * min(
        _distance(relief, error, settings.relief),
        _distance(uneven, stretch * finding.uneven_error, settings.uneven),
    )
    if relief < settings.relief or uneven < settings.uneven:
        odds = min(odds, -settings.doubt)
    score = 1 / (1 + math.exp(-odds))
    detail = (
        f"parts of the face answer differently by {100 * uneven:.0f} % (of a sheet or a tint by less than "
        f"{100 * settings.uneven:.0f} %), by {100 * relief:.0f} % beyond what is smooth (of a sheet by less "
        f"than {100 * settings.relief:.0f} %); errors make up to {100 * error:.0f} % of it"
    )
    return assessed(name=SHAPE, label=_LABEL, score=score, detail=detail)


def _distance(value: float, error: float, line: float) -> float:
    """Logarithm of ``value`` over its line; below the line, of as much as errors may hide, up to the line."""
    if value >= line:
        return math.log(value / line)
    return min(0.0, math.log(max(math.hypot(value, error), _EVEN) / line))


def _deviation(found: Unevenness) -> float:
    return math.sqrt(max(0.0, found.variance))


def _stretch(strength: float) -> float:
    """How much differences of the light's ratio exceed the answer's: 1 in bright light, more in the dark.

    An answer of r to a colour that goes up means a ratio x of screen to other light, with
    exp(r) = (1 + x) / (1 + 0.15 x).
    """
    answer = min(max(_SPAN * strength, _FAINTEST), _STRONGEST)
    grown = math.exp(answer)
    return answer * (grown / (grown - 1) + LOW * grown / (1 - LOW * grown))
