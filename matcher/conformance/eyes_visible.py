"""Eyes visible: whether anything hides the eyes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.conformance.features import NO_LANDMARKS
from matcher.conformance.interface import Assessment, Component, Method, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score
from vision.eye_likeness import eye_likeness, eye_piece
from vision.geometry import eye_corners

__all__ = ["EyesVisible", "eye_pieces"]

_LEAST_WIDTH: Final = 5.0
"""Least width of an eye in the aligned image, pixels; a narrower eye is turned away."""


class EyesVisible:
    """Similarity of the eyes to the average eye, the lower of the two; implements ``Measure``.

    An approximation: the standard measures the share of the eyes' zone that a segmentation network labels as
    hidden, and no pack has such a network. The native measure is the normalised correlation of grey values
    with the average eye, -1 to 1. On 222 photos (MediaPipe's landmarks), the one with sunglasses measures
    least, -0.04; with dark lenses or a lock of hair painted over the eyes, all 222 measure less than 0.06. Of
    the other photos 3 measure less than 0.1, which has a score of 50: two with narrowed eyes, one with a
    mask up to the eyes. With dlib's landmarks 11 do, mostly masked or averted faces
    (``python -m research.feature_measures``). Glasses with visible eyes are not detected.
    """

    component: Final = Component.EYES_VISIBLE
    method: Final = Method.APPROXIMATION
    unit: Final = "correlation"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the eyes; the native measure is the correlation with the average eye, -1..1."""
        eyes = eye_pieces(portrait)
        if eyes is None:
            return not_assessed(NO_LANDMARKS)
        alike = min(-1.0 if eye is None else eye_likeness(eye) for eye in eyes)
        return assessed(alike, score=sigmoid_score(alike, x0=0.1, w=0.05))


def eye_pieces(portrait: PortraitView) -> tuple[NDArray[np.float64] | None, ...] | None:
    """Cut out the two eyes for the comparison with the average eye.

    Returns:
        The image's left and right eye, each of shape (14, 24), grey, mean 0 and length 1 (all 0 if it is
        flat), the outer corner on the left; None for an eye that is turned away. None without landmarks.
    """
    corners = eye_corners(portrait.landmarks)
    aligned = portrait.aligned
    if corners is None or aligned is None:
        return None
    moved = corners @ aligned.transform[:, :2].T + aligned.transform[:, 2]
    (left_outer, left_inner), (right_inner, right_outer) = moved
    return (
        eye_piece(aligned.image, left_outer, left_inner, mirrored=False, least_width=_LEAST_WIDTH),
        eye_piece(aligned.image, right_inner, right_outer, mirrored=True, least_width=_LEAST_WIDTH),
    )
