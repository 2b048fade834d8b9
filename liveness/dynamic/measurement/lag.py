"""The delay of the face after the screen, by step and by region.

The claimed time of a colour's appearance is compared with the time at which the face shows it. A genuine
phone's display and camera add up to 350 ms, always the same, and all parts of a face are lit at once.
Computing the reflection takes additional time, which varies. Lateness alone proves nothing, because networks
and slow phones are also late. A lag that jitters, that differs between the regions of one face, or that is
earlier than the frames' time stamps explain (``earliest_lag``), is evidence, late or not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.track import Appearance, Drift, TrackView, fit_drift, light_at
from liveness.dynamic.sample import SKIN_REGIONS
from liveness.verdict import NEITHER, Signal, assessed, not_assessed

# Removes from each measurement the mean over the frames whose face points come from the same detection.
#
# Between two detections a face is followed, and each region's light is that of the same skin. At a detection
# the points jump, and with them the regions. This changes their light as much as a faint response does.

LEAST_LEFT: Final = 0.5
"""The share of a response that must remain without the means of the detections, so that its
time can be measured. If it coincides with a detection, little except noise remains."""


def centring_within_detections(detections: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the matrix that subtracts from each value the mean of its group; symmetric, shape (n, n).

    Args:
        detections: Shape (n,): the detection of each frame; see ``TrackView.detections``.
    """
    same = detections[:, None] == detections
    within: NDArray[np.float64] = np.eye(len(detections)) - same / same.sum(axis=1, keepdims=True)
    return within


# The earliest lag that a frame's time stamp explains.
#
# The device protocol defines a frame's capture time as the start of the exposure of its first row. The frame
# shows later light: the middle of the exposure of the face's rows is half of the exposure and up to the whole
# read-out later. On an honest device, the face therefore seems to respond early by as much. Other devices
# stamp the middle of the exposure, or the arrival at the app, and seem to respond later. No frame shows which
# convention a device follows, so all of them are accepted.
#
# The exposure and the read-out are the device's claims. Neither can be longer than the time between two
# frames, which limits what a false claim can gain. If a device states none, this longest time is assumed.


def earliest_lag(track: TrackView, *, margin: float) -> float:
    """Return the lag below which the response came before the colour, seconds; negative.

    Args:
        track: The scan's light.
        margin: How much earlier a measured lag may be than the time stamp explains, seconds.
    """
    frame = track.frame_seconds
    exposure, readout = _longest(track.exposure, frame), _longest(track.readout, frame)
    # ``light_at`` blurs a change over the frame that follows it, so a lag of 0 is half a frame late.
    return -(frame + exposure + readout) / 2 - margin


def _longest(stated: NDArray[np.float64], frame: float) -> float:
    """Return the median of the stated times, or the time of a frame if it is shorter or none is stated."""
    known = stated[np.isfinite(stated)]
    return min(frame, float(np.median(known))) if len(known) else frame


_EARLIEST: Final = -0.24
_LATEST: Final = 1.2
"""The range of lags that are searched, seconds. It begins with the earliest that a time stamp explains at 8
frames a second (``earliest_lag``), and goes far beyond ``LagSettings.longest``, so that a late response
is recognised and does not count as that to another challenge."""

_TICK: Final = 0.02
_COARSE: Final[NDArray[np.float64]] = np.linspace(_EARLIEST, _LATEST, 25)
"""The coarse lags, every 0.06 s."""

_AROUND: Final[NDArray[np.float64]] = _TICK * np.arange(-2.0, 3.0)
"""The fine lags relative to the best coarse lag, or to the scan's, seconds."""

_CLEARLY: Final = 0.3
"""The share of a region's light that the screen's light must explain for the region's lag to count."""

_FEWEST: Final = 3
"""The least number of steps, or regions, whose lags can be compared."""

_NAME: Final = "flash_lag"
_LABEL: Final = "Time of the answer"

