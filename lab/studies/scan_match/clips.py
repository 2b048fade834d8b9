"""Reads recorded clips as a phone sends them: a portrait of the first second, and scans of the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from lab.evaluation.scans import jpeg_of
from vision.face import BgrImage

_PORTRAIT_FROM: Final = 0.3
_SCANS_FROM: Final = 1.0
_SHORTEST: Final = 2.0
_LEAST_GAP: Final = 0.045
"""Least time between measured frames, as in a server, seconds."""


class ClipError(Exception):
    """There is no clip, or one cannot be read. The message names it."""


@dataclass(frozen=True, slots=True)
class SentFrame:
    """One frame as it was sent.

    Attributes:
        time: Capture time in seconds.
    """

    time: float
    jpeg: bytes

    def pixels(self) -> BgrImage:
        """Return the decoded image."""
        decoded = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        return np.asarray(decoded, np.uint8)


@dataclass(frozen=True, slots=True)
class Recording:
    """The clip of one person.

    Attributes:
        name: The file's name without its suffix.
        portraits: Frames before the scans, in order of time.
        scans: One or more, each some seconds long, in order of time; they share no frame.
    """

    name: str
    portraits: tuple[SentFrame, ...]
    scans: tuple[tuple[SentFrame, ...], ...]


def read_recordings(folder: Path, *, seconds: float, most: int) -> tuple[Recording, ...]:
    """Read every clip of a folder, in order of names.

    Args:
        folder: Folder that contains only clips of one person each.
        seconds: Length of a scan; a shorter last one counts if it has at least two seconds.
        most: Largest number of scans of a clip.

    Raises:
        ClipError: The folder has no clip, or a clip is too short for a scan or cannot be read.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise ClipError(f"the folder of clips cannot be read: {error.strerror}") from error
    if not paths:
        raise ClipError("the folder of clips is empty")
    return tuple(read_recording(path, seconds=seconds, most=most) for path in paths)


def read_recording(path: Path, *, seconds: float, most: int) -> Recording:
    """Read one clip; the arguments are those of ``read_recordings``.

    Raises:
        ClipError: The clip is too short for a scan or cannot be read.
    """
    frames = list(_sent(path, until=_SCANS_FROM + seconds * most))
    portraits = tuple(frame for frame in frames if _PORTRAIT_FROM <= frame.time < _SCANS_FROM)
    scans = []
    for number in range(most):
        start = _SCANS_FROM + seconds * number
        scan = tuple(frame for frame in frames if start <= frame.time < start + seconds)
        if len(scan) > 1 and scan[-1].time - scan[0].time >= _SHORTEST:
            scans.append(scan)
    if not scans:
        raise ClipError(f"{path.name} cannot be read, or is shorter than {_SCANS_FROM + _SHORTEST:g} seconds")
    return Recording(name=path.stem, portraits=portraits, scans=tuple(scans))


def _sent(path: Path, *, until: float) -> Iterator[SentFrame]:
    capture = cv2.VideoCapture(str(path))
    native = capture.get(cv2.CAP_PROP_FPS)
    native = native if 5 <= native <= 100 else 30.0
    sent: float | None = None
    try:
        for at in range(int(until * native) + 1):
            found, image = capture.read()
            if not found:
                return
            time = at / native
            if sent is None or time - sent >= _LEAST_GAP:
                sent = time
                yield SentFrame(time, jpeg_of(np.asarray(image, np.uint8)))
    finally:
        capture.release()
