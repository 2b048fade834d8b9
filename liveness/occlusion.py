"""Measures whether something covers the eyes or the mouth of a face, in a frame and in most of a scan.

Eyes are hidden if neither looks like the average eye (``vision.eye_likeness``). If they are also darker than
the cheeks, sunglasses hide them. A mouth is covered if it has neither the shape nor the colours of a mouth (a
logistic function; ``python -m research.occlusion`` of tag studies-1.0 fits and measures it). If cheek and
mouth have one colour, which is not the skin's, a mask covers the mouth; if only the mouth differs, something
else does.

On 56 scans of live clips without a cover, none is covered. With MediaPipe's landmarks both clips with a mask
are. ``docs/liveness.md`` ("Covered faces") has the figures.

One hidden eye is not measured: 15 of 2,472 photos without a cover have one eye unlike an eye, most of them in
the shadow of light from one side. A hand in the colour of skin is not detected, and grey images show no mask.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.eye_likeness import eye_likeness, eye_piece
from vision.face import BgrImage, DetectedFace, HeadPose, Landmarks
from vision.geometry import FIVE_ALIGNED, eye_aspect_ratio, eye_corners, face_parts, similarity_transform
from vision.mouth_colours import (
    GREY_MOUTH,
    MOUTH_AREA,
    MOUTH_SIZE,
    PART,
    PART_SIZE,
    RED_MOUTH,
    colours_of_mouth,
)

Colour = NDArray[np.float64]
"""L*, a* and b* of CIELAB, shape (3,)."""

_AREA: Final = (150, 180, 466, 500)
"""Left, top, right and bottom of the measured part, in the aligned image of ``FIVE_ALIGNED``."""
_REDUCTION: Final = 2
_LUMA: Final = np.array([0.114, 0.587, 0.299])
"""How often the part is smaller than the aligned image; and the weights of blue, green and red in luma (ITU-R
BT.601)."""

_SMALLEST: Final = 25.0
"""Least distance of the eyes, pixels."""
_TURNED: Final = 25.0
"""Yaw from which a face is not measured, degrees: the farther eye and cheek are hardly visible."""

_HIDDEN_BY_LENSES: Final = ((0.3, 0.55), (0.5, 0.4))
"""Pairs of a likeness to the average eye, of the more eye-like eye, and a luma of the region of the brighter
eye over that of the cheeks. Sunglasses hide eyes that are below both values of a pair. Eyes in the shadow of
the noon sun measure 0.4 to 0.5 in both; on live clips without sunglasses the luma is 0.6 or more."""
_UNLIKE_AN_EYE: Final = 0.05
"""The likeness below which any eyes are hidden. Narrowed eyes and eyes behind glasses measure 0.2 to 0.6."""
_SHUT: Final = 0.12
"""The mean eye aspect ratio below which eyes are shut, not hidden."""
_EYE_REACH: Final = (0.75, 0.45)
"""Half the width and half the height of the region of an eye, in widths of the eye."""
_LEAST_EYE: Final = 2.5
"""The least width of an eye in the measured part, pixels."""

_CHEEKS: Final = ((215, 330, 255, 370), (361, 330, 401, 370), (290, 290, 326, 330))
"""Cheeks and nose, which sunglasses leave bare; boxes in the aligned image."""
_UPPER_FACE: Final = ((285, 250, 331, 310), (225, 296, 265, 316), (350, 296, 390, 316))
_LOWER_CHEEKS: Final = ((205, 375, 240, 430), (376, 375, 411, 430))
_MOUTH: Final = (268, 388, 348, 418)
"""The bridge of the nose with the upper cheeks; the lower cheeks; the mouth. A mask covers the last two.
Boxes as above."""

MOUTH_COEFFICIENTS: Final = (-2.289, -5.029, -2.452, -0.271, 0.253, 0.051)
"""Offset, then one slope for each of ``FaceRegions.mouth_features``."""
_COVERED: Final = 1.0
"""The log odds above which the mouth is covered."""
_LEAST_CHROMA: Final = 3.0
"""The least chroma of skin, CIELAB; below it the image is grey, and colours of the face cannot be
compared."""
_OPEN_MOUTH: Final = 0.12
"""The opening of the lips over the width of the mouth from which MediaPipe's landmarks show an open mouth.
They shut a covered mouth: of 147 covered mouths 95% measure less than 0.07. dlib's landmarks do not."""
_INNER_LIPS: Final = ((82, 87), (13, 14), (312, 317))
_MOUTH_CORNERS: Final = (61, 291)
"""Indices of MediaPipe's landmarks: pairs on the inner edges of the upper and the lower lip; the corners of
the mouth."""

