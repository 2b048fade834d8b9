"""Maps a native measure to the quality score 0..100: the mapping functions of ISO/IEC 29794-5."""

import math

__all__ = ["sigmoid_score"]


def sigmoid_score(raw: float, *, x0: float, w: float) -> float:
    """Return the sigmoid with which ISO/IEC 29794-5 maps most of its native measures.

    Args:
        raw: The native measure, in its own unit.
        x0: The native measure with a score of 50, same unit.
        w: Width of the slope, same unit, greater than 0. For a measure of which less is better, subtract
            the sigmoid from 100.

    Returns:
        100 / (1 + exp(-(raw - x0) / w)), 0..100.
    """
    # Beyond +-60 widths the score is 0 or 100 in floating point, and farther out exp() would overflow.
    exponent = min(60.0, max(-60.0, -(raw - x0) / w))
    return 100.0 / (1.0 + math.exp(exponent))
