"""Repeated frames. A camera never repeats a frame, because its noise differs in each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveness.express.settings import ExpressSettings
from liveness.observation import Samples, ScanObservations

# Searches for repeated frames that were re-encoded, so that no two are identical.
#
# A camera's frames differ at least by their noise, which is new in each. If a clip is played again, its still
# parts differ far less from the pass before.

_SHORTEST_PERIOD = 2
_SHORTEST_RETURN = 4
"""The least distance of two frames around a turning point, frames. Closer frames differ by little but
noise."""

_LEAST_NOISE = 0.3
"""The least change of a pixel with noise, grey levels. Pixels that change less are clipped or drawn."""

_LEAST_NOISY_SHARE = 0.1
"""The least share of pixels with noise in a scan that is measured."""
_QUIET_PERCENT = 30
_MOST_QUIET = 256
"""The share of noisy pixels that counts, those with the least noise, percent; and about the most of them. A
few hundred pixels suffice for a mean."""
_SPARSE = 8
"""The interval of the pixels that give the median change that all pixels have in common."""
_FEWEST_PAIRS = 8
"""The least number of pairs of frames for a period or a turning point."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How much frames differ that a replay would repeat, relative to new noise: 1 or more for a camera.

    Attributes:
        period: The number of frames after which the scan is most similar to itself: a loop's length or a
            multiple.
        period_ratio: The difference of frames at that distance, over the difference expected from their
            noise; ``inf`` if no period has enough pairs of frames.
        turning: The index of the frame around which the scan is most similar to itself in reverse.
        turning_ratio: The same ratio for frames at equal distances before and after ``turning``.
    """

    period: int
    period_ratio: float
    turning: int
    turning_ratio: float


def find_recurrence(indices: Sequence[int], samples: NDArray[np.uint8]) -> Recurrence | None:
    """Search for a period, and for a turning point from which a clip is played backwards.

    Only the quietest pixels count, which show little but noise. A head that nods regularly or a lamp that
    flickers also returns to an earlier state, but with new noise. Because not all frames are sampled, a
    period is measured from the pairs of frames at that distance, and a turning point from the pairs on either
    side of it. In a scan with few sampled frames, some turning points have too few pairs.

    Args:
        indices: The indices of the frames, increasing; two or more.
        samples: The sampled pixels, shape (frames, pixels).

    Returns:
        The best period and turning point; ``None`` if too few pixels show noise.
    """
    values = samples.astype(np.int16)
    step = _change(values[1:] - values[:-1])
    noisy = step[step > _LEAST_NOISE]
    if len(noisy) < _LEAST_NOISY_SHARE * len(step):
        return None
    quiet = (step > _LEAST_NOISE) & (step <= np.percentile(noisy, _QUIET_PERCENT))
    # A few hundred pixels suffice for a mean.
    watched = np.flatnonzero(quiet)[:: max(1, int(quiet.sum()) // _MOST_QUIET)]
    earlier, later, difference = _pairs(values[:, watched])
    # The noise of a scan varies over time, so each pair is compared with the noise of its own frames.
    between = np.pad(difference[: len(values) - 1], 1, mode="edge")
    noise = (between[1:] + between[:-1]) / 2
    fresh = (noise[earlier] + noise[later]) / 2
    places = np.array(indices) - indices[0]
    apart = places[later] - places[earlier]
    far = apart >= _SHORTEST_PERIOD
    period, period_ratio = _most_alike(apart[far], difference[far], fresh[far])
    far = apart >= _SHORTEST_RETURN
    twice, turning_ratio = _most_alike((places[later] + places[earlier])[far], difference[far], fresh[far])
    return Recurrence(
        period=period,
        period_ratio=period_ratio,
        turning=twice // 2 + indices[0],
        turning_ratio=turning_ratio,
    )


def _pairs(values: NDArray[np.int16]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return all pairs of rows (earlier, later), and how much they differ apart from a common change."""
    centred = (values - values.mean(axis=1, keepdims=True)).astype(np.float32)
    count = len(values)
    earlier = [np.arange(count - apart) for apart in range(1, count)]
    later = [at + apart for apart, at in enumerate(earlier, 1)]
    difference, room = [], np.empty_like(centred[1:])
    for apart in range(1, count):
        change = np.subtract(centred[apart:], centred[:-apart], out=room[: count - apart])
        difference.append(np.abs(change, out=change).sum(axis=1) / np.float32(centred.shape[1]))
    return np.concatenate(earlier), np.concatenate(later), np.concatenate(difference)


