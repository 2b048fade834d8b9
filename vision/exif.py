"""Reads the orientation from EXIF data, and nothing else.

Source: CIPA DC-008 (EXIF 2.32), clause 4.6.4; TIFF 6.0, section 2.
"""

from typing import Literal

import cv2
import numpy as np

from vision.face import BgrImage

__all__ = ["apply_orientation", "read_orientation"]

_ORIENTATION = 0x0112
_SHORT = 3
_MAX_ENTRIES = 512


def read_orientation(tiff: bytes) -> int:
    """Return the orientation tag of the first image directory.

    Broken EXIF data are common and harmless, so they count as "no rotation" and never as an error.

    Args:
        tiff: EXIF data from the byte order mark on.

    Returns:
        1..8; 1 (upright) without a valid tag.
    """
    match tiff[:4]:
        case b"II*\x00":
            order: Literal["little", "big"] = "little"
        case b"MM\x00*":
            order = "big"
        case _:
            return 1

    def number(offset: int, size: int) -> int:
        return int.from_bytes(tiff[offset : offset + size], order)

    directory = number(4, 4)
    for index in range(min(number(directory, 2), _MAX_ENTRIES)):
        entry = directory + 2 + 12 * index
        if entry + 12 > len(tiff):
            break
        if number(entry, 2) == _ORIENTATION:
            valid = number(entry + 2, 2) == _SHORT and number(entry + 4, 4) == 1
            value = number(entry + 8, 2)
            return value if valid and 1 <= value <= 8 else 1
    return 1


def apply_orientation(image: BgrImage, orientation: int) -> BgrImage:
    """Return the upright image.

    Args:
        image: Pixels as stored.
        orientation: EXIF orientation, 1..8; any other value counts as 1.
    """
    if orientation in {5, 7}:
        image = np.ascontiguousarray(image.transpose(1, 0, 2))
    upright: BgrImage = image
    match orientation:
        case 2:
            upright = cv2.flip(image, 1).astype(np.uint8, copy=False)
        case 3 | 7:
            upright = cv2.rotate(image, cv2.ROTATE_180).astype(np.uint8, copy=False)
        case 4:
            upright = cv2.flip(image, 0).astype(np.uint8, copy=False)
        case 6:
            upright = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE).astype(np.uint8, copy=False)
        case 8:
            upright = cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE).astype(np.uint8, copy=False)
    return upright
