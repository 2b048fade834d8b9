"""Distances from the eyes to the picture's sides, and their quality score."""

import math

from matcher.conformance.features import features_of
from matcher.conformance.interface import Assessment, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score

__all__ = ["assess_crop", "eye_centres"]


def eye_centres(portrait: PortraitView) -> tuple[float, float, float]:
    """Where the eye centres are: x on the image's left, x on its right, and their distance, pixels."""
    features = features_of(portrait.landmarks)
    if features is not None:
        return *features.eye_x, features.eye_distance
    left, right = portrait.face.five_points[:2, 0].tolist()
    return left, right, portrait.face.eye_distance


def assess_crop(space: float, eye_distance: float) -> Assessment:
    """The score of the space beside a face.

    Source: ISO/IEC 29794-5 as OFIQ has it (``CropOfTheFaceImage``): a sigmoid around 0.9 eye distances.

    Args:
        space: From the nearer eye's centre to the picture's edge, pixels.
        eye_distance: Between the eye centres, pixels.
    """
    if not (math.isfinite(space) and 0 < eye_distance < math.inf):
        return not_assessed("the eye points determine no distance")
    crop = space / eye_distance
    return assessed(crop, score=sigmoid_score(crop, x0=0.9, w=0.1))
