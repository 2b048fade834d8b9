"""A camera's frame as an attempt takes it, and the limits that it is held to before it is decoded."""

import zlib
from dataclasses import dataclass

__all__ = ["Frame", "FrameExposure", "FrameLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameExposure:
    """What a device says its camera did. 0 means unknown."""

    exposure_time_ns: int
    iso: int
    white_balance_kelvin: int
    exposure_locked: bool
    white_balance_locked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of an attempt.

    Attributes:
        image: The encoded image, a JPEG.
        index: Index in the attempt, from 0.
        capture_time_us: Device clock, microseconds.
        rotation_degrees: Clockwise rotation that makes the image upright: 0, 90, 180 or 270.
        mirrored: Whether the image is mirrored.
        width: Declared width of the encoded image.
        height: Declared height of the encoded image.
        flash_step: The step that the device says was on display; 0 for none.
        flash_step_since_us: When the device says it appeared, microseconds of the same clock; 0 for none.
        exposure: What the device says the camera did; ``None`` where it says nothing.
    """

    image: bytes
    index: int
    capture_time_us: int
    rotation_degrees: int
    mirrored: bool
    width: int
    height: int
    flash_step: int = 0
    flash_step_since_us: int = 0
    exposure: FrameExposure | None = None

    @property
    def fingerprint(self) -> int:
        """The same for frames of the same bytes; for others, by chance, once in four thousand million."""
        return zlib.crc32(self.image)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLimits:
    """What a frame's image may be.

    Attributes:
        max_bytes: Largest encoded image.
        max_pixels: Most pixels.
        min_side: Fewest pixels on the shorter side.
    """

    max_bytes: int = 512 * 1024
    max_pixels: int = 1920 * 1080
    min_side: int = 200
