"""The limits and the result of decoding a video; detects its container."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.foreign_format import is_iso_picture
from vision.errors import VideoError, VideoFault
from vision.face import BgrImage
from vision.image import rotate_upright
from vision.isolation.protocol import LightCurve, Message, MessageKind, Unable
from vision.isolation.workers import LossCause, WorkerLost, WorkerProcess

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
        seconds: Seconds from the file's first frame to its last.
        decoded: The number of decoded frames; those that were not passed on were sampled out.
        other_size: The number of frames of another size than the usual one, which the film has for most of
            its time; they were left out.
        complete: False if the file breaks or ends before its declared end; the frames are those before the
            break.
    """

    container: VideoContainer
    seconds: float
    decoded: int
    other_size: int
    complete: bool


_EBML: Final = b"\x1a\x45\xdf\xa3"
_DOCTYPE: Final = b"\x42\x82"
_HEAD: Final = 128
# QuickTime files older than the ftyp box begin with one of these.
_OLD_QUICKTIME: Final = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})


def detect_container(data: bytes) -> VideoContainer | None:
    """Return the container that the first bytes state; ``None`` if it is none of ``VideoContainer``.

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


_MICRO: Final = 1_000_000
_REFERENCE_WHITE: Final = 203.0
"""The light of white paper in HDR, cd/m² (ITU-R BT.2408); it becomes almost white."""
_HLG_PEAK: Final = 1000.0
"""The nominal display of HLG, cd/m² (ITU-R BT.2100), where its system gamma is 1.2."""
_KNEE: Final = 0.8
"""Up to this share of reference white, light stays as it is; brighter light is compressed into the rest."""
_LUMINANCE: Final = np.array([[0.0593, 0.6780, 0.2627]])
_TO_BT709: Final = np.array(
    [[1.1187, -0.1006, -0.0182], [-0.0083, 1.1329, -0.1246], [-0.0728, -0.5876, 1.6605]]
)
"""Linear BT.2020 to linear BT.709 (ITU-R BT.2407), for BGR."""
_STEPS: Final = np.arange(65536) / 65535
_DEMUXERS: Final[Mapping[VideoContainer, int]] = {
    VideoContainer.MP4: 0,
    VideoContainer.MOV: 0,
    VideoContainer.AVI: 1,
    VideoContainer.WEBM: 2,
    VideoContainer.MKV: 2,
}
"""Indices into ``vision.isolation.video_decoder.DEMUXERS``, which this process does not load."""


def video_job(data: bytes, container: VideoContainer, limits: VideoLimits) -> Message:
    """Return the job of a video."""
    numbers = (
        _DEMUXERS[container],
        limits.max_frames,
        limits.max_pixels,
        limits.max_total_pixels,
        int(limits.max_seconds * _MICRO),
        _most_packets(limits),
    )
    return Message(MessageKind.VIDEO, numbers, data)


def ask_video(
    worker: WorkerProcess,
    job: Message,
    *,
    container: VideoContainer,
    limits: VideoLimits,
    deadline: float,
    begin: Callable[[], TakeFrame],
) -> VideoOutline:
    """Have a worker decode a video.

    Args:
        limits: The limits of the answer; every frame is tested against them before memory is allocated.
        deadline: On the monotonic clock.
        begin: Returns what is called with each frame before the next is read, so that only one is in memory.
            It must not raise a ``VisionError``, because the rest of the worker's answer would stay unread. If
            another size than that of the first frame turns out to be the usual one, ``begin`` is called
            again.

    Raises:
        VideoError: The video cannot be used; some frames may have been passed on already.
        WorkerLost: There is no answer, or it exceeds the limits.
    """
    worker.send_job(job, deadline=deadline)
    take, frames, last, pixels = begin(), 0, -1, 0
    size: tuple[int, ...] | None = None
    again = False
    while True:
        kind, numbers, length = worker.receive_answer(deadline=deadline)
        if kind is MessageKind.AGAIN:
            _check(not again and not length)
            take, frames, last, pixels, size, again = begin(), 0, -1, 0, None, True
            continue
        if kind is not MessageKind.FRAME:
            break
        width, height, degrees, mirrored, time, curve = numbers
        pixels += max(0, width) * max(0, height)
        _check(1 <= width <= limits.max_pixels and 1 <= height <= limits.max_pixels)
        _check(width * height <= limits.max_pixels and pixels <= limits.max_total_pixels)
        _check(curve in set(LightCurve) and length == LightCurve(curve).pixel_bytes * width * height)
        _check(degrees in {0, 90, 180, 270} and mirrored in {0, 1} and frames < limits.max_frames)
        _check(last < time <= _MICRO * limits.max_seconds)
        rows = np.empty((height, width, 3), np.uint8 if curve == LightCurve.SDR else np.uint16)
        worker.read_into(rows.view(np.uint8), deadline=deadline)
        frames, last = frames + 1, time
        plain = rows if rows.dtype == np.uint8 else _as_sdr(rows, LightCurve(curve))
        upright = rotate_upright(plain, degrees, bool(mirrored))
        size = upright.shape if size is None else size
        _check(upright.shape == size)
        take(upright, time / _MICRO)
    _check(not length)
    worker.expect_silence()
    if kind is MessageKind.UNABLE:
        _refuse(numbers[0], numbers[1], container, limits)
    decoded, other_size, broken, whole, packets, *_ = numbers
    _check(kind is MessageKind.END and frames > 0 and 0 <= packets <= _most_packets(limits))
    _check(decoded >= frames and other_size >= 0 and last <= whole)
    return VideoOutline(
        container=container,
        seconds=whole / _MICRO,
        decoded=decoded,
        other_size=other_size,
        complete=not broken,
    )


def _check(holds: bool) -> None:
    if not holds:
        raise WorkerLost(LossCause.BROKEN_ANSWER)


def _most_packets(limits: VideoLimits) -> int:
    return int(limits.max_seconds * limits.max_frames_per_second) + 1


def _as_sdr(rows: NDArray[np.uint16], curve: LightCurve) -> BgrImage:
    """Return HDR pixels as a screen without HDR shows them: 8 bits, sRGB."""
    light = cv2.LUT(rows, _to_linear(curve))
    if curve is LightCurve.HLG:
        gain = cv2.LUT(cv2.transform(light, _LUMINANCE), _hlg_gain())
        light = cv2.multiply(light, cv2.merge([gain, gain, gain]), dtype=cv2.CV_16U)
        light = cv2.LUT(light, _hlg_on_screen())
    return cv2.LUT(cv2.transform(light, _TO_BT709), _to_srgb()).astype(np.uint8, copy=False)


@functools.cache
def _to_linear(curve: LightCurve) -> NDArray[np.uint16]:
    """Return a table from values to light: for PQ of an SDR screen, for HLG of the scene."""
    if curve is LightCurve.HLG:
        bright = (np.exp((_STEPS - 0.55991073) / 0.17883277) + 0.28466892) / 12
        return _sixteen_bits(np.where(_STEPS <= 0.5, _STEPS**2 / 3, bright))
    power = _STEPS ** (1 / 78.84375)
    share = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return _compressed(10_000 * share ** (1 / 0.1593017578125))


@functools.cache
def _hlg_gain() -> NDArray[np.float32]:
    return np.asarray(_STEPS**0.2, np.float32)


@functools.cache
def _hlg_on_screen() -> NDArray[np.uint16]:
    return _compressed(_HLG_PEAK * _STEPS)


def _compressed(light: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Return the light of an SDR screen, as 16 bits, for light in cd/m²."""
    share, room = light / _REFERENCE_WHITE, 1 - _KNEE
    above = np.maximum(share - _KNEE, 0)
    return _sixteen_bits(np.minimum(share, _KNEE) + room * above / (above + room))


