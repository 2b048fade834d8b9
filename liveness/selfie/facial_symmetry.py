"""The signal of the face's symmetry."""

import numpy as np

from liveness.selfie.landmark_pairs import asymmetry, symmetric_pairs
from liveness.selfie.settings import SelfieSettings
from liveness.selfie.subject import SelfieSubject
from liveness.signal import Signal, assessed, not_assessed

_GOOD, _FAIR = 0.8, 0.5
"""Scores at which the words of the detail change. They do not affect the verdict."""


class FacialSymmetry:
    """How symmetrical the face is: 1 for a mirror image, 0 from an asymmetry of ``max_asymmetry`` on."""

    name = "facial_symmetry"
    label = "Facial symmetry"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``; coarse if only five points are known."""
        if subject.face is None:
            return not_assessed(name=self.name, label=self.label, reason="No face was found.")
        landmarks = subject.landmarks
        dense = landmarks is not None and bool(np.isfinite(landmarks.points).all())
        pairs = symmetric_pairs(landmarks if landmarks is not None and dense else subject.face.five_points)
        index = asymmetry(pairs)
        if index is None:
            return not_assessed(name=self.name, label=self.label, reason="The points do not form a face.")
        score = 1 - index / settings.max_asymmetry
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=(
                f"{_words(score)} (asymmetry {index:.3f} over {len(pairs)} pairs of points; at most "
                f"{settings.max_asymmetry:.2f} is accepted)."
            ),
        )


def _words(score: float) -> str:
    if score >= _GOOD:
        return "The face is highly symmetric"
    if score >= _FAIR:
        return "The face is mildly asymmetric, within normal limits"
    return "The face is notably asymmetric, as when warped, bent or seen from the side"
