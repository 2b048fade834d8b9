"""Did the person blink?"""

import numpy as np

from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_FEWEST_FRAMES = 8
_SCORE = 0.95
_JITTER_MULTIPLE = 5.0


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
        times = np.array([time for time, _ in seen])
        eyes = np.array([pair for _, pair in seen])
        level = np.percentile(eyes, 75, axis=0)
        if level.min() < settings.eyes_open_level:
            return self._unknown("The eyes were not open long enough to see a blink.")
        both = (eyes / level).max(axis=1)
        jitter = float(np.median(np.abs(np.diff(both)))) if len(both) > 1 else 0.0
        closed_below = min(settings.blink_depth, 1 - _JITTER_MULTIPLE * jitter)
        blinks = _count_blinks(times, both, closed_below, settings)
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


def _count_blinks(
    times: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    openness: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    closed_below: float,
    settings: ExpressSettings,
) -> int:
    """Falls below ``closed_below`` that begin from open eyes and end with open eyes in time."""
    blinks = 0
    open_at: float | None = None
    fell = False
    for time, value in zip(times, openness, strict=True):
        if value >= settings.blink_recovery:
            if fell and open_at is not None and time - open_at <= settings.longest_blink:
                blinks += 1
            open_at, fell = float(time), False
        elif value < closed_below:
            fell = True
    return blinks
