"""Are the colours those of a scene, or what a print or a screen can give of them?"""

from collections.abc import Sequence

import cv2
import numpy as np

from liveness.express.cue_crops import FaceCrop, crop_face
from liveness.express.cue_summary import score_of_cue, summarise_cue
from liveness.express.interface import FrameCues
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed
from vision.face import BgrImage, DetectedFace

__all__ = ["ColourGamut", "colour_gamut_of", "measure_colour_gamut"]

_STEP = 3
"""Every third pixel of a crop is enough for medians and percentiles."""

_LEAST_INSIDE = 0.7
_GREY = 2.0
"""Mean difference between channels, 8-bit steps, up to which a picture is grey."""

_SHADED_SHARE = 0.4
"""Share of a face's pixels by luma below which they are hair, eyes and shadow, not lit skin."""

_DIM = 130
"""Luma of the brightest hundredth below which want of light, not a medium, makes the range narrow."""

_DARKEST, _BRIGHTEST = 0.01, 0.99
_CAST_WEIGHT = 2.3
"""Steps of tonal range that one unit of CIE b* is worth; both fitted to prints and selfies of one source."""

_MOST_YELLOW, _MOST_BLUE = 15.0, -25.0


def measure_colour_gamut(image: BgrImage, face: DetectedFace) -> float | None:
    """Tonal range that is left, less for a blue cast of the skin.

    A print has no black and a screen glows where it shows black, which compresses tones; ink and
    backlight shift skin, which under any white balance lies on the yellow-red side of grey (M. Soriano
    et al., "Skin detection in video under changing illumination conditions", ICPR 2000), towards blue.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255.
        face: Its face.

    Returns:
        Luma from the 1st to the 99th percentile over the face and half a face around it, plus 2.3 for
        each unit of CIE 1976 b* of the lit skin (from -25 to 15), over 255: about 0.3 to 1.1; ``None``
        where much of the face lies outside the image, for grey pictures and for dim ones.
    """
    crop = crop_face(image, face)
    return None if crop is None else colour_gamut_of(crop)


def colour_gamut_of(crop: FaceCrop) -> float | None:
    """The same of a face that is cut out."""
    if crop.inside < _LEAST_INSIDE:
        return None
    skin = crop.part(-0.34, -0.42, 0.34, 0.42)[::_STEP, ::_STEP]
    blue, _, red = cv2.split(skin)
    if float(cv2.mean(cv2.absdiff(blue, red))[0]) < _GREY:
        return None
    around = cv2.cvtColor(crop.picture[::_STEP, ::_STEP], cv2.COLOR_BGR2GRAY)
    darkest, brightest = _levels(around, (_DARKEST, _BRIGHTEST))
    if brightest < _DIM:
        return None
    luma = cv2.cvtColor(skin, cv2.COLOR_BGR2GRAY)
    (shaded,) = _levels(luma, (_SHADED_SHARE,))
    lit = skin[luma > shaded]
    if lit.size == 0:
        return None
    # OpenCV stores b* of 8-bit pictures with 128 added.
    lab = cv2.cvtColor(lit[None], cv2.COLOR_BGR2LAB)
    yellow = float(np.clip(np.median(lab[..., 2]) - 128, _MOST_BLUE, _MOST_YELLOW))
    return (brightest - darkest + _CAST_WEIGHT * yellow) / 255


def _levels(grey: np.ndarray, shares: tuple[float, ...]) -> list[int]:
    """The luma below or at which these shares, 0..1, of the pixels lie."""
    counts = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    return [int(np.searchsorted(counts, share * grey.size)) for share in shares]


class ColourGamut:
    """Median of tonal range and cast over the frames."""

    name = "colour_gamut"
    label = "Colours of a scene"

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
                reason="No frame shows a whole face in colour and enough light.",
            )
        lines = settings.colour_gamut
        told = "as wide as a scene's" if found.value >= lines.line else "as narrow as a recaptured picture's"
        return assessed(
            name=self.name,
            label=self.label,
            score=score_of_cue(found.value, lines),
            detail=f"Range of tones and skin colour {found.value:.2f} in {found.counted}, "
            f"{lines.line:.2f} is the line: {told}.",
        )
