"""Isolated decoders for WebP and video. Each starts with the first file that needs it."""

from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from formats.image_format import ImageHeader
from vision.face import BgrImage
from vision.isolation.pool import DecoderPool
from vision.isolation.video import TakeFrame, VideoLimits, VideoOutline
from vision.isolation.workers import DecoderLimits

__all__ = ["DecodersOnDemand"]

_WALL_SECONDS: Final = 300.0
"""The time limit of a job includes the models' work on the frames, which has no limit here."""

_CPU_SECONDS: Final = 60


class DecodersOnDemand:
    """Decodes images and videos in isolated processes, one at a time."""

    def __init__(self, *, on_frame: Callable[[float], None]) -> None:
        """Starts no process.

        Args:
            on_frame: Receives the time of each frame of a video, in seconds, before the frame is analysed.
        """
        self._on_frame = on_frame
        self._stills: DecoderPool | None = None
        self._videos: DecoderPool | None = None

    def decode_still(self, data: bytes, *, header: ImageHeader) -> NDArray[np.uint8]:
        """See ``vision.image.StillDecoder``."""
        if self._stills is None:
            self._stills = _started(DecoderPool())
        return self._stills.decode_still(data, header=header)

    def stream_video(
        self, data: bytes, *, limits: VideoLimits, begin: Callable[[], TakeFrame]
    ) -> VideoOutline:
        """See ``server.analysis.video.VideoDecoder``."""
        if self._videos is None:
            own = DecoderLimits(wall_seconds=_WALL_SECONDS, cpu_seconds=_CPU_SECONDS)
            self._videos = _started(DecoderPool(still_workers=0, video_workers=1, limits=own))

        def reporting() -> TakeFrame:
            take = begin()

            def taken(pixels: BgrImage, time: float) -> None:
                self._on_frame(time)
                take(pixels, time)

            return taken

        return self._videos.stream_video(data, limits=limits, begin=reporting)

    def __enter__(self) -> Self:
        """Starts no process."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the processes."""
        for pool in (self._stills, self._videos):
            if pool is not None:
                pool.close()


def _started(pool: DecoderPool) -> DecoderPool:
    pool.start()
    return pool
