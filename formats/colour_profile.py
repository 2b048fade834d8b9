"""Finds out whether a picture is of other colours than sRGB. The profile itself is applied in isolation.

This parses bytes that may be hostile: every loop is bounded, and any bytes give a result.

Sources: ICC.1:2022, clauses 7.2 (header), 7.3 (tags), 9.2.41 (description) and B.4 (in JPEG); W3C PNG, clause
11.3.2.3.
"""

import struct
import zlib
from contextlib import suppress
from typing import Final

from formats.image_format import ImageFormat
from formats.image_header import detect_format
from formats.jpeg import header_segments
from formats.picture_metadata import read_chunks

_APP2: Final = 0xE2
_ICC: Final = b"ICC_PROFILE\x00"
_MOST_PROFILE: Final = 4 * 1024 * 1024
_MOST_TAGS: Final = 100
_LONGEST_NAME: Final = 1024


def has_other_colours(data: bytes) -> bool:
    """Return whether a JPEG or PNG has a profile of colours or inks other than sRGB, such as Display P3.

    A profile that is broken, or of a grey picture, changes nothing, as in viewers.
    """
    match detect_format(data):
        case ImageFormat.JPEG:
            profile = _profile_of_jpeg(data)
        case ImageFormat.PNG:
            profile = _profile_of_png(data)
        case _:
            return False
    return profile[16:20] in {b"RGB ", b"CMYK"} and not _describes_srgb(profile)


def _profile_of_jpeg(data: bytes) -> bytes:
    parts = [
        segment.body[len(_ICC) :]
        for segment in header_segments(data)
        if segment.marker == _APP2 and segment.body.startswith(_ICC)
    ]
    # Each begins with its number, and how many there are.
    return b"".join(part[2:] for part in sorted(parts))[:_MOST_PROFILE]


def _profile_of_png(data: bytes) -> bytes:
    for kind, body in read_chunks(data, 8, ">I4s", padded=False, around=12):
        if kind == b"iCCP":
            with suppress(zlib.error):
                return zlib.decompressobj().decompress(body.partition(b"\0")[2][1:], _MOST_PROFILE)
    return b""


def _describes_srgb(profile: bytes) -> bool:
    """Return whether the description (ICC.1, 9.2.41) names sRGB."""
    for place in range(132, min(len(profile), 132 + 12 * _MOST_TAGS) - 11, 12):
        if profile[place : place + 4] == b"desc":
            start, length = struct.unpack_from(">II", profile, place + 4)
            text = profile[start : start + min(length, _LONGEST_NAME)]
            return b"sRGB" in text.replace(b"\0", b"")
    return False
