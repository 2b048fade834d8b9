"""Whether the screen's light falls on something shaped like a face.

Every cell of the aligned face answers the screen by its own share: by how it is turned to the screen and how
far away it is, against the other light that falls on it. Its colour cancels, as logarithms are compared. A
head with nose, brows and chin answers unevenly. A sheet answers smoothly: where it is tilted or near, by a
gradient, where it is bent, by a gradient that changes evenly. So does a generic head, put on by software; and
a tint of the picture answers exactly evenly. So what a quadratic curve over the face's places explains says
nothing, and what it leaves is what a sheet does not have. The less other light there is, the closer the
shares come to each other. Their differences are stretched by as much as that compresses them; in the dark
nothing is left to stretch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.course import Appearance, light_at
from liveness.dynamic.drift import fit_drift
from liveness.dynamic.response import Response
from liveness.dynamic.sample import FlashSample
from liveness.dynamic.track import TrackView
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["SHAPE", "ShapeFinding", "ShapeSettings", "measure_shape", "shape_signal"]

SHAPE = "flash_shape"
_LABEL = "Shape under the screen's light"
_ROWS, _COLUMNS = slice(1, 15), slice(3, 13)
_SIZE = (14, 10)
_FEWEST_CELLS = 60
_SPAN = 0.85
"""Of the palette's linear light, from a channel that is down to one that is up."""
_LOW = 0.15
_FLOOR = 0.03
_INDEPENDENT_CELLS = 70
"""Of 140: coding and resampling tie neighbours together."""
_DOUBT = 0.2
"""Log odds by which a smooth answer speaks against a face at least."""


@dataclass(frozen=True, slots=True)
class ShapeSettings:
    """Lines of the shape.

    Attributes:
        relief: ``ShapeFinding.relief`` that speaks for neither side.
        steepness: How many times the relief's logarithm counts as log odds.
        most_noise: ``ShapeFinding.noise`` above which nothing can be told.
        strongest: ``Response.strength`` above which the screen is nearly all the light there is. Then every
            part follows it alike, whatever its shape, and a face may look smooth.
    """

    relief: float = 0.08
    steepness: float = 4.0
    most_noise: float = 0.25
    strongest: float = 1.0


@dataclass(frozen=True, slots=True)
class ShapeFinding:
    """How unevenly the face answers; as shares of its mean answer, stretched where light saturates.

    Attributes:
        relief: Standard deviation of the cells' answers, without noise, without what a quadratic curve over
            their places explains, as a bent sheet does, and without what one over their brightness does: a
            camera's tone curve makes a picture that is tinted evenly answer unevenly, bright parts unlike
            dark ones. 0 for a smooth answer.
        noise: Standard error of a cell's answer.
    """

    relief: float
    noise: float


def measure_shape(
    samples: Sequence[FlashSample],
    track: TrackView,
    shown: Sequence[Appearance],
    response: Response,
    *,
    lag: float,
) -> ShapeFinding | None:
    """Measure it; ``None`` where there is no answer, or too little of the face.

    Args:
        samples: The frames of ``track``, one for each of its rows.
        track: The scan's light.
        shown: What the screen gave.
        response: Of the whole face.
        lag: Of the whole face, seconds.
    """
    rows = np.flatnonzero(track.clean & (track.times >= shown[0].at + lag))
    drift = fit_drift(track, rows)
    if drift is None or response.strength <= 0:
        return None
    screen = drift.clear(light_at(shown, track.times[rows] - lag, blur=track.frame_seconds))
    drive = screen @ response.matrix.T
    power = float((drive**2).sum())
    patches = np.stack([samples[row].patch[_ROWS, _COLUMNS] for row in rows.tolist()]).reshape(
        len(rows), -1, 3
    )
    whole = np.isfinite(patches).all(axis=2).mean(axis=0) > 0.9
    if power <= 0 or int(whole.sum()) < _FEWEST_CELLS:
        return None
    light = np.log(np.maximum(patches[:, whole].astype(np.float64), 3e-4))
    middle = np.nanmean(light, axis=0)
    light = np.where(np.isfinite(light), light - middle, 0.0)
    cells = light.shape[1]
    cleared = drift.clear(light.reshape(len(rows), -1)).reshape(len(rows), cells, 3)
    shares = np.einsum("tc,tkc->k", drive, cleared) / power
    rest = cleared - shares[None, :, None] * drive[:, None, :]
    # Two frames make an independent one, as motion is slower than the frames.
    errors = np.sqrt(2 * (rest**2).sum(axis=(0, 2)) / len(rows) / power)
    stretch = _stretch(response.strength)
    weights = 1 / (errors**2 + _FLOOR**2)
    noise = float(weights @ errors**2 / weights.sum())
    own = _unexplained(shares, weights, middle.mean(axis=1), np.argwhere(whole.reshape(_SIZE)))
    return ShapeFinding(
        relief=stretch * math.sqrt(max(0.0, own - noise)),
        noise=stretch * math.sqrt(noise),
    )


