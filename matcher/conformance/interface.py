"""What a measure of the conformance report is: one component of ISO/IEC 29794-5, assessed or not.

ISO/IEC 29794-5 gives every component a native measure in its own unit and a quality score from 0 (worst)
to 100 (best). A component that cannot be assessed (no landmarks, no model for it) says so and why;
that is a result, never an error.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from matcher.conformance.face_region import AlignedFace, aligned_face
from vision.face import BgrImage, DetectedFace, HeadPose, Landmarks

__all__ = ["Assessment", "Component", "Measure", "Method", "PortraitView", "assessed", "not_assessed"]


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
    """Where a measure's algorithm comes from."""

    STANDARD = "STANDARD"
    """The algorithm of ISO/IEC 29794-5 as its reference implementation (OFIQ) has it."""
    APPROXIMATION = "APPROXIMATION"
    """Our own: it measures the same property in another way, and its scores are not the standard's."""


@dataclass(frozen=True, eq=False)  # no slots: ``aligned`` is kept in the instance's own dictionary
class PortraitView:
    """What the measures look at.

    Attributes:
        image: The upright picture.
        encoded: The picture's own bytes (a JPEG, PNG or JPEG 2000), without any record around them.
        media_type: Of ``encoded``, such as ``"image/jpeg"``.
        faces: All faces found, largest first; at least one.
        face: The person's face.
        landmarks: Its dense landmarks; None where the pack has no landmarker or it found none.
        pose: Its head pose, degrees.
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
        """The face in the standard's aligned picture, made once and shared; None where it cannot be made."""
        return aligned_face(self.image, five_points=self.face.five_points, landmarks=self.landmarks)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a measure found.

    Attributes:
        measured: The native measure, in the measure's unit; None where it could not be assessed.
        score: Quality on the scale of ISO/IEC 29794-5, 0 (worst) to 100 (best); None likewise.
        unassessed: Why it could not be assessed, in plain words; empty where it was.
    """

    measured: float | None
    score: int | None
    unassessed: str = ""


def assessed(measured: float, *, score: float) -> Assessment:
    """A measure's result; the score is rounded and kept within 0..100."""
    return Assessment(measured=measured, score=round(min(100.0, max(0.0, score))))


def not_assessed(reason: str) -> Assessment:
    """For what could not be assessed."""
    return Assessment(measured=None, score=None, unassessed=reason)


class Measure(Protocol):
    """One component's measure. Pure: no state between calls, safe from several threads."""

    @property
    def component(self) -> Component:
        """Which component of ISO/IEC 29794-5 it is."""
        ...

    @property
    def method(self) -> Method:
        """Whether it follows the standard's algorithm."""
        ...

    @property
    def unit(self) -> str:
        """Unit of ``Assessment.measured``, such as ``"px"``, ``"deg"`` or ``"fraction"``."""
        ...

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait; never raises on account of the picture's content."""
        ...