# The lag of a single step; set by hand on simulated scans:
_STEP_CLEAR: Final = 8.0
"""The least change over the noise from frame to frame."""
_STEP_SECONDS: Final = 0.3
"""The time before and after a change that is measured, seconds."""
_BEFORE_NEXT: Final = 0.03
"""The time before the next change that is left out, seconds, because a frame blurs over it."""
_STEP_FRAMES: Final = 6
_OWN: Final[NDArray[np.float64]] = np.arange(-0.2, 0.2001, 0.005)
"""The lags that are searched, relative to the scan's, seconds."""
_OWN_SEEN: Final = 0.2
"""The least power of the change that must remain without the means of the detections, in frames."""
_OWN_EXPLAINED: Final = 0.5
"""The share of the face's change that the lag must explain."""
_FLICKER_FRAMES: Final = 5
_BEND_VARIANCE: Final = 6
"""The variance of second differences over that of independent errors: 1 + 4 + 1."""
_MEAN_OF_NORMAL: Final = 0.8
"""The mean of a normal variable's absolute value, in standard deviations."""


@dataclass(frozen=True, slots=True)
class LagSettings:
    """Lines of the lag; seconds.

    Attributes:
        longest: The lag above which display and camera do not explain it.
        early: How much earlier a response may be than the frames' time stamps explain.
        jitter: The deviation between steps that counts for neither side.
        between_regions: The deviation between regions of the face that counts for neither side.
        least_explained: The share of the face's variance that the best lag must explain.
        usual: The lag that is assumed if none stands out.
        early_score: The score, 0..1, of a response that came before the colour.
    """

    longest: float
    early: float
    jitter: float
    between_regions: float
    least_explained: float
    usual: float
    early_score: float


@dataclass(frozen=True, slots=True)
class LagFinding:
    """The delay with which the face responds, and its variation.

    Attributes:
        lag: The best lag over the scan, seconds; ``None`` if no lag stands out.
        explained: The share of the face's variance that the lag explains, 0..1.
        jitter: Deviation of the steps' own lags, seconds; ``None`` if fewer than three are measurable.
        spread: Deviation of the regions' lags, seconds; ``None`` likewise.
    """

    lag: float | None
    explained: float
    jitter: float | None
    spread: float | None

    @property
    def comparable(self) -> bool:
        """Whether the lags of steps or of regions could be measured and compared."""
        return self.jitter is not None or self.spread is not None


def measure_lag(track: TrackView, shown: Sequence[Appearance]) -> tuple[float | None, float]:
    """Return the lag at which the screen's light best explains the face's.

    Returns:
        The lag in seconds, ``None`` if too little was measured; and the share that it explains.
    """
    if len(shown) < 2:
        return None, 0.0
    rows = np.flatnonzero(_usable(track, shown, track.face))
    search = _Search.over(track, shown, rows)
    if search is None:
        return None, 0.0
    face = search.drift.clear(track.face[rows])
    near = float(_COARSE[np.argmax(_gains(search.screens(_COARSE), face))])
    lags = near + _AROUND
    return _best(lags, search.screens(lags), face)


def find_lag(
    track: TrackView,
    shown: Sequence[Appearance],
    matrix: NDArray[np.float64],
    *,
    lag: float,
    explained: float,
) -> LagFinding:
    """Measure the variation of the lag.

    Args:
        track: The scan's light.
        shown: The steps on the screen.
        matrix: ``Response.matrix``.
        lag: The lag of the scan, seconds.
        explained: The share of the face's variance that it explains.
    """
    steps = [own for _, own in step_lags(track, shown, matrix, lag=lag)]
    regions = region_lags(track, shown, lag=lag)
    return LagFinding(
        lag=lag,
        explained=explained,
        jitter=float(np.std(steps)) if len(steps) >= _FEWEST else None,
        spread=float(np.std(regions)) if len(regions) >= _FEWEST else None,
    )


