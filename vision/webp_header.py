"""Reads the header of WebP files.

Sources: RFC 9649, section 2 (container) and section 3.4 (lossless header); RFC 6386, section 9.1 (the
frame header of the lossy bit stream).
"""

import struct

from vision.errors import ImageError, ImageFault
from vision.exif import read_orientation
from vision.image_format import ImageFormat, ImageHeader, malformed

__all__ = ["read_webp"]

_EXIF = b"Exif\x00\x00"
_VP8_KEY_FRAME = b"\x9d\x01\x2a"
_VP8L_SIGNATURE = 0x2F
_VP8X_ANIMATION, _VP8X_ALPHA = 0x02, 0x10
_MAX_WEBP_CHUNKS = 256


def read_webp(data: bytes) -> ImageHeader:
    """Read the header of a WebP file.

    Args:
        data: The whole file.

    Raises:
        ImageError: ANIMATED; MALFORMED.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise malformed(ImageFormat.WEBP, "the file is cut off")
    canvas: tuple[int, int] | None = None
    picture: tuple[int, int, int] | None = None
    exif: bytes | None = None
    transparent = False
    position = 12
    for _ in range(_MAX_WEBP_CHUNKS):
        if position + 8 > end:
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        body = position + 8
        if body + length > end:
            raise malformed(ImageFormat.WEBP, "a chunk is longer than the file")
        if kind == b"VP8X":
            canvas, transparent = _vp8x(data[body : body + length])
        elif kind in {b"ANIM", b"ANMF"}:
            raise ImageError(ImageFault.ANIMATED, "WEBP: the file is an animation; send one still image")
        elif kind in {b"VP8 ", b"VP8L"}:
            if picture is not None:
                raise malformed(ImageFormat.WEBP, "there are several images")
            head = data[body : body + min(length, 10)]
            picture = _vp8(head) if kind == b"VP8 " else _vp8l(head)
        elif kind == b"EXIF" and exif is None:
            # Some writers put JPEG's identifier before the data.
            exif = data[body : body + length].removeprefix(_EXIF)
        position = body + length + length % 2
    if picture is None:
        raise malformed(ImageFormat.WEBP, "no image was found")
    width, height, channels = picture
    if canvas is not None and canvas != (width, height):
        raise malformed(ImageFormat.WEBP, "the canvas and the image have different sizes")
    orientation = 1 if exif is None else read_orientation(exif)
    return ImageHeader(ImageFormat.WEBP, width, height, 4 if transparent else channels, 8, orientation)


def _vp8x(body: bytes) -> tuple[tuple[int, int], bool]:
    """Return the size of the canvas, and whether there is transparency."""
    if len(body) < 10:
        raise malformed(ImageFormat.WEBP, "VP8X is cut off")
    if body[0] & _VP8X_ANIMATION:
        raise ImageError(ImageFault.ANIMATED, "WEBP: the file is an animation; send one still image")
    size = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    return size, bool(body[0] & _VP8X_ALPHA)


def _vp8(head: bytes) -> tuple[int, int, int]:
    """Return width, height and channels of a lossy image."""
    if len(head) < 10 or head[0] & 1 or head[3:6] != _VP8_KEY_FRAME:
        raise malformed(ImageFormat.WEBP, "the lossy image does not begin with a key frame")
    width, height = (number & 0x3FFF for number in struct.unpack_from("<HH", head, 6))
    if not (width and height):
        raise malformed(ImageFormat.WEBP, "the image has no width or no height")
    return width, height, 3


def _vp8l(head: bytes) -> tuple[int, int, int]:
    """Return width, height and channels of a lossless image."""
    if len(head) < 5 or head[0] != _VP8L_SIGNATURE or head[4] >> 5:
        raise malformed(ImageFormat.WEBP, "the lossless image has no header")
    bits = int.from_bytes(head[1:5], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 4 if bits >> 28 & 1 else 3
