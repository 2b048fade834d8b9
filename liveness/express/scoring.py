"""From measured values to scores."""

import math

__all__ = ["far_log_odds", "log_odds", "score_against_line"]

_LEAST = 0.02
"""Score within which, and its complement, a signal's score is held: 3.9 as log odds."""
_FAR_LEAST = 1e-6
"""The same for what is certain only far beyond its line: 13.8 as log odds."""


def score_against_line(value: float, line: float, steepness: float) -> float:
    """0..1: 0.5 where ``value`` is on ``line``, rising with the ratio of the two.

    A logistic of the logarithm, so that twice the line and half the line lie equally far from 0.5.

    Args:
        value: 0 or more.
        line: Above 0.
        steepness: Log odds for each e-fold of the ratio.
    """
    if value <= 0:
        return 0.0
    return 1 / (1 + math.exp(-steepness * math.log(value / line)))


def log_odds(score: float) -> float:
    """Natural log odds of ``score``, held within those of 0.02 and 0.98 so that no signal is certain."""
    return _log_odds(score, _LEAST)


def far_log_odds(score: float) -> float:
    """Natural log odds of ``score``, held within those of 1e-6 and 1 - 1e-6.

    For what is certain only far beyond its line, and whose evidence is held in another way.
    """
    return _log_odds(score, _FAR_LEAST)


def _log_odds(score: float, least: float) -> float:
    held = min(1 - least, max(least, score))
    return math.log(held / (1 - held))
