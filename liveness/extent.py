"""The size and position of a face, independent of the detector, and a typical head's relief on it.

**Upright faces.** Detectors are trained on upright faces. In a rotated frame some detect nothing, and others
detect a face with points at the places of an upright one, so that its crop matches no person. The points
therefore do not show the rotation, but the detector's confidence does. For 300 photos, each rotated in three
ways, it was higher by 0.03 or more for the upright photo in 295 to 299 (YuNet) and in 297 or 298 (SCRFD), and
lower by as much in 1 and 2 of them. dlib's detectors found 103 of 120 upright photos, each with a higher
confidence than when rotated. Of 31 live clips no upright one counted as rotated with any of the three. Of the
93 rotated ones, 2 (YuNet), 2 (SCRFD) and 1 (dlib) counted as upright at some time.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, DetectedFace

_EYES_TO_MOUTH = 1.16
"""The distance of eyes and mouth over the distance between the eyes, of a frontal face (ArcFace's
template)."""

_WIDTH = 2.15
_HEIGHT = 2.9
_RISE = 0.2
"""Width and height of the extent, and how far its centre lies above the middle of eyes and mouth, in
distances between the eyes of a frontal face: medians of SCRFD's boxes on 24 clips."""


@dataclass(frozen=True, slots=True)
class FaceExtent:
    """The upright rectangle from ear to ear and from hairline to chin, frame pixels.

    Detectors draw their boxes differently: from brow to chin, or from crown to neck. This extent comes only
    from the five points, so that thresholds in face widths hold for every pack. Its proportions are medians
    of SCRFD's boxes on 24 clips.

    Attributes:
        x: x of the centre.
        y: y of the centre.
        width: From ear to ear; constant while the head turns, because it follows the larger of the eye
            distance and the scaled eye-to-mouth distance.
    """

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """The left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """The top edge."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """The bottom edge."""
        return self.y + self.height / 2

    def share_inside(self, width: int, height: int) -> float:
        """Return the share of the rectangle, 0..1, that lies inside a frame of this size."""
        across = min(self.right, width) - max(self.left, 0.0)
        down = min(self.bottom, height) - max(self.top, 0.0)
        return max(0.0, across) * max(0.0, down) / (self.width * self.height)


def face_extent(face: DetectedFace) -> FaceExtent:
    """Return the extent of ``face``; its width is at least one pixel."""
    # Plain floats: the function is called several times a frame, and arrays of two cost ten times as much.
    (left_x, left_y), (right_x, right_y), _, (corner_x, corner_y), (other_x, other_y) = (
        face.five_points.tolist()
    )
    eyes_x, eyes_y = (left_x + right_x) / 2, (left_y + right_y) / 2
    mouth_x, mouth_y = (corner_x + other_x) / 2, (corner_y + other_y) / 2
    across, down = mouth_x - eyes_x, mouth_y - eyes_y
    unit = max(face.eye_distance, math.hypot(across, down) / _EYES_TO_MOUTH, 1 / _WIDTH)
    rise = _RISE / _EYES_TO_MOUTH
    return FaceExtent(
        x=(eyes_x + mouth_x) / 2 - rise * across,
        y=(eyes_y + mouth_y) / 2 - rise * down,
        width=_WIDTH * unit,
        height=_HEIGHT * unit,
    )


_NOSE_WIDTH: Final = 0.1
"""The standard deviation of the nose's profile across the face, face widths."""

_BRIDGE: Final = 0.7
"""The upper end of the nose, as a share of the way from its tip to the eyes."""

_UNDER: Final = 0.45
"""The lower end of the nose, as a share of the way from its tip to the mouth."""

_HEAD_HALF_WIDTH, _HEAD_HALF_HEIGHT, _HEAD_DEPTH = 0.62, 0.85, 0.6
"""Half axes of the ellipsoid that models a head without its nose, face widths. A head is about as deep from
ear to brow as half its width, and curves faster across than along."""

_CENTRE: Final = 0.3
"""The foremost place of the ellipsoid, as a share of the way from the nose's tip to the eyes."""
_RIM: Final = 0.02
"""The squared share of the depth at the ellipsoid's rim. Places beyond the rim count as on it."""
_NEAREST: Final = 1e-3
"""The least distance of eyes and mouth above and below the nose's tip, face widths."""


