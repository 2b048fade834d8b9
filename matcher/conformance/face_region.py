"""The standard's aligned face, which most measures of ISO/IEC 29794-5 use, its luminance, and its crop."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Box, Landmarks, Points
from vision.geometry import FIVE_ALIGNED, FaceParts, face_parts, similarity_transform

ALIGNED_SIDE: Final = 616
"""Side of the aligned image, pixels."""
ALIGNED_EYE_DISTANCE: Final = 113.0
"""Distance of the eyes in the aligned image, pixels."""
_HALF_OUTLINE: Final = np.column_stack(
    [
        np.array([233.0, 212, 192, 180, 178, 181, 187, 196, 211, 246, 275, 300]),
        np.array([229.0, 236, 254, 277, 300, 335, 372, 404, 435, 469, 486, 490]),
    ]
)
MEAN_OUTLINE: Final = np.concatenate([_HALF_OUTLINE, (ALIGNED_SIDE, 0) + _HALF_OUTLINE * (-1, 1)])
"""The outline of the average face in the aligned image, pixels of the aligned image.

It follows the area that is face in more than half of the masks of frontal photos, made symmetric. For 423
photos (MediaPipe's landmarks) and 346 (dlib's), the border of that area is at most 5 and 6 pixels
from it, and the two are at most 5 apart (tag studies-1.0:
``python -m research.portrait_measures --part outline``).
"""
_SEEN_LEFT: Final = 62
_SEEN_RIGHT: Final = 554
_SEEN_BOTTOM: Final = 480
"""The part of the aligned image that the measures and the mask use; warping the rest would cost a third
more."""
_CHEEK_SIDE: Final = 0.3
"""Side of the squares on the cheeks, in eye distances."""
_HALF: Final = 0.5
_LEAST_SCALE: Final = 1e-3
"""Eyes that are more than 100,000 pixels apart are not a face."""

Histogram: TypeAlias = NDArray[np.float64]
"""Share of the pixels at each luminance 0..255, shape (256,); adds up to 1."""

_STORED: Final = np.arange(256) / 255.0
_LINEAR: Final = np.where(_STORED > 0.04045, ((_STORED + 0.055) / 1.055) ** 2.4, _STORED / 12.92)
"""IEC 61966-2-1 (sRGB): from stored value to linear light."""
_WEIGHTS_BGR: Final = (0.0722, 0.7152, 0.2126)
"""ITU-R BT.709: share of each channel in the luminance."""
_TABLES: Final = (255.0 * _LINEAR[None, :, None] * np.array(_WEIGHTS_BGR)).astype(np.float32)
_SUM: Final = np.ones((1, 3), dtype=np.float32)
LEVELS: Final = np.arange(256) / 255.0
"""The levels of a histogram, 0 (black) to 1 (white)."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFace:
    """A face upright and centred, the eyes 113 pixels apart.

    Attributes:
        image: Shape (616, 616, 3), uint8, blue-green-red. Black outside the portrait, and in the margins of
            ``image`` that no measurement reads.
        transform: Shape (2, 3): maps the portrait's pixels to those of ``image``.
        mask: Shape (616, 616), uint8: 1 on the face from brows to chin, 0 elsewhere.
        face_box: Box around the mask, whole pixels.
        luminance: Shape of ``face_box``: luminance of the face, 0 outside the mask.
        histogram: Histogram of the luminance on the face, shape (256,); it adds up to 1.
        cheeks: Shape (2, n, n, 3): squares below the image's left and right eye, beside the nose, black
            outside the mask; n is 0.3 eye distances (the standard's measurement zones).
    """

    image: BgrImage
    transform: NDArray[np.float64]
    mask: NDArray[np.uint8]
    face_box: Box
    luminance: NDArray[np.uint8]
    histogram: Histogram
    cheeks: NDArray[np.uint8]


