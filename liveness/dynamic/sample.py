"""The light of one frame of a flash scan, as a few hundred numbers in linear light.

``liveness.dynamic.measurement.sampling`` measures them.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from formats.exposure import ExposureClaim
from vision.face import DetectedFace

_LINEAR_TO: Final = 0.0031308
_ENCODED_TO: Final = 0.04045
"""The ends of the function's linear part, in light and in value. All five constants are the standard's."""
_SLOPE: Final = 12.92
_OFFSET: Final = 0.055
_EXPONENT: Final = 2.4
"""The slope of the linear part; the offset and the exponent of the curve."""


def encode(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sRGB values, 0..1, of linear light, 0..1."""
    curve = (1 + _OFFSET) * light ** (1 / _EXPONENT) - _OFFSET
    values: NDArray[np.float64] = np.where(light <= _LINEAR_TO, _SLOPE * light, curve)
    return values


def _table() -> NDArray[np.float64]:
    encoded = np.arange(256) / 255
    curve = ((encoded + _OFFSET) / (1 + _OFFSET)) ** _EXPONENT
    light = np.where(encoded <= _ENCODED_TO, encoded / _SLOPE, curve)
    light.setflags(write=False)
    return light


LINEAR_LIGHT: Final = _table()
"""Shape (256,): the linear light of each 8-bit value, 0..1 of the brightest."""


PATCH_SIDE: Final = 16
"""The number of cells of the aligned face, across and down."""


class Region(IntEnum):
    """A part of the frame whose light is measured; *left* and *right* are the frame's."""

    FOREHEAD = 0
    NOSE = 1
    LEFT_CHEEK = 2
    RIGHT_CHEEK = 3
    CHIN = 4
    BACKGROUND = 5


SKIN_REGIONS: Final = (Region.FOREHEAD, Region.NOSE, Region.LEFT_CHEEK, Region.RIGHT_CHEEK, Region.CHIN)


@dataclass(frozen=True, slots=True, eq=False)
class FlashSample:
    """The light of one frame of a flash scan; about 3 KB.

    Colours are (red, green, blue) in linear light, 0..1 of the sensor's range; NaN if too few pixels
    follow the light.

    Attributes:
        index: The frame's index in the scan, from 0.
        capture_time: When the device captured it, seconds on the device's clock.
        arrival_time: When it arrived, seconds on the server's monotonic clock.
        step: The number of the colour step that the device claims was on display; 0 for none.
        step_since: When the device claims that step appeared, seconds on the device's clock.
        exposure: The camera settings that the device claims; ``None`` if it claims none.
        face: The face, in the coordinates of the pixels that were sampled; ``None`` without one, and then
            all arrays are NaN and ``usable`` is 0.
        followed: Whether the face was followed from an earlier frame, not detected in this one.
        round_trip: The stream's round trip by the frames up to this one (``attempt.capture.RoundTrip``),
            seconds; 0 if it is not known.
        waited: When the frame waited for the server's credit, from and until, seconds on the server's
            monotonic clock; ``None`` if it did not.
        linear: Shape (6, 3): the mean colour by ``Region``.
        usable: Shape (6,): share of the region's pixels inside the frame, neither saturated nor dark, 0..1.
        patch: Shape (16, 16, 3): the aligned face, 2.6 eye distances square.
    """

    index: int
    capture_time: float
    arrival_time: float
    step: int
    step_since: float | None
    exposure: ExposureClaim | None
    face: DetectedFace | None
    linear: NDArray[np.float32]
    usable: NDArray[np.float32]
    patch: NDArray[np.float32]
    followed: bool = False
    round_trip: float = 0.0
    waited: tuple[float, float] | None = None
