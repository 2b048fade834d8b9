"""The light of skin and background over a flash scan, and the screen's light at the same times.

Changes of the face's light that camera, hand and room cause, not the screen, are removed. A camera multiplies
all light by gains that drift: exposure, common to all colours, and white balance, one for each colour. In
logarithms they add, so they are fitted and subtracted, as these terms:

* the change of the background beyond its response to the screen, which the face shares by a fitted factor of
  0 to 1;
* a leaky integral of the face's lightness, on which an exposure loop acts while it counteracts the flash;
* the head's position and pose, which change how other light falls on it;
* a constant and a slope in time.

The screen's light goes through the same projection, so that both remain comparable (Frisch, Waugh and
Lovell). This requires no metadata of the camera and relies on none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from formats.exposure import ExposureClaim
from liveness.dynamic.challenge.script import ColourStep
from liveness.dynamic.sample import SKIN_REGIONS, FlashSample, Region

MOST_SAMPLES: Final = 600
"""The most frames of a track; later ones are ignored. A scan has at most 240."""

_FIRST = 64
_DARKEST: Final = 2e-4
_FASTEST: Final = 1.5
"""The fastest movement of a face whose light is measured, face widths per second."""
_LEAP: Final = 0.25
_LEAP_APART: Final = 0.08
"""The least change of the background from one frame to the next, and its largest difference from the face's,
as logarithms."""
_FEWEST_REGIONS: Final = 3
_POSE: Final = 5
_FACE_WIDTH: Final = 2.15
"""The width of a face, eye distances."""
_GAIN_SECONDS: Final = 0.8
"""The time constant of the leaky integral that models a camera's exposure loop, seconds. Such loops react in
0.2 to 1 s."""
_USUAL_FRAME: Final = 1 / 30
"""The time between frames that is assumed if there are too few, seconds."""
_SHORTEST: Final = 1e-3
"""The least time between two frames, seconds, whatever their clock states."""
_FORGOTTEN: Final = 10.0
"""The time after which nothing is left of the integral, seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackView:
    """The track so far. Light is the natural logarithm of linear light (red, green, blue).

    Attributes:
        times: Shape (t,): capture times, seconds on the device's clock, rising.
        arrivals: Shape (t,): arrival times, seconds on the server's monotonic clock.
        claims: Shape (t,): the steps that the device claims were on display.
        since: Shape (t,): the claimed times of their appearance; NaN if not stated.
        exposure: Shape (t,): the claimed exposure times, seconds; NaN if not stated.
        readout: Shape (t,): the claimed times from the first row's exposure to the last row's; NaN likewise.
        skin: Shape (t, 5, 3): the light of each of ``SKIN_REGIONS``; NaN if not measured.
        face: Shape (t, 3): the mean over the regions, each relative to its median over time; NaN if fewer
            than three regions were measured.
        background: Shape (t, 3): the light beside the face; NaN if not measured.
        integral: Shape (t,): the leaky integral of the face's lightness over time, seconds.
        pose: Shape (t, 5): the face's position (x, y, in face widths) and the logarithm of its eye distance
            in pixels; and the nose's offset from the middle between the eyes (across, down, in eye
            distances). NaN without a face.
        speed: Shape (t,): the speed of the face since the frame before, face widths per second; NaN without a
            face.
        seen: Shape (t,): whether the face was measured.
        detections: Shape (t,): the number of detections so far that came after following. At each, the points
            jump, and with them the skin whose light is measured.
        leapt: Shape (t,): whether the brightness of face and background changed together, at once.
        clean: Shape (t,): whether the face was measured, did not leap, and did not move too fast.
        frame_seconds: The median time between two frames; 1/30 s if there are too few.
        round_trip: The stream's round trip by the server's clock, seconds; 0 if it is not known.
        waited: Shape (t, 2): when each frame waited for the server's credit, from and until, on the clock of
            the arrivals; NaN if it did not.
    """

    times: NDArray[np.float64]
    arrivals: NDArray[np.float64]
    claims: NDArray[np.intp]
    since: NDArray[np.float64]
    exposure: NDArray[np.float64]
    readout: NDArray[np.float64]
    skin: NDArray[np.float64]
    face: NDArray[np.float64]
    background: NDArray[np.float64]
    integral: NDArray[np.float64]
    pose: NDArray[np.float64]
    speed: NDArray[np.float64]
    seen: NDArray[np.bool_]
    detections: NDArray[np.intp]
    leapt: NDArray[np.bool_]
    clean: NDArray[np.bool_]
    frame_seconds: float
    round_trip: float
    waited: NDArray[np.float64]

    @property
    def moved(self) -> NDArray[np.bool_]:
        """Shape (t,): whether the face moved too fast for its light to be measured."""
        return self.speed > _FASTEST


