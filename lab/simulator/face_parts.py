"""Moves parts of a face in an image: small spontaneous movements, closing eyelids, irises, an opening mouth.

Movements of lips, jaw and brows are displacement fields; eyelids and irises are painted. The mouth opens with
the jaw, or of the lips alone in the hole of a rigid mask.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Points

FloatMap = NDArray[np.float32]
# Landmark, direction (x, y), reach as a share of the eye distance.
_MOUTH = ((48, (-0.8, -0.5), 0.30), (54, (0.8, -0.5), 0.30), (51, (0.0, -0.25), 0.22))
_JAW = ((57, (0.0, 0.9), 0.28), (8, (0.0, 1.0), 0.45))
_BROWS = ((19, (0.0, -1.0), 0.30), (24, (0.0, -1.0), 0.30))


class Expression:
    """Converts movements of mouth, jaw and brows to a displacement field over an image."""

    def __init__(self, landmarks: Points, *, grid: tuple[FloatMap, FloatMap]) -> None:
        """Prepare the fields.

        Args:
            landmarks: Shape (68, 2), iBUG 300-W order, pixels.
            grid: x and y of the places of the field, pixels, both of one shape.
        """
        left, right = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
        eye_distance = float(np.linalg.norm(right - left))
        self._fields = tuple(_field(landmarks, grid, group, eye_distance) for group in (_MOUTH, _JAW, _BROWS))

    def field(self, *, mouth: float, jaw: float, brows: float) -> tuple[FloatMap, FloatMap]:
        """Return the displacement to the right and down, pixels, each of the grid's shape.

        Args:
            mouth: Movement of the mouth's corners outwards and up, pixels.
            jaw: Movement of the lower lip and chin down, pixels.
            brows: Movement of the brows up, pixels.
        """
        amounts = (np.float32(mouth), np.float32(jaw), np.float32(brows))
        x = sum((a * f[0] for a, f in zip(amounts, self._fields, strict=True)), np.float32(0))
        y = sum((a * f[1] for a, f in zip(amounts, self._fields, strict=True)), np.float32(0))
        return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _field(
    landmarks: Points,
    grid: tuple[FloatMap, FloatMap],
    group: tuple[tuple[int, tuple[float, float], float], ...],
    eye_distance: float,
) -> tuple[FloatMap, FloatMap]:
    x, y = np.zeros_like(grid[0]), np.zeros_like(grid[0])
    for index, (right, down), reach in group:
        centre = landmarks[index]
        squared = (grid[0] - centre[0]) ** 2 + (grid[1] - centre[1]) ** 2
        weight = np.exp(-squared / (2 * (reach * eye_distance) ** 2))
        x += right * weight
        y += down * weight
    return x.astype(np.float32), y.astype(np.float32)


# Shares of the eye's width, then shares of brightness.
_LASH = 0.04
_OUTER_REACH = 0.13
_INNER_REACH = 0.04
_LID_SHADE = 0.08
_LASH_SHADE = 0.45
_CLEAN_SKIN = 0.94
_LID_TONE = 0.97


@dataclass(frozen=True, slots=True)
class _Eye:
    """One eye and its surroundings: the lines of its lids, in the coordinates of its own patch."""

    rows: slice
    columns: slice
    x: FloatMap
    y: FloatMap
    upper: FloatMap
    lower: FloatMap
    fold: FloatMap
    cheek: FloatMap
    window: FloatMap
    lash: float
    skin: FloatMap


class Eyelids:
    """Draws both eyes of one image at any closure and gaze.

    The lid is the skin between eye and brow, stretched down over the eye; its edge moves the lashes with it.
    The eyes of the image must be level to about 10 degrees.
    """

    def __init__(self, picture: BgrImage, landmarks: Points) -> None:
        """Find the lids.

        Args:
            picture: The face with open eyes.
            landmarks: Shape (68, 2), iBUG 300-W order, pixels of ``picture``.
        """
        self._patches: list[tuple[_Eye, BgrImage]] = []
        for eye_points, brow_points, outer_is_left in (
            (landmarks[36:42], landmarks[17:22], True),
            (landmarks[42:48], landmarks[22:27], False),
        ):
            eye = _outline(picture, eye_points, brow_points, outer_is_left=outer_is_left)
            self._patches.append((eye, picture[eye.rows, eye.columns, :3].copy()))

    def draw(self, picture: BgrImage, *, closure: float, gaze: tuple[float, float]) -> None:
        """Paint both eyes into ``picture`` in place.

        Args:
            picture: Same size as the first image; only the surroundings of the eyes are written.
            closure: 0 keeps the eyes unchanged, 1 closes them.
            gaze: Movement of the irises to the image's right and down, pixels.
        """
        for eye, patch in self._patches:
            picture[eye.rows, eye.columns, :3] = _draw(eye, patch, closure, gaze)


def _outline(picture: BgrImage, points: Points, brow: Points, *, outer_is_left: bool) -> _Eye:
    # Landmarks mark the corners of the white; lids and lashes reach a little further.
    opening_width = float(points[3, 0] - points[0, 0])
    outer, inner = _OUTER_REACH * opening_width, _INNER_REACH * opening_width
    before, after = (outer, inner) if outer_is_left else (inner, outer)
    left, right = float(points[0, 0]) - before, float(points[3, 0]) + after
    width = max(8.0, right - left)
    middle_y = float(points[:, 1].mean())
    brow_y = float(brow[:, 1].mean())
    top = max(0, int(min(brow_y, middle_y - 0.4 * width) - 2))
    bottom = min(picture.shape[0], int(middle_y + 0.55 * width))
    first, last = max(0, int(left - 0.35 * width)), min(picture.shape[1], int(right + 0.35 * width))
    rows, columns = slice(top, bottom), slice(first, last)
    x, y = np.meshgrid(np.arange(last - first, dtype=np.float32), np.arange(bottom - top, dtype=np.float32))
    across = np.clip((x[0] + first - left) / width, 0, 1)
    upper = _lid(points[[0, 1, 2, 3]], across, left, width) - top
    lower = _lid(points[[0, 5, 4, 3]], across, left, width) - top
    upper = np.minimum(upper, lower)
    opening = float((lower - upper).max())
    # The fold does not move; below the brow there is always some skin to stretch.
    fold = np.maximum(upper - 1.1 * opening - 0.10 * width, 0.6 * (brow_y - top) + 0.4 * upper)
    fold = np.minimum(fold, upper - 3)
    window = np.clip(np.sin(np.pi * across), 0, 1) ** 0.7
    return _Eye(
        rows=rows,
        columns=columns,
        x=x,
        y=y,
        upper=upper.astype(np.float32),
        lower=lower.astype(np.float32),
        fold=fold.astype(np.float32),
        cheek=np.minimum(lower + 0.28 * width, bottom - top - 1).astype(np.float32),
        window=window.astype(np.float32),
        lash=_LASH * width,
        skin=np.asarray(
            cv2.GaussianBlur(picture[rows, columns, :3].astype(np.float32), (0, 0), 0.06 * width), np.float32
        ),
    )


def _lid(points: Points, across: NDArray[np.floating], left: float, width: float) -> NDArray[np.float64]:
    """Return the height of a lid over the eye's width: the best fit of a parabola through its corners."""
    # The strip with the lashes keeps its shape and comes along; only the skin above it stretches.
    share = (points[:, 0].astype(np.float64) - left) / width
    chord = points[0, 1] + share * (points[3, 1] - points[0, 1])
    bow = np.clip(share * (1 - share), 0, None)
    height = float(((points[:, 1] - chord) * bow).sum() / max(1e-6, float((bow * bow).sum())))
    result: NDArray[np.float64] = (
        points[0, 1] + across * (points[3, 1] - points[0, 1]) + height * across * (1 - across)
    )
    return result


