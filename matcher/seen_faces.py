"""Describes the faces of an image that has too many, for a message and for programs."""

from collections.abc import Sequence
from typing import Final

from vision.face import DetectedFace

__all__ = ["MOST_SEEN", "face_boxes", "faces_in_words"]

MOST_SEEN: Final = 5
"""The most faces that are described, so that a crowd makes no long message."""


def faces_in_words(faces: Sequence[DetectedFace], *, size: tuple[int, int]) -> str:
    """Return the size and the place of each face, such as ``"120 pixels wide in the centre"``.

    Args:
        faces: The faces, the subject first.
        size: Width and height of the image, pixels.
    """
    named = [f"{max(0.0, face.box.width):.0f} pixels wide {_place(face, size)}" for face in faces[:MOST_SEEN]]
    more = len(faces) - len(named)
    return "; ".join([*named, *([f"{more} more"] if more else [])])


def face_boxes(faces: Sequence[DetectedFace]) -> str:
    """Return the boxes as ``left,top,width,height`` in whole pixels, with a semicolon between two."""
    boxes = [face.box for face in faces[:MOST_SEEN]]
    return "; ".join(f"{box.left:.0f},{box.top:.0f},{box.width:.0f},{box.height:.0f}" for box in boxes)


def _place(face: DetectedFace, size: tuple[int, int]) -> str:
    x, y = face.box.centre
    across = _third(x / size[0], "left", "right")
    down = _third(y / size[1], "top", "bottom")
    if across and down:
        return f"at the {down} {across}"
    return f"at the {across or down}" if across or down else "in the centre"


def _third(share: float, low: str, high: str) -> str:
    return low if share < 1 / 3 else high if share > 2 / 3 else ""
