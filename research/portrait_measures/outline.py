"""Measures the average outline of frontal faces, which is used if a pack has no landmarks."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from matcher.conformance.face_region import ALIGNED_EYE_DISTANCE, MEAN_OUTLINE
from matcher.conformance.interface import PortraitView
from vision.geometry import FIVE_ALIGNED, face_parts, similarity_transform

__all__ = ["farthest", "frontal", "mean_mask", "print_outlines"]

_FRONTAL: Final = 10.0
"""Yaw and pitch up to which a face is frontal, degrees."""


def frontal(view: PortraitView) -> bool:
    """Return whether a face is frontal."""
    return max(abs(view.pose.yaw), abs(view.pose.pitch)) <= _FRONTAL


def mean_mask(faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return a mask with 1 where more than half of the faces and their mirror images have the face."""
    share = np.mean(faces, axis=0)
    return np.asarray((share + share[:, ::-1]) / 2 > 0.5, dtype=np.uint8)


def farthest(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the Hausdorff distance of the borders of two masks, pixels."""
    borders = [cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) for mask in (one, other)]
    away = [cv2.distanceTransform((1 - border).astype(np.uint8), cv2.DIST_L2, 5) for border in borders]
    return float(max(away[1][borders[0] > 0].max(), away[0][borders[1] > 0].max()))


def print_outlines(found: Mapping[str, Sequence[PortraitView]], console: Console, *, seed: int) -> None:
    """Compare the packs' mean masks with the shipped outline, and two ways to find the transform.

    Args:
        found: Portraits of frontal faces by name of the pack.
        console: Console for the output.
        seed: Seed of the noise on the points.
    """
    masks = {
        name: mean_mask([view.aligned.mask for view in views if view.aligned is not None])
        for name, views in found.items()
    }
    shipped = np.zeros_like(next(iter(masks.values())))
    cv2.fillConvexPoly(shipped, cv2.convexHull(np.rint(MEAN_OUTLINE).astype(np.int32)), 1)
    for name, mask in masks.items():
        console.print(
            f"Mean outline of {len(found[name])} frontal faces ({name}): at most "
            f"{farthest(mask, shipped):.1f} pixels from the shipped one, {_sizes(mask, shipped)}."
        )
        squares, medians = _wavering(found[name], np.random.default_rng(seed))
        console.print(
            f"Distance of the eyes under noise of 1 % ({name}), 90 of 100 below: {squares:.1f} pixels by "
            f"least squares, {medians:.1f} by least median of squares."
        )
    for one, other in itertools.combinations(masks, 2):
        console.print(f"{one} and {other}: at most {farthest(masks[one], masks[other]):.1f} pixels apart.")


def _sizes(mask: NDArray[np.uint8], shipped: NDArray[np.uint8]) -> str:
    return f"{float((mask != shipped).sum() / shipped.sum()):.1%} of its area differs"


def _wavering(views: Sequence[PortraitView], rng: np.random.Generator) -> tuple[float, float]:
    """Return how far each way's distance of the aligned eyes varies under noise on the points, pixels."""
    moved = []
    for view in views:
        parts = face_parts(view.face.five_points, view.landmarks)
        if parts is None:
            continue
        noise = 0.01 * view.face.eye_distance * rng.standard_normal((5, 2))
        clean, noisy = (np.array(_scales(points)) for points in (parts.five, parts.five + noise))
        moved.append(ALIGNED_EYE_DISTANCE * np.abs(noisy / clean - 1))
    squares, medians = np.quantile(moved, 0.9, axis=0).tolist()
    return float(squares), float(medians)


def _scales(points: NDArray[np.float64]) -> tuple[float, float]:
    squares = similarity_transform(points.astype(np.float32), FIVE_ALIGNED)
    medians, _ = cv2.estimateAffinePartial2D(points, FIVE_ALIGNED.astype(np.float64), method=cv2.LMEDS)
    one, other = (float(np.hypot(matrix[0, 0], matrix[1, 0])) for matrix in (squares, medians))
    return one, other
