"""Do frames come again? A camera's frames never do: its noise is new every time."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveness.express.settings import ExpressSettings
from liveness.observation import Samples, ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_SAME = 0.02
"""Mean difference of sampled pixels, grey levels, below which two frames are one and the same."""

_LOOP_RATIO = 0.7
"""Where nothing moves, a clip encoded anew on each pass differs from its last pass by far less than a
camera's frames differ by their noise; for a camera the ratio of the two is about 1 or more: at least 0.96
for any period or turning point of 50 scans of 19 live clips, 0.89 of photos on a stand."""

_SHORTEST_PERIOD = 2
_SHORTEST_RETURN = 4
"""Frames apart; what lies closer to a turning point differs by little else than noise anyway."""

_LEAST_NOISE = 0.3
"""Grey levels; pixels that change less are clipped or painted and show no noise."""

_LEAST_NOISY_SHARE = 0.1
_QUIET_PERCENT = 30
_MOST_QUIET = 256
_FEW = 32
_SPARSE = 8

_FEWEST_FRAMES = 8
_FEWEST_LOOP_PAIRS = 8


class Repetition(StrEnum):
    """How frames repeat."""

    NONE = "NONE"
    FROZEN = "FROZEN"
    LOOPED = "LOOPED"


@dataclass(frozen=True, slots=True)
class RepetitionFinding:
    """What was found, with the words for it."""

    kind: Repetition
    detail: str


def find_repetition(scan: ScanObservations, settings: ExpressSettings) -> RepetitionFinding | None:
    """Look for frames that come again; ``None`` with too few frames to tell.

    A camera slower than the device's reading of it hands out a frame two or three times in a row; that
    is no finding. One frame for longer than ``stall_seconds``, or frames that come back after others,
    are. Frames that were not measured are compared by their bytes, and by their pixels where they were
    sampled.
    """
    if len(scan.frames) < _FEWEST_FRAMES:
        return None
    sampled = sorted(
        [
            *(_Sampled(frame.index, frame.capture_time, frame.samples) for frame in scan.frames),
            *(
                _Sampled(frame.index, frame.capture_time, frame.samples)
                for frame in scan.passed
                if frame.samples is not None
            ),
        ],
        key=lambda frame: frame.index,
    )
    samples = np.stack([frame.samples for frame in sampled]).reshape(len(sampled), -1)
    labels = _same_frames(samples)
    frozen = _longest_run([frame.time for frame in sampled], labels)
    returned = max(_returned(labels), _returned(_fingerprints(scan)))
    if returned >= settings.returned_frames:
        return RepetitionFinding(
            Repetition.LOOPED, f"{returned} frames are identical to earlier ones, with others between."
        )
    if frozen > settings.stall_seconds:
        return RepetitionFinding(Repetition.FROZEN, f"One and the same frame was sent for {frozen:.1f} s.")
    loop = _loop([frame.index for frame in sampled], samples)
    if loop is not None:
        return RepetitionFinding(Repetition.LOOPED, loop)
    repeated = sum(now == last for last, now in pairwise(labels))
    return RepetitionFinding(
        Repetition.NONE,
        "No two frames are the same."
        if repeated == 0
        else f"{repeated} of {len(labels)} frames repeat the one before, as a slow camera's do.",
    )


class FrozenFrames:
    """Repeated or looped frames, which are injected behind the camera."""

    name = "frozen_frames"
    label = "Every frame is new"

    def __init__(self, finding: RepetitionFinding | None) -> None:
        """Take what ``find_repetition`` found."""
        self._finding = finding

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; 0.5 (neutral) where nothing repeats, 0 where something does."""
        del settings
        finding = self._finding
        if finding is None:
            return not_assessed(
                name=self.name,
                label=self.label,
                reason=f"{len(scan.frames)} frames are too few to find repeated ones.",
            )
        score = 0.5 if finding.kind is Repetition.NONE else 0.0
        return assessed(name=self.name, label=self.label, score=score, detail=finding.detail)


@dataclass(frozen=True, slots=True, eq=False)
class _Sampled:
    index: int
    time: float
    samples: Samples


def _fingerprints(scan: ScanObservations) -> list[int]:
    """Of all frames whose bytes are known, in order."""
    marks = [(frame.index, frame.fingerprint) for frame in scan.frames]
    marks += [(frame.index, frame.fingerprint) for frame in scan.passed]
    return [mark for _, mark in sorted(marks) if mark is not None]


