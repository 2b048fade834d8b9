"""Finds out whether a picture is of other colours than sRGB. The profile itself is applied in isolation.

The rule, as in viewers: A PNG is what its chunk ``cICP`` says, otherwise its ``iCCP``, its ``sRGB``, or
its ``cHRM`` and ``gAMA``, of which either may be absent; what is near sRGB is sRGB. A JPEG is what its ICC
profile says, and without one Adobe RGB if its EXIF data say so. JPEG 2000 and WebP are as their own profiles
and enumerated colour spaces say, which their decoders apply. A BMP is sRGB, whatever its header says. Grey
pictures, and what is broken or unknown, are sRGB.

This parses bytes that may be hostile: every loop is bounded, and any bytes give a result.

Sources: ICC.1:2022, clauses 7.2 (header), 7.3 (tags), 9.2.41 (description) and B.4 (in JPEG); W3C PNG (Third
Edition), clauses 11.2.1 and 11.3.2; CIPA DC-008 (Exif 2.32), clauses 4.6.5 and 4.6.7, and DC-009 (DCF 2.0)
for Adobe RGB. A profile of stated numbers: ICC.1:2022, clauses 8.3 (matrix profiles), 9.2 and 10 (tags and
their types), annex E (Bradford adaptation); ITU-T H.273, tables 2 and 3; IEC 61966-2-1 (sRGB); SMPTE ST 2084
(PQ) and ITU-R BT.2100 (HLG), with the white of ITU-R BT.2408; Adobe RGB (1998), clause 4.3.
"""

import math
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from formats.exif import states_adobe_rgb
from formats.image_format import ImageFormat
from formats.image_header import detect_format
from formats.jpeg import APP1, EXIF, SOF, header_segments
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

# Makes an ICC profile of colours that a file states by numbers, so that one library applies all of them.

_Curve = Callable[[float], float]
"""From a stored value to light, both 0..1."""
_Row = Sequence[float]

_POINTS: Final = 1024
_D50: Final = (0.9642, 1.0, 0.8249)
_BRADFORD: Final = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_WHITE_OF_PQ: Final = 203.0 / 10_000
_WHITE_OF_HLG: Final = 0.75
_GAMMA_OF_HLG: Final = 1.2


@dataclass(frozen=True, slots=True)
class _Primaries:
    """The colours of a space as chromaticities x and y: red, green, blue and white."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float] = (0.3127, 0.3290)


_SRGB: Final = _Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_ADOBE_RGB: Final = _Primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_PRIMARIES_OF_VIDEO: Final = {
    1: _SRGB,
    5: _Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: _Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: _Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: _Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: _Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: _Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""By the ColourPrimaries of H.273; Display P3 is 12, BT.2020 is 9."""


def _gamma(exponent: float) -> _Curve:
    """The curve of a power."""
    return lambda value: math.pow(value, exponent)


def _curve_of_srgb(value: float) -> float:
    """The curve of sRGB."""
    return value / 12.92 if value <= 0.04045 else math.pow((value + 0.055) / 1.055, 2.4)


def _curve_of_pq(value: float) -> float:
    """Light as a part of that of diffuse white, 203 cd/m2; what is brighter is white."""
    root = math.pow(value, 32 / 2523)
    light = math.pow(max(root - 107 / 128, 0.0) / (2413 / 128 - 2392 / 128 * root), 8192 / 1305)
    return min(light / _WHITE_OF_PQ, 1.0)


def _curve_of_hlg(value: float) -> float:
    """As of PQ, of a screen of 1000 cd/m2."""

    def scene(stored: float) -> float:
        if stored <= 0.5:
            return stored * stored / 3
        return (math.exp((stored - 0.55991073) / 0.17883277) + 0.28466892) / 12

    return min(math.pow(scene(value) / scene(_WHITE_OF_HLG), _GAMMA_OF_HLG), 1.0)


_CURVES_OF_VIDEO: Final[dict[int, _Curve]] = {
    # What cameras encode with these, screens show with nearly the curve of sRGB.
    **dict.fromkeys((1, 6, 13, 14, 15), _curve_of_srgb),
    4: _gamma(2.2),
    5: _gamma(2.8),
    8: _gamma(1.0),
    16: _curve_of_pq,
    18: _curve_of_hlg,
}
"""By the TransferCharacteristics of H.273."""


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
    return _make_profile(_ADOBE_RGB, _gamma(_GAMMA_OF_ADOBE)) or b""


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
    primaries, curve = _PRIMARIES_OF_VIDEO.get(chunk[0]), _CURVES_OF_VIDEO.get(chunk[1])
    if primaries is None or curve is None or chunk[2] != 0 or chunk[3] > 1:
        return None
    if chunk[3] == 0:
        # Black is 16, and white 235.
        return (
            _make_profile(primaries, lambda value: curve(min(max((value * 255 - 16) / 219, 0.0), 1.0))) or b""
        )
    return _unless_srgb(primaries, curve)


