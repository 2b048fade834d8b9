"""The signal of light that falls on the whole face, and is not a mirror image in the glass of a display.

A display that shows a face emits light and reflects little of the flash: its glass mirrors the phone, with
much light at one spot and none beside it, whatever the display shows. Light on a face is weaker on its sides,
in its folds and where other light is strong, but it reaches every part. Two properties together are doubtful:

* **The parts of the face respond unevenly** (``ShapeFinding.uneven``). Under much other light, shiny or dark
  skin does too: its highlights respond, and so do the shadows of the other light, in several places.
* **The response comes from one spot**: cells that lie side by side respond by far more than the rest. The
  spot is located by the responses to all steps but one, and measured by that one, so that errors, which
  differ from step to step, make no spot. It is measured in 8-bit values. In logarithms a shadow stands out,
  in linear light a highlight, and a mirror image in both.

A spot proves no face. Nor does it prove an attack, because sweat and oil also shine.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.cells import NO_ANSWER, FaceCells
from liveness.dynamic.measurement.shape import ShapeFinding
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["GLARE", "GlareFinding", "GlareSettings", "glare_signal", "measure_glare"]

GLARE: Final = "flash_glare"
_LABEL: Final = "Light all over the face, not mirrored in glass"
_EVEN: Final = 0.01
"""The least unevenness and the least spot, so that they have a logarithm."""
_SPOT: Final = 5
"""The rows and the columns of cells of a spot: half of the face's width and a third of its height."""
_MOSTLY: Final = 0.75
"""The share of a spot's cells that must have been measured. A spot may lie partly beside the face."""
_FEWEST_STEPS: Final = 3
_FLOOR: Final = 0.1
"""The least error of a cell, as a share of the mean response."""


@dataclass(frozen=True, slots=True)
class GlareSettings:
    """Lines of the glare.

    Attributes:
        uneven: The ``GlareFinding.uneven`` that counts for neither side.
        spot: The ``GlareFinding.spot`` that counts for neither side.
        steepness: The factor from the logarithm of ``uneven`` or ``spot`` under its line, whichever is
            farther, to log odds.
        most_for: Maximum of the log odds for a face, because tints and prints also respond evenly.
        most_against: Maximum of the log odds against a face.
    """

    uneven: float
    spot: float
    steepness: float
    most_for: float
    most_against: float


@dataclass(frozen=True, slots=True)
class GlareFinding:
    """How much of the face's response comes from a few places, and whether these lie side by side.

    Attributes:
        uneven: ``ShapeFinding.uneven``, not stretched.
        spot: The mean response of the 5 by 5 neighbouring cells that respond most over that of all cells: 1
            if all respond equally, 5.6 if no other cell responds; less than 0 if no step repeats another.
            ``None`` if it cannot be measured; then only ``uneven`` counts.
    """

    uneven: float
    spot: float | None


def measure_glare(cells: FaceCells, shape: ShapeFinding) -> GlareFinding:
    """Measures the glare.

    Args:
        cells: The cells of the scan.
        shape: The result of ``measure_shape`` for them.
    """
    return GlareFinding(uneven=shape.uneven, spot=_measure_spot(cells))


def glare_signal(finding: GlareFinding | None, settings: GlareSettings) -> Signal:
    """Returns the signal of glare, which counts against a face only if both properties do.

    Args:
        finding: The result of ``measure_glare``.
        settings: Lines.
    """
    if finding is None:
        return not_assessed(name=GLARE, label=_LABEL, reason=NO_ANSWER)
    farther = math.log(settings.uneven / max(finding.uneven, _EVEN))
    if finding.spot is not None:
        farther = max(farther, math.log(settings.spot / max(finding.spot, _EVEN)))
    held = min(settings.most_for, max(-settings.most_against, settings.steepness * farther))
    detail = (
        f"the responses of parts of the face differ by {100 * finding.uneven:.0f} % (of a screen mirrored in "
        f"glass by more than {100 * settings.uneven:.0f} %)"
    )
    if finding.spot is not None:
        detail += (
            f"; one spot responds {finding.spot:.1f} times as much as the whole (of such a screen more than "
            f"{settings.spot:.1f} times)"
        )
    return assessed(name=GLARE, label=_LABEL, score=1 / (1 + math.exp(-held)), detail=detail)


def _measure_spot(cells: FaceCells) -> float | None:
    changes, drive = cells.values()
    numbers = np.unique(cells.steps)
    if not drive.any() or len(numbers) < _FEWEST_STEPS:
        return None
    at = [cells.steps == number for number in numbers.tolist()]
    parts = np.stack([np.einsum("tc,tkc->k", drive[rows], changes[rows]) for rows in at])
    weights = 1 / (cells.errors(drive, changes) ** 2 + _FLOOR**2)
    whole = float((parts @ weights).sum() / weights.sum())
    spots = _spots(cells.places, weights) @ parts.T
    if whole <= 0 or not len(spots):
        return None
    best = np.argmax(spots.sum(axis=1, keepdims=True) - spots, axis=0)
    return float(spots[best, np.arange(len(numbers))].sum()) / whole


def _spots(places: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the share of each cell in the mean of each possible spot, shape (spots, k).

    Args:
        places: ``FaceCells.places``.
        weights: Shape (k,): the weights of the cells.
    """
    rows, columns = places.T
    reach = range(1 - _SPOT, int(places.max()) + 1)
    inside = np.stack(
        [
            (rows >= top) & (rows < top + _SPOT) & (columns >= left) & (columns < left + _SPOT)
            for top in reach
            for left in reach
        ]
    )
    held = inside[inside.sum(axis=1) >= _MOSTLY * _SPOT**2] * weights
    shares: NDArray[np.float64] = held / held.sum(axis=1, keepdims=True)
    return shares
