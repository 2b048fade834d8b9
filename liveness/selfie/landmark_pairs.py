"""Pairs of landmarks that mirror each other across a face, and their asymmetry."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vision.face import Landmarks, Points

__all__ = ["asymmetry", "symmetric_pairs"]

_Pairs = tuple[tuple[int, int], ...]

# Corners of the eyes, sides of the nose, corners of the mouth, and the jaw from ear to chin, the image's
# left first. The right half of InsightFace's outline follows the left one's order, sixteen points later.
_SCHEMES: Final[Mapping[str, _Pairs]] = MappingProxyType(
    {
        "ibug68": ((36, 45), (39, 42), (31, 35), (48, 54), (0, 16), (2, 14), (4, 12), (6, 10)),
        "insightface106": ((35, 93), (39, 89), (52, 61), (1, 17), (12, 28), (16, 32), (5, 21)),
        "mediapipe478": (
            (33, 263),
            (133, 362),
            (129, 358),
            (61, 291),
            (127, 356),
            (132, 361),
            (172, 397),
            (150, 379),
        ),
    }
)
_FIVE: Final[_Pairs] = ((0, 1), (3, 4))


def symmetric_pairs(landmarks: Landmarks | Points) -> NDArray[np.float64]:
    """Returns the pairs of points that are compared.

    Args:
        landmarks: Landmarks in one of the schemes of ``vision.face.Landmarks``, or five points of shape (5,
            2) in the order of ``vision.face.DetectedFace``, which give pairs of eyes and mouth only.

    Returns:
        Shape (pairs, 2, 2): for each pair the image's left and right point as (x, y) in pixels.

    Raises:
        ValueError: The scheme is unknown; an error in the caller's code.
    """
    if isinstance(landmarks, Landmarks):
        if landmarks.scheme not in _SCHEMES:
            raise ValueError(f"unknown landmark scheme {landmarks.scheme!r}")
        points, pairs = landmarks.points, _SCHEMES[landmarks.scheme]
    else:
        points, pairs = landmarks, _FIVE
    chosen: NDArray[np.float64] = points.astype(np.float64)[np.array(pairs)]
    return chosen


def asymmetry(pairs: NDArray[np.float64]) -> float | None:
    """Returns the mean distance of the left points' mirror images from the right points.

    The midline is fitted to the pairs: it is perpendicular to their mean direction and passes through the
    mean of their midpoints. The value therefore does not depend on shift, rotation and scale of the image. It
    depends little on the head's yaw, because all midpoints move together except for their depth. The distance
    from the best mirror image is the symmetry distance of H. Zabrodsky et al., "Symmetry as a continuous
    feature", IEEE PAMI 17(12), 1995.

    Args:
        pairs: The result of ``symmetric_pairs``, two or more pairs.

    Returns:
        The distance as a share of the widest pair's width, 0 or more; None if the points do not form a face.
    """
    if not np.isfinite(pairs).all():
        return None
    across = pairs[:, 1] - pairs[:, 0]
    widest = float(np.linalg.norm(across, axis=1).max())
    direction = across.sum(axis=0)
    length = float(np.linalg.norm(direction))
    if widest <= 0 or length <= 0:
        return None
    unit = direction / length
    middles = pairs.mean(axis=1) @ unit
    # Mirroring moves a left point only along the mean direction. The distance that remains is twice that of
    # the pair's midpoint from the midline in this direction, and the pair's slope in the other.
    along = across @ np.array([-unit[1], unit[0]])
    left_over = np.hypot(2 * (middles - middles.mean()), along)
    return float(left_over.mean()) / widest
