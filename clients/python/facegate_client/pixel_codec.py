"""Decodes and encodes images with OpenCV. Import this module only if pixels are needed."""

import functools
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from facegate_client.errors import SourceError
from facegate_client.frame_source import Pixels

_VALUES = np.arange(65536) / 65535
_LUMINANCE = np.array([[0.0593, 0.6780, 0.2627]])
_TO_BT709 = np.array([[1.1187, -0.1006, -0.0182], [-0.0083, 1.1329, -0.1246], [-0.0728, -0.5876, 1.6605]])


def decode(picture: bytes) -> Pixels:
    """Decode an image upright, in colour.

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
    """Scale pixels to a width and height.

    Raises:
        SourceError: The pixels cannot be scaled.
    """
    try:
        return cast("Pixels", cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    except cv2.error as error:
        raise SourceError("an image from the source cannot be resized") from error


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """Encode pixels as a JPEG, with a quality from 1 to 100.

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


def hdr_to_srgb(pixels: "NDArray[np.uint16]", *, hlg: bool) -> Pixels:
    """Return HDR pixels as a screen without HDR shows them.

    Reference white, 203 cd/m² (ITU-R BT.2408), becomes almost white; light up to 0.8 of it stays as it is,
    and brighter light is compressed.

    Args:
        pixels: Shape (height, width, 3), blue-green-red with the primaries of BT.2020.
        hlg: Whether the curve is HLG (ITU-R BT.2100, for 1000 cd/m²); otherwise it is PQ.
    """
    to_light, gain, on_screen, to_srgb = _hdr_tables()
    if hlg:
        scene = cv2.LUT(pixels, to_light)
        gains = cv2.LUT(cv2.transform(scene, _LUMINANCE), gain)
        pixels = cast("NDArray[np.uint16]", cv2.multiply(scene, cv2.merge([gains] * 3), dtype=cv2.CV_16U))
    light = cv2.LUT(pixels, on_screen[0 if hlg else 1])
    return cast("Pixels", cv2.LUT(cv2.transform(light, _TO_BT709), to_srgb))


@functools.cache
def _hdr_tables() -> "tuple[NDArray[np.uint16], NDArray[np.float32], NDArray[np.uint16], NDArray[np.uint8]]":
    scene = np.where(
        _VALUES <= 0.5, _VALUES**2 / 3, (np.exp((_VALUES - 0.55991073) / 0.17883277) + 0.28466892) / 12
    )
    power = _VALUES ** (1 / 78.84375)
    pq = (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
    share = np.stack([1000 * _VALUES, 10_000 * pq]) / 203
    above = np.maximum(share - 0.8, 0)
    on_screen = np.minimum(share, 0.8) + 0.2 * above / (above + 0.2)
    srgb = np.where(_VALUES <= 0.0031308, 12.92 * _VALUES, 1.055 * _VALUES ** (1 / 2.4) - 0.055)
    return (
        np.rint(65535 * np.clip(scene, 0, 1)).astype(np.uint16),
        (_VALUES**0.2).astype(np.float32),
        np.rint(65535 * np.clip(on_screen, 0, 1)).astype(np.uint16),
        np.rint(255 * srgb).astype(np.uint8),
    )
