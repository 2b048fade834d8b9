"""Hand-made images and faces for the eight signals."""

import math

import numpy as np
from numpy.typing import NDArray

from formats.exif import ExifTags
from liveness.selfie import SelfieSubject
from tests.liveness.builders import HEIGHT, WIDTH, face_at
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.pose import FIVE_POINT_HEAD, IBUG68_HEAD, IBUG68_INDICES


def noisy(seed: int = 0, *, spread: float = 30.0) -> BgrImage:
    """Grey noise of the size of a frame."""
    rng = np.random.default_rng(seed)
    grey = np.clip(rng.normal(128, spread, (HEIGHT, WIDTH, 1)), 0, 255).astype(np.uint8)
    return np.repeat(grey, 3, axis=2)


def flat(level: int = 128) -> BgrImage:
    """One grey."""
    return np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def subject(
    image: BgrImage | None = None,
    *,
    face: DetectedFace | None = None,
    landmarks: Landmarks | None = None,
    exif: ExifTags | None = None,
) -> SelfieSubject:
    """A frontal face in a noisy image, with the given fields replaced."""
    return SelfieSubject(
        image=noisy() if image is None else image,
        face=face or face_at(),
        landmarks=landmarks,
        exif=exif or ExifTags(),
    )


def faceless() -> SelfieSubject:
    """An image without a face."""
    return SelfieSubject(image=noisy(), face=None, landmarks=None, exif=ExifTags())


def seen(
    points: NDArray[np.float64], *, yaw: float = 0, pitch: float = 0, roll: float = 0
) -> NDArray[np.float32]:
    """The camera's view of points of a generic head that is rotated by degrees, in the frame's middle.

    Args:
        points: Shape (n, 3): centimetres, x right, y down, z away.
        yaw: To the image's right.
        pitch: Up.
        roll: Clockwise.
    """
    a, b, c = (math.radians(angle) for angle in (-yaw, pitch, roll))
    turn = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    nod = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    lean = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    middle = points.mean(axis=0)
    moved = (points - middle) @ (turn @ nod @ lean).T + (0, 0, 60)
    focal = max(WIDTH, HEIGHT)
    placed: NDArray[np.float32] = moved[:, :2] / moved[:, 2:] * focal + (WIDTH / 2, HEIGHT / 2)
    return placed.astype(np.float32)


def turned_face(*, yaw: float = 0, pitch: float = 0, roll: float = 0) -> DetectedFace:
    """Five points of a turned head."""
    points = seen(FIVE_POINT_HEAD, yaw=yaw, pitch=pitch, roll=roll)
    return DetectedFace(box=face_at().box, confidence=0.9, five_points=points)


def turned_landmarks(*, yaw: float = 0, pitch: float = 0, roll: float = 0) -> Landmarks:
    """The 68 points, of which the generic head has fourteen; the others are in the middle of the frame."""
    indices, head = IBUG68_INDICES, IBUG68_HEAD
    points = np.tile(np.array([WIDTH / 2, HEIGHT / 2], np.float32), (68, 1))
    points[indices] = seen(head, yaw=yaw, pitch=pitch, roll=roll)
    return Landmarks(points=points, scheme="ibug68")


def mirrored_landmarks(scheme: str, count: int, *, eye: float = 0.3) -> Landmarks:
    """Landmarks of a perfectly symmetric face with eyes of the aspect ratio ``eye``.

    The points that signals read are placed; the others lie in the middle.
    """
    left_of = {
        "ibug68": [(36, 45), (39, 42), (37, 44), (38, 43), (41, 46), (40, 47), (31, 35), (48, 54)]
        + [(index, 16 - index) for index in range(8)],
        "mediapipe478": [
            *((33, 263), (133, 362), (160, 387), (158, 385), (144, 373), (153, 380)),
            *((129, 358), (61, 291), (127, 356), (132, 361), (172, 397), (150, 379)),
        ],
        "insightface106": [(35, 93), (39, 89), (52, 61), (1, 17), (12, 28), (16, 32), (5, 21)],
    }[scheme]
    rng = np.random.default_rng(3)
    points = np.tile(np.array([240.0, 300.0]), (count, 1))
    for left, right in left_of:
        across, down = rng.uniform(20, 100), rng.uniform(-120, 120)
        points[left], points[right] = (240 - across, 300 + down), (240 + across, 300 + down)
    if scheme != "insightface106":
        corners, lids = left_of[:2], left_of[2:6]
        for (left, right), x in zip(corners, (80.0, 40.0), strict=True):
            points[left], points[right] = (240 - x, 260), (240 + x, 260)
        for (left, right), (x, side) in zip(lids, ((70, -1), (50, -1), (70, 1), (50, 1)), strict=True):
            y = 260 + side * eye * 40 / 2
            points[left], points[right] = (240 - x, y), (240 + x, y)
    return Landmarks(points=points.astype(np.float32), scheme=scheme)
