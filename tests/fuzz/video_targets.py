"""Videos, through the isolated decoder: any effect of a file on its worker gives a typed answer."""

import functools
import io
from fractions import Fraction
from typing import Any

import av
import numpy as np

from tests.hostile.decoding import video_decoders
from tests.vision import decoders
from vision.errors import VideoError
from vision.isolation.video import VideoLimits

_LIMITS = VideoLimits(
    max_bytes=100_000, max_frames=4, max_pixels=500_000, max_total_pixels=2_000_000, max_seconds=5.0
)
_SIDE = 64
_FRAMES = 8


def _video(container: str, codec: str, pixels: str) -> bytes:
    stored = io.BytesIO()
    with av.open(stored, mode="w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = _SIDE, _SIDE, pixels
        for number in range(_FRAMES):
            picture = np.full((_SIDE, _SIDE, 3), number * 30, np.uint8)
            picture[:, : number * 8] = (200, 90, 10)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return stored.getvalue()


@functools.cache
def video_seeds() -> tuple[bytes, ...]:
    """A short video in every container."""
    return (
        _video("mp4", "mpeg4", "yuv420p"),
        _video("mp4", "libx264", "yuv420p"),
        _video("mov", "mjpeg", "yuvj420p"),
        _video("avi", "mpeg4", "yuv420p"),
        _video("matroska", "mpeg4", "yuv420p"),
        _video("webm", "libvpx", "yuv420p"),
    )


def decode_video(data: bytes) -> None:
    """Any bytes give frames within the limits or a VideoError."""
    try:
        video = decoders.decode_video(video_decoders(), data, limits=_LIMITS)
    except VideoError:
        return
    assert 1 <= len(video.frames) <= _LIMITS.max_frames
    assert len(video.timestamps) == len(video.frames)
    assert list(video.timestamps) == sorted(video.timestamps)
    assert all(frame.dtype == np.uint8 and frame.ndim == 3 for frame in video.frames)
    assert all(frame.shape[0] * frame.shape[1] <= _LIMITS.max_pixels for frame in video.frames)
