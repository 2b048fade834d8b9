"""Makes scans in which the person changes, from frames of two clips.

The frames of the other person are aligned with the first one's by the five points of their faces, so that the
face does not move, which is the hardest case for the tracking of the face.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import cv2
import numpy as np

from research.scan_match.clips import SentFrame
from vision.face import BgrImage, Points
from vision.geometry import similarity_transform
from vision.pose import estimate_pose

__all__ = ["Change", "FindPoints", "Splice", "most_turned", "splice"]

FindPoints: TypeAlias = Callable[[SentFrame], Points | None]
"""The five points of a frame's face; ``None`` where there is none."""

_QUALITY = 88
_MORPH_SECONDS = 1.0


class Change(StrEnum):
    """The kinds of changes of the person."""

    LAST_HALF = "the second half shows another"
    LAST_SECOND = "the last second shows another"
    HALF_A_SECOND = "another for half a second"
    A_SECOND = "another for a second"
    FLICKER = "another in every third frame"
    MORPH = "one turns into another within a second"
    IN_A_TURN = "another from the most turned frame on"


@dataclass(frozen=True, slots=True)
class Splice:
    """A scan in which the person changes.

    Attributes:
        frames: Frames in order of time.
        of_other: Indices of the frames that show the other person, or a mixture.
    """

    frames: tuple[SentFrame, ...]
    of_other: frozenset[int]


def splice(
    first: Sequence[SentFrame],
    other: Sequence[SentFrame],
    *,
    change: Change,
    place: float,
    points: FindPoints,
) -> Splice:
    """Insert frames of another person into a scan; the scan keeps its clock and its frame size.

    Args:
        first: The scan of the first person.
        other: A scan of the other person; it is repeated if it is too short.
        change: The kind of change.
        place: Start of a temporary change, 0 (at the start) to 1 (so that it ends with the scan).
        points: Finds the faces.
    """
    shift = 0
    if change is Change.IN_A_TURN:
        (start, yaw), (there, other_yaw) = most_turned(first, points), most_turned(other, points)
        of_other, shift = set(range(start, len(first))), there - start
        if yaw * other_yaw < 0:
            other = [_mirrored(frame) for frame in other]
    else:
        of_other = _others_frames(first, change, place)
    frames = []
    for index, frame in enumerate(first):
        if index not in of_other:
            frames.append(frame)
            continue
        part = 1.0
        if change is Change.MORPH:
            part = min(1.0, (frame.time - first[min(of_other)].time) / _MORPH_SECONDS)
        frames.append(_mixed(frame, other[(index + shift) % len(other)], part, points))
    return Splice(frames=tuple(frames), of_other=frozenset(of_other))


def most_turned(frames: Sequence[SentFrame], points: FindPoints) -> tuple[int, float]:
    """Return the frame, not near the scan's ends, with the greatest yaw, and that yaw, degrees.

    Args:
        frames: A scan.
        points: Finds the faces.
    """
    yaws = {len(frames) // 2: 0.0}
    for index in range(len(frames) // 5, len(frames) - len(frames) // 5):
        found = points(frames[index])
        if found is not None:
            height, width = frames[index].pixels().shape[:2]
            yaws[index] = estimate_pose(found, (width, height)).yaw
    index = max(yaws, key=lambda at: abs(yaws[at]))
    return index, yaws[index]


def _mirrored(frame: SentFrame) -> SentFrame:
    coded = cv2.imencode(".jpg", frame.pixels()[:, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return SentFrame(frame.time, bytes(coded))


def _others_frames(first: Sequence[SentFrame], change: Change, place: float) -> set[int]:
    count = len(first)
    if change is Change.FLICKER:
        return set(range(int(place * 2.999), count, 3))
    second = 1.0 / (first[-1].time - first[0].time)
    length = {
        Change.LAST_HALF: 0.5,
        Change.LAST_SECOND: second,
        Change.HALF_A_SECOND: 0.5 * second,
        Change.A_SECOND: second,
        Change.MORPH: 0.5 + 0.5 * _MORPH_SECONDS * second,
    }[change]
    long = min(count - 1, max(1, round(length * count)))
    at_the_end = change in {Change.LAST_HALF, Change.LAST_SECOND, Change.MORPH}
    start = count - long if at_the_end else round(place * (count - long))
    return set(range(start, start + long))


def _mixed(ours: SentFrame, theirs: SentFrame, part: float, points: FindPoints) -> SentFrame:
    """Blend the other frame over the first, face on face; ``part`` 1 shows only the other."""
    below, above = ours.pixels(), theirs.pixels()
    height, width = below.shape[:2]
    here, there = points(ours), points(theirs)
    if here is None or there is None:
        laid: BgrImage = np.asarray(cv2.resize(above, (width, height)), np.uint8)
    else:
        move = similarity_transform(there.astype(np.float64), here.astype(np.float64))[:2]
        laid = np.asarray(
            cv2.warpAffine(above, move, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
    mixed = np.asarray(cv2.addWeighted(below, 1.0 - part, laid, part, 0.0), np.uint8)
    coded = cv2.imencode(".jpg", mixed, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return SentFrame(ours.time, bytes(coded))
