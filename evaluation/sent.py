"""Converts images to the form in which a phone sends them: of limited size, as JPEG."""

from typing import Final

import cv2
import numpy as np

from attempt import Frame
from vision.face import BgrImage

__all__ = ["LONGEST_SIDE", "as_sent", "frame_of", "jpeg_of"]

LONGEST_SIDE: Final = 640
_JPEG_QUALITY: Final = 88


def jpeg_of(image: BgrImage) -> bytes:
    """Return the JPEG that a phone sends of an image, of at most ``LONGEST_SIDE`` pixels."""
    return _encoded(_reduced(image))


def frame_of(image: BgrImage) -> Frame:
    """Return the first frame of an attempt, as a phone sends it, from an upright image."""
    reduced = _reduced(image)
    height, width = reduced.shape[:2]
    return Frame(
        image=_encoded(reduced),
        index=0,
        capture_time_us=0,
        rotation_degrees=0,
        mirrored=False,
        width=width,
        height=height,
    )


def as_sent(image: BgrImage) -> BgrImage:
    """Return an image as the server decodes it: reduced, encoded as JPEG and decoded."""
    coded = np.frombuffer(jpeg_of(image), np.uint8)
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def _reduced(image: BgrImage) -> BgrImage:
    shrink = LONGEST_SIDE / max(image.shape[:2])
    if shrink >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(image: BgrImage) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1])