def aligned_face(image: BgrImage, *, five_points: Points, landmarks: Landmarks | None) -> AlignedFace | None:
    """Make the aligned face.

    Source: ISO/IEC 29794-5, as in OFIQ: a similarity transform maps eye centres, nose tip and mouth corners
    to fixed positions in an image of 616 x 616 pixels; the face is the convex hull of the landmarks. The
    transform is found by least squares. OFIQ uses the least median of squares, which for five points depends
    on three of them only: under landmark noise of 1% of the eye distance its scale varies a little more
    (90th percentile of 423 photos: 1.7 against 1.4 pixels between the eyes). Without landmarks,
    ``MEAN_OUTLINE`` is the outline of the face.

    Args:
        five_points: Five points of the face, shape (5, 2), pixels.
        landmarks: Landmarks of the same face; None without landmarks.

    Returns:
        The aligned face; None if the points lie in one place or are not finite.
    """
    parts = face_parts(five_points, landmarks)
    if parts is None or image.size == 0:
        return None
    transform = _transform(parts.five)
    if transform is None:
        return None
    outline = MEAN_OUTLINE if parts.outline is None else _moved(parts.outline, transform)
    mask = _hull(outline)
    left, top, width, height = cv2.boundingRect(mask)
    if width == 0:
        return None
    aligned = np.zeros((ALIGNED_SIDE, ALIGNED_SIDE, 3), dtype=np.uint8)
    seen = (min(left, _SEEN_LEFT), max(left + width, _SEEN_RIGHT), max(top + height, _SEEN_BOTTOM))
    aligned[: seen[2], seen[0] : seen[1]] = _warped(image, transform, seen)
    across, down = slice(left, left + width), slice(top, top + height)
    face_mask = mask[down, across]
    luminance = luminance_image(aligned[down, across]) * face_mask
    return AlignedFace(
        image=aligned,
        transform=transform,
        mask=mask,
        face_box=Box(left, top, left + width, top + height),
        luminance=luminance,
        histogram=luminance_histogram(luminance, face_mask),
        cheeks=_cheeks(aligned, mask, parts=parts, transform=transform),
    )


