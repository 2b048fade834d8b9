"""Measures the frames of an attempt in order: which of them, the face and its motion, and the eyes."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from liveness.errors import ObservationError
from liveness.express.signals import measure_depth
from liveness.eye_watch import EyeRatios, EyeWatch
from liveness.observation import (
    FrameObservation,
    FrameView,
    GreyView,
    MotionSegment,
    RegionChange,
    Samples,
    ScanObservations,
    SkippedFrame,
)
from liveness.observe import FINE_SIDE, VIEW_SIDE, ViewSpace, observe_followed, observe_frame, view_frame
from liveness.occlusion import observe_cover
from liveness.tracking import (
    FloatPoints,
    TrackingStart,
    apply_plane_motion,
    carry_face,
    follow,
    plane_motion,
    region_change,
    start_tracking,
)
from vision.face import BgrImage, DetectedFace, HeadPose, Landmarks
from vision.geometry import cut_chip, eye_aspect_ratio, lip_gap
from vision.pose import estimate_pose, turn_about_neck

APART_SECONDS = 0.145
"""The longest usual time between two measured frames, seconds, if frames arrive faster. So 7 to 11 are
measured a second at any frame rate. lab/studies/scan_cost/NOTES.md has the effect on verdicts."""

_RESTLESS_APART_SECONDS = 0.105
"""The same while a face moves so fast that its points are lost, seconds: 10 to 19 are measured a second."""

_USUAL, _SLACK = 0.86, 0.17
"""The usual time between two measured frames, and how much later one may be after others that came sooner;
shares of the longest. So 8 are measured a second of a calm face at 12 frames a second, as at 24 and 16."""

_SOON = 0.4
"""The least time between two measured frames, as a share of the longest."""

_SAMPLED_SECONDS = 1.0
"""The time at the start in which every frame is sampled, seconds. Comparing all frames of a second with the
measured frames of the rest finds a loop of any period. Measured frames alone find only multiples of their
step."""


_GAPS = 3
"""The number of gaps that predict the next one, which is assumed to be as long as the longest of them. Over a
slow link frames arrive in bunches, so the last of a bunch is measured rather than the late one after it."""


class FrameWork(StrEnum):
    """The work that a frame gets."""

    MEASURE = "MEASURE"
    """The frame is measured."""
    SAMPLE = "SAMPLE"
    """The frame is only sampled, for comparison with others."""
    NOTE = "NOTE"
    """The frame is not decoded."""


class FramePace:
    """Decides the work of each frame of one attempt."""

    def __init__(self, *, apart_seconds: float = APART_SECONDS) -> None:
        """Start with the first frame, which is measured.

        Args:
            apart_seconds: The longest time between two measured frames if frames arrive faster, seconds; 0 to
                measure all.
        """
        self._apart = apart_seconds
        self._began: float | None = None
        self._watched = 0.0
        self._last = 0.0
        self._sooner = 0.0
        self._gaps: deque[float] = deque(maxlen=_GAPS)

    def next(self, capture_time: float, *, restless: bool) -> FrameWork:
        """Return the work of the next frame.

        Args:
            capture_time: Its capture time, seconds on the device's clock, increasing.
            restless: Whether the face's points were just lost (``FrameWatcher.restless``).
        """
        apart = min(self._apart, _RESTLESS_APART_SECONDS) if restless else self._apart
        if self._began is None:
            self._began = self._watched = self._last = capture_time
            return FrameWork.MEASURE
        self._gaps.append(capture_time - self._last)
        self._last = capture_time
        until_next = max(self._gaps)
        since_watched = capture_time - self._watched
        latest = apart + min(self._sooner, _SLACK * apart)
        if since_watched >= _SOON * apart and since_watched + until_next > latest:
            self._sooner = max(0.0, self._sooner + _USUAL * apart - since_watched)
            self._watched = capture_time
            return FrameWork.MEASURE
        sampled = capture_time - self._began < _SAMPLED_SECONDS
        return FrameWork.SAMPLE if sampled else FrameWork.NOTE


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
        """Start empty.

        Args:
            follow_seconds: The longest time for which a face is followed before the next detection.
        """
        self._follow_seconds = follow_seconds
        self._frames: list[FrameObservation] = []
        self.passed: list[SkippedFrame] = []
        self._segments: list[MotionSegment] = []
        self._running: _RunningSegment | None = None
        self._detected: _Detection | None = None
        self._torn: float | None = None

    def detection_is_due(self, capture_time: float) -> bool:
        """Return whether a frame of this time needs detection, whatever it shows.

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
        """Return the face in the next frame; ``None`` if the frame needs detection.

        A frame needs detection if the last detection is ``follow_seconds`` old or did not find exactly one
        face, or if the tracking is unsure: points were lost or slide, or the face grew or shrank a lot. The
        last frame of a segment needs it too, because the next segment starts with a detected face.

        Args:
            seen: The next frame. The next call of ``collect_frame`` must pass the same frame's observation.
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

    def collect_frame(self, observation: FrameObservation) -> FrameObservation:
        """Add the next frame, follow the points to it, and return its observation without the view.

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
        """Replace the eyes of earlier frames.

        Args:
            eyes: Their aspect ratios by capture time, seconds.
        """
        if eyes:
            self._frames = [
                replace(frame, eyes=eyes.get(frame.capture_time, frame.eyes)) for frame in self._frames
            ]

    def observations(self) -> ScanObservations:
        """Return the scan so far. The call is cheap and allowed at any time."""
        segments = list(self._segments)
        if self._running is not None and self._running.length > 1:
            segments.append(self._running.segment())
        return ScanObservations(frames=tuple(self._frames), motion=tuple(segments), passed=tuple(self.passed))

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
        """Follow the points into the next view; further calls with the same view return the same result."""
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
        self._steps.append(_Step(observation.index, observation.capture_time, sight.found, left_over, change))

    def segment(self) -> MotionSegment:
        start = self.start
        positions: NDArray[np.float32] = (
            np.stack([step.positions for step in self._steps]) - start.centre
        ) / np.float32(start.face_width)
        return MotionSegment(
            frames=np.array([step.frame for step in self._steps], np.intp),
            times=np.array([step.time for step in self._steps], np.float64),
            positions=positions,
            left_over=np.stack([step.left_over for step in self._steps]) / np.float32(start.face_width),
            on_face=start.on_face,
            face_width=start.face_width,
            changes=tuple(step.change for step in self._steps[1:]),
        )


