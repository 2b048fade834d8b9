"""Spectra of the finest detail that a frame holds, on a face and beside it.

Moiré and print screens are periodic: a few sharp peaks in the spectrum, in most places of the picture and
on face and background alike. Hair, beards and skin give a smooth spectrum, a straight edge gives a streak
through the spectrum's middle. Windows are taken in the frame's own pixels, as any resizing would remove
the finest structure or make aliases of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from liveness.extent import FaceExtent, face_extent
from vision.face import BgrImage, DetectedFace

__all__ = ["WINDOW", "FineStructure", "fine_structure"]

WINDOW = 64
"""Side of one window, pixels."""

_CHROMA_WINDOW = WINDOW // 2
_FEWEST_WINDOWS = 2
_SMALLEST_FACE = 80.0
"""Face width, pixels, below which a window does not lie on the face."""

_NOISE_VARIANCE = 0.4
"""Of rounding and of a good sensor, squared 8-bit steps; what is weaker is no structure."""

_ARM = 3
"""Bins from a peak to what it is compared with: a Hann window smears a sine over two bins either side."""

_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True, slots=True, eq=False)
class FineStructure:
    """By how much each frequency stands out of those nearby, natural log of power.

    In the order of ``numpy.fft.rfft2``; ``None`` where there is too little of a place.

    Attributes:
        face: Luma of forehead, cheeks and chin, shape (64, 33).
        face_colour: Blue minus red of the same at half the resolution, shape (32, 17).
        surroundings: Luma beside the head, above the shoulders, shape (64, 33).
    """

    face: NDArray[np.float32] | None
    face_colour: NDArray[np.float32] | None
    surroundings: NDArray[np.float32] | None


def fine_structure(image: BgrImage, face: DetectedFace) -> FineStructure:
    """Measure one upright frame.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255.
        face: Its face.
    """
    extent = face_extent(face)
    on_face = _cut(image, _face_windows(extent, image))
    beside = _cut(image, _side_windows(extent, image))
    return FineStructure(
        face=_luma_peaks(on_face), face_colour=_colour_peaks(on_face), surroundings=_luma_peaks(beside)
    )


def _face_windows(extent: FaceExtent, image: BgrImage) -> list[tuple[int, int]]:
    """Left top corners of up to six windows on the face."""
    if extent.width < _SMALLEST_FACE:
        return []
    across, down = 0.2 * extent.width, 0.28 * extent.width
    centres = [
        (extent.x + column * across, extent.y + row * down) for row in (-1, 0, 1) for column in (-1, 1)
    ]
    return _inside(centres, image)


def _side_windows(extent: FaceExtent, image: BgrImage) -> list[tuple[int, int]]:
    """Left top corners of up to six windows that touch the head's sides, from its top to its chin."""
    height, width = image.shape[:2]
    half, overlap = WINDOW / 2, 0.06 * extent.width
    columns = []
    if extent.left + overlap >= WINDOW:
        columns.append(extent.left + overlap - half - 0.1 * max(0.0, extent.left - WINDOW))
    if width - extent.right + overlap >= WINDOW:
        room = width - extent.right - WINDOW
        columns.append(extent.right - overlap + half + 0.1 * max(0.0, room))
    top = max(0.0, extent.top - 0.25 * extent.height)
    bottom = min(float(height), extent.bottom)
    slack = max(0.0, bottom - top - WINDOW)
    rows = [top + half + share * slack for share in (0.0, 0.5, 1.0)]
    return _inside([(column, row) for column in columns for row in rows], image)


def _inside(centres: Iterable[tuple[float, float]], image: BgrImage) -> list[tuple[int, int]]:
    height, width = image.shape[:2]
    corners = [(round(x - WINDOW / 2), round(y - WINDOW / 2)) for x, y in centres]
    distinct = dict.fromkeys(corners)
    return [(x, y) for x, y in distinct if 0 <= x <= width - WINDOW and 0 <= y <= height - WINDOW]


def _cut(image: BgrImage, corners: list[tuple[int, int]]) -> BgrImage | None:
    """The windows under each other, shape (windows x 64, 64, 3); ``None`` for too few."""
    if len(corners) < _FEWEST_WINDOWS:
        return None
    return np.concatenate([image[y : y + WINDOW, x : x + WINDOW] for x, y in corners])


def _luma_peaks(windows: BgrImage | None) -> NDArray[np.float32] | None:
    if windows is None:
        return None
    luma = cv2.cvtColor(windows, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return _standing_out(luma.reshape(-1, WINDOW, WINDOW))


def _colour_peaks(windows: BgrImage | None) -> NDArray[np.float32] | None:
    if windows is None:
        return None
    half = cv2.resize(windows, (_CHROMA_WINDOW, windows.shape[0] // 2), interpolation=cv2.INTER_AREA)
    blue, _, red = cv2.split(half)
    colour = cv2.subtract(blue, red, dtype=cv2.CV_32F).astype(np.float32, copy=False)
    return _standing_out(colour.reshape(-1, _CHROMA_WINDOW, _CHROMA_WINDOW))


def _standing_out(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log of each frequency's power against its neighbours', in the direction where it stands out least.

    The windows' spectra are averaged in the logarithm, so that what is in one window only counts little.
    """
    side = windows.shape[1]
    taper = _taper(side)
    spectra = scipy.fft.rfft2((windows - windows.mean(axis=(1, 2), keepdims=True)) * taper)
    power = spectra.real**2 + spectra.imag**2 + np.float32(_NOISE_VARIANCE * float((taper**2).sum()))
    half = np.log(power).mean(axis=0)
    margin = _ARM + 1
    # Columns left of 0 and right of the half's end are those of the opposite frequencies.
    opposite = half[-np.arange(side) % side]
    wide = np.hstack([opposite[:, margin:0:-1], half, opposite[:, -2 : -2 - margin : -1]])
    wrapped = cv2.copyMakeBorder(wide, margin, margin, 0, 0, cv2.BORDER_WRAP)
    smooth = cv2.blur(wrapped, (3, 3))
    rows, columns = half.shape
    highest = np.full(half.shape, np.inf, np.float32)
    for down, across in _DIRECTIONS:
        ends = [
            smooth[margin + way * down :, margin + way * across :][:rows, :columns] for way in (-_ARM, _ARM)
        ]
        highest = np.minimum(highest, -np.maximum(ends[0], ends[1]))
    return np.asarray(half + highest, np.float32)


@cache
def _taper(side: int) -> NDArray[np.float32]:
    across = np.hanning(side + 2)[1:-1]
    return np.outer(across, across).astype(np.float32)
