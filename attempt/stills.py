"""Runs a pack's models on one image that belongs to no stream of frames, and judges its liveness."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from liveness import (
    CaptureKind,
    DoubtTerms,
    FrameObservation,
    FusionModel,
    LivenessPolicy,
    LivenessResult,
    ScanObservations,
    observe_frame,
)
from liveness.express import FrameCues, PadScore, measure_frame_cues
from liveness.judge import CaptureConditions, judge_scan
from matcher import SubjectRule, TemplateSample, is_comparable, persons_among, sample_quality
from vision.face import BgrImage, Box, DetectedFace, HeadPose, Landmarks
from vision.geometry import eye_aspect_ratio
from vision.packs import Pack
from vision.pose import estimate_pose

_LARGEST_SIDE: Final = 1600
"""The longest side of a detector's input, pixels. Detectors reduce it to a few hundred pixels in any case."""

_SMALLEST_SIDE: Final = 64
"""The least length of the shorter side, pixels. No detector of any pack finds a face in smaller images."""


def persons_of(pixels: BgrImage, pack: Pack, *, rule: SubjectRule) -> tuple[DetectedFace, ...]:
    """Return the persons of a frame, the subject first.

    Args:
        pixels: The frame, of a size that suits a detector.
        rule: Defines which faces count.

    Raises:
        ModelFailed: The detector failed.
    """
    return persons_among(pack.detector.detect(pixels), size=(pixels.shape[1], pixels.shape[0]), rule=rule)


def persons_in(pixels: BgrImage, pack: Pack, *, rule: SubjectRule) -> tuple[DetectedFace, ...]:
    """Return the persons of an image of any size, the subject first.

    A large image is halved until its size suits a detector. This saves time, because a detector reduces its
    input more slowly. An image with a side below 64 pixels gives no persons.

    Args:
        pixels: The upright image.
        rule: Defines which faces count.

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
    return tuple(_enlarged(face, scale) for face in persons_of(pixels, pack, rule=rule))


def _enlarged(face: DetectedFace, scale: int) -> DetectedFace:
    if scale == 1:
        return face
    # Coordinates are those of pixel centres, and halving joins the centres of two pixels.
    shift = (scale - 1) / 2
    edges = (face.box.left, face.box.top, face.box.right, face.box.bottom)
    return DetectedFace(
        box=Box(*(edge * scale + shift for edge in edges)),
        confidence=face.confidence,
        five_points=face.five_points * np.float32(scale) + np.float32(shift),
    )


_STRAIGHT = HeadPose(yaw=0.0, pitch=0.0, roll=0.0)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StillMeasurements:
    """The measurements of one image.

    Attributes:
        observation: Its face, light and sharpness.
        pad_scores: The scores of the PAD networks; empty without networks.
        cues: The cues of recapture; empty if they were not measured.
    """

    observation: FrameObservation
    pad_scores: Sequence[PadScore]
    cues: Sequence[FrameCues]


def measure_still(
    pixels: BgrImage, face: DetectedFace, *, landmarks: Landmarks | None, pack: Pack
) -> StillMeasurements:
    """Measure the only face of one image.

    Args:
        pixels: The upright image, shape (height, width, 3), BGR.
        landmarks: Its dense landmarks, if there are any.
        pack: The PAD networks.

    Raises:
        ModelFailed: A network failed.
    """
    return StillMeasurements(
        observation=observe_still(pixels, faces=(face,), landmarks=landmarks, index=0, capture_time=0.0),
        pad_scores=pad_scores(pixels, face, pack, frame_index=0),
        cues=(measure_frame_cues(pixels, face, frame_index=0),),
    )


def judge_still(
    measured: StillMeasurements,
    *,
    policy: LivenessPolicy,
    fusion: FusionModel,
    doubt: DoubtTerms | None = None,
) -> LivenessResult:
    """Judge the liveness of one image.

    Args:
        policy: The thresholds; its kind of capture is replaced by FRAME.
        doubt: What doubt means; ``None`` if LIVE needs no more than the policy's threshold.
    """
    return judge_scan(
        scan=ScanObservations(frames=(measured.observation,), motion=()),
        identified={measured.observation.index},
        pad_scores=measured.pad_scores,
        cues=measured.cues,
        policy=replace(policy, capture=CaptureKind.FRAME),
        model=fusion,
        challenge=None,
        conditions=CaptureConditions(),
        doubt=doubt,
    ).result


def landmarks_of(pixels: BgrImage, face: DetectedFace, pack: Pack) -> Landmarks | None:
    """Return a face's dense landmarks; ``None`` if the pack has no landmarker, or it finds no face.

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
    """Return the measurements of one image that is not part of a scan, such as a photo or a film's frame.

    Args:
        pixels: The upright image, shape (height, width, 3), BGR.
        faces: The faces in it, the subject's first.
        landmarks: Dense landmarks of the first face, if there are any.
        index: The image's index, from 0, if it is one of several; otherwise 0.
        capture_time: The image's time, seconds; it increases with the index.
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
    """Return the score of each of the pack's PAD networks for a face; empty without networks.

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


def may_compare(observation: FrameObservation) -> bool:
    """Return whether a template of the frame's face would be within the range of the calibration.

    Args:
        observation: The measurements of a frame in which a face was detected.
    """
    return observation.face is not None and is_comparable(
        sharpness=observation.sharpness or 0.0,
        pose=observation.pose or _STRAIGHT,
        eye_distance=observation.face.eye_distance,
    )


def sample_of(
    pixels: BgrImage,
    face: DetectedFace,
    observation: FrameObservation,
    pack: Pack,
    landmarks: Landmarks | None = None,
) -> TemplateSample:
    """Embed a face; the sample's weight in a fused template is the quality of the frame.

    The mirror image is left out: fused with other frames, it hardly changes the score (docs/accuracy.md).

    Args:
        landmarks: The landmarks of the face if they were located already.

    Raises:
        ModelFailed: The embedder failed.
    """
    if observation.yaw is None and landmarks is None:
        landmarks = landmarks_of(pixels, face, pack)
        if landmarks is not None:
            # Five points do not show how far a head is raised.
            pose = estimate_pose(landmarks, (pixels.shape[1], pixels.shape[0]))
            observation = replace(observation, pose=pose)
    quality = sample_quality(
        sharpness=observation.sharpness or 0.0,
        pose=observation.pose or _STRAIGHT,
        eye_distance=face.eye_distance,
    )
    template = pack.template(pixels, face, landmarks, mirrored=False)
    return TemplateSample(template, quality, comparable=may_compare(observation))
