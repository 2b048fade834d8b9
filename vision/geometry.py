"""Alignment of faces, crops with their surroundings, and how far eyes and mouth are open.

Head pose is computed in ``vision.pose``; ``estimate_pose`` is exported here too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Box, DetectedFace, Landmarks, Points
from vision.image import GreyImage
from vision.pose import canonical_scale

ARCFACE_SIZE = 112
ARCFACE_TEMPLATE: NDArray[np.float32] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)
"""The positions of the five points for ArcFace-type embedders, in a 112 x 112 image.

Source: J. Deng et al., "ArcFace", CVPR 2019; the numbers are those of the InsightFace library
(``insightface/utils/face_align.py``, ``arcface_dst``).
"""
ARCFACE_TEMPLATE.setflags(write=False)

_IBUG68_LEFT_EYE = slice(36, 42)
_IBUG68_RIGHT_EYE = slice(42, 48)
_INSIGHTFACE106_LEFT_EYE = slice(33, 43)
_INSIGHTFACE106_RIGHT_EYE = slice(87, 97)
# In the order of iBUG's six points of an eye: a corner, two above, the other corner, two below.
_MEDIAPIPE478_LEFT_EYE = np.array([33, 160, 158, 133, 153, 144])
_MEDIAPIPE478_RIGHT_EYE = np.array([362, 385, 387, 263, 373, 380])
_EYE_CORNERS: Mapping[str, NDArray[np.intp]] = MappingProxyType(
    {
        "ibug68": np.array([[36, 39], [42, 45]]),
        "insightface106": np.array([[35, 39], [89, 93]]),
        "mediapipe478": np.array([[33, 133], [362, 263]]),
    }
)
"""Of the image's left and right eye, the left corner first. The indices of the 106 points follow their
counterparts among iBUG's 68, as several users of InsightFace's 2d106det map them."""


_MEDIAPIPE478_NOSE_AND_MOUTH = np.array([1, 61, 291])
"""The tip of the nose, and the corners of the mouth."""
_MEDIAPIPE478_LIPS = np.array([[82, 87], [13, 14], [312, 317]])
"""Pairs of points across the inner lips (MediaPipe's ``face_mesh_connections.py``)."""


def similarity_transform(source: Points, target: Points) -> NDArray[np.float64]:
    """Return the rotation, uniform scale and shift that bring ``source`` closest to ``target``.

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", IEEE PAMI 13(4), 1991; in two dimensions its solution is one complex division.

    Args:
        source: Shape (n, 2), n of 2 or more.
        target: Shape (n, 2).

    Returns:
        Shape (2, 3): the affine matrix. If all source points coincide, it only shifts.
    """
    # Plain numbers: this runs several times a frame on five points, and arrays would cost ten times as much.
    a, b = ([complex(x, y) for x, y in points.tolist()] for points in (source, target))
    a_mean, b_mean = sum(a) / len(a), sum(b) / len(b)
    a, b = [one - a_mean for one in a], [one - b_mean for one in b]
    spread = sum((one.conjugate() * one).real for one in a)
    product = sum(one.conjugate() * other for one, other in zip(a, b, strict=True))
    factor = product / spread if spread > 0 else complex(1)
    shift = b_mean - factor * a_mean
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def align_face(image: BgrImage, five_points: Points, size: int = ARCFACE_SIZE) -> BgrImage:
    """Return the aligned face for ArcFace-type embedders, with the five points at the template's positions.

    Args:
        five_points: Shape (5, 2), in the order of ``vision.face.DetectedFace``.
        size: Side of the result in pixels; the template is scaled with it.

    Returns:
        Shape (size, size, 3); black beyond the frame, as in training.
    """
    # InsightFace trained with pixel centres at whole numbers, so the template is scaled without a shift.
    template = (ARCFACE_TEMPLATE * (size / ARCFACE_SIZE)).astype(np.float32)
    matrix = similarity_transform(five_points, template)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def context_crop(image: BgrImage, box: Box, scale: float, size: int | tuple[int, int]) -> BgrImage:
    """Crop a square around a face and resize it. Pixels beyond the frame are mirrored from inside it.

    Mirroring avoids hard edges at the border, which PAD networks mistake for a photo's edge.

    ``scale`` is the side of the square divided by the longer side of the box, above 0; ``size`` the side, or
    (width, height), of the result in pixels.

    Returns:
        Shape (height, width, 3) of ``size``.
    """
    height, width = image.shape[:2]
    centre_x, centre_y = box.centre
    side = max(1, round(max(box.width, box.height) * scale))
    left, top = round(centre_x - side / 2), round(centre_y - side / 2)
    # Mirroring needs some pixels: a square outside the frame is moved until it touches the frame.
    left, top = min(max(left, 1 - side), width - 1), min(max(top, 1 - side), height - 1)
    right, bottom = left + side, top + side
    inner = image[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    missing = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    if any(missing):
        inner = cv2.copyMakeBorder(inner, *missing, borderType=cv2.BORDER_REFLECT_101).astype(
            np.uint8, copy=False
        )
    return _resize(inner, size)


def clamped_crop(image: BgrImage, box: Box, scale: float, size: int | tuple[int, int]) -> BgrImage:
    """Return the enlarged box of a face, reduced or moved to stay inside the frame.

    This is the crop of minivision-ai/Silent-Face-Anti-Spoofing (``src/generate_patches.py``), with which its
    networks were trained.

    ``scale`` is the sides of the crop divided by those of the box, above 0, as far as the frame reaches;
    ``size`` the side, or (width, height), of the result in pixels, whose aspect ratio is not kept.

    Returns:
        Shape (height, width, 3) of ``size``.
    """
    height, width = image.shape[:2]
    box_width, box_height = max(1.0, box.width), max(1.0, box.height)
    fitting = min(scale, (height - 1) / box_height, (width - 1) / box_width)
    crop_width, crop_height = box_width * fitting, box_height * fitting
    centre_x, centre_y = box.centre
    left = min(max(0.0, centre_x - crop_width / 2), max(0.0, width - 1 - crop_width))
    top = min(max(0.0, centre_y - crop_height / 2), max(0.0, height - 1 - crop_height))
    inner = image[int(top) : int(top + crop_height) + 1, int(left) : int(left + crop_width) + 1]
    return _resize(inner, size)


def _resize(crop: BgrImage, size: int | tuple[int, int]) -> BgrImage:
    across, down = (size, size) if isinstance(size, int) else size
    shrinks = crop.shape[0] > down and crop.shape[1] > across
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(crop, (across, down), interpolation=interpolation).astype(np.uint8, copy=False)


def eye_centres(landmarks: Landmarks) -> Points:
    """Return the eye centres: the means of the eyes' outlines, which gaze does not move.

    Returns:
        Shape (2, 2): of the image's left eye and right eye, pixels.

    Raises:
        ValueError: The scheme is unknown, which is a mistake in the caller's code.
    """
    return np.stack([eye.mean(axis=0) for eye in _outlines(landmarks)]).astype(np.float32)


def eye_corners(landmarks: Landmarks | None) -> NDArray[np.float64] | None:
    """Return the corners of the eyes.

    Returns:
        Shape (2, 2, 2), pixels: the image's left and right eye, each with its left corner first, as (x, y).
        None without finite landmarks of a known scheme.
    """
    if landmarks is None or landmarks.scheme not in _EYE_CORNERS:
        return None
    points = landmarks.points.astype(np.float64)
    if not np.isfinite(points).all():
        return None
    corners: NDArray[np.float64] = points[_EYE_CORNERS[landmarks.scheme]]
    return corners


def mesh_points(landmarks: Landmarks | None) -> Points | None:
    """Return the five points of ``DetectedFace`` from MediaPipe's mesh; an eye is between its corners.

    Returns:
        Shape (5, 2), pixels. None if the landmarks are not MediaPipe's 478, or not finite.
    """
    corners = eye_corners(landmarks)
    if corners is None or landmarks is None or landmarks.scheme != "mediapipe478":
        return None
    others = landmarks.points[_MEDIAPIPE478_NOSE_AND_MOUTH]
    return np.concatenate([corners.mean(axis=1), others]).astype(np.float32)


def eye_aspect_ratio(landmarks: Landmarks) -> tuple[float, float]:
    """Return how far the eyes are open: height divided by width of each.

    For ``ibug68`` and ``mediapipe478`` it is the ratio of T. Soukupová and J. Čech, "Real-Time Eye Blink
    Detection using Facial Landmarks", CVWW 2016, eq. 1; for ``insightface106`` it is height divided by width
    of the eye's ten points along the line between the eyes. If the landmarks have depth, an eye's width is
    measured in three dimensions. Otherwise the eye that a turned head shows from the side would measure as
    wider open.

    The ratios of open eyes are alike in all schemes, mostly 0.2..0.4. Those of closed eyes are not. In a clip
    of a person that closes and opens the eyes (190 frames), MediaPipe's points give less than 0.03 for closed
    eyes and more than 0.2 for open ones, with one frame in between; dlib's 68 points give mostly 0.09..0.16
    and 0.25..0.33.

    Returns:
        The image's left eye and right eye, each 0 or more; 0 for an eye without width.

    Raises:
        ValueError: The scheme is unknown, which is a mistake in the caller's code.
    """
    left, right = _outlines(landmarks)
    if landmarks.scheme == "insightface106":
        across = right.mean(axis=0) - left.mean(axis=0)
        angle = math.atan2(across[1], across[0])
        return _ratio_of_extents(left, angle), _ratio_of_extents(right, angle)
    if landmarks.scheme == "ibug68" or landmarks.depth is None:
        return _ratio_of_six(left), _ratio_of_six(right)
    depth = landmarks.depth.astype(np.float64)
    return (
        _ratio_of_six(left, depth[_MEDIAPIPE478_LEFT_EYE]),
        _ratio_of_six(right, depth[_MEDIAPIPE478_RIGHT_EYE]),
    )


def lip_gap(landmarks: Landmarks) -> float | None:
    """Return how far the mouth is open: the mean distance between the inner lips.

    It is measured in the head's own coordinates, so that neither distance nor pose of the head changes it.

    Returns:
        Centimetres on MediaPipe's canonical face, 0 or more. None if the landmarks are not MediaPipe's 478
        with depth, are not finite, or coincide.
    """
    scale = canonical_scale(landmarks)
    if scale is None or landmarks.depth is None:
        return None
    lips = np.column_stack([landmarks.points, landmarks.depth]).astype(np.float64)[_MEDIAPIPE478_LIPS]
    gap = scale * float(np.linalg.norm(lips[:, 0] - lips[:, 1], axis=1).mean())
    return gap if math.isfinite(gap) else None


def _outlines(landmarks: Landmarks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points around the image's left eye and right eye."""
    points = landmarks.points.astype(np.float64)
    match landmarks.scheme:
        case "ibug68":
            return points[_IBUG68_LEFT_EYE], points[_IBUG68_RIGHT_EYE]
        case "insightface106":
            return points[_INSIGHTFACE106_LEFT_EYE], points[_INSIGHTFACE106_RIGHT_EYE]
        case "mediapipe478":
            return points[_MEDIAPIPE478_LEFT_EYE], points[_MEDIAPIPE478_RIGHT_EYE]
    raise ValueError(f"unknown landmark scheme {landmarks.scheme!r}")


def _ratio_of_six(eye: NDArray[np.float64], depth: NDArray[np.float64] | None = None) -> float:
    width = float(np.linalg.norm(eye[3] - eye[0]))
    if depth is not None:
        width = math.hypot(width, float(depth[3] - depth[0]))
    heights = float(np.linalg.norm(eye[5] - eye[1]) + np.linalg.norm(eye[4] - eye[2]))
    return heights / (2 * width) if width > 0 else 0.0


def _ratio_of_extents(eye: NDArray[np.float64], angle: float) -> float:
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    width, height = np.ptp(eye @ turn.T, axis=0)
    return float(height / width) if width > 0 else 0.0


FIVE_ALIGNED: Final = np.array([[251, 272], [364, 272], [308, 336], [262, 402], [355, 402]], dtype=np.float32)
"""Positions of the five points in the aligned image of ISO/IEC 29794-5, pixels (OFIQ, ``alignImage``)."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceParts:
    """Reference points of one face.

    Attributes:
        five: Shape (5, 2), pixels: eye centres (halfway between an eye's corners), nose tip, mouth corners;
            in the order of ``vision.face.DetectedFace``.
        mouth_centre: Between the lips, shape (2,), pixels.
        outline: Points whose convex hull is the face from the brows to the chin, shape (n, 2), pixels; None
            if only five points are known.
    """

    five: NDArray[np.float64]
    mouth_centre: NDArray[np.float64]
    outline: NDArray[np.float64] | None


# From temple to temple along the chin, then the upper edges of the brows: MediaPipe's mesh also covers
# the forehead, which the standard's 98 points do not.
_CHEEKS_AND_CHIN: Final = (
    *(127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356),
)
_BROWS: Final = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_MEDIAPIPE478_OUTLINE: Final = np.array([*_CHEEKS_AND_CHIN, *_BROWS])


def face_parts(five_points: Points, landmarks: Landmarks | None) -> FaceParts | None:
    """Return the reference points, from the landmarks if given, else from the detector's five points.

    ``five_points`` has the shape (5, 2), as in ``DetectedFace``.

    Returns:
        The points; None if the five points are needed and not finite. Landmarks of an unknown scheme, or that
        are not finite, are ignored.
    """
    found = None if landmarks is None else _from_landmarks(landmarks)
    if found is not None:
        return found
    five = five_points.astype(np.float64)
    if not np.isfinite(five).all():
        return None
    return FaceParts(five=five, mouth_centre=five[3:].mean(axis=0), outline=None)


def _from_landmarks(landmarks: Landmarks) -> FaceParts | None:
    corners = eye_corners(landmarks)
    if corners is None:
        return None
    points = landmarks.points.astype(np.float64)
    match landmarks.scheme:
        case "ibug68":
            tip_and_mouth, lips, outline = points[[30, 48, 54]], points[[62, 66]], points
        case "insightface106":
            tip_and_mouth, lips, outline = points[[86, 52, 61]], points[52:72], points
        case "mediapipe478":
            tip_and_mouth, lips = points[[4, 61, 291]], points[[13, 14]]
            outline = points[_MEDIAPIPE478_OUTLINE]
        case _:
            return None
    five = np.concatenate([corners.mean(axis=1), tip_and_mouth])
    return FaceParts(five=five, mouth_centre=lips.mean(axis=0), outline=outline)


FaceChip = NDArray[np.uint8]
"""A face from the brows to the chin, grey, of shape ``CHIP_SHAPE``. It is biometric data."""

CHIP_SHAPE: Final = (120, 96)
"""Rows and columns of a chip."""

_SCALE: Final = 1.25
_CORNER: Final = np.array([17.6, 17.0], np.float32)

CHIP_POINTS: Final = (ARCFACE_TEMPLATE - _CORNER) * np.float32(_SCALE)
"""The positions of ``DetectedFace.five_points`` in a chip, shape (5, 2), pixels."""

CHIP_EYE_DISTANCE: Final = float(np.linalg.norm(CHIP_POINTS[1] - CHIP_POINTS[0]))
"""The distance between the eyes in a chip, pixels."""

_LEAST_BLUR: Final = 0.7
"""The scale from which on a picture is not smoothed before it is reduced."""
_BLUR, _MOST_BLUR = 0.4, 8.0
_MARGIN: Final = 4


def cut_chip(picture: GreyImage, face: DetectedFace) -> FaceChip:
    """Return the chip of a face; beyond the picture's border its outermost pixels are repeated.

    The picture is upright, shape (height, width), 0..255.
    """
    matrix = similarity_transform(face.five_points, CHIP_POINTS)
    height, width = picture.shape
    rows, columns = CHIP_SHAPE
    corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]], np.float64)
    inverse = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    reached = corners @ inverse[:, :2].T + inverse[:, 2]
    left, top = (
        int(np.clip(value, 0, limit - 1))
        for value, limit in zip(reached.min(axis=0) - _MARGIN, (width, height), strict=True)
    )
    right, bottom = (
        int(np.clip(value, start + 1, limit))
        for value, start, limit in zip(
            reached.max(axis=0) + _MARGIN, (left, top), (width, height), strict=True
        )
    )
    part = np.ascontiguousarray(picture[top:bottom, left:right])
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < _LEAST_BLUR:
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), min(_MOST_BLUR, _BLUR / scale)), np.uint8)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (left, top)
    chip = cv2.warpAffine(
        part, moved, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(chip, np.uint8)
