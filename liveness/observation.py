"""What is known of the frames of a scan after the cheap work on each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.face import DetectedFace, HeadPose

GreyView = NDArray[np.uint8]
"""A small grey copy of a frame, shape (height, width)."""

Samples = NDArray[np.uint8]
"""Single pixels of a frame on a regular grid, unfiltered, so that the sensor's noise stays in."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameView:
    """A frame's grey copies, made before anything is known of its face.

    Attributes:
        width: Of the upright frame, pixels.
        height: Of the upright frame, pixels.
        view: Small grey copy for measuring motion.
        scale: View pixels per frame pixel.
        samples: Pixels on a fixed grid of the whole frame, for finding repeated frames.
        grey: The whole frame, grey.
    """

    width: int
    height: int
    view: GreyView
    scale: float
    samples: Samples
    grey: GreyView


@dataclass(frozen=True, slots=True, eq=False)
class SkippedFrame:
    """A frame that was not measured, as the ones before and after it tell enough.

    Attributes:
        index: The frame's index in the scan, from 0.
        capture_time: When the device captured it, seconds on the device's own clock.
        fingerprint: See ``FrameObservation``.
        samples: Pixels on a fixed grid of the whole frame; ``None`` where it was not even decoded.
    """

    index: int
    capture_time: float
    fingerprint: int | None
    samples: Samples | None


@dataclass(frozen=True, slots=True, eq=False)
class FrameObservation:
    """What is known of one frame.

    A detector need not look at every frame: between two looks the face is followed by its motion, and
    what changes slowly (light, sharpness, turn, number of faces) is taken from the last look.

    Attributes:
        index: The frame's index in the scan, from 0, increasing.
        capture_time: When the device captured it, seconds on the device's own clock, increasing.
        width: Of the upright frame, pixels.
        height: Of the upright frame, pixels.
        faces: How many faces were found that are at least 0.4 times as wide as the largest.
        face: The largest face; ``None`` where there is none.
        sharpness: ``vision.measures.sharpness`` of the face; ``None`` without a face.
        luminance: Mean luma of the face, 0..255; ``None`` without a face.
        dark_fraction: Share of the face's pixels that are nearly black, 0..1.
        saturated_fraction: Share of the face's pixels that are nearly white, 0..1.
        pose: Head pose; ``None`` without a face.
        eyes: Eye aspect ratios (left, right) of the image, or those of an earlier frame where the eyes still
            look as they did there; ``None`` without dense landmarks, and where nobody measured.
        samples: Pixels on a fixed grid of the whole frame, for finding repeated frames.
        view: Small grey copy for measuring motion; ``None`` once the collector is done with it.
        view_scale: View pixels per frame pixel.
        followed: Whether ``face`` was followed here from an earlier frame, not found by a detector.
        fingerprint: The same for frames of the same bytes, and hardly ever for others; ``None`` where the
            bytes are not known.
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

    @property
    def eyes_open(self) -> float | None:
        """The mean of both eye aspect ratios; ``None`` where they are not known."""
        return None if self.eyes is None else (self.eyes[0] + self.eyes[1]) / 2


@dataclass(frozen=True, slots=True, eq=False)
class RegionChange:
    """How much the face's parts changed against the segment's first frame, beyond a plane's motion.

    Both pictures are laid over each other by the homography of the face's tracked points. What is
    left is given as the displacement, in face widths, that would explain it, so that strong and weak
    texture compare. A flat photo leaves the same in all parts; a blink or a glance does not.

    Attributes:
        eyes: The eye that changed more.
        mouth: The mouth.
        rest: Forehead, nose and cheeks: what noise and misalignment leave.
    """

    eyes: float
    mouth: float
    rest: float


@dataclass(frozen=True, slots=True, eq=False)
class MotionSegment:
    """Points tracked over about a second of a scan, all against the segment's first frame.

    Positions are in face widths of the first frame, from the first frame's face centre, so that
    they compare between cameras; x to the right, y down.

    Attributes:
        frames: Shape (t,): indices of the frames; the first is the one the points were chosen in.
        times: Shape (t,): their capture times, seconds.
        positions: Shape (t, n, 2): where the points are; NaN where a point was lost.
        left_over: Shape (t, n, 2): what the plane's motion that fits the face's points best does not
            explain of each point's position, face widths; NaN where a point was lost or the face's
            points did not give a plane.
        on_face: Shape (n,): whether a point lies on the face, away from its outline; the others lie
            on the background, away from the face.
        face_width: Width of the face in view pixels, for turning positions back into pixels.
        tracking_error: Median forward-backward error of the tracked points, face widths.
        changes: Length t - 1: one for each frame after the first; ``None`` where the face's points
            did not give a homography.
    """

    frames: NDArray[np.intp]
    times: NDArray[np.float64]
    positions: NDArray[np.float32]
    left_over: NDArray[np.float32]
    on_face: NDArray[np.bool_]
    face_width: float
    tracking_error: float
    changes: tuple[RegionChange | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ScanObservations:
    """One attempt's frames and the motion between them.

    Attributes:
        frames: In order of index; their views are dropped.
        motion: Segments in order; together they cover the frames with a face.
        passed: The frames between these that were not measured, in order of index.
    """

    frames: tuple[FrameObservation, ...]
    motion: tuple[MotionSegment, ...]
    passed: tuple[SkippedFrame, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds from the first frame's capture to the last's."""
        if len(self.frames) < 2:
            return 0.0
        return self.frames[-1].capture_time - self.frames[0].capture_time

    @property
    def usable(self) -> tuple[FrameObservation, ...]:
        """The frames with exactly one face."""
        return tuple(frame for frame in self.frames if frame.face is not None and frame.faces == 1)
