"""The surface under the screen's light: four signals that are measured together and depend on each other.

The aligned face is divided into cells, which respond to the screen unevenly. The measured differences between
cells include errors: noise, and the change of light on a head that turns while a colour is shown. The latter
lasts as long as the colour, so more frames do not average it out. But the errors of different steps are
independent. Therefore only products of the responses to two different steps are summed, in which the errors
have mean zero (cross-validated distances: Walther et al., NeuroImage 137, 2016).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.challenge.script import LOW
from liveness.dynamic.measurement.lag import LagFinding
from liveness.dynamic.measurement.response import Response, inflation
from liveness.dynamic.measurement.track import Appearance, Drift, TrackView, fit_drift, light_at, number_at
from liveness.dynamic.sample import FlashSample, Region, encode
from liveness.verdict import NEITHER, Signal, assessed, not_assessed

NO_ANSWER: Final = "no response by which parts of the face can be compared"
ALL_ALIKE: Final = "the screen is nearly all the light there is, and every part responds alike"
"""The reasons why the comparison of cells is not assessed."""

_ROWS, _COLUMNS = slice(1, 15), slice(3, 13)
_SIZE = (14, 10)
_FEWEST_CELLS = 60
_CELL_MOSTLY_SEEN = 0.9
_FEWEST_CELL_STEPS = 3
_BLACK = 3e-4
"""The least linear light. Less counts as this value, so that it has a logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceCells:
    """The face's cells over the frames in which the screen's light was measured.

    Attributes:
        drift: The drift that camera, hand and room cause in these frames, which are its rows.
        screen: Shape (n, 3): the screen's linear light, cleared of drift.
        steps: Shape (n,): the step on display, as its place in the list of steps; -1 during a change.
        light: Shape (n, k, 3): the linear light of each cell; its mean over time where it was not measured.
        answers: Shape (n, k, 3): the logarithm of ``light``, cleared of drift.
        places: Shape (k, 2): row and column of each cell.
    """

    drift: Drift
    screen: NDArray[np.float64]
    steps: NDArray[np.intp]
    light: NDArray[np.float64]
    answers: NDArray[np.float64]
    places: NDArray[np.intp]

    def clear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``values``, shape (n, k, 3), without their mean and their drift."""
        return _cleared(self.drift, values)

    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how the cells' 8-bit values change, and the part of their mean that the screen explains.

        Both are cleared of drift; shapes (n, k, 3) and (n, 3).
        """
        changes = self.clear(encoded_values(self.light))
        drive = self.screen @ np.linalg.lstsq(self.screen, changes.mean(axis=1), rcond=None)[0]
        return changes, drive

    def errors(
        self, drive: NDArray[np.float64], answers: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the standard error of each cell's response to ``drive``; shape (k,).

        Args:
            drive: Shape (n, 3); not 0 everywhere.
            answers: Shape (n, k, 3), cleared of drift; ``self.answers`` if ``None``.
        """
        seen = self.answers if answers is None else answers
        power = float((drive**2).sum())
        shares = np.einsum("tc,tkc->k", drive, seen) / power
        rest = seen - shares[None, :, None] * drive[:, None, :]
        # Two frames count as one independent frame, because motion is slower than the frames.
        return np.asarray(np.sqrt(2 * (rest**2).sum(axis=(0, 2)) / len(rest) / power), np.float64)


@dataclass(frozen=True, slots=True)
class Unevenness:
    """The unevenness of the cells' responses.

    Attributes:
        variance: The variance of the responses around the removed curve. Because errors are removed, it may
            be negative.
        error: The standard error of ``variance``, by leaving out one step at a time (jackknife).
    """

    variance: float
    error: float


def encoded_values(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 8-bit sRGB values (IEC 61966-2-1), 0..255, of linear light, 0..1."""
    return 255 * encode(np.clip(light, 0.0, 1.0))


def read_cells(
    samples: Sequence[FlashSample], track: TrackView, shown: Sequence[Appearance], *, lag: float
) -> FaceCells | None:
    """Return the cells; ``None`` if too little of the face or too few frames were measured.

    Args:
        samples: The frames of ``track``, one for each of its rows.
        track: The scan's light.
        shown: The steps on the screen.
        lag: The lag of the whole face, seconds.
    """
    rows = np.flatnonzero(track.clean & (track.times >= shown[0].at + lag))
    drift = fit_drift(track, rows)
    if drift is None:
        return None
    patches = np.stack([samples[row].patch[_ROWS, _COLUMNS] for row in rows.tolist()]).reshape(
        len(rows), -1, 3
    )
    whole = np.isfinite(patches).all(axis=2).mean(axis=0) > _CELL_MOSTLY_SEEN
    if int(whole.sum()) < _FEWEST_CELLS:
        return None
    seen = patches[:, whole].astype(np.float64)
    known = np.isfinite(seen)
    light = seen if known.all() else np.where(known, seen, np.nanmean(seen, axis=0))
    times = track.times[rows] - lag
    return FaceCells(
        drift=drift,
        screen=drift.clear(light_at(shown, times, blur=track.frame_seconds)),
        steps=number_at(shown, times, margin=0.0),
        light=light,
        answers=_cleared(drift, np.log(np.maximum(light, _BLACK))),
        places=np.argwhere(whole.reshape(_SIZE)),
    )


def _cleared(drift: Drift, values: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = (values - values.mean(axis=0)).reshape(len(values), -1)
    return drift.clear(flat).reshape(values.shape)


def measure_unevenness(
    drive: NDArray[np.float64],
    answers: NDArray[np.float64],
    steps: NDArray[np.intp],
    curve: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> Unevenness | None:
    """Return how unevenly cells respond to ``drive``; ``None`` if too few steps were shown.

    Args:
        drive: Shape (n, 3): the face's mean response that the screen predicts, cleared of drift.
        answers: Shape (n, k, 3): each cell's light, cleared of drift.
        steps: See ``FaceCells.steps``.
        curve: Shape (k, m): functions over the cells; the part of the responses that they explain is removed.
        weights: Shape (k,): the weights of the cells.
    """
    numbers = np.unique(steps)
    if len(numbers) < _FEWEST_CELL_STEPS:
        return None
    roots = np.sqrt(weights)
    taken_out = np.linalg.qr(curve * roots[:, None])[0]
    parts, powers = [], []
    for number in numbers.tolist():
        at = steps == number
        part = np.einsum("tc,tkc->k", drive[at], answers[at]) * roots
        parts.append(part - taken_out @ (taken_out.T @ part))
        powers.append(float((drive[at] ** 2).sum()))
    products, power = np.stack(parts) @ np.stack(parts).T, np.array(powers)
    everybody = np.ones(len(power), bool)
    variance = _between(products, power, everybody, weights)
    if variance is None:
        return None
    without = []
    for number in range(len(power)):
        left = everybody.copy()
        left[number] = False
        if (one := _between(products, power, left, weights)) is not None:
            without.append(one)
    spread = np.array(without) - np.mean(without) if without else np.zeros(0)
    shrink = (len(without) - 1) / len(without) if without else 0.0
    return Unevenness(variance=variance, error=math.sqrt(shrink * float((spread**2).sum())))


def _between(
    products: NDArray[np.float64],
    power: NDArray[np.float64],
    kept: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> float | None:
    """Return the variance from products of different steps; ``None`` if only one step has light."""
    own = products[np.ix_(kept, kept)]
    both = float(power[kept].sum() ** 2 - (power[kept] ** 2).sum())
    if both <= 0:
        return None
    return float(own.sum() - np.trace(own)) / both / float(weights.sum())


# The signal of a background that responds to the screen less than the face, because it is farther away.
#
# The screen's light falls off with the square of the distance, so a wall 1 to 3 m away gets less than a tenth
# of the light on the face. A pillow or a wall right behind the head gets much more, so the background alone
# never proves an attack. A picture that is tinted as a whole responds equally everywhere. In the dark, the
# screen is nearly all the light there is, and any background responds as the face does, so the signal is not
# assessed.
#
# Only colours are compared. A camera's exposure counteracts the flash, on the background as on the face, so
# the brightness of the background would respond too little, or negatively.

BACKGROUND = "flash_background"
_BACKGROUND_LABEL = "Background under the screen's light"
_FREE_COLOURS = 2
"""The degrees of freedom of the three colours without their mean."""


@dataclass(frozen=True, slots=True)
class BackgroundSettings:
    """Lines of the background.

    Attributes:
        share: The background's response, over the face's, that counts for neither side.
        steepness: The factor from the difference to log odds.
        strongest: The ``Response.strength`` above which the screen is nearly all the light there is.
        most_error: The ``BackgroundFinding.error`` above which the signal is not assessed.
    """

    share: float
    steepness: float
    strongest: float
    most_error: float


@dataclass(frozen=True, slots=True)
class BackgroundFinding:
    """The background's response over the face's.

    Attributes:
        share: 0 for no response, 1 for that of the face.
        error: The standard error of ``share``.
    """

    share: float
    error: float


def measure_background(
    track: TrackView, shown: Sequence[Appearance], response: Response, *, lag: float
) -> BackgroundFinding | None:
    """Return the background's response over the face's; ``None`` if one of them was not measured."""
    seen = track.clean & np.isfinite(track.background).all(axis=1) & (track.times >= shown[0].at + lag)
    rows = np.flatnonzero(seen)
    drift = fit_drift(track, rows)
    if drift is None or response.strength <= 0:
        return None
    screen = drift.clear(light_at(shown, track.times[rows] - lag, blur=track.frame_seconds))
    drive = _colour(screen @ response.matrix.T)
    power = float((drive**2).sum())
    if power <= 0:
        return None
    light = _colour(drift.clear(track.background[rows]))
    share = float((light * drive).sum()) / power
    rest = light - share * drive
    error = math.sqrt(float((rest**2).sum()) / (_FREE_COLOURS * len(rows)) * inflation(rest) / power)
    return BackgroundFinding(share=share, error=error)


def background_signal(
    finding: BackgroundFinding | None, strength: float, settings: BackgroundSettings
) -> Signal:
    """Return the signal of the background. A small response is normal and proves little."""
    if finding is None:
        return not_assessed(
            name=BACKGROUND, label=_BACKGROUND_LABEL, reason="no background is visible beside the face"
        )
    if finding.error > settings.most_error:
        reason = f"the error of its response is {100 * finding.error:.0f} % of the face's response, too large"
        return not_assessed(name=BACKGROUND, label=_BACKGROUND_LABEL, reason=reason)
    if strength > settings.strongest:
        reason = "the screen is nearly all the light there is, on the face and behind it"
        return not_assessed(name=BACKGROUND, label=_BACKGROUND_LABEL, reason=reason)
    odds = settings.steepness * (settings.share - finding.share)
    score = 1 / (1 + math.exp(-odds))
    error = f"standard error {100 * finding.error:.0f} %"
    detail = f"it responds {100 * finding.share:.0f} % as much as the face, {error}"
    return assessed(name=BACKGROUND, label=_BACKGROUND_LABEL, score=score, detail=detail)


def _colour(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logarithms less their mean over the colours. A camera's exposure does not change the result."""
    colour: NDArray[np.float64] = light - light.mean(axis=1, keepdims=True)
    return colour


# The signal of light on a surface with the shape of a face.
#
# Every cell of the aligned face has its own response to the screen: it depends on the cell's angle to the
# screen and its distance, relative to the other light on it. Its colour cancels out, because logarithms are
# compared. The responses of a face have two properties:
#
# * **They differ by much**, because a head's sides turn away from the screen and the other light comes from
#   above. A sheet or a tint responds nearly equally everywhere. The rows of the eyes do not count, because
#   spectacles mirror the screen. Nor does a linear change across the face, which a rotated sheet has.
# * **They differ unevenly**, because a head has a nose, brows and a chin. However near or bent a sheet is, a
#   quadratic curve over the face explains its responses completely.
#
# A colour laid over the frame (``OVERLAY``) may respond by the brightness of the frame, which is uneven too;
# another signal detects it. The same applies to a mirror image in glass (``GLARE``). With less other light,
# the responses differ less. Their differences are stretched to correct this; in the dark none are left to
# stretch.

SHAPE = "flash_shape"
_SHAPE_LABEL = "Shape under the screen's light"
_SPAN = 1 - LOW
"""The difference in linear light between a high and a low channel of the palette."""
_FAINTEST, _STRONGEST = 1e-3, 1.6
"""The limits of a response, as logarithms. The upper is below the 1.9 of a screen in the dark, where the
stretch is unbounded."""
_FLOOR, _PARTS_FLOOR = 0.03, 0.1
"""The least error of a cell, as a share of the mean response, for the relief and for the difference of
parts."""
_EYE_ROWS = (4, 6)
"""The first and the last row of ``FaceCells.places`` within a quarter of an eye distance of the eyes."""
_EVEN = 0.01
"""The least deviation of a response, so that it has a logarithm."""


@dataclass(frozen=True, slots=True)
class ShapeSettings:
    """Lines of the shape.

    Attributes:
        relief: The stretched ``ShapeFinding.relief`` that counts for neither side.
        even: The stretched ``ShapeFinding.uneven`` below which the light is that on a sheet or a tint.
        uneven: The same from which it is that on a head. Between the two are heads in even light and bent
            sheets: the signal then counts for neither side.
        steepness: The factor from the logarithm of ``relief`` or ``uneven``, whichever is lower, over its
            line to log odds.
        doubt: The least log odds by which a smooth response counts against a face.
        most_error: The stretched ``ShapeFinding.relief_error`` above which the signal is not assessed.
        strongest: The ``Response.strength`` above which the screen is nearly all the light there is. Every
            part then responds equally, whatever its shape, and a face may look smooth.
        sure: The score below which the light is not on a face, if the background's signal is assessed.
    """

    relief: float
    even: float
    uneven: float
    steepness: float
    doubt: float
    most_error: float
    strongest: float
    sure: float


@dataclass(frozen=True, slots=True)
class ShapeFinding:
    """How the responses of parts of the face differ, relative to its mean response and without errors.

    Attributes:
        relief: The standard deviation of the cells' responses from the best quadratic curve over their
            places, which describes a bent sheet; 0 for a smooth response.
        relief_error: The relief that a smooth response may appear to have: the root of the standard error of
            its square.
        uneven: The standard deviation of the cells' responses, without the rows of the eyes and without a
            linear change across the face; 0 if all respond equally, 1.7 if a quarter of the face gives the
            whole response.
        uneven_error: As ``relief_error``, for ``uneven``.
        stretch: The factor by which the differences would be larger under strong other light, which does not
            compress them; 1 or more.
    """

    relief: float
    relief_error: float
    uneven: float
    uneven_error: float
    stretch: float


def measure_shape(cells: FaceCells, response: Response) -> ShapeFinding | None:
    """Measure the shape; return ``None`` if there is no response."""
    drive = cells.screen @ response.matrix.T
    if not drive.any() or response.strength <= 0:
        return None
    errors = cells.errors(drive)
    rows = cells.places[:, 0]
    beside = (rows < _EYE_ROWS[0]) | (rows > _EYE_ROWS[1])
    down, across = (cells.places - cells.places.mean(axis=0)).T / cells.places.max()
    even = np.ones_like(down)
    quadratic = np.stack([even, down, across, down**2, down * across, across**2], axis=1)
    relief = measure_unevenness(drive, cells.answers, cells.steps, quadratic, 1 / (errors**2 + _FLOOR**2))
    sideways = np.stack([even, across], axis=1)[beside]
    weights = 1 / (errors[beside] ** 2 + _PARTS_FLOOR**2)
    uneven = measure_unevenness(drive, cells.answers[:, beside], cells.steps, sideways, weights)
    if relief is None or uneven is None:
        return None
    return ShapeFinding(
        relief=_deviation(relief),
        relief_error=math.sqrt(relief.error),
        uneven=_deviation(uneven),
        uneven_error=math.sqrt(uneven.error),
        stretch=_stretch(response.strength),
    )


def shape_signal(finding: ShapeFinding | None, strength: float, settings: ShapeSettings) -> Signal:
    """Return the signal of the shape."""
    if finding is None:
        return not_assessed(name=SHAPE, label=_SHAPE_LABEL, reason=NO_ANSWER)
    if strength > settings.strongest:
        return not_assessed(name=SHAPE, label=_SHAPE_LABEL, reason=ALL_ALIKE)
    stretch = finding.stretch
    relief, error = stretch * finding.relief, stretch * finding.relief_error
    uneven = stretch * finding.uneven
    if error > settings.most_error:
        reason = f"the error of the relief is {100 * error:.0f} %, too large"
        return not_assessed(name=SHAPE, label=_SHAPE_LABEL, reason=reason)
    odds = settings.steepness * min(
        _distance(relief, error, settings.relief, settings.relief),
        _distance(uneven, stretch * finding.uneven_error, settings.even, settings.uneven),
    )
    if relief < settings.relief or uneven < settings.even:
        odds = min(odds, -settings.doubt)
    score = 1 / (1 + math.exp(-odds))
    detail = (
        f"the responses of parts of the face differ by {100 * uneven:.0f} % (of a sheet or a tint by less "
        f"than {100 * settings.even:.0f} %, only of a head by more than {100 * settings.uneven:.0f} %), and "
        f"from a smooth curve by {100 * relief:.0f} % (of a sheet by less than "
        f"{100 * settings.relief:.0f} %); errors may account for {100 * error:.0f} %"
    )
    return assessed(name=SHAPE, label=_SHAPE_LABEL, score=score, detail=detail)


def _distance(value: float, error: float, line: float, clear: float) -> float:
    """Return the logarithm of ``value`` over ``clear`` if it is above, over ``line`` if it is below that.

    Between the two it is 0. Below the line, ``value`` is raised by its error.
    """
    if value >= line:
        return max(0.0, math.log(value / clear))
    return min(0.0, math.log(max(math.hypot(value, error), _EVEN) / line))


def _deviation(found: Unevenness) -> float:
    return math.sqrt(max(0.0, found.variance))


def _stretch(strength: float) -> float:
    """Return the factor from differences of the response to those of the light's ratio.

    It is 1 in bright light and larger in the dark. A response of r to a channel that rises means a ratio x of
    the screen's light to other light with exp(r) = (1 + x) / (1 + 0.15 x).
    """
    answer = min(max(_SPAN * strength, _FAINTEST), _STRONGEST)
    grown = math.exp(answer)
    return answer * (grown / (grown - 1) + LOW * grown / (1 - LOW * grown))


# The signal that separates light on the scene from colours that a program laid over the frame.
#
# A program that lays a colour over a finished frame adds the same to every pixel's 8-bit value, whatever the
# pixel shows: bright skin, a dark brow, or a wall two metres behind. Light adds to linear light instead, by
# the albedo, angle and distance of the surface. If the 8-bit values of all parts of the face and of the
# background rise equally, the frame was tinted. (A frame that is multiplied responds evenly in logarithms;
# ``SHAPE`` detects that.)
#
# If the background responds at least nearly half as much as the face, there is a wall right behind the head,
# or a tint. Noise makes a tint uneven too, so the unevenness must then be certain, beyond its standard error.
# If it is not, this is only a doubt, and proves no attack.

OVERLAY = "flash_overlay"
_OVERLAY_LABEL = "Colours on the scene, not laid over the frame"
_FREE_VALUES = 3
_MOSTLY_SEEN = 0.8
"""The share of the frames that must show the background."""


@dataclass(frozen=True, slots=True)
class OverlaySettings:
    """Lines of the overlay.

    Attributes:
        uneven: The ``OverlayFinding.uneven`` that counts for neither side.
        uneven_alike: The same if the background responds as the face does and the unevenness is not certain.
        alike: The largest difference of the background's response from the face's at which both count as
            equal, as a share of the face's.
        near: The ``BackgroundFinding.share`` from which the background is near, or tinted.
        certain: The ``OverlayFinding.least_uneven`` from which the unevenness is certain. It counts for
            neither side if the background is near.
        steepness: The factor from the logarithm of the unevenness to log odds.
        most_for: Maximum of the log odds for a face, because better software than a simple tint may respond
            unevenly.
        strongest_alike: The ``Response.strength`` above which a background may respond as a face does.
        strongest: The ``Response.strength`` above which the screen is nearly all the light there is.
        sure: The score below which the light is not on a face, if the background also counts against one.
    """

    uneven: float
    uneven_alike: float
    alike: float
    near: float
    certain: float
    steepness: float
    most_for: float
    strongest_alike: float
    strongest: float
    sure: float


@dataclass(frozen=True, slots=True)
class OverlayFinding:
    """The unevenness of the response of 8-bit values to the screen.

    Attributes:
        uneven: The standard deviation of the cells' responses over their mean, without errors; 0 if even.
        least_uneven: The same, from the variance less its standard error.
        most_uneven: The same, from the variance and its standard error together.
        background: The background's response over the face's; ``None`` if it was not measured.
        error: The standard error of ``background``; 0 without one.
    """

    uneven: float
    least_uneven: float
    most_uneven: float
    background: float | None
    error: float


def measure_overlay(samples: Sequence[FlashSample], cells: FaceCells) -> OverlayFinding | None:
    """Measure the unevenness; return ``None`` if the face does not respond.

    Args:
        samples: The frames of the scan's track, one for each of its rows.
    """
    answers, drive = cells.values()
    power = float((drive**2).sum())
    even = np.ones(answers.shape[1])
    if power <= 0:
        return None
    found = measure_unevenness(drive, answers, cells.steps, even[:, None], even)
    if found is None:
        return None
    background, error = _behind(samples, cells, drive, power)
    return OverlayFinding(
        uneven=math.sqrt(max(0.0, found.variance)),
        least_uneven=math.sqrt(max(0.0, found.variance - found.error)),
        most_uneven=math.sqrt(max(0.0, found.variance + found.error)),
        background=background,
        error=error,
    )


def overlay_signal(
    finding: OverlayFinding | None,
    strength: float,
    settings: OverlaySettings,
    *,
    behind: BackgroundFinding | None = None,
) -> Signal:
    """Return the signal of the overlay.

    Args:
        finding: The result of ``measure_overlay``.
        strength: ``Response.strength``.
        behind: The response of the background's colours; ``None`` if it was not measured.
    """
    if finding is None:
        return not_assessed(name=OVERLAY, label=_OVERLAY_LABEL, reason=NO_ANSWER)
    if strength > settings.strongest:
        return not_assessed(name=OVERLAY, label=_OVERLAY_LABEL, reason=ALL_ALIKE)
    alike = (
        strength <= settings.strongest_alike
        and finding.background is not None
        and abs(finding.background - 1) <= settings.alike
        and finding.error <= settings.alike
        and finding.least_uneven < settings.certain
    )
    line = settings.uneven_alike if alike else settings.uneven
    # Noise may hide how unevenly a face responds: what the error explains is at most a doubt.
    score = max(
        _score(finding.uneven, line, settings),
        min(settings.sure, _score(finding.most_uneven, line, settings)),
    )
    detail = (
        f"8-bit values of parts of the face rise by amounts that differ by {100 * finding.uneven:.0f} % "
        f"(of a tint by less than {100 * line:.0f} %)"
    )
    if behind is not None and behind.share >= settings.near and behind.error <= settings.alike:
        # This is at most a doubt: only the other line decides an attack.
        score = min(score, max(settings.sure, _score(finding.least_uneven, settings.certain, settings)))
        detail += (
            f", and certainly by {100 * finding.least_uneven:.0f} % (before a near wall at least "
            f"{100 * settings.certain:.0f} %)"
        )
    if finding.background is not None:
        detail += f"; the background's rise {100 * finding.background:.0f} % as much"
    return assessed(name=OVERLAY, label=_OVERLAY_LABEL, score=score, detail=detail)


def _score(uneven: float, line: float, settings: OverlaySettings) -> float:
    odds = min(settings.most_for, settings.steepness * math.log(max(uneven, _EVEN) / line))
    return 1 / (1 + math.exp(-odds))


def _behind(
    samples: Sequence[FlashSample], cells: FaceCells, drive: NDArray[np.float64], power: float
) -> tuple[float | None, float]:
    """Return the background's response over the face's, with its standard error."""
    light = np.stack([samples[row].linear[Region.BACKGROUND] for row in cells.drift.rows.tolist()])
    seen = np.isfinite(light).all(axis=1)
    if seen.mean() < _MOSTLY_SEEN:
        return None, 0.0
    filled = np.where(seen[:, None], light.astype(np.float64), light[seen].mean(axis=0))
    answer = cells.clear(encoded_values(filled)[:, None, :])[:, 0]
    share = float((answer * drive).sum()) / power
    rest = answer - share * drive
    error = math.sqrt(float((rest**2).sum()) / (_FREE_VALUES * len(rest)) * inflation(rest) / power)
    return share, error


# The signal of light that falls on the whole face, and is not a mirror image in the glass of a display.
#
# A display that shows a face emits light and reflects little of the flash: its glass mirrors the phone, with
# much light at one spot and none beside it, whatever the display shows. Light on a face is weaker on its
# sides, in its folds and where other light is strong, but it reaches every part. Two properties together are
# doubtful:
#
# * **The parts of the face respond unevenly** (``ShapeFinding.uneven``). Under much other light, shiny or
#   dark skin does too: its highlights respond, and so do the shadows of the other light, in several places.
# * **The response comes from one spot**: cells that lie side by side respond by far more than the rest. The
#   spot is located by the responses to all steps but one, and measured by that one, so that errors, which
#   differ from step to step, make no spot. It is measured in 8-bit values. In logarithms a shadow stands
#   out, in linear light a highlight, and a mirror image in both.
#
# A spot proves no face. Nor does it prove an attack, because sweat and oil also shine.

GLARE: Final = "flash_glare"
_GLARE_LABEL: Final = "Light all over the face, not mirrored in glass"
_SPOT: Final = 5
"""The rows and the columns of cells of a spot: half of the face's width and a third of its height."""
_MOSTLY: Final = 0.75
"""The share of a spot's cells that must have been measured. A spot may lie partly beside the face."""
_FEWEST_STEPS: Final = 3
_SPOT_FLOOR: Final = 0.1
"""The least error of a cell, as a share of the mean response."""


@dataclass(frozen=True, slots=True)
class GlareSettings:
    """Lines of the glare.

    Attributes:
        uneven: The ``GlareFinding.uneven`` that counts for neither side.
        spot: The ``GlareFinding.spot`` that counts for neither side.
        steepness: The factor from the logarithm of ``uneven`` or ``spot`` under its line, whichever is
            farther, to log odds.
        most_for: Maximum of the log odds for a face, because tints and prints also respond evenly.
        most_against: Maximum of the log odds against a face.
    """

    uneven: float
    spot: float
    steepness: float
    most_for: float
    most_against: float


@dataclass(frozen=True, slots=True)
class GlareFinding:
    """How much of the face's response comes from a few places, and whether these lie side by side.

    Attributes:
        uneven: ``ShapeFinding.uneven``, not stretched.
        spot: The mean response of the 5 by 5 neighbouring cells that respond most over that of all cells: 1
            if all respond equally, 5.6 if no other cell responds; less than 0 if no step repeats another.
            ``None`` if it cannot be measured; then only ``uneven`` counts.
    """

    uneven: float
    spot: float | None


def measure_glare(cells: FaceCells, shape: ShapeFinding) -> GlareFinding:
    """Measure the glare.

    Args:
        shape: The result of ``measure_shape`` for them.
    """
    return GlareFinding(uneven=shape.uneven, spot=_measure_spot(cells))


def glare_signal(finding: GlareFinding | None, settings: GlareSettings) -> Signal:
    """Return the signal of glare, which counts against a face only if both properties do."""
    if finding is None:
        return not_assessed(name=GLARE, label=_GLARE_LABEL, reason=NO_ANSWER)
    farther = math.log(settings.uneven / max(finding.uneven, _EVEN))
    if finding.spot is not None:
        farther = max(farther, math.log(settings.spot / max(finding.spot, _EVEN)))
    held = min(settings.most_for, max(-settings.most_against, settings.steepness * farther))
    detail = (
        f"the responses of parts of the face differ by {100 * finding.uneven:.0f} % (of a screen mirrored in "
        f"glass by more than {100 * settings.uneven:.0f} %)"
    )
    if finding.spot is not None:
        detail += (
            f"; one spot responds {finding.spot:.1f} times as much as the whole (of such a screen more than "
            f"{settings.spot:.1f} times)"
        )
    return assessed(name=GLARE, label=_GLARE_LABEL, score=1 / (1 + math.exp(-held)), detail=detail)


def _measure_spot(cells: FaceCells) -> float | None:
    changes, drive = cells.values()
    numbers = np.unique(cells.steps)
    if not drive.any() or len(numbers) < _FEWEST_STEPS:
        return None
    at = [cells.steps == number for number in numbers.tolist()]
    parts = np.stack([np.einsum("tc,tkc->k", drive[rows], changes[rows]) for rows in at])
    weights = 1 / (cells.errors(drive, changes) ** 2 + _SPOT_FLOOR**2)
    whole = float((parts @ weights).sum() / weights.sum())
    spots = _spots(cells.places, weights) @ parts.T
    if whole <= 0 or not len(spots):
        return None
    best = np.argmax(spots.sum(axis=1, keepdims=True) - spots, axis=0)
    return float(spots[best, np.arange(len(numbers))].sum()) / whole


def _spots(places: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each cell in the mean of each possible spot, shape (spots, k).

    Args:
        places: ``FaceCells.places``.
        weights: Shape (k,): the weights of the cells.
    """
    rows, columns = places.T
    reach = range(1 - _SPOT, int(places.max()) + 1)
    inside = np.stack(
        [
            (rows >= top) & (rows < top + _SPOT) & (columns >= left) & (columns < left + _SPOT)
            for top in reach
            for left in reach
        ]
    )
    held = inside[inside.sum(axis=1) >= _MOSTLY * _SPOT**2] * weights
    shares: NDArray[np.float64] = held / held.sum(axis=1, keepdims=True)
    return shares


@dataclass(frozen=True, slots=True)
class SurfaceSettings:
    """The lines of the four signals."""

    shape: ShapeSettings
    overlay: OverlaySettings
    glare: GlareSettings
    background: BackgroundSettings


@dataclass(frozen=True, slots=True)
class Surface:
    """The signals of the surface under the light, and of the background.

    Attributes:
        shape: See ``liveness.dynamic.measurement.surface``.
        overlay: See ``liveness.dynamic.measurement.surface``.
        glare: See ``liveness.dynamic.measurement.surface``.
        background: See ``liveness.dynamic.measurement.surface``.
    """

    shape: Signal
    overlay: Signal
    glare: Signal
    background: Signal


def measure_surface(
    samples: Sequence[FlashSample],
    track: TrackView,
    shown: Sequence[Appearance],
    response: Response | None,
    *,
    lag: float | None,
    settings: SurfaceSettings,
) -> Surface:
    """Measure the four signals; none is assessed without a response and a lag.

    Args:
        samples: The frames of ``track``, one for each of its rows.
        track: The scan's light.
        shown: The steps on the screen.
        response: The response of the whole face; ``None`` if there is no reliable one.
        lag: The face's delay after the screen, seconds; ``None`` if none stands out.
    """
    shape = overlay = glare = behind = None
    if response is not None and lag is not None:
        cells = read_cells(samples, track, shown, lag=lag)
        if cells is not None:
            shape = measure_shape(cells, response)
            overlay = measure_overlay(samples, cells)
            glare = None if shape is None else measure_glare(cells, shape)
        behind = measure_background(track, shown, response, lag=lag)
    strength = 0.0 if response is None else response.strength
    shaped = shape_signal(shape, strength, settings.shape)
    laid_over = overlay_signal(overlay, strength, settings.overlay, behind=behind)
    background = background_signal(behind, strength, settings.background)
    return Surface(
        shape=shaped,
        overlay=laid_over,
        glare=glare_signal(glare, settings.glare),
        background=_unless_a_wall(background, shaped, laid_over),
    )


def _unless_a_wall(background: Signal, shaped: Signal, laid_over: Signal) -> Signal:
    """Return the background's signal. Behind a face's shape, a strong response is that of a near wall."""
    if shaped.passed and laid_over.passed is not False and background.passed is False:
        reason = f"{background.detail}: there is a wall right behind the head, because the shape is a face's"
        return not_assessed(name=background.name, label=background.label, reason=reason)
    return background


def may_be_noise(surface: Surface, lag: LagFinding) -> bool:
    """Return whether a doubt about an answer may be due to noise, because there were only a few steps.

    Over a few steps, wet or oily skin, an uneven wall or a head that moves with the colours can look like an
    overlay or like light from a few spots; over more steps it does not. It may also be too early to compare
    the lags of steps or regions. If the surface does not have the shape of a face, the answer is no: a sheet
    keeps its shape, and more steps would only give an attacker more chances.

    Args:
        surface: The measured surface, by the frames so far.
        lag: The measured lag behind the screen, by the same frames.
    """
    shape = surface.shape.score
    if shape is not None and shape < NEITHER:
        return False
    if not lag.comparable:
        return True
    noisy = (surface.overlay.score, surface.glare.score)
    return any(score is not None and score < NEITHER for score in noisy)
