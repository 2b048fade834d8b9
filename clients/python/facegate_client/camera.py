"""A camera of this computer as a frame source."""

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Self, cast

from facegate_client.errors import SourceError
from facegate_client.frame_source import CameraDescription, CapturedImage, Pace, Pixels, needed_by

if TYPE_CHECKING:
    import cv2

_JOIN_SECONDS = 2.0


def open_camera(index: int = 0, *, width: int = 960, height: int = 720) -> "CameraSource":
    """Open a camera. Call it in a running event loop; it needs the extra ``camera``.

    A movement in frames that are wider than 4:5 needs 600 pixels of height.

    Args:
        index: The camera's number, from 0.
        width: Requested width, pixels.
        height: Requested height, pixels.

    Raises:
        SourceError: The camera does not exist or is in use, or the extra is not installed.
    """
    with needed_by("camera"):
        import cv2
    try:
        capture = cv2.VideoCapture(index)
        opened = capture.isOpened()
    except cv2.error as error:
        raise SourceError(f"camera {index} cannot be opened") from error
    if not opened:
        raise SourceError(f"camera {index} does not exist or is in use")
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    return CameraSource(capture, index)


class CameraSource:
    """A frame source over an open camera: a thread reads every image, and the newest one is kept.

    The capture time is the time at which the driver delivers the image, a few milliseconds after the
    exposure. OpenCV has no better clock on every platform.
    """

    pace: Pace = "realtime"

    def __init__(self, capture: "cv2.VideoCapture", index: int) -> None:
        """Start to capture.

        Args:
            capture: An open capture, which the source releases.
            index: The camera's number, for its description.
        """
        import cv2

        self._capture = capture
        self.camera = CameraDescription(
            label=f"camera {index}",
            width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            frames_per_second=max(capture.get(cv2.CAP_PROP_FPS), 0.0),
        )
        """The camera's description."""
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._newest: tuple[Pixels, int] | None = None
        self._lost = 0
        self._failed = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._capture_images, name="camera", daemon=True)
        self._thread.start()

    def begin_attempt(self) -> None:
        """Drop an image that was captured before the attempt."""
        self._newest = None
        self._lost = 0
        if not self._failed:
            self._arrived.clear()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """Return the newest image that was not returned yet.

        Raises:
            StopAsyncIteration: The source was closed.
            SourceError: The camera delivers no more images.
        """
        while self._newest is None:
            if self._stopping.is_set():
                raise StopAsyncIteration
            if self._failed:
                raise SourceError("the camera delivers no more images")
            await self._arrived.wait()
            if not self._failed:
                self._arrived.clear()
        pixels, capture_time_us = self._newest
        lost, self._lost, self._newest = self._lost, 0, None
        return CapturedImage(image=pixels, capture_time_us=capture_time_us, lost_before=lost)

    async def aclose(self) -> None:
        """Release the camera. Safe to call twice."""
        self._stopping.set()
        self._arrived.set()
        await asyncio.to_thread(self._thread.join, _JOIN_SECONDS)

    def _capture_images(self) -> None:
        import cv2

        try:
            while not self._stopping.is_set():
                taken, pixels = self._capture.read()
                if not taken:
                    break
                captured_us = time.monotonic_ns() // 1000
                self._loop.call_soon_threadsafe(self._put, cast("Pixels", pixels), captured_us)
            self._loop.call_soon_threadsafe(self._fail)
        except (cv2.error, RuntimeError):
            # RuntimeError: the event loop is closed, so no task waits for images.
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._fail)
        finally:
            self._capture.release()

    def _put(self, pixels: Pixels, capture_time_us: int) -> None:
        if self._newest is not None:
            self._lost += 1
        self._newest = (pixels, capture_time_us)
        self._arrived.set()

    def _fail(self) -> None:
        self._failed = True
        self._arrived.set()
