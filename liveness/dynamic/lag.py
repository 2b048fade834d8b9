"""By how much the face follows the screen, step by step and region by region.

The time at which the device says that a colour appeared is compared with the time at which the face shows it.
A genuine phone's panel and camera add 30 to 350 ms, always the same, and all parts of a face are lit at once.
Whoever computes the reflection adds the time that takes, and what it takes varies. Lateness alone proves
nothing, however late, as networks and slow phones are late too; a lag that jitters, that differs between the
regions of one face, or that is less than nothing, does, late or not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.course import Appearance, light_at
from liveness.dynamic.drift import fit_drift
from liveness.dynamic.sample import SKIN_REGIONS
from liveness.dynamic.track import TrackView
from liveness.signal import Signal, assessed, not_assessed

__all__ = [
    "LagFinding",
    "LagSettings",
    "lag_signal",
    "measure_lag",
    "region_lags",
    "step_lags",
]

_EARLIEST: Final = -0.12
_LATEST: Final = 1.2
"""Lags that are looked for, seconds: far beyond ``LagSettings.longest``, so that a late answer is seen to be
one, and not taken for another challenge's."""

_TICK: Final = 0.02
_COARSE: Final = 0.06
_NEITHER: Final = 0.5
"""The score that speaks for neither side."""
_NAME: Final = "flash_lag"
_LABEL: Final = "Time of the answer"


@dataclass(frozen=True, slots=True)
class LagSettings:
    """Lines of the lag; seconds.

    Attributes:
        longest: Beyond it display and camera do not explain the lag.
        least: Below it the answer came before the question.
        jitter: Deviation between steps at which it counts for neither side.
        between_regions: Deviation between regions at which it counts for neither side.
        least_explained: Share of the face's variance that the best lag must explain.
    """

    longest: float = 0.35
    least: float = -0.1
    jitter: float = 0.03
    between_regions: float = 0.03
    least_explained: float = 0.1


@dataclass(frozen=True, slots=True)
class LagFinding:
    """How the answer lies in time.

    Attributes:
        lag: Best lag over the scan, seconds; ``None`` where no lag stands out.
        explained: Share of the face's variance that it explains, 0..1.
        jitter: Deviation of the steps' own lags, seconds; ``None`` where fewer than three could be told.
        spread: Deviation of the regions' lags, seconds; ``None`` likewise.
    """

    lag: float | None
    explained: float
    jitter: float | None
    spread: float | None


def measure_lag(
    track: TrackView,
    shown: Sequence[Appearance],
    *,
    values: NDArray[np.float64] | None = None,
    near: float | None = None,
) -> tuple[float | None, float]:
    """The lag at which the screen's light explains the face's best.

    Args:
        track: The scan's light.
        shown: What the screen gave.
        values: Shape (t, 3): logarithms of light in place of ``track.face``.
        near: Looks only within 0.04 s of this lag.

    Returns:
        The lag in seconds, ``None`` where too little was measured; and the share that it explains.
    """
    light = track.face if values is None else values
    if len(shown) < 2:
        return None, 0.0
    usable = track.clean & np.isfinite(light).all(axis=1) & (track.times >= shown[0].at)
    rows = np.flatnonzero(usable)
    drift = fit_drift(track, rows)
    if drift is None:
        return None, 0.0
    face = drift.clear(light[rows])
    total = float((face**2).sum())
    if total <= 0:
        return None, 0.0
    times, frame = track.times[rows], track.frame_seconds

    def gain_at(lag: float) -> float:
        return _explained(drift.clear(light_at(shown, times - lag, blur=frame)), face)

    if near is None:
        count = round((_LATEST - _EARLIEST) / _COARSE) + 1
        near = max((_EARLIEST + _COARSE * number for number in range(count)), key=gain_at)
    lags = [near + _TICK * number for number in range(-2, 3)]
    gains = [gain_at(lag) for lag in lags]
    best = int(np.argmax(gains))
    return lags[best] + _TICK * _summit(gains, best), gains[best] / total


