"""The server's side of decoding a video: makes the job for a worker and verifies its answers."""

from collections.abc import Mapping
from typing import Final, NoReturn

import cv2
import numpy as np

from vision.errors import VideoError, VideoFault
from vision.face import BgrImage
from vision.isolation.process import LossCause, WorkerLost, WorkerProcess
from vision.isolation.protocol import Message, MessageKind, Unable
from vision.isolation.video import TakeFrame, VideoContainer, VideoLimits, VideoOutline

__all__ = ["ask_video", "video_job"]

_MICRO: Final = 1_000_000
_CHANNELS: Final = 3
_DEMUXERS: Final[Mapping[VideoContainer, int]] = {
    VideoContainer.MP4: 0,
    VideoContainer.MOV: 0,
    VideoContainer.AVI: 1,
    VideoContainer.WEBM: 2,
    VideoContainer.MKV: 2,
}
"""Indices into ``vision.isolation.video_decoder.DEMUXERS``, which this process does not load."""
_TURNS: Final[Mapping[int, int]] = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def video_job(data: bytes, container: VideoContainer, limits: VideoLimits) -> Message:
    """Returns the job of a video."""
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
    take: TakeFrame,
) -> VideoOutline:
    """Has a worker decode a video.

    Args:
        worker: The worker.
        job: The video's job.
        container: Its container.
        limits: The limits of the answer; every frame is tested against them before memory is allocated.
        deadline: On the monotonic clock.
        take: Called with each frame before the next is read, so that only one is in memory. It must not
            raise a ``VisionError``, because the rest of the worker's answer would stay unread.

    Raises:
        VideoError: The video cannot be used; some frames may have been passed on already.
        WorkerLost: There is no answer, or it exceeds the limits.
    """
    worker.send_job(job, deadline=deadline)
    frames, last, pixels = 0, -1, 0
    size: tuple[int, ...] | None = None
    while True:
        kind, numbers, length = worker.receive_answer(deadline=deadline)
        if kind is not MessageKind.FRAME:
            break
        width, height, degrees, time, *_ = numbers
        pixels += max(0, width) * max(0, height)
        _check(1 <= width <= limits.max_pixels and 1 <= height <= limits.max_pixels)
        _check(width * height <= limits.max_pixels and pixels <= limits.max_total_pixels)
        _check(length == _CHANNELS * width * height and frames < limits.max_frames)
        _check(degrees in {0, *_TURNS} and last < time <= _MICRO * limits.max_seconds)
        rows = np.empty((height, width, _CHANNELS), np.uint8)
        worker.read_into(rows, deadline=deadline)
        frames, last = frames + 1, time
        upright = _upright(rows, degrees)
        size = upright.shape if size is None else size
        _check(upright.shape == size)
        take(upright, time / _MICRO)
    _check(not length)
    worker.expect_silence()
    if kind is MessageKind.UNABLE:
        _refuse(numbers[0], numbers[1], container, limits)
    decoded, other_size, others, broken, whole, packets = numbers
    _check(kind is MessageKind.END and frames > 0 and 0 <= packets <= _most_packets(limits))
    _check(decoded >= frames and other_size >= 0 and others >= 0 and last <= whole)
    return VideoOutline(
        container=container,
        seconds=whole / _MICRO,
        decoded=decoded,
        other_size=other_size,
        other_streams=others,
        complete=not broken,
    )


def _check(holds: bool) -> None:
    if not holds:
        raise WorkerLost(LossCause.BROKEN_ANSWER)


def _most_packets(limits: VideoLimits) -> int:
    return int(limits.max_seconds * limits.max_frames_per_second) + 1


def _upright(rows: BgrImage, degrees: int) -> BgrImage:
    return rows if degrees == 0 else cv2.rotate(rows, _TURNS[degrees]).astype(np.uint8, copy=False)


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
