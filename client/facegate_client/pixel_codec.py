"""Decodes and encodes images with OpenCV. Import this module only if pixels are needed."""

from typing import cast

import cv2
import numpy as np

from facegate_client.errors import SourceError
from facegate_client.frame_source import Pixels

__all__ = ["decode", "encode_jpeg", "resize"]


def decode(picture: bytes) -> Pixels:
    """Decodes an image upright, in colour.

    Args:
        picture: JPEG or PNG.

    Raises:
        SourceError: The image cannot be decoded.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise SourceError("an image from the source cannot be decoded") from error
    if pixels is None:
        raise SourceError("an image from the source cannot be decoded")
    return cast("Pixels", pixels)


def resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Scales pixels to a width and height.

    Raises:
        SourceError: The pixels cannot be scaled.
    """
    try:
        return cast("Pixels", cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    except cv2.error as error:
        raise SourceError("an image from the source cannot be resized") from error


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """Encodes pixels as a JPEG, with a quality from 1 to 100.

    Raises:
        SourceError: The pixels cannot be encoded.
    """
    try:
        encoded, buffer = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise SourceError("an image from the source cannot be encoded") from error
    if not encoded:
        raise SourceError("an image from the source cannot be encoded")
    return bytes(buffer)
