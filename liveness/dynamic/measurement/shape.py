"""The signal of light on a surface with the shape of a face.

Every cell of the aligned face has its own response to the screen: it depends on the cell's angle to the
screen and its distance, relative to the other light on it. Its colour cancels out, because logarithms are
compared. The responses of a face have two properties:

* **They differ by much**, because a head's sides turn away from the screen and the other light comes from
  above. A sheet or a tint responds nearly equally everywhere. The rows of the eyes do not count, because
  spectacles mirror the screen. Nor does a linear change across the face, which a rotated sheet has.
* **They differ unevenly**, because a head has a nose, brows and a chin. However near or bent a sheet is, a
  quadratic curve over the face explains its responses completely.

A colour laid over the frame (``overlay``) may respond by the brightness of the frame, which is uneven too;
another signal detects it. The same applies to a mirror image in glass (``glare``). With less other light, the
responses differ less. Their differences are stretched to correct this; in the dark none are left to stretch.
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
"""The difference in linear light between a high and a low channel of the palette."""
_FAINTEST, _STRONGEST = 1e-3, 1.6
"""The limits of a response, as logarithms. The upper is below the 1.9 of a screen in the dark, where the
stretch is unbounded."""
_FLOOR, _PARTS_FLOOR = 0.03, 0.1
"""The least error of a cell, as a share of the mean response, for the relief and for the difference of
parts."""
_EYE_ROWS = (4, 6)
"""The first and the last row of ``FaceCells.places`` within a quarter of an eye distance of the eyes."""
_EVEN = 0.01
"""The least deviation of a response, so that it has a logarithm."""


@dataclass(frozen=True, slots=True)
class ShapeSettings:
    """Lines of the shape.

    Attributes:
        relief: The stretched ``ShapeFinding.relief`` that counts for neither side.
        even: The stretched ``ShapeFinding.uneven`` below which the light is that on a sheet or a tint.
        uneven: The same from which it is that on a head. Between the two are heads in even light and bent
            sheets: the signal then counts for neither side.
        steepness: The factor from the logarithm of ``relief`` or ``uneven``, whichever is lower, over its
            line to log odds.
        doubt: The least log odds by which a smooth response counts against a face.
        most_error: The stretched ``ShapeFinding.relief_error`` above which the signal is not assessed.
        strongest: The ``Response.strength`` above which the screen is nearly all the light there is. Every
            part then responds equally, whatever its shape, and a face may look smooth.
        sure: The score below which the light is not on a face, if the background's signal is assessed.
    """

    relief: float
    even: float
    uneven: float
    steepness: float
    doubt: float
    most_error: float
    strongest: float
    sure: float


@dataclass(frozen=True, slots=True)
class ShapeFinding:
    """How the responses of parts of the face differ, relative to its mean response and without errors.

    Attributes:
        relief: The standard deviation of the cells' responses from the best quadratic curve over their
            places, which describes a bent sheet; 0 for a smooth response.
        relief_error: The relief that a smooth response may appear to have: the root of the standard error of
            its square.
        uneven: The standard deviation of the cells' responses, without the rows of the eyes and without a
            linear change across the face; 0 if all respond equally, 1.7 if a quarter of the face gives the
            whole response.
        uneven_error: As ``relief_error``, for ``uneven``.
        stretch: The factor by which the differences would be larger under strong other light, which does not
            compress them; 1 or more.
    """

    relief: float
    relief_error: float
    uneven: float
    uneven_error: float
    stretch: float


def measure_shape(cells: FaceCells, response: Response) -> ShapeFinding | None:
    """Measures the shape; returns ``None`` if there is no response.

    Args:
        cells: The cells of the scan.
        response: The response of the whole face.
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
    """Returns the signal of the shape.

    Args:
        finding: The result of ``measure_shape``.
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
        reason = f"the error of the relief is {100 * error:.0f} %, too large"
        return not_assessed(name=SHAPE, label=_LABEL, reason=reason)
    odds = settings.steepness * min(
        _distance(relief, error, settings.relief, settings.relief),
        _distance(uneven, stretch * finding.uneven_error, settings.even, settings.uneven),
    )
    if relief < settings.relief or uneven < settings.even:
        odds = min(odds, -settings.doubt)
    score = 1 / (1 + math.exp(-odds))
    detail = (
        f"the responses of parts of the face differ by {100 * uneven:.0f} % (of a sheet or a tint by less "
        f"than {100 * settings.even:.0f} %, only of a head by more than {100 * settings.uneven:.0f} %), and "
        f"from a smooth curve by {100 * relief:.0f} % (of a sheet by less than "
        f"{100 * settings.relief:.0f} %); errors may account for {100 * error:.0f} %"
    )
    return assessed(name=SHAPE, label=_LABEL, score=score, detail=detail)


def _distance(value: float, error: float, line: float, clear: float) -> float:
    """Returns the logarithm of ``value`` over ``clear`` if it is above, over ``line`` if it is below that.

    Between the two it is 0. Below the line, ``value`` is raised by its error.
    """
    if value >= line:
        return max(0.0, math.log(value / clear))
    return min(0.0, math.log(max(math.hypot(value, error), _EVEN) / line))


def _deviation(found: Unevenness) -> float:
    return math.sqrt(max(0.0, found.variance))


def _stretch(strength: float) -> float:
    """Returns the factor from differences of the response to those of the light's ratio.

    It is 1 in bright light and larger in the dark. A response of r to a channel that rises means a ratio x of
    the screen's light to other light with exp(r) = (1 + x) / (1 + 0.15 x).
    """
    answer = min(max(_SPAN * strength, _FAINTEST), _STRONGEST)
    grown = math.exp(answer)
    return answer * (grown / (grown - 1) + LOW * grown / (1 - LOW * grown))
