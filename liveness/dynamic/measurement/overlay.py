"""The signal that separates light on the scene from colours that a program laid over the frame.

A program that lays a colour over a finished frame adds the same to every pixel's 8-bit value, whatever the
pixel shows: bright skin, a dark brow, or a wall two metres behind. Light adds to linear light instead, by the
albedo, angle and distance of the surface. If the 8-bit values of all parts of the face and of the background
rise equally, the frame was tinted. (A frame that is multiplied responds evenly in logarithms; ``shape``
detects that.)

If the background responds at least nearly half as much as the face, there is a wall right behind the head, or
a tint. Noise makes a tint uneven too, so the unevenness must then be certain, beyond its standard error. If
it is not, this is only a doubt, and proves no attack.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.background import BackgroundFinding
from liveness.dynamic.measurement.cells import (
    ALL_ALIKE,
    NO_ANSWER,
    FaceCells,
    encoded_values,
    measure_unevenness,
)
from liveness.dynamic.measurement.response import inflation
from liveness.dynamic.measurement.track import TrackView
from liveness.dynamic.sample import FlashSample, Region
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["OVERLAY", "OverlayFinding", "OverlaySettings", "measure_overlay", "overlay_signal"]

OVERLAY = "flash_overlay"
_LABEL = "Colours on the scene, not laid over the frame"
_FREE = 3
_MOSTLY_SEEN = 0.8
"""The share of the frames that must show the background."""
_EVEN = 0.01
"""The least ``OverlayFinding.uneven``, so that it has a logarithm."""


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


def measure_overlay(
    samples: Sequence[FlashSample], track: TrackView, cells: FaceCells
) -> OverlayFinding | None:
    """Measures the unevenness; returns ``None`` if the face does not respond.

    Args:
        samples: The frames of ``track``, one for each of its rows.
        track: The scan's light.
        cells: The cells of the face.
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
    """Returns the signal of the overlay.

    Args:
        finding: The result of ``measure_overlay``.
        strength: ``Response.strength``.
        settings: Lines.
        behind: The response of the background's colours; ``None`` if it was not measured.
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
    return assessed(name=OVERLAY, label=_LABEL, score=score, detail=detail)


def _score(uneven: float, line: float, settings: OverlaySettings) -> float:
    odds = min(settings.most_for, settings.steepness * math.log(max(uneven, _EVEN) / line))
    return 1 / (1 + math.exp(-odds))


def _behind(
    samples: Sequence[FlashSample], cells: FaceCells, drive: NDArray[np.float64], power: float
) -> tuple[float | None, float]:
    """Returns the background's response over the face's, with its standard error."""
    light = np.stack([samples[row].linear[Region.BACKGROUND] for row in cells.drift.rows.tolist()])
    seen = np.isfinite(light).all(axis=1)
    if seen.mean() < _MOSTLY_SEEN:
        return None, 0.0
    filled = np.where(seen[:, None], light.astype(np.float64), light[seen].mean(axis=0))
    answer = cells.clear(encoded_values(filled)[:, None, :])[:, 0]
    share = float((answer * drive).sum()) / power
    rest = answer - share * drive
    error = math.sqrt(float((rest**2).sum()) / (_FREE * len(rest)) * inflation(rest) / power)
    return share, error
