"""Whether the colours lie over the picture, and not on what it shows.

A program that lays a colour over a finished picture adds the same to every pixel's 8-bit value, whatever the
pixel shows: bright skin, a dark brow, or a wall two metres behind it. Light does not: it adds to linear
light, by the albedo of what it falls on, by its angle and distance. So where all parts of the face gain the
same in 8-bit values, and what lies behind them gains as much, it is the picture that was tinted. (One that is
multiplied answers evenly in logarithms instead: ``shape`` tells that.)

Where what lies behind answers nearly half as much as the face or more, there is a wall right behind the head,
or a tint. More unevenness is wanted then, as noise makes some of a tint's, and where its 8-bit values rise as
the face's do, too, more than its error could make. Too little of it is a doubt, and calls nobody an attacker.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.background import BackgroundFinding
from liveness.dynamic.measurement.cells import ALL_ALIKE, NO_ANSWER, FaceCells, measure_unevenness
from liveness.dynamic.measurement.response import inflation
from liveness.dynamic.measurement.track import TrackView
from liveness.dynamic.sample import FlashSample, Region
from liveness.dynamic.srgb import encode
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["OVERLAY", "OverlayFinding", "OverlaySettings", "measure_overlay", "overlay_signal"]

OVERLAY = "flash_overlay"
_LABEL = "Colours on the scene, not over the picture"
_FREE = 3
_MOSTLY_SEEN = 0.8
"""Share of the frames that must show the background."""
_EVEN = 0.01
"""``OverlayFinding.uneven`` of an answer that is as even as can be told: it needs a logarithm."""


@dataclass(frozen=True, slots=True)
class OverlaySettings:
    """Lines of the overlay.

    Attributes:
        uneven: ``OverlayFinding.uneven`` that speaks for neither side.
        uneven_alike: The same where the background answers as the face does.
        alike: How far the background's answer may be from the face's for that, as a share of it.
        near: ``BackgroundFinding.share`` from which the background stands as near as a tint has it.
        uneven_near: ``OverlayFinding.uneven`` that speaks for neither side then; ``least_uneven``, where the
            background's 8-bit values are alike, too.
        steepness: How many times the logarithm of the unevenness counts as log odds.
        most_for: Log odds for a face, at most: what no simple tint does, better software may.
        strongest_alike: ``Response.strength`` above which a background may well answer as a face does.
        strongest: ``Response.strength`` above which the screen is nearly all the light there is.
        sure: The signal's score below which, where the background answers as well, it is no face's light.
    """

    uneven: float
    uneven_alike: float
    alike: float
    near: float
    uneven_near: float
    steepness: float
    most_for: float
    strongest_alike: float
    strongest: float
    sure: float


@dataclass(frozen=True, slots=True)
class OverlayFinding:
    """How evenly 8-bit values answer the screen.

    Attributes:
        uneven: Standard deviation of the cells' answers over their mean, without errors; 0 for even.
        least_uneven: The same, less what its own standard error may have made of it.
        background: The background's answer over the face's; ``None`` where it was not seen.
        error: Its standard error; 0 without one.
    """

    uneven: float
    least_uneven: float
    background: float | None
    error: float


def measure_overlay(
    samples: Sequence[FlashSample], track: TrackView, cells: FaceCells
) -> OverlayFinding | None:
    """Measure it; ``None`` where the face does not answer.

    Args:
        samples: The frames of ``track``, one for each of its rows.
        track: The scan's light.
        cells: Of the face.
    """
    answers = cells.clear(_encoded(cells.light))
    whole = answers.mean(axis=1)
    drive = cells.screen @ np.linalg.lstsq(cells.screen, whole, rcond=None)[0]
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
    """What an even answer says.

    Args:
        finding: See ``measure_overlay``.
        strength: ``Response.strength``.
        settings: Lines.
        behind: How the background's colours answer; ``None`` where that was not measured.
    """
    if finding is None:
        return not_assessed(name=OVERLAY, label=_LABEL, reason=NO_ANSWER)
    if strength > settings.strongest:
        return not_assessed(name=OVERLAY, label=_LABEL, reason=ALL_ALIKE)
    alike = (
        strength <= settings.strongest_alike
        and finding.background is not None
        and abs(finding.background - 1) <= settings.alike
        and finding.error <= settings.alike
    )
    line = settings.uneven_alike if alike else settings.uneven
    score = _score(finding.uneven, line, settings)
    if behind is not None and behind.share >= settings.near and behind.error <= settings.alike:
        # A doubt at most: what calls an attack is the lower line.
        certain = finding.least_uneven if alike else finding.uneven
        score = min(score, max(settings.sure, _score(certain, settings.uneven_near, settings)))
        line = max(line, settings.uneven_near)
    detail = (
        f"8-bit values of parts of the face rise by amounts that differ by {100 * finding.uneven:.0f} % "
        f"(of a tint by less than {100 * line:.0f} %)"
    )
    if finding.background is not None:
        detail += f", those behind it by {100 * finding.background:.0f} % as much"
    return assessed(name=OVERLAY, label=_LABEL, score=score, detail=detail)


def _score(uneven: float, line: float, settings: OverlaySettings) -> float:
    odds = min(settings.most_for, settings.steepness * math.log(max(uneven, _EVEN) / line))
    return 1 / (1 + math.exp(-odds))


def _behind(
    samples: Sequence[FlashSample], cells: FaceCells, drive: NDArray[np.float64], power: float
) -> tuple[float | None, float]:
    """The background's answer over the face's, and its standard error."""
    light = np.stack([samples[row].linear[Region.BACKGROUND] for row in cells.drift.rows.tolist()])
    seen = np.isfinite(light).all(axis=1)
    if seen.mean() < _MOSTLY_SEEN:
        return None, 0.0
    filled = np.where(seen[:, None], light.astype(np.float64), light[seen].mean(axis=0))
    answer = cells.clear(_encoded(filled)[:, None, :])[:, 0]
    share = float((answer * drive).sum()) / power
    rest = answer - share * drive
    error = math.sqrt(float((rest**2).sum()) / (_FREE * len(rest)) * inflation(rest) / power)
    return share, error


def _encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 8-bit values of sRGB for linear light (IEC 61966-2-1)."""
    inside = np.clip(light, 0.0, 1.0)
    return 255 * encode(inside)
