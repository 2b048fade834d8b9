"""The signal of the face's sharpness."""

from typing import Final

import cv2

from liveness.express.scoring import score_against_line
from liveness.selfie.settings import SelfieSettings
from liveness.selfie.subject import SelfieSubject, face_crop
from liveness.signal import Signal, assessed, not_assessed

_SIDE: Final = 160
_STEEPNESS: Final = 1.5
_GOOD, _FAIR = 0.8, 0.5
"""Scores at which the words of the detail change. They do not affect the verdict."""


class SelfieSharpness:
    """The variance of the Laplacian of the grey face at 160 x 160 pixels.

    The contract measures the whole image, so that a camera with more pixels or a patterned wall makes a face
    look sharper. This signal measures the face at a fixed size, at which one value of ``min_blur_variance``
    suits all cameras: at 160 pixels, 95 of 100 live phone selfies of the development images lie above the
    default (docs/selfie_signals.md). The score is 0.5 at the floor and 0.8 at two and a half times the floor.
    """

    name = "sharpness"
    label = "Sharpness"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``."""
        crop = face_crop(subject, _SIDE)
        if crop is None:
            reason = "No face was found." if subject.face is None else "The face is too small."
            return not_assessed(name=self.name, label=self.label, reason=reason)
        variance = float(cv2.Laplacian(crop, cv2.CV_32F).var())
        score = score_against_line(variance, settings.min_blur_variance, _STEEPNESS)
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=(
                f"{_words(score)} (Laplacian variance {variance:.0f}; the floor is "
                f"{settings.min_blur_variance:.0f})."
            ),
        )


def _words(score: float) -> str:
    if score >= _GOOD:
        return "The face is sharp and well focused"
    if score >= _FAIR:
        return "The face is moderately sharp, as in compressed selfies"
    return "The face is soft or blurred, as in recaptured images"
