"""Takes images from a source so that an attempt can stop waiting without losing an image."""

import asyncio

from facegate_client.errors import SourceError
from facegate_client.frame_source import CapturedImage, FrameSource
from facegate_client.send_gate import StopSignal

__all__ = ["FrameFeed"]


class FrameFeed:
    """Returns one image at a time from a `FrameSource`, over all attempts and streams of a scan."""

    def __init__(self, source: FrameSource) -> None:
        """Wraps the source."""
        self._source = source
        self._pending: asyncio.Task[CapturedImage] | None = None
        self._stale: asyncio.Task[CapturedImage] | None = None
        self._exhausted = False
        self._failure: SourceError | None = None

    @property
    def exhausted(self) -> bool:
        """Whether the source has no more images, or failed."""
        return self._exhausted

    @property
    def failure(self) -> SourceError | None:
        """Why the source failed; ``None`` if it did not fail."""
        return self._failure

    @property
    def realtime(self) -> bool:
        """Whether an image that cannot be sent now is dropped, as with a camera."""
        return self._source.pace == "realtime"

    def begin_attempt(self) -> None:
        """Starts an attempt. In real time, an image that was requested before it is stale and is dropped."""
        self._source.begin_attempt()
        if self.realtime:
            self._stale = self._pending

    async def next(self, stop: StopSignal) -> CapturedImage | None:
        """Returns the next image.

        Args:
            stop: Ends the wait; a later call then returns the image.

        Returns:
            The image; ``None`` if the attempt is to end, or the source is exhausted or failed.
        """
        while not self._exhausted and not stop.is_set:
            task = self._pending or asyncio.ensure_future(self._source.__anext__())
            self._pending = task
            stopped = asyncio.ensure_future(stop.wait())
            try:
                await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
            if not task.done():
                return None
            self._pending = None
            image = self._result(task)
            if task is not self._stale:
                return image
            self._stale = None
        return None

    async def aclose(self) -> None:
        """Closes the source. Safe to call twice."""
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.gather(self._pending, return_exceptions=True)
            self._pending = None
        await self._source.aclose()

    def _result(self, task: asyncio.Task[CapturedImage]) -> CapturedImage | None:
        try:
            return task.result()
        except StopAsyncIteration:
            self._exhausted = True
        except SourceError as error:
            self._exhausted = True
            self._failure = error
        return None