def _draw(eye: _Eye, patch: BgrImage, closure: float, gaze: tuple[float, float]) -> BgrImage:
    inside = np.clip(eye.y - eye.upper, 0, 2) * np.clip(eye.lower - eye.y, 0, 2) / 4
    weight = inside * eye.window
    looked = cv2.remap(
        patch,
        eye.x - np.float32(gaze[0]) * weight,
        eye.y - np.float32(gaze[1]) * weight,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if closure <= 0.01:
        return np.asarray(looked, dtype=np.uint8)
    return _close(eye, patch, np.asarray(looked, dtype=np.uint8), np.float32(closure))


def _close(eye: _Eye, patch: BgrImage, looked: BgrImage, closure: np.float32) -> BgrImage:
    lash = np.float32(eye.lash) * eye.window
    rim = eye.upper + closure * (eye.lower - eye.upper) + lash
    # The strip with the lashes keeps its shape and comes along; only the skin above it stretches.
    strip = rim - 2 * lash
    stretch = (eye.y - eye.fold) / np.maximum(strip - eye.fold, 1)
    skin_row = eye.fold + stretch * (eye.upper - lash - eye.fold)
    row = np.where(eye.y < eye.fold, eye.y, np.where(eye.y < strip, skin_row, eye.y - rim + eye.upper + lash))
    lid = _rows(patch, eye, row).astype(np.float32)
    # The strip with the lashes keeps its shape and comes along; only the skin above it stretches.
    # Stretched lashes and shadows of the fold would make a dark lid, so most of its colour is that
    # of the clean skin below the eye.
    clean = _rows(eye.skin, eye, eye.cheek + 0 * row)
    depth = (eye.y - eye.fold) / np.maximum(eye.upper - eye.fold, 1)
    mixed = (_CLEAN_SKIN * closure * np.sqrt(eye.window) * np.clip(1.5 * depth, 0, 1))[..., None]
    lid = lid * (1 - mixed) + _LID_TONE * clean * mixed
    above = rim - eye.y
    shade = _LID_SHADE * np.exp(-np.clip(above, 0, None) / (5 * eye.lash))
    line = _LASH_SHADE * np.exp(-(((above - 0.7 * eye.lash) / (0.9 * eye.lash)) ** 2))
    lid *= (1 - closure * eye.window * (shade + line))[..., None]
    cover = (np.clip(above + 0.5, 0, 1) * np.clip(eye.window / 0.3, 0, 1))[..., None]
    return np.asarray(np.clip(lid * cover + looked * (1 - cover), 0, 255), dtype=np.uint8)


def _rows(picture: NDArray[Any], eye: _Eye, row: NDArray[Any]) -> NDArray[Any]:
    """Return each column of ``picture``, sampled at the heights ``row``."""
    heights = np.ascontiguousarray(row, dtype=np.float32)
    return np.asarray(cv2.remap(picture, eye.x, heights, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


FloatLine = NDArray[np.float64]

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
        """Find the parts that move.

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