_MEDIAPIPE: Final = "mediapipe478"
_LEAST_MEASURED: Final = 2
"""Least number of measured frames for a conclusion about a scan. Behind dark glasses the eyes do not change,
so few frames of such a scan have landmarks."""


class Cover(StrEnum):
    """What covers a face."""

    NOTHING = "NOTHING"
    SUNGLASSES = "SUNGLASSES"
    EYES = "EYES"
    MASK = "MASK"
    MOUTH = "MOUTH"
    FACE = "FACE"


@dataclass(frozen=True, slots=True)
class FaceRegions:
    """Measurements of the regions of a face that something may cover.

    Attributes:
        eyes_alike: Likeness of the more eye-like eye to the average eye, -1 to 1.
        eyes_dark: The 75th percentile of the luma of the brighter eye region, over the median luma of cheeks
            and nose.
        mouth_grey: Likeness of the mouth to the average mouth in grey, -1 to 1.
        mouth_red: The same in redness.
        lips: See ``vision.mouth_colours.MouthColours``.
        cheek: As ``lips``.
        skin: As ``lips``.
        one_colour: Whether a lower cheek is closer in colour to the mouth than to the skin above a mask.
        coloured: Whether the face has enough colour to measure the mouth.
    """

    eyes_alike: float
    eyes_dark: float
    mouth_grey: float
    mouth_red: float
    lips: float
    cheek: float
    skin: float
    one_colour: bool
    coloured: bool

    @property
    def mouth_features(self) -> tuple[float, float, float, float, float]:
        """In the order of ``MOUTH_COEFFICIENTS``."""
        return self.mouth_grey, self.mouth_red, self.lips, self.cheek, self.skin

    @property
    def mouth_covered(self) -> float:
        """The log odds that something covers the mouth, if covered and bare mouths are equally frequent."""
        offset, *slopes = MOUTH_COEFFICIENTS
        return offset + sum(slope * one for slope, one in zip(slopes, self.mouth_features, strict=True))


def observe_cover(image: BgrImage, face: DetectedFace, landmarks: Landmarks, pose: HeadPose) -> Cover | None:
    """Return what covers a face. This takes about 1.6 ms.

    Args:
        image: The upright frame.
        landmarks: Its dense landmarks.

    Returns: ``Cover.NOTHING`` if the eyes are visible and no cover was measured on the mouth; ``None`` if the
        face is small, turned or not wholly in the frame. The mouth is measured with MediaPipe's landmarks
        only: with dlib's, the colours of a screen flash look like a cover.
    """
    if face.eye_distance < _SMALLEST or abs(pose.yaw) > _TURNED:
        return None
    regions = measure_regions(image, face, landmarks)
    if regions is None:
        return None
    untested = landmarks.scheme != _MEDIAPIPE
    return name_cover(
        regions, eyes_shut=eyes_are_shut(landmarks), mouth_open=untested or mouth_is_open(landmarks)
    )


def measure_regions(image: BgrImage, face: DetectedFace, landmarks: Landmarks) -> FaceRegions | None:
    """Measure the regions of a face; ``None`` if the landmarks cannot be used or the face is cut off.

    Args:
        image: The upright frame.
        landmarks: Its dense landmarks.
    """
    found = cut_regions(image, face, landmarks)
    return None if found is None else regions_of_part(*found)


