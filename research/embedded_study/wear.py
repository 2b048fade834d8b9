"""Photos as a poor camera would have taken them: small, soft, dim, noisy and compressed."""

from typing import Final

import cv2
import numpy as np

from vision.face import BgrImage

__all__ = ["worn"]

_FACE_WIDTH: Final = 64
_BLUR: Final = 1.2
_EXPOSURE: Final = 0.3
_NOISE: Final = 3.0
_JPEG_QUALITY: Final = 50


def worn(image: BgrImage, *, face_width: float, seed: int) -> BgrImage:
    """``image`` with a face of 64 pixels, blurred by 1.2 pixels, at 0.3 of its light, with noise, as JPEG.

    Args:
        image: The photo.
        face_width: Of the face in it, pixels.
        seed: Of the noise.
    """
    scale = min(1.0, _FACE_WIDTH / face_width)
    size = max(16, round(image.shape[1] * scale)), max(16, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), _BLUR).astype(np.float64)
    noise = np.random.default_rng(seed).normal(scale=_NOISE, size=soft.shape)
    dim = np.clip(soft * _EXPOSURE + noise, 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", dim, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
