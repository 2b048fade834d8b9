"""Scans as the tests and the fitting of the fusion model need them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from liveness.observation import GreyView, PassedFrame, ScanObservations
from liveness.observe import sample_frame
from liveness.pace import FramePace, FrameWork
from liveness.watch import FrameWatcher
from vision.face import BgrImage
from vision.packs.pack import Pack

LONGEST_SIDE = 640
_JPEG_QUALITY = 88


def observe_scan(frames: Iterable[tuple[float, BgrImage]], pack: Pack) -> ScanObservations:
    """Observe and collect a scan as the server does: at its pace, and the detector looks now and then."""
    pace = FramePace()
    watcher = FrameWatcher(
        find_faces=pack.detector.detect,
        locate_landmarks=None if pack.landmarker is None else pack.landmarker.locate,
    )
    for index, (time, image) in enumerate(frames):
        work = pace.next(time, restless=watcher.restless)
        if work is FrameWork.WATCH:
            watcher.watch(_Decoded(image), index=index, capture_time=time)
        else:
            samples = sample_frame(image) if work is FrameWork.SAMPLE else None
            watcher.pass_over(PassedFrame(index=index, capture_time=time, fingerprint=None, samples=samples))
    return watcher.observations


class _Decoded:
    """A picture that is decoded already."""

    def __init__(self, image: BgrImage) -> None:
        self._image = image

    def grey(self) -> GreyView:
        return np.asarray(cv2.cvtColor(self._image, cv2.COLOR_BGR2GRAY), np.uint8)

    def colour(self) -> BgrImage:
        return self._image


def clip_windows(
    path: Path, *, seconds: float = 4.0, most: int = 4, rate: float = 16.0
) -> Iterator[list[tuple[float, BgrImage]]]:
    """A clip as a phone would send it: about ``rate`` frames a second, 640 pixels, JPEG, cut into scans."""
    capture = cv2.VideoCapture(str(path))
    native = capture.get(cv2.CAP_PROP_FPS)
    native = native if 5 <= native <= 100 else 30.0
    step = max(1, round(native / rate))
    window: list[tuple[float, BgrImage]] = []
    given, at = 0, 0
    while given < most:
        ok, image = capture.read()
        if ok and at % step == 0:
            window.append((at / native, _as_sent(np.asarray(image, np.uint8))))
        at += 1
        long = len(window) > 1 and window[-1][0] - window[0][0] > seconds - step / native
        if (long or not ok) and len(window) > 1 and window[-1][0] - window[0][0] >= seconds / 2:
            yield window
            given += 1
            window = []
        if not ok:
            break
    capture.release()


def _as_sent(image: BgrImage) -> BgrImage:
    shrink = LONGEST_SIDE / max(image.shape)
    if shrink < 1:
        image = np.asarray(
            cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8
        )
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
