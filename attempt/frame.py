"""A frame as an attempt takes it, and the limits that its image must keep before it is decoded."""

import zlib
from dataclasses import dataclass

__all__ = ["Frame", "FrameExposure", "FrameLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameExposure:
    """The device's claims about its camera's exposure. 0 means unknown."""

    exposure_time_ns: int
    iso: int
    white_balance_kelvin: int
    exposure_locked: bool
    white_balance_locked: bool
    rolling_shutter_skew_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of an attempt.

    Attributes:
        image: The encoded image, a JPEG.
        index: Index in the attempt, from 0.
        capture_time_us: Its capture time, microseconds on the device's clock.
        rotation_degrees: Clockwise rotation that makes the image upright: 0, 90, 180 or 270.
        mirrored: Whether the image is mirrored.
        width: Declared width of the encoded image.
        height: Declared height of the encoded image.
        flash_step: The step that the device claims was on display; 0 for none.
        flash_step_since_us: When that step appeared, as the device claims, microseconds on the same clock; 0
            for none.
        exposure: The device's claims about the exposure; ``None`` without any.
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
        """A 32-bit hash of the image: unrelated images have the same one with a chance of 1 in 2**32."""
        return zlib.crc32(self.image)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLimits:
    """The limits of a frame's image.

    Attributes:
        max_bytes: The largest size of the encoded image, bytes.
        max_pixels: The largest number of pixels.
        min_side: The least length of the shorter side, pixels.
    """

    max_bytes: int = 512 * 1024
    max_pixels: int = 1920 * 1080
    min_side: int = 200
