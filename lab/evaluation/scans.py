"""Cuts clips into scans.

Images are converted to the form in which a phone sends them: of limited size, as JPEG.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import cv2
import numpy as np

from attempt import Frame
from vision.face import BgrImage

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


Sent = TypeVar("Sent")

_SECONDS, _MOST, _RATE = 4.0, 4, 16.0
"""Length of a scan, seconds; scans of a clip; frames a second."""


def clip_scans(path: Path) -> Iterator[list[Frame]]:
    """Split a clip into scans as ``clip_windows`` does.

    Yields:
        The frames of a scan as a phone sends them, with capture times from 0.
    """
    for window in clip_windows(path, frame_of):
        start = window[0][0]
        yield [
            replace(frame, index=index, capture_time_us=round(1e6 * (time - start)))
            for index, (time, frame) in enumerate(window)
        ]


def clip_windows(
    path: Path,
    convert: Callable[[BgrImage], Sent],
    *,
    seconds: float = _SECONDS,
    most: int = _MOST,
    rate: float = _RATE,
) -> Iterator[list[tuple[float, Sent]]]:
    """Split a clip into scans.

    Args:
        convert: Makes what is kept of an image, such as ``as_sent``.
        seconds: Length of a scan; the last one may be down to half as long.
        most: Maximum number of scans.
        rate: Approximate frames per second.

    Yields:
        The frames of a scan: the time in the clip, seconds, and what was made of the image.
    """
    capture = cv2.VideoCapture(str(path))
    native = capture.get(cv2.CAP_PROP_FPS)
    native = native if 5 <= native <= 100 else 30.0
    step = max(1, round(native / rate))
    window: list[tuple[float, Sent]] = []
    given, at = 0, 0
    while given < most:
        ok, image = capture.read()
        if ok and at % step == 0:
            window.append((at / native, convert(np.asarray(image, np.uint8))))
        at += 1
        long = len(window) > 1 and window[-1][0] - window[0][0] > seconds - step / native
        if (long or not ok) and len(window) > 1 and window[-1][0] - window[0][0] >= seconds / 2:
            yield window
            given += 1
            window = []
        if not ok:
            break
    capture.release()
