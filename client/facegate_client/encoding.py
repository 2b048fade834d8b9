"""Encodes a captured image as the JPEG that is sent, within the server's limits."""

from dataclasses import dataclass, replace

from facegate_client.errors import SourceError
from facegate_client.extras import needed_by
from facegate_client.frame_source import Pixels
from facegate_client.jpeg_header import read_jpeg_header

__all__ = ["CaptureLimits", "EncodedImage", "encode_image"]

_QUALITY_STEP = 15
_LOWEST_QUALITY = 40
_SHRINK = 0.8
_CHANNELS, _BITS, _UPRIGHT = 3, 8, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureLimits:
    """The limits of an encoded frame.

    Attributes:
        max_side: Longest side, pixels.
        max_pixels: The most pixels, width times height.
        max_bytes: The largest encoded size, bytes.
        min_side: The least length of the shorter side, pixels.
        max_frames_per_second: Highest rate; 0 for no limit.
    """

    max_side: int = 640
    max_pixels: int = 1920 * 1080
    max_bytes: int = 512 * 1024
    min_side: int = 1
    max_frames_per_second: float = 0.0

    def lowered(self, *, max_side: int, max_bytes: int, max_frames_per_second: float) -> "CaptureLimits":
        """Returns these limits, each lowered to that of a CaptureAdjustment if that is lower and not 0."""
        rates = [rate for rate in (self.max_frames_per_second, max_frames_per_second) if rate > 0]
        return replace(
            self,
            max_side=min(self.max_side, max_side) if max_side else self.max_side,
            max_bytes=min(self.max_bytes, max_bytes) if max_bytes else self.max_bytes,
            max_frames_per_second=min(rates, default=0.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedImage:
    """A JPEG: its bytes, and its width and height in pixels."""

    jpeg: bytes
    width: int
    height: int


def encode_image(image: Pixels | bytes, *, limits: CaptureLimits, quality: int = 85) -> EncodedImage | None:
    """Encodes an image as a baseline JPEG of three 8-bit channels.

    A JPEG within the limits is returned unchanged, so that the evidence contains the camera's own bytes. An
    image that is too large is scaled down, then compressed more, then scaled down further. Pixels, and JPEGs
    that are not sent unchanged, need the extra ``video``.

    Args:
        image: Pixels in BGR, or JPEG bytes.
        limits: The limits of the frame; ``max_frames_per_second`` is ignored.
        quality: JPEG quality to begin with, 1 to 100.

    Returns:
        The frame; ``None`` if no quality makes it small enough without a side below ``min_side``.

    Raises:
        SourceError: The image cannot be decoded or encoded, or the extra that it needs is not installed.
    """
    if isinstance(image, bytes):
        as_is = _passed_through(image, limits)
        if as_is is not None:
            return as_is
    with needed_by("video"):
        from facegate_client import pixel_codec
    pixels = pixel_codec.decode(image) if isinstance(image, bytes) else image
    height, width = pixels.shape[:2]
    scale = min(1.0, limits.max_side / max(width, height), (limits.max_pixels / (width * height)) ** 0.5)
    while True:
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        if scale < 1.0 and min(size) < min(limits.min_side, width, height):
            return None
        scaled = pixels if size == (width, height) else pixel_codec.resize(pixels, size)
        for attempt_quality in _qualities(quality):
            jpeg = pixel_codec.encode_jpeg(scaled, attempt_quality)
            if len(jpeg) <= limits.max_bytes:
                return EncodedImage(jpeg=jpeg, width=size[0], height=size[1])
        if min(size) == 1:
            return None
        scale *= _SHRINK


def _qualities(first: int) -> list[int]:
    return [first, *range(first - _QUALITY_STEP, _LOWEST_QUALITY - 1, -_QUALITY_STEP)]


def _passed_through(jpeg: bytes, limits: CaptureLimits) -> EncodedImage | None:
    try:
        header = read_jpeg_header(jpeg)
    except ValueError as error:
        raise SourceError("an image from the source is not a readable JPEG") from error
    fits = (
        0 < header.width * header.height <= limits.max_pixels
        and max(header.width, header.height) <= limits.max_side
        and len(jpeg) <= limits.max_bytes
    )
    plain = (header.channels, header.bits, header.orientation) == (_CHANNELS, _BITS, _UPRIGHT)
    return EncodedImage(jpeg=jpeg, width=header.width, height=header.height) if fits and plain else None
