"""Reads recorded material as a device would send it: scans of JPEG frames with their capture times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from research.device_alarms.errors import MaterialError

__all__ = ["Pixels", "SentScan", "encoded", "live_scans", "pictures"]

_LONG_SIDE: Final = 640
_QUALITY: Final = 85
"""The JPEG quality of the reference client."""

_SECONDS: Final = 4.0
_RATE: Final = 16.0
_FEWEST: Final = 24
_MOST_SCANS: Final = 6

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SentScan:
    """One scan.

    Attributes:
        source: Name of the clip or image; scans of one source are not independent.
        species: ``"live"``, or the name of the injection.
        jpegs: Encoded frames in order.
        times_us: Their capture times, microseconds.
    """

    source: str
    species: str
    jpegs: tuple[bytes, ...]
    times_us: tuple[int, ...]

    def pixels(self) -> list[Pixels]:
        """The decoded frames."""
        return [
            np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
            for jpeg in self.jpegs
        ]


def encoded(image: Pixels, *, quality: int = _QUALITY) -> bytes:
    """Encode an image of shape (height, width, 3), blue-green-red, as JPEG."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def live_scans(assets: Path, *, folders: Sequence[str] = ("video",)) -> tuple[SentScan, ...]:
    """Read clips of live persons, cut into scans of four seconds at about 16 frames a second.

    Args:
        assets: The folder with the data.
        folders: The folders below ``data`` with clips; those that are missing are left out.

    Raises:
        MaterialError: There is no clip, or one cannot be read.
    """
    clips = [clip for folder in folders for clip in sorted((assets / "data" / folder / "live").glob("*"))]
    if not clips:
        raise MaterialError("the assets have no clips in data/video/live")
    return tuple(scan for clip in clips for scan in _cut(clip))


def pictures(assets: Path) -> tuple[SentScan, ...]:
    """Read single JPEG images of live persons as they are stored, each a scan of one frame.

    Raises:
        MaterialError: There is no image.
    """
    files = sorted((assets / "data/pad/live").glob("*.jpg"))
    if not files:
        raise MaterialError("the assets have no JPEG pictures in data/pad/live")
    return tuple(
        SentScan(source=file.stem, species="live picture", jpegs=(file.read_bytes(),), times_us=(0,))
        for file in files
    )


def _cut(clip: Path) -> Iterator[SentScan]:
    capture = cv2.VideoCapture(str(clip))
    rate = capture.get(cv2.CAP_PROP_FPS)
    if not 5 <= rate <= 100:
        raise MaterialError(f"{clip.name} cannot be read, or states no rate")
    step = max(1, round(rate / _RATE))
    per_scan = round(_SECONDS * rate / step)
    jpegs: list[bytes] = []
    times: list[int] = []
    given, at = 0, 0
    while given < _MOST_SCANS:
        read, image = capture.read()
        if read and at % step == 0:
            jpegs.append(encoded(_small(np.asarray(image, np.uint8))))
            times.append(round(at / rate * 1e6))
        at += 1
        if len(jpegs) == per_scan or (not read and len(jpegs) >= _FEWEST):
            yield SentScan(source=clip.stem, species="live", jpegs=tuple(jpegs), times_us=tuple(times))
            given, jpegs, times = given + 1, [], []
        if not read:
            break
    capture.release()


def _small(image: Pixels) -> Pixels:
    scale = _LONG_SIDE / max(image.shape)
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
