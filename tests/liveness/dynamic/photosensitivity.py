"""Counts flashes as WCAG 2.2 defines them, independently of the code that draws the colours.

Success criterion 2.3.1 allows three general flashes and three red flashes in any second. A flash is a pair of
opposing changes, so a change that begins or ends a pair counts as half of a flash.

* A general change is one of the relative luminance by 10 % of the maximum or more, of which the darker state
  is below 0.80. Changes in one direction count as one, from one extreme to the next.
* A red change is one to or from a saturated red, R / (R + G + B) >= 0.8, whose two states lie more than 0.2
  apart in the CIE 1976 UCS diagram.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from liveness.dynamic.challenge.script import ColourStep, ScreenColour

__all__ = ["Shown", "general_flashes", "history", "red_flashes", "red_share", "saturated_red"]

_SECOND = 1.0
_EXACT = 1e-9
"""The tolerance for sums of floating-point times, seconds."""
_LEAST_CHANGE, _DARKER_BELOW = 0.1, 0.8
_SATURATED, _RED_APART = 0.8, 0.2
_WEIGHTS = (0.2126, 0.7152, 0.0722)
_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


@dataclass(frozen=True)
class Shown:
    """A colour of one point of the screen, from ``at`` in seconds until the next one."""

    at: float
    colour: ScreenColour


def history(steps: Sequence[ColourStep], starts: Sequence[float], *, height: float) -> list[Shown]:
    """The colours of a point of the screen, at 0 (top) to 1 (bottom): a scroll passes it on its way down."""
    return [
        Shown(start + height * step.transition_seconds, step.colour)
        for step, start in zip(steps, starts, strict=True)
    ]


def general_flashes(shown: Sequence[Shown]) -> float:
    """The most general flashes in any second; a half for a change without an opposing one."""
    return _most(shown, _general_halves)


def red_flashes(shown: Sequence[Shown]) -> float:
    """The most red flashes in any second, likewise."""
    return _most(shown, _red_halves)


def red_share(colour: ScreenColour) -> float:
    """R / (R + G + B) in linear light; 0 for black."""
    red, green, blue = _linear(colour)
    return red / (red + green + blue) if red + green + blue else 0.0


def saturated_red(colour: ScreenColour) -> bool:
    return red_share(colour) >= _SATURATED


def _most(shown: Sequence[Shown], halves: Callable[[tuple[ScreenColour, ...]], int]) -> float:
    worst = 0
    for first in range(1, len(shown)):
        # The second that begins just before a change holds the most changes; both of its ends count.
        window = [shown[first - 1].colour]
        window += [one.colour for one in shown[first:] if one.at <= shown[first].at + _SECOND + _EXACT]
        worst = max(worst, halves(tuple(window)))
    return worst / 2


@cache
def _general_halves(colours: tuple[ScreenColour, ...]) -> int:
    count, direction = 0, 0
    for before, after in pairwise(_extremes([_luminance(colour) for colour in colours])):
        if abs(after - before) >= _LEAST_CHANGE and min(before, after) < _DARKER_BELOW:
            towards = 1 if after > before else -1
            count += towards != direction
            direction = towards
    return count


def _extremes(values: Sequence[float]) -> list[float]:
    kept = [values[0]]
    for value in values[1:]:
        if len(kept) > 1 and (kept[-1] - kept[-2]) * (value - kept[-1]) >= 0:
            kept[-1] = value
        else:
            kept.append(value)
    return kept


@cache
def _red_halves(colours: tuple[ScreenColour, ...]) -> int:
    return sum(
        (saturated_red(before) or saturated_red(after))
        and _distance(_chromaticity(before), _chromaticity(after)) > _RED_APART
        for before, after in pairwise(colours)
    )


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2) ** 0.5)


def _chromaticity(colour: ScreenColour) -> tuple[float, float]:
    light = _linear(colour) if any(_linear(colour)) else (1.0, 1.0, 1.0)
    x, y, z = (sum(weight * channel for weight, channel in zip(row, light, strict=True)) for row in _XYZ)
    return 4 * x / (x + 15 * y + 3 * z), 9 * y / (x + 15 * y + 3 * z)


def _luminance(colour: ScreenColour) -> float:
    return sum(weight * channel for weight, channel in zip(_WEIGHTS, _linear(colour), strict=True))


@cache
def _linear(colour: ScreenColour) -> tuple[float, float, float]:
    def light(value: int) -> float:
        share = value / 255
        return float(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)

    return light(colour.red), light(colour.green), light(colour.blue)
