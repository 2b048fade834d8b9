"""Where the frames of a scan come from: the contract that cameras, files and generators share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "CameraDescription",
    "CapturedImage",
    "Exposure",
    "FrameSource",
    "Pace",
    "Pixels",
    "QuarterTurn",
]

# A source that gives JPEGs needs no numpy.
if TYPE_CHECKING:
    Pixels: TypeAlias = NDArray[np.uint8]
else:
    Pixels = Any
"""A colour image, shape (height, width, 3), blue-green-red, 0..255."""

QuarterTurn: TypeAlias = Literal[0, 90, 180, 270]
"""A clockwise rotation in degrees."""

Pace: TypeAlias = Literal["realtime", "fast"]
"""``realtime``: frames come when a camera would give them, and are lost when nobody takes them.
``fast``: frames come as soon as they are asked for, with the source's own timestamps; for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What the camera did to make an image; 0 means unknown.

    Attributes:
        exposure_time_ns: Exposure time, nanoseconds.
        iso: Sensor sensitivity, ISO 12232.
        white_balance_kelvin: Correlated colour temperature of the white balance, kelvin.
        rolling_shutter_skew_ns: From the first to the last row's exposure, nanoseconds.
        exposure_locked: Whether exposure is locked.
        white_balance_locked: Whether white balance is locked.
    """

    exposure_time_ns: int = 0
    iso: int = 0
    white_balance_kelvin: int = 0
    rolling_shutter_skew_ns: int = 0
    exposure_locked: bool = False
    white_balance_locked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedImage:
    """One image as the source gave it.

    Attributes:
        image: Pixels as captured, or the bytes of a JPEG.
        capture_time_us: When it was captured, microseconds of a monotonic clock; strictly rising.
        rotation: Clockwise rotation that makes it upright, degrees.
        mirrored: Whether it is mirrored left to right, to be undone after the rotation.
        lost_before: Images that the source lost since the one before because nobody took them.
        exposure: What the camera did; ``None`` where the platform does not say.
    """

    image: Pixels | bytes
    capture_time_us: int
    rotation: QuarterTurn = 0
    mirrored: bool = False
    lost_before: int = 0
    exposure: Exposure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraDescription:
    """What the source says of itself in ScanStart.

    Attributes:
        label: Name for people, at most 256 bytes.
        width: Width of the images in pixels; 0 where unknown.
        height: Height of the images in pixels; 0 where unknown.
        frames_per_second: Nominal rate; 0 where unknown.
        timestamp_source: What the capture clock counts from.
        reports_exposure: Whether its images carry an `Exposure`.
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
    """A camera, or something that stands for one: an async iterator of captured images.

    A source is used by one scan and ends for good when it is exhausted. The iterator raises
    `SourceError` where the source fails.
    """

    @property
    def camera(self) -> CameraDescription:
        """What the source says of itself."""
        ...

    @property
    def pace(self) -> Pace:
        """Whether images come in real time or as asked for."""
        ...

    def begin_attempt(self) -> None:
        """Says that an attempt begins: a recording goes on from here, a camera forgets what is stale."""
        ...

    def __aiter__(self) -> Self:
        """The source itself."""
        ...

    async def __anext__(self) -> CapturedImage:
        """The next image; raises StopAsyncIteration when there are no more."""
        ...

    async def aclose(self) -> None:
        """Gives back the camera or file; may be called twice."""
        ...
