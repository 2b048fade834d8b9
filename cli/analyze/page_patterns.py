"""Where regular patterns would show: the spectrum that moire judges."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cli.analyze.page_figures import group
from cli.analyze.pictures import colour_map, png_uri
from cli.pages import Html, figure, image
from liveness.express.fine_structure import fine_structure
from vision.face import BgrImage, DetectedFace

__all__ = ["pattern_pictures", "whole_spectrum"]

_SIDE: Final = 192
_LOWEST: Final = 0.1
"""Cycles per pixel, as ``liveness.express.moire`` has it."""

_STRONG: Final = 12.0
"""Power over that of frequencies nearby that is shown brightest; about 2 is usual."""


def pattern_pictures(pixels: BgrImage, face: DetectedFace) -> Html:
    """How far each frequency stands out of those nearby; nothing where the face is too small to tell."""
    return group(
        "Regular patterns (moire)",
        "How far each frequency stands out of those nearby, in windows of the frame's own pixels; frequency "
        "0 in the middle. The lowest frequencies, where faces have structure of their own, are left out. A "
        "camera's view of skin is dark nearly all over. Bright dots that mirror each other are a regular "
        "pattern: a screen's pixels, or a printer's dots.",
        _map(pixels, face),
    )


def whole_spectrum(half: NDArray[np.float32]) -> NDArray[np.float32]:
    """A real picture's spectrum in full, frequency 0 in the middle.

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
            alt="How far each frequency of the face's brightness stands out",
        ),
        caption=f"Brightness of the face: the strongest stands out {strongest:.1f} times.",
        kind="exact",
    )