def step_lags(
    track: TrackView, shown: Sequence[Appearance], matrix: NDArray[np.float64], *, lag: float
) -> tuple[tuple[int, float], ...]:
    """Return each flat step's own lag as (number of the step, seconds).

    Args:
        track: The scan's light.
        matrix: ``Response.matrix``.
        lag: The lag of the scan, seconds.
    """
    found: list[tuple[int, float]] = []
    noise = _flicker(track)
    for before, one in pairwise(shown):
        if one.step.transition_seconds > 0:
            continue
        change = (one.step.colour.linear - before.step.colour.linear) @ matrix.T
        power = float(change @ change)
        if power <= 0 or math.sqrt(power) < _STEP_CLEAR * noise:
            continue
        middle = one.at + lag
        rows = np.flatnonzero(track.clean & (np.abs(track.times - middle) <= _STEP_SECONDS))
        rows = rows[(track.times[rows] > before.at + before.step.transition_seconds + lag)]
        following = [other.at for other in shown if other.at > one.at]
        if following:
            rows = rows[track.times[rows] < following[0] + lag - _BEFORE_NEXT]
        if len(rows) < _STEP_FRAMES:
            continue
        within = centring_within_detections(track.detections[rows])
        when = _half_way(
            track.times[rows] - middle, track.face[rows] @ change / power, within, frame=track.frame_seconds
        )
        if when is not None:
            found.append((one.step.number, lag + when))
    return tuple(found)


def region_lags(track: TrackView, shown: Sequence[Appearance], *, lag: float) -> tuple[float, ...]:
    """Return the lag of each skin region with a clear response, seconds; within 0.04 s of the scan's."""
    if len(shown) < 2:
        return ()
    usable = [_usable(track, shown, track.skin[:, region]) for region in range(len(SKIN_REGIONS))]
    lags = lag + _AROUND
    found: dict[int, float] = {}
    # Mostly all regions are measured in the same frames, and then one search serves them all.
    for frames in {region.tobytes(): region for region in usable}.values():
        rows = np.flatnonzero(frames)
        search = _Search.over(track, shown, rows)
        if search is None:
            continue
        screens = search.screens(lags)
        for region in [place for place, seen in enumerate(usable) if np.array_equal(seen, frames)]:
            own, explained = _best(lags, screens, search.drift.clear(track.skin[rows, region]))
            if own is not None and explained >= _CLEARLY:
                found[region] = own
    return tuple(found[region] for region in sorted(found))


