"""Measures the light of one frame of a flash scan.

Pixels are converted to linear light by sRGB's curve (IEC 61966-2-1), because only linear light adds up.
Saturated and nearly black pixels do not follow the light and do not count. Places on the face are located by
a similarity transform of the five points, which every pack provides. Distances below are in eye distances
from the point between the eyes, x along the line of the eyes and y down the face.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.exposure import ExposureClaim
from liveness.dynamic.sample import LINEAR_LIGHT, PATCH_SIDE, FlashSample, Region
from liveness.extent import face_extent
from vision.face import BgrImage, DetectedFace, Points
from vision.geometry import similarity_transform

_BRIGHTEST = 250
_DARKEST = 6
"""8-bit steps. A pixel with a channel above the first, or with all channels below the second, does not
count."""

_SIDE = 48
"""The side of the aligned face, pixels."""

_LEFT, _TOP, _SPAN = -1.3, -0.85, 2.6
"""The corner and the side of the aligned face, eye distances."""

_SCALE: Final = _SIDE / _SPAN


def _cells(left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
    """Return the rows and columns of the aligned face between these places, eye distances."""
    rows = slice(round((top - _TOP) * _SCALE), round((bottom - _TOP) * _SCALE))
    return rows, slice(round((left - _LEFT) * _SCALE), round((right - _LEFT) * _SCALE))


_PLACES: Mapping[Region, tuple[slice, slice]] = MappingProxyType(
    {
        Region.FOREHEAD: _cells(-0.40, -0.65, 0.40, -0.35),
        Region.NOSE: _cells(-0.14, 0.10, 0.14, 0.60),
        Region.LEFT_CHEEK: _cells(-0.72, 0.40, -0.36, 0.85),
        Region.RIGHT_CHEEK: _cells(0.36, 0.40, 0.72, 0.85),
        Region.CHIN: _cells(-0.28, 1.42, 0.28, 1.68),
    }
)
"""The place of each part of the skin. In ArcFace's template the nose's tip is 0.57 and the mouth 1.15 below
the eyes. The other places avoid brows, lips and nostrils."""

_HEAD_HALF_WIDTH = 1.4
"""The distance from the middle of the face to the outer edge of hair and ears, eye distances."""

_BACKGROUND_RISE = 0.6
"""The lower edge of the background, above the shoulders: its distance below the eyes, eye distances."""

_WIDEST_BACKGROUND = 0.18
"""The greatest width of each of the two strips at the frame's sides, as a share of the frame's width."""

_LONGEST_SIDE = 400
"""The longest side, pixels. A larger frame is first halved, which does not change its light."""

_SHRINKS = 16
"""The multiple of rows that stays whole when a frame is halved several times."""

_DEEPEST = 2.25
"""The distance from the eyes to the farthest corner of the aligned face, eye distances, with a small
margin."""

_PLANES: Final = 4
_SMALLEST_FRAME = 16
"""The least shorter side of a frame, pixels."""
_LEAST_USABLE = 0.25
_FEWEST_PIXELS = 12
_SHORTEST_EYE_DISTANCE = 6.0
"""The least share of a region's pixels that are neither dark nor clipped, the least number of them, and the
least distance of the eyes, pixels."""

_LINEAR: Final = LINEAR_LIGHT.astype(np.float32)
_COUNTED: Final = np.minimum(np.arange(256), 1).astype(np.float32)
_ANCHORS = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.57], [-0.41, 1.155], [0.41, 1.155]], np.float32)
"""The five points of a frontal face, eye distances."""

_TARGET = (_ANCHORS - np.array([_LEFT, _TOP], np.float32)) * _SCALE - 0.5
"""The same in pixels of the aligned face."""


def sample_light(
    pixels: BgrImage,
    *,
    index: int,
    capture_time: float,
    arrival_time: float,
    face: DetectedFace | None,
    followed: bool = False,
    step: int,
    step_since: float | None,
    exposure: ExposureClaim | None = None,
) -> FlashSample:
    """Measure one upright frame. Pure, and safe to call from several threads.

    Args:
        pixels: The frame; may be decoded at a half or a quarter of its size.
        index: See ``FlashSample``.
        capture_time: See ``FlashSample``.
        arrival_time: See ``FlashSample``.
        face: The largest face, in the coordinates of ``pixels``; ``None`` without one.
        followed: See ``FlashSample``.
        step: See ``FlashSample``.
        step_since: See ``FlashSample``.
        exposure: See ``FlashSample``.
    """
    linear = np.full((len(Region), 3), np.nan, np.float32)
    usable = np.zeros(len(Region), np.float32)
    patch = np.full((PATCH_SIDE, PATCH_SIDE, 3), np.nan, np.float32)
    if face is not None and _measurable(pixels, face):
        small, points = _shrunk(pixels, face)
        measured = DetectedFace(box=face.box, confidence=face.confidence, five_points=points)
        light = _Light.of(
            small,
            aligned=similarity_transform(points, _TARGET),
            beside=_beside_the_head(measured, width=small.shape[1]),
        )
        _measure_skin(light, linear, usable, patch)
        behind = light.beside.mean(0.0, _background_bottom(measured))
        linear[Region.BACKGROUND], usable[Region.BACKGROUND] = behind
    return FlashSample(
        index=index,
        capture_time=capture_time,
        arrival_time=arrival_time,
        step=step,
        step_since=step_since,
        exposure=exposure,
        face=face,
        linear=linear,
        usable=usable,
        patch=patch,
        followed=followed,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Light:
    """The measured parts of a frame's linear light: red, green and blue, 0 for pixels that do not follow it.

    Attributes:
        colours: Shape (48, 48, 3): the light of the aligned face.
        follows: Shape (48, 48): the share of pixels that follow the light.
        beside: The light of the columns beside the head.
    """

    colours: NDArray[np.float32]
    follows: NDArray[np.float32]
    beside: "_Rows"

    @classmethod
    def of(
        cls,
        pixels: BgrImage,
        *,
        aligned: NDArray[np.float64],
        beside: Sequence[tuple[float, float]],
    ) -> "_Light":
        """Measure a frame.

        Args:
            aligned: Shape (2, 3): the transform from the frame to the aligned face.
            beside: The spans of columns beside the head, from and to.
        """
        blue, green, red = cv2.split(pixels)
        highest = cv2.max(cv2.max(blue, green), red)
        follows = cv2.inRange(highest, _DARKEST, _BRIGHTEST)
        sums = _RowSums(beside, shape=follows.shape)
        faces = []
        # Pixels that do not follow the light are set to black, which has none, while a pixel is three bytes.
        planes = [(cv2.bitwise_and(plane, follows), _LINEAR) for plane in (red, green, blue)]
        # The planes use the same memory in turn, which fits the processor's cache; four would not fit.
        light = np.empty(follows.shape, np.float32)
        for number, (plane, table) in enumerate((*planes, (follows, _COUNTED))):
            cv2.LUT(plane, table, dst=light)
            faces.append(cv2.warpAffine(light, aligned, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR))
            sums.add(number, light)
        *colours, counted = faces
        return cls(
            np.asarray(cv2.merge(colours), np.float32),
            np.asarray(counted, np.float32),
            sums.rows(),
        )


class _RowSums:
    """Adds up the light between some columns, row by row; has width 0 if none of them lies in the frame."""

    def __init__(self, spans: Sequence[tuple[float, float]], *, shape: tuple[int, ...]) -> None:
        height, width = shape
        within = [(max(0, round(left)), max(0, min(width, round(right)))) for left, right in spans]
        self._spans = [slice(first, end) for first, end in within if first < end]
        self._sums = np.zeros((_PLANES, height + 1))

    def add(self, plane: int, light: NDArray[np.float32]) -> None:
        sums = self._sums[plane, 1:]
        for span in self._spans:
            sums += cv2.reduce(light[:, span], 1, cv2.REDUCE_SUM, dtype=cv2.CV_64F)[:, 0]

    def rows(self) -> "_Rows":
        wide = sum(span.stop - span.start for span in self._spans)
        return _Rows(np.cumsum(self._sums, axis=1, out=self._sums), wide)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Running sums over rows, shape (4, height + 1): red, green, blue, and pixels that follow the light."""

    sums: NDArray[np.float64]
    width: int

    def mean(self, top: float, bottom: float) -> tuple[NDArray[np.float32], float]:
        """Return the mean of the pixels that follow the light, NaN if they are too few; and their share."""
        rows = self.sums.shape[1] - 1
        first, last = (min(max(round(place), 0), rows) for place in (top, bottom))
        total = self.sums[:, last] - self.sums[:, first]
        counted, pixels = float(total[3]), self.width * (last - first)
        if counted < max(_FEWEST_PIXELS, _LEAST_USABLE * pixels):
            return np.full(3, np.nan, np.float32), counted / max(1, pixels)
        return (total[:3] / counted).astype(np.float32), counted / pixels


