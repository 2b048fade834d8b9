"""Is the picture as soft as one that was taken twice?"""

from collections.abc import Sequence

import cv2
import numpy as np

from liveness.express.cue_crops import CROP_FACE, FaceCrop, crop_face
from liveness.express.cue_summary import score_of_cue, summarise_cue
from liveness.express.interface import FrameCues
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed
from vision.face import BgrImage, DetectedFace

__all__ = ["BlurDepth", "blur_depth_of", "measure_blur_depth"]

_SMALLEST_FACE = 72.0
"""Face width, frame pixels: enlarging a smaller one to the crop's size is a blur of its own."""

_LEAST_INSIDE = 0.5
_REACH = 0.95
"""How far from the face's middle its surroundings are looked at, face widths."""

_NARROWEST_SIDE = 0.15
_PLAIN = 8.0
"""Standard deviation of the green of surroundings that are too plain to be sharp or not."""

_FINE, _MIDDLE, _COARSE = (5, 0.8), (9, 1.6), (17, 3.2)
_FLOOR = 0.05
"""8-bit steps added to each band, so that none is zero."""

_DETAIL_WEIGHT, _COLOUR_WEIGHT = 1.7, 0.8


def measure_blur_depth(image: BgrImage, face: DetectedFace) -> float | None:
    """How much finer detail is missing than a lens in focus leaves, on face and surroundings alike.

    A medium in front of the camera is flat: it is in focus everywhere or nowhere, and what it shows
    went through a lens before. So the sharper side of the surroundings counts as much as the face: a
    person whom the lens missed stands before a sharp room. Detail is compared between bands of spatial
    frequency, and with the colour noise of the sensor, which a second lens does not blur.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255.
        face: Its face.

    Returns:
        A weighted sum of natural logs of ratios of amplitude, about -1.5 (crisp) to 3 (blurred);
        ``None`` for a face less than 72 pixels wide.
    """
    crop = crop_face(image, face)
    return None if crop is None else blur_depth_of(crop)


def blur_depth_of(crop: FaceCrop) -> float | None:
    """The same of a face that is cut out."""
    if crop.frame_width < _SMALLEST_FACE or crop.inside < _LEAST_INSIDE:
        return None
    face = _softness(crop.face)
    sides = [
        _softness(side)
        for side in (crop.part(-_REACH, -0.5, -0.5, 0.5), crop.part(0.5, -0.5, _REACH, 0.5))
        if side.shape[1] >= _NARROWEST_SIDE * CROP_FACE and float(cv2.meanStdDev(side)[1][1, 0]) >= _PLAIN
    ]
    return (face + min(sides, default=face)) / 2


def _softness(part: BgrImage) -> float:
    luma = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY).astype(np.float32)
    blue, _, red = cv2.split(part)
    colour = cv2.subtract(blue, red, dtype=cv2.CV_32F)
    fine = _amplitude(luma, _blurred(luma, *_FINE))
    coarse = _amplitude(_blurred(luma, *_MIDDLE), _blurred(luma, *_COARSE))
    grain = _amplitude(colour, _blurred(colour, *_FINE))
    return float(_DETAIL_WEIGHT * np.log(coarse / fine) + _COLOUR_WEIGHT * np.log(grain / fine))


def _blurred(picture: np.ndarray, side: int, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (side, side), sigma)


def _amplitude(picture: np.ndarray, blurred: np.ndarray) -> float:
    """Root mean square of what ``blurred`` lost, 8-bit steps."""
    return float(cv2.norm(picture, blurred, cv2.NORM_L2) / np.sqrt(picture.size)) + _FLOOR


class BlurDepth:
    """Median softness of the sharpest part of the frames."""

    name = "blur_depth"
    label = "Fine detail of a first picture"

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
                reason="No frame shows a face large enough to see its detail.",
            )
        lines = settings.blur_depth
        soft = "as soft as a picture of a picture" if found.value > lines.line else "sharp enough"
        return assessed(
            name=self.name,
            label=self.label,
            score=score_of_cue(found.value, lines),
            detail=f"Softness {found.value:.2f} in {found.counted}, {lines.line:.2f} is the line: {soft}.",
        )
