"""The spectrum of a face's finest detail in a frame.

Moiré is periodic: it gives a few sharp peaks in the spectrum, in most places of the frame. Hair, beards and
skin give a smooth spectrum, and a straight edge gives a streak through the spectrum's middle. The
surroundings are not measured, because a room has blinds and woven cloth. Windows are cut in the frame's own
pixels, because resizing would remove the finest structure or add aliases.
"""

from collections.abc import Iterable
from functools import cache

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from liveness.extent import FaceExtent, face_extent
from vision.face import BgrImage, DetectedFace

__all__ = ["WINDOW", "fine_structure"]

WINDOW = 64
"""The side of one window, pixels."""

_FEWEST_WINDOWS = 2
_SMALLEST_FACE = 80.0
"""The face width, pixels, below which a window does not lie on the face."""

_NOISE_VARIANCE = 0.4
"""The variance of rounding and of a good sensor's noise, squared 8-bit steps. Weaker structure is noise."""

_ARM = 3
"""The distance, in bins, from a peak to the bins it is compared with. A Hann window spreads a sine over two
bins on either side."""

_NEIGHBOURS = np.zeros((2 * _ARM + 1, 2 * _ARM + 1), np.uint8)
_NEIGHBOURS[::_ARM, ::_ARM] = 1
_NEIGHBOURS[_ARM, _ARM] = 0
_MARGIN = _ARM + 1
_ACROSS, _DOWN = 0.2, 0.28
"""The distances from the face's middle to the windows' middles, face widths."""


def fine_structure(image: BgrImage, face: DetectedFace) -> NDArray[np.float32] | None:
    """Returns how far each frequency on forehead, cheeks and chin stands out from its neighbours.

    Args:
        image: The upright frame, shape (height, width, 3), BGR, 0..255.
        face: The face in the frame.

    Returns:
        Natural logs of ratios of power, shape (64, 33), in the order of ``numpy.fft.rfft2``; ``None`` if the
        face is too small or too little of it lies inside the frame.
    """
    on_face = _cut(image, _face_windows(face_extent(face), image))
    if on_face is None:
        return None
    luma = cv2.cvtColor(on_face, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return _standing_out(luma.reshape(-1, WINDOW, WINDOW))


def _face_windows(extent: FaceExtent, image: BgrImage) -> list[tuple[int, int]]:
    """Returns the top left corners of up to six windows on the face."""
    if extent.width < _SMALLEST_FACE:
        return []
    across, down = _ACROSS * extent.width, _DOWN * extent.width
    centres = [
        (extent.x + column * across, extent.y + row * down) for row in (-1, 0, 1) for column in (-1, 1)
    ]
    return _inside(centres, image)


def _inside(centres: Iterable[tuple[float, float]], image: BgrImage) -> list[tuple[int, int]]:
    height, width = image.shape[:2]
    corners = [(round(x - WINDOW / 2), round(y - WINDOW / 2)) for x, y in centres]
    distinct = dict.fromkeys(corners)
    return [(x, y) for x, y in distinct if 0 <= x <= width - WINDOW and 0 <= y <= height - WINDOW]


def _cut(image: BgrImage, corners: list[tuple[int, int]]) -> BgrImage | None:
    """Returns the windows stacked vertically, shape (windows x 64, 64, 3); ``None`` if there are too few."""
    if len(corners) < _FEWEST_WINDOWS:
        return None
    return np.concatenate([image[y : y + WINDOW, x : x + WINDOW] for x, y in corners])


def _standing_out(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the log of each frequency's power over its neighbours', in the direction with the least ratio.

    The logs of the windows' spectra are averaged, so that structure in a single window counts little.
    """
    side = windows.shape[1]
    taper = _taper(side)
    spectra = scipy.fft.rfft2((windows - windows.mean(axis=(1, 2), keepdims=True)) * taper)
    power = spectra.real**2 + spectra.imag**2 + np.float32(_NOISE_VARIANCE * float((taper**2).sum()))
    half = np.log(power).mean(axis=0)
    # The least ratio over all directions is the ratio to the strongest neighbour.
    strongest = cv2.dilate(cv2.blur(half[_with_margin(side)], (3, 3)), _NEIGHBOURS)
    inside = slice(_MARGIN, -_MARGIN)
    return np.asarray(half - strongest[inside, inside], np.float32)


@cache
def _with_margin(side: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the rows and columns of a half spectrum with a margin around it, because spectra are periodic.

    Columns left of 0 and right of the half's end are those of the opposite frequencies.
    """
    rows, columns = np.arange(-_MARGIN, side + _MARGIN), np.arange(-_MARGIN, side // 2 + 1 + _MARGIN)
    opposite = (columns < 0) | (columns > side // 2)
    at = np.where(opposite, -rows[:, None], rows[:, None]) % side
    return at, np.broadcast_to(np.where(columns < 0, -columns, np.minimum(columns, side - columns)), at.shape)


@cache
def _taper(side: int) -> NDArray[np.float32]:
    across = np.hanning(side + 2)[1:-1]
    return np.outer(across, across).astype(np.float32)
