"""Runs a detector on a frame at one input size after another, until it finds a face.

At 640 pixels such a network misses a face that fills a small selfie; at 320 it finds it. So the detector runs
at 320 first, which is also the cheapest, then at 640 for small faces, then at 160 for a face that fills the
frame.
"""

from collections.abc import Callable

from vision.face import BgrImage, DetectedFace

__all__ = ["first_found"]

_LONG_SIDES = (320, 640, 160)
_SMALLEST_FACE = 8


def first_found(
    image: BgrImage, detect_at: Callable[[BgrImage, int], tuple[DetectedFace, ...]]
) -> tuple[DetectedFace, ...]:
    """Return the faces at the first size at which any are found; empty if there are none.

    Args:
        image: The frame.
        detect_at: Detects faces in the frame, resized to this long side in pixels.
    """
    for long_side in _LONG_SIDES:
        if min(image.shape[:2]) * long_side < max(image.shape[:2]) * _SMALLEST_FACE:
            continue
        found = detect_at(image, long_side)
        if found:
            return found
    return ()
