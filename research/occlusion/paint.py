"""Paints covers over the aligned part of a face that ``liveness.occlusion`` measures."""

from enum import StrEnum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage

__all__ = ["Painted", "painted"]

_COLOURS: Final = np.array(
    [
        (230, 200, 150),
        (245, 245, 245),
        (30, 30, 30),
        (140, 200, 150),
        (190, 160, 230),
        (200, 120, 60),
        (120, 120, 125),
        (90, 60, 40),
    ],
    dtype=np.float64,
)
"""Colours of masks and objects, BGR: surgical blue, white, black, green, pink, blue, grey and navy."""
_LIT: Final = 150.0
_NOSE_BRIDGE: Final = (slice(35, 65), slice(68, 90))
_LENS: Final = (24, 18)


class Painted(StrEnum):
    """A painted cover."""

    MASK = "mask"
    OBJECT = "object"
    LENSES = "lenses"


def painted(part: BgrImage, eyes: NDArray[np.float64], what: Painted, rng: np.random.Generator) -> BgrImage:
    """Return the part with a cover, whose colour and place are drawn.

    Args:
        part: The aligned part, from ``liveness.occlusion.cut_regions``.
        eyes: The corners of the eyes in it, shape (2, 2, 2).
        what: The cover: a mask from nose to chin, an object before the mouth that leaves the cheeks bare, or
            dark lenses with some sky in them.
        rng: Draws colour, place and texture.
    """
    mask = np.zeros(part.shape[:2], dtype=np.uint8)
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float64)
    if what is Painted.LENSES:
        fill = np.zeros(part.shape)
        for x, y in eyes.mean(axis=1):
            cv2.ellipse(mask, (round(float(x)), round(float(y))), _LENS, 0, 0, 360, 255, cv2.FILLED)
            down = np.clip((rows - (y - _LENS[1])) / (2 * _LENS[1]), 0, 1)
            fill[:] = (rng.uniform(50, 80) - 45 * down)[..., None]
    else:
        light = float(np.clip(part[_NOSE_BRIDGE].mean() / _LIT, 0.25, 1.3))
        folds = 1 + rng.uniform(0, 0.1) * np.sin(rows / rng.uniform(4, 9) + rng.uniform(0, 6))
        shade = (folds - 0.1 * ((columns - 79) / 79) ** 2)[..., None]
        fill = rng.choice(_COLOURS) * light * shade
        cv2.fillConvexPoly(mask, _outline(what, rng), 255)
    soft = cv2.GaussianBlur(mask, (3, 3), 0)[..., None] / 255.0
    noisy = np.clip(fill + rng.normal(0, 3, part.shape), 0, 255)
    return (part * (1 - soft) + noisy * soft).astype(np.uint8)


def _outline(what: Painted, rng: np.random.Generator) -> NDArray[np.int32]:
    if what is Painted.OBJECT:
        x, y = 79 + int(rng.integers(-5, 6)), 110 + int(rng.integers(-4, 5))
        return np.array([(x - 29, y - 16), (x + 29, y - 16), (x + 29, y + 17), (x - 29, y + 17)], np.int32)
    side, top = 72 + int(rng.integers(0, 8)), int(rng.integers(62, 75))
    return np.array([(14, side), (79, top), (144, side), (137, 130), (79, 162), (20, 130)], np.int32)
