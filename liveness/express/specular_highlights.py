"""Does the skin shine as skin does?"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.express.cue_crops import FaceCrop, crop_face
from liveness.express.cue_summary import score_of_cue, summarise_cue
from liveness.express.interface import FrameCues
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed
from vision.face import BgrImage, DetectedFace

__all__ = ["SpecularHighlights", "measure_specular_highlights", "specular_highlights_of"]

_SMALLEST_FACE = 64.0
"""Face width, frame pixels."""

_LEAST_INSIDE = 0.8
_SHADE = 21
"""Side of the neighbourhood whose mean is the diffuse shading, pixels of the crop."""

_FACE_RADII = 0.36, 0.42
_EYE_RADIUS, _MOUTH_RADIUS = 0.15, 0.17
"""Around eyes and mouth corners, face widths: their shine is not the skin's."""

_DARK = 4
"""8-bit steps: saturation is not told of what is darker."""

_SHADOW = 35
_HIGHLIGHT = 99
"""Percentiles of the skin: below the first it is shadow or beard, above the second it is highlight."""

_STEP = 3
"""Every third pixel of a crop is enough to find glare."""

_GLARE = 240
_LEAST_GLARE, _BLINDING_GLARE = 0.02, 0.1
"""Share of the face that a white patch covers, and as much beside it, from which on it is a medium's
glare, and at which no highlight can be told from it."""


def measure_specular_highlights(image: BgrImage, face: DetectedFace) -> float | None:
    """How much brighter the skin's highlights are than the skin around them.

    Skin reflects light twice (S. Shafer, "Using color to separate reflection components", 1985): by its
    body, with its colour, and by its surface, with the light's: small highlights, whiter than their
    surroundings, on nose, forehead and cheeks. A print's and a screen's gamut flattens them. Their own
    surface shines in one patch that knows no outline of a face: a white patch that crosses it takes from
    the value.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255.
        face: Its face.

    Returns:
        Luma of the brightest hundredth of the skin, where it is less saturated than what lies around
        it, over the mean around it, less 1: about 0.1 to 0.6; less down to 0 with glare across the
        face's outline; ``None`` for a face less than 64 pixels wide or partly outside the image.
    """
    crop = crop_face(image, face)
    return None if crop is None else specular_highlights_of(crop)


def specular_highlights_of(crop: FaceCrop) -> float | None:
    """The same of a face that is cut out."""
    if crop.frame_width < _SMALLEST_FACE or crop.inside < _LEAST_INSIDE:
        return None
    skin = _skin(crop)
    if not skin.any():
        return None
    return _shine(crop.face, skin) * max(0.0, 1 - _glare(crop) / _BLINDING_GLARE)


def _skin(crop: FaceCrop) -> NDArray[np.bool_]:
    """Shape of ``crop.face``: forehead, nose, cheeks and chin."""
    extent, shape = crop.extent, crop.face.shape[:2]
    left, top = max(0.0, extent.left), max(0.0, extent.top)
    mask = np.zeros(shape, np.uint8)
    radii = round(_FACE_RADII[0] * extent.width), round(_FACE_RADII[1] * extent.height)
    cv2.ellipse(mask, (round(extent.x - left), round(extent.y - top)), radii, 0, 0, 360, 1, -1)
    for at, radius in zip((0, 1, 3, 4), (_EYE_RADIUS,) * 2 + (_MOUTH_RADIUS,) * 2, strict=True):
        x, y = (float(value) for value in crop.five_points[at])
        cv2.circle(mask, (round(x - left), round(y - top)), round(radius * extent.width), 0, -1)
    return mask.astype(np.bool_)


def _shine(shown: BgrImage, skin: NDArray[np.bool_]) -> float:
    luma = cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY)
    blue, green, red = cv2.split(shown)
    brightest, darkest = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    spread = cv2.subtract(brightest, darkest).astype(np.float32)
    saturation = spread / (brightest.astype(np.float32) + _DARK)
    around, typical = cv2.blur(luma, (_SHADE, _SHADE)), cv2.blur(saturation, (_SHADE, _SHADE))
    levels = luma[skin]
    order = round(_SHADOW / 100 * (levels.size - 1))
    lit = skin & (luma > np.partition(levels, order)[order])
    ratio = (luma[lit] + np.float32(1)) / (around[lit] + np.float32(1))
    ratio[saturation[lit] >= typical[lit]] = 1
    if ratio.size == 0:
        return 0.0
    brightest_at = round(_HIGHLIGHT / 100 * (ratio.size - 1))
    return max(0.0, float(np.partition(ratio, brightest_at)[brightest_at]) - 1)


def _glare(crop: FaceCrop) -> float:
    """Share of the face under a white patch that reaches as far beside the face; 0 without one."""
    extent, small = crop.extent, crop.picture[::_STEP, ::_STEP]
    white = cv2.inRange(small, (_GLARE,) * 3, (255,) * 3)
    if not white.any():
        return 0.0
    face = np.zeros(white.shape, np.uint8)
    centre = round(extent.x / _STEP), round(extent.y / _STEP)
    radii = round(0.45 * extent.width / _STEP), round(0.45 * extent.height / _STEP)
    cv2.ellipse(face, centre, radii, 0, 0, 360, 1, -1)
    patches, labels = cv2.connectedComponents(white)
    on_face = np.bincount(labels[face == 1], minlength=patches)[1:]
    beside = np.bincount(labels[face == 0], minlength=patches)[1:]
    crossing = int(np.minimum(on_face, beside).max())
    share = crossing / max(1, int(face.sum()))
    return share if share >= _LEAST_GLARE else 0.0


class SpecularHighlights:
    """Median strength of the highlights over the frames."""

    name = "specular_highlights"
    label = "Shine of skin"

    def __init__(self, cues: Sequence[FrameCues]) -> None:
        """Take the frames' cues; see ``frame_cues.measure_frame_cues``."""
        self._cues = tuple(cues)

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        del scan
        found = summarise_cue(self._cues, self.name)
        if found is None:
            return not_assessed(
                name=self.name,
                label=self.label,
                reason="No frame shows a face large enough to see its skin shine.",
            )
        lines = settings.specular_highlights
        told = "as skin's" if found.value >= lines.line else "flatter than skin's"
        return assessed(
            name=self.name,
            label=self.label,
            score=score_of_cue(found.value, lines),
            detail=f"Highlights {found.value:.2f} brighter than the skin around them in {found.counted}, "
            f"{lines.line:.2f} is the line: {told}.",
        )
