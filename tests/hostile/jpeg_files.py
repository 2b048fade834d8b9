"""Hostile JPEG files: endless scans, metadata traps, wrong colours, cut and joined files."""

import struct

import numpy as np
from PIL import Image

from tests.formats.samples import jpeg_head, jpeg_segment
from tests.hostile.png_files import saved

__all__ = [
    "EMPTY_SCAN",
    "adobe_ycck",
    "declared",
    "exif_with_thumbnail",
    "icc_chunks",
    "many_scans",
    "with_segments",
]

EMPTY_SCAN = jpeg_segment(0xDA, b"\x01\x01\x00\x01\x3f\x00")
"""A scan of the first component's higher frequencies without data."""


def with_segments(data: bytes, segments: bytes) -> bytes:
    """``data`` with more segments right after its start."""
    return data[:2] + segments + data[2:]


def many_scans(picture: Image.Image, scans: int, *, scan: bytes = EMPTY_SCAN) -> bytes:
    """A progressive file with further scans before its end."""
    data = saved(picture, "JPEG", progressive=True)
    return data[:-2] + scan * scans + data[-2:]


def declared(width: int, height: int, *, sof: int = 0xC0, bits: int = 8, channels: int = 3) -> bytes:
    """A frame header, the start of a scan and nothing else."""
    scan = bytes([channels]) + b"".join(bytes([i + 1, 0]) for i in range(channels)) + b"\x00\x3f\x00"
    return (
        jpeg_head(width, height, sof=sof, bits=bits, channels=channels)
        + jpeg_segment(0xDA, scan)
        + bytes(64)
        + b"\xff\xd9"
    )


def adobe_ycck(picture: Image.Image) -> bytes:
    """The image as YCCK, which printers' software writes: YCbCr of the inverted colours, and black."""
    inverted = Image.fromarray(255 - np.asarray(picture.convert("RGB")))
    planes = np.asarray(inverted.convert("YCbCr"))
    black = np.full((*planes.shape[:2], 1), 255, np.uint8)
    # Pillow inverts data that it treats as CMYK.
    four = Image.frombytes(
        "CMYK", picture.size, (255 - np.dstack([planes, black])).astype(np.uint8).tobytes()
    )
    data = bytearray(saved(four, "JPEG", quality=95))
    place = data.index(b"\xff\xee\x00\x0eAdobe") + 15
    data[place] = 2
    return bytes(data)


def icc_chunks(profile: bytes, *, count: int | None = None, numbers: list[int] | None = None) -> bytes:
    """APP2 segments with an ICC profile, with any numbering."""
    parts = [profile[start : start + 65_000] for start in range(0, len(profile), 65_000)] or [b""]
    numbers = numbers or list(range(1, len(parts) + 1))
    total = len(parts) if count is None else count
    return b"".join(
        jpeg_segment(0xE2, b"ICC_PROFILE\x00" + bytes([number & 255, total & 255]) + part)
        for number, part in zip(numbers, parts, strict=True)
    )


def exif_with_thumbnail(thumbnail: bytes, *, orientation: int = 1) -> bytes:
    """An APP1 segment with a second directory that contains a thumbnail."""
    first = struct.pack(">H", 1) + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    second_at = 8 + len(first) + 4
    second = struct.pack(">H", 3)
    data_at = second_at + 2 + 3 * 12 + 4
    second += struct.pack(">HHIHH", 0x0103, 3, 1, 6, 0)
    second += struct.pack(">HHII", 0x0201, 4, 1, data_at)
    second += struct.pack(">HHII", 0x0202, 4, 1, len(thumbnail)) + struct.pack(">I", 0)
    tiff = b"MM\x00*" + struct.pack(">I", 8) + first + struct.pack(">I", second_at) + second + thumbnail
    return jpeg_segment(0xE1, b"Exif\x00\x00" + tiff)
