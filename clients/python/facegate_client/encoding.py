"""Encodes a captured image as the JPEG that is sent, within the server's limits.

The server's reader of JPEG headers is in ``formats``; the one here is a copy, because the client is a
distribution that stands alone.
"""

import itertools
import math
import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from facegate_client.errors import SourceError
from facegate_client.frame_source import Pixels, QuarterTurn, needed_by

_MARKER: Final = re.compile(rb"\xff[^\x00\xff]")
_SOI: Final = b"\xff\xd8"
_SOS, _EOI, _TEM, _APP1 = 0xDA, 0xD9, 0x01, 0xE1
_RESTARTS: Final = range(0xD0, 0xD8)
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF: Final = b"Exif\x00\x00"
_ORIENTATION, _SHORT, _ENTRY_BYTES = 0x0112, 3, 12
_BYTE_ORDERS: Final[dict[bytes, Literal["little", "big"]]] = {b"II*\x00": "little", b"MM\x00*": "big"}
_UPRIGHT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegHeader:
    """The header of a JPEG.

    Attributes:
        width: Width, pixels.
        height: Height, pixels; 0 if the file states it only after the compressed data.
        orientation: Exif orientation, 1 to 8; 1 is upright, and the default if the file states none.
    """

    width: int
    height: int
    channels: int
    bits: int
    orientation: int = _UPRIGHT


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Read the header of a JPEG.

    Raises:
        ValueError: The bytes are not a JPEG, or end before the compressed data.
    """
    if not data.startswith(_SOI):
        raise ValueError("the bytes are not a JPEG")
    frame, exif, at = None, None, len(_SOI)
    while True:
        marker, at = _marker(data, at)
        if marker in {_SOS, _EOI}:
            break
        if marker == _TEM or marker in _RESTARTS:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        segment = data[at + 2 : at + length]
        if length < 2 or at + length > len(data):
            raise ValueError("a segment of the JPEG is cut off")
        if marker in _FRAMES and frame is None:
            frame = segment
        elif marker == _APP1 and segment.startswith(_EXIF) and exif is None:
            exif = segment[len(_EXIF) :]
        at += length
    if frame is None or len(frame) < 6:
        raise ValueError("the JPEG has no frame header")
    return JpegHeader(
        width=int.from_bytes(frame[3:5], "big"),
        height=int.from_bytes(frame[1:3], "big"),
        channels=frame[5],
        bits=frame[0],
        orientation=(_orientation(exif) if exif else None) or _UPRIGHT,
    )


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """Return the next marker and the offset after it; stray and fill bytes before it are passed over."""
    found = _MARKER.search(data, at)
    if found is None:
        raise ValueError("the JPEG is cut off")
    return data[found.end() - 1], found.end()


def _orientation(tiff: bytes) -> int | None:
    """Return the orientation in the first directory of a TIFF structure; ``None`` if none can be read."""
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return None
    start = int.from_bytes(tiff[4:8], order)
    for number in range(int.from_bytes(tiff[start : start + 2], order)):
        at = start + 2 + number * _ENTRY_BYTES
        entry = tiff[at : at + _ENTRY_BYTES]
        if len(entry) < _ENTRY_BYTES:
            return None
        if int.from_bytes(entry[:2], order) == _ORIENTATION:
            value = int.from_bytes(entry[8:10], order)
            return value if int.from_bytes(entry[2:4], order) == _SHORT and 1 <= value <= 8 else None
    return None


_QUALITY_STEP = 15
_LOWEST_QUALITY = 40
_SHRINK = 0.8
_CHANNELS, _BITS = 3, 8
# Ovals are relative to the field: the middle of an upright frame that is wider than this share of its height.
_BROADEST_FIELD = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureLimits:
    """The limits of an encoded frame.

    Attributes:
        max_field: Width of the upright frame's field, pixels: the frame's width, but at most four fifths of
            its height. So the face in an oval is as large in any frame.
        max_side: Longest side, pixels.
        max_pixels: The most pixels, width times height.
        max_bytes: The largest encoded size, bytes.
        min_side: The least length of the shorter side, pixels.
        max_frames_per_second: Highest rate; 0 for no limit.
        shrunk: How often frames are already scaled down because compressing them was not enough.
    """

    max_field: float = 480.0
    max_side: int = 1280
    max_pixels: int = 1920 * 1080
    max_bytes: int = 512 * 1024
    min_side: int = 1
    max_frames_per_second: float = 0.0
    shrunk: int = 0

    def lowered(self, *, max_side: int, max_bytes: int, max_frames_per_second: float) -> "CaptureLimits":
        """Return these limits, each lowered to that of a CaptureAdjustment if that is lower and not 0."""
        rates = [rate for rate in (self.max_frames_per_second, max_frames_per_second) if rate > 0]
        return replace(
            self,
            max_side=min(self.max_side, max_side) if max_side else self.max_side,
            max_bytes=min(self.max_bytes, max_bytes) if max_bytes else self.max_bytes,
            max_frames_per_second=min(rates, default=0.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedImage:
    """A JPEG: its bytes, its size in pixels, and ``CaptureLimits.shrunk`` for the frames after it."""

    jpeg: bytes
    width: int
    height: int
    shrunk: int = 0


def encode_image(
    image: Pixels | bytes, *, limits: CaptureLimits, quality: int = 85, rotation: QuarterTurn = 0
) -> EncodedImage | None:
    """Encode an image as a baseline JPEG of three 8-bit channels.

    A JPEG within the limits is returned unchanged, so that the evidence contains the camera's own bytes. An
    image that is too large is scaled down, then compressed more, then scaled down further. Pixels, and JPEGs
    that are not sent unchanged, need the extra ``video``.

    Args:
        image: Pixels in BGR, or JPEG bytes.
        limits: The limits of the frame; ``max_frames_per_second`` is ignored.
        quality: JPEG quality to begin with, 1 to 100.
        rotation: The rotation that makes the image upright, which is not applied.

    Returns:
        The frame; ``None`` if no quality makes it small enough without a side below ``min_side``.

    Raises:
        SourceError: The image cannot be decoded or encoded, or the extra that it needs is not installed.
    """
    if isinstance(image, bytes):
        as_is = _passed_through(image, limits, rotation)
        if as_is is not None:
            return as_is
    with needed_by("video"):
        from facegate_client import pixel_codec
    pixels = pixel_codec.decode(image) if isinstance(image, bytes) else image
    height, width = pixels.shape[:2]
    within = min(1.0, _scale_within(limits, width, height, rotation))
    for shrunk in itertools.count(limits.shrunk):
        scale = within * _SHRINK**shrunk
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        if scale < 1.0 and min(size) < min(limits.min_side, width, height):
            return None
        scaled = pixels if size == (width, height) else pixel_codec.resize(pixels, size)
        for attempt_quality in _qualities(quality):
            jpeg = pixel_codec.encode_jpeg(scaled, attempt_quality)
            if len(jpeg) <= limits.max_bytes:
                return EncodedImage(jpeg=jpeg, width=size[0], height=size[1], shrunk=shrunk)
        if min(size) == 1:
            break
    return None


def _scale_within(limits: CaptureLimits, width: int, height: int, rotation: QuarterTurn) -> float:
    """Return the largest scale at which an image is within the limits on field, sides and pixels."""
    wide, tall = (height, width) if rotation in (90, 270) else (width, height)
    return min(
        limits.max_field / min(wide, _BROADEST_FIELD * tall),
        limits.max_side / max(wide, tall),
        math.sqrt(limits.max_pixels / (wide * tall)),
    )


def _qualities(first: int) -> list[int]:
    return [first, *range(first - _QUALITY_STEP, _LOWEST_QUALITY - 1, -_QUALITY_STEP)]


def _passed_through(jpeg: bytes, limits: CaptureLimits, rotation: QuarterTurn) -> EncodedImage | None:
    try:
        header = read_jpeg_header(jpeg)
    except ValueError as error:
        raise SourceError("an image from the source is not a readable JPEG") from error
    fits = (
        header.width * header.height > 0
        and not limits.shrunk
        and _scale_within(limits, header.width, header.height, rotation) >= 1.0
        and len(jpeg) <= limits.max_bytes
    )
    plain = (header.channels, header.bits, header.orientation) == (_CHANNELS, _BITS, _UPRIGHT)
    return EncodedImage(jpeg=jpeg, width=header.width, height=header.height) if fits and plain else None