class FlashTrack:
    """Collects samples in order of capture; ignores a sample that is out of order."""

    def __init__(self) -> None:
        self._count = 0
        self._scalars = np.zeros((_FIRST, 11))
        self._skin = np.zeros((_FIRST, len(SKIN_REGIONS), 3))
        self._background = np.zeros((_FIRST, 3))
        self._pose = np.zeros((_FIRST, _POSE))
        self._latest: FlashSample | None = None
        self._level = math.nan
        self._view: TrackView | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def latest_capture(self) -> float:
        """The capture time of the last sample; minus infinity before the first."""
        return -math.inf if self._latest is None else self._latest.capture_time

    def append_sample(self, sample: FlashSample) -> bool:
        """Add the next sample; return False if it is out of order, not finite, or one too many."""
        if self._count >= MOST_SAMPLES or not sample.capture_time > self.latest_capture:
            return False
        if not (math.isfinite(sample.capture_time) and math.isfinite(sample.arrival_time)):
            return False
        if self._count == len(self._scalars):
            self._scalars = np.concatenate([self._scalars, np.zeros_like(self._scalars)])
            self._skin = np.concatenate([self._skin, np.zeros_like(self._skin)])
            self._background = np.concatenate([self._background, np.zeros_like(self._background)])
            self._pose = np.concatenate([self._pose, np.zeros_like(self._pose)])
        row = self._count
        colours = sample.linear.tolist()
        self._skin[row] = [_logarithm(colours[region]) for region in SKIN_REGIONS]
        self._background[row] = _logarithm(colours[Region.BACKGROUND])
        pose = _pose(sample)
        self._pose[row] = pose
        since = math.nan if sample.step_since is None else sample.step_since
        self._scalars[row] = (
            sample.capture_time,
            sample.arrival_time,
            sample.step,
            since if math.isfinite(since) else math.nan,
            self._integral(row, sample),
            self._speed(row, pose, sample),
            sample.followed,
            *_exposed(sample.exposure),
            *(sample.waited or (math.nan, math.nan)),
        )
        self._latest = sample
        self._count += 1
        self._view = None
        return True

    def view(self) -> TrackView:
        """Return the track so far."""
        if self._view is None:
            count = self._count
            scalars, skin = self._scalars[:count], self._skin[:count]
            face = _face(skin)
            seen = np.asarray(np.isfinite(face).all(axis=1))
            leapt = _leapt(face, self._background[:count])
            self._view = TrackView(
                times=scalars[:, 0],
                arrivals=scalars[:, 1],
                claims=scalars[:, 2].astype(np.intp),
                since=scalars[:, 3],
                exposure=scalars[:, 7],
                readout=scalars[:, 8],
                skin=skin,
                face=face,
                background=self._background[:count],
                integral=scalars[:, 4],
                pose=self._pose[:count],
                speed=scalars[:, 5],
                seen=seen,
                detections=_count_detections(scalars[:, 6] > 0),
                leapt=leapt,
                clean=seen & ~leapt & ~(scalars[:, 5] > _FASTEST),
                frame_seconds=float(np.median(np.diff(scalars[:, 0]))) if count > 2 else _USUAL_FRAME,
                round_trip=0.0 if self._latest is None else self._latest.round_trip,
                waited=scalars[:, 9:11],
            )
        return self._view

    def _speed(self, row: int, pose: tuple[float, ...], sample: FlashSample) -> float:
        """Return the speed since the last sample, face widths per second; NaN if one of both has no face."""
        if self._latest is None:
            return math.nan
        passed = max(sample.capture_time - self._latest.capture_time, _SHORTEST)
        x, y = self._pose[row - 1, :2].tolist()
        return math.hypot(pose[0] - float(x), pose[1] - float(y)) / passed

    def _integral(self, row: int, sample: FlashSample) -> float:
        """Return the leaky integral of the lightness relative to the first measured one."""
        finite = [value for value in self._skin[row].ravel().tolist() if math.isfinite(value)]
        before = float(self._scalars[row - 1, 4]) if row else 0.0
        if not finite or self._latest is None:
            return before
        now = sum(finite) / len(finite)
        if math.isnan(self._level):
            self._level = now
        passed = sample.capture_time - self._latest.capture_time
        kept = math.exp(-min(passed, _FORGOTTEN) / _GAIN_SECONDS)
        return float(before * kept + (now - self._level) * _GAIN_SECONDS * (1 - kept))


