"""The signal of open eyes."""

import numpy as np

from liveness.selfie.scoring import score_between
from liveness.selfie.settings import SelfieSettings
from liveness.selfie.subject import SelfieSubject
from liveness.signal import Signal, assessed, not_assessed
from vision.geometry import eye_aspect_ratio

_NATURAL = 5 / 3
_WIDE = 2.0
_GOOD, _FAIR = 0.8, 0.5
"""Scores at which the words of the detail change. They do not affect the verdict."""


class EyeAspectRatio:
    """The mean eye aspect ratio of both eyes (Soukupová and Čech 2016).

    The score is 0.5 at ``min_ear``, 0.8 at 5/3 of it (0.25 by default) and 1 from twice it on (0.30). It is
    linear in between and down to 0.
    """

    name = "eye_aspect_ratio"
    label = "Eye geometry"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``; not assessed without dense landmarks."""
        if subject.face is None:
            return not_assessed(name=self.name, label=self.label, reason="No face was found.")
        if subject.landmarks is None or not np.isfinite(subject.landmarks.points).all():
            return not_assessed(
                name=self.name, label=self.label, reason="There are no landmarks around the eyes."
            )
        left, right = eye_aspect_ratio(subject.landmarks)
        ratio = (left + right) / 2
        floor = settings.min_ear
        score = score_between(
            ratio, ((0.0, 0.0), (floor, 0.5), (_NATURAL * floor, 0.8), (_WIDE * floor, 1.0))
        )
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=f"{_words(score)} (eye aspect ratio {left:.2f} and {right:.2f}; shut below {floor:.2f}).",
        )


def _words(score: float) -> str:
    if score >= _GOOD:
        return "The eyes are naturally open"
    if score >= _FAIR:
        return "The eyes are partly open or slightly covered"
    return "The eyes are shut, or measured as shut"
