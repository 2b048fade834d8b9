"""Isolated decoders for the tests of this package, started once and ended with the process."""

import atexit
import functools
from dataclasses import dataclass, fields

from vision.face import BgrImage
from vision.isolation.pool import DecoderPool
from vision.isolation.video import TakeFrame, VideoLimits, VideoOutline
from vision.isolation.workers import DecoderLimits


@functools.cache
def decoders() -> DecoderPool:
    """Workers for images and for videos."""
    # A busy machine takes its time.
    limits = DecoderLimits(wall_seconds=100.0, wait_seconds=100.0, start_seconds=100.0)
    pool = DecoderPool(still_workers=1, video_workers=1, limits=limits)
    pool.start()
    atexit.register(pool.close)
    return pool


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFrames(VideoOutline):
    """What was given out of a video."""

    frames: tuple[BgrImage, ...]
    timestamps: tuple[float, ...]


def decode_video(pool: DecoderPool, data: bytes, *, limits: VideoLimits) -> VideoFrames:
    """Decode a video, and keep its frames."""
    given: list[tuple[BgrImage, float]] = []

    def begin() -> TakeFrame:
        given.clear()
        return lambda pixels, time: given.append((pixels, time))

    outline = pool.stream_video(data, limits=limits, begin=begin)
    return VideoFrames(
        **{each.name: getattr(outline, each.name) for each in fields(outline)},
        frames=tuple(pixels for pixels, _ in given),
        timestamps=tuple(time for _, time in given),
    )
