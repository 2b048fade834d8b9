"""From measured values to scores."""

from collections.abc import Sequence

import numpy as np


def score_between(value: float, anchors: Sequence[tuple[float, float]]) -> float:
    """0..1: straight lines between the anchors, level beyond the first and the last.

    Args:
        value: What was measured.
        anchors: Pairs of a value and its score, values rising.
    """
    values, scores = zip(*anchors, strict=True)
    return float(np.interp(value, values, scores))
