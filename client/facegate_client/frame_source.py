"""The protocol of frame sources, which cameras, files and generators implement, and what they share.

That is the capture clock of a recording (the times at which a camera would have captured its images), and the
libraries that only some sources need, and that an extra of the distribution installs.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeAlias

from facegate_client.errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
if TYPE_CHECKING:
    Pixels: TypeAlias = NDArray[np.uint8]
else:
    Pixels = Any

# A source of JPEGs needs no numpy.
"""A colour image, shape (height, width, 3), blue-green-red, 0..255."""

QuarterTurn: TypeAlias = Literal[0, 90, 180, 270]
"""A clockwise rotation in degrees."""

Pace: TypeAlias = Literal["realtime", "fast"]
"""``realtime``: frames come at the times of a camera, and are lost if they are not taken in time.
``fast``: frames come as soon as they are requested, with the source's own timestamps; for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """The camera's settings for an image; 0 means unknown.

    Attributes:
        iso: Sensor sensitivity, ISO 12232.
        white_balance_kelvin: Correlated colour temperature of the white balance, kelvin.
        rolling_shutter_skew_ns: Time from the first to the last row's exposure, nanoseconds.
    """

    exposure_time_ns: int = 0
    iso: int = 0
    white_balance_kelvin: int = 0
    rolling_shutter_skew_ns: int = 0
    exposure_locked: bool = False
    white_balance_locked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedImage:
    """One image from the source.

    Attributes:
        image: Pixels as captured, or the bytes of a JPEG.
        capture_time_us: Its capture time, microseconds of a monotonic clock; strictly rising.
        rotation: Clockwise rotation that makes it upright, degrees.
        mirrored: Whether it is mirrored left to right; undo that after the rotation.
        lost_before: The number of images lost since the previous one, because nobody requested them in time.
        exposure: The camera's settings; ``None`` if the platform does not state them.
    """

    image: Pixels | bytes
    capture_time_us: int
    rotation: QuarterTurn = 0
    mirrored: bool = False
    lost_before: int = 0
    exposure: Exposure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraDescription:
    """The source's description of its camera, for ScanStart.

    Attributes:
        label: Name for people, at most 256 bytes.
        width: Width of the images, pixels; 0 if unknown.
        height: Height of the images, pixels; 0 if unknown.
        frames_per_second: Nominal rate; 0 if unknown.
        timestamp_source: The origin of the capture clock.
        reports_exposure: Whether its images have an `Exposure`.
        locks_exposure: Whether exposure and white balance can be locked.
    """

    label: str
    width: int = 0
    height: int = 0
    frames_per_second: float = 0.0
    timestamp_source: str = "monotonic"
    reports_exposure: bool = False
    locks_exposure: bool = False


class FrameSource(Protocol):
    """A camera or its replacement: an async iterator of captured images.

    A source is used by one scan and ends permanently when it is exhausted. The iterator raises
    `SourceError` if the source fails.
    """

    @property
    def camera(self) -> CameraDescription:
        """The source's description of its camera."""
        ...

    @property
    def pace(self) -> Pace:
        """Whether images come in real time or on request."""
        ...

    def begin_attempt(self) -> None:
        """Starts an attempt: a recording continues where it is, and a camera drops a stale image."""
        ...

    def __aiter__(self) -> Self:
        """Returns the source itself."""
        ...

    async def __anext__(self) -> CapturedImage:
        """Returns the next image; raises StopAsyncIteration if there are no more."""
        ...

    async def aclose(self) -> None:
        """Releases the camera or file. Safe to call twice."""
        ...


@contextmanager
def needed_by(extra: Literal["camera", "video"]) -> Iterator[None]:
    """Wraps the import of an extra's library.

    Raises:
        SourceError: The library is not installed; the message names the extra.
    """
    try:
        yield
    except ImportError as error:
        raise SourceError(
            f"{error.name or 'OpenCV'} is not installed or cannot be loaded, and this source needs it: "
            f"pip install 'facegate-client[{extra}]'"
        ) from error


_LATE_US = 200_000


class CaptureClock:
    """Maps the timestamps of a recording to a monotonic clock and waits until each image is due.

    In ``realtime`` the recording is anchored to the clock at the first image of each attempt, so that
    it pauses between attempts as a person would. In ``fast`` it is anchored once and never waits.
    """

    def __init__(self, pace: Pace, *, skip_late: bool) -> None:
        """Prepares the clock.

        Args:
            pace: Whether to wait.
            skip_late: Whether an image that is requested more than 200 ms late in ``realtime`` is skipped, as
                a camera would have lost it. If not, the recording is delayed by that time, for sources that
                are slower than real time.
        """
        self._pace = pace
        self._skip_late = skip_late
        self._offset_us: int | None = None
        self._last_us = 0

    def restart(self) -> None:
        """Anchors the next image to the present; has no effect in ``fast``."""
        if self._pace == "realtime":
            self._offset_us = None

    async def wait_until_due(self, media_time_us: int) -> int | None:
        """Waits until an image is due.

        Args:
            media_time_us: Its timestamp in the recording, microseconds, strictly rising.

        Returns:
            Its capture time in microseconds of the monotonic clock, strictly rising; ``None`` if the image is
            late and has to be skipped.
        """
        now = time.monotonic_ns() // 1000
        if self._offset_us is None:
            self._offset_us = max(now, self._last_us + 1) - media_time_us
        capture_time = media_time_us + self._offset_us
        if self._pace == "realtime":
            late = now - capture_time
            if late > _LATE_US:
                if self._skip_late:
                    return None
                self._offset_us += late
                capture_time += late
            elif late < 0:
                await asyncio.sleep(-late / 1_000_000)
        self._last_us = max(capture_time, self._last_us + 1)
        return self._last_us