def _exposed(claim: ExposureClaim | None) -> tuple[float, float]:
    """Return the claimed exposure time and read-out, seconds; NaN for each that is not stated."""
    times = (None, None) if claim is None else (claim.exposure_seconds, claim.readout_seconds)
    exposure, readout = (math.nan if time is None or not 0 < time < math.inf else time for time in times)
    return exposure, readout


def _logarithm(colour: list[float]) -> list[float]:
    """Return the channels' natural logarithms, at least ``_DARKEST``'s; NaN for a colour near black."""
    # Plain floats: an array of three costs ten times as much.
    if not all(map(math.isfinite, colour)) or max(colour) < _DARKEST:
        return [math.nan] * len(colour)
    return [math.log(max(channel, _DARKEST)) for channel in colour]


def _pose(sample: FlashSample) -> tuple[float, ...]:
    """Return a row of ``TrackView.pose``."""
    if sample.face is None or not np.isfinite(sample.face.five_points).all():
        return (math.nan,) * _POSE
    (left_x, left_y), (right_x, right_y), (nose_x, nose_y), *mouth = sample.face.five_points.tolist()
    along_x, along_y = right_x - left_x, right_y - left_y
    size = max(1.0, math.hypot(along_x, along_y))
    out_x, out_y = nose_x - (left_x + right_x) / 2, nose_y - (left_y + right_y) / 2
    x = (left_x + right_x + nose_x + sum(point[0] for point in mouth)) / 5
    y = (left_y + right_y + nose_y + sum(point[1] for point in mouth)) / 5
    return (
        x / (_FACE_WIDTH * size),
        y / (_FACE_WIDTH * size),
        math.log(size),
        (out_x * along_x + out_y * along_y) / size**2,
        (along_x * out_y - along_y * out_x) / size**2,
    )


def _count_detections(followed: NDArray[np.bool_]) -> NDArray[np.intp]:
    anew = np.zeros(len(followed), np.intp)
    anew[1:] = followed[:-1] & ~followed[1:]
    return np.cumsum(anew)


def _leapt(face: NDArray[np.float64], background: NDArray[np.float64]) -> NDArray[np.bool_]:
    leapt = np.zeros(len(face), np.bool_)
    if len(face) > 1:
        ours, theirs = np.diff(face.mean(axis=1)), np.diff(background.mean(axis=1))
        leapt[1:] = (np.abs(theirs) > _LEAP) & (np.abs(ours - theirs) < _LEAP_APART)
    return leapt


