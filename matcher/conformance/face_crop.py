"""Cuts the face out of the portrait at its own resolution, without the loss of resampling."""

from dataclasses import dataclass

import cv2
import numpy as np

from matcher.conformance.face_region import AlignedFace
from vision.face import BgrImage

__all__ = ["FaceCrop", "face_crop"]


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """The upright rectangle around a face, clipped to the portrait.

    Attributes:
        pixels: Shape (height, width, 3): the portrait's own, not reduced.
        left: Its left edge in the portrait, pixels.
        top: Its top edge in the portrait, pixels.
        reduction: Scale from these pixels to those of the aligned face; below 1 if the face is larger here.
    """

    pixels: BgrImage
    left: int
    top: int
    reduction: float


def face_crop(portrait: BgrImage, aligned: AlignedFace) -> FaceCrop | None:
    """Cuts the face, brows to chin, out of the portrait.

    Args:
        portrait: The image from which ``aligned`` was made.
        aligned: The aligned face, which defines the position.

    Returns:
        The crop; None if no pixel of the face lies inside the portrait.
    """
    box = aligned.face_box
    edges = ((box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom))
    back = cv2.invertAffineTransform(aligned.transform)
    seen = np.array(edges) @ back[:, :2].T + back[:, 2]
    height, width = portrait.shape[:2]
    limits = np.array([width, height], dtype=np.float64)
    left, top = np.clip(np.floor(seen.min(axis=0)), 0, limits).astype(int)
    right, bottom = np.clip(np.ceil(seen.max(axis=0)), 0, limits).astype(int)
    if right <= left or bottom <= top:
        return None
    reduction = float(np.hypot(aligned.transform[0, 0], aligned.transform[1, 0]))
    return FaceCrop(portrait[top:bottom, left:right], left=int(left), top=int(top), reduction=reduction)