FindFaces = Callable[[BgrImage], Sequence[DetectedFace]]
"""Detects the persons of a frame, the subject first."""

LocateLandmarks = Callable[[BgrImage, DetectedFace], Landmarks | None]
"""Locates a face's dense landmarks; returns ``None`` if it finds no face."""

_SMALL_FACE = 72.0
"""The face width, view pixels, below which the rest of the scan is followed in a finer view. In the usual
view, the tracking error of a face of 57 pixels looks like depth: 6 of 40 rendered photos seem to move as a
head does. In the finer view, in which it has 95, none does."""


class LazyFrame(Protocol):
    """One upright frame that is decoded only as far as needed."""

    def grey(self) -> GreyView:
        """Return its luma, shape (height, width). Most frames need no more."""

    def colour(self) -> BgrImage:
        """Return its colours, shape (height, width, 3), BGR."""


@dataclass(frozen=True, slots=True, eq=False)
class WatchedFrame:
    """One measured frame.

    Attributes:
        pixels: The pixels if the detector ran on the frame; ``None`` for a frame whose face was followed,
            which is never examined.
        landmarks: The landmarks of its face if they were located in these pixels.
        depth: Log odds of a head's depth, by the motion up to this frame; ``None`` unless requested.
    """

    observation: FrameObservation
    pixels: BgrImage | None
    landmarks: Landmarks | None = None
    depth: float | None = None


@dataclass(frozen=True, slots=True)
class _Posed:
    """Two estimates of one frame's pose: from dense landmarks, and from the five points."""

    dense: HeadPose
    sparse: HeadPose


