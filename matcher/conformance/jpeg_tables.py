"""Reads from a JPEG file how coarsely it was quantised."""

from typing import Final

import numpy as np

from formats.jpeg import SOF, header_segments

__all__ = ["mean_luma_step"]

_DQT: Final = 0xDB
_COEFFICIENTS: Final = 64


def mean_luma_step(encoded: bytes) -> float | None:
    """Return the geometric mean of the 64 quantiser steps of the first component, the luma.

    Source: ITU-T T.81, annex B. The unscaled Annex K table (libjpeg's quality 50) gives 45.3.

    Args:
        encoded: The file. Hostile bytes cost a bounded number of steps and cause no exception.

    Returns:
        1 (finest) to 65535; None if the file is not a JPEG, or its tables are missing or damaged.
    """
    tables: dict[int, float] = {}
    wanted: int | None = None
    for segment in header_segments(encoded):
        if segment.marker == _DQT:
            tables.update(_tables(segment.body))
        elif segment.marker in SOF and len(segment.body) >= 9:
            # 6 bytes of the frame, then 3 of each component, of which the last names its table.
            wanted = segment.body[8]
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
