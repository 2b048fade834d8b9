"""Hand-made image files that no honest encoder would write."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    width: int,
    height: int,
    *,
    bits: int = 8,
    colour: int = 2,
    extra: bytes = b"",
    rows: bytes = b"",
    end: bool = True,
) -> bytes:
    """A PNG with a header that may declare more than its rows contain."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    tail = png_chunk(b"IEND", b"") if end else b""
    return b"\x89PNG\r\n\x1a\n" + header + extra + png_chunk(b"IDAT", zlib.compress(rows)) + tail


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """One JPEG marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_head(width: int, height: int, *, sof: int = 0xC0, bits: int = 8, channels: int = 3) -> bytes:
    """Start of a JPEG up to its frame header."""
    parts = b"".join(struct.pack("BBB", i + 1, 0x11, 0) for i in range(channels))
    return b"\xff\xd8" + jpeg_segment(sof, struct.pack(">BHHB", bits, height, width, channels) + parts)


def exif(orientation: int, *, order: str = ">") -> bytes:
    """EXIF data (from the byte order mark on) with only an orientation."""
    mark = b"MM" if order == ">" else b"II"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(f"{order}HI", 42, 8) + struct.pack(f"{order}H", 1) + entry + struct.pack("I", 0)


def j2k_head(
    width: int, height: int, *, tile: tuple[int, int] | None = None, components: int = 3, bits: int = 8
) -> bytes:
    """A JPEG 2000 code stream's SOC and SIZ."""
    tile_width, tile_height = tile or (width, height)
    siz = (
        struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, tile_width, tile_height, 0, 0, components)
        + struct.pack("BBB", bits - 1, 1, 1) * components
    )
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(siz) + 2) + siz


def jp2(codestream: bytes, *, width: int, height: int) -> bytes:
    """JP2 boxes around a code stream, with a possibly false header box."""
    ihdr = struct.pack(">I4sIIHBBBB", 22, b"ihdr", height, width, 3, 7, 7, 0, 0)
    return (
        b"\x00\x00\x00\x0cjP  \r\n\x87\n"
        + struct.pack(">I4s4sI4s", 20, b"ftyp", b"jp2 ", 0, b"jp2 ")
        + struct.pack(">I4s", 8 + len(ihdr), b"jp2h")
        + ihdr
        + struct.pack(">I4s", 0, b"jp2c")
        + codestream
    )


def webp(*chunks: bytes) -> bytes:
    """A RIFF file of the form WEBP."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of it, padded to an even length."""
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def vp8(width: int, height: int) -> bytes:
    """A chunk with the frame header of a lossy image."""
    return webp_chunk(b"VP8 ", b"\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", width, height))


def vp8l(width: int, height: int, *, transparent: bool = False) -> bytes:
    """A chunk with the header of a lossless image."""
    return webp_chunk(
        b"VP8L", struct.pack("<BI", 0x2F, (width - 1) | (height - 1) << 14 | transparent << 28) + bytes(5)
    )


def vp8x(width: int, height: int, *, flags: int = 0) -> bytes:
    """A chunk with the size of the canvas and the flags of the other parts."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size)


def bmp(
    width: int,
    height: int,
    *,
    bits: int = 24,
    coding: int = 0,
    rows: bytes | None = None,
    header: int = 40,
    masks: tuple[int, int, int] | None = None,
    planes: int = 1,
) -> bytes:
    """A BMP file; by default its rows are as many zeros as its header declares."""
    if rows is None:
        rows = bytes((width * bits + 31) // 32 * 4 * abs(height))
    extra = struct.pack("<III", *masks) if masks else b""
    extra = extra.ljust(max(header - 40, len(extra)), b"\0")
    start = 54 + len(extra)
    info = struct.pack("<IiiHHIIiiII", header, width, height, planes, bits, coding, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + extra + rows


ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SIGNED_RATIONAL = 2, 3, 4, 5, 7, 10


@dataclass(frozen=True, slots=True)
class Tag:
    """One entry: its content is in the entry if it fits, otherwise behind the directory."""

    number: int
    kind: int
    count: int
    content: bytes


def ascii_tag(number: int, text: str) -> Tag:
    """A text with its NUL."""
    content = text.encode() + b"\x00"
    return Tag(number, ASCII, len(content), content)


def ratio_tag(number: int, above: int, below: int, *, order: str = ">") -> Tag:
    """One unsigned fraction."""
    return Tag(number, RATIONAL, 1, struct.pack(f"{order}II", above, below))


def short_tag(number: int, value: int, *, order: str = ">") -> Tag:
    """One 16-bit number."""
    return Tag(number, SHORT, 1, struct.pack(f"{order}H", value))


def tiff(
    image: Sequence[Tag] = (), exif: Sequence[Tag] = (), gps: Sequence[Tag] = (), *, order: str = ">"
) -> bytes:
    """EXIF data from the byte order mark on, with up to three directories."""
    data = (b"MM" if order == ">" else b"II") + struct.pack(f"{order}HI", 42, 8)
    pointers = [number for number, tags in ((0x8769, exif), (0x8825, gps)) if tags]
    # The directories follow each other; the first contains the pointers to the others.
    first = _size(image) + 12 * len(pointers)
    places = {0x8769: 8 + first, 0x8825: 8 + first + (_size(exif) if exif else 0)}
    linked = [
        *image,
        *(Tag(number, LONG, 1, struct.pack(f"{order}I", places[number])) for number in pointers),
    ]
    data += _directory(linked, 8, order)
    for tags, number in ((exif, 0x8769), (gps, 0x8825)):
        if tags:
            data += _directory(tags, places[number], order)
    return data


def _size(tags: Sequence[Tag]) -> int:
    return 6 + sum(12 + (len(tag.content) if len(tag.content) > 4 else 0) for tag in tags)


def _directory(tags: Sequence[Tag], start: int, order: str) -> bytes:
    entries, behind = b"", b""
    place = start + 6 + 12 * len(tags)
    for tag in tags:
        entries += struct.pack(f"{order}HHI", tag.number, tag.kind, tag.count)
        if len(tag.content) > 4:
            entries += struct.pack(f"{order}I", place + len(behind))
            behind += tag.content
        else:
            entries += tag.content.ljust(4, b"\x00")
    return struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0) + behind


def phone(*, order: str = ">", software: str | None = None) -> bytes:
    """As a phone's camera writes it."""
    image = [ascii_tag(0x010F, "Maker"), ascii_tag(0x0110, "Phone 7")]
    if software is not None:
        image.append(ascii_tag(0x0131, software))
    exif = [
        ratio_tag(0x829A, 1, 50, order=order),
        ratio_tag(0x829D, 18, 10, order=order),
        short_tag(0x8827, 125, order=order),
        ratio_tag(0x920A, 265, 100, order=order),
    ]
    degrees = struct.pack(f"{order}6I", 52, 1, 30, 1, 0, 1)
    gps = [Tag(2, RATIONAL, 3, degrees), Tag(4, RATIONAL, 3, degrees)]
    return tiff(image, exif, gps, order=order)