def _measurable(pixels: BgrImage, face: DetectedFace) -> bool:
    """Return whether the frame is large enough and the face's points are plausible."""
    points = face.five_points
    reach = 4 * max(pixels.shape[:2])
    if min(pixels.shape[:2]) < _SMALLEST_FRAME:
        return False
    # A NaN fails the comparison too.
    return bool(np.abs(points).max() < reach and face.eye_distance >= _SHORTEST_EYE_DISTANCE)


def _deepest_row(face: DetectedFace) -> int:
    """Return the row below which nothing is measured, whatever the pose; a multiple of ``_SHRINKS``."""
    (_, left_y), (_, right_y) = face.five_points[:2].tolist()
    deepest = max((left_y + right_y) / 2 + _DEEPEST * face.eye_distance, face_extent(face).bottom)
    return int(max(_SHRINKS, _SHRINKS * math.ceil((deepest + 1) / _SHRINKS)))


def _shrunk(pixels: BgrImage, face: DetectedFace) -> tuple[BgrImage, Points]:
    """Return the measured part of the frame, shrunk, and the face's points in it."""
    small, points = pixels[: _deepest_row(face)], face.five_points
    for _ in range(max(0, math.ceil(math.log2(max(pixels.shape[:2]) / _LONGEST_SIDE)))):
        even = small[: small.shape[0] // 2 * 2, : small.shape[1] // 2 * 2]
        size = even.shape[1] // 2, even.shape[0] // 2
        small = cv2.resize(even, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        points = np.asarray((points - 0.5) / 2, np.float32)
    return small, points


def _measure_skin(
    light: _Light,
    linear: NDArray[np.float32],
    usable: NDArray[np.float32],
    patch: NDArray[np.float32],
) -> None:
    for region, cells in _PLACES.items():
        usable[region] = share = cv2.mean(light.follows[cells])[0]
        if share >= _LEAST_USABLE:
            linear[region] = [total / share for total in cv2.mean(light.colours[cells])[:3]]
    size = (PATCH_SIDE, PATCH_SIDE)
    shares = np.asarray(cv2.resize(light.follows, size, interpolation=cv2.INTER_AREA), np.float32)[..., None]
    np.divide(
        cv2.resize(light.colours, size, interpolation=cv2.INTER_AREA),
        shares,
        out=patch,
        where=shares >= _LEAST_USABLE,
    )


def _beside_the_head(face: DetectedFace, *, width: int) -> tuple[tuple[float, float], ...]:
    """Return two spans of columns at the frame's sides, which stay the same while the head moves."""
    (left_x, _), (right_x, _) = face.five_points[:2].tolist()
    middle, clear = (left_x + right_x) / 2, _HEAD_HALF_WIDTH * face.eye_distance
    widest = _WIDEST_BACKGROUND * width
    return (0.0, min(widest, middle - clear)), (max(width - widest, middle + clear), width)


def _background_bottom(face: DetectedFace) -> float:
    (_, left_y), (_, right_y) = face.five_points[:2].tolist()
    return float((left_y + right_y) / 2 + _BACKGROUND_RISE * face.eye_distance)
