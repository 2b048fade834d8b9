"""Similarity of an eye to the average eye, in grey."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.eye_template import EYE_HEIGHT, EYE_TEMPLATE, EYE_WIDTH, EYE_WIDTH_IN_EYES
from vision.face import BgrImage

__all__ = ["eye_likeness", "eye_piece"]

_FINER: Final = 2


def eye_piece(
    image: BgrImage,
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    *,
    mirrored: bool,
    least_width: float,
) -> NDArray[np.float64] | None:
    """Cut out an eye for the comparison with the average eye.

    Args:
        image: The image.
        left: The eye's left corner in the image, (x, y), pixels.
        right: Its right corner.
        mirrored: Whether to mirror it: for the image's right eye, whose outer corner is on the right.
        least_width: Least distance of the corners, pixels.

    Returns:
        Shape (14, 24), grey, mean 0 and length 1 (all 0 if the eye is flat), the outer corner on the left;
        None if the eye is narrower than ``least_width``.
    """
    across = right - left
    width = float(np.linalg.norm(across))
    if width < least_width:
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


def eye_likeness(piece: NDArray[np.float64]) -> float:
    """Return the correlation of an eye from ``eye_piece`` with the average eye, -1 to 1; 0 if it is flat."""
    return float((piece * EYE_TEMPLATE).sum())
