"""The limits and the result of decoding a video; detects its container."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from formats.foreign_format import is_iso_picture
from vision.face import BgrImage

__all__ = ["TakeFrame", "VideoContainer", "VideoFrames", "VideoLimits", "VideoOutline", "detect_container"]

TakeFrame: TypeAlias = Callable[[BgrImage, float], None]
"""Takes a frame and its time. The frame has shape (height, width, 3), BGR, is upright and not mirrored by the
file's own statement, has square pixels, and is SDR. All have one size. The time is seconds from the first
frame of the stream, increasing."""

_MOST_PIXELS: Final = 80_000_000
_MOST_TOGETHER: Final = 1_000_000_000


class VideoContainer(StrEnum):
    """Containers that can be decoded; the values are their media types."""

    MP4 = "video/mp4"
    MOV = "video/quicktime"
    AVI = "video/x-msvideo"
    WEBM = "video/webm"
    MKV = "video/x-matroska"


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoLimits:
    """The limits of a decoded video.

    Attributes:
        max_bytes: The largest size of the file, 1..50 000 000.
        max_frames: The most frames returned; a longer video is sampled evenly in time. 1..1000.
        max_pixels: The most pixels of a frame, width times height, 1..80 000 000.
        max_total_pixels: The most pixels of all returned frames together, at least ``max_pixels`` and at
            most a billion (3 GB); of large frames, fewer are returned.
        max_seconds: The most seconds from the first frame to the last.
        max_frames_per_second: The most frames per second, averaged over ``max_seconds``; it limits how many
            frames are decoded for those that are returned.

    Raises:
        ValueError: A limit is out of its range, which is a mistake in the caller's code.
    """

    max_bytes: int = 50_000_000
    max_frames: int = 32
    max_pixels: int = 2_100_000
    max_total_pixels: int = 70_000_000
    max_seconds: float = 60.0
    max_frames_per_second: float = 120.0

    def __post_init__(self) -> None:
        if not (1 <= self.max_bytes <= 50_000_000 and 1 <= self.max_frames <= 1000):
            raise ValueError("max_bytes must be within 1..50000000 and max_frames within 1..1000")
        if not 1 <= self.max_pixels <= min(_MOST_PIXELS, self.max_total_pixels):
            raise ValueError(f"max_pixels must be within 1..{_MOST_PIXELS} and at most max_total_pixels")
        if self.max_total_pixels > _MOST_TOGETHER:
            raise ValueError(f"max_total_pixels must be at most {_MOST_TOGETHER}")
        if not (0 < self.max_seconds <= 3600 and 0 < self.max_frames_per_second <= 1000):
            raise ValueError(
                "max_seconds must be within 0..3600 and max_frames_per_second within 0..1000, above 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOutline:
    """The properties of a video's best stream, and of the data that were left out.

    Attributes:
        container: The file's container.
        seconds: Seconds from the file's first frame to its last.
        decoded: The number of decoded frames; those that were not passed on were sampled out.
        other_size: The number of frames of another size than the usual one, which the film has for most of
            its time; they were left out.
        other_streams: The number of streams that were not read, such as sound.
        complete: False if the file breaks or ends before its declared end; the frames are those before the
            break.
    """

    container: VideoContainer
    seconds: float
    decoded: int
    other_size: int
    other_streams: int
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFrames:
    """Sampled frames of a video's best stream, and the properties of the data that were left out.

    Attributes:
        container: The file's container.
        frames: As ``TakeFrame`` takes them; at least one.
        timestamps: The time of each frame, seconds from the first frame of the stream, ascending.
        seconds: Seconds from the file's first frame to its last.
        decoded: The number of decoded frames; those that were not returned were sampled out.
        other_size: The number of frames of another size than the usual one, which the film has for most of
            its time; they were left out.
        other_streams: The number of streams that were not read, such as sound.
        complete: False if the file breaks or ends before its declared end; the frames are those before the
            break.
    """

    container: VideoContainer
    frames: tuple[BgrImage, ...]
    timestamps: tuple[float, ...]
    seconds: float
    decoded: int
    other_size: int
    other_streams: int
    complete: bool


_EBML: Final = b"\x1a\x45\xdf\xa3"
_DOCTYPE: Final = b"\x42\x82"
_HEAD: Final = 128
# QuickTime files older than the ftyp box begin with one of these.
_OLD_QUICKTIME: Final = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})


def detect_container(data: bytes) -> VideoContainer | None:
    """Returns the container that the first bytes state; ``None`` if it is none of ``VideoContainer``.

    Sources: ISO/IEC 14496-12, clause 4.3; Apple's QuickTime File Format; Microsoft's AVI RIFF; RFC 8794
    (EBML) and RFC 9559 (Matroska).
    """
    kind = data[4:8]
    if is_iso_picture(data):
        return None
    if kind == b"ftyp":
        return VideoContainer.MOV if data[8:12] == b"qt  " else VideoContainer.MP4
    if kind in _OLD_QUICKTIME:
        return VideoContainer.MOV
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return VideoContainer.AVI
    if data.startswith(_EBML):
        position = data.find(_DOCTYPE, 4, _HEAD)
        # The element's size is one byte with its highest bit set, because the names are short.
        size = int.from_bytes(data[position + 2 : position + 3]) & 0x7F
        name = data[position + 3 : position + 3 + size] if position > 0 else b""
        return {b"webm": VideoContainer.WEBM, b"matroska": VideoContainer.MKV}.get(name.rstrip(b"\0"))
    return None
