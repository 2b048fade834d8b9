"""Finds out whether a picture is of other colours than sRGB. The profile itself is applied in isolation.

The rule, as in viewers: A PNG is what its chunk ``cICP`` says, otherwise its ``iCCP``, its ``sRGB``, or
its ``cHRM`` and ``gAMA``, of which either may be absent; what is near sRGB is sRGB. A JPEG is what its ICC
profile says, and without one Adobe RGB if its EXIF data say so. JPEG 2000 and WebP are as their own profiles
and enumerated colour spaces say, which their decoders apply. A BMP is sRGB, whatever its header says. Grey
pictures, and what is broken or unknown, are sRGB.

This parses bytes that may be hostile: every loop is bounded, and any bytes give a result.

Sources: ICC.1:2022, clauses 7.2 (header), 7.3 (tags), 9.2.41 (description) and B.4 (in JPEG); W3C PNG (Third
Edition), clauses 11.2.1 and 11.3.2; CIPA DC-008 (Exif 2.32), clauses 4.6.5 and 4.6.7, and DC-009 (DCF 2.0)
for Adobe RGB.
"""

import struct
import zlib
from contextlib import suppress
from typing import Final

from formats.exif import states_adobe_rgb
from formats.image_format import ImageFormat
from formats.image_header import detect_format
from formats.jpeg import APP1, EXIF, SOF, header_segments
from formats.made_profile import (
    ADOBE_RGB,
    CURVES_OF_VIDEO,
    PRIMARIES_OF_VIDEO,
    SRGB,
    Curve,
    Primaries,
    curve_of_srgb,
    gamma,
    make_profile,
)
from formats.picture_metadata import read_chunks

_APP2: Final = 0xE2
_ICC: Final = b"ICC_PROFILE\x00"
_MOST_PROFILE: Final = 4 * 1024 * 1024
_MOST_TAGS: Final = 100
_LONGEST_NAME: Final = 1024
_COLOURED_PNG: Final = frozenset({2, 3, 6})
_GAMMA_OF_ADOBE: Final = 563 / 256
_GAMMA_OF_SRGB: Final = 45455
"""As ``gAMA`` has it: 100 000 / 2.2."""
_CLOSE: Final = 2500
_USUAL_GAMMAS: Final = range(20_000, 200_001)
_CHROMATICITIES_OF_SRGB: Final = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_SAME_COLOUR: Final = 500
"""Of 100 000, the unit of ``cHRM``."""


def has_other_colours(data: bytes) -> bool:
    """Return whether a JPEG or PNG is of colours or inks other than sRGB, such as Display P3."""
    return bool(profile_of(data))


def profile_of(data: bytes) -> bytes:
    """Return the ICC profile by which a JPEG or PNG becomes sRGB, its own or a made one; empty for sRGB."""
    match detect_format(data):
        case ImageFormat.JPEG:
            return _profile_of_jpeg(data)
        case ImageFormat.PNG:
            return _profile_of_png(data)
        case _:
            return b""


def _profile_of_jpeg(data: bytes) -> bytes:
    segments = list(header_segments(data))
    parts = [
        segment.body[len(_ICC) :]
        for segment in segments
        if segment.marker == _APP2 and segment.body.startswith(_ICC)
    ]
    if parts:
        # Each begins with its number, and how many there are.
        return _other(b"".join(part[2:] for part in sorted(parts))[:_MOST_PROFILE])
    exif = next((each.body for each in segments if each.marker == APP1 and each.body.startswith(EXIF)), b"")
    coloured = any(each.marker in SOF and each.body[5:6] == b"\x03" for each in segments)
    if not (coloured and states_adobe_rgb(exif[len(EXIF) :])):
        return b""
    return make_profile(ADOBE_RGB, gamma(_GAMMA_OF_ADOBE)) or b""


def _profile_of_png(data: bytes) -> bytes:
    chunks: dict[bytes, bytes] = {}
    for kind, body in read_chunks(data, 8, ">I4s", padded=False, around=12):
        if kind in {b"IDAT", b"IEND"}:
            break
        chunks.setdefault(kind, body)
    if chunks.get(b"IHDR", b"").ljust(10)[9] not in _COLOURED_PNG:
        return b""
    video = _by_code_points(chunks.get(b"cICP", b""))
    if video is not None:
        return video
    if b"iCCP" in chunks:
        with suppress(zlib.error):
            packed = chunks[b"iCCP"].partition(b"\0")[2][1:]
            return _other(zlib.decompressobj().decompress(packed, _MOST_PROFILE))
        return b""
    return b"" if b"sRGB" in chunks else _by_numbers(chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b""))


def _other(profile: bytes) -> bytes:
    """A profile that is broken, or of a grey picture, changes nothing."""
    return profile if profile[16:20] in {b"RGB ", b"CMYK"} and not _describes_srgb(profile) else b""


def _by_code_points(chunk: bytes) -> bytes | None:
    """Return the profile by ``cICP``; ``None`` without one that is known."""
    if len(chunk) != 4:
        return None
    primaries, curve = PRIMARIES_OF_VIDEO.get(chunk[0]), CURVES_OF_VIDEO.get(chunk[1])
    if primaries is None or curve is None or chunk[2] != 0 or chunk[3] > 1:
        return None
    if chunk[3] == 0:
        # Black is 16, and white 235.
        return (
            make_profile(primaries, lambda value: curve(min(max((value * 255 - 16) / 219, 0.0), 1.0))) or b""
        )
    return _unless_srgb(primaries, curve)


def _by_numbers(stored_gamma: bytes, stored_colours: bytes) -> bytes:
    """Return the profile by ``gAMA`` and ``cHRM``."""
    curve: Curve = curve_of_srgb
    if len(stored_gamma) == 4:
        (number,) = struct.unpack(">I", stored_gamma)
        if number in _USUAL_GAMMAS and abs(number - _GAMMA_OF_SRGB) > _CLOSE:
            curve = gamma(100_000 / number)
    primaries = SRGB
    if len(stored_colours) == 32:
        numbers = struct.unpack(">8I", stored_colours)
        differences = zip(numbers, _CHROMATICITIES_OF_SRGB, strict=True)
        if any(abs(number - usual) > _SAME_COLOUR for number, usual in differences):
            white, red, green, blue = (
                (numbers[at] / 100_000, numbers[at + 1] / 100_000) for at in range(0, 8, 2)
            )
            primaries = Primaries(red, green, blue, white)
    return _unless_srgb(primaries, curve)


def _unless_srgb(primaries: Primaries, curve: Curve) -> bytes:
    return b"" if (primaries, curve) == (SRGB, curve_of_srgb) else make_profile(primaries, curve) or b""


def _describes_srgb(profile: bytes) -> bool:
    """Return whether the description (ICC.1, 9.2.41) names sRGB."""
    for place in range(132, min(len(profile), 132 + 12 * _MOST_TAGS) - 11, 12):
        if profile[place : place + 4] == b"desc":
            start, length = struct.unpack_from(">II", profile, place + 4)
            text = profile[start : start + min(length, _LONGEST_NAME)]
            return b"sRGB" in text.replace(b"\0", b"")
    return False
