"""The measurements of a scan's frames and of the motion between them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from liveness.occlusion import Cover
from vision.face import DetectedFace, HeadPose
from vision.geometry import FaceChip

GreyView = NDArray[np.uint8]
"""A small grey copy of a frame, shape (height, width)."""

Samples = NDArray[np.uint8]
"""Single pixels of a frame on a regular grid, unfiltered, so that the sensor's noise stays in."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameView:
    """A frame's grey copies, made before its face is detected.

    Attributes:
        width: Width of the upright frame, pixels.
        height: Height of the upright frame, pixels.
        view: A small grey copy for measuring motion.
        scale: View pixels per frame pixel.
        samples: Pixels on a fixed grid of the whole frame, for finding repeated frames.
        grey: The luma of the whole frame.
    """

    width: int
    height: int
    view: GreyView
    scale: float
    samples: Samples
    grey: GreyView


@dataclass(frozen=True, slots=True, eq=False)
class SkippedFrame:
    """A frame that was not measured, because the frames around it suffice.

    Attributes:
        index: The frame's index in the scan, from 0.
        capture_time: Its capture time, seconds on the device's clock.
        fingerprint: See ``FrameObservation``.
        samples: Pixels on a fixed grid of the whole frame; ``None`` if it was not decoded.
    """

    index: int
    capture_time: float
    fingerprint: int | None
    samples: Samples | None


@dataclass(frozen=True, slots=True, eq=False)
class FrameObservation:
    """The measurements of one frame.

    The detector does not run on every frame. Between two detections the face is followed by its motion, and
    measurements that change slowly (light, sharpness, pose, number of faces) are those of the last detection.

    Attributes:
        index: The frame's index in the scan, from 0, increasing.
        capture_time: Its capture time, seconds on the device's clock, increasing.
        width: Width of the upright frame, pixels.
        height: Height of the upright frame, pixels.
        faces: The number of faces that count as persons (``matcher.persons``).
        face: The face of the subject; ``None`` without a face.
        sharpness: ``FaceMeasures.sharpness`` of the face; ``None`` without a face.
        luminance: Mean luma of the face, 0..255; ``None`` without a face.
        dark_fraction: Share of the face's pixels that are nearly black, 0..1.
        saturated_fraction: Share of the face's pixels that are nearly white, 0..1.
        pose: Head pose; ``None`` without a face.
        eyes: Eye aspect ratios (left, right) of the image, or of an earlier frame if the eyes have not
            changed since; ``None`` without dense landmarks, or if they were not measured.
        samples: Pixels on a fixed grid of the whole frame, for finding repeated frames.
        view: A small grey copy for measuring motion; ``None`` once the collector has used it.
        view_scale: View pixels per frame pixel.
        followed: Whether ``face`` was followed from an earlier frame rather than detected.
        fingerprint: A hash of the frame's bytes; ``None`` if the bytes are not known.
        cover: What covers the face; ``None`` if it was not measured in this frame.
        mouth: How far the mouth is open (``vision.geometry.lip_gap``), centimetres; ``None`` if it was not
            measured in this frame.
        yaw: The turn about the head's own axis (``vision.pose.turn_about_neck``) by dense landmarks of this
            frame, degrees; ``None`` if they were not located.
        chip: The aligned face, in frames in which it was detected or its landmarks were located; ``None`` in
            others.
    """

    index: int
    capture_time: float
    width: int
    height: int
    faces: int
    face: DetectedFace | None
    sharpness: float | None
    luminance: float | None
    dark_fraction: float
    saturated_fraction: float
    pose: HeadPose | None
    eyes: tuple[float, float] | None
    samples: Samples
    view: GreyView | None
    view_scale: float
    followed: bool = False
    fingerprint: int | None = None
    cover: Cover | None = None
    mouth: float | None = None
    yaw: float | None = None
    chip: FaceChip | None = None

    @property
    def eyes_open(self) -> float | None:
        """The mean of both eye aspect ratios; ``None`` if they are not known."""
        return None if self.eyes is None else (self.eyes[0] + self.eyes[1]) / 2


@dataclass(frozen=True, slots=True, eq=False)
class RegionChange:
    """The change of a face's parts since the segment's first frame, beyond the motion of a plane.

    Both frames are aligned by the homography of the face's tracked points. The remaining difference is given
    as the displacement, in face widths, that would explain it, so that strong and weak texture are
    comparable. It is the same in all parts of a flat photo, but not when a person blinks or glances.

    Attributes:
        eyes: Change of the eye that changed more, face widths.
        mouth: Change of the mouth, face widths.
        rest: Change of forehead, nose and cheeks, face widths: noise and misalignment.
    """

    eyes: float
    mouth: float
    rest: float


