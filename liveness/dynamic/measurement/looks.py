"""Groups the frames by the detection from which their face points come.

Between two detections a face is followed, and each region's light is that of the same skin. At a detection
the points jump, and with them the regions. This changes their light as much as a faint response does.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_LEFT", "centring_within_looks"]

LEAST_LEFT: Final = 0.5
"""The share of a response that must remain without the means of the looks, so that its time can be measured.
If it coincides with a detection, little except noise remains."""


def centring_within_looks(looks: NDArray[np.intp]) -> NDArray[np.float64]:
    """Returns the matrix that subtracts from each value the mean of its group; symmetric, shape (n, n).

    Args:
        looks: Shape (n,): the look of each frame; see ``TrackView.looks``.
    """
    same = looks[:, None] == looks
    within: NDArray[np.float64] = np.eye(len(looks)) - same / same.sum(axis=1, keepdims=True)
    return within
