"""Opens the mouth in an image of a face: with the jaw, or of the lips alone in the hole of a rigid mask."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Points

__all__ = ["Mouth", "MouthPlace"]

FloatLine = NDArray[np.float64]
FloatMap = NDArray[np.float32]

_JAW_WIDER: Final = 1.2
"""How much wider than the mouth the part of the jaw that moves is at the chin, in widths of the mouth."""
_NECK: Final = 1.5
"""How far below the chin the neck gives way, in distances from mouth to chin, or in gaps if that is more."""
_HOLE: Final = 0.85
"""The share of the way from mouth to chin that the hole of a mask reaches; its lower third stays skin."""
_INSIDE: Final = (25, 20, 45)
"""Blue, green and red of the mouth's inside."""


@dataclass(frozen=True, slots=True, eq=False)
class MouthPlace:
    """The place of a mouth in an image, pixels. The face is upright to about 10 degrees.

    Attributes:
        corners: Left and right corner of the mouth in the image, shape (2, 2).
        lower_lip: Inner edge of the lower lip, from left to right, shape (n, 2). The mouth opens along it,
            so that upper teeth that the image shows stay where they are.
        chin: Lowest point of the chin, shape (2,).
    """

    corners: Points
    lower_lip: Points
    chin: Points

    @classmethod
    def of_68(cls, landmarks: Points) -> "MouthPlace":
        """Return the place from landmarks in iBUG 300-W order, shape (68, 2)."""
        return cls(landmarks[[48, 54]], landmarks[[60, 67, 66, 65, 64]], landmarks[8])


class Mouth:
    """Lowers what is below the lower lip's edge, and gives the gap the colour of a mouth's inside."""

    def __init__(self, place: MouthPlace, *, chin_moves: bool = True) -> None:
        """Finds the parts that move.

        Args:
            place: The mouth at rest.
            chin_moves: Whether the jaw opens the mouth. Otherwise only the lips move, and the skin between
                the lower lip and the edge of the mask's hole is compressed.
        """
        left, right = (float(corner[0]) for corner in place.corners)
        self._middle, self._half = (left + right) / 2, max(1.0, (right - left) / 2)
        edge = np.vstack([place.corners, place.lower_lip]).astype(np.float64)
        self._edge = edge[np.argsort(edge[:, 0], kind="stable")]
        self._to_chin = max(1.0, float(place.chin[1]) - self._lip(np.array([self._middle]))[0])
        self._chin_moves = chin_moves

    def opened(self, image: BgrImage, gap: float) -> BgrImage:
        """Return the image with the mouth further open.

        Args:
            image: The image in whose pixels the place is given, 3 or 4 channels; a fourth is the coverage.
            gap: How far the middle of the lower lip moves down, pixels, 0 or more. Lips alone move up to two
                thirds of the hole below them.
        """
        if gap <= 0:
            return image
        columns, sources, gaps = self._moved(gap, image.shape, 1)
        result = _sampled(image, columns, sources)
        inside = gaps[..., None]
        part = result[:, columns, :3]
        part[:] = np.round(part * (1 - inside) + np.array(_INSIDE, np.float32) * inside)
        return result

    def lowered(self, heights: FloatMap, gap: float, *, step: int) -> FloatMap:
        """Return the heights of the face above its plane with the mouth open.

        Args:
            heights: Heights at rest, one every ``step`` pixels of the image in both directions.
            gap: As for ``opened``.
            step: Distance of the samples, pixels.
        """
        if gap <= 0:
            return heights
        columns, sources, _ = self._moved(gap, heights.shape, step)
        return _sampled(heights, columns, sources)

    def _lip(self, x: FloatLine) -> FloatLine:
        """Return the height of the lower lip's edge; beside the mouth, that of the corner."""
        return np.asarray(np.interp(x, self._edge[:, 0], self._edge[:, 1]))

    def _moved(self, gap: float, shape: tuple[int, ...], step: int) -> tuple[slice, FloatMap, FloatMap]:
        """Return the columns that change, the row that each sample shows, and its share of the inside."""
        reach = self._half * (1 + _JAW_WIDER if self._chin_moves else 1)
        first = max(0, int((self._middle - reach) / step))
        last = min(shape[1], int((self._middle + reach) / step) + 2)
        x = step * np.arange(first, last, dtype=np.float64)
        y = step * np.arange(shape[0], dtype=np.float64)
        sources = np.empty((len(y), len(x)), np.float32)
        lips = self._lip(x)
        # Source rows below the lip, relative to its edge; the lip's edge itself is the first.
        rest = np.arange(0.0, len(y) * step + step, 1.0)
        drops = self._drop(np.abs(x - self._middle) / self._half, rest[:, None], gap).T
        for column, (lip, drop) in enumerate(zip(lips, drops, strict=True)):
            shown = np.interp(y - lip, rest + drop, rest)
            sources[:, column] = np.where(y < lip, y, lip + shown) / step
        down, most = y[:, None] - lips, drops[:, 0]
        inside = np.clip(down + 0.5, 0, 1) * np.clip(most - down + 0.5, 0, 1) * (most > 0)
        return slice(first, max(first, last)), sources, inside.astype(np.float32)

    def _drop(self, across: FloatLine, rest: FloatLine, gap: float) -> FloatLine:
        """Return how far down each place moves.

        Args:
            across: Distances from the middle of the mouth, in half widths of the mouth, shape (n,).
            rest: Distances below the lip's edge at rest, pixels, shape (m, 1).
            gap: As for ``opened``.

        Returns:
            Pixels, 0 or more, shape (m, n).
        """
        if not self._chin_moves:
            hole = _HOLE * self._to_chin
            most = min(gap, hole * 2 / 3)
            return np.asarray(most * np.clip(1 - across**2, 0, None) * np.clip(1 - rest / hole, 0, None))
        # The jaw is wider than the mouth, and the neck below the chin gives way.
        width = 1 + _JAW_WIDER * np.clip(rest / self._to_chin, 0, 1)
        neck = _NECK * max(self._to_chin, gap)
        fade = np.clip(1 - (rest - self._to_chin) / neck, 0, 1)
        return np.asarray(gap * np.clip(1 - (across / width) ** 2, 0, None) * fade)


def _sampled(image: NDArray[Any], columns: slice, rows: FloatMap) -> NDArray[Any]:
    """Return a copy of the image whose ``columns`` show the given rows of the image."""
    result = image.copy()
    if rows.size == 0:
        return result
    across = np.broadcast_to(np.arange(rows.shape[1], dtype=np.float32), rows.shape)
    part = np.ascontiguousarray(image[:, columns])
    result[:, columns] = cv2.remap(
        part, np.ascontiguousarray(across), rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return result