@dataclass(frozen=True, slots=True, eq=False)
class FacePlaces:
    """Points on an upright face, in face widths.

    Attributes:
        places: Shape (n, 2): x across and y down the face, from the nose's tip.
        upright: Shape (2, 2): its columns are the x and y directions in the frame.
        eyes: y of the eyes, below 0.
        mouth: y of the mouth, above 0.
    """

    places: NDArray[np.float64]
    upright: NDArray[np.float64]
    eyes: float
    mouth: float


def places_on_face(points: NDArray[np.float64], face: DetectedFace) -> FacePlaces:
    """Convert points of the frame to the coordinates of an upright face.

    Args:
        points: Shape (n, 2), in pixels of the frame.
    """
    width = face_extent(face).width
    five = face.five_points.astype(np.float64)
    along = five[1] - five[0]
    along /= max(float(np.linalg.norm(along)), 1e-9)
    upright = np.stack([along, (-along[1], along[0])], axis=1)
    eyes, mouth = (five[0] + five[1]) / 2, (five[3] + five[4]) / 2
    return FacePlaces(
        places=(points - five[2]) @ upright / width,
        upright=upright,
        # In profile, the nose's tip may be as high as the eyes or as low as the mouth.
        eyes=min(float((eyes - five[2]) @ upright[:, 1]) / width, -_NEAREST),
        mouth=max(float((mouth - five[2]) @ upright[:, 1]) / width, _NEAREST),
    )


def nose_ridge(where: FacePlaces) -> NDArray[np.float64]:
    """Return how far a nose stands out at each place, 0..1: a ridge from bridge to tip."""
    x, y = where.places.T
    rising = np.clip(1 - y / (_BRIDGE * where.eyes), 0, 1)
    falling = np.clip(1 - y / (_UNDER * where.mouth), 0, 1)
    ridge: NDArray[np.float64] = np.where(y <= 0, rising, falling) * np.exp(-((x / _NOSE_WIDTH) ** 2) / 2)
    return ridge


def head_curve(where: FacePlaces) -> NDArray[np.float64]:
    """Return a head's depth, without a nose, relative to its foremost point, face widths; 0 or less."""
    x, y = where.places.T
    inside = 1 - (x / _HEAD_HALF_WIDTH) ** 2 - ((y - _CENTRE * where.eyes) / _HEAD_HALF_HEIGHT) ** 2
    curve: NDArray[np.float64] = _HEAD_DEPTH * (np.sqrt(np.clip(inside, _RIM, 1)) - 1)
    return curve


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


class UprightFaces:
    """Detects the faces of an attempt's frames if they are upright; detects none in rotated frames.

    A rotated face proves nothing for or against the person, so a failed match of it does not count against
    them. Most attempts cost three further detections in one frame. Belongs to one attempt.
    """

    def __init__(self, find_faces: Callable[[BgrImage], Sequence[DetectedFace]]) -> None:
        """Start without a comparison.

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
        """Return the persons of a frame, the subject first; none if they are not upright."""
        faces = self._find(pixels)
        face = faces[0] if faces else None
        self._tilted = face is not None and abs(_tilt(face)) > _TILTED_DEGREES
        if self._tilted:
            return ()
        if not self._settled:
            self._since_attempt += 1
            if self._is_due(face):
                self._since_attempt = 0
                match self._is_upright(pixels, face):
                    case True:
                        self._settled, self._turned = True, 0
                    case False:
                        self._turned += 1
        return () if self._turned else faces

    def _is_due(self, face: DetectedFace | None) -> bool:
        if self._turned == 1 or self._since_attempt > _LOOKS_APART:
            return True
        return face is not None and not self._turned

    def _is_upright(self, pixels: BgrImage, face: DetectedFace | None) -> bool | None:
        """Compare the confidence in the original frame with that in its three rotations; None if unsure."""
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
            return True
        return False if elsewhere >= max(_SURE, here + _SURER) else None


def _tilt(face: DetectedFace) -> float:
    """Return the angle between upright and the line from the mouth to the eyes, degrees, -180..180."""
    left_eye, right_eye, _, left_mouth, right_mouth = face.five_points.astype(np.float64)
    across, down = (left_eye + right_eye - left_mouth - right_mouth).tolist()
    return math.degrees(math.atan2(across, -down))
