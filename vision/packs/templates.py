"""Face templates as vectors."""

import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed
from vision.face import Embedding

__all__ = ["to_unit_length"]


def to_unit_length(vector: NDArray[np.float32] | NDArray[np.float64]) -> Embedding:
    """Return ``vector`` scaled to Euclidean length 1.

    Args:
        vector: Shape (dimensions,).

    Raises:
        ModelFailed: The vector has no direction: it is all zero, or not finite.
    """
    length = float(np.linalg.norm(vector))
    if not (np.isfinite(length) and length > 0):
        raise ModelFailed("the embedder gave a template without direction")
    return (vector / length).astype(np.float32)
