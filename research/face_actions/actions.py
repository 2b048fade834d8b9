"""Measures actions of a face in the head's own coordinates, so that turning the head is no action.

A similarity (rotation, scale, shift) brings the upper half of the face, which no expression moves much, onto
MediaPipe's canonical face. What then moves in the rest of the mesh is not rigid. Nothing here reads or draws.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import numpy as np

from vision.face import Landmarks
from vision.pose import canonical_scale

__all__ = ["Action", "Verdict", "excursion", "judge", "measure"]

_FEWEST_FRAMES: Final = 8
"""The fewest measured frames for a verdict; about a second at 8 frames a second."""
_REST_PERCENT, _FAR_PERCENT = 20, 95
"""The percentiles of a scan that are the person's rest and the farthest extent; single frames are noise."""

# MediaPipe's indices (``face_mesh_connections.py``): pairs across the inner lips, nose bridge and chin,
# the corners of the mouth, and pairs of an upper brow point with the upper lid below it.
_LIPS: Final = np.array([[82, 87], [13, 14], [312, 317]])
_JAW: Final = np.array([[168, 152]])
_CORNERS: Final = np.array([[61, 291]])
_BROWS: Final = np.array([[105, 159], [334, 386]])


class Action(StrEnum):
    """An action for which a person can be asked."""

    OPEN_MOUTH = "open the mouth"
    DROP_JAW = "drop the jaw"
    SMILE = "smile"
    RAISE_BROWS = "raise the brows"


class Verdict(StrEnum):
    """Whether the action was seen."""

    DONE = "done"
    NOT_DONE = "not done"
    NOT_VISIBLE = "not visible"


_PAIRS: Final = {
    Action.OPEN_MOUTH: _LIPS,
    Action.DROP_JAW: _JAW,
    Action.SMILE: _CORNERS,
    Action.RAISE_BROWS: _BROWS,
}


def measure(landmarks: Landmarks) -> dict[Action, float] | None:
    """Measure in one frame, for each action, the distance that the action changes.

    The distance lies between points of the face, such as the corners of the mouth for a smile.

    Args:
        landmarks: The landmarks of the frame.

    Returns:
        The distances in centimetres on the canonical face, each 0 or more. None if the points are not
        MediaPipe's 478 with depth, are not finite, or coincide.
    """
    scale = canonical_scale(landmarks)
    if scale is None or landmarks.depth is None:
        return None
    mesh = np.column_stack([landmarks.points, landmarks.depth]).astype(np.float64)
    if not np.isfinite(mesh).all():
        return None
    return {
        action: scale * float(np.linalg.norm(mesh[pairs[:, 0]] - mesh[pairs[:, 1]], axis=1).mean())
        for action, pairs in _PAIRS.items()
    }


def excursion(values: Sequence[float]) -> float | None:
    """Return by how much a distance exceeded its resting value, which is this person's own.

    Args:
        values: One action's distances in the frames of a scan, centimetres.

    Returns:
        Centimetres, 0 or more; None if there are fewer than 8 frames.
    """
    if len(values) < _FEWEST_FRAMES:
        return None
    rest, far = np.percentile(np.asarray(values, np.float64), (_REST_PERCENT, _FAR_PERCENT))
    return float(far - rest)


def judge(values: Sequence[float], line: float) -> Verdict:
    """Return whether the action was done.

    Args:
        values: As for ``excursion``.
        line: Excursion above which the action was done, centimetres.
    """
    found = excursion(values)
    if found is None:
        return Verdict.NOT_VISIBLE
    return Verdict.DONE if found > line else Verdict.NOT_DONE
