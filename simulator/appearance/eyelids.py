"""Paints closing eyelids and moving irises into an image of a face."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Points

__all__ = ["Eyelids"]

FloatMap = NDArray[np.float32]

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
        """Finds the lids.

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
        """Paints both eyes into ``picture`` in place.

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
