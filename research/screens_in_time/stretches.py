"""Reads stretches of clips with the face in every frame, and draws a display's traces into them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from attempt import DecodedPicture, PacedWatch
from evaluation.sent import LONGEST_SIDE, as_sent
from liveness import FaceExtent, face_extent
from vision.face import BgrImage
from vision.packs import Pack

__all__ = ["Luma", "SeenFrame", "draw_traces", "read_stretches", "watch_stretch"]

Luma = NDArray[np.float32]

_SECONDS: Final = 3.0
_MOST_RATE: Final = 32.0
"""Frames a second. A phone sends at most about as many."""
_FEWEST_FRAMES: Final = 12

_HALF_DISPLAY: Final = 1.1
"""Half of the side of a drawn display, face widths."""
_BANDS: Final = 0.04
"""Amplitude of the drawn bands, a share of the light."""
_STEP: Final = 0.03
"""Height of a drawn step of brightness, a share of the light, and how often it comes, frames."""
_STEP_FRAMES: Final = 8
_REFLECTION: Final = 12.0
"""Standard deviation of the drawn reflection, grey levels."""


@dataclass(frozen=True, slots=True, eq=False)
class SeenFrame:
    """One frame with one face.

    Attributes:
        number: Number of the frame in its stretch.
        luma: Shape (height, width), grey levels.
        face: The face's extent, pixels.
        detected: Whether the detector ran on the frame; otherwise the face was followed.
    """

    number: int
    luma: Luma
    face: FaceExtent
    detected: bool


def read_stretches(path: Path, *, most: int, sent: bool) -> Iterator[list[tuple[float, BgrImage]]]:
    """Yield consecutive stretches of a clip: frames with their times, seconds from the stretch's start.

    A stretch has 3 seconds; the last one may have only half as much. Nothing is yielded if the clip cannot
    be opened.

    Args:
        path: The clip.
        most: The largest number of stretches.
        sent: Whether to encode the frames as JPEG, as a phone does; otherwise only their size is limited.
    """
    capture = cv2.VideoCapture(str(path))
    native = capture.get(cv2.CAP_PROP_FPS)
    native = native if 5 <= native <= 100 else 30.0
    step = max(1, round(native / _MOST_RATE))
    count = round(_SECONDS * native / step)
    for _ in range(most):
        stretch: list[tuple[float, BgrImage]] = []
        for at in range(step * count):
            ok, image = capture.read()
            if not ok:
                break
            if at % step == 0:
                stretch.append((at / native, _sized(np.asarray(image, np.uint8), sent=sent)))
        if len(stretch) >= count / 2:
            yield stretch
        if len(stretch) < count:
            break
    capture.release()


def watch_stretch(stretch: list[tuple[float, BgrImage]], pack: Pack) -> list[SeenFrame]:
    """Return the frames that show one face, as an attempt detects and follows it; empty if there are few."""
    watch = PacedWatch(pack)
    for number, (time, image) in enumerate(stretch):
        watch.take(DecodedPicture(image), index=number, capture_time=time, in_any_case=True)
    seen = [
        SeenFrame(
            frame.index,
            cv2.cvtColor(stretch[frame.index][1], cv2.COLOR_BGR2GRAY).astype(np.float32),
            face_extent(frame.face),
            not frame.followed,
        )
        for frame in watch.observations.frames
        if frame.face is not None and frame.faces == 1
    ]
    return seen if len(seen) >= _FEWEST_FRAMES else []


def draw_traces(frames: list[SeenFrame], *, seed: int) -> list[SeenFrame]:
    """Return frames as if a display around the face's first place had every trace: a test of the cues."""
    rng = np.random.default_rng(seed)
    first = frames[0].face
    height, width = frames[0].luma.shape
    rows, columns = np.mgrid[0:height, 0:width]
    half = _HALF_DISPLAY * first.width
    display = (np.abs(columns - first.x) < half) & (np.abs(rows - first.y) < 1.3 * half)
    coarse = rng.normal(0, 1, (height // 3 + 1, width // 3 + 1)).astype(np.float32)
    layer = _REFLECTION * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    drawn = []
    for frame in frames:
        bands = _BANDS * np.sin(2 * np.pi * (rows / (0.3 * height) + 0.37 * frame.number))
        steps = _STEP * (frame.number // _STEP_FRAMES % 2)
        luma = np.where(display, frame.luma * (1 + bands + steps) + layer, frame.luma)
        drawn.append(
            SeenFrame(frame.number, luma.clip(0, 255).astype(np.float32), frame.face, frame.detected)
        )
    return drawn


def _sized(image: BgrImage, *, sent: bool) -> BgrImage:
    if sent:
        return as_sent(image)
    shrink = LONGEST_SIDE / max(image.shape[:2])
    if shrink >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
