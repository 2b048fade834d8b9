"""Mouth occlusion prevention: whether a mask covers the mouth."""

import math
from typing import Final

import cv2
import numpy as np

from matcher.conformance.face_region import NO_ALIGNED_FACE, AlignedFace
from matcher.conformance.interface import (
    Assessment,
    Component,
    Method,
    PortraitView,
    assessed,
    not_assessed,
)
from vision.mouth_colours import PART, PART_SIZE, MouthColours, colours_of_mouth, covered_evidence

__all__ = ["MouthOcclusionPrevention", "mouth_colours"]

_LEAST_LUMINANCE: Final = 0.07
_LEVELS: Final = np.arange(256) / 255.0


def mouth_colours(aligned: AlignedFace) -> MouthColours | str:
    """Measure the colours of one face.

    Returns:
        The colours, or, if they cannot be measured, the reason in words.
    """
    left, top, right, bottom = PART
    part = aligned.image[top:bottom, left:right]
    small = cv2.resize(part, PART_SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    colours = colours_of_mouth(small)
    if colours is None:
        return "the face has too little colour to distinguish lips from a mask"
    if float(aligned.histogram @ _LEVELS) < _LEAST_LUMINANCE:
        return "the face is too dark to distinguish lips from a mask"
    return colours


class MouthOcclusionPrevention:
    """Probability that a mask covers the mouth, given as many covered as bare mouths.

    An approximation: the standard's measure is the covered share of the mouth, from a segmentation network
    that no pack has. Here a logistic function has three inputs in CIELAB: how much redder and less yellow the
    lips are than cheeks and chin, how far the lower cheeks are in a* and b* from the skin of nose bridge and
    lower lids, and how light that skin is, because dim or dark skin shows less colour. It detects masks; a
    hand in front of the mouth has the colour of skin and may not be detected (the only one was not).

    On the development photos with MediaPipe's landmarks, with functions that were fitted without the person
    of a mask and without the whole source of a bare face, the probability is above one half for 55 of 56
    covered mouths (98%; 95% bounds 90% to 100%) and 39 of 604 bare ones (6.5%; 4.6% to 8.7%). With dlib's
    landmarks it is above one half for 39 of 43 (91%; 78% to 97%) and 50 of 601 (8.3%; 6.2% to 10.8%).
    Sources differ: of 48 enrolment selfies, most of them dim and of dark skin, 10 are false alarms (21%; 10%
    to 35%); of the 239 bare faces outside that collection, 6 are (2.5%; 0.9% to 5.4%). The shipped function
    was fitted on all of them, and gives 20 false alarms of the 604. The three inputs were chosen on these
    photos, and the bounds count every photo as independent. Few masks are on dark skin.
    ``python -m research.portrait_measures`` measures it.

    Not assessed for grey or very dark faces, which show too little colour.
    """

    component: Final = Component.MOUTH_OCCLUSION_PREVENTION
    method: Final = Method.APPROXIMATION
    unit: Final = "probability"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        colours = mouth_colours(aligned)
        if isinstance(colours, str):
            return not_assessed(colours)
        covered = 1 / (1 + math.exp(-covered_evidence(colours)))
        return assessed(covered, score=100 * (1 - covered))
