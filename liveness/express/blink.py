"""The signal of blinks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_FEWEST_FRAMES = 8
_SCORE = 0.95
_JITTER_MULTIPLE = 5.0
"""The least fall of closed eyes, in multiples of the median change between frames. That median is 0 if most
frames reuse the ratios of an earlier, similar frame (``liveness.eye_watch``). Leaving those frames out would
lose the blinks of 8 of the 19 live scans with blinks, out of 50 live scans."""

_MOST_A_SECOND = 1.5
"""The most blinks per second, on average. More falls than that are noise of the landmarks."""
_OPEN_PERCENT = 75
"""The percentile of an eye's aspect ratios that is its open level. Blinks and downward looks lie below it."""


class Blink:
    """A short fall and recovery of both eyes' aspect ratio (Soukupova and Cech, CVWW 2016).

    Each eye is compared with its own open level, so that narrow eyes blink, too.

    People blink every 3 to 6 seconds. A short scan without a blink therefore proves nothing, and the signal
    is not assessed.
    """

    name = "blink"
    label = "Blinks"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed without dense landmarks."""
        seen = [(frame.capture_time, frame.eyes) for frame in scan.usable if frame.eyes is not None]
        if len(seen) < _FEWEST_FRAMES:
            return self._unknown(
                "The pack has no eye outlines." if not seen else "The eyes were measured in too few frames."
            )
        times, eyes = [time for time, _ in seen], [pair for _, pair in seen]
        if _open_level(eyes).min() < settings.eyes_shut_level:
            return self._unknown("The eyes were not open long enough to measure a blink.")
        blinks = count_blinks(times, eyes, settings)
        if blinks == 0:
            return self._unknown(
                f"No blink in {times[-1] - times[0]:.1f} s, which is too short to prove anything."
            )
        return assessed(
            name=self.name,
            label=self.label,
            score=_SCORE,
            detail=f"{blinks} {'blink' if blinks == 1 else 'blinks'} in {times[-1] - times[0]:.1f} s.",
        )

    def _unknown(self, reason: str) -> Signal:
        return not_assessed(name=self.name, label=self.label, reason=reason)


def count_blinks(
    times: Sequence[float], eyes: Sequence[tuple[float, float]], settings: ExpressSettings
) -> int:
    """Returns how often both eyes close, and open again within ``longest_blink``.

    Args:
        times: Capture times of the frames, seconds, increasing.
        eyes: Eye aspect ratios (left, right) of the same frames.
        settings: How far the ratios must fall and recover, and the longest time between.

    Returns:
        The number of blinks; 0 if there are too few frames, if the eyes were not open long enough, or if the
        ratios fall so often that they are noise.
    """
    if len(eyes) < _FEWEST_FRAMES:
        return 0
    level = _open_level(eyes)
    if level.min() < settings.eyes_shut_level:
        return 0
    both = (np.array(eyes) / level).max(axis=1)
    jitter = float(np.median(np.abs(np.diff(both))))
    closed_below = min(settings.blink_depth, 1 - _JITTER_MULTIPLE * jitter)
    blinks = 0
    open_at: float | None = None
    fell = False
    for time, value in zip(times, both.tolist(), strict=True):
        if value >= settings.blink_recovery:
            if fell and open_at is not None and time - open_at <= settings.longest_blink:
                blinks += 1
            open_at, fell = time, False
        elif value < closed_below:
            fell = True
    return 0 if blinks > _MOST_A_SECOND * max(1.0, times[-1] - times[0]) else blinks


def _open_level(eyes: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Returns the aspect ratio of each open eye."""
    level: NDArray[np.float64] = np.percentile(np.array(eyes), _OPEN_PERCENT, axis=0)
    return level
