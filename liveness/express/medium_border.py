"""Is there the border of a sheet or a device around the face?"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.express.cue_crops import shrink
from liveness.express.cue_summary import score_of_cue, summarise_cue
from liveness.express.interface import FrameCues
from liveness.express.settings import ExpressSettings
from liveness.extent import FaceExtent, face_extent
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed
from vision.face import BgrImage, DetectedFace

__all__ = ["MediumBorder", "measure_medium_border"]

_UNIT = 40
"""Face width in the picture in which lines are sought, pixels."""

_SMALLEST_FACE = 50.0
_REACH, _ABOVE, _BELOW = 2.1, 0.4, 0.9
"""How far from the face's edges a border is sought, face widths."""

_LEAST_ROOM = 0.15
"""Room beside the face, face widths, below which a border would be outside the picture."""

_NEAREST, _FARTHEST, _ACROSS_BODY = 0.5, 2.1, 1.35
"""Distances of side lines from the face's middle, face widths; the last: what shoulders hide of a room."""

_LEAST_BELOW_CHIN = 0.35
_STEP = 4.0
"""Least luma step from one pixel to the next at a line."""

_TILTS = tuple(0.05 * tilt for tilt in range(-3, 4))
_PARALLEL = 3
"""Largest difference in tilt of two sides, steps of ``_TILTS``."""

_CANDIDATES = 3
_LEAST_COVER = 0.3
_LENGTH_WEIGHT = np.float32(0.1)
"""Of the cover over the whole picture: of lines that cover the face alike, the one that goes on is right."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A straight line, by where it crosses the axis through the face's middle, and its tilt."""

    at: int
    tilt: int


class _Lines:
    """How much of every nearly upright straight line is edge; turn the picture for level ones."""

    def __init__(self, edges: NDArray[np.uint8], axis: float) -> None:
        rows, columns = edges.shape
        sums = np.empty((len(_TILTS), rows + 1, columns + 1), np.int32)
        for tilt, slope in enumerate(_TILTS):
            shear = np.array([[1, slope, -slope * axis], [0, 1, 0]], np.float32)
            upright = cv2.warpAffine(
                edges, shear, (columns, rows), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
            )
            cv2.integral(upright, sum=sums[tilt])
        self._sums = sums

    def cover(self, start: float, stop: float) -> NDArray[np.float32]:
        """Shape (tilts, places): share of edge from ``start`` to ``stop`` along each line."""
        first, last = self._within(start, stop)
        edges = np.diff(self._sums[:, last] - self._sums[:, first], axis=1).astype(np.float32)
        return edges / np.float32(last - first)

    def cover_of(self, line: _Line, start: float, stop: float) -> float:
        """The same of one line."""
        first, last = self._within(start, stop)
        at = self._sums[line.tilt].item
        upto = at(last, line.at + 1) - at(last, line.at)
        before = at(first, line.at + 1) - at(first, line.at)
        return float(upto - before) / (last - first)

    def strongest(self, start: float, stop: float, places: NDArray[np.bool_]) -> list[_Line]:
        """The best covered lines that cross the axis at one of ``places``."""
        length = self.cover(0, self._sums.shape[1] - 1)
        cover = np.where(places[None], self.cover(start, stop) + _LENGTH_WEIGHT * length, np.float32(-1))
        found: list[_Line] = []
        for _ in range(_CANDIDATES):
            best = int(cover.argmax())
            tilt, at = divmod(best, cover.shape[1])
            if cover[tilt, at] < _LEAST_COVER:
                break
            found.append(_Line(at=at, tilt=tilt))
            cover[:, max(0, at - 3) : at + 4] = -1
        return found

    def _within(self, start: float, stop: float) -> tuple[int, int]:
        longest = self._sums.shape[1] - 1
        first = min(max(0, int(start)), longest - 1)
        return first, max(first + 1, min(longest, int(stop)))


