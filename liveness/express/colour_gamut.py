"""The signal of a narrow range of tones and colours, which prints and screens have."""

import cv2
import numpy as np

from liveness.express.cue_crops import FaceCrop
from liveness.express.cue_summary import CueSignal, CueSummary
from liveness.express.settings import CueLine, ExpressSettings

__all__ = ["ColourGamut", "measure_colour_gamut"]

_STEP = 3
"""The spacing of the pixels that are read. Every third one is enough for medians and percentiles."""

_LEAST_INSIDE = 0.7
_GREY = 2.0
"""The mean difference between blue and red, 8-bit steps, below which an image is grey."""

_SHADED_SHARE = 0.4
"""The share of a face's pixels, darkest first, that is hair, eyes and shadow, not lit skin."""

_DIM = 130
"""The luma of the brightest hundredth below which poor light, not a medium, makes the range narrow."""

_DARKEST, _BRIGHTEST = 0.01, 0.99
_CAST_WEIGHT = 2.3
"""The steps of tonal range that one unit of CIE b* is worth; fitted to prints and selfies of one source."""

_MOST_YELLOW, _MOST_BLUE = 15.0, -25.0
_ACROSS, _DOWN = 0.34, 0.42
"""Half width and half height of the part of the face that is mostly skin, face extents."""


def measure_colour_gamut(crop: FaceCrop) -> float | None:
    """Returns the tonal range of the face and its surroundings, reduced by a blue cast of the skin.

    A print has no full black, and a screen's black glows; both compress the tones. Under any white balance,
    skin lies on the yellow-red side of grey (M. Soriano et al., "Skin detection in video under changing
    illumination conditions", ICPR 2000). Ink and backlight shift it towards blue.

    Args:
        crop: The close crop of one frame.

    Returns:
        Luma from the 1st to the 99th percentile over the face and half a face around it, plus 2.3 for
        each unit of CIE 1976 b* of the lit skin (from -25 to 15), over 255: about 0.3 to 1.1; ``None``
        if much of the face lies outside the frame, or if the crop is grey or dim.
    """
    if crop.inside < _LEAST_INSIDE:
        return None
    place = crop.place(-_ACROSS, -_DOWN, _ACROSS, _DOWN)
    skin = crop.picture[place][::_STEP, ::_STEP]
    blue, _, red = cv2.split(skin)
    if float(cv2.mean(cv2.absdiff(blue, red))[0]) < _GREY:
        return None
    darkest, brightest = _levels(crop.luma[::_STEP, ::_STEP], (_DARKEST, _BRIGHTEST))
    if brightest < _DIM:
        return None
    luma = crop.luma[place][::_STEP, ::_STEP]
    (shaded,) = _levels(luma, (_SHADED_SHARE,))
    lit = skin[luma > shaded]
    if lit.size == 0:
        return None
    # OpenCV stores b* of 8-bit images with 128 added.
    lab = cv2.cvtColor(lit[None], cv2.COLOR_BGR2LAB)
    yellow = float(np.clip(np.median(lab[..., 2]) - 128, _MOST_BLUE, _MOST_YELLOW))
    return (brightest - darkest + _CAST_WEIGHT * yellow) / 255


def _levels(grey: np.ndarray, shares: tuple[float, ...]) -> list[int]:
    """Returns the luma at or below which each of ``shares``, 0..1, of the pixels lies."""
    counts = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    return [int(np.searchsorted(counts, share * grey.size)) for share in shares]


class ColourGamut(CueSignal):
    """The median range of tones and skin colour over the frames."""

    name = "colour_gamut"
    label = "Colours of a scene"
    unseen = "No frame shows a whole face in colour and enough light."

    def lines(self, settings: ExpressSettings) -> CueLine:
        """See ``CueSignal.lines``."""
        return settings.colour_gamut

    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.detail``."""
        what = "as wide as a scene's" if found.value >= lines.line else "as narrow as a recaptured image's"
        return (
            f"The range of tones and skin colours is {what} "
            f"({found.value:.2f} in {found.counted}; line {lines.line:.2f})."
        )
