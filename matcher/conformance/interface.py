"""What measures take and give: a portrait, and the assessment of one component of ISO/IEC 29794-5.

ISO/IEC 29794-5 gives every component a native measure in its own unit and a quality score from 0 (worst)
to 100 (best). If a component cannot be assessed (no landmarks, no model for it), its assessment states why;
that is a result, never an error. The content of the image never causes an exception.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, wraps
from typing import Final, TypeAlias

from matcher.conformance.face_region import AlignedFace, aligned_face
from vision.face import BgrImage, DetectedFace, HeadPose, Landmarks

_NO_ALIGNED_FACE: Final = "the points of the face lie in one place, so that it cannot be aligned"


class Component(StrEnum):
    """The components of ISO/IEC 29794-5, by their names there in lower_snake_case."""

    UNIFIED_QUALITY_SCORE = "unified_quality_score"
    BACKGROUND_UNIFORMITY = "background_uniformity"
    ILLUMINATION_UNIFORMITY = "illumination_uniformity"
    LUMINANCE_MEAN = "luminance_mean"
    LUMINANCE_VARIANCE = "luminance_variance"
    UNDER_EXPOSURE_PREVENTION = "under_exposure_prevention"
    OVER_EXPOSURE_PREVENTION = "over_exposure_prevention"
    DYNAMIC_RANGE = "dynamic_range"
    SHARPNESS = "sharpness"
    COMPRESSION_ARTIFACTS = "compression_artifacts"
    NATURAL_COLOUR = "natural_colour"
    SINGLE_FACE_PRESENT = "single_face_present"
    EYES_OPEN = "eyes_open"
    MOUTH_CLOSED = "mouth_closed"
    EYES_VISIBLE = "eyes_visible"
    MOUTH_OCCLUSION_PREVENTION = "mouth_occlusion_prevention"
    FACE_OCCLUSION_PREVENTION = "face_occlusion_prevention"
    INTER_EYE_DISTANCE = "inter_eye_distance"
    HEAD_SIZE = "head_size"
    LEFTWARD_CROP = "leftward_crop_of_the_face_image"
    RIGHTWARD_CROP = "rightward_crop_of_the_face_image"
    MARGIN_ABOVE = "margin_above_of_the_face_image"
    MARGIN_BELOW = "margin_below_of_the_face_image"
    HEAD_POSE_YAW = "head_pose_yaw"
    HEAD_POSE_PITCH = "head_pose_pitch"
    HEAD_POSE_ROLL = "head_pose_roll"
    EXPRESSION_NEUTRALITY = "expression_neutrality"
    NO_HEAD_COVERINGS = "no_head_coverings"


class Method(StrEnum):
    """The source of a measure's algorithm."""

    STANDARD = "STANDARD"
    """The algorithm of ISO/IEC 29794-5, as in its reference implementation (OFIQ)."""
    APPROXIMATION = "APPROXIMATION"
    """Facegate's own algorithm, which measures the same property; its scores are not the standard's."""


@dataclass(frozen=True, eq=False)  # no slots: ``cached_property`` needs the instance's dictionary
class PortraitView:
    """The portrait that the measures assess.

    Attributes:
        encoded: The bytes of the image file (JPEG, PNG or JPEG 2000), without a record around them.
        media_type: Media type of ``encoded``, such as ``"image/jpeg"``.
        faces: All faces found, largest first; at least one.
        landmarks: Dense landmarks of the face; None if the pack has no landmarker or it found none.
        pose: Head pose of the face, degrees.
    """

    image: BgrImage
    encoded: bytes
    media_type: str
    faces: tuple[DetectedFace, ...]
    face: DetectedFace
    landmarks: Landmarks | None
    pose: HeadPose

    @cached_property
    def aligned(self) -> AlignedFace | None:
        """The face in the standard's aligned image, made once and shared; None if it cannot be made."""
        return aligned_face(self.image, five_points=self.face.five_points, landmarks=self.landmarks)


@dataclass(frozen=True, slots=True)
class Assessment:
    """The result of a measure.

    Attributes:
        measured: The native measure, in the measure's unit; None if it could not be assessed.
        score: Quality on the scale of ISO/IEC 29794-5, 0 (worst) to 100 (best); None if ``measured`` is.
        unassessed: Why it could not be assessed, in words; empty if it was.
    """

    measured: float | None
    score: int | None
    unassessed: str = ""


def assessed(measured: float, *, score: float) -> Assessment:
    """Make a measure's result; the score is rounded and clamped to 0..100."""
    return Assessment(measured=measured, score=round(min(100.0, max(0.0, score))))


def not_assessed(reason: str) -> Assessment:
    """Make the result of a measure that could not assess the portrait."""
    return Assessment(measured=None, score=None, unassessed=reason)


Assess: TypeAlias = Callable[[PortraitView], Assessment]
"""A measure: assesses one component. It keeps no state between calls and is safe in several threads."""


def of_aligned_face(assess: Callable[[PortraitView, AlignedFace], Assessment]) -> Assess:
    """Make the measure that passes the aligned face to ``assess``; not assessed if there is none."""

    @wraps(assess)
    def measure(portrait: PortraitView) -> Assessment:
        aligned = portrait.aligned
        return not_assessed(_NO_ALIGNED_FACE) if aligned is None else assess(portrait, aligned)

    return measure


def sigmoid_score(raw: float, *, x0: float, w: float) -> float:
    """Return the sigmoid with which ISO/IEC 29794-5 maps most of its native measures.

    Args:
        raw: The native measure, in its own unit.
        x0: The native measure with a score of 50, same unit.
        w: Width of the slope, same unit, greater than 0. For a measure of which less is better, subtract
            the sigmoid from 100.

    Returns:
        100 / (1 + exp(-(raw - x0) / w)), 0..100.
    """
    # Beyond +-60 widths the score is 0 or 100 in floating point, and farther out exp() would overflow.
    exponent = min(60.0, max(-60.0, -(raw - x0) / w))
    return 100.0 / (1.0 + math.exp(exponent))
