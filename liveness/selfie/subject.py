"""The input of the signals: one upright image, the face in it, and the metadata of its file."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.exif import ExifTags
from liveness.extent import face_extent
from vision.face import BgrImage, DetectedFace, Landmarks

GreyCrop = NDArray[np.uint8]
"""Part of an image in 8-bit grey (ITU-R BT.601 luma), shape (height, width)."""

TEXTURE_SIDE: Final = 96
_SPECTRUM_SIDE: Final = 256
_INNER_SHARE: Final = 0.7
_SMALLEST_SIDE: Final = 24
"""The sides of the crops for texture and, at most, for the spectrum, pixels; the width of the latter, face
widths; the least side of either in the image, pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfieSubject:
    """One image with its face and metadata.

    Attributes:
        image: The whole image, upright.
        face: The face to judge; None if none was detected.
        landmarks: The face's dense landmarks; None if the pack has none.
        exif: The file's metadata about camera and software.
    """

    image: BgrImage
    face: DetectedFace | None
    landmarks: Landmarks | None
    exif: ExifTags


def face_crop(subject: SelfieSubject, side: int) -> GreyCrop | None:
    """Returns the face from ear to ear and from hairline to chin, resized to ``side`` x ``side`` pixels.

    Returns:
        The crop; None if there is no face, or if it has less than 24 pixels in width or height.
    """
    if subject.face is None:
        return None
    extent = face_extent(subject.face)
    region = _inside(subject.image, extent.left, extent.top, extent.right, extent.bottom)
    return None if region is None else _fit(_grey(region), side)


def texture_crop(subject: SelfieSubject) -> GreyCrop | None:
    """Returns ``face_crop`` at 96 x 96 pixels, the input of ``lbp_texture``."""
    return face_crop(subject, TEXTURE_SIDE)


def inner_square(subject: SelfieSubject) -> GreyCrop | None:
    """Returns the middle of the face, 0.7 face widths wide, at its own resolution but at most 256 pixels.

    It is never enlarged, because enlarging leaves the same traces in a spectrum as generators do.

    Returns:
        Shape (n, n), n even; None if there is no face, or if its middle has less than 24 pixels in width or
        height.
    """
    if subject.face is None:
        return None
    extent = face_extent(subject.face)
    half = extent.width * _INNER_SHARE / 2
    region = _inside(subject.image, extent.x - half, extent.y - half, extent.x + half, extent.y + half)
    if region is None:
        return None
    height, width = region.shape[:2]
    side = min(height, width)
    side -= side % 2
    top, left = (height - side) // 2, (width - side) // 2
    square = _grey(region[top : top + side, left : left + side])
    return square if side <= _SPECTRUM_SIDE else _fit(square, _SPECTRUM_SIDE)


def _inside(image: BgrImage, left: float, top: float, right: float, bottom: float) -> BgrImage | None:
    height, width = image.shape[:2]
    if not np.isfinite((left, top, right, bottom)).all():
        return None
    columns = round(min(max(0.0, left), width)), round(min(max(0.0, right), width))
    rows = round(min(max(0.0, top), height)), round(min(max(0.0, bottom), height))
    if min(columns[1] - columns[0], rows[1] - rows[0]) < _SMALLEST_SIDE:
        return None
    return image[rows[0] : rows[1], columns[0] : columns[1]]


def _grey(region: BgrImage) -> GreyCrop:
    return cv2.cvtColor(region, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)


def _fit(grey: GreyCrop, side: int) -> GreyCrop:
    # Halving a large face first costs a fraction of resizing it at once and gives nearly the same pixels.
    while min(grey.shape) >= 2 * side:
        rows, columns = grey.shape[0] // 2, grey.shape[1] // 2
        even = grey[: 2 * rows, : 2 * columns]
        grey = cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    shrinks = min(grey.shape) > side
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(grey, (side, side), interpolation=interpolation).astype(np.uint8, copy=False)