@dataclass(frozen=True, slots=True, eq=False)
class MotionSegment:
    """Points that were tracked for about a second, relative to the segment's first frame.

    Positions are in face widths of the first frame, from the first frame's face centre, so that
    they compare between cameras; x to the right, y down.

    Attributes:
        frames: Shape (t,): indices of the frames; the points were chosen in the first.
        times: Shape (t,): their capture times, seconds.
        positions: Shape (t, n, 2): positions of the points; NaN for lost points.
        left_over: Shape (t, n, 2): the residual of each point's position after the plane motion that best
            fits the face's points, face widths; NaN for lost points, or if the points gave no plane.
        on_face: Shape (n,): whether a point lies on the face, away from its outline; the others lie
            on the background, away from the face.
        face_width: Width of the face in view pixels, for turning positions back into pixels.
        changes: Length t - 1: one for each frame after the first; ``None`` if the face's points gave no
            homography.
    """

    frames: NDArray[np.intp]
    times: NDArray[np.float64]
    positions: NDArray[np.float32]
    left_over: NDArray[np.float32]
    on_face: NDArray[np.bool_]
    face_width: float
    changes: tuple[RegionChange | None, ...]

    def until(self, time: float) -> "MotionSegment":
        """Return the segment without the frames after ``time``, seconds; the first frame always stays."""
        count = max(1, int(np.searchsorted(self.times, time, side="right")))
        return replace(
            self,
            frames=self.frames[:count],
            times=self.times[:count],
            positions=self.positions[:count],
            left_over=self.left_over[:count],
            changes=self.changes[: count - 1],
        )


@dataclass(frozen=True, slots=True, eq=False)
class ScanObservations:
    """The measured frames of one attempt and the motion between them.

    Attributes:
        frames: The measured frames in order of index, without their views.
        motion: Segments in order. Together they cover the frames with a face.
        passed: The skipped frames between these, in order of index.
    """

    frames: tuple[FrameObservation, ...]
    motion: tuple[MotionSegment, ...]
    passed: tuple[SkippedFrame, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds from the first frame's capture time to the last's."""
        if len(self.frames) < 2:
            return 0.0
        return self.frames[-1].capture_time - self.frames[0].capture_time

    def until(self, time: float) -> "ScanObservations":
        """Return the scan without the frames after ``time``, seconds, and without their motion."""
        return ScanObservations(
            frames=tuple(frame for frame in self.frames if frame.capture_time <= time),
            motion=tuple(part.until(time) for part in self.motion if part.times[0] < time),
            passed=tuple(frame for frame in self.passed if frame.capture_time <= time),
        )

    @property
    def usable(self) -> tuple[FrameObservation, ...]:
        """The frames with exactly one face."""
        return tuple(frame for frame in self.frames if frame.face is not None and frame.faces == 1)


# Light that reaches the camera around the face: a veil over the whole frame, and a bright background.
#
# PAD networks take a veiled face for an attack, and an attack in front of a bright background for a face
# (``lab/studies/liveness_fusion/NOTES.md``).

_DARKEST = 0.01
"""The share of pixels below the black level."""


def black_level(samples: Samples) -> float:
    """Return the luma of the darkest pixels of a frame, 0..255: the first percentile.

    Light that falls into the lens, or onto a dirty one, adds grey everywhere, so that nothing is black.
    """
    place = int(_DARKEST * samples.size)
    return float(np.partition(samples, place, axis=None)[place])


def backlight(frame: FrameObservation) -> float:
    """Return how much brighter the frame is around the face than on it, as a ratio of mean lumas.

    It is 0 without a face, or if the face fills the frame.
    """
    if frame.face is None or not frame.luminance:
        return 0.0
    rows, columns = frame.samples.shape
    y = (np.arange(rows) + 0.5) * (frame.height / rows)
    x = (np.arange(columns) + 0.5) * (frame.width / columns)
    box = frame.face.box
    on_face = np.outer((y >= box.top) & (y < box.bottom), (x >= box.left) & (x < box.right))
    around = frame.samples[~on_face]
    return float(around.mean()) / frame.luminance if around.size else 0.0
