"""Instruments worn on a face: a rigid mask, and a cut-out print with holes for the eyes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.attacks.print_out import ink
from simulator.geometry.head_shape import HeadFit
from simulator.light.albedo import AlbedoPaint
from simulator.person import Layout
from vision.face import BgrImage, Points

__all__ = ["InkPaint", "MaskPaint", "bent_sheet_depth"]

_RESIN_SATURATION = 0.85
_BEND_RADIUS_MM = 160.0
_FALLS_BACK_MM = -80.0


class MaskPaint:
    """Colours of a printed resin mask: the person's albedo, a little paler."""

    def __init__(self) -> None:
        """Prepares the person's own albedo."""
        self._albedo = AlbedoPaint()

    def __call__(self, picture: BgrImage, layout: Layout) -> BgrImage:
        """Return the albedo of the mask."""
        colours = self._albedo(picture, layout).astype(np.float32)
        grey = cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)[..., None]
        return np.clip(grey + _RESIN_SATURATION * (colours - grey), 0, 255).astype(np.uint8)


class InkPaint:
    """Colours of a home printer: the photo with its shading, in ink on paper."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Makes a paint; ``rng`` draws the grain of the paper."""
        self._rng = rng

    def __call__(self, picture: BgrImage, layout: Layout) -> BgrImage:
        """Return the albedo of the print."""
        return ink(picture, self._rng)


def bent_sheet_depth(
    landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int
) -> NDArray[np.float32]:
    """Return the depth of a sheet bent over a face around a vertical axis, towards the camera, in pixels.

    Args:
        landmarks: Not used; part of the signature that depth sources share.
        fit: Gives place and scale.
        size: Width and height of the image in pixels.
        step: Distance of the samples in pixels.
    """
    width, height = size
    x = (np.arange(0, width, step, dtype=np.float64) - fit.centre[0]) / fit.pixels_per_millimetre
    bow = np.sqrt(np.maximum(_BEND_RADIUS_MM**2 - x * x, 0)) - _BEND_RADIUS_MM
    rows = -(-height // step)
    row = np.maximum(bow, _FALLS_BACK_MM) * fit.pixels_per_millimetre
    return np.ascontiguousarray(np.broadcast_to(row, (rows, len(row))), dtype=np.float32)
