"""The protocol of frame sources, which cameras, files and generators implement.

Some need libraries that an extra of the distribution installs (``needed_by``).
"""

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
        """Start an attempt: a recording continues where it is, and a camera drops a stale image."""
        ...

    def __aiter__(self) -> Self:
        """Return the source itself."""
        ...

    async def __anext__(self) -> CapturedImage:
        """Return the next image; raise StopAsyncIteration if there are no more."""
        ...

    async def aclose(self) -> None:
        """Release the camera or file. Safe to call twice."""
        ...


@contextmanager
def needed_by(extra: Literal["camera", "video"]) -> Iterator[None]:
    """Wrap the import of an extra's library.

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
