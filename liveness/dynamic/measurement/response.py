"""Fits the matrix with which the face's colours respond to the screen's, and verifies steps by it.

In logarithms of linear light, the face responds to the screen's light L with ``M L``. M is nearly diagonal,
its diagonal is positive, and it is small if other light is strong. M is fitted over the whole scan by least
squares, regularised towards a multiple of the identity: little on the diagonal, because skin and room light
have colours, and much beside it, because nine free numbers would fit a few guessed colours too well. Then
every step is *classified*: with M fitted to the other steps, the colour of the palette is found that best
explains the measurements during the step. M must not adapt to the step that it classifies, so the step's own
frames are excluded as soon as there are enough others.

A step verifies its colour if the commanded one wins, if only by little: for a guess, each colour is as likely
to win. Only a *clear* answer, which stands out from noise, shows by itself that the face answers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.challenge.script import PALETTE, ScreenColour
from liveness.dynamic.measurement.track import Appearance, Drift, TrackView, fit_drift, light_at, number_at

_EYE = np.eye(3)
_LIGHTS = np.array([colour.linear for colour in PALETTE])
_FEWEST_OTHERS = 3
_SLOW_SHARE = 0.4
_APART = 0.1
"""The least difference of the linear light of two colours in some channel."""

_FAR = 2.0
"""The limit of residuals, in medians."""
_LIT = 1e-9
"""The least sum of squares of the screen's light that counts as light."""
_MOST_ALIKE = 0.9
"""The limit of the correlation of noise between neighbouring frames, because few frames do not determine
more."""
_LEAST_SHARE = 4
"""The divisor of the least response of a channel: at least a quarter of the mean of the three, whatever was
fitted."""


