"""Does the skin's colour beat with a pulse?

Remote photoplethysmography by the plane orthogonal to the skin (POS: Wang et al., IEEE TBME 2017), checked by
the chrominance method (CHROM: de Haan and Jeanne, IEEE TBME 2013): two projections of the same colours that
movement disturbs in different ways. Compression takes the pulse out of most recordings, and a replayed face
has one too. So it says a little where it is found, nothing where it is not, and never decides.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_HIGHEST = 0.65
_SCORE_PER_DECIBEL = 0.03

_LONGEST_GAP = 0.5
"""Seconds without a colour that are bridged."""

_LEAST_RATE, _HIGHEST_RATE = 6.0, 15.0
"""Samples a second: below the first the fastest pulse is not resolved; more than the second tell no more."""

_WINDOW_SECONDS = 1.6
"""Wang et al. 2017, section IV: long enough for one beat, short enough to follow the light."""

_SLOWEST, _FASTEST = 0.8, 3.0
"""Hz, 48 to 180 beats a minute."""

_BAND = (0.65, 3.2)
"""Hz; wider, so that a slow drift peaks outside and is not taken for a pulse."""

_AGREEMENT = 0.1
"""Hz by which the two projections' rates may differ."""

_PEAK_HALF_WIDTH = 0.12
_PADDING = 8


@dataclass(frozen=True, slots=True)
class PulseFinding:
    """The strongest beat of the skin's colour.

    Attributes:
        rate: Beats a minute.
        strength: Power at that rate and its double over the rest of the band, decibels (de Haan and Jeanne
            2013); the smaller one of both projections'. ``None`` where these do not agree upon a rate.
        seconds: How long the skin was seen without a gap.
    """

    rate: float
    strength: float | None
    seconds: float


class Pulse:
    """Strength of the strongest beat, in a score from 0.5 to 0.65."""

    name = "pulse"
    label = "Skin beats with a pulse"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed in a short scan or without enough colours."""
        found = measure_pulse(scan, least_seconds=settings.pulse_seconds)
        if found is None:
            return not_assessed(
                name=self.name,
                label=self.label,
                reason=(
                    f"The skin's colour was not seen for {settings.pulse_seconds:.0f} s "
                    f"at {_LEAST_RATE:.0f} frames a second."
                ),
            )
        if found.strength is None or found.strength < settings.pulse_line:
            score, told = 0.5, "No pulse was found, as in most recordings"
        else:
            score = min(_HIGHEST, 0.5 + _SCORE_PER_DECIBEL * (1 + found.strength - settings.pulse_line))
            told = f"The skin's colour beats ({found.strength:.1f} dB)"
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=f"{told}; seen for {found.seconds:.1f} s.",
        )


def measure_pulse(scan: ScanObservations, *, least_seconds: float) -> PulseFinding | None:
    """Look for a pulse in the longest stretch without a gap; ``None`` where that is too short or too sparse.

    Args:
        scan: Read are the frames' ``skin_colour`` and capture times.
        least_seconds: The shortest stretch.
    """
    seen = [
        (frame.capture_time, frame.skin_colour)
        for frame in scan.usable
        if frame.skin_colour is not None and min(frame.skin_colour) > 0
    ]
    if len(seen) < _LEAST_RATE * least_seconds:
        return None
    times = np.array([time for time, _ in seen])
    colours = np.array([colour for _, colour in seen])
    began, ended = _longest_stretch(times)
    times, colours = times[began:ended], colours[began:ended]
    seconds = float(times[-1] - times[0])
    rate = min(_HIGHEST_RATE, (len(times) - 1) / seconds) if seconds > 0 else 0.0
    if seconds < least_seconds or _spread_rate(times) < _LEAST_RATE:
        return None
    even = np.arange(times[0], times[-1], 1 / rate)
    traces = np.stack([np.interp(even, times, colours[:, channel]) for channel in range(3)], axis=1)
    by_pos, by_chrom = (_peak(beat, rate) for beat in _beats(traces, round(_WINDOW_SECONDS * rate)))
    agreed = abs(by_pos[0] - by_chrom[0]) <= _AGREEMENT and _SLOWEST <= by_pos[0] <= _FASTEST
    return PulseFinding(
        rate=60 * by_pos[0], strength=min(by_pos[1], by_chrom[1]) if agreed else None, seconds=seconds
    )


def _spread_rate(times: NDArray[np.float64]) -> float:
    """Samples a second, of which those closer together than the highest rate's count once.

    Frames that come in bursts with gaps between are many and yet resolve no beat: of noise so sampled one
    scan in ten would show a pulse.
    """
    slots = np.unique(np.floor((times - times[0]) * _HIGHEST_RATE))
    return (len(slots) - 1) / max(float(times[-1] - times[0]), 1 / _HIGHEST_RATE)


def _longest_stretch(times: NDArray[np.float64]) -> tuple[int, int]:
    """Begin and end (after the last) of the longest run of times without a gap."""
    breaks = np.flatnonzero(np.diff(times) > _LONGEST_GAP) + 1
    begins, ends = [0, *breaks.tolist()], [*breaks.tolist(), len(times)]
    return max(zip(begins, ends, strict=True), key=lambda run: times[run[1] - 1] - times[run[0]])


def _beats(traces: NDArray[np.float64], window: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The blood's share of the colours by POS and by CHROM, windows added up.

    Args:
        traces: Shape (t, 3), red, green, blue, evenly sampled.
        window: Samples.
    """
    windows = np.lib.stride_tricks.sliding_window_view(traces, window, axis=0)
    red, green, blue = np.moveaxis(windows / windows.mean(axis=2, keepdims=True), 1, 0)
    by_pos = _tuned(green - blue, green + blue - 2 * red, sign=1)
    by_chrom = _tuned(3 * red - 2 * green, 1.5 * red + green - 1.5 * blue, sign=-1)
    return _overlapped(by_pos, len(traces)), _overlapped(by_chrom, len(traces))


def _tuned(first: NDArray[np.float64], second: NDArray[np.float64], *, sign: int) -> NDArray[np.float64]:
    """Both signals of each window, weighted so that what disturbs both alike cancels out."""
    spread = second.std(axis=1, keepdims=True)
    ratio = np.divide(first.std(axis=1, keepdims=True), spread, out=np.zeros_like(spread), where=spread > 0)
    beat: NDArray[np.float64] = first + sign * ratio * second
    beat -= beat.mean(axis=1, keepdims=True)
    return beat


def _overlapped(windows: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    total = np.zeros(length)
    count = len(windows)
    for offset in range(windows.shape[1]):
        total[offset : offset + count] += windows[:, offset]
    return total


def _peak(beat: NDArray[np.float64], rate: float) -> tuple[float, float]:
    """Frequency of the strongest beat, Hz, and its strength, decibels."""
    power = np.abs(np.fft.rfft((beat - beat.mean()) * np.hanning(len(beat)), _PADDING * len(beat))) ** 2
    frequencies = np.fft.rfftfreq(_PADDING * len(beat), 1 / rate)
    band = (frequencies >= _BAND[0]) & (frequencies <= _BAND[1])
    at = float(frequencies[band][np.argmax(power[band])])
    width = max(_PEAK_HALF_WIDTH, 1.2 * rate / len(beat))
    peak = band & ((np.abs(frequencies - at) <= width) | (np.abs(frequencies - 2 * at) <= width))
    rest = float(power[band & ~peak].sum())
    strongest = float(power[peak].sum())
    if strongest <= 0 or rest <= 0:
        return at, -np.inf if strongest <= 0 else np.inf
    return at, 10 * float(np.log10(strongest / rest))
