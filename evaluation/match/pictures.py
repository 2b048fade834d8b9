"""Decodes the file of a photo within limits.

Formats that a server accepts are decoded as a server does (``vision.image``). Photo collections also contain
PGM and PPM files (binary, 8 bits), which have a header of three numbers.
"""

import re
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from formats.image_format import ImageFormat
from vision.errors import ImageError, ImageFault
from vision.face import BgrImage
from vision.image import DecodeLimits, StillDecoder, decode_image

__all__ = ["LIMITS", "read_picture"]

LIMITS: Final = DecodeLimits(max_bytes=64 * 1024 * 1024, max_pixels=50_000_000, max_side=20_000)
"""Limits that images of current cameras do not reach."""

_ALL: Final = frozenset(ImageFormat)
# Netpbm, binary: magic, width, height, largest value, one white space; comments begin with #.
_PNM: Final = re.compile(rb"(P[56])" + rb"(?:\s+(?:#[^\n]*\n\s*)*)(\d{1,6})" * 3 + rb"\s")


def read_picture(path: Path, *, still_decoder: StillDecoder | None) -> BgrImage:
    """Read the upright image of a file.

    Args:
        path: The file; its name does not state its format.
        still_decoder: Decodes JPEG 2000 and WebP.

    Returns:
        Shape (height, width, 3), BGR.

    Raises:
        ImageError: The file is not an image, or exceeds ``LIMITS``.
        DecoderUnavailable: The isolated decoder cannot decode it now.
        OSError: The file cannot be read.
    """
    with path.open("rb") as stream:
        data = stream.read(LIMITS.max_bytes + 1)
    header = _PNM.match(data)
    if header is not None and len(data) <= LIMITS.max_bytes:
        return _netpbm(data, header)
    return decode_image(
        data, limits=LIMITS, formats=_ALL, honour_exif_orientation=True, still_decoder=still_decoder
    ).pixels


def _netpbm(data: bytes, header: re.Match[bytes]) -> BgrImage:
    width, height, most = (int(header[number]) for number in (2, 3, 4))
    channels = 3 if header[1] == b"P6" else 1
    if width * height > LIMITS.max_pixels or max(width, height) > LIMITS.max_side:
        raise ImageError(ImageFault.TOO_MANY_PIXELS, f"the image is {width} x {height} pixels; too many")
    samples = data[header.end() :]
    if most != 255 or not width * height or len(samples) < width * height * channels:
        raise ImageError(ImageFault.MALFORMED, "the Netpbm file is cut off, or has not 8 bits a sample")
    pixels = np.frombuffer(samples, np.uint8, width * height * channels).reshape(height, width, channels)
    code = cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_GRAY2BGR
    return cv2.cvtColor(pixels, code).astype(np.uint8, copy=False)
