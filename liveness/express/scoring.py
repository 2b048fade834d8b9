"""Converts measured values to scores, and scores to log odds."""

import math

__all__ = ["far_log_odds", "log_odds", "network_log_odds", "score_against_line"]

_LEAST = 0.02
"""The least score; with its complement, it limits a signal's log odds to 3.9."""
_FAR_LEAST = 1e-6
"""The same for evidence that is certain only far beyond its line; it limits log odds to 13.8."""
_NETWORK_LEAST = 1 / (1 + math.exp(8.0))
"""The clamp of PAD networks: 8.0 as log odds. Of 3.9, 6, 8 and 10, which differ by one or two of 98 scans
with sources left out (``research/liveness_fusion/NOTES.md``)."""


def score_against_line(value: float, line: float, steepness: float) -> float:
    """Returns a score, 0..1: 0.5 if ``value`` equals ``line``, rising with the ratio of the two.

    The score is a logistic of the ratio's logarithm, so twice the line and half the line are equally far from
    0.5.

    Args:
        value: 0 or more.
        line: Above 0.
        steepness: Log odds for each e-fold of the ratio.
    """
    if value <= 0:
        return 0.0
    return 1 / (1 + math.exp(-steepness * math.log(value / line)))


def log_odds(score: float) -> float:
    """Returns the natural log odds of ``score``, clamped to 0.02..0.98 so that no signal is certain."""
    return _log_odds(score, _LEAST)


def far_log_odds(score: float) -> float:
    """Returns the natural log odds of ``score``, clamped to 1e-6..1 - 1e-6.

    Use this for evidence that is certain only far beyond its line, and that is limited in another way.
    """
    return _log_odds(score, _FAR_LEAST)


def network_log_odds(score: float) -> float:
    """Returns the natural log odds of a PAD network's probability, clamped to -8..8.

    The limit keeps one network that is certain from outvoting two that are not.
    """
    return _log_odds(score, _NETWORK_LEAST)


def _log_odds(score: float, least: float) -> float:
    held = min(1 - least, max(least, score))
    return math.log(held / (1 - held))
