"""The measurements of each frame of a video, over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from liveness import FrameObservation, ScanObservations
from liveness.express import PadScore

__all__ = ["Moment", "NetworkMoment", "Timeline", "median_step", "timeline_of"]

_SAME_GREY_LEVELS = 0.02
"""As in ``liveness.express.repetition``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One frame.

    Attributes:
        index: The frame's index in the scan.
        time: Seconds from the first frame.
        faces: Number of faces; for a frame with a followed face, the number of the last detection.
        looked: Whether the detector ran on the frame.
        eyes_open: Mean eye aspect ratio; None if it is unknown.
        moved: Movement of the face since the frame before, in face widths a second; None if one of the two
            shows no face.
        repeated: Whether the frame repeats the one before.
    """

    index: int
    time: float
    faces: int
    looked: bool
    eyes_open: float | None
    moved: float | None
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMoment:
    """The score of one PAD network for one frame.

    Attributes:
        time: Seconds from the first frame.
        network: Name of the network.
        real_probability: The network's probability that the face is bona fide, 0..1.
    """

    time: float
    network: str
    real_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The measurements of a video over time.

    Attributes:
        moments: The measured frames, in order.
        networks: The networks' scores of the selected frames.
        passed: Times of the unmeasured frames between them, seconds from the first frame.
    """

    moments: tuple[Moment, ...]
    networks: tuple[NetworkMoment, ...]
    passed: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """The time from the first measured frame to the last, seconds."""
        return self.moments[-1].time if self.moments else 0.0


def timeline_of(scan: ScanObservations, pad_scores: Sequence[PadScore], *, timed: bool = True) -> Timeline:
    """Puts a scan's measurements in order of time.

    Args:
        scan: The frames.
        pad_scores: The networks' scores of selected frames.
        timed: False if the capture times give only an order: then each frame counts as a second, and no
            movement is given.
    """
    if not scan.frames:
        return Timeline(moments=(), networks=(), passed=())
    begin = scan.frames[0].capture_time
    times = {
        frame.index: frame.capture_time - begin if timed else float(at)
        for at, frame in enumerate(scan.frames)
    }
    before: list[FrameObservation | None] = [None, *scan.frames]
    return Timeline(
        moments=tuple(
            _moment(frame, last, times[frame.index], timed=timed)
            for last, frame in zip(before, scan.frames, strict=False)
        ),
        networks=tuple(
            NetworkMoment(
                time=times[score.frame_index], network=score.network, real_probability=score.real_probability
            )
            for score in pad_scores
            if score.frame_index in times
        ),
        passed=tuple(frame.capture_time - begin for frame in scan.passed) if timed else (),
    )


def _moment(frame: FrameObservation, last: FrameObservation | None, time: float, *, timed: bool) -> Moment:
    return Moment(
        index=frame.index,
        time=time,
        faces=frame.faces,
        looked=not frame.followed,
        eyes_open=frame.eyes_open,
        moved=None if last is None or not timed else _speed(last, frame),
        repeated=last is not None and _same(last, frame),
    )


def _speed(last: FrameObservation, frame: FrameObservation) -> float | None:
    elapsed = frame.capture_time - last.capture_time
    if last.face is None or frame.face is None or elapsed <= 0:
        return None
    # The mean of the five points: the detector's box jumps more between two detections.
    earlier, later = (each.five_points.mean(axis=0) for each in (last.face, frame.face))
    return float(np.linalg.norm(later - earlier)) / last.face.box.width / elapsed


def _same(last: FrameObservation, frame: FrameObservation) -> bool:
    if last.fingerprint is not None and last.fingerprint == frame.fingerprint:
        return True
    difference = np.abs(last.samples.astype(np.int16) - frame.samples.astype(np.int16))
    return bool(difference.mean() < _SAME_GREY_LEVELS)


def median_step(timeline: Timeline) -> float:
    """Returns the median time between two measured frames, seconds; 0 with fewer than two."""
    steps = [later.time - earlier.time for earlier, later in pairwise(timeline.moments)]
    return float(np.median(steps)) if steps else 0.0
