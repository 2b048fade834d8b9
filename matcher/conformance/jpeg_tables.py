"""Reads from a JPEG file how coarsely it was quantised."""

import re
from typing import Final

import numpy as np

__all__ = ["mean_luma_step"]

_MAX_SEGMENTS: Final = 1024
_START: Final = b"\xff\xd8"
_FILL: Final = re.compile(rb"\xff+")
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_DQT: Final = 0xDB
_SOS: Final = 0xDA
_EOI: Final = 0xD9
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
_COEFFICIENTS: Final = 64


def mean_luma_step(encoded: bytes) -> float | None:
    """Return the geometric mean of the 64 quantiser steps of the first component, the luma.

    Source: ITU-T T.81, annex B. The unscaled Annex K table (libjpeg's quality 50) gives 45.3.

    Args:
        encoded: The file. Hostile bytes cost a bounded number of steps and cause no exception.

    Returns:
        1 (finest) to 65535; None if the file is not a JPEG, or its tables are missing or damaged.
    """
    if not encoded.startswith(_START):
        return None
    tables: dict[int, float] = {}
    wanted: int | None = None
    position = len(_START)
    for _ in range(_MAX_SEGMENTS):
        fill = _FILL.match(encoded, position)
        if fill is None or fill.end() >= len(encoded):
            break
        marker, position = encoded[fill.end()], fill.end() + 1
        if marker in _STANDALONE:
            continue
        if marker in {_SOS, _EOI}:
            break
        length = int.from_bytes(encoded[position : position + 2], "big")
        if length < 2:
            break
        segment = encoded[position + 2 : position + length]
        if marker == _DQT:
            tables.update(_tables(segment))
        elif marker in _FRAMES and len(segment) >= 9:
            # 6 bytes of the frame, then 3 of each component, of which the last names its table.
            wanted = segment[8]
        position += length
    return None if wanted is None else tables.get(wanted)


def _tables(segment: bytes) -> dict[int, float]:
    found: dict[int, float] = {}
    position = 0
    while position < len(segment):
        precision, identifier = segment[position] >> 4, segment[position] & 0x0F
        size = _COEFFICIENTS * (2 if precision else 1)
        steps = segment[position + 1 : position + 1 + size]
        if len(steps) < size:
            break
        values = np.frombuffer(steps, dtype=">u2" if precision else np.uint8).astype(np.float64)
        found[identifier] = float(np.exp(np.log(np.maximum(values, 1.0)).mean()))
        position += 1 + size
    return found
