"""Measures a camera's noise, and how it depends on light.

The number of photons in a pixel is Poisson distributed: in linear light the variance of the noise grows with
brightness (EMVA Standard 1288, release 4.0, section 2.2). Rendered, denoised and strongly compressed video
has hardly any noise. Honest phones denoise too, so the test is soft; see docs/device_integrity.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from device_integrity.check import DeviceCheck, passed_test
from device_integrity.stream.blocks import BRIGHTNESS_BINS, NOISE_STEP, BlockTally
from device_integrity.stream.findings import suspect, unavailable

__all__ = ["NoiseCurve", "check_noise", "noise_curve"]

_FEWEST_BLOCKS: Final = 200
_QUIET_SHARE: Final = 0.25
"""Share of a bin's blocks that is quiet, that is, that shows noise and no movement."""

_LEAST_NOISE: Final = 0.12
"""Mean absolute difference, grey levels. Less of it means that an encoder or a renderer left no noise."""

_ENCODING_GAMMA: Final = 2.2
"""Gamma of sRGB, accurate enough for a trend (IEC 61966-2-1)."""


@dataclass(frozen=True, slots=True)
class NoiseCurve:
    """Noise by brightness.

    Attributes:
        level: Mean absolute difference of quiet blocks over all brightnesses, grey levels.
        trend: Slope of log noise variance over log brightness, both in linear light; 1 for photons alone.
            ``None`` if the frames have too few brightnesses.
    """

    level: float
    trend: float | None


def check_noise(tallies: Sequence[BlockTally]) -> DeviceCheck:
    """Returns ``stream.noise``: whether successive frames differ by noise.

    The detail states the trend of the noise over brightness, which has no effect on the finding: encoders
    reverse it in every second honest clip (docs/device_integrity.md).
    """
    name = "stream.noise"
    curve = noise_curve(tallies)
    if curve is None:
        return unavailable(name, "TOO_FEW_FRAMES", "Too few frames of one size to measure noise.")
    if curve.level < _LEAST_NOISE:
        return suspect(
            name,
            "NO_NOISE",
            f"Quiet places differ by {curve.level:.2f} grey levels between frames: less than camera noise.",
        )
    trend = (
        "over too few brightnesses for a trend"
        if curve.trend is None
        else f"with a trend of {curve.trend:.1f}"
    )
    return passed_test(
        name, "NOISE_THERE", f"Quiet places differ by {curve.level:.2f} grey levels between frames, {trend}."
    )


def noise_curve(tallies: Sequence[BlockTally]) -> NoiseCurve | None:
    """Returns the noise of a scan; ``None`` with too few blocks."""
    if not tallies:
        return None
    counts = np.sum([tally.noise for tally in tallies], axis=0)
    middle = (np.arange(counts.shape[1]) + 0.5) * NOISE_STEP
    levels, brightnesses, weights = [], [], []
    # The darkest and the brightest bin are clipped, which removes noise.
    for at in range(1, BRIGHTNESS_BINS - 1):
        total = int(counts[at].sum())
        if total < _FEWEST_BLOCKS:
            continue
        quiet = int(np.searchsorted(np.cumsum(counts[at]), _QUIET_SHARE * total))
        levels.append(float(middle[quiet]))
        brightnesses.append((at + 0.5) / BRIGHTNESS_BINS)
        weights.append(total)
    if not levels:
        return None
    level = float(np.average(levels, weights=weights))
    if len(levels) < 3:
        return NoiseCurve(level=level, trend=None)
    light = np.log(np.array(brightnesses)) * _ENCODING_GAMMA
    # d(linear) = gamma x value^(gamma - 1) x d(value)
    spread = np.log(np.array(levels)) + (_ENCODING_GAMMA - 1) * np.log(np.array(brightnesses))
    return NoiseCurve(level=level, trend=float(np.polyfit(light, 2 * spread, 1)[0]))
