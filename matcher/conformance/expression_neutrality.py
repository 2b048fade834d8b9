"""Expression neutrality: whether the expression is neutral."""

from typing import Final

from matcher.conformance.features import NO_LANDMARKS, Features, features_of
from matcher.conformance.interface import Assessment, Component, Method, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score
from vision.face import Blendshapes

__all__ = ["ExpressionNeutrality"]

# Halfway between neutral and smiling or open-mouthed photos (``python -m research.feature_measures``).
_NEUTRAL_MOUTH: Final = 0.85
_SMILING_MOUTH: Final = 1.06
_LIFT_WEIGHT: Final = 2.0
_OPEN_MOUTH: Final = 0.1
_SMILE: Final = 0.68
_OPEN_JAW: Final = 0.12
_SLOPE: Final = 0.15


class ExpressionNeutrality:
    """How far a mouth smiles or is open; implements ``Measure``.

    An approximation: the standard uses the features of two networks, which no pack has. If the landmarker
    gives blendshapes, they are used; else the mouth's width over the eye distance, the lift of its corners
    and its opening. The native measure is 0 or less for a neutral mouth, and 1 halfway to a smile or an open
    mouth. Smiles are distinguished from neutral faces (docs/conformance.md has the counts); frowns, raised
    brows and pouts are not detected.
    """

    component: Final = Component.EXPRESSION_NEUTRALITY
    method: Final = Method.APPROXIMATION
    unit: Final = "departure"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the expression.

        The native measure is the departure from a neutral face, 0 and up. A departure of 1 has the score 50.
        """
        features = features_of(portrait.landmarks)
        if portrait.landmarks is None or features is None:
            return not_assessed(NO_LANDMARKS)
        shapes = portrait.landmarks.blendshapes
        departure = _by_points(features) if shapes is None else _by_shapes(shapes)
        return assessed(departure, score=100 - sigmoid_score(departure, x0=1.0, w=_SLOPE))


def _by_points(features: Features) -> float:
    wide = features.mouth_width / features.eye_distance
    lifted = features.corner_lift / features.eyes_to_chin
    smile = (wide + _LIFT_WEIGHT * lifted - _NEUTRAL_MOUTH) / (_SMILING_MOUTH - _NEUTRAL_MOUTH)
    return max(smile, features.mouth_opening / features.eyes_to_chin / _OPEN_MOUTH)


def _by_shapes(shapes: Blendshapes) -> float:
    return max((shapes.left_smile + shapes.right_smile) / 2 / _SMILE, shapes.jaw_open / _OPEN_JAW)
