"""A source of frames with the behaviour of a test device."""

from dataclasses import replace
from typing import Final, Self

from facegate_client import CameraDescription, CapturedImage, Exposure, FrameSource, Pace
from simulator.devices import StreamHabit

__all__ = ["PlayedSource"]

_USUAL_RATE: Final = 15.0
_CONSTANT: Final = Exposure(exposure_time_ns=20_000_000, iso=200)


class PlayedSource:
    """Implements ``facegate_client.FrameSource``: changes the frames of another source as the device does."""

    def __init__(self, source: FrameSource, habit: StreamHabit) -> None:
        """Takes ownership of the source.

        Args:
            source: The camera of the device, or the one that it replaces.
            habit: The device's changes to frames.
        """
        self._source = source
        self._habit = habit
        self._step_us = round(1e6 / (source.camera.frames_per_second or _USUAL_RATE))
        self._kept: list[CapturedImage] = []
        self._shown = 0
        self._first_us: int | None = None
        self._place = -1

    @property
    def camera(self) -> CameraDescription:
        """The description of the camera."""
        camera = self._source.camera
        return replace(camera, reports_exposure=camera.reports_exposure or self._habit.constant_exposure)

    @property
    def pace(self) -> Pace:
        """The pace of the source."""
        return self._source.pace

    def begin_attempt(self) -> None:
        """Starts an attempt of the source."""
        self._source.begin_attempt()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """Returns the next frame, changed as the device does.

        Raises:
            StopAsyncIteration: The source has no more frames.
            SourceError: The source failed.
        """
        frame = await anext(self._source)
        shown = self._looped(frame)
        return replace(
            shown,
            capture_time_us=self._timed(frame.capture_time_us),
            lost_before=frame.lost_before,
            exposure=_CONSTANT if self._habit.constant_exposure else frame.exposure,
        )

    async def aclose(self) -> None:
        """Closes the source. May be called twice."""
        await self._source.aclose()

    def _looped(self, frame: CapturedImage) -> CapturedImage:
        if not self._habit.loop_frames:
            return frame
        if len(self._kept) < self._habit.loop_frames:
            self._kept.append(frame)
        self._shown += 1
        return self._kept[(self._shown - 1) % len(self._kept)]

    def _timed(self, time_us: int) -> int:
        """Returns the nearest free time on the grid; strictly rising."""
        if not self._habit.even_timing:
            return time_us
        if self._first_us is None:
            self._first_us = time_us
        self._place = max(self._place + 1, round((time_us - self._first_us) / self._step_us))
        return self._first_us + self._place * self._step_us