def shape_signal(finding: ShapeFinding | None, strength: float, settings: ShapeSettings) -> Signal:
    """What the shape says.

    Args:
        finding: See ``measure_shape``.
        strength: ``Response.strength``.
        settings: Lines.
    """
    if finding is None:
        return not_assessed(name=SHAPE, label=_LABEL, reason="no answer to compare parts of the face by")
    if strength > settings.strongest:
        reason = "the screen is nearly all the light there is, and every part follows it alike"
        return not_assessed(name=SHAPE, label=_LABEL, reason=reason)
    if finding.noise > settings.most_noise:
        reason = f"each part of the face is only known to {100 * finding.noise:.0f} % of the answer"
        return not_assessed(name=SHAPE, label=_LABEL, reason=reason)
    odds = settings.steepness * math.log(max(finding.relief, 0.01) / settings.relief)
    if odds < 0:
        # The noise is known to a part of its variance only, and as much relief may hide in it.
        hidden = finding.noise * (2 / _INDEPENDENT_CELLS) ** 0.25
        doubtful = settings.steepness * math.log(math.hypot(finding.relief, hidden) / settings.relief)
        odds = min(-_DOUBT, max(odds, doubtful))
    score = 1 / (1 + math.exp(-odds))
    detail = (
        f"parts of the face answer differently by {100 * finding.relief:.0f} % "
        f"beyond what is smooth (a sheet or a tint: below 5 %), each known to {100 * finding.noise:.0f} %"
    )
    return assessed(name=SHAPE, label=_LABEL, score=score, detail=detail)


def _unexplained(
    shares: NDArray[np.float64],
    weights: NDArray[np.float64],
    brightness: NDArray[np.float64],
    places: NDArray[np.intp],
) -> float:
    """Variance of the shares that quadratic curves over ``brightness`` and ``places`` leave."""
    centred = brightness - brightness.mean()
    down, across = (places - places.mean(axis=0)).T / places.max()
    smooth = [down, across, down**2, down * across, across**2]
    curve = np.stack([np.ones_like(centred), centred, centred**2, *smooth], axis=1)
    roots = np.sqrt(weights)
    fitted = curve @ np.linalg.lstsq(curve * roots[:, None], shares * roots, rcond=None)[0]
    return float(weights @ (shares - fitted) ** 2 / weights.sum())


def _stretch(strength: float) -> float:
    """How much differences of the light's ratio exceed the answer's: 1 in bright light, more in the dark.

    An answer of r to a colour that goes up means a ratio x of screen to other light, with
    exp(r) = (1 + x) / (1 + 0.15 x).
    """
    answer = min(max(_SPAN * strength, 1e-3), 1.6)
    grown = math.exp(answer)
    return answer * (grown / (grown - 1) + _LOW * grown / (1 - _LOW * grown))
