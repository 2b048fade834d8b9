"""Drawn portraits and heads with known measures, and the published results of OFIQ."""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from matcher.conformance.face_region import AlignedFace
from matcher.conformance.interface import Assess, Assessment, PortraitView
from vision.face import BgrImage, Box, DetectedFace, HeadPose, Landmarks

FIVE_POINTS: NDArray[np.float32] = np.array(
    [[251, 272], [364, 272], [308, 336], [262, 402], [355, 402]], dtype=np.float32
)
"""Their places in the aligned image: a portrait of 616 x 616 pixels with these is its own aligned face."""
SIDE = 616
SKIN = (140, 165, 205)
"""A colour that skin can have, blue-green-red."""
_DOT = np.full((1, 1, 3), 128, dtype=np.uint8)
NO_POSE = HeadPose(yaw=0.0, pitch=0.0, roll=0.0)


def portrait_of(
    image: BgrImage,
    *,
    five_points: NDArray[np.float32] = FIVE_POINTS,
    landmarks: Landmarks | None = None,
    encoded: bytes = b"",
    media_type: str = "image/png",
) -> PortraitView:
    left, top = five_points.min(axis=0) - 50
    right, bottom = five_points.max(axis=0) + 50
    box = Box(float(left), float(top), float(right), float(bottom))
    face = DetectedFace(box=box, confidence=0.9, five_points=five_points.astype(np.float32))
    return PortraitView(
        image=image,
        encoded=encoded,
        media_type=media_type,
        faces=(face,),
        face=face,
        landmarks=landmarks,
        pose=NO_POSE,
    )


def plain(colour: tuple[int, int, int] = SKIN, *, side: int = SIDE) -> BgrImage:
    return np.full((side, side, 3), colour, dtype=np.uint8)


def drawn_face(*, background: tuple[int, int, int] = (200, 200, 200), texture: float = 5.0) -> BgrImage:
    """A head with eyes, nose and mouth at ``FIVE_POINTS``; ``texture`` is its noise in grey levels."""
    image = plain(background)
    cv2.ellipse(image, (308, 320), (150, 210), 0, 0, 360, SKIN, cv2.FILLED)
    for x, y in FIVE_POINTS[:2]:
        cv2.ellipse(image, (int(x), int(y)), (22, 9), 0, 0, 360, (235, 235, 235), cv2.FILLED)
        cv2.circle(image, (int(x), int(y)), 8, (40, 50, 60), cv2.FILLED)
        cv2.ellipse(image, (int(x), int(y) - 28), (32, 5), 0, 0, 360, (40, 50, 70), cv2.FILLED)
    cv2.line(image, (300, 300), (308, 340), (110, 135, 175), 3)
    cv2.ellipse(image, (308, 402), (46, 14), 0, 0, 360, (100, 95, 185), cv2.FILLED)
    cv2.line(image, (264, 402), (352, 402), (60, 50, 110), 2)
    noise = np.random.default_rng(3).normal(0, 1, (SIDE, SIDE, 1)) * texture
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def with_face(aligned: AlignedFace) -> PortraitView:
    """A portrait with a given aligned face."""
    portrait = portrait_of(_DOT)
    portrait.__dict__["aligned"] = aligned  # where functools.cached_property keeps it
    return portrait


def measured(measure: Assess, portrait: PortraitView) -> float:
    found = measure(portrait).measured
    assert found is not None
    return found


def score(measure: Assess, portrait: PortraitView) -> int:
    found = measure(portrait).score
    assert found is not None
    assert 0 <= found <= 100
    return found


def refused(assessment: Assessment) -> str:
    assert assessment.measured is None
    assert assessment.score is None
    assert assessment.unassessed
    return assessment.unassessed


def with_histogram(shares: dict[int, float]) -> PortraitView:
    """A portrait with a face that has only these luminances, in these shares."""
    histogram = np.zeros(256)
    for level, share in shares.items():
        histogram[level] = share
    dot = np.ones((1, 1), dtype=np.uint8)
    return with_face(
        AlignedFace(
            image=_DOT,
            transform=np.array([[1.0, 0, 0], [0, 1, 0]]),
            mask=dot,
            face_box=Box(0, 0, 1, 1),
            luminance=dot,
            histogram=histogram,
            cheeks=np.zeros((2, 1, 1, 3), dtype=np.uint8),
        )
    )


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


_OFIQ = "BSI-OFIQ__data__tests__expected_results__expected_results.csv"


def expected_scores(assets: Path, component: str) -> list[tuple[float, int]]:
    """Native measure and score of OFIQ's own test images; ``component`` as OFIQ writes it."""
    with (assets / "data" / "iso" / _OFIQ).open(newline="") as table:
        rows = list(csv.DictReader(table, delimiter=";"))
    found = [(float(row[component]), int(row[f"{component}.scalar"])) for row in rows]
    assert len(found) == 28
    return found


def spaced_left(space: float, scheme: str = "mediapipe478") -> PortraitView:
    """A head with its nearer eye at this number of eye distances from the edge of an image of 2000 pixels."""
    return Head(middle=(113 * (space + 0.5), 800)).portrait(scheme, side=2000)


def spaced_right(space: float, scheme: str = "mediapipe478") -> PortraitView:
    return Head(middle=(2000 - 113 * (space + 0.5), 800)).portrait(scheme, side=2000)


def below_the_edge(margin: float, scheme: str = "mediapipe478") -> PortraitView:
    """A head with its eyes at this number of head lengths from the edge of an image of 2000 pixels."""
    return Head(middle=(1000, 200 * margin)).portrait(scheme, side=2000)


def above_the_edge(margin: float, scheme: str = "mediapipe478") -> PortraitView:
    return Head(middle=(1000, 2000 - 200 * margin)).portrait(scheme, side=2000)
