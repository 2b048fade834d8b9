"""Chooses the subject of an image with several faces, and tells the faces that count as further persons.

This module alone decides which face an image is about. Selfies, frames of scans, trusted images and
measurements differ only in the ``SubjectRule`` that they pass.

Size and centre decide. The subject has the largest *prominence*: the width of its box, reduced towards the
corners of the image. Another face does not count if it is much smaller, or if it is clearly smaller and lies
off-centre, while the subject lies in the centre. ``docs/accuracy.md`` ("The subject of a photo") has the
figures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vision.face import DetectedFace

MOST_SEEN: Final = 5
"""The most faces that are described, so that a crowd makes no long message."""
_CENTRE_WEIGHT: Final = 0.7
"""The share of its prominence that a face loses in a corner. With 0 the widest face is the subject, which was
wrong in 6 of 284 photos with several faces, one of them of a known person; with 0.5 to 0.9 none was wrong."""


@dataclass(frozen=True, slots=True)
class SubjectRule:
    """Defines which faces count as persons beside the subject.

    Widths are those of the detector's boxes. The offset of a face is the distance of its centre from the
    centre of the image, over half the diagonal: 0 in the centre, 1 in a corner.

    Attributes:
        min_confidence: The least confidence of a face that the detector is sure of, 0..1.
        second_width: The width, over that of the widest face, below which a face never counts; above 0, at
            most 1.
        background_width: The width, over that of the subject, up to which an off-centre face does not count;
            0..1. At or below ``second_width`` only the size decides.
        centre: The offset at which the background begins, 0..1. The subject must lie within it.

    Raises:
        ValueError: A value is out of range.
    """

    min_confidence: float = 0.6
    second_width: float = 1 / 3
    background_width: float = 0.0
    centre: float = 0.3

    def __post_init__(self) -> None:
        if not 0.0 < self.second_width <= 1.0:
            raise ValueError(f"second_width must lie above 0 and at most at 1, got {self.second_width}")
        for name in ("min_confidence", "background_width", "centre"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie within 0 and 1, got {getattr(self, name)}")


PHOTO_SUBJECT: Final = SubjectRule(background_width=0.8)
"""For selfies and measurements."""

SCAN_SUBJECT: Final = SubjectRule(second_width=0.4, background_width=0.6)
"""For frames of scans and videos, where a second face may be an attempt to exchange the person."""


def persons_among(
    faces: Sequence[DetectedFace], *, size: tuple[int, int], rule: SubjectRule
) -> tuple[DetectedFace, ...]:
    """Return the subject, and every other face that counts as a person.

    Detectors sometimes find a face in a fold or a pattern, at a confidence just above their own threshold.
    Such a face counts only if the image has no better one.

    ``size`` is width and height of the image, pixels.

    Returns:
        The subject first, then the others by falling prominence; empty only if ``faces`` is.
    """
    if not faces:
        return ()
    sure = [face for face in faces if face.confidence >= rule.min_confidence]
    if not sure:
        return (max(faces, key=lambda face: face.confidence),)
    if len(sure) == 1:
        return (sure[0],)
    widest = max(face.box.width for face in sure)
    wide = sorted(
        (face for face in sure if face.box.width >= rule.second_width * widest),
        key=lambda face: -_prominence(face, size),
    )
    subject, *others = wide
    central = _offset(subject, size) < rule.centre
    return (
        subject,
        *(face for face in others if not (central and _in_background(face, subject, size=size, rule=rule))),
    )


def _in_background(
    face: DetectedFace, subject: DetectedFace, *, size: tuple[int, int], rule: SubjectRule
) -> bool:
    smaller = face.box.width <= rule.background_width * subject.box.width
    return smaller and _offset(face, size) >= rule.centre


def _prominence(face: DetectedFace, size: tuple[int, int]) -> float:
    return face.box.width * (1.0 - _CENTRE_WEIGHT * min(1.0, _offset(face, size)))


def _offset(face: DetectedFace, size: tuple[int, int]) -> float:
    width, height = size
    x, y = face.box.centre
    # Coordinates are those of pixel centres.
    return 2.0 * math.hypot(x - (width - 1) / 2, y - (height - 1) / 2) / math.hypot(width, height)


def faces_in_words(faces: Sequence[DetectedFace], *, size: tuple[int, int]) -> str:
    """Return the size and the place of each face, such as ``"120 pixels wide in the centre"``.

    The subject comes first; ``size`` is width and height of the image, pixels.
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
