"""The common part of recorded sources: images with timestamps, read in a worker thread."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Self

from facegate_client.errors import SourceError
from facegate_client.frame_source import CameraDescription, CaptureClock, CapturedImage, Pace, Pixels


class Recording:
    """A frame source over an iterator of images with timestamps."""

    def __init__(
        self,
        images: Iterator[tuple[Pixels | bytes, int]],
        *,
        camera: CameraDescription,
        pace: Pace,
        skip_late: bool,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Wraps the iterator.

        Args:
            images: Pairs of an image and its timestamp in microseconds, strictly rising. Its
                ``next`` runs in a worker thread, one call at a time.
            pace: ``realtime`` or ``fast``.
            skip_late: Whether late images are skipped; see `CaptureClock`.
            close: Releases the iterator's resources.
        """
        self._images = images
        self._camera = camera
        self._pace = pace
        self._clock = CaptureClock(pace, skip_late=skip_late)
        self._close = close
        self._closed = False
        self._reading: asyncio.Task[tuple[Pixels | bytes, int] | None] | None = None

    @property
    def camera(self) -> CameraDescription:
        """The source's description of its camera."""
        return self._camera

    @property
    def pace(self) -> Pace:
        """Whether images come in real time or on request."""
        return self._pace

    def begin_attempt(self) -> None:
        """Continues the recording from its present position."""
        self._clock.restart()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """Returns the next image that is not too late.

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
            capture_time_us = await self._clock.wait_until_due(media_time_us)
            if capture_time_us is not None:
                return CapturedImage(image=image, capture_time_us=capture_time_us, lost_before=lost)
            lost += 1

    async def aclose(self) -> None:
        """Releases the recording's resources. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self._reading is not None:
            # The file must not be closed while the worker thread reads it.
            await asyncio.gather(self._reading, return_exceptions=True)
        self._close()

    async def _read(self) -> tuple[Pixels | bytes, int] | None:
        """Returns the next image. If the wait is cancelled, the next call returns the same image."""
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