def _by_numbers(stored_gamma: bytes, stored_colours: bytes) -> bytes:
    """Return the profile by ``gAMA`` and ``cHRM``."""
    curve: _Curve = _curve_of_srgb
    if len(stored_gamma) == 4:
        (number,) = struct.unpack(">I", stored_gamma)
        if number in _USUAL_GAMMAS and abs(number - _GAMMA_OF_SRGB) > _CLOSE:
            curve = _gamma(100_000 / number)
    primaries = _SRGB
    if len(stored_colours) == 32:
        numbers = struct.unpack(">8I", stored_colours)
        differences = zip(numbers, _CHROMATICITIES_OF_SRGB, strict=True)
        if any(abs(number - usual) > _SAME_COLOUR for number, usual in differences):
            white, red, green, blue = (
                (numbers[at] / 100_000, numbers[at + 1] / 100_000) for at in range(0, 8, 2)
            )
            primaries = _Primaries(red, green, blue, white)
    return _unless_srgb(primaries, curve)


def _unless_srgb(primaries: _Primaries, curve: _Curve) -> bytes:
    return b"" if (primaries, curve) == (_SRGB, _curve_of_srgb) else _make_profile(primaries, curve) or b""


def _describes_srgb(profile: bytes) -> bool:
    """Return whether the description (ICC.1, 9.2.41) names sRGB."""
    for place in range(132, min(len(profile), 132 + 12 * _MOST_TAGS) - 11, 12):
        if profile[place : place + 4] == b"desc":
            start, length = struct.unpack_from(">II", profile, place + 4)
            text = profile[start : start + min(length, _LONGEST_NAME)]
            return b"sRGB" in text.replace(b"\0", b"")
    return False


def _make_profile(primaries: _Primaries, curve: _Curve) -> bytes | None:
    """Return a profile of RGB colours; ``None`` if the primaries span no space."""
    corners = [_light(*corner) for corner in (primaries.red, primaries.green, primaries.blue)]
    white = _light(*primaries.white)
    if None in corners or white is None:
        return None
    columns = [corner for corner in corners if corner is not None]
    inverse = _inverse(_transposed(columns))
    unadapted = _inverse(_BRADFORD)
    if inverse is None or unadapted is None:
        return None
    shares = _times(inverse, white)
    adapted_from = _times(_BRADFORD, white)
    adapted_to = _times(_BRADFORD, _D50)
    tags = {b"desc": _text(b"made"), b"wtpt": _xyz(_D50)}
    for letter, column, share in zip((b"r", b"g", b"b"), columns, shares, strict=True):
        seen = _times(_BRADFORD, [share * part for part in column])
        scaled = [
            part * to / from_ if from_ else 0.0
            for part, to, from_ in zip(seen, adapted_to, adapted_from, strict=True)
        ]
        tags[letter + b"XYZ"] = _xyz(_times(unadapted, scaled))
    points = [round(65535 * min(max(curve(n / (_POINTS - 1)), 0.0), 1.0)) for n in range(_POINTS)]
    tags[b"rTRC"] = b"curv\0\0\0\0" + struct.pack(f">I{_POINTS}H", _POINTS, *points)
    return _file(tags)


def _light(x: float, y: float) -> tuple[float, float, float] | None:
    return None if y <= 0 else (x / y, 1.0, (1 - x - y) / y)


def _times(matrix: Sequence[_Row], vector: _Row) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _transposed(matrix: Sequence[_Row]) -> list[_Row]:
    return [list(column) for column in zip(*matrix, strict=True)]


def _inverse(matrix: Sequence[_Row]) -> list[_Row] | None:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    whole = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if abs(whole) < 1e-6:
        return None
    adjugate = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return [[part / whole for part in row] for row in adjugate]


def _text(text: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78)


def _xyz(values: _Row) -> bytes:
    fixed = [min(max(round(value * 65536), -(2**31)), 2**31 - 1) for value in values]
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *fixed)


def _file(tags: dict[bytes, bytes]) -> bytes:
    """Put a profile of version 2 for a display together; the three curves are one."""
    place = 132 + 12 * (len(tags) + 2)
    table, content = b"", b""
    for tag, body in tags.items():
        entry = struct.pack(">II", place + len(content), len(body))
        for name in (b"rTRC", b"gTRC", b"bTRC") if tag == b"rTRC" else (tag,):
            table += name + entry
        content += body + bytes(-len(body) % 4)
    head = struct.pack(
        ">I4s4s4s4s4s", place + len(content), bytes(4), b"\x02\x10\0\0", b"mntr", b"RGB ", b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags) + 2) + table + content
