"""The measures of the conformance report."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from matcher.conformance.background_uniformity import BackgroundUniformity
from matcher.conformance.compression_artifacts import CompressionArtifacts
from matcher.conformance.dynamic_range import DynamicRange
from matcher.conformance.expression_neutrality import ExpressionNeutrality
from matcher.conformance.eyes_open import BLIND_SCHEME, EyesOpen
from matcher.conformance.eyes_visible import EyesVisible
from matcher.conformance.face_occlusion_prevention import FaceOcclusionPrevention
from matcher.conformance.head_pose_pitch import HeadPosePitch
from matcher.conformance.head_pose_roll import HeadPoseRoll
from matcher.conformance.head_pose_yaw import HeadPoseYaw
from matcher.conformance.head_size import HeadSize
from matcher.conformance.illumination_uniformity import IlluminationUniformity
from matcher.conformance.inter_eye_distance import InterEyeDistance
from matcher.conformance.interface import Assessment, Component, Measure, PortraitView
from matcher.conformance.leftward_crop_of_the_face_image import LeftwardCropOfTheFaceImage
from matcher.conformance.luminance_mean import LuminanceMean
from matcher.conformance.luminance_variance import LuminanceVariance
from matcher.conformance.margin_above_of_the_face_image import MarginAboveOfTheFaceImage
from matcher.conformance.margin_below_of_the_face_image import MarginBelowOfTheFaceImage
from matcher.conformance.mouth_closed import MouthClosed
from matcher.conformance.mouth_occlusion_prevention import MouthOcclusionPrevention
from matcher.conformance.natural_colour import NaturalColour
from matcher.conformance.no_head_coverings import NoHeadCoverings
from matcher.conformance.over_exposure_prevention import OverExposurePrevention
from matcher.conformance.rightward_crop_of_the_face_image import RightwardCropOfTheFaceImage
from matcher.conformance.sharpness import Sharpness
from matcher.conformance.single_face_present import SingleFacePresent
from matcher.conformance.under_exposure_prevention import UnderExposurePrevention
from matcher.conformance.unified_quality_score import UnifiedQualityScore

__all__ = ["MEASURES", "assess_all", "unassessable"]

MEASURES: Final[tuple[Measure, ...]] = (
    UnifiedQualityScore(),
    BackgroundUniformity(),
    IlluminationUniformity(),
    LuminanceMean(),
    LuminanceVariance(),
    UnderExposurePrevention(),
    OverExposurePrevention(),
    DynamicRange(),
    Sharpness(),
    CompressionArtifacts(),
    NaturalColour(),
    SingleFacePresent(),
    EyesOpen(),
    MouthClosed(),
    EyesVisible(),
    MouthOcclusionPrevention(),
    FaceOcclusionPrevention(),
    InterEyeDistance(),
    HeadSize(),
    LeftwardCropOfTheFaceImage(),
    RightwardCropOfTheFaceImage(),
    MarginAboveOfTheFaceImage(),
    MarginBelowOfTheFaceImage(),
    HeadPoseYaw(),
    HeadPosePitch(),
    HeadPoseRoll(),
    ExpressionNeutrality(),
    NoHeadCoverings(),
)
"""One measure for each component, in the order of ISO/IEC 29794-5."""

_NEVER: Final = frozenset(
    {Component.UNIFIED_QUALITY_SCORE, Component.FACE_OCCLUSION_PREVENTION, Component.NO_HEAD_COVERINGS}
)
_OF_LANDMARKS: Final = frozenset(
    {
        Component.EYES_OPEN,
        Component.EYES_VISIBLE,
        Component.MOUTH_CLOSED,
        Component.HEAD_SIZE,
        Component.MARGIN_ABOVE,
        Component.MARGIN_BELOW,
        Component.EXPRESSION_NEUTRALITY,
    }
)


def assess_all(portrait: PortraitView) -> tuple[tuple[Measure, Assessment], ...]:
    """Assess one portrait with every measure, in the order of ``MEASURES``."""
    return tuple((measure, measure.assess(portrait)) for measure in MEASURES)


def unassessable(scheme: str | None) -> Mapping[Component, str]:
    """Return the components that cannot be assessed in any portrait, and why.

    Args:
        scheme: Scheme of the pack's dense landmarks (``vision.face.Landmarks``); None for a pack without any.
    """
    missing = dict.fromkeys(_NEVER, "no pack has a model for it")
    if scheme is None:
        missing |= dict.fromkeys(_OF_LANDMARKS, "the pack has no dense landmarks")
    elif scheme == BLIND_SCHEME:
        missing[Component.EYES_OPEN] = "the pack's 68 landmarks do not show closed eyes"
    return MappingProxyType(missing)
