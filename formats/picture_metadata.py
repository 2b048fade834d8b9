"""Reads the metadata about the camera and the software from an image file.

This parses bytes that may be hostile. Every loop is bounded, nothing is decompressed, and any bytes give a
result. Broken metadata are common and harmless, so they are a state of the result and never an error.

Sources: JPEG: ``formats.jpeg``. PNG: W3C PNG (Third
Edition), clauses 11.3.3 (tEXt, iTXt) and 11.3.4.5 (eXIf). WebP: RFC 9649, section 2.7.1. XMP: ISO 16684-1
and Adobe's "XMP Specification Part 3" for its place in each file.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from formats.exif import ExifState, ExifTags, merge_software, parse_exif
from formats.image_format import ImageFormat
from formats.image_header import detect_format
from formats.jpeg import APP1, EXIF, header_segments

_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_PNG_XMP = b"XML:com.adobe.xmp\x00"
_SOFTWARE = b"software\x00"
_MAX_CHUNKS = 16384
_MAX_XMP = 262144
_MAX_NAMES = 8
_CREATOR_TOOL = re.compile(rb"""CreatorTool(?:\s*=\s*["']|\s*>)([^"'<]{1,256})""")


@dataclass(slots=True)
class _Found:
    """The metadata found in a file: the first EXIF block, and texts that name a program."""

    exif: bytes | None = None
    programs: list[bytes] = field(default_factory=list)

    def take_exif(self, block: bytes) -> None:
        if self.exif is None:
            self.exif = block

    def take_xmp(self, packet: bytes) -> None:
        self.programs += _CREATOR_TOOL.findall(packet[:_MAX_XMP])[:_MAX_NAMES]


def read_exif_tags(data: bytes) -> ExifTags:
    """Return what an image file states about the camera and the software that made it.

    Args:
        data: The file as received, before any re-encoding: JPEG (APP1), PNG (eXIf, tEXt, iTXt) or WebP
            (EXIF, XMP). Compressed PNG texts are not read. Any other file has no tags.
    """
    found = _Found()
    match detect_format(data):
        case ImageFormat.JPEG:
            _search_jpeg(data, found)
        case ImageFormat.PNG:
            _search_png(data, found)
        case ImageFormat.WEBP:
            _search_webp(data, found)
        case _:
            return ExifTags()
    tags = ExifTags(state=ExifState.ABSENT) if found.exif is None else parse_exif(found.exif)
    names = tuple(name.decode("utf-8", errors="replace") for name in found.programs[:_MAX_NAMES])
    return merge_software(tags, names)


def _search_jpeg(data: bytes, found: _Found) -> None:
    for segment in header_segments(data):
        if segment.marker != APP1:
            continue
        if segment.body.startswith(EXIF):
            found.take_exif(segment.body[len(EXIF) :])
        elif segment.body.startswith(_XMP):
            found.take_xmp(segment.body[len(_XMP) :])


def _search_png(data: bytes, found: _Found) -> None:
    for kind, body in read_chunks(data, 8, ">I4s", padded=False, around=12):
        match kind:
            case b"eXIf":
                found.take_exif(body)
            case b"tEXt":
                if body[: len(_SOFTWARE)].lower() == _SOFTWARE:
                    found.programs.append(body[len(_SOFTWARE) :][:256])
            case b"iTXt":
                _take_international_text(body, found)
            case b"IEND":
                return


def _take_international_text(body: bytes, found: _Found) -> None:
    """Take a text: keyword, NUL, whether compressed, method, language, NUL, translated keyword, NUL, text."""
    if body.startswith(_PNG_XMP):
        found.take_xmp(body[len(_PNG_XMP) :])
    elif body[: len(_SOFTWARE)].lower() == _SOFTWARE and body[len(_SOFTWARE) : len(_SOFTWARE) + 1] == b"\x00":
        parts = body[len(_SOFTWARE) + 2 :].split(b"\x00", 2)
        if len(parts) == 3:
            found.programs.append(parts[2][:256])


def _search_webp(data: bytes, found: _Found) -> None:
    for kind, body in read_chunks(data, 12, "<4sI", padded=True, around=8):
        if kind == b"EXIF":
            # Some writers put JPEG's identifier before the data.
            found.take_exif(body.removeprefix(EXIF))
        elif kind == b"XMP ":
            found.take_xmp(body)


def read_chunks(
    data: bytes, position: int, layout: str, *, padded: bool, around: int
) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of every chunk inside the file; without the image data."""
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            return
        first, second = struct.unpack_from(layout, data, position)
        kind, length = (second, first) if isinstance(second, bytes) else (first, second)
        body = position + 8
        if body + length > len(data):
            return
        yield kind, data[body : body + length] if kind not in {b"IDAT", b"VP8 ", b"VP8L"} else b""
        position += around + length + (length % 2 if padded else 0)
