"""The signal of the share of the image that the face fills."""

import math

from liveness.extent import face_extent
from liveness.selfie.scoring import score_between
from liveness.selfie.settings import BEST_AREA_RATIO, LARGEST_AREA_RATIO, SelfieSettings
from liveness.selfie.subject import SelfieSubject
from liveness.signal import Signal, assessed, not_assessed
from vision.face import Box

_FIXED = 0.5
_USUAL = 0.10, 0.40
"""Shares of the image that the detail calls usual for a selfie. They do not affect the verdict."""


class FaceAreaRatio:
    """The share of the image that the face fills, from ear to ear and from hairline to chin.

    The face's rectangle comes from the five points (``liveness.extent``), because detectors draw boxes of
    different sizes. The score is 1 at 20 % and falls with the share's logarithm to 0.5 at
    ``min_face_area_ratio`` and at 80 %. Below the former it falls linearly to 0; above the latter it is 0.5.
    """

    name = "face_area_ratio"
    label = "Face framing"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``."""
        if subject.face is None:
            return not_assessed(name=self.name, label=self.label, reason="No face was found.")
        extent = face_extent(subject.face)
        face = Box(left=extent.left, top=extent.top, right=extent.right, bottom=extent.bottom)
        height, width = subject.image.shape[:2]
        share = face.area * face.inside_fraction(width, height) / (width * height)
        return assessed(
            name=self.name,
            label=self.label,
            score=area_score(share, smallest=settings.min_face_area_ratio),
            detail=f"{_words(share, settings)} (it fills {100 * share:.0f} % of the image; best is 20 %).",
        )


def area_score(share: float, *, smallest: float) -> float:
    """Returns the score of a face that fills ``share`` of the image.

    Args:
        share: 0..1.
        smallest: ``SelfieSettings.min_face_area_ratio``.
    """
    if share <= smallest:
        return 0.5 * max(0.0, share) / smallest
    anchors = (
        (math.log(smallest), 0.5),
        (math.log(BEST_AREA_RATIO), 1.0),
        (math.log(LARGEST_AREA_RATIO), _FIXED),
    )
    return score_between(math.log(share), anchors)


def _words(share: float, settings: SelfieSettings) -> str:
    if share < settings.min_face_area_ratio:
        return "The face is very small, as in a photo of a photo"
    if share > LARGEST_AREA_RATIO:
        return "The face fills nearly the whole image, as in a tight crop"
    if _USUAL[0] <= share <= _USUAL[1]:
        return "The face is framed as in a selfie"
    return "The face is " + ("smaller" if share < BEST_AREA_RATIO else "larger") + " than in most selfies"
