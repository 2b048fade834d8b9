"""The size and position of a face, independent of the detector."""

import math
from dataclasses import dataclass

from vision.face import DetectedFace

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
        height: From hairline to chin.
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


def face_extent(face: DetectedFace) -> FaceExtent:
    """Returns the extent of ``face``; its width is at least one pixel."""
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
