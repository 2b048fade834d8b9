"""How large a face is and where, alike for every detector."""

from dataclasses import dataclass

import numpy as np

from vision.face import DetectedFace

_EYES_TO_MOUTH = 1.16
"""Distance eyes to mouth over distance between the eyes of a frontal face (ArcFace's template)."""

_WIDTH = 2.15
_HEIGHT = 2.9
_RISE = 0.2


@dataclass(frozen=True, slots=True)
class FaceExtent:
    """The upright rectangle from ear to ear and from hairline to chin, frame pixels.

    Detectors draw their boxes differently: from brow to chin, or from crown to neck. This extent
    comes from the five points alone, so that thresholds in face widths hold for every pack. Its
    proportions are medians of SCRFD's boxes on 24 clips.

    Attributes:
        x: Centre.
        y: Centre.
        width: Stays the same while the head turns, as the larger of eye distance and eye-to-mouth
            distance counts.
        height: From hairline to chin.
    """

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """Left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Right edge."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """Top edge."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """Bottom edge."""
        return self.y + self.height / 2


def face_extent(face: DetectedFace) -> FaceExtent:
    """The extent of ``face``; its width is at least one pixel."""
    points = face.five_points.astype(np.float64)
    eyes, mouth = (points[0] + points[1]) / 2, (points[3] + points[4]) / 2
    down = mouth - eyes
    unit = max(face.eye_distance, float(np.linalg.norm(down)) / _EYES_TO_MOUTH, 1 / _WIDTH)
    centre = (eyes + mouth) / 2 - _RISE / _EYES_TO_MOUTH * down
    return FaceExtent(x=float(centre[0]), y=float(centre[1]), width=_WIDTH * unit, height=_HEIGHT * unit)
