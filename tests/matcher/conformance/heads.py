"""Landmarks of heads with known distances."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matcher.conformance.interface import PortraitView
from tests.matcher.conformance.pictures import SIDE, plain, portrait_of
from vision.face import Landmarks

SCHEMES = ("ibug68", "insightface106", "mediapipe478")
_COUNTS = {"ibug68": 68, "insightface106": 106, "mediapipe478": 478}
# By role: chin, outer and inner corner of the left eye, inner and outer of the right one, the middle of the
# left eye's upper and lower lid, of the right eye's, of the upper and lower lip's inner edge, mouth corners.
_ROLES = {
    "ibug68": (8, 36, 39, 42, 45, 37, 41, 43, 47, 62, 66, 48, 54),
    "insightface106": (0, 35, 39, 89, 93, 41, 36, 95, 90, 62, 60, 52, 61),
    "mediapipe478": (152, 33, 133, 362, 263, 159, 145, 386, 374, 13, 14, 61, 291),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A frontal head, in pixels; 200 from the eyes to the chin by default."""

    middle: tuple[float, float] = (308.0, 272.0)
    eye_distance: float = 113.0
    eyes_to_chin: float = 200.0
    left_eye: float = 16.0
    right_eye: float = 16.0
    mouth: float = 2.0
    mouth_width: float = 93.0
    corner_lift: float = 0.0
    turned: float = 0.0

    def landmarks(self, scheme: str) -> Landmarks:
        """The head's points; unused ones lie between the lips."""
        half, lips = self.eye_distance / 2, 0.65 * self.eyes_to_chin
        eye = 0.22 * self.eye_distance
        places = np.array(
            [
                (0, self.eyes_to_chin),
                (-half - eye, 0),
                (-half + eye, 0),
                (half - eye, 0),
                (half + eye, 0),
                (-half, -self.left_eye / 2),
                (-half, self.left_eye / 2),
                (half, -self.right_eye / 2),
                (half, self.right_eye / 2),
                (0, lips - self.mouth / 2),
                (0, lips + self.mouth / 2),
                (-self.mouth_width / 2, lips - self.corner_lift),
                (self.mouth_width / 2, lips - self.corner_lift),
            ]
        )
        points = np.tile(np.array([[0.0, lips]]), (_COUNTS[scheme], 1))
        points[list(_ROLES[scheme])] = places
        return Landmarks(points=self._placed(points).astype(np.float32), scheme=scheme)

    def _placed(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        angle = np.radians(self.turned)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        placed: NDArray[np.float64] = points @ turn.T + self.middle
        return placed

    def portrait(self, scheme: str = "mediapipe478", *, side: int = SIDE) -> PortraitView:
        """An image of plain skin that contains this head."""
        half = self.eye_distance / 2
        drop = 0.65 * self.eyes_to_chin
        five = np.array(
            [(-half, 0), (half, 0), (0, drop / 2), (-0.4 * half, drop), (0.4 * half, drop)], dtype=np.float64
        )
        # A large image costs nothing if its pixels are not read.
        image = plain() if side == SIDE else np.broadcast_to(np.uint8(128), (side, side, 3))
        return portrait_of(
            image,
            five_points=self._placed(five).astype(np.float32),
            landmarks=self.landmarks(scheme),
        )
