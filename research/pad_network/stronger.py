"""Simulates what ``recapture`` leaves out: screens under a mosaic sensor, bent sheets, phone pipelines.

*Screen*: each pixel is three stripes of one colour. A sensor's mosaic samples their light, which is linear,
at another pitch, so that aliases of both grids are coloured (moiré). *Print*: strong colour errors, a sheet
that bends about an axis, and holes in place of the eyes, through which a live face looks. *Phone*: noise
reduction, local contrast, sharpening; bona fide images get it as well, so that it says nothing of the label.
"""

from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from research.pad_network.recapture import as_print, as_screen
from vision.face import BgrImage, Box

__all__ = ["phone_processed", "recaptured"]

_Picture: TypeAlias = NDArray[np.float32]
_GAMMA: Final = 2.2
_EYES: Final = ((0.3, 0.4), (0.7, 0.4))
"""Where detectors' boxes have the eyes, as shares of their width and height."""


def recaptured(image: BgrImage, box: Box, *, random: np.random.Generator) -> BgrImage:
    """Return a bona fide image as a photographed print or screen, with one more effect in half of the cases.

    Args:
        image: A bona fide image, at least 16 pixels on each side.
        box: The face.
        random: Draws the medium and the strength of each effect.

    Returns:
        An image of the same size.
    """
    more = random.random() < 0.5
    if random.random() < 0.6:
        if not more:
            return as_screen(image, box, random=random)
        shown = _mosaic_screen(image, random)
        return as_screen(shown, box, random=random) if random.random() < 0.5 else shown
    if random.random() < 0.7:
        image = _wrong_colours(image, random)
    made = as_print(image, box, random=random)
    if not more:
        return made
    made = _bent(made, random)
    return _with_holes(made, image, box, random) if random.random() < 0.3 else made


def phone_processed(image: BgrImage, *, random: np.random.Generator) -> BgrImage:
    """Return the image as a phone's pipeline delivers it: denoised, with local contrast, sharpened."""
    if random.random() < 0.6:
        image = _as_image(cv2.bilateralFilter(image, 5, random.uniform(8, 30), 2.0))
    if random.random() < 0.5:
        luma, *chroma = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb))
        tiles = cv2.createCLAHE(random.uniform(1.0, 2.5), (4, 4)).apply(luma)
        image = _as_image(cv2.cvtColor(cv2.merge([tiles, *chroma]), cv2.COLOR_YCrCb2BGR))
    if random.random() < 0.6:
        amount = random.uniform(0.3, 1.2)
        soft = cv2.GaussianBlur(image, (0, 0), random.uniform(0.8, 1.8))
        image = _as_image(cv2.addWeighted(image, 1 + amount, soft, -amount, 0))
    return image


def _mosaic_screen(image: BgrImage, random: np.random.Generator) -> BgrImage:
    light = (image.astype(np.float32) / 255) ** np.float32(_GAMMA)
    height, width = image.shape[:2]
    period, turn = random.uniform(0.9, 3.5), np.deg2rad(random.uniform(-15, 15))
    bend = random.uniform(-0.15, 0.15) / width
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across = columns * np.cos(turn) + rows * np.sin(turn) + bend * columns * rows
    down = rows * np.cos(turn) - columns * np.sin(turn) + bend * rows * rows
    depth = random.uniform(0.1, 0.6)
    lit = light * (1 - depth / 2 * (1 + np.cos(down * (2 * np.pi / period))))[..., None]
    for channel in range(3):
        stripe = 1 + np.cos(across * (2 * np.pi / period) + 2 * np.pi * channel / 3)
        lit[..., channel] *= 1 - depth / 2 * stripe
    lit = np.clip(lit * (light.mean() / max(1e-6, float(lit.mean()))) * random.uniform(0.8, 1.2), 0, 1)
    sensed = (lit ** np.float32(1 / _GAMMA) * 255).astype(np.uint8)
    mosaic = sensed[..., 1].copy()
    mosaic[0::2, 0::2] = sensed[0::2, 0::2, 2]
    mosaic[1::2, 1::2] = sensed[1::2, 1::2, 0]
    made = _as_image(cv2.cvtColor(mosaic, cv2.COLOR_BayerBG2BGR))
    sigma = random.uniform(0.3, 1.0)
    return _as_image(cv2.GaussianBlur(made, (0, 0), sigma))


def _wrong_colours(image: BgrImage, random: np.random.Generator) -> BgrImage:
    values = cv2.cvtColor(image, cv2.COLOR_BGR2HSV).astype(np.float32)
    values[..., 0] = (values[..., 0] + random.uniform(-9, 9)) % 180
    values[..., 1] = np.clip(values[..., 1] * random.uniform(0.4, 1.5), 0, 255)
    values[..., 2] = np.clip((values[..., 2] - 128) * random.uniform(0.6, 1.4) + 128, 0, 255)
    return _as_image(cv2.cvtColor(values.astype(np.uint8), cv2.COLOR_HSV2BGR))


def _bent(image: BgrImage, random: np.random.Generator) -> BgrImage:
    """Bend the sheet about an upright or a level axis: the far parts are narrower and darker."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle = np.float32(random.uniform(0.2, 0.9))
    upright = random.random() < 0.7
    axis = columns if upright else rows
    moved = np.sin(axis * angle) / np.sin(angle)
    x, y = (moved, rows) if upright else (columns, moved)
    bent = cv2.remap(
        image,
        _float32((x + 1) * (width - 1) / 2),
        _float32((y + 1) * (height - 1) / 2),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    shade = 1 - (1 - np.cos(axis * angle)) * random.uniform(0.2, 0.9)
    return _as_image(np.clip(bent * _float32(shade)[..., None], 0, 255))


def _with_holes(made: BgrImage, live: BgrImage, box: Box, random: np.random.Generator) -> BgrImage:
    mask = np.zeros(made.shape[:2], dtype=np.float32)
    axes = round(box.width * random.uniform(0.08, 0.14)), round(box.height * random.uniform(0.04, 0.08))
    for across, down in _EYES:
        centre = round(box.left + across * box.width), round(box.top + down * box.height)
        cv2.ellipse(mask, centre, (max(1, axes[0]), max(1, axes[1])), 0, 0, 360, 1.0, -1)
    share = _float32(cv2.GaussianBlur(mask, (0, 0), 0.8))[..., None]
    return _as_image(made * (1 - share) + live * share)


def _float32(values: NDArray[Any] | cv2.typing.MatLike) -> _Picture:
    return np.asarray(values, dtype=np.float32)


def _as_image(values: NDArray[Any] | cv2.typing.MatLike) -> BgrImage:
    return np.asarray(values, dtype=np.uint8)
