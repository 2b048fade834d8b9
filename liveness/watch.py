"""Measures the frames of an attempt in order: detects or follows the face, and measures the eyes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from liveness.collect import FOLLOW_SECONDS, ScanCollector
from liveness.express.depth import measure_depth
from liveness.eye_watch import EyeRatios, EyeWatch
from liveness.observation import FrameObservation, FrameView, GreyView, ScanObservations, SkippedFrame
from liveness.observe import (
    FINE_SIDE,
    VIEW_SIDE,
    ViewSpace,
    observe_followed,
    observe_frame,
    view_frame,
)
from liveness.occlusion import observe_cover
from vision.face import BgrImage, DetectedFace, HeadPose, Landmarks
from vision.face_chip import cut_chip
from vision.geometry import eye_aspect_ratio, lip_gap
from vision.pose import estimate_pose, turn_about_neck

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
        """Returns its luma, shape (height, width). Most frames need no more."""

    def colour(self) -> BgrImage:
        """Returns its colours, shape (height, width, 3), BGR."""


@dataclass(frozen=True, slots=True, eq=False)
class WatchedFrame:
    """One measured frame.

    Attributes:
        observation: The measurements.
        pixels: The pixels if the detector ran on the frame; ``None`` for a frame whose face was followed,
            which is never examined.
        depth: Log odds of a head's depth, by the motion up to this frame; ``None`` unless requested.
    """

    observation: FrameObservation
    pixels: BgrImage | None
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
        """Starts empty.

        Args:
            find_faces: The detector.
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
        picture: LazyFrame,
        *,
        index: int,
        capture_time: float,
        fingerprint: int | None = None,
        expects_blink: bool = False,
        expects_depth: bool = False,
        expects_gesture: bool = False,
    ) -> WatchedFrame:
        """Measures the next frame.

        Args:
            picture: The frame.
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
        pixels = picture.colour() if self._collector.detection_is_due(capture_time) else None
        grey = picture.grey() if pixels is None else pixels
        seen = view_frame(grey, self._space, side=self._side)
        followed = None if pixels is not None else self._collector.follow(seen, capture_time)
        if followed is not None:
            eyes, landmarks = self._measure(picture.colour, seen, followed.face, capture_time, detected=False)
            cover = None
            if landmarks is not None and followed.detected.pose is not None:
                cover = observe_cover(picture.colour(), followed.face, landmarks, followed.detected.pose)
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
            pixels = picture.colour() if pixels is None else pixels
            observation = self._detect(pixels, seen, index, capture_time)
        chip = None
        if observation.face is not None and (not observation.followed or observation.yaw is not None):
            chip = cut_chip(seen.grey, observation.face)
        kept = self._collector.add(replace(observation, fingerprint=fingerprint, chip=chip))
        if kept.face is not None and kept.face.box.width * kept.view_scale < _SMALL_FACE:
            self._side = FINE_SIDE
        depth = measure_depth(self.observations) if expects_depth else None
        return WatchedFrame(observation=kept, pixels=pixels, depth=depth)

    def skip(self, passed: SkippedFrame) -> None:
        """Records a frame that is not measured, but sampled or compared by its bytes."""
        self._collector.skip(passed)

    def _detect(self, pixels: BgrImage, seen: FrameView, index: int, capture_time: float) -> FrameObservation:
        faces = self._find_faces(pixels)
        eyes, pose, cover, mouth, yaw = None, None, None, None, None
        if faces:
            eyes, landmarks = self._measure(lambda: pixels, seen, faces[0], capture_time, detected=True)
            pose = self._pose(faces[0], landmarks, seen)
            if landmarks is not None:
                cover = observe_cover(pixels, faces[0], landmarks, pose)
                mouth, yaw = lip_gap(landmarks), turn_about_neck(pose)
        return observe_frame(
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
        """Estimates the pose from landmarks; else from the five points, corrected by their last error."""
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
