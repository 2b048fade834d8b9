"""The signal of repeated frames. A camera never repeats a frame, because its noise differs in each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveness.express.recurrence import find_recurrence
from liveness.express.settings import ExpressSettings
from liveness.observation import Samples, ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_SAME = 0.02
"""The mean difference of sampled pixels, grey levels, below which two frames are identical."""

_CARRIED = 0.3
"""The mean difference of sampled pixels, grey levels, below which an encoder that copies pixels from the last
frame may copy all of them. Without this rule, several live clips count as frozen or looped once x264 encodes
them at crf 46 or 51. With it none does, and 10 of 19 clips that stall for 1.5 s at crf 34 are still found
(``tests/liveness/express/test_strong_compression.py``)."""

_BESIDE = 0.8
"""The time on either side of a run in which changes of the image are measured, seconds."""

_BESIDE_PERCENT = 75
"""The percentile of these changes that must reach ``_CARRIED``. It is high because an encoder continues
to refine an image that has stopped."""

_FEW = 32
_FEWEST_FRAMES = 8
"""The interval of the sampled pixels that are compared first, to skip pairs of frames that differ; and the
least number of frames in which repetition is searched."""


class Repetition(StrEnum):
    """How frames repeat."""

    NONE = "NONE"
    FROZEN = "FROZEN"
    LOOPED = "LOOPED"


@dataclass(frozen=True, slots=True)
class RepetitionFinding:
    """How the frames repeat, and the detail of the signal."""

    kind: Repetition
    detail: str


def find_repetition(scan: ScanObservations, settings: ExpressSettings) -> RepetitionFinding | None:
    """Returns how the frames repeat; ``None`` if there are too few frames.

    A camera that is slower than the device's reads delivers a frame two or three times in a row. That counts
    as ``NONE``. One frame for longer than ``stall_seconds`` is ``FROZEN``; frames that return after others
    are ``LOOPED``. Frames that were not measured are compared by their bytes, and by their pixels if they
    were sampled.

    In a video file the bytes of the frames are not known, and the encoder copies what hardly changes, even
    whole frames. There a run of identical frames counts only if the image was changing before and after it.
    Frames that return count only if the image had changed clearly in between.
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
    """Whether frames freeze or loop. Such frames were injected and do not come from a camera."""

    name = "frozen_frames"
    label = "Every frame is new"

    def __init__(self, finding: RepetitionFinding | None) -> None:
        """Takes the finding of ``find_repetition``."""
        self._finding = finding

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; the score is 0.5 (neutral) if no frames repeat, else 0."""
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


def _sampled(scan: ScanObservations) -> list["_Sampled"]:
    """Returns all frames whose pixels were sampled, in order."""
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
    """Returns the fingerprints of all frames whose bytes are known, in order."""
    marks = [(frame.index, frame.fingerprint) for frame in scan.frames]
    marks += [(frame.index, frame.fingerprint) for frame in scan.passed]
    return [mark for _, mark in sorted(marks) if mark is not None]


def _returned(labels: Sequence[int]) -> int:
    """Returns how many frames are identical to an earlier one with others between."""
    distinct = [*labels[:1], *(now for last, now in pairwise(labels) if now != last)]
    return len(distinct) - len(set(distinct))


def _same_frames(samples: NDArray[np.uint8]) -> list[int]:
    """Returns for each frame the position of the first frame that is identical to it."""
    labels = list(range(len(samples)))
    values = samples.astype(np.int16)
    few = values[:, ::_FEW]
    for at in range(1, len(samples)):
        # A few pixels rule out nearly every candidate; the others are compared in full.
        apart = np.abs(few[:at] - few[at]).sum(axis=1, dtype=np.int32)
        for first in np.flatnonzero(apart <= _SAME * _FEW * few.shape[1]).tolist():
            if labels[first] == first and np.abs(values[first] - values[at]).mean() < _SAME:
                labels[at] = first
                break
    return labels


def _runs(labels: Sequence[int]) -> list[tuple[int, int]]:
    """Returns the positions of the first and the last frame of each run of identical frames."""
    begins = [at for at in range(len(labels)) if at == 0 or labels[at] != labels[at - 1]]
    return [(begin, after - 1) for begin, after in zip(begins, [*begins[1:], len(labels)], strict=True)]


def _runs_amid_change(
    runs: Sequence[tuple[int, int]], sampled: Sequence[_Sampled], samples: NDArray[np.uint8]
) -> list[tuple[int, int]]:
    """Returns the runs between which the image changes too much to be a copy, or a run of all frames."""
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
    """Returns how many runs repeat an earlier frame after the image had changed clearly."""
    ended: dict[int, int] = {}
    count = 0
    for first, last in runs:
        since = ended.get(labels[first])
        if since is not None:
            between = samples[since + 1 : first].astype(np.int16) - samples[first]
            count += float(np.abs(between).mean(axis=1).max()) >= _CARRIED
        ended[labels[first]] = last
    return count
