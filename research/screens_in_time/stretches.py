"""Reads the scans of a clip with the face in every frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from attempt import DecodedPicture, PacedWatch, persons_of
from evaluation.sent import LONGEST_SIDE, as_sent
from liveness import FaceExtent, face_extent
from matcher import SCAN_SUBJECT
from vision.face import BgrImage
from vision.packs import Pack

__all__ = ["Luma", "SeenFrame", "TimedImage", "read_stretches", "repainted", "watch_stretch"]

Luma = NDArray[np.float32]

TimedImage = tuple[float, BgrImage]
"""Seconds since the clip's start, and an image."""

_SECONDS: Final = 4.0
_MOST: Final = 4
"""Scans of a clip, as many and as long as in ``evaluation.scans.clip_windows``."""
_MOST_RATE: Final = 32.0
"""Frames a second. A phone sends at most about as many."""
_FEWEST_FRAMES: Final = 12


@dataclass(frozen=True, slots=True, eq=False)
class SeenFrame:
    """One frame with one face.

    Attributes:
        number: Number of the frame in its scan.
        luma: Shape (height, width), grey levels.
        face: The face's extent, pixels.
        detected: Whether the detector ran on the frame; otherwise the face was followed.
    """

    number: int
    luma: Luma
    face: FaceExtent
    detected: bool


def read_stretches(path: Path) -> Iterator[list[TimedImage]]:
    """Yield consecutive stretches of a clip: 4 seconds each, the last at least 2. Times start anew in each.

    Images have the size of sent ones but are not yet encoded.
    """
    capture = cv2.VideoCapture(str(path))
    native = capture.get(cv2.CAP_PROP_FPS)
    native = native if 5 <= native <= 100 else 30.0
    step = max(1, round(native / _MOST_RATE))
    count = round(_SECONDS * native / step)
    for _ in range(_MOST):
        stretch: list[TimedImage] = []
        for at in range(step * count):
            ok, image = capture.read()
            if not ok:
                break
            if at % step == 0:
                stretch.append((at / native, _sized(np.asarray(image, np.uint8))))
        if len(stretch) >= count / 2:
            yield stretch
        if len(stretch) < count:
            break
    capture.release()


def watch_stretch(stretch: Sequence[TimedImage], pack: Pack) -> list[SeenFrame]:
    """Return the frames that show one face, as an attempt detects and follows it; empty if there are few.

    The frames are encoded as a phone encodes them.
    """
    watch = PacedWatch(pack, faces=partial(persons_of, pack=pack, rule=SCAN_SUBJECT))
    lumas = []
    for number, (time, image) in enumerate(stretch):
        sent = as_sent(image)
        lumas.append(_luma(sent))
        watch.take(DecodedPicture(sent), index=number, capture_time=time, in_any_case=True)
    seen = [
        SeenFrame(frame.index, lumas[frame.index], face_extent(frame.face), not frame.followed)
        for frame in watch.observations.frames
        if frame.face is not None and frame.faces == 1
    ]
    return seen if len(seen) >= _FEWEST_FRAMES else []


def repainted(frames: Sequence[SeenFrame], images: Sequence[BgrImage]) -> list[SeenFrame]:
    """Return the frames with these images in place of their own, encoded as a phone encodes them."""
    return [replace(frame, luma=_luma(as_sent(image))) for frame, image in zip(frames, images, strict=True)]


def _luma(image: BgrImage) -> Luma:
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)


def _sized(image: BgrImage) -> BgrImage:
    shrink = LONGEST_SIDE / max(image.shape[:2])
    if shrink >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
