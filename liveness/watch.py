"""The cheap work on the frames of an attempt, in order: a look or a step after the face, and the eyes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from liveness.collect import FOLLOW_SECONDS, ScanCollector
from liveness.express.depth import measure_depth
from liveness.eye_watch import EyeRatios, EyeWatch
from liveness.observation import FrameObservation, FrameView, GreyView, ScanObservations, SkippedFrame
from liveness.observe import ViewSpace, observe_followed, observe_frame, view_frame
from vision.face import BgrImage, DetectedFace, HeadPose, Landmarks
from vision.geometry import eye_aspect_ratio
from vision.pose import estimate_pose

FindFaces = Callable[[BgrImage], Sequence[DetectedFace]]
"""Finds the faces of a frame, largest first."""

LocateLandmarks = Callable[[BgrImage, DetectedFace], Landmarks | None]
"""Finds a face's dense landmarks; ``None`` where it sees no face."""


class LazyFrame(Protocol):
    """One upright frame that is decoded only as far as it is needed."""

    def grey(self) -> GreyView:
        """Its luma, shape (height, width): most frames need no more."""

    def colour(self) -> BgrImage:
        """The whole picture, shape (height, width, 3)."""


@dataclass(frozen=True, slots=True, eq=False)
class WatchedFrame:
    """One frame after the cheap work.

    Attributes:
        observation: What was measured.
        pixels: The picture where a detector looked at it; ``None`` for a followed frame, which no
            expensive model is shown.
        depth: Log odds of a head's depth by the motion up to it; ``None`` where they were not asked for.
    """

    observation: FrameObservation
    pixels: BgrImage | None
    depth: float | None = None


@dataclass(frozen=True, slots=True)
class _Posed:
    """Two readings of one frame's pose: of dense landmarks, and of the five points."""

    dense: HeadPose
    sparse: HeadPose


class FrameWatcher:
    """Watches one attempt. Takes frames in order; not for several threads at once."""

    def __init__(
        self,
        *,
        find_faces: FindFaces,
        locate_landmarks: LocateLandmarks | None = None,
        follow_seconds: float = FOLLOW_SECONDS,
    ) -> None:
        """Starts empty.

        Args:
            find_faces: The detector.
            locate_landmarks: The landmarker, where the pack has one; eyes are not seen without.
            follow_seconds: Longest time for which a face is followed before the detector looks again.
        """
        self._find_faces = find_faces
        self._locate = locate_landmarks
        self._collector = ScanCollector(follow_seconds=follow_seconds)
        self._eyes = EyeWatch()
        self._expects_blink = False
        self._posed: _Posed | None = None
        self._space = ViewSpace()

    @property
    def observations(self) -> ScanObservations:
        """The attempt so far."""
        return self._collector.observations()

    @property
    def restless(self) -> bool:
        """Whether the face moves so fast that every frame should be watched."""
        return self._collector.restless

    @property
    def blinked(self) -> bool:
        """Whether a blink was seen; never without a landmarker."""
        return self._eyes.blinked

    def watch(
        self,
        picture: LazyFrame,
        *,
        index: int,
        capture_time: float,
        fingerprint: int | None = None,
        expects_blink: bool = False,
        expects_depth: bool = False,
    ) -> WatchedFrame:
        """Works the next frame in.

        Args:
            picture: The frame.
            index: Its index in the attempt, from 0, increasing.
            capture_time: When the device captured it, seconds on the device's clock, increasing.
            fingerprint: See ``FrameObservation.fingerprint``.
            expects_blink: Whether the person was asked for a blink, which must not be missed.
            expects_depth: Whether to measure, by all frames up to this one, how surely motion shows a head's
                depth; it takes some milliseconds.

        Raises:
            ObservationError: The picture is no 8-bit image, or index or time do not increase.
        """
        self._expects_blink = expects_blink
        # Where it is known that the detector will look, the grey copy is cheaper made from the colours.
        pixels = picture.colour() if self._collector.look_is_due(capture_time) else None
        seen = view_frame(picture.grey() if pixels is None else pixels, self._space)
        followed = None if pixels is not None else self._collector.follow(seen, capture_time)
        if followed is not None:
            eyes, _ = self._measure(picture.colour, seen, followed.face, capture_time, looked=False)
            observation = observe_followed(
                seen,
                index=index,
                capture_time=capture_time,
                face=followed.face,
                looked=followed.looked,
                eyes=eyes,
            )
        else:
            pixels = picture.colour() if pixels is None else pixels
            observation = self._look(pixels, seen, index, capture_time)
        kept = self._collector.add(replace(observation, fingerprint=fingerprint))
        depth = measure_depth(self.observations) if expects_depth else None
        return WatchedFrame(observation=kept, pixels=pixels, depth=depth)

    def skip(self, passed: SkippedFrame) -> None:
        """Notes a frame that is not watched, but sampled or known by its bytes."""
        self._collector.skip(passed)

    def _look(self, pixels: BgrImage, seen: FrameView, index: int, capture_time: float) -> FrameObservation:
        faces = self._find_faces(pixels)
        eyes, landmarks = None, None
        if faces:
            eyes, landmarks = self._measure(lambda: pixels, seen, faces[0], capture_time, looked=True)
        return observe_frame(
            pixels,
            index=index,
            capture_time=capture_time,
            faces=faces,
            pose=self._pose(faces[0], landmarks, seen) if faces else None,
            eyes=eyes,
            seen=seen,
        )

    def _measure(
        self,
        colour: Callable[[], BgrImage],
        seen: FrameView,
        face: DetectedFace,
        capture_time: float,
        *,
        looked: bool,
    ) -> tuple[EyeRatios | None, Landmarks | None]:
        if self._locate is None:
            return None, None
        sight = self._eyes.see(
            seen.grey, face, capture_time, looked=looked, expected=self._expects_blink and not self.blinked
        )
        if not sight.worth:
            return self._eyes.unmeasured(sight), None
        landmarks = self._locate(colour(), face)
        eyes = None if landmarks is None else eye_aspect_ratio(landmarks)
        return self._eyes.measured(sight, eyes), landmarks

    def _pose(self, face: DetectedFace, landmarks: Landmarks | None, seen: FrameView) -> HeadPose:
        """By the landmarks; without them by the five points, less by how much these were wrong last time."""
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
