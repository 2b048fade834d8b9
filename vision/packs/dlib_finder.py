"""dlib's second face detector, a small network that finds faces that the HOG detector misses.

HOG needs a whole, frontal, evenly lit face. The network also finds faces that the image's border cuts,
that look aside or that are dark, but it is too slow for every frame. So it runs only if HOG finds nothing.

The network detects one size of face, so it runs on the image at many sizes. Its boxes lie a little higher and
are a little narrower than HOG's, on which the shape predictor was trained. They are changed to match, by the
medians over photos in which both found the face.

Source: D. King, "Max-Margin Object Detection", arXiv:1502.00046, 2015.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed
from vision.face import BgrImage, Box
from vision.onnx_sessions import OnnxSession
from vision.packs.dlib_networks import FINDER_STEP, FINDER_WINDOW

__all__ = ["DlibFinder"]

_LONG_SIDE = 240
_STEP_DOWN = 5 / 6
_SMALLEST_SIDE = 64
_BORDER = 16
"""The border around the image, pixels, so that enough of a face cut by it is visible; a multiple of the
network's step."""
_OVERLAP = 0.3
_WIDTH_TO_HOG = 1 / 0.96
_DOWN_TO_HOG = 0.037


class DlibFinder:
    """Finds faces with dlib's max-margin network. Threads may share one."""

    def __init__(self, session: OnnxSession) -> None:
        """Take over a loaded network.

        Args:
            session: The model that ``vision.packs.dlib_networks.finder_to_onnx`` makes.
        """
        self._session = session

    def find(self, image: BgrImage) -> list[tuple[Box, float]]:
        """Return boxes like those of dlib's HOG detector, and the network's scores, best first.

        Args:
            image: The frame; faces narrower than a third of its longer side are not found.

        Raises:
            ModelFailed: The network failed.
        """
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        scale = _LONG_SIDE / max(image.shape[:2])
        windows: list[tuple[float, float, float, float]] = []
        while min(image.shape[:2]) * scale >= _SMALLEST_SIDE:
            size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            scores = self._scores(np.asarray(cv2.resize(rgb, size, interpolation=smooth), dtype=np.uint8))
            step, first = FINDER_STEP
            for row, column in zip(*np.nonzero(scores > 0), strict=True):
                centre_x, centre_y = ((step * int(at) + first - _BORDER) / scale for at in (column, row))
                windows.append((float(scores[row, column]), centre_x, centre_y, FINDER_WINDOW / scale))
            scale *= _STEP_DOWN
        return _strongest(windows)

    def _scores(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        framed = np.pad(rgb, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)))
        picture = np.ascontiguousarray(framed.transpose(2, 0, 1)[None], dtype=np.float32)
        try:
            scores: NDArray[np.float32] = self._session.run(None, {"picture": picture})[0][0, 0]
        except Exception as error:
            raise ModelFailed(f"dlib's second detector failed ({type(error).__name__})") from error
        return scores


def _strongest(windows: list[tuple[float, float, float, float]]) -> list[tuple[Box, float]]:
    """Return the window of the highest score among those that overlap, as the box that HOG would give."""
    kept: list[tuple[float, float, float, float]] = []
    for window in sorted(windows, reverse=True):
        if all(_overlap(window[1:], other[1:]) < _OVERLAP for other in kept):
            kept.append(window)
    found = []
    for score, centre_x, centre_y, side in kept:
        half = side * _WIDTH_TO_HOG / 2
        down = centre_y + 2 * half * _DOWN_TO_HOG
        found.append((Box(centre_x - half, down - half, centre_x + half, down + half), score))
    return found


def _overlap(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Return the intersection over union of two squares, given as centre and side."""
    reach = (one[2] + other[2]) / 2
    across, down = (max(0.0, min(reach - abs(one[at] - other[at]), one[2], other[2])) for at in (0, 1))
    shared = across * down
    return shared / (one[2] ** 2 + other[2] ** 2 - shared)
