"""The average outline of frontal faces, which stands in where a pack has no landmarks."""

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from matcher.conformance.face_region import MEAN_OUTLINE, AlignedFace
from matcher.conformance.interface import PortraitView

__all__ = ["farthest", "frontal", "mean_mask", "print_outlines"]

_FRONTAL: Final = 10.0
"""Yaw and pitch up to which a face is frontal, degrees."""


def frontal(view: PortraitView) -> bool:
    """Whether a face looks into the camera."""
    return max(abs(view.pose.yaw), abs(view.pose.pitch)) <= _FRONTAL


def mean_mask(faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """1 where more than half of the faces and of their mirror images are, shape as each of them."""
    share = np.mean(faces, axis=0)
    return ((share + share[:, ::-1]) / 2 > 0.5).astype(np.uint8)


def farthest(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """How far, at most, a point of one mask's border is from the other's, pixels (Hausdorff distance)."""
    borders = [cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) for mask in (one, other)]
    away = [cv2.distanceTransform((1 - border).astype(np.uint8), cv2.DIST_L2, 5) for border in borders]
    return float(max(away[1][borders[0] > 0].max(), away[0][borders[1] > 0].max()))


def print_outlines(found: Mapping[str, Sequence[AlignedFace]], console: Console) -> None:
    """Compares the mean masks of several packs with each other and with the shipped outline.

    Args:
        found: By the pack's name, the aligned frontal faces.
        console: To print on.
    """
    masks = {name: mean_mask([face.mask for face in faces]) for name, faces in found.items()}
    shipped = np.zeros_like(next(iter(masks.values())))
    cv2.fillPoly(shipped, [np.rint(MEAN_OUTLINE[cv2.convexHull(
        MEAN_OUTLINE.astype(np.float32), returnPoints=False).ravel()]).astype(np.int32)], 1)
    for name, mask in masks.items():
        console.print(
            f"Mean outline of {len(found[name])} frontal faces ({name}): at most "
            f"{farthest(mask, shipped):.1f} pixels from the shipped one."
        )
    names = list(masks)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            console.print(f"{one} and {other}: at most {farthest(masks[one], masks[other]):.1f} pixels apart.")
