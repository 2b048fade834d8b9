"""Statistics of how parts of a face answer the screen: today's, and some that know this face's geometry.

If a surface of illuminance S by the screen has A by other light, the differences of its answer are, stretched
as in ``liveness.dynamic.measurement.shape``, those of log S - log A. The albedo and the exposure cancel out.
A is unknown. Its logarithm is taken as linear in the normal, as that of light from above or from a side.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.challenge.palette import LOW
from research.flash_shape.geometry import geometry_of
from research.flash_shape.record import AnsweredScan

__all__ = ["ShapeStatistics", "measure", "stretch_of"]

_EYE_ROWS: Final = (4, 6)
_FLOOR: Final = 0.06
"""The least error of a cell, as a share of the mean answer."""
_LEAST: Final = 0.01
_RELIEF, _UNEVEN = 0.1, 0.3
"""The lines of ``liveness/dynamic/flash_model.toml``."""
_OTHER_LIGHT: Final = 0.5
_BENT: Final = 0.2
_SCALE: Final = 0.3
"""Standard deviations, before anything was seen: of the other light's slope over the normal, of a sheet's
curve, and of the share of the predicted light that a face really shows."""
_NEIGHBOURS: Final = 4.0
"""How many cells count as one, because the errors of neighbours are alike."""
_FAINTEST, _STRONGEST = 1e-3, 1.6


@dataclass(frozen=True, slots=True)
class ShapeStatistics:
    """The statistics of one scan; a face has larger ones than a sheet.

    Attributes:
        present: The logarithm of the relief or the unevenness over its line, whichever is lower; 0 or more
            passes today.
        uneven: The logarithm of today's unevenness.
        relief: The logarithm of today's relief.
        explained: The logarithm of the part of the unevenness that this face's geometry can explain, in
            other light from anywhere.
        explained_beyond: The same of the relief beyond a quadratic curve.
        slope: The slope of the answers over the predicted light: 1 for a face in even light, 0 for a sheet.
        slope_beyond: The same beyond a quadratic curve.
        likelihood: The log-likelihood ratio of this face against a sheet, bent as it likes.
    """

    present: float
    uneven: float
    relief: float
    explained: float
    explained_beyond: float
    slope: float
    slope_beyond: float
    likelihood: float


def measure(scan: AnsweredScan) -> ShapeStatistics:
    """Measure the statistics of a scan with landmarks."""
    face = geometry_of(scan)
    rows = scan.places[:, 0]
    beside = (rows < _EYE_ROWS[0]) | (rows > _EYE_ROWS[1])
    x, y, normals, light = face.x[beside], face.y[beside], face.normals[beside], face.light[beside]
    roots = 1 / np.sqrt(scan.spread[beside] ** 2 + _FLOOR**2)
    even = np.ones_like(x)
    sideways = _Removed(np.stack([even, x], axis=1), roots)
    curved = _Removed(np.stack([even, x, y, x * x, x * y, y * y], axis=1), roots)
    answers = scan.parts[:, beside] * stretch_of(scan.strength)
    predicted = np.column_stack([light, normals])
    total, most = float((roots**2).sum()), float(scan.powers.sum())
    explained, slope = _explained(sideways, predicted, answers, scan.powers, total)
    beyond, slope_beyond = _explained(curved, predicted, answers, scan.powers, total)
    bends = np.stack([y, x * x, x * y, y * y], axis=1)
    uneven, relief = (math.log(max(_LEAST, value)) for value in (scan.uneven, scan.relief))
    return ShapeStatistics(
        present=min(uneven - math.log(_UNEVEN), relief - math.log(_RELIEF)),
        uneven=uneven,
        relief=relief,
        explained=explained,
        explained_beyond=beyond,
        slope=slope,
        slope_beyond=slope_beyond,
        likelihood=_likelihood(
            sideways(answers.sum(axis=0) / most), sideways.columns(predicted), sideways.columns(bends)
        ),
    )


def stretch_of(strength: float) -> float:
    """Return the factor from differences of the answer to those of the light, as ``measure_shape`` does."""
    answer = min(max((1 - LOW) * strength, _FAINTEST), _STRONGEST)
    grown = math.exp(answer)
    return answer * (grown / (grown - 1) + LOW * grown / (1 - LOW * grown))


class _Removed:
    """Weighs values over cells, and removes what some curves explain of them."""

    def __init__(self, curves: NDArray[np.float64], roots: NDArray[np.float64]) -> None:
        self._roots = roots
        self._basis = np.linalg.qr(curves * roots[:, None])[0]

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values, shape (k,) or (n, k), weighed and without the curves."""
        weighed = values * self._roots
        return np.asarray(weighed - (weighed @ self._basis) @ self._basis.T)

    def columns(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the same of columns, shape (k, n)."""
        return self(values.T).T


def _explained(
    removed: _Removed,
    predicted: NDArray[np.float64],
    answers: NDArray[np.float64],
    powers: NDArray[np.float64],
    total: float,
) -> tuple[float, float]:
    """Return how much the prediction explains, as a logarithm, and the slope over its first column."""
    columns = removed.columns(predicted)
    basis, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    parts = removed(answers) @ basis[:, sizes > 1e-3 * sizes[0]]
    both = float(powers.sum() ** 2 - (powers**2).sum())
    # Only products of different steps, whose errors are independent, as in ``measure_unevenness``.
    variance = float((parts.sum(axis=0) ** 2).sum() - (parts**2).sum()) / both / total
    mean = removed(answers.sum(axis=0) / float(powers.sum()))
    light = columns[:, 0]
    return math.log(math.sqrt(max(variance, _LEAST**2))), float(light @ mean) / float(light @ light)


def _likelihood(
    seen: NDArray[np.float64], predicted: NDArray[np.float64], bends: NDArray[np.float64]
) -> float:
    light, normals = predicted[:, 0], predicted[:, 1:]
    noise = _NEIGHBOURS * np.eye(len(seen))
    face = noise + _OTHER_LIGHT**2 * normals @ normals.T + _SCALE**2 * np.outer(light, light)
    sheet = noise + _BENT**2 * bends @ bends.T
    return _density(seen - light, face) - _density(seen, sheet)


def _density(rest: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    size = float(np.linalg.slogdet(covariance)[1])
    return -(float(rest @ np.linalg.solve(covariance, rest)) + size) / 2
