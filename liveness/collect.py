"""Collects the frames of one attempt, measures the motion between them, and follows the face by that."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from liveness.errors import ObservationError
from liveness.eye_appearance import EyeRatios
from liveness.observation import (
    FrameObservation,
    FrameView,
    GreyView,
    MotionSegment,
    RegionChange,
    ScanObservations,
    SkippedFrame,
)
from liveness.plane import FloatPoints, apply_plane_motion, carry_face
from liveness.tracking import TrackingStart, follow, plane_motion, region_change, start_tracking
from vision.face import DetectedFace

_SEGMENT_SECONDS = 1.2
"""The longest segment, seconds: long enough for a head to turn a few degrees, short enough to keep its
points."""

_SHORTEST_SEGMENT_SECONDS = 0.75
"""The age from which a segment ends with the next detection, seconds. The next one needs a detected face."""

_MINIMUM_KEPT = 0.5
"""The share of the face's points below which a segment ends early."""

_MOST_LOST_AT_ONCE = 0.1
"""The share of the face's points that one view may lose. If it loses more, they are searched farther away."""

_RESTLESS_SECONDS = 1.0
"""The time after a tear in the tracking for which the face counts as restless, seconds."""

FOLLOW_SECONDS = 0.3
"""The longest time between detections, seconds. It limits how long a second face can remain undetected."""

_LARGEST_STRAY = 0.01
"""The forward-backward error, face widths, above which the points slide on the face; 0.001 on live clips."""


@dataclass(frozen=True, slots=True)
class FollowedFace:
    """A face that was followed to a frame.

    Attributes:
        face: The face in this frame; its confidence is that of the last detection.
        detected: The frame of the last detection.
    """

    face: DetectedFace
    detected: FrameObservation