def _returned(labels: Sequence[int]) -> int:
    """How many frames are the same as an earlier one with others between."""
    distinct = [*labels[:1], *(now for last, now in pairwise(labels) if now != last)]
    return len(distinct) - len(set(distinct))


def _same_frames(samples: NDArray[np.uint8]) -> list[int]:
    """For each frame the position of the first frame that is the same."""
    labels: list[int] = []
    firsts: list[int] = []
    values = samples.astype(np.int16)
    few = values[:, ::_FEW]
    for at in range(len(samples)):
        if firsts:
            # A few pixels rule out nearly every candidate; the rest are compared whole.
            close = np.abs(few[firsts] - few[at]).mean(axis=1) <= _SAME * _FEW
            candidates = [first for first, near in zip(firsts, close, strict=True) if near]
            same = (first for first in candidates if np.abs(values[first] - values[at]).mean() < _SAME)
            first = next(same, None)
            if first is not None:
                labels.append(first)
                continue
        firsts.append(at)
        labels.append(at)
    return labels


def _longest_run(times: Sequence[float], labels: Sequence[int]) -> float:
    longest, begin = 0.0, 0
    for at in range(1, len(labels)):
        if labels[at] != labels[begin]:
            begin = at
        longest = max(longest, times[at] - times[begin])
    return longest


def _loop(indices: Sequence[int], samples: NDArray[np.uint8]) -> str | None:
    """How frames come again that are alike but not identical, in words; ``None`` where they do not.

    Only the quietest pixels count, those that show little but noise: a head that nods in time or a lamp
    that flickers also comes back to where it was, but with fresh noise. Not all frames are sampled, so
    a period is looked for among the pairs of frames that are as far apart, and a turning point, from which
    a clip is played backwards so that its end meets its beginning, among the pairs on either side of it.
    """
    values = samples.astype(np.int16)
    step = _change(values[1:] - values[:-1])
    noisy = step[step > _LEAST_NOISE]
    if len(noisy) < _LEAST_NOISY_SHARE * len(step):
        return None
    quiet = (step > _LEAST_NOISE) & (step <= np.percentile(noisy, _QUIET_PERCENT))
    # A few hundred pixels are plenty for a mean.
    watched = np.flatnonzero(quiet)[:: max(1, int(quiet.sum()) // _MOST_QUIET)]
    fresh = float(step[watched].mean())
    earlier, later, difference = _pairs(values[:, watched])
    places = np.array(indices) - indices[0]
    apart = places[later] - places[earlier]
    period = _first_alike(apart, difference, apart >= _SHORTEST_PERIOD, fresh)
    if period is not None:
        return f"The frames repeat every {period} frames."
    twice = places[later] + places[earlier]
    turning = _first_alike(twice, difference, apart >= _SHORTEST_RETURN, fresh)
    if turning is not None:
        return f"The frames run backwards from frame {turning // 2 + indices[0]} on."
    return None


def _pairs(values: NDArray[np.int16]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """All pairs of rows, earlier and later, and their mean absolute difference beside a common change."""
    centred = (values - values.mean(axis=1, keepdims=True)).astype(np.float32)
    count = len(values)
    earlier = [np.arange(count - apart) for apart in range(1, count)]
    later = [at + apart for apart, at in enumerate(earlier, 1)]
    difference = [
        np.abs(centred[apart:] - centred[:-apart]).mean(axis=1, dtype=np.float32) for apart in range(1, count)
    ]
    return np.concatenate(earlier), np.concatenate(later), np.concatenate(difference)


def _first_alike(
    group: NDArray[np.intp], difference: NDArray[np.float32], usable: NDArray[np.bool_], fresh: float
) -> int | None:
    """The first group of enough pairs whose frames differ by less than fresh noise would make them."""
    total = np.bincount(group[usable], weights=difference[usable])
    count = np.bincount(group[usable])
    alike = np.flatnonzero((count >= _FEWEST_LOOP_PAIRS) & (total < _LOOP_RATIO * fresh * count))
    return int(alike[0]) if len(alike) else None


def _change(differences: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mean absolute difference of each pixel over pairs of frames, less each pair's common change."""
    common = np.median(differences[:, ::_SPARSE], axis=1, keepdims=True)
    change: NDArray[np.float64] = np.abs(differences - common).mean(axis=0)
    return change
