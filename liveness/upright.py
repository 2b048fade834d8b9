"""Decides whether faces are upright in a scan's frames, as the device states, or the frames are rotated.

Detectors are trained on upright faces. In a rotated frame some detect nothing, and others detect a face with
points at the places of an upright one, so that its crop matches no person. The points therefore do not show
the rotation, but the detector's confidence does. For 300 photos, each rotated in three ways, it was higher by
0.03 or more for the upright photo in 295 to 299 (YuNet) and in 297 or 298 (SCRFD), and lower by as much in 1
and 2 of them. dlib's detectors found 103 of 120 upright photos, each with a higher confidence than when
rotated. Of 31 live clips no upright one counted as rotated with any of the three. Of the 93 rotated ones, 2
(YuNet), 2 (SCRFD) and 1 (dlib) counted as upright at some time.
"""

import math
from collections.abc import Callable, Sequence
from enum import Enum, auto

import numpy as np

from vision.face import BgrImage, DetectedFace

_TILTED_DEGREES = 60.0
"""The tilt of the head above which a face never counts as upright, degrees."""
_SURER = 0.03
"""The least excess of the confidence in a rotated frame over that in the original, if the frame counts as
rotated."""
_SURE = 0.6
_QUARTER_TURNS = (1, 2, 3)
_ENOUGH = 2
"""The number of comparisons in a row that must show a rotation, because a single one may be an outlier."""
_LOOKS_APART = 8
"""The number of detections between two comparisons if no face is detected, or the frames are known to be
rotated."""


class _Finding(Enum):
    UPRIGHT = auto()
    TURNED = auto()
    UNSURE = auto()


class UprightFaces:
    """Detects the faces of an attempt's frames if they are upright; detects none in rotated frames.

    A rotated face proves nothing for or against the person, so a failed match of it does not count against
    them. Most attempts cost three further detections in one frame. Belongs to one attempt.
    """

    def __init__(self, find_faces: Callable[[BgrImage], Sequence[DetectedFace]]) -> None:
        """Starts without a comparison.

        Args:
            find_faces: Detects the persons of a frame, the subject first.
        """
        self._find = find_faces
        self._settled = False
        self._turned = 0
        self._since_attempt = _LOOKS_APART
        self._tilted = False

    @property
    def turned(self) -> bool:
        """Whether the frames are rotated, according to the latest detection."""
        return self._tilted or self._turned >= _ENOUGH

    def __call__(self, pixels: BgrImage) -> Sequence[DetectedFace]:
        """Returns the persons of a frame, the subject first; none if they are not upright."""
        faces = self._find(pixels)
        face = faces[0] if faces else None
        self._tilted = face is not None and abs(_tilt(face)) > _TILTED_DEGREES
        if self._tilted:
            return ()
        if not self._settled:
            self._since_attempt += 1
            if self._is_due(face):
                self._since_attempt = 0
                self._note(self._compare(pixels, face))
        return () if self._turned else faces

    def _is_due(self, face: DetectedFace | None) -> bool:
        if self._turned == 1 or self._since_attempt > _LOOKS_APART:
            return True
        return face is not None and not self._turned

    def _note(self, finding: _Finding) -> None:
        match finding:
            case _Finding.UPRIGHT:
                self._settled = True
                self._turned = 0
            case _Finding.TURNED:
                self._turned += 1
            case _Finding.UNSURE:
                pass

    def _compare(self, pixels: BgrImage, face: DetectedFace | None) -> _Finding:
        """Compares the detector's confidence in the original frame with that in its three rotations."""
        here = 0.0 if face is None else face.confidence
        elsewhere = max(
            (
                found[0].confidence
                for turns in _QUARTER_TURNS
                if (found := self._find(np.ascontiguousarray(np.rot90(pixels, turns))))
            ),
            default=0.0,
        )
        if face is not None and here >= elsewhere:
            return _Finding.UPRIGHT
        if elsewhere >= max(_SURE, here + _SURER):
            return _Finding.TURNED
        return _Finding.UNSURE


def _tilt(face: DetectedFace) -> float:
    """Returns the angle between upright and the line from the mouth to the eyes, degrees, -180..180."""
    left_eye, right_eye, _, left_mouth, right_mouth = face.five_points.astype(np.float64)
    across, down = (left_eye + right_eye - left_mouth - right_mouth).tolist()
    return math.degrees(math.atan2(across, -down))
