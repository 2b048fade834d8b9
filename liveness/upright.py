"""Whether faces stand upright in a scan's pictures, or whether the pictures are turned another way than said.

Detectors are trained on upright faces. Of a picture that is turned some find nothing, and others find a face
with points where an upright one's would be: what is cropped by them resembles nobody. So the points do not
tell, but the detector's confidence does. For 300 photos, each turned three ways, it was higher by 0.03 or
more for the upright picture in 295 to 299 (YuNet) and in 297 or 298 (SCRFD), and lower by as much in 1 and 2
of them. dlib's detectors found 103 of 120 upright photos and were surer of each of them than of it turned.
Of 31 live clips no upright one was taken for a turned one with any of the three; of the 93 turned ones 2
(YuNet), 2 (SCRFD) and 1 (dlib) were taken for upright at some time.
"""

import math
from collections.abc import Callable, Sequence
from enum import Enum, auto

import numpy as np

from vision.face import BgrImage, DetectedFace

__all__ = ["UprightFaces"]

_TILTED_DEGREES = 60.0
"""Tilt of the head in the picture from which a face is not taken for upright, however it was found."""
_SURER = 0.03
"""How much surer a detector must be of a turned picture than of the picture as it came."""
_SURE = 0.6
_QUARTER_TURNS = (1, 2, 3)
_ENOUGH = 2
"""Pictures in a row that must be found turned: one alone can be an odd one."""
_LOOKS_APART = 8
"""Looks between two comparisons where nothing is found, or the pictures are known to be turned."""


class _Finding(Enum):
    UPRIGHT = auto()
    TURNED = auto()
    UNSURE = auto()


class UprightFaces:
    """Finds the faces of an attempt's pictures as long as they stand upright; finds none in turned ones.

    A turned face proves nothing in either direction: it is not the person's doing that it resembles nobody.
    Most attempts cost three further looks at one picture. Belongs to one attempt.
    """

    def __init__(self, find_faces: Callable[[BgrImage], Sequence[DetectedFace]]) -> None:
        """Knows nothing yet.

        Args:
            find_faces: Finds the faces of a picture, largest first.
        """
        self._find = find_faces
        self._settled = False
        self._turned = 0
        self._looks = _LOOKS_APART
        self._tilted = False

    @property
    def turned(self) -> bool:
        """Whether the pictures are turned, as far as the latest look tells."""
        return self._tilted or self._turned >= _ENOUGH

    def __call__(self, pixels: BgrImage) -> Sequence[DetectedFace]:
        """The faces of a picture, largest first; none where they do not stand upright."""
        faces = self._find(pixels)
        face = faces[0] if faces else None
        self._tilted = face is not None and abs(_tilt(face)) > _TILTED_DEGREES
        if self._tilted:
            return ()
        if not self._settled:
            self._looks += 1
            if self._is_due(face):
                self._looks = 0
                self._note(self._compare(pixels, face))
        return () if self._turned else faces

    def _is_due(self, face: DetectedFace | None) -> bool:
        if self._turned == 1 or self._looks > _LOOKS_APART:
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
        """How sure the detector is of the picture as it came, and of the three ways to turn it."""
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
    """Degrees from upright of the line from the mouth to the eyes, -180..180."""
    left_eye, right_eye, _, left_mouth, right_mouth = face.five_points.astype(np.float64)
    across, down = (left_eye + right_eye - left_mouth - right_mouth).tolist()
    return math.degrees(math.atan2(across, -down))
