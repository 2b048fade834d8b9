"""What the pack's models say of one picture or one frame; shared by selfies and videos."""

from typing import Final

import cv2
import numpy as np

from liveness.express.interface import PadScore
from liveness.observation import FrameObservation
from liveness.observe import observe_frame
from matcher.persons import persons_among
from vision.face import BgrImage, Box, DetectedFace, Landmarks
from vision.geometry import eye_aspect_ratio
from vision.packs import Pack
from vision.pose import estimate_pose

__all__ = ["landmarks_of", "observe_still", "pad_scores", "persons_in"]

# As for the portrait and the scan: small faces in the background and unsure ones make no second person.
_SECOND_FACE_FRACTION: Final = 1 / 3
_SURE_FACE: Final = 0.6

_LARGEST_SIDE: Final = 1600
"""Longest side that a detector is given, pixels; it looks at a few hundred pixels of it anyway."""

_SMALLEST_SIDE: Final = 64
"""Shorter side below which a picture is not looked at: no detector of any pack finds a face of that size."""


def persons_in(pixels: BgrImage, pack: Pack) -> tuple[DetectedFace, ...]:
    """The faces that count as persons, widest first.

    Args:
        pixels: The upright picture; a large one is looked at halved, as often as needed, because detectors
            shrink it far more and pay for each of its pixels.
        pack: The models.

    Raises:
        ModelFailed: The detector failed.
    """
    if min(pixels.shape[:2]) < _SMALLEST_SIDE:
        return ()
    scale = 1
    while max(pixels.shape) > _LARGEST_SIDE and min(pixels.shape[:2]) >= 2 * _SMALLEST_SIDE:
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), np.uint8)
        scale *= 2
    found = pack.detector.detect(pixels)
    return persons_among(
        [_enlarged(face, scale) for face in found],
        second_face_fraction=_SECOND_FACE_FRACTION,
        min_confidence=_SURE_FACE,
    )


def landmarks_of(pixels: BgrImage, face: DetectedFace, pack: Pack) -> Landmarks | None:
    """Dense landmarks of a face; ``None`` where the pack has no landmarker, or it sees no face.

    Raises:
        ModelFailed: The landmarker failed.
    """
    return None if pack.landmarker is None else pack.landmarker.locate(pixels, face)


def observe_still(
    pixels: BgrImage,
    *,
    faces: tuple[DetectedFace, ...],
    landmarks: Landmarks | None,
    index: int,
    capture_time: float,
) -> FrameObservation:
    """What is known of a picture that belongs to no stream of frames.

    Args:
        pixels: The upright picture, shape (height, width, 3), BGR.
        faces: The faces in it, widest first.
        landmarks: Dense landmarks of the first, where there are any.
        index: The picture's index among its like, from 0.
        capture_time: Seconds, increasing with the index.
    """
    return observe_frame(
        pixels,
        index=index,
        capture_time=capture_time,
        faces=faces,
        pose=None if landmarks is None else estimate_pose(landmarks, (pixels.shape[1], pixels.shape[0])),
        eyes=None if landmarks is None else eye_aspect_ratio(landmarks),
    )


def pad_scores(pixels: BgrImage, face: DetectedFace, pack: Pack, *, frame_index: int) -> tuple[PadScore, ...]:
    """What each PAD network of the pack says of a face; empty without networks.

    Raises:
        ModelFailed: A network failed.
    """
    return tuple(
        PadScore(
            frame_index=frame_index,
            network=network.name,
            real_probability=network.real_probability(pixels, face),
        )
        for network in pack.pad_networks
    )


def _enlarged(face: DetectedFace, scale: int) -> DetectedFace:
    if scale == 1:
        return face
    # Positions are those of pixel centres: halving puts two pixels' centres into one.
    shift = (scale - 1) / 2
    edges = (face.box.left, face.box.top, face.box.right, face.box.bottom)
    return DetectedFace(
        box=Box(*(edge * scale + shift for edge in edges)),
        confidence=face.confidence,
        five_points=face.five_points * np.float32(scale) + np.float32(shift),
    )
