"""Measures whether the scan memory recognises a replay, and does not recognise honest second scans."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from device_integrity import DeviceFinding
from device_integrity.stream import FrameMark, RecalledScan, check_frames_before, frame_marks
from research.device_alarms.material import SentScan, encoded
from research.device_alarms.measure import traced

__all__ = ["MemoryCounts", "study_memory"]

_KEY = bytes(32)
_OTHER_QUALITY = 70
_SCALE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCounts:
    """Counts of recognised earlier scans, and of pairs.

    Attributes:
        second_scans: Recognised honest pairs of the same person in the same place: false alarms.
        honest_pairs: All such pairs.
        strangers: Recognised pairs of different clips: false alarms.
        stranger_pairs: All such pairs.
        replays: Recognised replays of scans, scaled and encoded anew.
        replay_pairs: All such replays.
        shifted: Recognised replays that begin with the sixth frame and have every second frame only.
    """

    second_scans: int
    honest_pairs: int
    strangers: int
    stranger_pairs: int
    replays: int
    replay_pairs: int
    shifted: int


def study_memory(scans: Sequence[SentScan]) -> MemoryCounts:
    """Compare every scan with the others, and with replays of itself."""
    marks = [_marks(scan) for scan in scans]
    known: dict[bool, list[bool]] = {True: [], False: []}
    for at, scan in enumerate(scans):
        for other in range(at):
            same_clip = scans[other].source == scan.source
            known[same_clip].append(_knows(marks[at], marks[other]))
    replays = [_knows(_marks(_anew(scan)), own) for scan, own in zip(scans, marks, strict=True)]
    shifted = [_knows(_marks(_anew(_thinned(scan))), own) for scan, own in zip(scans, marks, strict=True)]
    return MemoryCounts(
        second_scans=sum(known[True]),
        honest_pairs=len(known[True]),
        strangers=sum(known[False]),
        stranger_pairs=len(known[False]),
        replays=sum(replays),
        replay_pairs=len(replays),
        shifted=sum(shifted),
    )


def _marks(scan: SentScan) -> tuple[FrameMark, ...]:
    frames = traced(scan).frames
    return frame_marks(frames, images=[frame.sha256 for frame in frames], pictures={}, tenant_key=_KEY)


def _knows(marks: tuple[FrameMark, ...], earlier: tuple[FrameMark, ...]) -> bool:
    check = check_frames_before(marks, [RecalledScan(check_id="earlier", marks=earlier)])
    return check.outcome is DeviceFinding.FAIL


def _anew(scan: SentScan) -> SentScan:
    jpegs = []
    for image in scan.pixels():
        small = cv2.resize(image, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_AREA)
        jpegs.append(encoded(np.asarray(small, np.uint8), quality=_OTHER_QUALITY))
    return replace(scan, jpegs=tuple(jpegs))


def _thinned(scan: SentScan) -> SentScan:
    return replace(scan, jpegs=scan.jpegs[5::2], times_us=scan.times_us[5::2])
