"""Do frames come again? A camera's frames never do: its noise is new every time."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveness.express.recurrence import Recurrence, find_recurrence
from liveness.express.settings import ExpressSettings
from liveness.observation import Samples, ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_SAME = 0.02
"""Mean difference of sampled pixels, grey levels, below which two frames are one and the same."""

_CARRIED = 0.3
"""Mean difference of sampled pixels, grey levels, below which an encoder that carries pixels over from the
last frame may carry over all of them. Without this rule several live clips are called frozen or looped once
x264 encodes them at crf 46 or 51; with it none is, and 10 of 19 clips that stall for 1.5 s
at crf 34 are still found (``tests/liveness/express/test_strong_compression.py``)."""

_BESIDE = 0.8
"""Seconds on either side of a run that tell whether the picture was changing there."""

_BESIDE_PERCENT = 75
"""Of the changes there: high, as an encoder goes on refining a picture that has stopped."""

_FEW = 32
_FEWEST_FRAMES = 8


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

    In a video file, whose frames' own bytes are not known, an encoder carries over what hardly changes, up
    to the whole frame. There the same frame counts only where the picture was changing before and after it.
    """
    if len(scan.frames) < _FEWEST_FRAMES:
        return None
    sampled = _sampled(scan)
    samples = np.stack([frame.samples for frame in sampled]).reshape(len(sampled), -1)
    labels, marks = _same_frames(samples), _fingerprints(scan)
    runs = _runs(labels)
    if marks:
        returned = max(_returned(labels), _returned(marks))
    else:
        runs, returned = (
            _runs_amid_change(runs, sampled, samples),
            _returned_after_change(runs, labels, samples),
        )
    frozen = max((sampled[last].time - sampled[first].time for first, last in runs), default=0.0)
    if returned >= settings.returned_frames:
        return RepetitionFinding(
            Repetition.LOOPED, f"{returned} frames are identical to earlier ones, with others between."
        )
    if frozen > settings.stall_seconds:
        return RepetitionFinding(Repetition.FROZEN, f"One and the same frame was sent for {frozen:.1f} s.")
    again = find_recurrence([frame.index for frame in sampled], samples)
    if again is not None and again.period_ratio < settings.recurrence_line:
        return RepetitionFinding(Repetition.LOOPED, f"The frames repeat every {again.period} frames.")
    if again is not None and again.turning_ratio < settings.recurrence_line:
        return RepetitionFinding(
            Repetition.LOOPED, f"The frames run backwards from frame {again.turning} on."
        )
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


def measure_recurrence(scan: ScanObservations) -> Recurrence | None:
    """``find_recurrence`` of all sampled frames; ``None`` with too few of them, too."""
    sampled = _sampled(scan)
    if len(sampled) < _FEWEST_FRAMES:
        return None
    samples = np.stack([frame.samples for frame in sampled]).reshape(len(sampled), -1)
    return find_recurrence([frame.index for frame in sampled], samples)


def _sampled(scan: ScanObservations) -> list["_Sampled"]:
    """All frames whose pixels were sampled, in order."""
    return sorted(
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
    labels = list(range(len(samples)))
    values = samples.astype(np.int16)
    few = values[:, ::_FEW]
    for at in range(1, len(samples)):
        # A few pixels rule out nearly every candidate; the rest are compared whole.
        apart = np.abs(few[:at] - few[at]).sum(axis=1, dtype=np.int32)
        for first in np.flatnonzero(apart <= _SAME * _FEW * few.shape[1]).tolist():
            if labels[first] == first and np.abs(values[first] - values[at]).mean() < _SAME:
                labels[at] = first
                break
    return labels


def _runs(labels: Sequence[int]) -> list[tuple[int, int]]:
    """Positions of the first and the last frame of each run of one and the same frame."""
    begins = [at for at in range(len(labels)) if at == 0 or labels[at] != labels[at - 1]]
    return [(begin, after - 1) for begin, after in zip(begins, [*begins[1:], len(labels)], strict=True)]


def _runs_amid_change(
    runs: Sequence[tuple[int, int]], sampled: Sequence[_Sampled], samples: NDArray[np.uint8]
) -> list[tuple[int, int]]:
    """The runs beside which the picture changes too much to be carried over; a run of all frames, too."""
    values, times = samples.astype(np.int16), np.array([frame.time for frame in sampled])
    changes = np.abs(values[1:] - values[:-1]).mean(axis=1)

    def changing(beside: NDArray[np.float64]) -> bool:
        new = beside[beside >= _SAME]
        return len(beside) == 0 or (len(new) > 0 and float(np.percentile(new, _BESIDE_PERCENT)) >= _CARRIED)

    amid = []
    for first, last in runs:
        began, ended = np.searchsorted(times, (times[first] - _BESIDE, times[last] + _BESIDE))
        if changing(changes[began:first]) and changing(changes[last:ended]):
            amid.append((first, last))
    return amid


def _returned_after_change(
    runs: Sequence[tuple[int, int]], labels: Sequence[int], samples: NDArray[np.uint8]
) -> int:
    """How many runs are of an earlier frame from which the picture had moved clearly away between."""
    ended: dict[int, int] = {}
    count = 0
    for first, last in runs:
        since = ended.get(labels[first])
        if since is not None:
            between = samples[since + 1 : first].astype(np.int16) - samples[first]
            count += float(np.abs(between).mean(axis=1).max()) >= _CARRIED
        ended[labels[first]] = last
    return count
