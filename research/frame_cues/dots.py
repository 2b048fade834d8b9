"""Renders a photo printed with amplitude-modulated dots, and the same photo without, through one camera."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage

__all__ = ["photographed", "printed"]

_ANGLES = {"yellow": 0.0, "magenta": 75.0, "cyan": 15.0, "black": 45.0}
"""Angles of the screens, degrees (ISO 12647-2)."""

_FINER = 3
"""Printed points per camera pixel and axis."""

_UNDER_COLOUR = 0.6
"""Share of the common grey of the three inks that black replaces."""

_LENS = 0.8
_NOISE = 1.5


def printed(photo: BgrImage, *, pitch: float, roll: float, rng: np.random.Generator) -> BgrImage:
    """Return ``photo`` as dots of four inks, with tones by the size of dots, photographed pixel for pixel.

    Args:
        photo: Shape (height, width, 3), BGR.
        pitch: Distance of the dots, camera pixels; below about 2 the lens shows none.
        roll: Turn of the print in front of the camera, degrees.
        rng: Draws the camera's noise.
    """
    height, width = photo.shape[:2]
    size = width * _FINER, height * _FINER
    paper = cv2.resize(photo, size, interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
    inks = 1 - paper
    black = _UNDER_COLOUR * inks.min(axis=2)
    yellow, magenta, cyan = np.moveaxis((inks - black[..., None]) / (1 - black[..., None] + 1e-6), 2, 0)
    shown = np.ones_like(paper)
    # Yellow ink absorbs blue light, magenta green, cyan red, and black all.
    tones = (("yellow", yellow, (0,)), ("magenta", magenta, (1,)), ("cyan", cyan, (2,)))
    for ink, tone, channels in (*tones, ("black", black, (0, 1, 2))):
        dots = tone > _screen(size, pitch * _FINER, _ANGLES[ink] + roll)
        for channel in channels:
            shown[..., channel] *= 1 - 0.9 * dots
    seen = cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA) * 255
    return _through_camera(seen.astype(np.float32, copy=False), rng)


def photographed(photo: BgrImage, *, rng: np.random.Generator) -> BgrImage:
    """Return ``photo`` through the same camera, without a print.

    Args:
        photo: Shape (height, width, 3), BGR.
        rng: Draws the camera's noise.
    """
    return _through_camera(photo.astype(np.float32), rng)


def _screen(size: tuple[int, int], pitch: float, degrees: float) -> NDArray[np.float32]:
    """Return thresholds, uniform over 0..1, with level sets of round dots on a rotated square lattice."""
    across = np.arange(size[0], dtype=np.float32)[None]
    down = np.arange(size[1], dtype=np.float32)[:, None]
    angle = np.radians(degrees)
    turn = np.float32(2 * np.pi / pitch)
    u = (across * np.float32(np.cos(angle)) + down * np.float32(np.sin(angle))) * turn
    v = (down * np.float32(np.cos(angle)) - across * np.float32(np.sin(angle))) * turn
    height = (np.cos(u) + np.cos(v)) / 2
    # The sum of two cosines is not uniform; its rank is.
    levels = np.quantile(height[::7, ::7], np.linspace(0, 1, 65))
    thresholds: NDArray[np.float32] = np.interp(height, levels, np.linspace(0, 1, 65)).astype(np.float32)
    return thresholds


def _through_camera(seen: NDArray[np.float32], rng: np.random.Generator) -> BgrImage:
    blurred = cv2.GaussianBlur(seen, (0, 0), _LENS)
    noisy = blurred + _NOISE * rng.standard_normal(seen.shape, dtype=np.float32)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)