class ScanCollector:
    """Takes the observations of one attempt in order and keeps the data that the judge needs.

    Memory is bounded by the number of frames: about 6 KB a frame, and one view. Not safe to call from several
    threads at once. Each attempt has its own collector.
    """

    def __init__(self, *, follow_seconds: float = FOLLOW_SECONDS) -> None:
        """Starts empty.

        Args:
            follow_seconds: The longest time for which a face is followed before the next detection.
        """
        self._follow_seconds = follow_seconds
        self._frames: list[FrameObservation] = []
        self._passed: list[SkippedFrame] = []
        self._segments: list[MotionSegment] = []
        self._running: _RunningSegment | None = None
        self._detected: _Detection | None = None
        self._torn: float | None = None

    def detection_is_due(self, capture_time: float) -> bool:
        """Returns whether a frame of this time needs detection, whatever it shows.

        Args:
            capture_time: The capture time of the frame, seconds on the device's clock.
        """
        return (
            self._detected is None
            or self._running is None
            or capture_time - self._detected.frame.capture_time >= self._follow_seconds
            or capture_time - self._running.began >= _SEGMENT_SECONDS
        )

    @property
    def restless(self) -> bool:
        """Whether the face's points were lost within the last second, as happens when it moves fast."""
        if self._torn is None or not self._frames:
            return False
        return self._frames[-1].capture_time - self._torn < _RESTLESS_SECONDS

    def follow(self, seen: FrameView, capture_time: float) -> FollowedFace | None:
        """Returns the face in the next frame; ``None`` if the frame needs detection.

        A frame needs detection if the last detection is ``follow_seconds`` old or did not find exactly one
        face, or if the tracking is unsure: points were lost or slide, or the face grew or shrank a lot. The
        last frame of a segment needs it too, because the next segment starts with a detected face.

        Args:
            seen: The next frame. The next call of ``add`` must pass the observation of the same frame.
            capture_time: The capture time of the frame, seconds on the device's clock.
        """
        detected, running = self._detected, self._running
        if (
            detected is None
            or running is None
            # Frames of different sizes may have views of the same size, but positions are in frame pixels.
            or (detected.frame.width, detected.frame.height, detected.frame.view_scale)
            != (seen.width, seen.height, seen.scale)
            or self.detection_is_due(capture_time)
        ):
            return None
        sight = running.follow_ahead(seen.view)
        if (
            sight.motion is None
            or sight.face_share < _MINIMUM_KEPT
            or sight.error > _LARGEST_STRAY * running.start.face_width
            or detected.frame.face is None
        ):
            return None
        since_detection = sight.motion @ np.linalg.inv(detected.motion)
        face = carry_face(detected.frame.face, since_detection, seen.scale)
        return None if face is None else FollowedFace(face=face, detected=detected.frame)

    def add(self, observation: FrameObservation) -> FrameObservation:
        """Adds the next frame, follows the points to it, and returns its observation without the view.

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
        if not observation.followed:
            self._keep_detection(kept)
        return kept

    def correct_eyes(self, eyes: Mapping[float, EyeRatios]) -> None:
        """Replaces the eyes of earlier frames.

        Args:
            eyes: Their aspect ratios by capture time, seconds.
        """
        if eyes:
            self._frames = [
                replace(frame, eyes=eyes.get(frame.capture_time, frame.eyes)) for frame in self._frames
            ]

    def skip(self, passed: SkippedFrame) -> None:
        """Adds the next frame, which is not measured."""
        self._passed.append(passed)

    def observations(self) -> ScanObservations:
        """Returns the scan so far. The call is cheap and allowed at any time."""
        segments = list(self._segments)
        if self._running is not None and self._running.length > 1:
            segments.append(self._running.segment())
        return ScanObservations(
            frames=tuple(self._frames), motion=tuple(segments), passed=tuple(self._passed)
        )

    def _track(self, observation: FrameObservation, view: GreyView) -> None:
        resized = bool(self._frames) and _size(self._frames[-1]) != _size(observation)
        if resized and self._running is not None and self._running.start.view.shape != view.shape:
            self._close()
        if observation.faces > 1:
            # The subject may be another person's, and its motion must not count for the first person.
            self._close()
            return
        if (running := self._running) is not None:
            running.add(observation, view)
            if running.kept_share < _MINIMUM_KEPT:
                self._torn = observation.capture_time
            # If only the frames' resolution changed, the points are followed to the first of the new ones.
            ripe = not observation.followed and (resized or running.seconds >= _SHORTEST_SEGMENT_SECONDS)
            if running.kept_share < _MINIMUM_KEPT or ripe or running.seconds >= _SEGMENT_SECONDS:
                self._close()
        if self._running is None and observation.face is not None:
            start = start_tracking(view, observation.face, observation.view_scale)
            if start is not None:
                self._running = _RunningSegment(start, observation)

    def _keep_detection(self, kept: FrameObservation) -> None:
        motion = None if self._running is None else self._running.motion
        alone = kept.face is not None and kept.faces == 1
        self._detected = _Detection(kept, motion) if alone and motion is not None else None

    def _close(self) -> None:
        if self._running is not None and self._running.length > 1:
            self._segments.append(self._running.segment())
        self._running = None


def _size(frame: FrameObservation) -> tuple[int, int, float]:
    return frame.width, frame.height, frame.view_scale


@dataclass(frozen=True, slots=True, eq=False)
class _Detection:
    """A frame in which the detector found one face.

    Attributes:
        frame: The frame.
        motion: The motion of the face's plane since the start of the tracked segment.
    """

    frame: FrameObservation
    motion: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Sight:
    """The result of tracking the points into one view."""

    view: GreyView
    found: FloatPoints
    seen: NDArray[np.bool_]
    face_share: float
    error: float
    motion: NDArray[np.float64] | None


@dataclass(slots=True)
class _Step:
    frame: int
    time: float
    positions: FloatPoints
    left_over: FloatPoints
    error: float
    change: RegionChange | None


class _RunningSegment:
    """A segment that is not complete yet."""

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
        self._ahead: _Sight | None = None
        self.kept_share = 1.0
        self.motion: NDArray[np.float64] | None = np.eye(3)

    @property
    def length(self) -> int:
        return len(self._steps)

    @property
    def began(self) -> float:
        return self._steps[0].time

    @property
    def seconds(self) -> float:
        return self._steps[-1].time - self.began

    def follow_ahead(self, view: GreyView) -> _Sight:
        """Follows the points into the next view; further calls with the same view return the same result."""
        if self._ahead is None or self._ahead.view is not view:
            self._ahead = self._sight(view, far=False)
            if self._ahead.face_share < self.kept_share - _MOST_LOST_AT_ONCE:
                self._ahead = self._sight(view, far=True)
        return self._ahead

    def _sight(self, view: GreyView, *, far: bool) -> _Sight:
        found, error = follow(self.start, view, self._guess, far=far)
        seen = np.isfinite(found[:, 0])
        of_face = seen & self.start.on_face
        return _Sight(
            view=view,
            found=found,
            seen=seen,
            face_share=float(of_face.sum() / self.start.on_face.sum()),
            error=float(np.median(error[of_face])) if of_face.any() else np.nan,
            motion=plane_motion(self.start, found),
        )

    def add(self, observation: FrameObservation, view: GreyView) -> None:
        sight = self.follow_ahead(view)
        self._ahead = None
        self._guess = np.where(sight.seen[:, None], sight.found, self._guess)
        self.kept_share = sight.face_share
        self.motion = sight.motion
        change = None if sight.motion is None else region_change(self.start, view, sight.motion)
        left_over = np.full_like(sight.found, np.nan)
        if sight.motion is not None:
            seen = sight.seen
            left_over[seen] = sight.found[seen] - apply_plane_motion(sight.motion, self.start.points[seen])
        self._steps.append(
            _Step(observation.index, observation.capture_time, sight.found, left_over, sight.error, change)
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
