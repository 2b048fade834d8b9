"""Fits and evaluates the logistic function of ``mouth_occlusion_prevention``, on masks and bare mouths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import beta

from matcher.conformance.features import mouth_colours
from research.portrait_measures.faces import StudiedFace
from vision.mouth_colours import COEFFICIENTS, MouthColours, covered_evidence

__all__ = ["Mouth", "exact_bounds", "fit_logistic", "left_out_evidence", "mouth_of", "print_mouths"]

_LEAST_EYES = 30.0
"""Least eye distance of a photo that counts, pixels."""


@dataclass(frozen=True, slots=True)
class Mouth:
    """The mouth of one photo: its source (as in ``StudiedFace``), whether it is covered, and its colours."""

    source: str
    fold: str
    covered: bool
    colours: MouthColours


def mouth_of(face: StudiedFace) -> Mouth | str:
    """Return the mouth of a face, or why it does not count."""
    if face.covered is None:
        return "not clearly covered or bare"
    if face.eyes < _LEAST_EYES:
        return f"eyes less than {_LEAST_EYES:g} pixels apart"
    aligned = face.view.aligned
    colours = "cannot be aligned" if aligned is None else mouth_colours(aligned)
    if isinstance(colours, str):
        return colours
    return Mouth(source=face.source, fold=face.fold, covered=face.covered, colours=colours)


def fit_logistic(features: NDArray[np.float64], covered: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fit the coefficients by maximum likelihood, with equal weight of covered and bare mouths.

    Args:
        features: Shape (n, k).
        covered: Shape (n,); both kinds must occur.

    Returns:
        Shape (k + 1,), with the offset first.
    """
    weights = np.where(covered, 0.5 / covered.sum(), 0.5 / (~covered).sum())
    ones = np.column_stack([np.ones(covered.size), features])

    def loss(coefficients: NDArray[np.float64]) -> float:
        evidence = ones @ coefficients
        return float(weights @ (np.logaddexp(0, evidence) - covered * evidence))

    def slope(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(ones.T @ (weights * (expit(ones @ coefficients) - covered)), dtype=np.float64)

    found = minimize(loss, np.zeros(ones.shape[1]), jac=slope, method="BFGS", options={"gtol": 1e-6})
    return np.asarray(found.x, dtype=np.float64)


def left_out_evidence(found: Sequence[Mouth], *, fitted_on: Sequence[Mouth]) -> NDArray[np.float64]:
    """Return the log odds of every mouth, from a function fitted without its fold, shape (n,).

    Args:
        found: The mouths to judge.
        fitted_on: The same photos with the same landmarks, or with another pack's.
    """
    features, _, folds = _arrays(found)
    others, covered, their_folds = _arrays(fitted_on)
    evidence = np.empty(folds.size)
    for fold in np.unique(folds):
        offset, *slopes = fit_logistic(others[their_folds != fold], covered[their_folds != fold])
        evidence[folds == fold] = offset + features[folds == fold] @ slopes
    return evidence


def exact_bounds(count: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided bounds of C. J. Clopper and E. S. Pearson (Biometrika 26, 1934) on a share."""
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, trials - count + 1))
    high = 1.0 if count == trials else float(beta.ppf(1 - tail, count + 1, trials - count))
    return low, high


def print_mouths(found: Sequence[Mouth], console: Console, *, name: str, fitted_on: Sequence[Mouth]) -> None:
    """Print the fit, and the rates of covered results by it and by the shipped function, by source."""
    features, covered, folds = _arrays(found)
    if covered.all() or not covered.any():
        raise ValueError(f"{name}: covered and bare mouths are needed, found {covered.sum()} of {len(found)}")
    fitted = ", ".join(f"{value:.3f}" for value in fit_logistic(features, covered))
    console.print(f"{name}: fitted {fitted}; shipped {', '.join(map(str, COEFFICIENTS))}")
    ways = {
        "left-out folds": left_out_evidence(found, fitted_on=fitted_on) > 0,
        "shipped": np.array([covered_evidence(each.colours) > 0 for each in found]),
    }
    table = Table(title=f"Said to be covered, {name}; {len(set(folds))} folds")
    for column in ("source", "mouths", *ways):
        table.add_column(column, no_wrap=True)
    for kind, mask in (("covered", covered), ("bare", ~covered)):
        said = (f"{_share(way, mask)} {_percent(way, mask)}" for way in ways.values())
        table.add_row("all", kind, *said)
    sources = np.array([each.source for each in found])
    for source in np.unique(sources):
        for kind, mask in (("covered", covered), ("bare", ~covered)):
            here = mask & (sources == source)
            if here.any():
                table.add_row(str(source), kind, *(_share(way, here) for way in ways.values()))
    console.print(table)


def _arrays(found: Sequence[Mouth]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.str_]]:
    """Return features, shape (n, 3), which mouths are covered, and folds."""
    features = np.array([each.colours.features for each in found])
    return features, np.array([each.covered for each in found]), np.array([each.fold for each in found])


def _share(said: NDArray[np.bool_], mask: NDArray[np.bool_]) -> str:
    return f"{int(said[mask].sum())} of {int(mask.sum())}"


def _percent(said: NDArray[np.bool_], mask: NDArray[np.bool_]) -> str:
    count, trials = int(said[mask].sum()), int(mask.sum())
    low, high = exact_bounds(count, trials)
    return f"({count / trials:.1%}; {low:.1%} to {high:.1%})"
