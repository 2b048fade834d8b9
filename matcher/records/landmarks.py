"""Landmarks (2011) or feature points (2005) of a face.

Sources: ISO/IEC 19794-5:2005, 5.6, and :2011, 5.6. The names of the points of type 1 are those of ISO/IEC
14496-2 (MPEG-4), annex C; group 12 is from 19794-5. Left and right are those of the person.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from matcher.records.codes import LandmarkType

__all__ = [
    "LANDMARK_BYTES",
    "LAYOUT",
    "MOST_LANDMARKS",
    "EyeCentres",
    "Landmark",
    "eye_centres",
    "eye_landmarks",
]

LANDMARK_BYTES: Final = 8
"""Length of a point in a record."""
MOST_LANDMARKS: Final = 1024
"""Limit of points in one face: the standards name about 150, dense meshes have 500."""
LAYOUT: Final = struct.Struct(">BBHHH")
"""Type, code, x, y and z (reserved in 2005) of a point."""
_LEFT_EYE: Final = 0xC1
_RIGHT_EYE: Final = 0xC2


@dataclass(frozen=True, slots=True)
class Landmark:
    """One point of the face.

    Attributes:
        type: A code of ``LandmarkType``, or a reserved one, 0..255.
        code: The group in the upper four bits and the point within it in the lower four, 0..255.
        x: Pixels from the left, 0..65535 (2011: for 3-D points in their own unit).
        y: Pixels from the top, 0..65535.
        z: Third coordinate of 3-D points; in a 2005 record two reserved bytes, kept unchanged.
    """

    type: int
    code: int
    x: int
    y: int
    z: int = 0

    @property
    def number(self) -> str:
        """The code as the standards print it, such as ``"12.1"``."""
        return f"{self.code >> 4}.{self.code & 0xF}"

    @property
    def name(self) -> str | None:
        """The name of the point; None if it has no name here."""
        return _MPEG_4_NAMES.get(self.code) if self.type == LandmarkType.MPEG_4 else None


@dataclass(frozen=True, slots=True)
class EyeCentres:
    """Positions of the eyes, in pixels from the top left corner of the stored image: (x, y).

    Attributes:
        left: The person's left eye (12.1), on the right of an image that is not mirrored.
        right: The person's right eye (12.2).
    """

    left: tuple[int, int]
    right: tuple[int, int]


def eye_centres(landmarks: Iterable[Landmark]) -> EyeCentres | None:
    """Return the points 12.1 and 12.2; None unless both are given. Of repeated points the last counts."""
    found = {
        point.code: (point.x, point.y)
        for point in landmarks
        if point.type == LandmarkType.MPEG_4 and point.code in {_LEFT_EYE, _RIGHT_EYE}
    }
    return EyeCentres(found[_LEFT_EYE], found[_RIGHT_EYE]) if len(found) == 2 else None


def eye_landmarks(eyes: EyeCentres) -> tuple[Landmark, Landmark]:
    """Return the points 12.1 and 12.2."""
    return (
        Landmark(LandmarkType.MPEG_4, _LEFT_EYE, *eyes.left),
        Landmark(LandmarkType.MPEG_4, _RIGHT_EYE, *eyes.right),
    )


_MPEG_4_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x21: "bottom of the chin",
        0x22: "middle of the inner upper lip contour",
        0x23: "middle of the inner lower lip contour",
        0x24: "left corner of the inner lip contour",
        0x25: "right corner of the inner lip contour",
        0x2A: "chin boss",
        0x2D: "left corner of the jaw bone",
        0x2E: "right corner of the jaw bone",
        0x31: "middle of the left eye's inner upper lid",
        0x32: "middle of the right eye's inner upper lid",
        0x33: "middle of the left eye's inner lower lid",
        0x34: "middle of the right eye's inner lower lid",
        0x35: "pupil of the left eye",
        0x36: "pupil of the right eye",
        0x37: "left corner of the left eye",
        0x38: "left corner of the right eye",
        0x3B: "right corner of the left eye",
        0x3C: "right corner of the right eye",
        0x41: "right corner of the left eyebrow",
        0x42: "left corner of the right eyebrow",
        0x43: "top of the left eyebrow",
        0x44: "top of the right eyebrow",
        0x45: "left corner of the left eyebrow",
        0x46: "right corner of the right eyebrow",
        0x81: "middle of the outer upper lip contour",
        0x82: "middle of the outer lower lip contour",
        0x83: "left corner of the outer lip contour",
        0x84: "right corner of the outer lip contour",
        0x91: "left border of the nostrils",
        0x92: "right border of the nostrils",
        0x93: "tip of the nose",
        0x9F: "bottom of the nose, middle",
        _LEFT_EYE: "centre of the left eye",
        _RIGHT_EYE: "centre of the right eye",
        0xC3: "centre of the left nostril",
        0xC4: "centre of the right nostril",
    }
)
