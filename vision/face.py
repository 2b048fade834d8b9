"""The types of a detected face: boxes, landmarks and head pose, in pixels of one upright image.

Conventions of all packages:

* An image is a ``BgrImage``: ``uint8``, shape ``(height, width, 3)``, OpenCV's blue-green-red order.
* Coordinates are ``(x, y)`` in pixels, x to the right and y down, the origin at the centre of the
  top-left pixel.
* *Left* and *right* in names are the image's left and right, not the person's.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

BgrImage: TypeAlias = NDArray[np.uint8]
"""An upright colour image, shape (height, width, 3), blue-green-red, 0..255."""

Points: TypeAlias = NDArray[np.float32]
"""Points in an image, shape (n, 2), as (x, y) in pixels."""

Embedding: TypeAlias = NDArray[np.float32]
"""A face template, shape (dimensions,), of Euclidean length 1."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle around a face; it may reach beyond the image's border.

    Attributes:
        left: x of the left edge, pixels.
        top: y of the top edge, pixels.
        right: x of the right edge, pixels; greater than ``left``.
        bottom: y of the bottom edge, pixels; greater than ``top``.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """Centre as (x, y) in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return max(0.0, self.width) * max(0.0, self.height)

    def inside_fraction(self, width: int, height: int) -> float:
        """Return the share of the box, 0..1, inside an image of ``width`` x ``height`` pixels."""
        if self.area == 0:
            return 0.0
        across = max(0.0, min(self.right, width) - max(self.left, 0.0))
        down = max(0.0, min(self.bottom, height) - max(self.top, 0.0))
        return across * down / self.area


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """One detected face.

    Attributes:
        box: The detector's rectangle.
        confidence: The detector's own confidence, 0..1; comparable within one pack only.
        five_points: Shape (5, 2): left eye centre, right eye centre, nose tip, left mouth corner,
            right mouth corner.
    """

    box: Box
    confidence: float
    five_points: Points

    @property
    def eye_distance(self) -> float:
        """Distance between the eye centres in pixels (ISO/IEC 29794-5 inter-eye distance)."""
        (left_x, left_y), (right_x, right_y) = self.five_points[:2].tolist()
        return math.hypot(right_x - left_x, right_y - left_y)


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Dense landmarks of one face.

    Attributes:
        points: Shape (n, 2), pixels.
        scheme: The order of the points: ``"ibug68"`` (iBUG 300-W order), ``"insightface106"`` or
            ``"mediapipe478"`` (MediaPipe's face mesh of 468 points, then five for each iris).
        depth: Shape (n,), in pixels of the same size as those of ``points``; smaller is nearer to the camera,
            0 is about the head's middle. ``None`` if the landmarker does not estimate depth. A network
            estimates it from one image, so a flat photo of a face has depth, too.
    """

    points: Points
    scheme: str
    depth: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Head rotation in degrees; all zero is full frontal (ISO/IEC 19794-5:2005, 5.5.8).

    Attributes:
        yaw: Positive when the head turns to the image's right.
        pitch: Positive when the head tilts up.
        roll: Positive when the head leans clockwise as seen in the image.
    """

    yaw: float
    pitch: float
    roll: float
