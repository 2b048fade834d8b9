"""Converts measured values to scores."""

from collections.abc import Sequence

import numpy as np


def score_between(value: float, anchors: Sequence[tuple[float, float]]) -> float:
    """Returns a score, 0..1: linear between the anchors, constant beyond the first and the last.

    Args:
        value: The measured value.
        anchors: Pairs of a value and its score, in increasing order of the values.
    """
    values, scores = zip(*anchors, strict=True)
    return float(np.interp(value, values, scores))
