"""Normalises the score of two templates by a cohort: by how similar other people are to them.

Some templates are a little similar to those of everybody: templates of poor photos, and of groups of people
of whom the embedder saw few in training. The mean of a population is subtracted from each template, and the
result divided by the square root of the spread of its products with that population. The product of two such
vectors is the score. It is close to a cosine. It is the symmetric normalisation of scores by a cohort (R.
Auckenthaler et al., "Score normalization for text-independent speaker verification systems", Digital Signal
Processing 10, 2000), with the population's mean and covariance in place of a list of templates: the file
contains no template of a person.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.errors import PackDataInvalid

__all__ = ["Cohort", "fit_cohort", "parse_cohort"]

_MOST_DIMENSIONS = 4096
_LEAST_SPREAD = 1e-9
# Directions are stored with 32 bits; their products differ from 0 and 1 by less than this.
_ORTHONORMAL_WITHIN = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """The mean and the covariance of the templates of many people.

    Attributes:
        persons: The number of people.
        mean: Shape (d,), the mean template.
        directions: Shape (k, d), the principal directions, orthonormal.
        variances: Shape (k,), the variance along each, less ``rest``; none is negative.
        rest: Variance along every other direction, greater than 0.
        scale: Divisor that makes the score of a template with itself about 1; greater than 0.
    """

    persons: int
    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    variances: NDArray[np.float64]
    rest: float
    scale: float

    def vectors(self, templates: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the vectors whose products are the scores.

        Args:
            templates: Shape (n, d), each of length 1.
        """
        given = templates.astype(np.float64)
        along = given @ self.directions.T
        spread = np.square(along) @ self.variances + self.rest * np.square(given).sum(axis=1)
        # The fourth root: each of the two vectors contributes half of the deviation.
        divisor = np.sqrt(np.sqrt(np.maximum(spread, _LEAST_SPREAD))) * self.scale
        vectors: NDArray[np.float64] = (given - self.mean) / divisor[:, None]
        return vectors

    def as_table(self) -> dict[str, int | float | str]:
        """Return the entries of the table ``cohort`` of a calibration file."""
        return {
            "persons": self.persons,
            "rest": self.rest,
            "scale": self.scale,
            "mean": _encoded(self.mean),
            "variances": _encoded(self.variances),
            "directions": _encoded(self.directions),
        }


def fit_cohort(templates: NDArray[np.floating[Any]], *, directions: int) -> Cohort:
    """Fit a cohort to templates, one of each person.

    Args:
        templates: Shape (n, d), each of length 1; n of 2 or more.
        directions: Number of principal directions, 0..d; the variance along all others counts as equal.
    """
    given = templates.astype(np.float64)
    covariance = np.cov(given.T)
    variances, axes = np.linalg.eigh(covariance)
    variances, axes = variances[::-1], axes[:, ::-1]
    others = variances[directions:]
    rest = max(float(others.mean()) if others.size else 0.0, _LEAST_SPREAD)
    mean = _as_stored(given.mean(axis=0))
    kept, along = _as_stored(axes[:, :directions].T), _as_stored(variances[:directions] - rest)
    unscaled = Cohort(len(given), mean, kept, along.clip(min=0.0), rest, 1.0)
    scale = float(np.sqrt(np.square(unscaled.vectors(given)).sum(axis=1).mean()))
    return Cohort(len(given), mean, kept, along.clip(min=0.0), rest, scale)


def parse_cohort(table: Mapping[str, Any]) -> Cohort:
    """Read the table ``cohort`` of a calibration file.

    Raises:
        PackDataInvalid: A value is missing, of the wrong length or not finite, or the directions are not
            orthonormal.
    """
    try:
        persons, rest, scale = table["persons"], float(table["rest"]), float(table["scale"])
        mean, variances, flat = (_decoded(table[name]) for name in ("mean", "variances", "directions"))
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise PackDataInvalid(f"the cohort of a calibration is broken ({type(error).__name__})") from error
    numbers = np.concatenate([mean, variances, flat, [rest, scale]])
    if (
        type(persons) is not int
        or persons < 2
        or not 0 < mean.size <= _MOST_DIMENSIONS
        or flat.size != mean.size * variances.size
        or not np.isfinite(numbers).all()
        or (variances < 0).any()
        or min(rest, scale) <= 0
    ):
        raise PackDataInvalid("the cohort of a calibration has values out of range, or of unequal lengths")
    directions = flat.reshape(variances.size, mean.size)
    if not _are_orthonormal(directions):
        raise PackDataInvalid("the cohort of a calibration has directions that are not orthonormal")
    return Cohort(persons, mean, directions, variances, rest, scale)


def _are_orthonormal(directions: NDArray[np.float64]) -> bool:
    if len(directions) > directions.shape[1] or (np.abs(directions) > 2).any():
        return False
    products = directions @ directions.T
    return bool(np.allclose(products, np.eye(len(directions)), rtol=0.0, atol=_ORTHONORMAL_WITHIN))


def _as_stored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.astype(np.float32).astype(np.float64)


def _encoded(values: NDArray[np.float64]) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")


def _decoded(text: object) -> NDArray[np.float64]:
    if not isinstance(text, str):
        raise TypeError("expected a text")
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float64)
