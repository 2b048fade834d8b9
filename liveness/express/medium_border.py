"""The signal of the border of a sheet or a device around the face."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.express.cues import WIDE_FACE, CueSignal, CueSummary, WideCrop
from liveness.express.settings import CueLine, ExpressSettings
from liveness.extent import FaceExtent

_SMALLEST_FACE = 50.0
_LEAST_ROOM = 0.15
"""The room beside the face, face widths, below which a border would lie outside the frame."""

_NEAREST, _FARTHEST, _ACROSS_BODY = 0.5, 2.1, 1.35
"""Distances of side lines from the face's middle, face widths. Within the last, shoulders hide lines of the
room."""

_LEAST_BELOW_CHIN = 0.35
_STEP = 4.0
"""The least luma step from one pixel to the next at a line."""

_TILTS = tuple(0.05 * tilt for tilt in range(-3, 4))
_PARALLEL = 3
"""The largest difference in tilt of two parallel sides, steps of ``_TILTS``."""

_CANDIDATES = 3
_LEAST_COVER = 0.3
_LENGTH_WEIGHT = np.float32(0.1)
"""The weight of a line's cover over the whole crop. Among lines with equal cover at the face, it prefers the
one that continues."""
_SOBEL = 4
"""The response of Sobel's kernel to a step of one luma level."""
_BELOW_CHIN = 0.05
"""The distance below the face from which a lower edge is searched, face widths."""
_CHIN = 0.45
"""Half the width over which the lower edge must run below the face, face widths."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A straight line, by its tilt and where it crosses the axis through the face's middle."""

    at: int
    tilt: int


class _Lines:
    """How much of every nearly upright straight line is edge. For level lines, transpose the edges."""

    def __init__(self, edges: NDArray[np.uint8], axis: float) -> None:
        rows, columns = edges.shape
        sums = np.empty((len(_TILTS), rows + 1, columns + 1), np.int32)
        for tilt, slope in enumerate(_TILTS):
            shear = np.array([[1, slope, -slope * axis], [0, 1, 0]], np.float32)
            upright = edges
            if slope != 0:
                upright = cv2.warpAffine(
                    edges, shear, (columns, rows), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
                ).astype(np.uint8, copy=False)
            cv2.integral(upright, sum=sums[tilt])
        self._sums = sums

    def cover(self, start: float, stop: float) -> NDArray[np.float32]:
        """Returns how much of each line is edge from ``start`` to ``stop``, 0..1; shape (tilts, places)."""
        first, last = self._within(start, stop)
        edges = np.diff(self._sums[:, last] - self._sums[:, first], axis=1).astype(np.float32)
        return edges / np.float32(last - first)

    def cover_of(self, line: _Line, start: float, stop: float) -> float:
        """Returns the same for one line."""
        first, last = self._within(start, stop)
        at = self._sums[line.tilt].item
        upto = at(last, line.at + 1) - at(last, line.at)
        before = at(first, line.at + 1) - at(first, line.at)
        return float(upto - before) / (last - first)

    def strongest(self, start: float, stop: float, *places: NDArray[np.bool_]) -> list[list[_Line]]:
        """Returns, for each of ``places``, the lines with the most edge that cross the axis there."""
        length = self.cover(0, self._sums.shape[1] - 1)
        cover = self.cover(start, stop) + _LENGTH_WEIGHT * length
        return [_best(np.where(there[None], cover, np.float32(-1))) for there in places]

    def _within(self, start: float, stop: float) -> tuple[int, int]:
        longest = self._sums.shape[1] - 1
        first = min(max(0, int(start)), longest - 1)
        return first, max(first + 1, min(longest, int(stop)))


def _best(cover: NDArray[np.float32]) -> list[_Line]:
    """Returns the lines with enough edge (``cover``, shape (tilts, places)) and without a better neighbour.

    Overwrites ``cover``.
    """
    found: list[_Line] = []
    for _ in range(_CANDIDATES):
        tilt, at = divmod(int(cover.argmax()), cover.shape[1])
        if cover[tilt, at] < _LEAST_COVER:
            break
        found.append(_Line(at=at, tilt=tilt))
        cover[:, max(0, at - 3) : at + 4] = -1
    return found


def measure_medium_border(crop: WideCrop) -> float | None:
    """Returns how complete a border around the face is.

    The border consists of straight edges that are nearly upright or level, in one of two outlines: a side
    edge, and a lower edge from there to below the face; or two parallel side edges that continue below the
    chin, where shoulders would hide a door frame or a shelf.

    Args:
        crop: The wide crop of one frame.

    Returns:
        How much of the weakest part of the most complete outline is edge, 0..1; ``None`` for a face less than
        50 pixels wide and for a frame that ends at the face's sides.
    """
    rows, columns = crop.luma.shape
    room = max(crop.extent.left, columns - crop.extent.right)
    if crop.frame_width < _SMALLEST_FACE or room < _LEAST_ROOM * WIDE_FACE or rows < WIDE_FACE:
        return None
    return _outline(crop.luma, crop.extent)


