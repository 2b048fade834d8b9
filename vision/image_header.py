"""Reads the header of an image file without decoding a pixel.

This parses bytes that may be hostile. Every loop is bounded, no allocation depends on a declared size, and
any input gives an ``ImageHeader`` or an ``ImageError``.

Sources: JPEG: ITU-T T.81, annex B. PNG: W3C PNG (Third Edition), clauses 5 and 11. JPEG 2000: ITU-T T.800
(ISO/IEC 15444-1), annex A (code stream) and annex I (JP2 boxes). WebP and BMP have their own modules, and
so have the segments of JPEG.
"""

import struct
import zlib
from dataclasses import replace

from vision.bmp_header import read_bmp
from vision.errors import ImageError, ImageFault
from vision.exif import read_orientation
from vision.image_format import ImageFormat, ImageHeader, malformed, unsupported
from vision.jpeg_segments import APP1, EXIF, SOF, header_segments
from vision.webp_header import read_webp

__all__ = ["ImageFormat", "ImageHeader", "detect_format", "parse_header"]


_JPEG_START = b"\xff\xd8\xff"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_JP2_START = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_J2K_START = b"\xff\x4f\xff\x51"
_BMP_START = b"BM"
_RIFF, _WEBP = b"RIFF", b"WEBP"
_FORMATS = (
    (_JPEG_START, ImageFormat.JPEG),
    (_PNG_START, ImageFormat.PNG),
    (_JP2_START, ImageFormat.JP2),
    (_J2K_START, ImageFormat.J2K),
    (_BMP_START, ImageFormat.BMP),
)


def detect_format(data: bytes) -> ImageFormat | None:
    """Return the format that the first bytes state; ``None`` if it is none of ``ImageFormat``."""
    if data[:4] == _RIFF and data[8:12] == _WEBP:
        return ImageFormat.WEBP
    return next((found for start, found in _FORMATS if data.startswith(start)), None)


def parse_header(data: bytes) -> ImageHeader:
    """Read the header of a JPEG, PNG, JPEG 2000, WebP or BMP file.

    Args:
        data: The file, or at least its head: for JP2 up to the image data. PNG, WebP and BMP have to be
            whole.

    Raises:
        ImageError: EMPTY; UNSUPPORTED_FORMAT (none of the formats, or a variant that is not decoded,
            such as lossless JPEG); ANIMATED (APNG, animated WebP); MALFORMED.
    """
    if not data:
        raise ImageError(ImageFault.EMPTY, "there are no bytes: send the image file's content")
    match detect_format(data):
        case ImageFormat.JPEG:
            return _jpeg(data)
        case ImageFormat.PNG:
            return _png(data)
        case ImageFormat.JP2:
            return _jp2(data)
        case ImageFormat.J2K:
            return _codestream(data, 0, ImageFormat.J2K)
        case ImageFormat.WEBP:
            return read_webp(data)
        case ImageFormat.BMP:
            return read_bmp(data)
    raise ImageError(
        ImageFault.UNSUPPORTED_FORMAT,
        "the bytes are not JPEG, PNG, JPEG 2000, WebP or BMP: send one of these",
        details={"bytes": len(data)},
    )


_OTHER_SOF = frozenset(range(0xC0, 0xD0)) - SOF - {0xC4, 0xC8, 0xCC}


def _jpeg(data: bytes) -> ImageHeader:
    frame, exif = None, None
    # Damage before the frame header is an error; behind it, a decoder finds it.
    for segment in header_segments(data):
        if segment.marker in _OTHER_SOF:
            raise unsupported(
                ImageFormat.JPEG, "only baseline, extended and progressive Huffman coding are decoded"
            )
        if segment.marker in SOF and frame is None:
            frame = segment.body
        if segment.marker == APP1 and segment.body.startswith(EXIF) and exif is None:
            # The first counts, as for viewers and for browsers.
            exif = segment.body[len(EXIF) :]
    if frame is None:
        for _ in header_segments(data, strict=True):
            # Damage, or too many segments, may be why.
            pass
        raise malformed(ImageFormat.JPEG, "no frame header was found before the image data")
    return _jpeg_frame(frame, 1 if exif is None else read_orientation(exif))


def _jpeg_frame(segment: bytes, orientation: int) -> ImageHeader:
    if len(segment) < 6:
        raise malformed(ImageFormat.JPEG, "the frame header is cut off")
    bits, height, width, channels = struct.unpack_from(">BHHB", segment)
    if len(segment) != 6 + 3 * channels:
        raise malformed(ImageFormat.JPEG, "the frame header has a wrong length")
    if not (width and height):
        raise malformed(ImageFormat.JPEG, "the frame header declares no width or no height")
    if channels not in {1, 3, 4}:
        raise unsupported(ImageFormat.JPEG, "only 1, 3 or 4 channels are decoded")
    if bits != 8:
        raise unsupported(ImageFormat.JPEG, "only 8 bits per channel are decoded")
    return ImageHeader(ImageFormat.JPEG, width, height, channels, bits, orientation)


_MAX_CHUNKS = 16384
_MAX_PNG_SIDE = 0x7FFFFFFF
_PNG_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}


