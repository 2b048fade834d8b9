"""Removes from each measurement the mean over the frames whose face points come from the same detection.

Between two detections a face is followed, and each region's light is that of the same skin. At a detection
the points jump, and with them the regions. This changes their light as much as a faint response does.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_LEFT", "centring_within_detections"]

LEAST_LEFT: Final = 0.5
"""The share of a response that must remain without the means of the detections, so that its
time can be measured. If it coincides with a detection, little except noise remains."""


def centring_within_detections(detections: NDArray[np.intp]) -> NDArray[np.float64]:
    """Returns the matrix that subtracts from each value the mean of its group; symmetric, shape (n, n).

    Args:
        detections: Shape (n,): the detection of each frame; see ``TrackView.detections``.
    """
    same = detections[:, None] == detections
    within: NDArray[np.float64] = np.eye(len(detections)) - same / same.sum(axis=1, keepdims=True)
    return within
