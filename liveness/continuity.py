"""The stretches of frames in which the same face was followed without a break.

If another person takes the place of the first, the tracked points are lost, or two faces are visible. They
are also lost at a cut in a video: in 342 cuts to another person's face, aligned with the first one by its
eyes, never more than 41 % of the points were kept, and in 73 cuts from one head that was turned by 28 degrees
or more to another, never more than 31 % of those of the frame before. A *stretch* is a series of frames of
one size in which half of the points were kept from each frame to the next. All its frames therefore show the
same face, and one identified frame identifies it. A head that turns loses its points little by little, which
ends no stretch. Points are also lost on genuine faces that turn fast or are badly lit. This only gives more
stretches, each of which needs an identified frame.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.extent import face_extent
from liveness.observation import FrameObservation, MotionSegment, ScanObservations

_HELD: Final = 0.5
"""The share of the points of the frame before that must be found again if the face is the same."""
_FEWEST_KEPT: Final = 12
"""The least number of points that show by themselves that the face is the same as in the frame before."""
_FAST_DEGREES: Final = 6.0
"""The turn from one frame to the next at which a head may lose its points."""
_ASIDE: Final = 0.5
"""The greatest distance of a face from the position that its points predict, face widths."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive frames that show the same face.

    Attributes:
        frames: The indices of the frames, in order; one or more.
        detected: The indices of the frames in which the face was detected, not only followed. Templates can
            be made of these frames.
    """

    frames: tuple[int, ...]
    detected: tuple[int, ...]


def stretches(scan: ScanObservations) -> tuple[Stretch, ...]:
    """Return the stretches of a scan, in order. Frames without exactly one face belong to none."""
    kept = _kept_steps(scan)
    found: list[list[FrameObservation]] = []
    for frame in scan.frames:
        if frame.face is None or frame.faces != 1:
            continue
        if found and (found[-1][-1].index, frame.index) in kept:
            found[-1].append(frame)
        else:
            found.append([frame])
    return tuple(
        Stretch(
            frames=tuple(frame.index for frame in run),
            detected=tuple(frame.index for frame in run if not frame.followed),
        )
        for run in found
    )


def unexamined_stretches(scan: ScanObservations, *, examined: Collection[int]) -> tuple[Stretch, ...]:
    """Return the stretches without an examined frame, the longest first.

    Args:
        examined: The indices of the frames of which templates were made.
    """
    unexamined = [stretch for stretch in stretches(scan) if not _is_examined(stretch, examined)]
    return tuple(sorted(unexamined, key=lambda stretch: -len(stretch.frames)))


def examined_share(scan: ScanObservations, *, examined: Collection[int]) -> float:
    """Return the share of frames with exactly one face that are in a stretch with an examined frame.

    Args:
        examined: The indices of the frames of which templates were made.

    Returns:
        The share, 0..1; 0 if no frame has exactly one face.
    """
    found = stretches(scan)
    total = sum(len(stretch.frames) for stretch in found)
    examined_frames = sum(len(stretch.frames) for stretch in found if _is_examined(stretch, examined))
    return examined_frames / total if total else 0.0


def without_unexamined_motion(scan: ScanObservations, *, examined: Collection[int]) -> ScanObservations:
    """Return the scan without motion, eyes, chips and gestures of stretches that have no examined frame.

    The motion of such a stretch may be another person's. If it counted, an attacker could insert another
    person's face more often than frames are examined, and so make a picture appear alive.

    Args:
        examined: The indices of the frames of which templates were made.
    """
    unexamined = {
        index for stretch in unexamined_stretches(scan, examined=examined) for index in stretch.frames
    }
    # In a segment's last frame the points may have been lost, so the frame may show another face.
    return replace(
        scan,
        frames=tuple(
            replace(frame, eyes=None, mouth=None, yaw=None, chip=None) if frame.index in unexamined else frame
            for frame in scan.frames
        ),
        motion=tuple(part for part in scan.motion if unexamined.isdisjoint(part.frames[:-1].tolist())),
    )


def followed_from(scan: ScanObservations, time: float) -> frozenset[int]:
    """Return the indices of the frames through which the face is followed from a time on.

    Unlike in a stretch, a head that turns fast before a slow camera may lose all its points, but stays in its
    place.

    Args:
        time: Capture time, seconds; the last frame up to it with exactly one face is the first.

    Returns:
        The frames from the first one on; empty if there is none.
    """
    usable = scan.usable
    before = [frame for frame in usable if frame.capture_time <= time]
    if not before:
        return frozenset()
    kept = _kept_steps(scan)
    found = [before[-1]]
    for frame in usable[len(before) :]:
        if (found[-1].index, frame.index) not in kept and not _turns_fast(found[-1], frame):
            break
        found.append(frame)
    return frozenset(frame.index for frame in found)


def _turns_fast(before: FrameObservation, after: FrameObservation) -> bool:
    """Return whether a head in the same place turned so fast that its points may be lost."""
    if before.yaw is None or after.yaw is None or before.face is None or after.face is None:
        return False
    start, now = face_extent(before.face), face_extent(after.face)
    near = math.hypot(now.x - start.x, now.y - start.y) <= _ASIDE * start.width
    return near and abs(after.yaw - before.yaw) >= _FAST_DEGREES


def _is_examined(stretch: Stretch, examined: Collection[int]) -> bool:
    return any(index in examined for index in stretch.detected)


def _kept_steps(scan: ScanObservations) -> frozenset[tuple[int, int]]:
    """Return pairs of consecutive measured frames between which the face's points were kept."""
    frames = {frame.index: frame for frame in scan.frames if frame.face is not None and frame.faces == 1}
    return frozenset(step for segment in scan.motion for step in _kept_in(segment, frames))


def _kept_in(segment: MotionSegment, frames: Mapping[int, FrameObservation]) -> Iterator[tuple[int, int]]:
    positions = segment.positions[:, segment.on_face].astype(np.float64)
    found = np.isfinite(positions[..., 0])
    both = found[1:] & found[:-1]
    counts = both.sum(axis=1)
    enough = (counts >= _FEWEST_KEPT) & (counts >= _HELD * found[:-1].sum(axis=1))
    for at, (before, after) in enumerate(pairwise(segment.frames.tolist())):
        if enough[at] and before in frames and after in frames:
            moved = (positions[at + 1] - positions[at])[both[at]].mean(axis=0)
            if _is_where_it_went(frames[before], frames[after], moved * segment.face_width):
                yield before, after


def _is_where_it_went(before: FrameObservation, after: FrameObservation, moved: NDArray[np.float64]) -> bool:
    """Return whether the frames have one size, and the face is near the position that its points predict.

    Args:
        moved: The mean motion of the face's points, view pixels.
    """
    if before.face is None or after.face is None:
        return False
    if (before.width, before.height) != (after.width, after.height):
        return False
    start, now = face_extent(before.face), face_extent(after.face)
    across = now.x - start.x - float(moved[0]) / before.view_scale
    down = now.y - start.y - float(moved[1]) / before.view_scale
    return math.hypot(across, down) <= _ASIDE * start.width