def measure_medium_border(image: BgrImage, face: DetectedFace) -> float | None:
    """How much of a border around the face is there.

    Three outlines are sought, of straight edges that are nearly upright or level: two sides with the
    lower edge between them; one side with the lower edge from it to below the face; two parallel sides
    that go on below the chin, in front of where the shoulders would hide a door frame or a shelf.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255.
        face: Its face.

    Returns:
        Share of the most complete outline's weakest part that is edge, 0..1; ``None`` for a face less
        than 50 pixels wide and for a picture that ends at the face's sides.
    """
    extent = face_extent(face)
    height, width = image.shape[:2]
    left, right = max(0.0, extent.x - _REACH * extent.width), min(width, extent.x + _REACH * extent.width)
    top = max(0.0, extent.top - _ABOVE * extent.width)
    bottom = min(float(height), extent.bottom + _BELOW * extent.width)
    if not (0 <= extent.x <= width and 0 <= extent.y <= height):
        return None
    room = max(extent.left - left, right - extent.right)
    if extent.width < _SMALLEST_FACE or room < _LEAST_ROOM * extent.width or bottom - top < extent.width:
        return None
    scale = _UNIT / extent.width
    cut = cv2.cvtColor(image[int(top) : int(bottom), int(left) : int(right)], cv2.COLOR_BGR2GRAY)
    seen = FaceExtent(
        x=(extent.x - int(left)) * scale,
        y=(extent.y - int(top)) * scale,
        width=extent.width * scale,
        height=extent.height * scale,
    )
    return _outline(shrink(cut.astype(np.uint8, copy=False), scale), seen)


def _outline(grey: NDArray[np.uint8], face: FaceExtent) -> float:
    rows, columns = grey.shape
    upright_edges, level_edges = _edges(grey)
    upright = _Lines(upright_edges, face.y)
    level = _Lines(np.ascontiguousarray(level_edges.T), face.x)
    place = (np.arange(columns) - face.x) / _UNIT
    inside = (np.arange(columns) > 1) & (np.arange(columns) < columns - 2)
    ring = inside & (np.abs(place) > _NEAREST) & (np.abs(place) < _FARTHEST)
    lefts = upright.strongest(face.top, face.bottom, ring & (place < 0))
    rights = upright.strongest(face.top, face.bottom, ring & (place > 0))
    heights = np.arange(rows)
    below = (heights > face.bottom + 0.05 * _UNIT) & (heights < rows - 2)
    bottoms = level.strongest(face.x - 0.45 * _UNIT, face.x + 0.45 * _UNIT, below)
    best = 0.0
    for low in bottoms:
        sides = {line: upright.cover_of(line, face.top, low.at - 1) for line in (*lefts, *rights)}
        for line, side in sides.items():
            reach = (line.at, face.x) if line in lefts else (face.x, line.at)
            best = max(best, min(side, level.cover_of(low, *reach)))
    if rows - 1 - face.bottom >= _LEAST_BELOW_CHIN * _UNIT:
        best = max(best, _through(upright, lefts, rights, face, rows))
    return best


def _through(
    upright: _Lines, lefts: Sequence[_Line], rights: Sequence[_Line], face: FaceExtent, rows: int
) -> float:
    """The best pair of parallel sides that go on to the picture's lower edge."""

    def cover(line: _Line) -> float:
        if abs(line.at - face.x) > _ACROSS_BODY * _UNIT:
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
    """1 within a pixel of an upright edge, and of a level one."""
    across = np.abs(cv2.Sobel(grey, cv2.CV_16S, 1, 0))
    down = np.abs(cv2.Sobel(grey, cv2.CV_16S, 0, 1))
    return (
        _thin(across, down, cv2.getStructuringElement(cv2.MORPH_RECT, (3, 1))),
        _thin(down, across, cv2.getStructuringElement(cv2.MORPH_RECT, (1, 3))),
    )


def _thin(along: np.ndarray, other: np.ndarray, neighbours: np.ndarray) -> NDArray[np.uint8]:
    # Sobel's kernel sums to four steps of luma a pixel.
    edge = (along >= 4 * _STEP) & (along >= 2 * other) & (along >= cv2.dilate(along, neighbours))
    return np.asarray(cv2.dilate(edge.astype(np.uint8), neighbours), np.uint8)


class MediumBorder:
    """Median completeness of a border over the frames."""

    name = "medium_border"
    label = "No border of a sheet or device"

    def __init__(self, cues: Sequence[FrameCues]) -> None:
        """Take the frames' cues; see ``frame_cues.measure_frame_cues``."""
        self._cues = tuple(cues)

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        del scan
        found = summarise_cue(self._cues, self.name)
        if found is None:
            return not_assessed(
                name=self.name, label=self.label, reason="No frame shows enough around the face."
            )
        lines = settings.medium_border
        told = "there is a border" if found.value > lines.line else "no border"
        return assessed(
            name=self.name,
            label=self.label,
            score=score_of_cue(found.value, lines),
            detail=f"Straight edges around the face complete to {found.value:.0%} in {found.counted}, "
            f"{lines.line:.0%} is the line: {told}.",
        )
