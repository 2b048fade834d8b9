"""A frame as an attempt takes it, and the limits that its image must keep before it is decoded."""

import zlib
from dataclasses import dataclass

from device_integrity.camera import FrameClaim

__all__ = ["Frame", "FrameLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame(FrameClaim):
    """One frame of an attempt: its image, and what its header claims.

    Attributes:
        image: The encoded image, a JPEG.
        index: Index in the attempt, from 0.
        flash_step_since_us: When the colour step on display appeared, as the device claims, microseconds on
            the device's clock; 0 for none.
    """

    image: bytes
    index: int
    flash_step_since_us: int = 0

    @property
    def claim(self) -> FrameClaim:
        """The claims of the header alone, which may be kept longer than the image."""
        return FrameClaim(
            capture_time_us=self.capture_time_us,
            width=self.width,
            height=self.height,
            rotation_degrees=self.rotation_degrees,
            mirrored=self.mirrored,
            flash_step=self.flash_step,
            exposure=self.exposure,
        )

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