def _most_alike(
    group: NDArray[np.intp], difference: NDArray[np.float32], fresh: NDArray[np.float32]
) -> tuple[int, float]:
    """Return the group of pairs with the least difference relative to new noise, and that ratio.

    Groups with too few pairs are ignored; without any other, the ratio is ``inf``.
    """
    count = np.bincount(group)
    differ, expected = (np.bincount(group, weights=one) for one in (difference, fresh))
    usable = (count >= _FEWEST_PAIRS) & (expected > 0)
    if not usable.any():
        return 0, float("inf")
    ratio = np.divide(differ, expected, out=np.full(len(count), np.inf), where=usable)
    return int(ratio.argmin()), float(ratio.min())


def _change(differences: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return each pixel's mean absolute difference over pairs of frames, less each pair's common change."""
    # All values are doubled: a median may lie between two grey levels, and integers are faster.
    common = (2 * np.median(differences[:, ::_SPARSE], axis=1, keepdims=True)).astype(np.int16)
    change: NDArray[np.float64] = np.abs(2 * differences - common).sum(axis=0, dtype=np.int32)
    return change / (2 * len(differences))


_SAME = 0.02
"""The mean difference of sampled pixels, grey levels, below which two frames are identical."""

_CARRIED = 0.3
"""The mean difference of sampled pixels, grey levels, below which an encoder that copies pixels from the last
frame may copy all of them. Without this rule, several live clips count as frozen or looped once x264 encodes
them at crf 46 or 51. With it none does, and 10 of 19 clips that stall for 1.5 s at crf 34 are still found
(``tests/liveness/express/test_repetition.py``)."""

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
    """Return how the frames repeat; ``None`` if there are too few frames.

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


@dataclass(frozen=True, slots=True, eq=False)
class _Sampled:
    index: int
    time: float
    samples: Samples


def _sampled(scan: ScanObservations) -> list["_Sampled"]:
    """Return all frames whose pixels were sampled, in order."""
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
    """Return the fingerprints of all frames whose bytes are known, in order."""
    marks = [(frame.index, frame.fingerprint) for frame in scan.frames]
    marks += [(frame.index, frame.fingerprint) for frame in scan.passed]
    return [mark for _, mark in sorted(marks) if mark is not None]


def _returned(labels: Sequence[int]) -> int:
    """Return how many frames are identical to an earlier one with others between."""
    distinct = [*labels[:1], *(now for last, now in pairwise(labels) if now != last)]
    return len(distinct) - len(set(distinct))


def _same_frames(samples: NDArray[np.uint8]) -> list[int]:
    """Return for each frame the position of the first frame that is identical to it."""
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
    """Return the positions of the first and the last frame of each run of identical frames."""
    begins = [at for at in range(len(labels)) if at == 0 or labels[at] != labels[at - 1]]
    return [(begin, after - 1) for begin, after in zip(begins, [*begins[1:], len(labels)], strict=True)]


def _runs_amid_change(
    runs: Sequence[tuple[int, int]], sampled: Sequence[_Sampled], samples: NDArray[np.uint8]
) -> list[tuple[int, int]]:
    """Return the runs between which the image changes too much to be a copy, or a run of all frames."""
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
    """Return how many runs repeat an earlier frame after the image had changed clearly."""
    ended: dict[int, int] = {}
    count = 0
    for first, last in runs:
        since = ended.get(labels[first])
        if since is not None:
            between = samples[since + 1 : first].astype(np.int16) - samples[first]
            count += float(np.abs(between).mean(axis=1).max()) >= _CARRIED
        ended[labels[first]] = last
    return count