def cut_regions(
    image: BgrImage, face: DetectedFace, landmarks: Landmarks
) -> tuple[BgrImage, NDArray[np.float64]] | None:
    """Cut out the aligned part of a face that is measured.

    Args:
        image: The upright frame.
        landmarks: Its dense landmarks.

    Returns:
        The part, shape (160, 158, 3), and in it the corners of the eyes as ``vision.geometry.eye_corners``
        gives them; ``None`` as for ``measure_regions``.
    """
    parts, corners = face_parts(face.five_points, landmarks), eye_corners(landmarks)
    if parts is None or corners is None or float(np.ptp(parts.five, axis=0).max()) <= 0.0:
        return None
    matrix = similarity_transform(parts.five.astype(np.float32), FIVE_ALIGNED)
    reach = _reach(matrix)
    height, width = image.shape[:2]
    if reach is None or (reach < 0).any() or (reach > (width - 1, height - 1)).any():
        return None
    left, top, right, bottom = _AREA
    moved = matrix - np.array([[0, 0, left], [0, 0, top]])
    part = cv2.warpAffine(image, moved, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    small = cv2.resize(part, None, fx=1 / _REDUCTION, fy=1 / _REDUCTION, interpolation=cv2.INTER_AREA)
    placed = corners @ moved[:, :2].T + moved[:, 2]
    return small.astype(np.uint8, copy=False), (placed + 0.5) / _REDUCTION - 0.5


def regions_of_part(part: BgrImage, corners: NDArray[np.float64]) -> FaceRegions:
    """Measure the regions of a face in its aligned part; the arguments are results of ``cut_regions``."""
    left, top, _, _ = _AREA
    x, y = (PART[0] - left) // _REDUCTION, (PART[1] - top) // _REDUCTION
    colours = colours_of_mouth(part[y : y + PART_SIZE[1], x : x + PART_SIZE[0]], least_chroma=0.0)
    grey, red = _mouth_likeness(part)
    skin, mouth = _colour(part, _UPPER_FACE), _colour(part, (_MOUTH,))
    cheeks = [_colour(part, (box,)) for box in _LOWER_CHEEKS]
    (one, other), pieces = corners, []
    for (outer, inner), mirrored in ((one, False), (other, True)):
        pieces.append(eye_piece(part, outer, inner, mirrored=mirrored, least_width=_LEAST_EYE))
    around = float(np.median(np.concatenate([_pixels(part, box) for box in _CHEEKS]) @ _LUMA))
    return FaceRegions(
        eyes_alike=max(-1.0 if piece is None else eye_likeness(piece) for piece in pieces),
        eyes_dark=max(_eye_luma(part, eye) for eye in corners) / max(around, 1.0),
        mouth_grey=grey,
        mouth_red=red,
        lips=0.0 if colours is None else colours.lips,
        cheek=0.0 if colours is None else colours.cheek,
        skin=0.0 if colours is None else colours.skin,
        one_colour=min(_apart(cheek, skin) for cheek in cheeks)
        > min(_apart(cheek, mouth) for cheek in cheeks),
        coloured=math.hypot(skin[1], skin[2]) >= _LEAST_CHROMA,
    )


def name_cover(regions: FaceRegions, *, eyes_shut: bool, mouth_open: bool) -> Cover:
    """Return what covers a face by its measurements.

    Args:
        eyes_shut: Whether the landmarks show shut eyes, which look as little like an open eye as hidden ones.
        mouth_open: Whether the landmarks show an open mouth, which nothing covers.
    """
    sunglasses = any(
        regions.eyes_alike < alike and regions.eyes_dark < dark for alike, dark in _HIDDEN_BY_LENSES
    )
    eyes = sunglasses or (regions.eyes_alike < _UNLIKE_AN_EYE and not eyes_shut)
    mouth = regions.coloured and not mouth_open and regions.mouth_covered > _COVERED
    if eyes and mouth:
        return Cover.FACE
    if eyes:
        return Cover.SUNGLASSES if sunglasses else Cover.EYES
    if mouth:
        return Cover.MASK if regions.one_colour else Cover.MOUTH
    return Cover.NOTHING


def eyes_are_shut(landmarks: Landmarks) -> bool:
    """Return whether the landmarks show shut eyes."""
    return sum(eye_aspect_ratio(landmarks)) / 2 < _SHUT


def mouth_is_open(landmarks: Landmarks) -> bool:
    """Return whether the landmarks show an open mouth; never for landmarks other than MediaPipe's."""
    if landmarks.scheme != _MEDIAPIPE:
        return False
    points = landmarks.points.astype(np.float64)
    left, right = points[list(_MOUTH_CORNERS)]
    opening = max(float(np.linalg.norm(points[one] - points[other])) for one, other in _INNER_LIPS)
    return opening > _OPEN_MOUTH * float(np.linalg.norm(right - left))


def most_covered(covers: Sequence[Cover | None]) -> Cover | None:
    """Return what covers the face in most measured frames of a scan.

    Args:
        covers: The frames in order; ``None`` for frames that were not measured.

    Returns:
        The most frequent cover if more than half of the measured frames have one, and 2 or more were
        measured; ``None`` otherwise.
    """
    measured = [cover for cover in covers if cover is not None]
    covered = Counter(cover for cover in measured if cover is not Cover.NOTHING)
    if len(measured) < _LEAST_MEASURED or 2 * covered.total() <= len(measured):
        return None
    return covered.most_common(1)[0][0]


def _reach(matrix: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the corners of the part, from the eyes to the chin, that must lie within the frame."""
    if float(np.hypot(matrix[0, 0], matrix[1, 0])) <= 0.0:
        return None
    left, top, right, bottom = PART
    corners = np.array([(left, top, 1), (right, top, 1), (left, bottom, 1), (right, bottom, 1)], np.float64)
    return np.asarray(corners @ cv2.invertAffineTransform(matrix).T, dtype=np.float64)


def _mouth_likeness(part: BgrImage) -> tuple[float, float]:
    """Return the correlation of the mouth with the average mouth, in grey and in redness."""
    area = _box(part, MOUTH_AREA)
    small = cv2.resize(area, MOUTH_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB).astype(np.float64)
    grey, red = lab[..., 0], lab[..., 1] - lab[..., 2] / 2
    return _correlation(grey, GREY_MOUTH), _correlation(red, RED_MOUTH)


def _correlation(piece: NDArray[np.float64], template: NDArray[np.float64]) -> float:
    centred = piece - piece.mean()
    length = float(np.linalg.norm(centred))
    return float((centred * template).sum()) / length if length > 0 else 0.0


def _eye_luma(part: BgrImage, eye: NDArray[np.float64]) -> float:
    """Return the 75th percentile of the luma around an eye; infinity if it lies outside the part."""
    (x, y), width = eye.mean(axis=0), float(np.linalg.norm(eye[1] - eye[0]))
    across, down = (share * width for share in _EYE_REACH)
    rows = slice(max(0, int(y - down)), max(0, int(y + down)))
    columns = slice(max(0, int(x - across)), max(0, int(x + across)))
    region = part[rows, columns].reshape(-1, 3)
    return float(np.percentile(region @ _LUMA, 75)) if region.size else math.inf


def _colour(part: BgrImage, boxes: Sequence[tuple[int, int, int, int]]) -> Colour:
    pixels = np.concatenate([_pixels(part, box) for box in boxes]).astype(np.float32) / np.float32(255)
    lab = cv2.cvtColor(pixels[None], cv2.COLOR_BGR2LAB)[0]
    return np.asarray(np.median(lab, axis=0), dtype=np.float64)


def _apart(one: Colour, other: Colour) -> float:
    """Return the distance of two colours; lightness counts half, because a face is shaded."""
    lightness, a, b = (one - other).tolist()
    return math.hypot(lightness / 2, a, b)


def _pixels(part: BgrImage, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    return _box(part, box).reshape(-1, 3)


def _box(part: BgrImage, box: tuple[int, int, int, int]) -> BgrImage:
    (left, top, right, bottom), (x, y, _, _) = box, _AREA
    rows = slice((top - y) // _REDUCTION, (bottom - y) // _REDUCTION)
    return part[rows, (left - x) // _REDUCTION : (right - x) // _REDUCTION]
