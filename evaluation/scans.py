"""Makes scans for tests and for the fit of the fusion model."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from attempt import DecodedPicture, PacedWatch
from evaluation.sent import as_sent
from liveness import FrameObservation, ScanObservations, spread_of
from vision.face import BgrImage
from vision.packs import Pack

_SCORED = 10
"""Scored frames of a scan of the usual length."""


def observe_scan(frames: Iterable[tuple[float, BgrImage]], pack: Pack) -> ScanObservations:
    """Return the measurements of a scan, made at the server's pace and detection interval."""
    watch = PacedWatch(pack)
    for index, (time, image) in enumerate(frames):
        watch.take(DecodedPicture(image), index=index, capture_time=time)
    return watch.observations


def scored_frames(frames: Iterable[FrameObservation]) -> tuple[FrameObservation, ...]:
    """Return the frames that the PAD networks score, spread over the scan as ``attempt.pad_frames`` does."""
    detected = {frame.index: frame for frame in frames if frame.faces == 1 and not frame.followed}
    return tuple(detected[index] for index in spread_of(list(detected), _SCORED))


def clip_windows(
    path: Path, *, seconds: float = 4.0, most: int = 4, rate: float = 16.0
) -> Iterator[list[tuple[float, BgrImage]]]:
    """Split a clip into scans as a phone sends them: JPEG frames of at most 640 pixels.

    Args:
        path: The clip.
        seconds: Length of a scan; the last one may be down to half as long.
        most: Maximum number of scans.
        rate: Approximate frames per second.

    Yields:
        The frames of a scan: the time in the clip, seconds, and the image.
    """
    capture = cv2.VideoCapture(str(path))
    native = capture.get(cv2.CAP_PROP_FPS)
    native = native if 5 <= native <= 100 else 30.0
    step = max(1, round(native / rate))
    window: list[tuple[float, BgrImage]] = []
    given, at = 0, 0
    while given < most:
        ok, image = capture.read()
        if ok and at % step == 0:
            window.append((at / native, as_sent(np.asarray(image, np.uint8))))
        at += 1
        long = len(window) > 1 and window[-1][0] - window[0][0] > seconds - step / native
        if (long or not ok) and len(window) > 1 and window[-1][0] - window[0][0] >= seconds / 2:
            yield window
            given += 1
            window = []
        if not ok:
            break
    capture.release()
