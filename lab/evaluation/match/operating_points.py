"""Computes FNMR at an FMR, and the limits of the data.

For each requested false match rate there are two thresholds:

* the lowest at which the **measured** FMR is at most that rate, as results are usually reported;
* the lowest at which the **upper bound** on FMR is at most that rate, as a server's policy demands
  (``max_fmr``). It is never the lower of the two.

FNMR is reported at both. At the first, its interval includes the effect of setting the threshold on the same
data: each sample of the bootstrap sets its own threshold. A rate is reported only if there are enough persons
for a bound as low; otherwise the result is the number of persons that would be needed.

A threshold keeps its promise on a set, or in a group, if the false match rate there is as low as promised.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.match.error_bounds import FmrCurve, FnmrCurve, persons_needed

TARGETS: Final = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""False match rates that are reported, down to the first one that the data do not support."""


@dataclass(frozen=True, slots=True)
class RateInterval:
    """A rate and the two-sided interval around it, all 0..1."""

    rate: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class FmrAt:
    """FMR and its one-sided upper bound at a threshold.

    Attributes:
        threshold: A cosine; at or above it a comparison is a match.
        fnmr: FNMR; None if there is no genuine comparison.
    """

    threshold: float
    fmr: float
    upper_bound: float
    lower_bound: float
    fnmr: RateInterval | None


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """FNMR at one false match rate.

    Attributes:
        measured: Rates at the lowest threshold with a measured FMR of at most ``target``.
        bounded: Rates at the lowest threshold with an upper bound on FMR of at most ``target``.
    """

    target: float
    measured: FmrAt
    bounded: FmrAt


@dataclass(frozen=True, slots=True)
class NotSupported:
    """A false match rate that the data do not support.

    Attributes:
        persons_needed: Least number of persons, each compared with every other, that could support it.
    """

    target: float
    persons_needed: int


def operating_point(target: float, *, fmr: FmrCurve, fnmr: FnmrCurve | None) -> OperatingPoint | NotSupported:
    """Compute the result at a false match rate.

    Args:
        target: The rate, above 0 and below 1.
        fmr: FMR over thresholds that end above every score.
        fnmr: FNMR over the same thresholds and draws; None if there is no genuine comparison.
    """
    if float(fmr.upper_bounds[-1]) > target:
        return NotSupported(target, persons_needed(target, confidence=fmr.confidence))
    index = int(np.argmax(fmr.rates <= target))
    measured = rates_at(index, fmr=fmr, fnmr=fnmr)
    if fnmr is not None and measured.fnmr is not None:
        # The interval at this threshold, widened by the effect of setting the threshold on these persons.
        tail = (1.0 - fnmr.confidence) / 2.0
        low, high = np.nanquantile(samples_at(target, fmr=fmr, fnmr=fnmr), (tail, 1.0 - tail))
        interval = measured.fnmr
        measured = FmrAt(
            measured.threshold,
            measured.fmr,
            measured.upper_bound,
            measured.lower_bound,
            RateInterval(interval.rate, min(interval.lower, float(low)), max(interval.upper, float(high))),
        )
    bounded = rates_at(int(np.argmax(fmr.upper_bounds <= target)), fmr=fmr, fnmr=fnmr)
    return OperatingPoint(target, measured, bounded)


def rates_at(index: int, *, fmr: FmrCurve, fnmr: FnmrCurve | None) -> FmrAt:
    """Return both rates at one threshold.

    Args:
        fnmr: FNMR over the same thresholds; None if there is no genuine comparison.
    """
    return FmrAt(
        threshold=float(fmr.thresholds[index]),
        fmr=float(fmr.rates[index]),
        upper_bound=float(fmr.upper_bounds[index]),
        lower_bound=float(fmr.lower_bounds[index]),
        fnmr=None
        if fnmr is None
        else RateInterval(float(fnmr.rates[index]), float(fnmr.lower[index]), float(fnmr.upper[index])),
    )


def samples_at(target: float, *, fmr: FmrCurve, fnmr: FnmrCurve) -> NDArray[np.float32]:
    """Return FNMR in each sample of the bootstrap, at the sample's own threshold for a false match rate.

    Args:
        fnmr: FNMR over the same thresholds and draws.

    Returns:
        Shape (samples,); NaN if a sample has no genuine comparison.
    """
    last = fmr.thresholds.size - 1
    indices = np.minimum((fmr.resampled_rates > target).sum(axis=0), last)
    samples: NDArray[np.float32] = fnmr.resampled_rates[indices, np.arange(indices.size)]
    return samples


class Promise(StrEnum):
    """Whether the FMR at one threshold keeps the rate that the calibration promises, in words for reports."""

    KEPT = "kept"
    """The upper bound on FMR is at most the promised rate."""
    NOT_SHOWN = "not shown"
    """The measured FMR is at most the promised rate, but its bound is not."""
    ABOVE = "above, perhaps by chance"
    """The measured FMR is above the promised rate, but its lower bound is not."""
    BROKEN = "broken"
    """The lower bound on FMR is above the promised rate."""
    NOT_SUPPORTED = "not supported by data"
    """The persons could not support the rate with any scores."""


def promise_of(target: float, found: FmrAt, *, lowest_bound: float) -> Promise:
    """Return how far the FMR at a threshold keeps the promised rate.

    Args:
        lowest_bound: The lowest bound on FMR that the persons could support.
    """
    if found.lower_bound > target:
        return Promise.BROKEN
    if lowest_bound > target:
        return Promise.NOT_SUPPORTED
    if found.fmr > target:
        return Promise.ABOVE
    return Promise.KEPT if found.upper_bound <= target else Promise.NOT_SHOWN
