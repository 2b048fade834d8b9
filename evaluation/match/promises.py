"""Decides whether a threshold keeps the false match rate that it promises, on a set or in a group."""

from enum import StrEnum

from evaluation.match.operating_points import FmrAt

__all__ = ["Promise", "promise_of"]


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
        target: The promised FMR.
        found: FMR at the threshold.
        lowest_bound: The lowest bound on FMR that the persons could support.
    """
    if found.lower_bound > target:
        return Promise.BROKEN
    if lowest_bound > target:
        return Promise.NOT_SUPPORTED
    if found.fmr > target:
        return Promise.ABOVE
    return Promise.KEPT if found.upper_bound <= target else Promise.NOT_SHOWN
