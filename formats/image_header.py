"""Reads the header of an image file without decoding a pixel, and reduces a PNG file to its picture.

This parses bytes that may be hostile. Every loop is bounded, no allocation depends on a declared size, and
any input gives an ``ImageHeader`` or an ``ImageUnreadable``.

Sources: JPEG: ITU-T T.81, annex B. PNG: W3C PNG (Third Edition), clauses 5 and 11. JPEG 2000: ITU-T T.800
(ISO/IEC 15444-1), annex A (code stream) and annex I (JP2 boxes). WebP: RFC 9649, section 2 (container) and
section 3.4 (lossless header); RFC 6386, section 9.1 (the frame header of the lossy bit stream). BMP:
Microsoft's "Bitmap Storage" and the structures BITMAPINFOHEADER to BITMAPV5HEADER; run-length coding is
refused, because its decoders had vulnerabilities and it is not in use.
"""

import struct
import zlib
from dataclasses import replace

from formats.errors import ImageFault, ImageUnreadable
from formats.exif import read_orientation
from formats.image_format import ImageFormat, ImageHeader, malformed, unsupported
from formats.jpeg import APP1, EXIF, SOF, header_segments

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
        ImageUnreadable: EMPTY; UNSUPPORTED_FORMAT (none of the formats, or a variant that is not decoded,
            such as lossless JPEG); ANIMATED (APNG, animated WebP); MALFORMED.
    """
    if not data:
        raise ImageUnreadable(ImageFault.EMPTY, "there are no bytes: send the image file's content")
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
            return _webp(data)
        case ImageFormat.BMP:
            return _bmp(data)
    raise ImageUnreadable(
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


_MAX_PNG_CHUNKS = 16384
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
    for _ in range(_MAX_PNG_CHUNKS):
        if position + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IDAT":
            return ImageHeader(ImageFormat.PNG, width, height, channels, bits, read_orientation(exif))
        if kind == b"acTL":
            raise ImageUnreadable(ImageFault.ANIMATED, "PNG: the file is an animation; send one still image")
        if kind == b"tRNS" and colour in {0, 2, 3}:
            channels = _PNG_CHANNELS[colour] + 1
        if kind == b"eXIf":
            exif = exif or data[position + 8 : position + 8 + length]
        position += 12 + length
    raise malformed(ImageFormat.PNG, "no image data were found")


_CHUNK_FRAME_BYTES = 12
"""Length, kind and checksum around a chunk's content."""
_PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_ANCILLARY = 0x20
"""The bit of a kind's first letter that marks a chunk as optional for a decoder."""


def picture_chunks(data: bytes) -> bytes:
    """Return the file without the chunks that its pixels do not need, and without data after its end.

    The decoders allocate memory for a chunk by its declared length: 75 bytes were enough for 2 GB. They also
    read comments, colour profiles and EXIF, which are not needed.

    Args:
        data: A file that begins with the PNG signature.

    Raises:
        ImageUnreadable: MALFORMED: a chunk reaches beyond the file, the end is missing, there are too many
            chunks, or a mandatory one is of unknown kind.
    """
    parts = [data[: len(_PNG_START)]]
    position = len(_PNG_START)
    for _ in range(_MAX_PNG_CHUNKS):
        if position + _CHUNK_FRAME_BYTES > len(data):
            raise malformed(ImageFormat.PNG, "the image data are cut off")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + _CHUNK_FRAME_BYTES + length
        if end > len(data):
            raise malformed(ImageFormat.PNG, "a chunk is longer than the file")
        if kind in _PICTURE:
            parts.append(data[position:end])
        elif not kind[0] & _ANCILLARY:
            raise malformed(ImageFormat.PNG, "a mandatory chunk is of an unknown kind")
        if kind == b"IEND":
            return b"".join(parts)
        position = end
    raise malformed(ImageFormat.PNG, f"more than {_MAX_PNG_CHUNKS} chunks")


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


_VP8_KEY_FRAME = b"\x9d\x01\x2a"
_VP8L_SIGNATURE = 0x2F
_VP8X_ANIMATION, _VP8X_ALPHA = 0x02, 0x10
_MAX_WEBP_CHUNKS = 256


def _webp(data: bytes) -> ImageHeader:
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
            raise ImageUnreadable(ImageFault.ANIMATED, "WEBP: the file is an animation; send one still image")
        elif kind in {b"VP8 ", b"VP8L"}:
            if picture is not None:
                raise malformed(ImageFormat.WEBP, "there are several images")
            head = data[body : body + min(length, 10)]
            picture = _vp8(head) if kind == b"VP8 " else _vp8l(head)
        elif kind == b"EXIF" and exif is None:
            # Some writers put JPEG's identifier before the data.
            exif = data[body : body + length].removeprefix(EXIF)
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
        raise ImageUnreadable(ImageFault.ANIMATED, "WEBP: the file is an animation; send one still image")
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


_BMP_HEADERS = frozenset({40, 52, 56, 108, 124})
_BMP_BITS = {1: (3, 1), 4: (3, 4), 8: (3, 8), 16: (3, 6), 24: (3, 8), 32: (4, 8)}
"""Channels and bits per channel, by bits per pixel. For a palette, the bits are those of its indices."""
_BI_RGB, _BI_BITFIELDS, _BI_RUN_LENGTHS = 0, 3, frozenset({1, 2})
_BMP_MASKS = {
    16: {(0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)},
    32: {(0xFF0000, 0xFF00, 0xFF)},
}
_MAX_BMP_SIDE = 0x7FFFFFFF


def _bmp(data: bytes) -> ImageHeader:
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
