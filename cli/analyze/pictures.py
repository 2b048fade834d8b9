"""Images of the page: reduced copies and coloured maps."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from server.pages import data_uri
from vision.face import BgrImage
from vision.image import encode_jpeg

__all__ = ["colour_map", "enlarged", "jpeg_uri", "png_uri", "reduced"]

_QUALITY: Final = 88


def reduced(image: BgrImage, longest: int) -> BgrImage:
    """Returns a copy with a longer side of at most ``longest`` pixels; the image itself if it is small."""
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def enlarged(image: BgrImage, side: int) -> BgrImage:
    """Returns a copy with a shorter side of at least ``side`` pixels; each pixel becomes a square."""
    times = -(-side // min(image.shape[:2]))
    return image if times <= 1 else np.repeat(np.repeat(image, times, axis=0), times, axis=1)


def jpeg_uri(image: BgrImage) -> str:
    """Returns a photo as a data URI."""
    return data_uri(encode_jpeg(np.ascontiguousarray(image), _QUALITY), media_type="image/jpeg")


def png_uri(image: BgrImage) -> str:
    """Returns a drawing or a crop as a data URI, without loss."""
    _, content = cv2.imencode(".png", image)
    return data_uri(content.tobytes(), media_type="image/png")


def colour_map(
    values: NDArray[np.floating] | NDArray[np.integer],
    *,
    side: int = 192,
    limits: tuple[float, float] | None = None,
) -> BgrImage:
    """Returns numbers as colours that suit colour-blind people: dark (smallest), green, yellow (largest).

    Args:
        values: Shape (height, width), finite.
        side: The shorter side of the result has at least as many pixels.
        limits: The darkest and the brightest value, to make maps comparable; the smallest and the largest
            value if None.
    """
    numbers = np.asarray(values, np.float64)
    low, high = (float(numbers.min()), float(numbers.max())) if limits is None else limits
    shares = (numbers - low) / (high - low) if high > low else np.zeros_like(numbers)
    levels = np.round(255 * np.clip(shares, 0.0, 1.0)).astype(np.uint8)
    return enlarged(np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), np.uint8), side)
