"""Makes an ICC profile of colours that a file states by numbers, so that one library applies all of them.

Sources: ICC.1:2022, clauses 8.3 (matrix profiles), 9.2 and 10 (tags and their types), annex E (Bradford
adaptation); ITU-T H.273, tables 2 and 3; IEC 61966-2-1 (sRGB); SMPTE ST 2084 (PQ) and ITU-R BT.2100 (HLG),
with the white of ITU-R BT.2408; Adobe RGB (1998), clause 4.3.
"""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

Curve = Callable[[float], float]
"""From a stored value to light, both 0..1."""
_Row = Sequence[float]

_POINTS: Final = 1024
_D50: Final = (0.9642, 1.0, 0.8249)
_BRADFORD: Final = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_WHITE_OF_PQ: Final = 203.0 / 10_000
_WHITE_OF_HLG: Final = 0.75
_GAMMA_OF_HLG: Final = 1.2


@dataclass(frozen=True, slots=True)
class Primaries:
    """The colours of a space as chromaticities x and y: red, green, blue and white."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float] = (0.3127, 0.3290)


SRGB: Final = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE_RGB: Final = Primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
PRIMARIES_OF_VIDEO: Final = {
    1: SRGB,
    5: Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""By the ColourPrimaries of H.273; Display P3 is 12, BT.2020 is 9."""


def gamma(exponent: float) -> Curve:
    """The curve of a power."""
    return lambda value: math.pow(value, exponent)


def curve_of_srgb(value: float) -> float:
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


CURVES_OF_VIDEO: Final[dict[int, Curve]] = {
    # What cameras encode with these, screens show with nearly the curve of sRGB.
    **dict.fromkeys((1, 6, 13, 14, 15), curve_of_srgb),
    4: gamma(2.2),
    5: gamma(2.8),
    8: gamma(1.0),
    16: _curve_of_pq,
    18: _curve_of_hlg,
}
"""By the TransferCharacteristics of H.273."""


def make_profile(primaries: Primaries, curve: Curve) -> bytes | None:
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
