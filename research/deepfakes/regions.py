"""The inside of a face, which a swap replaces, and the skin around it, which it keeps."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Points

__all__ = ["Regions", "drawn_swap", "regions_of"]

OVAL: Final = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The outline of the face in MediaPipe's mesh."""

_EYES: Final = (33, 263)
_INSIDE, _FROM, _TO = 0.85, 1.06, 1.30
"""Sizes of the inner region's edge and of the ring's two edges, as shares of the outline's."""
_NECK: Final = 0.35
"""How far the ring reaches below the outline's lowest point, as a share of its height."""
_LEAST_PIXELS: Final = 200
_DRAWN: Final = 0.95


@dataclass(frozen=True, slots=True)
class Regions:
    """Parts of one frame.

    Attributes:
        inside: Shape (height, width): the face between brows, cheeks and chin, below the eyes.
        ring: The same shape: jaws, ears and neck around it, below the eyes.
        outline: Shape (36, 2): the outline, pixels.
        middle: Shape (2,): its middle.
        width: Width of the outline, pixels.
    """

    inside: NDArray[np.bool_]
    ring: NDArray[np.bool_]
    outline: NDArray[np.float64]
    middle: NDArray[np.float64]
    width: float


def regions_of(image: BgrImage, mesh: Points) -> Regions | None:
    """Return the regions of a face; ``None`` if one of them is too small, as in a tight crop.

    Args:
        image: The frame.
        mesh: MediaPipe's 478 points in it.
    """
    outline = mesh[list(OVAL)].astype(np.float64)
    middle = outline.mean(axis=0)
    height, width = image.shape[:2]
    below = np.arange(height)[:, None] > mesh[list(_EYES), 1].mean()
    inside = _filled(middle + _INSIDE * (outline - middle), width, height) & below
    tall = float(np.ptp(outline[:, 1]))
    neck = np.where(outline[:, 1:] > middle[1], _NECK * tall * np.array([[0.0, 1.0]]), 0.0)
    outer = middle + _TO * (outline - middle) + neck
    ring = (
        _filled(outer, width, height) & ~_filled(middle + _FROM * (outline - middle), width, height) & below
    )
    ring &= _like_skin(image, inside)
    if min(int(inside.sum()), int(ring.sum())) < _LEAST_PIXELS:
        return None
    return Regions(inside, ring, outline, middle, float(np.ptp(outline[:, 0])))


def drawn_swap(image: BgrImage, mesh: Points) -> BgrImage:
    """Return a frame with half of the detail within the face, as a network of few pixels leaves it."""
    outline = mesh[list(OVAL)].astype(np.float64)
    middle = outline.mean(axis=0)
    height, width = image.shape[:2]
    mask = _filled(middle + _DRAWN * (outline - middle), width, height).astype(np.float32)
    blend = cv2.GaussianBlur(mask, (0, 0), 2)[:, :, None]
    small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.rint(blend * coarse + (1 - blend) * image), np.uint8)


def _filled(corners: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], (1,))
    return mask.astype(bool)


def _like_skin(image: BgrImage, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels whose hue is near that of the face, so that hair, clothes and walls do not count."""
    chroma = cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)[:, :, 1:].astype(np.float64)
    luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float64)
    colour = np.median(chroma[inside], axis=0)
    light = float(np.median(luma[inside]))
    near = np.abs(chroma - colour).max(axis=2) < 18
    like: NDArray[np.bool_] = near & (luma > 0.35 * light) & (luma < 1.6 * light)
    return like
