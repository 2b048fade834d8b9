"""A face and what is around it at a fixed size in face widths, for cues that no resolution may change."""

from dataclasses import dataclass

import cv2
import numpy as np

from liveness.extent import FaceExtent, face_extent
from vision.face import BgrImage, DetectedFace, Points

__all__ = ["CROP_FACE", "FaceCrop", "crop_face", "shrink"]

CROP_FACE = 96
"""Face width in a crop, pixels."""

_REACH = 1.0
"""Half width and half height of a crop, face extents."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """A face within a picture of twice its width and height, or what of that the frame holds.

    Attributes:
        picture: Shape (height, width, 3), BGR, 0..255.
        extent: The face's extent in ``picture``, 96 pixels wide; may reach beyond its border.
        five_points: As ``DetectedFace``'s, in ``picture``.
        frame_width: Width of the extent in the frame's own pixels.
    """

    picture: BgrImage
    extent: FaceExtent
    five_points: Points
    frame_width: float

    def part(self, left: float, top: float, right: float, bottom: float) -> BgrImage:
        """What of ``picture`` lies within these edges, face extents from the face's middle; may be empty."""
        height, width = self.picture.shape[:2]
        x, y = self.extent.width, self.extent.height
        columns = [round(min(max(0.0, self.extent.x + at * x), width)) for at in (left, right)]
        rows = [round(min(max(0.0, self.extent.y + at * y), height)) for at in (top, bottom)]
        return self.picture[rows[0] : rows[1], columns[0] : columns[1]]

    @property
    def face(self) -> BgrImage:
        """From ear to ear and from hairline to chin."""
        return self.part(-0.5, -0.5, 0.5, 0.5)

    @property
    def inside(self) -> float:
        """Share of the extent, 0..1, that the frame holds."""
        return self.face[..., 0].size / (self.extent.width * self.extent.height)


def crop_face(image: BgrImage, face: DetectedFace) -> FaceCrop | None:
    """Cut out ``face``; ``None`` where it lies outside the image.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255.
        face: Its face.
    """
    extent = face_extent(face)
    height, width = image.shape[:2]
    across, down = _REACH * extent.width, _REACH * extent.height
    left, right = round(max(0.0, extent.x - across)), round(min(float(width), extent.x + across))
    top, bottom = round(max(0.0, extent.y - down)), round(min(float(height), extent.y + down))
    if right - left < 2 or bottom - top < 2:
        return None
    scale = CROP_FACE / extent.width
    seen = FaceExtent(
        x=(extent.x - left) * scale,
        y=(extent.y - top) * scale,
        width=extent.width * scale,
        height=extent.height * scale,
    )
    return FaceCrop(
        picture=shrink(image[top:bottom, left:right], scale),
        extent=seen,
        five_points=(face.five_points - np.array([left, top], np.float32)) * np.float32(scale),
        frame_width=extent.width,
    )


def shrink(picture: BgrImage, scale: float) -> BgrImage:
    """``picture``, grey or colour, at ``scale`` of its size.

    Halving by averages is cheap and leaves no aliases; only the last step, by less than a half, is
    interpolated.

    Args:
        picture: Shape (height, width) or (height, width, 3).
        scale: Above 0; above 1 enlarges.
    """
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    while scale <= 0.5 and min(picture.shape[:2]) >= 2:
        half = picture.shape[1] // 2, picture.shape[0] // 2
        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        scale *= 2
    return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