@dataclass(frozen=True, slots=True)
class ResponseSettings:
    """Lines of the response.

    Attributes:
        least_snr: The distance to the nearest other colour, in standard deviations of the noise, from which a
            step is measured clearly.
        margin: The difference of squared distances by which the commanded colour must explain a step better
            than every other colour to be clearly right.
        right_snr: The distance from which a step can be verified, below ``least_snr``.
        right_margin: The difference by which the commanded colour must explain a step better to verify it,
            below ``margin``.
        wrong_margin: The difference of squared distances by which another colour must explain the step better
            than the commanded one to contradict it. It is larger than ``margin``, so that noise does not
            count against the person.
        least_frames: The number of frames that must show a step fully.
        model_error: The difference of a genuine response from the prediction by M, as a share of the
            response, because cameras distort colours.
        ridge: The regularisation of M's diagonal towards its mean, as a share of the light's power.
        crosstalk_ridge: The same beside the diagonal, towards 0.
    """

    least_snr: float
    margin: float
    right_snr: float
    right_margin: float
    wrong_margin: float
    least_frames: int
    model_error: float
    ridge: float
    crosstalk_ridge: float


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """The face's response to one step.

    Attributes:
        frames: The number of frames that show it fully.
        snr: See ``ResponseSettings.least_snr``.
        agrees: True if the commanded colour explains the response best, False if another clearly does,
            ``None`` otherwise.
        clear: Whether ``agrees`` stands out from noise by itself.
        measured: The colour that explains the response best.
    """

    number: int
    frames: int
    snr: float
    agrees: bool | None
    clear: bool
    measured: ScreenColour


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """The face's response to the screen.

    Attributes:
        matrix: Shape (3, 3): M, logarithms of the face's light over the screen's linear light.
        strength: The mean of M's diagonal: the change of the face's light, as a logarithm, from a black
            screen to a white one. Negative if the face responds in the opposite direction.
        strength_error: The standard error of ``strength``.
        explained: The share of the face's variance, without drift, that M explains, 0..1.
        steps: The responses to all steps that enough frames show, in order, without the first step.
    """

    matrix: NDArray[np.float64]
    strength: float
    strength_error: float
    explained: float
    steps: tuple[StepAnswer, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Light without drift, its sums of products over all frames, and M's ridge, both of shape (3, 3)."""

    screen: NDArray[np.float64]
    face: NDArray[np.float64]
    drift: Drift
    ridge: NDArray[np.float64]
    gram: NDArray[np.float64]
    cross: NDArray[np.float64]

    def matrix(self) -> NDArray[np.float64]:
        """Return M by ridge regression towards the best multiple of the identity, shape (3, 3)."""
        return np.asarray(self._solved(self.gram[None], self.cross[None])[0], np.float64)

    def matrices(self, left_out: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
        """Return M without the frames of each of ``left_out``; shape (n, 3, 3)."""
        parts = [(self.screen[rows], self.face[rows]) for rows in left_out]
        grams = self.gram - np.stack([screen.T @ screen for screen, _ in parts])
        crosses = self.cross - np.stack([screen.T @ face for screen, face in parts])
        return self._solved(grams, crosses)

    def _solved(self, grams: NDArray[np.float64], crosses: NDArray[np.float64]) -> NDArray[np.float64]:
        powers = _traces(grams)
        lit = powers >= _LIT
        powers = np.where(lit, powers, 1.0)[:, None, None]
        scales = _traces(crosses)[:, None, None] / powers
        # Of each channel of the face a row, and of each channel of the screen its weight.
        weights = powers[..., None] / 3 * self.ridge[..., None] * _EYE
        towards = crosses.transpose(0, 2, 1) + powers / 3 * self.ridge * scales * _EYE
        solved = np.linalg.solve(grams[:, None] + weights, towards[..., None])[..., 0]
        return np.where(lit[:, None, None], solved, 0.0)


def _traces(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    # Of 3 x 3 matrices; ``np.trace`` takes five times as long.
    return np.asarray(matrices[:, 0, 0] + matrices[:, 1, 1] + matrices[:, 2, 2], np.float64)


def _trace(matrix: NDArray[np.float64]) -> float:
    return float(matrix[0, 0] + matrix[1, 1] + matrix[2, 2])


@dataclass(frozen=True, slots=True, eq=False)
class _Noise:
    """The noise of one frame, and how many frames count as one independent frame."""

    covariance: NDArray[np.float64]
    inflation: float

    def of_means(self, frames: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the covariances of means of ``frames`` neighbours, shape (n,); shape (n, 3, 3).

        Shadows and gains, common to all colours, change more slowly than a step, so a part of them remains.
        """
        slow = _SLOW_SHARE * float(self.covariance.mean())
        covariances: NDArray[np.float64] = (
            self.covariance * np.minimum(1.0, self.inflation / frames)[:, None, None] + slow
        )
        return covariances


def fit_response(
    track: TrackView,
    shown: Sequence[Appearance],
    *,
    lag: float,
    settings: ResponseSettings,
) -> Response | None:
    """Fit M and classify every step; return ``None`` if too little was measured.

    Args:
        track: The scan's light.
        shown: The steps on the screen.
        lag: The face's delay after ``shown``, seconds.
    """
    usable = track.clean & np.isfinite(track.face).all(axis=1)
    if len(shown) < 2:
        return None
    usable &= track.times >= shown[0].at + lag
    rows = np.flatnonzero(usable)
    drift = fit_drift(track, rows)
    if drift is None:
        return None
    times = track.times[rows] - lag
    frame = track.frame_seconds
    screen = drift.clear(light_at(shown, times, blur=frame))
    face = drift.clear_of_gain(track.face[rows], screen)
    fit = _Fit(
        screen=screen,
        face=face,
        drift=drift,
        ridge=np.where(_EYE > 0, settings.ridge, settings.crosstalk_ridge),
        gram=screen.T @ screen,
        cross=screen.T @ face,
    )
    matrix = fit.matrix()
    rest = face - screen @ matrix.T
    held = _held(rest)
    noise = _Noise(_covariance(held), inflation(held))
    place = number_at(shown, times, margin=frame)
    total = float((face**2).sum())
    strength = _trace(matrix) / 3
    power = float((screen**2).sum()) / 3
    error = math.sqrt(_trace(noise.covariance) / 3 * noise.inflation / max(power * 3, 1e-9))
    return Response(
        matrix=matrix,
        strength=strength,
        strength_error=error,
        explained=max(0.0, 1 - float((rest**2).sum()) / total) if total > 0 else 0.0,
        steps=_steps(fit, shown, place, noise, settings),
    )


def _held(rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Limit the size of residuals, so that a wrong step does not raise its own noise."""
    size = np.sqrt((rest**2).sum(axis=1))
    line = _FAR * max(float(np.median(size)), 1e-6)
    held: NDArray[np.float64] = rest * np.minimum(1.0, line / np.maximum(size, 1e-9))[:, None]
    return held


def _covariance(rest: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rest.T @ rest / max(1, len(rest)) + 1e-7 * _EYE, np.float64)


def inflation(rest: NDArray[np.float64]) -> float:
    """Return how many frames count as one independent frame: (1 + r) / (1 - r) for noise with correlation r.

    Args:
        rest: Shape (t, n): the residuals of n values over time.

    Returns:
        1 to 19.
    """
    power = float((rest**2).sum())
    if power <= 0 or len(rest) < 3:
        return 1.0
    following = float((rest[1:] * rest[:-1]).sum()) / power
    held = min(_MOST_ALIKE, max(0.0, following))
    return (1 + held) / (1 - held)


def _steps(
    fit: _Fit,
    shown: Sequence[Appearance],
    place: NDArray[np.intp],
    noise: _Noise,
    settings: ResponseSettings,
) -> tuple[StepAnswer, ...]:
    counts = np.bincount(place + 1, minlength=len(shown) + 1)[1:]
    enough = counts >= settings.least_frames
    classified = [number for number in np.flatnonzero(enough).tolist() if number > 0]
    if not classified:
        return ()
    inside = [place == number for number in classified]
    many = np.count_nonzero(enough) > _FEWEST_OTHERS
    matrices = fit.matrices(inside) if many else np.repeat(fit.matrix()[None], len(classified), axis=0)
    return _answers(
        fit,
        [shown[number] for number in classified],
        inside,
        frames=counts[classified],
        matrices=matrices,
        noise=noise,
        settings=settings,
    )


def _answers(
    fit: _Fit,
    classified: Sequence[Appearance],
    inside: Sequence[NDArray[np.bool_]],
    *,
    frames: NDArray[np.intp],
    matrices: NDArray[np.float64],
    noise: _Noise,
    settings: ResponseSettings,
) -> tuple[StepAnswer, ...]:
    """Classify all steps at once, because numpy's overhead for a single step exceeds the computation."""
    diagonals = np.diagonal(matrices, axis1=1, axis2=2)
    # The share of a step's own light that remains without drift, because a part of it looks like drift.
    shares = np.array([fit.drift.share_left(rows) for rows in inside])[:, None]
    light = np.stack([fit.screen[rows].sum(axis=0) for rows in inside])
    seen = np.stack([fit.face[rows].sum(axis=0) for rows in inside])
    rest = (seen - (matrices @ light[..., None])[..., 0]) / frames[:, None]
    apart = _LIGHTS - np.stack([one.step.colour.linear for one in classified])[:, None]
    strengths = np.maximum(diagonals, np.maximum(0.0, _traces(matrices) / (3 * _LEAST_SHARE))[:, None])
    answered = apart @ matrices.transpose(0, 2, 1) * shares[..., None]
    still = noise.of_means(frames)
    spread = still + _EYE * ((settings.model_error * strengths * shares) ** 2)[:, None]
    weights, precise = np.linalg.inv(np.stack((spread, still)))
    missed = rest[:, None] - answered
    others = np.abs(apart).max(axis=2) > _APART
    distances = np.where(others, ((missed @ weights) * missed).sum(axis=2), np.inf)
    powers = np.where(others, ((answered @ precise) * answered).sum(axis=2), np.inf)
    own = (rest[:, None] @ weights @ rest[..., None])[:, 0, 0]
    margins = (distances.min(axis=1) - own).tolist()
    found = zip(
        classified,
        frames.tolist(),
        np.sqrt(powers.min(axis=1)).tolist(),
        (diagonals.min(axis=1) > 0).tolist(),
        margins,
        distances.argmin(axis=1).tolist(),
        strict=True,
    )
    return tuple(
        StepAnswer(
            number=one.step.number,
            frames=count,
            snr=snr,
            agrees=_agrees(margin, snr, settings) if positive else None,
            clear=positive and _is_clear(margin, snr, settings),
            measured=one.step.colour if margin > 0 else PALETTE[best],
        )
        for one, count, snr, positive, margin, best in found
    )


def _is_clear(margin: float, snr: float, settings: ResponseSettings) -> bool:
    decided = margin >= settings.margin or margin <= -settings.wrong_margin
    return decided and snr >= settings.least_snr


def _agrees(margin: float, snr: float, settings: ResponseSettings) -> bool | None:
    if margin >= settings.right_margin and snr >= settings.right_snr:
        return True
    return False if margin <= -settings.wrong_margin and snr >= settings.least_snr else None
