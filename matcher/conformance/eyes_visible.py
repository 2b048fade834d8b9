"""Eyes visible: whether anything hides the eyes."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from matcher.conformance.eye_template import EYE_HEIGHT, EYE_TEMPLATE, EYE_WIDTH, EYE_WIDTH_IN_EYES
from matcher.conformance.features import NO_LANDMARKS, eye_corners
from matcher.conformance.interface import Assessment, Component, Method, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score
from vision.face import BgrImage

__all__ = ["EyesVisible", "eye_pieces"]

_FINER: Final = 2
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
        """Native measure: correlation with the average eye, -1..1."""
        eyes = eye_pieces(portrait)
        if eyes is None:
            return not_assessed(NO_LANDMARKS)
        alike = min(-1.0 if eye is None else float((eye * EYE_TEMPLATE).sum()) for eye in eyes)
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
        _piece(aligned.image, left_outer, left_inner, mirrored=False),
        _piece(aligned.image, right_inner, right_outer, mirrored=True),
    )


def _piece(
    image: BgrImage, left: NDArray[np.float64], right: NDArray[np.float64], *, mirrored: bool
) -> NDArray[np.float64] | None:
    across = right - left
    width = float(np.linalg.norm(across))
    if width < _LEAST_WIDTH:
        return None
    columns, rows = _FINER * EYE_WIDTH, _FINER * EYE_HEIGHT
    x, y = across / width * (EYE_WIDTH_IN_EYES * width / columns)
    turn = np.array([[x, -y], [y, x]])
    shift = (left + right) / 2 - turn @ ((columns - 1) / 2, (rows - 1) / 2)
    matrix = np.column_stack([turn, shift])
    piece = cv2.warpAffine(image, matrix, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    grey = cv2.cvtColor(piece, cv2.COLOR_BGR2GRAY)
    eye = cv2.resize(grey, (EYE_WIDTH, EYE_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float64)
    if mirrored:
        eye = eye[:, ::-1]
    centred: NDArray[np.float64] = eye - eye.mean()
    length = float(np.linalg.norm(centred))
    if length > 0:
        centred /= length
    return centred