def step_lags(
    track: TrackView, shown: Sequence[Appearance], matrix: NDArray[np.float64], *, lag: float
) -> tuple[tuple[int, float], ...]:
    """Each flat step's own lag: when its change was half done; (number of the step, seconds).

    Args:
        track: The scan's light.
        shown: What the screen gave.
        matrix: ``Response.matrix``.
        lag: Of the scan.
    """
    found: list[tuple[int, float]] = []
    noise = _flicker(track)
    for before, one in pairwise(shown):
        if one.step.transition_seconds > 0:
            continue
        change = (one.step.colour.linear - before.step.colour.linear) @ matrix.T
        power = float(change @ change)
        if power <= 0 or math.sqrt(power) < 8 * noise:
            continue
        middle = one.at + lag
        rows = np.flatnonzero(track.clean & (np.abs(track.times - middle) <= 0.3))
        rows = rows[(track.times[rows] > before.at + before.step.transition_seconds + lag)]
        following = [other.at for other in shown if other.at > one.at]
        if following:
            rows = rows[track.times[rows] < following[0] + lag - 0.03]
        if len(rows) < 6:
            continue
        when = _half_way(track.times[rows] - middle, track.face[rows] @ change / power, track.frame_seconds)
        if when is not None:
            found.append((one.step.number, lag + when))
    return tuple(found)


def region_lags(track: TrackView, shown: Sequence[Appearance], *, lag: float) -> tuple[float, ...]:
    """The lag of each region of the skin that answers clearly, seconds."""
    found: list[float] = []
    for region in range(len(SKIN_REGIONS)):
        own, explained = measure_lag(track, shown, values=track.skin[:, region], near=lag)
        if own is not None and explained >= 0.3:
            found.append(own)
    return tuple(found)


def lag_signal(finding: LagFinding, settings: LagSettings) -> Signal:
    """What the times say; lateness alone says nothing."""
    if finding.lag is None or finding.explained < settings.least_explained:
        return not_assessed(name=_NAME, label=_LABEL, reason="no lag stands out: the answer is too weak")
    lag = finding.lag
    detail = [f"the face follows the screen by {1000 * lag:.0f} ms"]
    parts: list[float] = []
    if finding.jitter is not None:
        parts.append(_held(finding.jitter, settings.jitter))
        detail.append(f"from step to step this varies by {1000 * finding.jitter:.0f} ms")
    if finding.spread is not None:
        parts.append(_held(finding.spread, settings.between_regions))
        detail.append(f"between parts of the face by {1000 * finding.spread:.0f} ms")
    if lag < settings.least:
        return assessed(
            name=_NAME, label=_LABEL, score=0.05, detail="; ".join([*detail, "it came too early"])
        )
    if lag > settings.longest and min(parts, default=1.0) >= _NEITHER:
        detail.append("display and camera do not take so long, a slow network may")
        return not_assessed(name=_NAME, label=_LABEL, reason="; ".join(detail))
    if not parts:
        return not_assessed(name=_NAME, label=_LABEL, reason="; ".join([*detail, "too few steps to compare"]))
    return assessed(name=_NAME, label=_LABEL, score=min(parts), detail="; ".join(detail))


def _held(value: float, line: float) -> float:
    """1 for none, a half at the line, towards 0 beyond."""
    return 1 / (1 + (value / line) ** 2)


def _explained(screen: NDArray[np.float64], face: NDArray[np.float64]) -> float:
    """What each of the screen's colours explains of the same colour of the face, if it does so positively."""
    power = np.einsum("ij,ij->j", screen, screen)
    cross = np.einsum("ij,ij->j", screen, face)
    return float((np.maximum(cross, 0.0) ** 2 / np.maximum(power, 1e-9)).sum())


def _summit(gains: Sequence[float], best: int) -> float:
    """Where the parabola through the best and its neighbours peaks, in ticks from the best."""
    if not 0 < best < len(gains) - 1:
        return 0.0
    before, at, after = gains[best - 1 : best + 2]
    bend = before - 2 * at + after
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))


def _flicker(track: TrackView) -> float:
    """Noise of the face's light from frame to frame, from the median of second differences."""
    face = track.face[track.clean]
    if len(face) < 5:
        return math.inf
    bends = np.abs(face[2:] - 2 * face[1:-1] + face[:-2]).mean(axis=1)
    return float(np.median(bends)) / math.sqrt(6) / 0.8


def _half_way(times: NDArray[np.float64], progress: NDArray[np.float64], frame: float) -> float | None:
    """When ``progress`` steps up, seconds: the step, blurred over one frame, that fits it best."""
    candidates = np.arange(-0.2, 0.2001, 0.005)
    ramp = np.clip((times[None] - candidates[:, None]) / frame, 0, 1)
    ramp -= ramp.mean(axis=1, keepdims=True)
    values = progress - progress.mean()
    power = np.einsum("ij,ij->i", ramp, ramp)
    cross = ramp @ values
    gains = np.where(cross > 0, cross**2 / np.maximum(power, 1e-9), 0.0)
    gains[power < 0.2] = 0.0
    best = int(np.argmax(gains))
    total = float(values @ values)
    return float(candidates[best]) if total > 0 and gains[best] >= 0.5 * total else None