def _outline(grey: NDArray[np.uint8], face: FaceExtent) -> float:
    rows, columns = grey.shape
    upright_edges, level_edges = _edges(grey)
    upright = _Lines(upright_edges, face.y)
    at = np.arange(columns)
    place = (at - face.x) / WIDE_FACE
    ring = (at > 1) & (at < columns - 2) & (np.abs(place) > _NEAREST) & (np.abs(place) < _FARTHEST)
    lefts, rights = upright.strongest(face.top, face.bottom, ring & (place < 0), ring & (place > 0))
    if not lefts and not rights:
        return 0.0
    best = _cornered(upright, level_edges, lefts, rights, face)
    if rows - 1 - face.bottom >= _LEAST_BELOW_CHIN * WIDE_FACE:
        best = max(best, _through(upright, lefts, rights, face, rows))
    return best


def _cornered(
    upright: _Lines,
    level_edges: NDArray[np.uint8],
    lefts: Sequence[_Line],
    rights: Sequence[_Line],
    face: FaceExtent,
) -> float:
    """Returns the completeness of the best pair of a side and the lower edge from it to below the face."""
    rows = len(level_edges)
    # The height that a tilted line, which crosses the axis below the chin, can reach above that point.
    above = math.ceil(max(_TILTS) * max(face.x, level_edges.shape[1] - face.x)) + 1
    first = min(max(0, int(face.bottom) - above), rows - 1)
    level = _Lines(np.ascontiguousarray(level_edges[first:].T), face.x)
    heights = np.arange(first, rows)
    below = (heights > face.bottom + _BELOW_CHIN * WIDE_FACE) & (heights < rows - 2)
    (bottoms,) = level.strongest(face.x - _CHIN * WIDE_FACE, face.x + _CHIN * WIDE_FACE, below)
    best = 0.0
    for low in bottoms:
        for line in (*lefts, *rights):
            side = upright.cover_of(line, face.top, first + low.at - 1)
            reach = (line.at, face.x) if line.at < face.x else (face.x, line.at)
            if side > best:
                best = max(best, min(side, level.cover_of(low, *reach)))
    return best


def _through(
    upright: _Lines, lefts: Sequence[_Line], rights: Sequence[_Line], face: FaceExtent, rows: int
) -> float:
    """Returns the completeness of the best pair of parallel sides that continue to the crop's lower edge."""

    def cover(line: _Line) -> float:
        if abs(line.at - face.x) > _ACROSS_BODY * WIDE_FACE:
            return 0.0
        beside = upright.cover_of(line, face.top, face.bottom)
        return min(beside, upright.cover_of(line, face.bottom, rows - 1))

    covers = {line: cover(line) for line in (*lefts, *rights)}
    pairs = [
        min(covers[one], covers[other])
        for one in lefts
        for other in rights
        if abs(one.tilt - other.tilt) <= _PARALLEL
    ]
    return max(pairs, default=0.0)


def _edges(grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns two masks: 1 within a pixel of an upright edge, and of a level edge."""
    across = np.abs(cv2.Sobel(grey, cv2.CV_16S, 1, 0))
    down = np.abs(cv2.Sobel(grey, cv2.CV_16S, 0, 1))
    return (
        _thin(across, down, cv2.getStructuringElement(cv2.MORPH_RECT, (3, 1))),
        _thin(down, across, cv2.getStructuringElement(cv2.MORPH_RECT, (1, 3))),
    )


def _thin(along: np.ndarray, other: np.ndarray, neighbours: np.ndarray) -> NDArray[np.uint8]:
    edge = (along >= _SOBEL * _STEP) & (along >= 2 * other) & (along >= cv2.dilate(along, neighbours))
    return np.asarray(cv2.dilate(edge.astype(np.uint8), neighbours), np.uint8)


class MediumBorder(CueSignal):
    """The median completeness of a border over the frames."""

    name = "medium_border"
    label = "No border of a sheet or device"
    unseen = "No frame shows enough around the face."

    def lines(self, settings: ExpressSettings) -> CueLine:
        """See ``CueSignal.lines``."""
        return settings.medium_border

    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.detail``."""
        what = "a border" if found.value > lines.line else "no border"
        return (
            f"The face has {what} around it: straight edges enclose {100 * found.value:.0f} % of it "
            f"in {found.counted} (line {100 * lines.line:.0f} %)."
        )
