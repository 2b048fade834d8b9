"""Reads the header of BMP files.

Source: Microsoft's "Bitmap Storage" and the structures BITMAPINFOHEADER to BITMAPV5HEADER. Run-length
coding is refused, because its decoders had vulnerabilities and it is not in use.
"""

import struct

from vision.image_format import ImageFormat, ImageHeader, malformed, unsupported

__all__ = ["read_bmp"]

_BMP_HEADERS = frozenset({40, 52, 56, 108, 124})
_BMP_BITS = {1: (3, 1), 4: (3, 4), 8: (3, 8), 16: (3, 6), 24: (3, 8), 32: (4, 8)}
"""Channels and bits per channel, by bits per pixel. For a palette, the bits are those of its indices."""
_BI_RGB, _BI_BITFIELDS, _BI_RUN_LENGTHS = 0, 3, frozenset({1, 2})
_BMP_MASKS = {
    16: {(0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)},
    32: {(0xFF0000, 0xFF00, 0xFF)},
}
_MAX_BMP_SIDE = 0x7FFFFFFF


def read_bmp(data: bytes) -> ImageHeader:
    """Read the header of a BMP file.

    Args:
        data: The whole file.

    Raises:
        ImageError: UNSUPPORTED_FORMAT (run-length coding, other headers, other masks); MALFORMED.
    """
    if len(data) < 18:
        raise malformed(ImageFormat.BMP, "the header is cut off")
    pixels, size = struct.unpack_from("<I", data, 10)[0], struct.unpack_from("<I", data, 14)[0]
    if size not in _BMP_HEADERS:
        raise unsupported(ImageFormat.BMP, f"a header of {size} bytes is not supported")
    if len(data) < 14 + size:
        raise malformed(ImageFormat.BMP, "the header is cut off")
    width, height, planes, bits, coding = struct.unpack_from("<iiHHI", data, 18)
    # A negative height means that the top row comes first.
    height = abs(height)
    if not (0 < width <= _MAX_BMP_SIDE and 0 < height <= _MAX_BMP_SIDE) or planes != 1:
        raise malformed(
            ImageFormat.BMP, "the header declares an impossible width, height or number of planes"
        )
    if coding in _BI_RUN_LENGTHS:
        raise unsupported(ImageFormat.BMP, "run-length coding is not decoded")
    if bits not in _BMP_BITS or coding not in {_BI_RGB, _BI_BITFIELDS}:
        raise unsupported(ImageFormat.BMP, f"{bits} bits per pixel in coding {coding} are not decoded")
    start = 14 + size
    if coding == _BI_BITFIELDS:
        if bits not in _BMP_MASKS or len(data) < 66:
            raise malformed(ImageFormat.BMP, "the colour masks do not fit the bits per pixel, or are cut off")
        if struct.unpack_from("<III", data, 54) not in _BMP_MASKS[bits]:
            raise unsupported(ImageFormat.BMP, "these colour masks are not decoded")
        start = max(start, 66)
    row = (width * bits + 31) // 32 * 4
    if pixels < start or pixels + row * height > len(data):
        raise malformed(ImageFormat.BMP, "the image data are cut off")
    channels, depth = _BMP_BITS[bits]
    return ImageHeader(ImageFormat.BMP, width, height, channels, depth)