def lag_signal(finding: LagFinding, settings: LagSettings, *, earliest: float) -> Signal:
    """Return the signal of the lag; it is not assessed for lateness alone.

    Args:
        earliest: The lag below which the response came before the colour, seconds (``earliest_lag``).
    """
    if finding.lag is None or finding.explained < settings.least_explained:
        return not_assessed(name=_NAME, label=_LABEL, reason="no lag stands out: the response is too weak")
    lag = finding.lag
    detail = [f"the face follows the screen by {1000 * lag:.0f} ms"]
    parts: list[float] = []
    if finding.jitter is not None:
        parts.append(_held(finding.jitter, settings.jitter))
        detail.append(f"from step to step this varies by {1000 * finding.jitter:.0f} ms")
    if finding.spread is not None:
        parts.append(_held(finding.spread, settings.between_regions))
        detail.append(f"between parts of the face by {1000 * finding.spread:.0f} ms")
    if lag < earliest:
        early = "; ".join([*detail, f"the frames' time stamps explain {1000 * earliest:.0f} ms at most"])
        return assessed(name=_NAME, label=_LABEL, score=settings.early_score, detail=early)
    if lag > settings.longest and min(parts, default=1.0) >= NEITHER:
        detail.append("display and camera do not take that long, but a slow network may")
        return not_assessed(name=_NAME, label=_LABEL, reason="; ".join(detail))
    if not parts:
        return not_assessed(name=_NAME, label=_LABEL, reason="; ".join([*detail, "too few steps to compare"]))
    return assessed(name=_NAME, label=_LABEL, score=min(parts), detail="; ".join(detail))


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """The search for the lag over the same frames, for many lags at once."""

    drift: Drift
    shown: Sequence[Appearance]
    times: NDArray[np.float64]
    frame: float

    @classmethod
    def over(cls, track: TrackView, shown: Sequence[Appearance], rows: NDArray[np.intp]) -> "_Search | None":
        """Create a search over these rows of the track; ``None`` if they are too few."""
        drift = fit_drift(track, rows)
        return None if drift is None else cls(drift, shown, track.times[rows], track.frame_seconds)

    def screens(self, lags: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the screen's light at each lag, cleared, shape (lags, n, 3)."""
        return self.drift.clear(light_at(self.shown, self.times - lags[:, None], blur=self.frame))


def _best(
    lags: NDArray[np.float64], screens: NDArray[np.float64], face: NDArray[np.float64]
) -> tuple[float | None, float]:
    """Return the lag that explains most and its share; ``None`` if there is no light to explain.

    Args:
        lags: Shape (lags,), a tick apart.
        screens: Shape (lags, n, 3), cleared.
        face: Shape (n, 3), cleared.
    """
    total = float((face**2).sum())
    if total <= 0:
        return None, 0.0
    gains = _gains(screens, face)
    best = int(np.argmax(gains))
    return float(lags[best]) + _TICK * _summit(gains, best), float(gains[best]) / total


def _gains(screens: NDArray[np.float64], face: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the part of the face's light that the screen explains, by colour, if positively.

    Args:
        screens: Shape (lags, n, 3), cleared.
        face: Shape (n, 3), cleared.

    Returns:
        Shape (lags,): the sum over the colours.
    """
    power = np.einsum("lij,lij->lj", screens, screens)
    cross = np.einsum("lij,ij->lj", screens, face)
    gains: NDArray[np.float64] = (np.maximum(cross, 0.0) ** 2 / np.maximum(power, 1e-9)).sum(axis=1)
    return gains


def _usable(track: TrackView, shown: Sequence[Appearance], light: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return a mask of the frames that show ``light`` undisturbed, from the first colour on."""
    return np.asarray(track.clean & np.isfinite(light).all(axis=1) & (track.times >= shown[0].at))


def _held(value: float, line: float) -> float:
    """Return a score: 1 for a deviation of 0, 0.5 at the line, and less beyond."""
    return 1 / (1 + (value / line) ** 2)


def _summit(gains: NDArray[np.float64], best: int) -> float:
    """Return the peak of the parabola through the best lag and its neighbours, in ticks from the best."""
    if not 0 < best < len(gains) - 1:
        return 0.0
    before, at, after = gains[best - 1 : best + 2].tolist()
    bend = before - 2 * at + after
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))


def _flicker(track: TrackView) -> float:
    """Return the noise of the face's light from frame to frame, from the median of second differences."""
    face = track.face[track.clean]
    if len(face) < _FLICKER_FRAMES:
        return math.inf
    bends = np.abs(face[2:] - 2 * face[1:-1] + face[:-2]).mean(axis=1)
    return float(np.median(bends)) / math.sqrt(_BEND_VARIANCE) / _MEAN_OF_NORMAL


def _half_way(
    times: NDArray[np.float64],
    progress: NDArray[np.float64],
    within: NDArray[np.float64],
    *,
    frame: float,
) -> float | None:
    """Return when ``progress`` rises, seconds, from the best fit of a step that is blurred over a frame.

    Values and steps are compared without the means of their detections (``within``). ``None`` if
    none fits well.
    """
    candidates = _OWN
    ramp = np.clip((times[None] - candidates[:, None]) / frame, 0, 1) @ within
    values = within @ progress
    power = np.einsum("ij,ij->i", ramp, ramp)
    cross = ramp @ values
    gains = np.where(cross > 0, cross**2 / np.maximum(power, 1e-9), 0.0)
    gains[(power < _OWN_SEEN) | (cross < LEAST_LEFT * power)] = 0.0
    best = int(np.argmax(gains))
    total = float(values @ values)
    return float(candidates[best]) if total > 0 and gains[best] >= _OWN_EXPLAINED * total else None