def _face(skin: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(skin):
        return np.zeros((0, 3))
    seen = np.isfinite(skin[:, :, 0])
    # NaN sorts last, so the median of the measured values is at the middle of their count.
    middle = np.maximum(seen.sum(axis=0) - 1, 0) // 2
    reference = np.take_along_axis(np.sort(skin, axis=0), middle[None, :, None], axis=0)
    count = seen.sum(axis=1)
    total = np.where(seen[..., None], skin - reference, 0.0).sum(axis=1)
    face: NDArray[np.float64] = total / np.maximum(count, 1)[:, None]
    face[count < _FEWEST_REGIONS] = np.nan
    return face


@dataclass(frozen=True, slots=True)
class Sent:
    """A step that the server sent.

    Attributes:
        at: When it was sent, seconds on the server's monotonic clock; when it was drawn, until that is known.
        after_capture: The capture time of the last frame that had arrived by then, seconds on the device's
            clock; the step cannot have been on display before. Minus infinity without such a frame.
    """

    step: ColourStep
    at: float
    after_capture: float


@dataclass(frozen=True, slots=True)
class Appearance:
    """A step that a frame claims to show.

    Attributes:
        at: The time of its appearance, seconds on the device's clock: the claim, corrected by the order of
            events.
        early: By how much the claim precedes the time at which the step can have appeared, seconds; 0 for an
            honest device.
    """

    step: ColourStep
    at: float
    early: float


def appearances(track: TrackView, sent: Sequence[Sent]) -> tuple[Appearance, ...]:
    """Return when each step appeared, as the device claims and the order of events allows.

    A step cannot appear before the last frame that had arrived when it was sent, nor before its predecessor,
    nor after the first frame that claims it. Steps that no frame claims are left out.
    """
    found: list[Appearance] = []
    earliest = -math.inf
    for one in sent:
        rows = np.flatnonzero(track.claims == one.step.number)
        if not len(rows):
            continue
        first = float(track.times[rows[0]])
        claimed = track.since[rows]
        claimed = claimed[np.isfinite(claimed)]
        claim = float(claimed[0]) if len(claimed) else first
        at = min(max(claim, one.after_capture, earliest), first)
        if at <= earliest:
            continue
        found.append(Appearance(step=one.step, at=at, early=max(0.0, one.after_capture - claim)))
        earliest = at
    return tuple(found)


def light_at(
    shown: Sequence[Appearance], times: NDArray[np.float64], *, blur: float = 0.0
) -> NDArray[np.float64]:
    """Return the screen's light at ``times``.

    Args:
        shown: The steps in order of appearance; at least one.
        times: Shape (..., t), seconds on the device's clock.
        blur: The time over which exposure and refresh blur a change, seconds.

    Returns:
        Shape (..., t, 3), linear (red, green, blue), 0..1; the first step's light before the first step.
    """
    colours = np.array([one.step.colour.linear for one in shown])
    starts = np.array([one.at for one in shown])
    lengths = np.array([one.step.transition_seconds for one in shown]) + max(blur, 1e-6)
    into = np.clip((times[..., None] - starts[1:]) / lengths[1:], 0, 1)
    light: NDArray[np.float64] = colours[0] + into @ np.diff(colours, axis=0)
    return light


def number_at(shown: Sequence[Appearance], times: NDArray[np.float64], *, margin: float) -> NDArray[np.intp]:
    """Return the index in ``shown`` of the step that fills the screen at each of ``times``.

    Args:
        shown: The steps in order of appearance; at least one.
        times: Shape (t,), seconds on the device's clock.
        margin: The time after each change that counts as part of the change, seconds. Half of this time
            before the change counts as part of it, too.

    Returns:
        Shape (t,); -1 before the first step and during changes.
    """
    starts = np.array([one.at for one in shown])
    lengths = np.array([one.step.transition_seconds for one in shown])
    place = np.searchsorted(starts, times, side="right") - 1
    settled = np.maximum(place, 0)
    changes = times < starts[settled] + lengths[settled] + margin
    follows = np.minimum(settled + 1, len(starts) - 1)
    ends = (follows > settled) & (times > starts[follows] - margin / 2)
    return np.where((place < 0) | changes | ends, -1, place)


_FEWEST_ROWS = 12
_EYE = np.eye(3)
_NEIGHBOURS = 3
_MOST_SHARED = 1.0
_MOST_COLOUR = 0.5
"""The largest change of the background's colours beyond the screen's, over the face's response, that counts
as the camera's gain. A larger one is another light. If it were removed from the face, the rest of any other
flash would fit this one: of 80 runs with a recording from the dark, before a near wall, 20 verified 12
bits."""
_MOSTLY_SEEN = 0.8
"""The share of the frames that must show the background. A hand or a bright window may hide it in a few."""
_INDEPENDENT = 1e-6
"""The singular value, over the largest, above which a column is independent of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """A projection that keeps only changes that the screen can have caused.

    Attributes:
        rows: Shape (n,): the frames to which it applies, as rows of the track.
        basis: Shape (n, k), orthonormal: the changes that are removed.
        gain: Shape (n, 3): the camera's gains by the background, already cleared; 0 without a background.
    """

    rows: NDArray[np.intp]
    basis: NDArray[np.float64]
    gain: NDArray[np.float64]

    def clear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``values``, shape (..., n, m), without drift."""
        cleared: NDArray[np.float64] = values - self.basis @ (self.basis.T @ values)
        return cleared

    def share_left(self, inside: NDArray[np.bool_]) -> float:
        """Return how much clearing leaves of a light that is on only in the frames ``inside``, 0..1."""
        held = self.basis[inside].sum(axis=0)
        count = int(np.count_nonzero(inside))
        return (count - float(held @ held)) / count

    def clear_of_gain(self, values: NDArray[np.float64], screen: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``values``, shape (n, 3), without drift and without the gains that the background shows.

        Args:
            values: Logarithms of light.
            screen: Shape (n, 3): the screen's light, cleared. The background's response to it is not a gain
                and is not removed.
        """
        cleared = self.clear(values)
        if not self.gain.any():
            return cleared
        gain = _without(self.gain, screen)
        rest = _without(cleared, screen)
        if _colour_power(gain) > _MOST_COLOUR * _colour_power(cleared - rest):
            gain = np.repeat(gain.mean(axis=1, keepdims=True), gain.shape[1], axis=1)
        power = np.einsum("ij,ij->j", gain, gain)
        shared = np.einsum("ij,ij->j", gain, rest) / np.maximum(power, 1e-12)
        adjusted: NDArray[np.float64] = cleared - np.clip(shared, 0.0, _MOST_SHARED) * gain
        return adjusted


def fit_drift(track: TrackView, rows: NDArray[np.intp]) -> Drift | None:
    """Return the drift over ``rows`` of the track, which must be clean; ``None`` if they are too few."""
    if len(rows) < _FEWEST_ROWS:
        return None
    times = track.times[rows]
    span = max(float(times[-1] - times[0]), 1e-3)
    columns = np.concatenate(
        [
            np.stack([np.ones(len(rows)), (times - times[0]) / span - 0.5, track.integral[rows]], axis=1),
            _smooth(track.pose[rows]),
        ],
        axis=1,
    )
    columns[:, 1:] -= columns[:, 1:].mean(axis=0)
    columns /= np.maximum(np.sqrt((columns**2).mean(axis=0)), 1e-6)
    basis, weights, _ = np.linalg.svd(columns, full_matrices=False)
    basis = basis[:, weights > _INDEPENDENT * weights[0]]
    gain = np.zeros((len(rows), 3))
    background = _filled(times, track.background[rows])
    if background is not None:
        gain = background - basis @ (basis.T @ background)
    return Drift(rows=rows, basis=basis, gain=gain)


def _filled(times: NDArray[np.float64], background: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the background, interpolated over frames that hide it; ``None`` if too many frames hide it."""
    seen = np.isfinite(background).all(axis=1)
    if seen.all():
        return background
    if seen.mean() < _MOSTLY_SEEN:
        return None
    colours = [np.interp(times, times[seen], background[seen, colour]) for colour in range(3)]
    return np.stack(colours, axis=1)


def _smooth(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over neighbouring frames, because a detector's points jitter and the light does not."""
    seen = np.isfinite(pose)
    mean = np.where(seen, pose, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    filled = np.where(seen, pose - mean, 0.0)
    sums = np.concatenate([np.zeros((1, filled.shape[1])), filled.cumsum(axis=0)])
    ends = np.minimum(np.arange(len(pose)) + _NEIGHBOURS + 1, len(pose))
    starts = np.maximum(np.arange(len(pose)) - _NEIGHBOURS, 0)
    means: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)[:, None]
    return means


def _colour_power(values: NDArray[np.float64]) -> float:
    """Return the sum of squares of the part that is not common to all colours."""
    return float(((values - values.mean(axis=1, keepdims=True)) ** 2).sum())


def _without(values: NDArray[np.float64], screen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``values`` without the part that ``screen`` explains, column by column."""
    gram = screen.T @ screen + 1e-9 * _EYE
    rest: NDArray[np.float64] = values - screen @ np.linalg.solve(gram, screen.T @ values)
    return rest
