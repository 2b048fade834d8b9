"""For how long one and the same face was in sight: where it was followed without a break, and where not.

Whoever takes another's place tears the tracked points off the face, or stands beside it; a cut in a video
tears them, too (in 342 cuts to another person's face, laid over the old one by its eyes, never more than 41 %
of the points were kept). So all frames of a *stretch*, in which the points held from each frame to the next,
show one face, and one of them can speak for all. Points tear on honest faces, as well, when they turn fast
or are badly lit. That only makes more stretches, which have to be spoken for one by one.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.extent import FaceExtent, face_extent
from liveness.observation import FrameObservation, MotionSegment, ScanObservations

__all__ = ["Stretch", "of_known_face", "spoken_for", "stretches", "unseen_stretches"]

_HELD: Final = 0.5
"""Share of a segment's points on the face that must be found again for it to be the same face."""
_ASIDE: Final = 0.5
"""How far, in face widths, a face may be found from where its points went."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames in a row that show one face.

    Attributes:
        frames: Their indices, in order; one or more.
        looked: Those of them that a detector looked at, so that a template can be made of them.
    """

    frames: tuple[int, ...]
    looked: tuple[int, ...]


def stretches(scan: ScanObservations) -> tuple[Stretch, ...]:
    """The stretches of a scan, in order. Frames without exactly one face are in none."""
    held = _steps_that_held(scan)
    found: list[list[FrameObservation]] = []
    for frame in scan.frames:
        if frame.face is None or frame.faces != 1:
            continue
        if found and (found[-1][-1].index, frame.index) in held:
            found[-1].append(frame)
        else:
            found.append([frame])
    return tuple(
        Stretch(
            frames=tuple(frame.index for frame in run),
            looked=tuple(frame.index for frame in run if not frame.followed),
        )
        for run in found
    )


def unseen_stretches(scan: ScanObservations, *, examined: Collection[int]) -> tuple[Stretch, ...]:
    """The stretches of which no frame was examined, the longest first.

    Args:
        scan: The attempt.
        examined: Indices of the frames of which templates were made.
    """
    unseen = [stretch for stretch in stretches(scan) if not _speaks(stretch, examined)]
    return tuple(sorted(unseen, key=lambda stretch: -len(stretch.frames)))


def spoken_for(scan: ScanObservations, *, examined: Collection[int]) -> float:
    """Share of the frames with exactly one face, 0..1, that an examined frame speaks for; 0 without any.

    Args:
        scan: The attempt.
        examined: Indices of the frames of which templates were made.
    """
    found = stretches(scan)
    total = sum(len(stretch.frames) for stretch in found)
    seen = sum(len(stretch.frames) for stretch in found if _speaks(stretch, examined))
    return seen / total if total else 0.0


def of_known_face(scan: ScanObservations, *, examined: Collection[int]) -> ScanObservations:
    """The scan without motion and eyes of stretches that no examined frame speaks for.

    How they move says nothing of the person who is compared: another's face, cut in for moments that are too
    many to examine, would give a picture its life.

    Args:
        scan: The attempt.
        examined: Indices of the frames of which templates were made.
    """
    unseen = {index for stretch in unseen_stretches(scan, examined=examined) for index in stretch.frames}
    # In a segment's last frame the points may have been torn off: that is no longer its face.
    return replace(
        scan,
        frames=tuple(replace(frame, eyes=None) if frame.index in unseen else frame for frame in scan.frames),
        motion=tuple(part for part in scan.motion if unseen.isdisjoint(part.frames[:-1].tolist())),
    )


def _speaks(stretch: Stretch, examined: Collection[int]) -> bool:
    return any(index in examined for index in stretch.looked)


def _steps_that_held(scan: ScanObservations) -> frozenset[tuple[int, int]]:
    """Pairs of frames, one after the other, between which the face's points held."""
    places = {frame.index: face_extent(frame.face) for frame in scan.frames if frame.face is not None}
    return frozenset(step for segment in scan.motion for step in _held_in(segment, places))


def _held_in(segment: MotionSegment, places: Mapping[int, FaceExtent]) -> Iterator[tuple[int, int]]:
    indices: Sequence[int] = segment.frames.tolist()
    start = places.get(indices[0])
    if start is None:
        return
    moved = segment.positions[:, segment.on_face] - segment.positions[0, segment.on_face]
    found = np.isfinite(moved[..., 0])
    counts = found.sum(axis=1)
    held = counts >= _HELD * found.shape[1]
    means = np.where(found[..., None], moved, 0.0).sum(axis=1) / np.maximum(counts, 1)[:, None]
    for at, (before, after) in enumerate(pairwise(indices), start=1):
        now = places.get(after)
        if held[at] and held[at - 1] and now is not None and _is_where_it_went(start, now, means[at]):
            yield before, after


def _is_where_it_went(start: FaceExtent, now: FaceExtent, moved: NDArray[np.float64]) -> bool:
    """Whether the face is near to where the points of the segment's first face went, in face widths."""
    across = now.x - start.x - float(moved[0]) * start.width
    down = now.y - start.y - float(moved[1]) * start.width
    return math.hypot(across, down) <= _ASIDE * start.width
