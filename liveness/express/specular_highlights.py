"""The signal of highlights on the skin."""

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.express.cue_crops import FaceCrop
from liveness.express.cue_summary import CueSignal, CueSummary
from liveness.express.settings import CueLine, ExpressSettings

__all__ = ["SpecularHighlights", "measure_specular_highlights"]

_SMALLEST_FACE = 64.0
"""The least face width, frame pixels."""

_LEAST_INSIDE = 0.8
_SHADE = 21
"""The side of the neighbourhood whose mean is the diffuse shading, pixels of the crop."""

_FACE_RADII = 0.36, 0.42
_EYE_RADIUS, _MOUTH_RADIUS = 0.15, 0.17
"""Radii of the parts around eyes and mouth corners that are left out, face widths. They are not skin."""

_DARK = 4
"""Added to the brightest channel, 8-bit steps, because the saturation of darker pixels is not measurable."""

_SHADOW = 35
_HIGHLIGHT = 99
"""Percentiles of the skin. Below the first it is shadow or beard, above the second it is highlight."""

_STEP = 3
"""The spacing of the pixels that are read. Every third one is enough to find glare."""

_GLARE = 240
_LEAST_GLARE, _BLINDING_GLARE = 0.02, 0.1
"""Share of the face that a white patch covers, with at least as much area beside the face. From the first on
it is the glare of a medium; at the second, no highlight can be distinguished from it."""
_OUTLINE = 0.45
"""Half axes of the face's outline, face extents. A white patch that crosses the outline is not on the
face."""


def measure_specular_highlights(crop: FaceCrop) -> float | None:
    """Returns how much brighter the skin's highlights are than the skin around them.

    Skin reflects light in two ways (S. Shafer, "Using color to separate reflection components", 1985): its
    body in the colour of the skin, and its surface in the colour of the light. The surface gives small
    highlights, whiter than their surroundings, on nose, forehead and cheeks. The gamut of a print or a screen
    flattens them. The surface of a print or a screen shines in one patch that does not follow the outline of
    the face, so a white patch that crosses the outline reduces the value.

    Args:
        crop: The close crop of one frame.

    Returns:
        The luma of the brightest hundredth of the skin over the mean around it, less 1, of pixels that are
        less saturated than their surroundings: about 0.1 to 0.6, and down to 0 with glare across the face's
        outline; ``None`` for a face less than 64 pixels wide or partly outside the frame.
    """
    if crop.frame_width < _SMALLEST_FACE or crop.inside < _LEAST_INSIDE:
        return None
    skin = _skin(crop)
    if not skin.any():
        return None
    return _shine(crop, skin) * max(0.0, 1 - _glare(crop) / _BLINDING_GLARE)


def _skin(crop: FaceCrop) -> NDArray[np.bool_]:
    """Returns a mask of forehead, nose, cheeks and chin, in the shape of ``crop.face``."""
    extent = crop.extent
    left, top = max(0.0, extent.left), max(0.0, extent.top)
    mask = np.zeros(crop.luma[crop.face].shape, np.uint8)
    radii = round(_FACE_RADII[0] * extent.width), round(_FACE_RADII[1] * extent.height)
    cv2.ellipse(mask, (round(extent.x - left), round(extent.y - top)), radii, 0, 0, 360, 1, -1)
    for at, radius in zip((0, 1, 3, 4), (_EYE_RADIUS,) * 2 + (_MOUTH_RADIUS,) * 2, strict=True):
        x, y = (float(value) for value in crop.five_points[at])
        cv2.circle(mask, (round(x - left), round(y - top)), round(radius * extent.width), 0, -1)
    return mask.astype(np.bool_)


def _shine(crop: FaceCrop, skin: NDArray[np.bool_]) -> float:
    luma = crop.luma[crop.face]
    blue, green, red = cv2.split(crop.picture[crop.face])
    brightest, darkest = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    spread = cv2.subtract(brightest, darkest).astype(np.float32)
    saturation = spread / (brightest.astype(np.float32) + _DARK)
    around, typical = cv2.blur(luma, (_SHADE, _SHADE)), cv2.blur(saturation, (_SHADE, _SHADE))
    darker = np.cumsum(cv2.calcHist([luma], [0], skin.view(np.uint8), [256], [0, 256]))
    lit = skin & (luma > int(np.searchsorted(darker, _SHADOW / 100 * float(darker[-1]))))
    ratio = (luma[lit] + np.float32(1)) / (around[lit] + np.float32(1))
    ratio[saturation[lit] >= typical[lit]] = 1
    if ratio.size == 0:
        return 0.0
    brightest_at = round(_HIGHLIGHT / 100 * (ratio.size - 1))
    return max(0.0, float(np.partition(ratio, brightest_at)[brightest_at]) - 1)


def _glare(crop: FaceCrop) -> float:
    """Returns the share of the face under a white patch that covers as much outside of it; 0 without one."""
    extent = crop.extent
    # Luma is a mean of the channels, so it is high if all of them are.
    if not (crop.luma[::_STEP, ::_STEP] >= _GLARE).any():
        return 0.0
    white = cv2.inRange(crop.picture[::_STEP, ::_STEP], (_GLARE,) * 3, (255,) * 3)
    if not white.any():
        return 0.0
    face = np.zeros(white.shape, np.uint8)
    centre = round(extent.x / _STEP), round(extent.y / _STEP)
    radii = round(_OUTLINE * extent.width / _STEP), round(_OUTLINE * extent.height / _STEP)
    cv2.ellipse(face, centre, radii, 0, 0, 360, 1, -1)
    patches, labels = cv2.connectedComponents(white)
    on_face = np.bincount(labels[face == 1], minlength=patches)[1:]
    beside = np.bincount(labels[face == 0], minlength=patches)[1:]
    crossing = int(np.minimum(on_face, beside).max())
    share = crossing / max(1, int(face.sum()))
    return share if share >= _LEAST_GLARE else 0.0


class SpecularHighlights(CueSignal):
    """The median strength of the highlights over the frames."""

    name = "specular_highlights"
    label = "Shine of skin"
    unseen = "No frame shows a face large enough to measure the highlights of its skin."

    def lines(self, settings: ExpressSettings) -> CueLine:
        """See ``CueSignal.lines``."""
        return settings.specular_highlights

    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.detail``."""
        what = "as those of skin are" if found.value >= lines.line else "flatter than those of skin"
        return (
            f"Highlights are {found.value:.2f} brighter than their surroundings in {found.counted}, {what} "
            f"(line {lines.line:.2f})."
        )
