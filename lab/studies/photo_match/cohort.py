"""Fits the cohort of a calibration to the templates of a data set."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vision.packs.calibration import Cohort

_LEAST_SPREAD: Final = 1e-9


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


def _as_stored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.astype(np.float32).astype(np.float64)