@functools.cache
def _to_srgb() -> NDArray[np.uint8]:
    curved = np.where(_STEPS <= 0.0031308, 12.92 * _STEPS, 1.055 * _STEPS ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * curved), np.uint8)


def _sixteen_bits(share: NDArray[np.float64]) -> NDArray[np.uint16]:
    return np.asarray(np.rint(65535 * np.clip(share, 0, 1)), np.uint16)


def _refuse(code: int, measured: int, container: VideoContainer, limits: VideoLimits) -> NoReturn:
    name = container.name
    if code == Unable.OUT_OF_MEMORY:
        raise WorkerLost(LossCause.MEMORY_LIMIT)
    if code == Unable.TOO_LONG:
        raise VideoError(
            VideoFault.TOO_LONG,
            f"{name}: the video is longer than {limits.max_seconds:g} seconds, or has more than "
            f"{_most_packets(limits)} frames; send a shorter part of it",
            details={"max_seconds": limits.max_seconds, "max_pictures": _most_packets(limits)},
        )
    if code == Unable.TOO_MANY_PIXELS:
        raise VideoError(
            VideoFault.TOO_MANY_PIXELS,
            f"{name}: a frame has {measured} pixels; at most {limits.max_pixels} are accepted",
            details={"pixels": measured, "max_pixels": limits.max_pixels},
        )
    refusals = {
        Unable.DOES_NOT_DECODE: (VideoFault.MALFORMED, "no frame of the video decodes"),
        Unable.NO_VIDEO_STREAM: (VideoFault.NO_VIDEO_STREAM, "the file contains no video"),
        Unable.CODEC_NOT_SUPPORTED: (
            VideoFault.UNSUPPORTED_FORMAT,
            "its codec is not decoded; send H.264, H.265, VP8, VP9, AV1, MPEG-4 or Motion JPEG",
        ),
    }
    if code not in refusals:
        raise WorkerLost(LossCause.BROKEN_ANSWER)
    fault, what = refusals[Unable(code)]
    raise VideoError(fault, f"{name}: {what}", details={"format": name})
