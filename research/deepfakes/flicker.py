"""Marks of a swap over time: identity, landmarks and pixels that change from frame to frame on their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Embedding, HeadPose, Points

__all__ = ["SeenFace", "time_marks"]

_STEADY: Final = 3.0
"""The largest change of yaw or pitch between two frames at constant pose, degrees."""
_LEAST_PAIRS: Final = 4
_FIRM: Final = (33, 133, 362, 263, 6, 168, 197, 195, 5, 4, 1, 2, 98, 327)
"""Points of eyes, nose bridge and nose, which expressions move least."""
_SIDE: Final = 96


@dataclass(frozen=True, slots=True)
class SeenFace:
    """One face of a clip.

    Attributes:
        number: Number of the frame among those that were read.
        image: The frame.
        mesh: MediaPipe's 478 points.
        pose: The head's pose.
        template: The embedding; ``None`` if it was not computed.
    """

    number: int
    image: BgrImage
    mesh: Points
    pose: HeadPose
    template: Embedding | None


def time_marks(faces: Sequence[SeenFace]) -> dict[str, float]:
    """Return each mark by name; one without enough frames is missing."""
    marks = {}
    known = [face for face in faces if face.template is not None]
    apart = [
        1 - float(np.dot(one.template, other.template))
        for one, other in pairwise(known)
        if one.template is not None and other.template is not None and _steady(one, other)
    ]
    if len(apart) >= _LEAST_PAIRS:
        marks["identity flicker"] = float(np.median(apart))
    triples = [
        three
        for three in zip(faces, faces[1:], faces[2:], strict=False)
        if three[2].number - three[0].number == 2 and _steady(three[0], three[2])
    ]
    if len(triples) >= _LEAST_PAIRS:
        shaken = [_shake(*(face.mesh for face in three)) for three in triples]
        marks["landmark flicker"] = float(np.median(shaken))
        marks["pixel flicker"] = float(np.median([_pixels(three) for three in triples]))
    return marks


def _steady(one: SeenFace, other: SeenFace) -> bool:
    return max(abs(one.pose.yaw - other.pose.yaw), abs(one.pose.pitch - other.pose.pitch)) < _STEADY


def _shake(before: Points, now: Points, after: Points) -> float:
    """Return the mean distance of the firm points from their mean position in the frames before and after.

    Both frames are aligned to this one. The unit is the distance between the outer eye corners.
    """
    meshes = [_laid(mesh, now) for mesh in (before, after)]
    scale = float(np.linalg.norm(now[33] - now[263]))
    middle = (meshes[0] + meshes[1]) / 2
    return float(np.linalg.norm(middle - now[list(_FIRM)], axis=1).mean()) / scale


def _laid(mesh: Points, onto: Points) -> NDArray[np.float64]:
    matrix = _matrix(mesh[list(_FIRM)], onto[list(_FIRM)])
    return mesh[list(_FIRM)].astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]


def _matrix(points: NDArray[np.float32], onto: NDArray[np.float32]) -> NDArray[np.float64]:
    found, _ = cv2.estimateAffinePartial2D(points, onto, method=cv2.LMEDS)
    # OpenCV's stubs do not declare that there may be no such transform.
    return np.asarray(found, np.float64).reshape(2, 3) if np.size(found) == 6 else np.eye(2, 3)


def _pixels(three: Sequence[SeenFace]) -> float:
    """Return the log of the change within the face over that around it, with both frames aligned."""
    laid = []
    for face in three:
        points = face.mesh
        target = np.array([[0.36, 0.42], [0.64, 0.42], [0.5, 0.56]], np.float32) * _SIDE
        matrix = _matrix(points[[33, 263, 1]], target)
        grey = cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY).astype(np.float32)
        laid.append(cv2.warpAffine(grey, matrix, (_SIDE, _SIDE), flags=cv2.INTER_AREA))
    change = np.abs(laid[1] - (laid[0] + laid[2]) / 2)
    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE] / _SIDE
    far = np.hypot((columns - 0.5) / 0.30, (rows - 0.54) / 0.36)
    inside, around = change[far < 0.75], change[(far > 1.15) & (far < 1.5) & (rows > 0.4)]
    return float(np.log((np.median(inside) + 0.05) / (np.median(around) + 0.05)))
