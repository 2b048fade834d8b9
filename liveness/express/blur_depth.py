"""The signal of a recapture's softness: an image that was captured twice lacks fine detail."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.express.cue_crops import CROP_FACE, FaceCrop
from liveness.express.cue_summary import CueSignal, CueSummary
from liveness.express.settings import CueLine, ExpressSettings

__all__ = ["BlurDepth", "measure_blur_depth"]

_SMALLEST_FACE = 72.0
"""The least face width, frame pixels. Enlarging a smaller face to the crop's size would blur it."""

_LEAST_INSIDE = 0.5
_REACH = 0.95
"""The distance from the face's middle up to which its surroundings are measured, face widths."""

_NARROWEST_SIDE = 0.15
_PLAIN = 8.0
"""The standard deviation of luma below which surroundings are too plain to be sharp or soft."""

_FINE, _MIDDLE = (5, 0.8), (9, 1.6)
_COARSER = 9, (3.2**2 - 1.6**2) ** 0.5 / 2
"""Side and standard deviation of each blur, pixels. The last blur is applied to every other pixel of the
result of the second and makes its standard deviation 3.2 pixels."""

_FLOOR = 0.05
"""The number of 8-bit steps that is added to each band, so that none is zero."""

_DETAIL_WEIGHT, _COLOUR_WEIGHT = 1.7, 0.8
"""The weights of fine detail that is lacking beside coarse detail, and beside grain of colour."""


def measure_blur_depth(crop: FaceCrop) -> float | None:
    """Returns how much fine detail the face and its surroundings lack.

    A medium in front of the camera is flat, so it is in focus everywhere or nowhere, and what it shows was
    already blurred by another lens. The sharper side of the surroundings counts as much as the face, because
    a living person may be out of focus in front of a sharp room. Detail is compared between bands of spatial
    frequency, and with the colour noise of the sensor, which the first lens did not blur.

    Args:
        crop: The close crop of one frame.

    Returns:
        A weighted sum of natural logs of ratios of amplitude, about -1.5 (crisp) to 3 (blurred);
        ``None`` for a face less than 72 pixels wide or of which less than half lies inside the frame.
    """
    if crop.frame_width < _SMALLEST_FACE or crop.inside < _LEAST_INSIDE:
        return None
    bands = _bands(crop)
    face = _softness(bands, _columns(crop, -0.5, 0.5))
    sides = [
        _softness(bands, side)
        for side in (_columns(crop, -_REACH, -0.5), _columns(crop, 0.5, _REACH))
        if side.stop - side.start >= _NARROWEST_SIDE * CROP_FACE
        and float(cv2.meanStdDev(bands.luma[:, side])[1][0, 0]) >= _PLAIN
    ]
    return (face + min(sides, default=face)) / 2


@dataclass(frozen=True, slots=True, eq=False)
class _Bands:
    """The face and both its sides: luma, and pairs of images before and after a further blur.

    ``coarse`` has every other row and column, which hold all the detail that is left in it.
    """

    luma: NDArray[np.float32]
    fine: tuple[NDArray[np.float32], NDArray[np.float32]]
    coarse: tuple[NDArray[np.float32], NDArray[np.float32]]
    grain: tuple[NDArray[np.float32], NDArray[np.float32]]


def _columns(crop: FaceCrop, left: float, right: float) -> slice:
    """Returns the columns of the bands between two edges, in face widths from the face's middle."""
    first = crop.place(-_REACH, -0.5, _REACH, 0.5)[1].start
    columns = crop.place(left, -0.5, right, 0.5)[1]
    return slice(columns.start - first, columns.stop - first)


def _bands(crop: FaceCrop) -> _Bands:
    place = crop.place(-_REACH, -0.5, _REACH, 0.5)
    luma = crop.luma[place].astype(np.float32)
    middle = _blurred(luma, *_MIDDLE)[::2, ::2]
    blue, _, red = cv2.split(crop.picture[place])
    colour = cv2.subtract(blue, red, dtype=cv2.CV_32F).astype(np.float32, copy=False)
    return _Bands(
        luma=luma,
        fine=(luma, _blurred(luma, *_FINE)),
        coarse=(middle, _blurred(middle, *_COARSER)),
        grain=(colour, _blurred(colour, *_FINE)),
    )


def _softness(bands: _Bands, columns: slice) -> float:
    fine, grain = _amplitude(*bands.fine, columns), _amplitude(*bands.grain, columns)
    coarse = _amplitude(*bands.coarse, slice(columns.start // 2, columns.stop // 2))
    return float(_DETAIL_WEIGHT * np.log(coarse / fine) + _COLOUR_WEIGHT * np.log(grain / fine))


def _blurred(picture: NDArray[np.float32], side: int, sigma: float) -> NDArray[np.float32]:
    return cv2.GaussianBlur(picture, (side, side), sigma).astype(np.float32, copy=False)


def _amplitude(picture: NDArray[np.float32], blurred: NDArray[np.float32], columns: slice) -> float:
    """Returns the root mean square of the detail that ``blurred`` lost within ``columns``, 8-bit steps."""
    lost = cv2.norm(picture[:, columns], blurred[:, columns], cv2.NORM_L2)
    return float(lost / np.sqrt(picture[:, columns].size)) + _FLOOR


class BlurDepth(CueSignal):
    """The median softness over the frames."""

    name = "blur_depth"
    label = "Sharper than a recapture"
    unseen = "No frame shows a face large enough to measure its detail."

    def lines(self, settings: ExpressSettings) -> CueLine:
        """See ``CueSignal.lines``."""
        return settings.blur_depth

    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.detail``."""
        soft = "as soft as a recaptured image" if found.value > lines.line else "sharp enough"
        return f"The face is {soft} (softness {found.value:.2f} in {found.counted}; line {lines.line:.2f})."
