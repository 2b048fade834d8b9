"""Collects the frames of one attempt and measures the motion between them as they arrive."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from liveness.errors import ObservationError
from liveness.observation import FrameObservation, GreyView, MotionSegment, RegionChange, ScanObservations
from liveness.plane import FloatPoints, apply_plane_motion
from liveness.tracking import TrackingStart, follow, plane_motion, region_change, start_tracking

_SEGMENT_SECONDS = 0.9
"""Long enough for a blink and for a head to turn a few degrees, short enough for points to last."""

_MINIMUM_KEPT = 0.5
"""Share of the face's points below which a segment ends early."""


class ScanCollector:
    """Takes the observations of one attempt in order and keeps what the judge needs.

    Memory is bounded by the number of frames: about 6 KB a frame, and one view. Not safe to call
    from several threads at once; one collector belongs to one attempt.
    """

    def __init__(self) -> None:
        self._frames: list[FrameObservation] = []
        self._segments: list[MotionSegment] = []
        self._running: _RunningSegment | None = None

    def add(self, observation: FrameObservation) -> FrameObservation:
        """Take the next frame, follow its points, and return it without its view.

        Raises:
            ObservationError: The frame's index or capture time does not increase.
        """
        if self._frames:
            last = self._frames[-1]
            if observation.index <= last.index or observation.capture_time <= last.capture_time:
                raise ObservationError(
                    f"frame {observation.index} at {observation.capture_time:.6f} s follows "
                    f"frame {last.index} at {last.capture_time:.6f} s; index and time must increase"
                )
        if observation.view is not None:
            self._track(observation, observation.view)
        kept = replace(observation, view=None)
        self._frames.append(kept)
        return kept

    def observations(self) -> ScanObservations:
        """The scan so far; cheap, may be asked at any time."""
        segments = list(self._segments)
        if self._running is not None and self._running.length > 1:
            segments.append(self._running.segment())
        return ScanObservations(frames=tuple(self._frames), motion=tuple(segments))

    def _track(self, observation: FrameObservation, view: GreyView) -> None:
        running = self._running
        if running is not None and running.start.view.shape != view.shape:
            self._close()
        if (running := self._running) is not None:
            running.add(observation, view)
            if running.kept_share < _MINIMUM_KEPT or running.seconds >= _SEGMENT_SECONDS:
                self._close()
        if self._running is None and observation.face is not None:
            start = start_tracking(view, observation.face, observation.view_scale)
            if start is not None:
                self._running = _RunningSegment(start, observation)

    def _close(self) -> None:
        if self._running is not None and self._running.length > 1:
            self._segments.append(self._running.segment())
        self._running = None


@dataclass(slots=True)
class _Step:
    frame: int
    time: float
    positions: FloatPoints
    left_over: FloatPoints
    error: float
    change: RegionChange | None


class _RunningSegment:
    """A segment that still takes frames."""

    def __init__(self, start: TrackingStart, observation: FrameObservation) -> None:
        self.start = start
        self._steps = [
            _Step(
                observation.index,
                observation.capture_time,
                start.points,
                np.zeros_like(start.points),
                0.0,
                None,
            )
        ]
        self._guess = start.points.copy()
        self.kept_share = 1.0

    @property
    def length(self) -> int:
        return len(self._steps)

    @property
    def seconds(self) -> float:
        return self._steps[-1].time - self._steps[0].time

    def add(self, observation: FrameObservation, view: GreyView) -> None:
        found, error = follow(self.start, view, self._guess)
        seen = np.isfinite(found[:, 0])
        self._guess = np.where(seen[:, None], found, self._guess)
        on_face = self.start.on_face
        self.kept_share = float((seen & on_face).sum() / on_face.sum())
        median = float(np.median(error[seen & on_face])) if (seen & on_face).any() else np.nan
        motion = plane_motion(self.start, found)
        change = None if motion is None else region_change(self.start, view, motion)
        left_over = np.full_like(found, np.nan)
        if motion is not None:
            left_over[seen] = found[seen] - apply_plane_motion(motion, self.start.points[seen])
        self._steps.append(
            _Step(observation.index, observation.capture_time, found, left_over, median, change)
        )

    def segment(self) -> MotionSegment:
        start = self.start
        positions: NDArray[np.float32] = (
            np.stack([step.positions for step in self._steps]) - start.centre
        ) / np.float32(start.face_width)
        errors = [step.error for step in self._steps[1:] if np.isfinite(step.error)]
        return MotionSegment(
            frames=np.array([step.frame for step in self._steps], np.intp),
            times=np.array([step.time for step in self._steps], np.float64),
            positions=positions,
            left_over=np.stack([step.left_over for step in self._steps]) / np.float32(start.face_width),
            on_face=start.on_face,
            face_width=start.face_width,
            tracking_error=float(np.median(errors)) / start.face_width if errors else 0.0,
            changes=tuple(step.change for step in self._steps[1:]),
        )
