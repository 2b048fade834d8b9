"""Did the person blink?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_FEWEST_FRAMES = 8
_SCORE = 0.95
_JITTER_MULTIPLE = 5.0
"""Of the median change between frames; 0 where most frames take their ratios from earlier ones, being alike
(``liveness.eye_watch``). To leave those out would cost 8 of 19 blinking live scans of 50 their blinks."""

_MOST_A_SECOND = 1.5
"""Falls a second, on average, from which on they are noise of the landmarks: eyes do not blink so fast."""
_OPEN_PERCENT = 75
"""Percentile of an eye's aspect ratios that is its open level: blinks and looks down lie below."""


class Blink:
    """A short fall of both eyes' aspect ratio that comes back (Soukupova and Cech, CVWW 2016).

    People blink every 3 to 6 seconds, so a short scan without one proves nothing and is not assessed.
    """

    name = "blink"
    label = "Blinks"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed without dense landmarks."""
        seen = [(frame.capture_time, frame.eyes) for frame in scan.usable if frame.eyes is not None]
        if len(seen) < _FEWEST_FRAMES:
            return self._unknown(
                "The pack gives no eye outlines." if not seen else "The eyes were seen in too few frames."
            )
        times, eyes = [time for time, _ in seen], [pair for _, pair in seen]
        if _open_level(eyes).min() < settings.eyes_open_level:
            return self._unknown("The eyes were not open long enough to see a blink.")
        blinks = count_blinks(times, eyes, settings)
        if blinks == 0:
            return self._unknown(
                f"No blink in {times[-1] - times[0]:.1f} s, which proves nothing in so short a time."
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
    """Falls of both eyes that begin with open eyes and end with open eyes in time.

    Args:
        times: Capture times of the frames, seconds, increasing.
        eyes: Eye aspect ratios (left, right) of the same frames.
        settings: How far eyes must fall and rise again, and for how long at most.

    Returns:
        0 where too few frames were seen, the eyes were not open long enough to tell, or they fall so often
        that it is noise.
    """
    if len(eyes) < _FEWEST_FRAMES:
        return 0
    level = _open_level(eyes)
    if level.min() < settings.eyes_open_level:
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
    """How far each eye is open when it is."""
    level: NDArray[np.float64] = np.percentile(np.array(eyes), _OPEN_PERCENT, axis=0)
    return level