def _warped(image: BgrImage, transform: NDArray[np.float64], seen: tuple[int, int, int]) -> BgrImage:
    left, right, bottom = seen
    size = (right - left, bottom)
    part, moved = _halved(image, transform - np.array([[0, 0, left], [0, 0, 0]]), size)
    return cv2.warpAffine(part, moved, size, flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _halved(
    image: BgrImage, transform: NDArray[np.float64], size: tuple[int, int]
) -> tuple[BgrImage, NDArray[np.float64]]:
    """Crop a large image to the target area, and halve it as long as it stays larger than the target.

    Halving is many times faster than warping from a large image, and does not skip pixels.
    """
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    if scale > _HALF:
        return image, transform
    corners = np.array([(0, 0, 1), (size[0], 0, 1), (0, size[1], 1), (size[0], size[1], 1)])
    reached = corners @ cv2.invertAffineTransform(transform).T
    limits = (image.shape[1], image.shape[0])
    left, top = np.clip(np.floor(reached.min(axis=0)) - 2, 0, limits).astype(int).tolist()
    right, bottom = np.clip(np.ceil(reached.max(axis=0)) + 2, 0, limits).astype(int).tolist()
    part, moved = image[top:bottom, left:right], transform @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1]])
    if part.size == 0:
        return image, transform
    while scale <= _HALF and min(part.shape[:2]) >= 2:
        half = (part.shape[1] // 2, part.shape[0] // 2)
        even = part[: 2 * half[1], : 2 * half[0]]
        part = cv2.resize(even, half, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        moved = moved @ np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
        scale *= 2
    return part, moved


def _transform(five: NDArray[np.float64]) -> NDArray[np.float64] | None:
    if float(np.ptp(five, axis=0).max()) == 0.0:
        return None
    matrix = similarity_transform(five.astype(np.float32), FIVE_ALIGNED)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return matrix if scale >= _LEAST_SCALE else None


def _moved(points: NDArray[np.float64], transform: NDArray[np.float64]) -> NDArray[np.float64]:
    return points @ transform[:, :2].T + transform[:, 2]


def _hull(outline: NDArray[np.float64]) -> NDArray[np.uint8]:
    mask = np.zeros((ALIGNED_SIDE, ALIGNED_SIDE), dtype=np.uint8)
    corners = np.clip(np.rint(outline), 0, ALIGNED_SIDE - 1).astype(np.int32)
    cv2.fillConvexPoly(mask, cv2.convexHull(corners), 1)
    return mask


def _cheeks(
    aligned: BgrImage, mask: NDArray[np.uint8], *, parts: FaceParts, transform: NDArray[np.float64]
) -> NDArray[np.uint8]:
    left_eye, right_eye = _moved(parts.five[:2], transform)
    mouth = _moved(parts.mouth_centre[None], transform)[0]
    side = max(1, int(_CHEEK_SIDE * float(np.linalg.norm(right_eye - left_eye))))
    drop = float(np.linalg.norm(mouth - (left_eye + right_eye) / 2)) / 2
    corners = ((left_eye[0], left_eye[1] + drop), (right_eye[0] - side, right_eye[1] + drop))
    squares = np.zeros((2, side, side, 3), dtype=np.uint8)
    for square, (x, y) in zip(squares, corners, strict=True):
        left, top = (int(np.clip(value, 0, ALIGNED_SIDE - 1)) for value in (x, y))
        within = np.s_[top : top + side, left : left + side]
        seen = aligned[within] * mask[within][..., None]
        square[: seen.shape[0], : seen.shape[1]] = seen
    return squares


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """The upright rectangle around a face, clipped to the portrait.

    Attributes:
        pixels: Shape (height, width, 3): the portrait's own, not reduced.
        left: Its left edge in the portrait, pixels.
        top: Its top edge in the portrait, pixels.
        reduction: Scale from these pixels to those of the aligned face; below 1 if the face is larger here.
    """

    pixels: BgrImage
    left: int
    top: int
    reduction: float


def face_crop(portrait: BgrImage, aligned: AlignedFace) -> FaceCrop | None:
    """Cut the face, brows to chin, out of the portrait.

    Returns:
        The crop; None if no pixel of the face lies inside the portrait.
    """
    box = aligned.face_box
    edges = ((box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom))
    back = cv2.invertAffineTransform(aligned.transform)
    seen = np.array(edges) @ back[:, :2].T + back[:, 2]
    height, width = portrait.shape[:2]
    limits = np.array([width, height], dtype=np.float64)
    left, top = np.clip(np.floor(seen.min(axis=0)), 0, limits).astype(int)
    right, bottom = np.clip(np.ceil(seen.max(axis=0)), 0, limits).astype(int)
    if right <= left or bottom <= top:
        return None
    reduction = float(np.hypot(aligned.transform[0, 0], aligned.transform[1, 0]))
    return FaceCrop(portrait[top:bottom, left:right], left=int(left), top=int(top), reduction=reduction)


def luminance_image(image: BgrImage) -> NDArray[np.uint8]:
    """Return the relative luminance of every pixel.

    Source: ISO/IEC 29794-5, as in OFIQ: sRGB is decoded to linear light, weighted after ITU-R BT.709, and
    rounded to 0..255. Therefore mid-grey on a screen (stored 188) is 128, and skin measures dark.

    Args:
        image: Shape (height, width, 3).

    Returns:
        Shape (height, width), 0 (black) to 255 (white).
    """
    if image.size == 0:
        return np.zeros(image.shape[:2], dtype=np.uint8)
    weighted = cv2.LUT(image, _TABLES)
    return cv2.convertScaleAbs(cv2.transform(weighted, _SUM)).astype(np.uint8, copy=False)


def luminance_histogram(luminance: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None) -> Histogram:
    """Return the histogram of the luminance.

    Args:
        luminance: Shape (height, width), from ``luminance_image``.
        mask: Same shape; pixels of value 0 do not count. None counts all.

    Returns:
        Shares; all 0 if no pixel counts.
    """
    seen = luminance.ravel() if mask is None else luminance[mask > 0]
    counts = np.bincount(seen, minlength=256).astype(np.float64)
    return counts / max(1.0, float(counts.sum()))
