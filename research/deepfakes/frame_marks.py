"""Marks of a swap in a single frame: differences between the face's inside and the skin around it."""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from research.deepfakes.regions import Regions
from vision.face import BgrImage, Points

__all__ = ["eye_highlights", "frame_marks"]

_Plane = NDArray[np.float64]

_LAPLACE: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64) / 6
"""Leaves noise and removes slopes (J. Immerkaer, Computer Vision and Image Understanding 64, 1996)."""

_IRISES: Final = ((468, (469, 470, 471, 472)), (473, (474, 475, 476, 477)))
_LEAST_IRIS: Final = 4.0
_LEAST_HIGHLIGHT: Final = 40.0


def frame_marks(image: BgrImage, regions: Regions) -> dict[str, float]:
    """Return each mark by name; 0 means no difference."""
    lab = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2LAB).astype(np.float64)
    luma = lab[:, :, 0]
    inside, ring = regions.inside, regions.ring

    def between(values: _Plane) -> float:
        return _log_ratio(_level(values[inside]), _level(values[ring]))

    residual = np.abs(cv2.filter2D(luma, -1, _LAPLACE))
    colour = np.abs(cv2.filter2D(lab[:, :, 1:], -1, _LAPLACE)).sum(axis=2)
    fine = _gradient(luma, 1)
    coarse = _gradient(np.asarray(cv2.GaussianBlur(luma, (0, 0), 3), np.float64), 3)
    chroma = [np.median(lab[:, :, 1:][place], axis=0) for place in (inside, ring)]
    return {
        "noise": between(residual),
        "colour noise": between(colour),
        "sharpness": between(fine) - between(coarse),
        "chroma": float(np.linalg.norm(chroma[0] - chroma[1])),
        "JPEG grid": _blocks(luma, inside) - _blocks(luma, ring),
        "step at the outline": _outline_step(luma, regions),
    }


def eye_highlights(image: BgrImage, mesh: Points) -> dict[str, float]:
    """Return how far the highlights of the two eyes disagree in place, iris radii; empty without both."""
    luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float64)
    places = []
    for middle, rim in _IRISES:
        x, y = mesh[middle].tolist()
        radius = float(np.linalg.norm(mesh[list(rim)] - mesh[middle], axis=1).mean())
        if radius < _LEAST_IRIS:
            return {}
        rows, columns = np.mgrid[0 : luma.shape[0], 0 : luma.shape[1]]
        within = np.hypot(columns - x, rows - y) < radius
        if not within.any() or luma[within].max() - np.median(luma[within]) < _LEAST_HIGHLIGHT:
            return {}
        bright = within & (luma >= luma[within].max() - 0.2 * np.ptp(luma[within]))
        places.append(np.array([columns[bright].mean() - x, rows[bright].mean() - y]) / radius)
    return {"eye highlights": float(np.linalg.norm(places[0] - places[1]))}


def _level(values: _Plane) -> float:
    """A mean without the strongest quarter, which are edges."""
    kept = np.sort(values)[: max(1, round(0.75 * values.size))]
    return float(kept.mean())


def _log_ratio(one: float, other: float) -> float:
    return math.log((one + 1e-3) / (other + 1e-3))


def _gradient(luma: _Plane, step: int) -> _Plane:
    across = np.abs(np.roll(luma, -step, 1) - np.roll(luma, step, 1))
    down = np.abs(np.roll(luma, -step, 0) - np.roll(luma, step, 0))
    return across + down


def _blocks(luma: _Plane, place: NDArray[np.bool_]) -> float:
    """Return the steps at the borders of blocks of 8 pixels over those elsewhere, less 1."""
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(luma, axis=axis))
        part = place[1:] if axis == 0 else place[:, 1:]
        shape = (-1, 1) if axis == 0 else (1, -1)
        at_border = ((np.arange(steps.shape[axis]) + 1) % 8 == 0).reshape(shape)
        border, other = steps[part & at_border], steps[part & ~at_border]
        if border.size and other.size:
            ratios.append((_level(border) + 1e-3) / (_level(other) + 1e-3) - 1)
    return float(np.mean(ratios)) if ratios else 0.0


def _outline_step(luma: _Plane, regions: Regions) -> float:
    """Return the steps across the outline's lower half over those across the same line further inside."""
    low = regions.outline[regions.outline[:, 1] > regions.middle[1]] - regions.middle

    def step(size: float) -> float:
        ends = [_sampled(luma, regions.middle + (size + offset) * low) for offset in (-0.02, 0.02)]
        return float(np.abs(ends[1] - ends[0]).mean())

    at_edge = max(step(size) for size in (0.88, 0.92, 0.96))
    return _log_ratio(at_edge, float(np.mean([step(size) for size in (0.60, 0.66, 0.72)])))


def _sampled(luma: _Plane, points: _Plane) -> _Plane:
    found = cv2.remap(
        luma.astype(np.float32),
        points[:, 0].astype(np.float32),
        points[:, 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return found.ravel().astype(np.float64)
