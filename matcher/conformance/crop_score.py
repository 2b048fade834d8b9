"""Distances from the eyes to the sides of the image, and their quality score."""

import math

from matcher.conformance.features import features_of
from matcher.conformance.interface import Assessment, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score

__all__ = ["assess_crop", "eye_centres"]


def eye_centres(portrait: PortraitView) -> tuple[float, float, float]:
    """Return the x of the left and the right eye centre in the image, and their distance, pixels."""
    features = features_of(portrait.landmarks)
    if features is not None:
        return *features.eye_x, features.eye_distance
    left, right = portrait.face.five_points[:2, 0].tolist()
    return left, right, portrait.face.eye_distance


def assess_crop(space: float, eye_distance: float) -> Assessment:
    """Assess the space beside a face.

    Source: ISO/IEC 29794-5 as in OFIQ (``CropOfTheFaceImage``): a sigmoid around 0.9 eye distances.

    Args:
        space: Distance from the nearer eye's centre to the image's edge, pixels.
        eye_distance: Distance between the eye centres, pixels.
    """
    if not (math.isfinite(space) and 0 < eye_distance < math.inf):
        return not_assessed("the eye points determine no distance")
    crop = space / eye_distance
    return assessed(crop, score=sigmoid_score(crop, x0=0.9, w=0.1))