def _png(data: bytes) -> ImageHeader:
    if data[8:16] != b"\x00\x00\x00\rIHDR" or len(data) < 33:
        raise malformed(ImageFormat.PNG, "the IHDR chunk is missing or cut off")
    width, height, bits, colour, compression, filtering, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    if int.from_bytes(data[29:33], "big") != zlib.crc32(data[12:29]):
        raise malformed(ImageFormat.PNG, "the IHDR chunk fails its checksum")
    if not (0 < width <= _MAX_PNG_SIDE and 0 < height <= _MAX_PNG_SIDE):
        raise malformed(ImageFormat.PNG, "IHDR declares an impossible width or height")
    if bits not in _PNG_DEPTHS.get(colour, set()) or compression or filtering or interlace > 1:
        raise malformed(ImageFormat.PNG, "IHDR declares an unknown coding")
    channels, exif = _PNG_CHANNELS[colour], b""
    position = 33
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IDAT":
            return ImageHeader(ImageFormat.PNG, width, height, channels, bits, read_orientation(exif))
        if kind == b"acTL":
            raise ImageError(ImageFault.ANIMATED, "PNG: the file is an animation; send one still image")
        if kind == b"tRNS" and colour in {0, 2, 3}:
            channels = _PNG_CHANNELS[colour] + 1
        if kind == b"eXIf":
            exif = exif or data[position + 8 : position + 8 + length]
        position += 12 + length
    raise malformed(ImageFormat.PNG, "no image data were found")


_MAX_BOXES = 256
_MAX_TILES = 65535
_MAX_JP2_SIDE = 0x7FFFFFFF


def _jp2(data: bytes) -> ImageHeader:
    declared: tuple[int, int] | None = None
    palette_channels = 0
    position, end = len(_JP2_START), len(data)
    for _ in range(_MAX_BOXES):
        if position + 8 > end:
            break
        kind, body, after = _box(data, position, end)
        if kind == b"jp2h":
            declared = _ihdr(data, body, after)
            palette_channels = _palette_channels(data, body, after)
        elif kind == b"jp2c":
            if declared is None:
                raise malformed(ImageFormat.JP2, "the code stream comes before the header box")
            header = _codestream(data, body, ImageFormat.JP2)
            if declared != (header.width, header.height):
                raise malformed(ImageFormat.JP2, "the header box and the code stream declare different sizes")
            return replace(header, channels=palette_channels) if palette_channels else header
        position = after
    raise malformed(ImageFormat.JP2, "no code stream was found")


def _box(data: bytes, position: int, end: int) -> tuple[bytes, int, int]:
    """Return the kind, the start of the content and the end of the box at ``position``."""
    length, kind = struct.unpack_from(">I4s", data, position)
    body = position + 8
    if length == 1:
        if position + 16 > end:
            raise malformed(ImageFormat.JP2, "a box is cut off")
        length = int.from_bytes(data[body : body + 8], "big")
        body += 8
    elif length == 0:
        length = end - position
    after = position + length
    if after < body or (after > end and kind != b"jp2c"):
        raise malformed(ImageFormat.JP2, "a box has a wrong length")
    return kind, body, min(after, end)


def _ihdr(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Return width and height of the image header box, which comes first in the header box."""
    if position + 22 > end or data[position : position + 8] != b"\x00\x00\x00\x16ihdr":
        raise malformed(ImageFormat.JP2, "the image header box is missing")
    height, width = struct.unpack_from(">II", data, position + 8)
    return width, height


def _palette_channels(data: bytes, position: int, end: int) -> int:
    """Return the number of channels of a palette, from the component mapping box; 0 without a palette."""
    for _ in range(_MAX_BOXES):
        if position + 8 > end:
            break
        kind, body, position = _box(data, position, end)
        if kind == b"cmap":
            channels = (position - body) // 4
            if not 1 <= channels <= 4:
                raise unsupported(ImageFormat.JP2, "only palettes of 1 to 4 channels are decoded")
            return channels
    return 0


def _codestream(data: bytes, start: int, format_: ImageFormat) -> ImageHeader:
    if data[start : start + 4] != _J2K_START or start + 42 > len(data):
        raise malformed(format_, "the code stream has no whole SIZ segment")
    length, _, right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, components = (
        struct.unpack_from(">HHIIIIIIIIH", data, start + 4)
    )
    if not (left < right <= _MAX_JP2_SIDE and top < bottom <= _MAX_JP2_SIDE):
        raise malformed(format_, "SIZ declares an impossible width or height")
    if not (tile_width and tile_height and tile_left <= left and tile_top <= top):
        raise malformed(format_, "SIZ declares impossible tiles")
    if tile_left + tile_width <= left or tile_top + tile_height <= top:
        raise malformed(format_, "SIZ declares tiles without image data")
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    if tiles > _MAX_TILES:
        raise malformed(format_, f"SIZ declares {tiles} tiles, more than {_MAX_TILES}")
    if length != 38 + 3 * components or start + 4 + length > len(data):
        raise malformed(format_, "SIZ has a wrong length")
    if not 1 <= components <= 4:
        raise unsupported(format_, "only 1 to 4 components are decoded")
    parts = [tuple(data[start + 42 + 3 * i : start + 45 + 3 * i]) for i in range(components)]
    if any(not (across and down) for _, across, down in parts):
        raise malformed(format_, "SIZ declares an impossible sampling")
    bits = max((depth & 0x7F) + 1 for depth, _, _ in parts)
    if bits > 16:
        raise unsupported(format_, "only up to 16 bits per channel are decoded")
    return ImageHeader(format_, right - left, bottom - top, components, bits)