class FrameWatcher:
    """Measures the frames of one attempt in order. Not safe for several threads at once."""

    def __init__(
        self,
        *,
        find_faces: FindFaces,
        locate_landmarks: LocateLandmarks | None = None,
        follow_seconds: float = FOLLOW_SECONDS,
    ) -> None:
        """Start empty.

        Args:
            locate_landmarks: The landmarker, if the pack has one. Without it, eyes are not measured.
            follow_seconds: The longest time for which a face is followed between detections, seconds.
        """
        self._find_faces = find_faces
        self._locate = locate_landmarks
        self._collector = ScanCollector(follow_seconds=follow_seconds)
        self._eyes = EyeWatch()
        self._expects_blink = False
        self._expects_gesture = False
        self._posed: _Posed | None = None
        self._space = ViewSpace()
        self._side = VIEW_SIDE

    @property
    def observations(self) -> ScanObservations:
        """The measurements of the attempt so far."""
        return self._collector.observations()

    @property
    def restless(self) -> bool:
        """Whether the face moves so fast that more frames should be measured."""
        return self._collector.restless

    @property
    def blinked(self) -> bool:
        """Whether a blink was measured; never without a landmarker."""
        return self._eyes.blinked

    def measure(
        self,
        image: LazyFrame,
        *,
        index: int,
        capture_time: float,
        fingerprint: int | None = None,
        expects_blink: bool = False,
        expects_depth: bool = False,
        expects_gesture: bool = False,
    ) -> WatchedFrame:
        """Measure the next frame.

        Args:
            index: Its index in the attempt, from 0, increasing.
            capture_time: Its capture time, seconds on the device's clock, increasing.
            fingerprint: See ``FrameObservation.fingerprint``.
            expects_blink: Whether the person was asked to blink, so that the eyes are measured more often.
            expects_depth: Whether to compute, from all frames up to this one, the log odds that the motion
                shows a head's depth; this takes some milliseconds.
            expects_gesture: Whether the person is asked for a gesture, or will be soon, so that landmarks
                are located in every frame.

        Raises:
            ObservationError: The frame is not an 8-bit image, or index or time do not increase.
        """
        self._expects_blink, self._expects_gesture = expects_blink, expects_gesture
        # If the detector will run, it is cheaper to make the grey copy from the colours.
        pixels = image.colour() if self._collector.detection_is_due(capture_time) else None
        grey = image.grey() if pixels is None else pixels
        seen = view_frame(grey, self._space, side=self._side)
        followed = None if pixels is not None else self._collector.follow(seen, capture_time)
        located = None
        if followed is not None:
            eyes, landmarks = self._measure(image.colour, seen, followed.face, capture_time, detected=False)
            cover = None
            if landmarks is not None and followed.detected.pose is not None:
                cover = observe_cover(image.colour(), followed.face, landmarks, followed.detected.pose)
            observation = observe_followed(
                seen,
                index=index,
                capture_time=capture_time,
                face=followed.face,
                detected=followed.detected,
                eyes=eyes,
                cover=cover,
                mouth=None if landmarks is None else lip_gap(landmarks),
                yaw=None if landmarks is None else _turn(landmarks, seen),
            )
        else:
            pixels = image.colour() if pixels is None else pixels
            observation, located = self._detect(pixels, seen, index, capture_time)
        chip = None
        if observation.face is not None and (not observation.followed or observation.yaw is not None):
            chip = cut_chip(seen.grey, observation.face)
        kept = self._collector.collect_frame(replace(observation, fingerprint=fingerprint, chip=chip))
        if kept.face is not None and kept.face.box.width * kept.view_scale < _SMALL_FACE:
            self._side = FINE_SIDE
        depth = measure_depth(self.observations) if expects_depth else None
        return WatchedFrame(observation=kept, pixels=pixels, landmarks=located, depth=depth)

    def pass_frame(
        self,
        index: int,
        capture_time: float,
        *,
        fingerprint: int | None = None,
        samples: Samples | None = None,
    ) -> None:
        """Record a frame that is not measured, but sampled or compared by its bytes."""
        self._collector.passed.append(SkippedFrame(index, capture_time, fingerprint, samples))

    def _detect(
        self, pixels: BgrImage, seen: FrameView, index: int, capture_time: float
    ) -> tuple[FrameObservation, Landmarks | None]:
        faces = self._find_faces(pixels)
        landmarks = None
        eyes, pose, cover, mouth, yaw = None, None, None, None, None
        if faces:
            eyes, landmarks = self._measure(lambda: pixels, seen, faces[0], capture_time, detected=True)
            pose = self._pose(faces[0], landmarks, seen)
            if landmarks is not None:
                cover = observe_cover(pixels, faces[0], landmarks, pose)
                mouth, yaw = lip_gap(landmarks), turn_about_neck(pose)
        observation = observe_frame(
            pixels,
            index=index,
            capture_time=capture_time,
            faces=faces,
            pose=pose,
            eyes=eyes,
            cover=cover,
            mouth=mouth,
            yaw=yaw,
            seen=seen,
        )
        return observation, landmarks

    def _measure(
        self,
        colour: Callable[[], BgrImage],
        seen: FrameView,
        face: DetectedFace,
        capture_time: float,
        *,
        detected: bool,
    ) -> tuple[EyeRatios | None, Landmarks | None]:
        if self._locate is None:
            return None, None
        sight = self._eyes.compare(
            seen.grey,
            face,
            capture_time,
            detected=detected,
            expected=self._expects_gesture or (self._expects_blink and not self.blinked),
        )
        if sight.worth_measuring:
            landmarks = self._locate(colour(), face)
            eyes = None if landmarks is None else eye_aspect_ratio(landmarks)
            eyes = self._eyes.add_measured(sight, eyes)
        else:
            landmarks, eyes = None, self._eyes.add_unmeasured(sight)
        self._collector.correct_eyes(self._eyes.corrections())
        return eyes, landmarks

    def _pose(self, face: DetectedFace, landmarks: Landmarks | None, seen: FrameView) -> HeadPose:
        """Estimate the pose from landmarks; else from the five points, corrected by their last error."""
        size = seen.width, seen.height
        sparse = estimate_pose(face.five_points, size)
        if landmarks is not None:
            self._posed = _Posed(dense=estimate_pose(landmarks, size), sparse=sparse)
            return self._posed.dense
        if self._posed is None:
            return sparse
        last = self._posed
        return HeadPose(
            yaw=sparse.yaw + last.dense.yaw - last.sparse.yaw,
            pitch=sparse.pitch + last.dense.pitch - last.sparse.pitch,
            roll=sparse.roll + last.dense.roll - last.sparse.roll,
        )


def _turn(landmarks: Landmarks, seen: FrameView) -> float:
    return turn_about_neck(estimate_pose(landmarks, (seen.width, seen.height)))
