"""Simulates the effects of cameras, codecs and detectors on any image, live or not.

They are applied to bona fide images and attacks alike, so that size, compression, colour cast and crop do not
distinguish them, and sharpness does so little: a recapture passes two lenses, so that part of its blur is
valid evidence.
"""

from typing import Final

import cv2
import numpy as np

from vision.face import BgrImage, Box

__all__ = ["captured", "jittered", "turned_about"]

_SMALLEST: Final = 24


def captured(image: BgrImage, box: Box, *, random: np.random.Generator) -> tuple[BgrImage, Box]:
    """Return the image as another camera and codec would have recorded it.

    Args:
        image: The image.
        box: The face in it.
        random: Draws the effects.

    Returns:
        The image, possibly smaller or cropped, and the face's box in it.
    """
    if random.random() < 0.35:
        image, box = _cut_tighter(image, box, random)
    if random.random() < 0.35:
        image, box = _smaller(image, box, random)
    if random.random() < 0.15:
        sigma = random.uniform(0.4, 1.1) * max(0.4, box.height / 160)
        image = _as_image(cv2.GaussianBlur(image, (0, 0), sigma))
    elif random.random() < 0.1:
        image = _moved_while_exposed(image, random)
    elif random.random() < 0.2:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        image = _as_image(cv2.addWeighted(image, 1.6, soft, -0.6, 0))
    if random.random() < 0.6:
        image = _another_tone(image, random)
    if random.random() < 0.3:
        noise = random.normal(0, random.uniform(1, 9), size=image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if random.random() < 0.6:
        image = _compressed(image, int(random.integers(30, 96)))
    return image, box


def turned_about(image: BgrImage, box: Box) -> tuple[BgrImage, Box]:
    """Return the mirror image."""
    width = image.shape[1]
    return np.ascontiguousarray(image[:, ::-1]), Box(width - box.right, box.top, width - box.left, box.bottom)


def jittered(box: Box, *, random: np.random.Generator) -> Box:
    """Return the box as another detector might draw it: up to 18 % larger or smaller, moved by up to 8 %."""
    scale = float(np.exp(random.uniform(-0.18, 0.18)))
    width, height = box.width * scale, box.height * scale
    centre_x = box.centre[0] + random.uniform(-0.08, 0.08) * box.width
    centre_y = box.centre[1] + random.uniform(-0.08, 0.08) * box.height
    return Box(centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2)


def _cut_tighter(image: BgrImage, box: Box, random: np.random.Generator) -> tuple[BgrImage, Box]:
    margin = random.uniform(0.0, 0.5, size=4) * random.uniform(0.1, 1.0)
    left = max(0, round(box.left - margin[0] * box.width))
    top = max(0, round(box.top - margin[1] * box.height))
    right = min(image.shape[1], round(box.right + margin[2] * box.width))
    bottom = min(image.shape[0], round(box.bottom + margin[3] * box.height))
    if right - left < _SMALLEST or bottom - top < _SMALLEST:
        return image, box
    cut = np.ascontiguousarray(image[top:bottom, left:right])
    return cut, Box(box.left - left, box.top - top, box.right - left, box.bottom - top)


def _smaller(image: BgrImage, box: Box, random: np.random.Generator) -> tuple[BgrImage, Box]:
    scale = random.uniform(0.4, 1.0)
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    if min(size) < _SMALLEST:
        return image, box
    kind = int(random.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    across, down = size[0] / image.shape[1], size[1] / image.shape[0]
    made = _as_image(cv2.resize(image, size, interpolation=kind))
    return made, Box(box.left * across, box.top * down, box.right * across, box.bottom * down)


def _moved_while_exposed(image: BgrImage, random: np.random.Generator) -> BgrImage:
    length = int(random.integers(3, 8))
    kernel = np.zeros((length, length), dtype=np.float32)
    angle = random.uniform(0, np.pi)
    middle = (length - 1) / 2
    for step in np.linspace(-middle, middle, 4 * length):
        kernel[round(middle + step * np.sin(angle)), round(middle + step * np.cos(angle))] = 1
    return _as_image(cv2.filter2D(image, -1, kernel / kernel.sum()))


def _another_tone(image: BgrImage, random: np.random.Generator) -> BgrImage:
    """Return the image with another exposure, gamma, white balance and saturation."""
    picture = image.astype(np.float32) / 255
    picture = picture ** np.float32(np.exp(random.uniform(-0.45, 0.45)))
    picture *= np.exp(random.uniform(-0.13, 0.13, size=3)).astype(np.float32) * np.float32(
        np.exp(random.uniform(-0.3, 0.25))
    )
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + (picture - grey) * np.float32(random.uniform(0.55, 1.3))
    return np.asarray((np.clip(picture, 0, 1) * 255).round(), dtype=np.uint8)


def _compressed(image: BgrImage, quality: int) -> BgrImage:
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _as_image(cv2.imdecode(content, cv2.IMREAD_COLOR))


def _as_image(values: cv2.typing.MatLike | None) -> BgrImage:
    return np.asarray(values, dtype=np.uint8)
