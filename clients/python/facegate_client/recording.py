"""The common part of recorded sources: images with timestamps, read in a worker thread."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Self

from facegate_client.errors import SourceError
from facegate_client.frame_source import CameraDescription, CapturedImage, Pace, Pixels

_LATE_US = 200_000


class Recording:
    """A frame source over an iterator of images with timestamps, which it maps to a monotonic clock.

    In ``realtime`` the recording is anchored to the clock at the first image of each attempt, so that
    it pauses between attempts as a person would. In ``fast`` it is anchored once and never waits.
    """

    def __init__(
        self,
        images: Iterator[tuple[Pixels | bytes, int]],
        *,
        camera: CameraDescription,
        pace: Pace,
        skip_late: bool,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Wrap the iterator.

        Args:
            images: Pairs of an image and its timestamp in microseconds, strictly rising. Its
                ``next`` runs in a worker thread, one call at a time.
            pace: ``realtime`` or ``fast``.
            skip_late: Whether an image that is requested more than 200 ms late in ``realtime`` is skipped, as
                a camera would have lost it. If not, the recording is delayed by that time, for sources that
                are slower than real time.
            close: Releases the iterator's resources.
        """
        self._images = images
        self.camera = camera
        """The source's description of its camera."""
        self.pace = pace
        """Whether images come in real time or on request."""
        self._skip_late = skip_late
        self._offset_us: int | None = None
        self._last_us = 0
        self._close = close
        self._closed = False
        self._reading: asyncio.Task[tuple[Pixels | bytes, int] | None] | None = None

    def begin_attempt(self) -> None:
        """Continue the recording from its present position."""
        if self.pace == "realtime":
            self._offset_us = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """Return the next image that is not too late.

        Raises:
            StopAsyncIteration: The recording has no more images.
            SourceError: The recording cannot be read.
        """
        lost = 0
        while True:
            item = None if self._closed else await self._read()
            if item is None:
                raise StopAsyncIteration
            image, media_time_us = item
            capture_time_us = await self._wait_until_due(media_time_us)
            if capture_time_us is not None:
                return CapturedImage(image=image, capture_time_us=capture_time_us, lost_before=lost)
            lost += 1

    async def aclose(self) -> None:
        """Release the recording's resources. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self._reading is not None:
            # The file must not be closed while the worker thread reads it.
            await asyncio.gather(self._reading, return_exceptions=True)
        self._close()

    async def _wait_until_due(self, media_time_us: int) -> int | None:
        """Wait until an image is due.

        Args:
            media_time_us: Its timestamp in the recording, microseconds, strictly rising.

        Returns:
            Its capture time in microseconds of the monotonic clock, strictly rising; ``None`` if the image is
            late and has to be skipped.
        """
        now = time.monotonic_ns() // 1000
        if self._offset_us is None:
            self._offset_us = max(now, self._last_us + 1) - media_time_us
        capture_time = media_time_us + self._offset_us
        if self.pace == "realtime":
            late = now - capture_time
            if late > _LATE_US:
                if self._skip_late:
                    return None
                self._offset_us += late
                capture_time += late
            elif late < 0:
                await asyncio.sleep(-late / 1_000_000)
        self._last_us = max(capture_time, self._last_us + 1)
        return self._last_us

    async def _read(self) -> tuple[Pixels | bytes, int] | None:
        """Return the next image. If the wait is cancelled, the next call returns the same image."""
        if self._reading is None:
            self._reading = asyncio.create_task(asyncio.to_thread(self._next))
        reading = self._reading
        try:
            return await asyncio.shield(reading)
        finally:
            if reading.done():
                self._reading = None

    def _next(self) -> tuple[Pixels | bytes, int] | None:
        try:
            return next(self._images, None)
        except OSError as error:
            raise SourceError(f"the recording cannot be read: {error.strerror or error}") from error
