"""The figure of regular patterns: the spectrum that the signal moire uses."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cli.analyze.page_figures import group
from cli.analyze.pictures import colour_map, png_uri
from liveness.express import fine_structure
from server.pages import Html, figure, image
from vision.face import BgrImage, DetectedFace

__all__ = ["pattern_pictures", "whole_spectrum"]

_SIDE: Final = 192
_LOWEST: Final = 0.1
"""Cycles per pixel, as in ``liveness.express.frame_cues``."""

_STRONG: Final = 12.0
"""Ratio to the power of nearby frequencies that is shown brightest; about 2 is usual."""


def pattern_pictures(pixels: BgrImage, face: DetectedFace) -> Html:
    """Returns a map of each frequency's ratio to nearby ones; nothing if the face is too small."""
    return group(
        "Regular patterns (moire)",
        "The ratio of each frequency to nearby ones, in windows of the frame's own pixels; frequency 0 is in "
        "the middle. The lowest frequencies are omitted, because faces themselves have structure there. A "
        "camera's frame of skin is dark nearly everywhere. Bright dots that mirror each other are a regular "
        "pattern: a screen's pixels, or a printer's dots.",
        _map(pixels, face),
    )


def whole_spectrum(half: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the full spectrum of a real-valued image, frequency 0 in the middle.

    Args:
        half: Shape (n, n / 2 + 1), n even, in the order of ``numpy.fft.rfft2``.

    Returns:
        Shape (n, n).
    """
    side = half.shape[0]
    whole = np.empty((side, side), half.dtype)
    whole[:, : half.shape[1]] = half
    rows, columns = np.arange(side), np.arange(half.shape[1], side)
    whole[:, columns] = half[np.ix_(-rows % side, side - columns)]
    return np.fft.fftshift(whole)


def _without_low(whole: NDArray[np.float32]) -> NDArray[np.float32]:
    side = whole.shape[0]
    down, across = np.indices(whole.shape) - side // 2
    return np.where(np.hypot(down, across) < _LOWEST * side, np.float32(0), whole)


def _map(pixels: BgrImage, face: DetectedFace) -> Iterator[Html]:
    peaks = fine_structure(pixels, face)
    if peaks is None:
        return
    whole = _without_low(whole_spectrum(peaks))
    strongest = math.exp(float(whole.max()))
    yield figure(
        image(
            png_uri(colour_map(whole, side=_SIDE, limits=(0.0, math.log(_STRONG)))),
            alt="Ratio of each frequency of the face's brightness to nearby ones",
        ),
        caption=f"Brightness of the face: the strongest is {strongest:.1f} times as strong as those nearby.",
        kind="exact",
    )
