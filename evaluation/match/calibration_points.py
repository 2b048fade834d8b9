"""Reduces a bound at many thresholds to the few points of a calibration file, and writes its text.

A reader of the file interpolates between its points linearly in log(bound) (``matcher.similarity``). The
points are chosen so that this line is never below the measured bounds.
"""

import json
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vision.packs import MatchCalibration, ScorePoint

__all__ = ["choose_points", "render_calibration"]

_STEPS_PER_DECADE = 50
_ROUNDING = 1e-12
"""Bounds that differ by less than this share are equal."""
_USEFUL = 0.5
"""Largest bound of a useful threshold; a larger one counts as 1."""


def choose_points(
    thresholds: NDArray[np.float64], upper_bounds: NDArray[np.float64]
) -> tuple[tuple[float, float], ...]:
    """Choose points (cosine, bound) with a log-linear line that is never below the step curve of the bounds.

    Bounds are first rounded up to a fiftieth of a decade, which reduces the number of points; the lowest
    keeps three digits. A bound that was measured at one threshold holds up to the next. Therefore each bound
    is placed at the next threshold: the line falls to it only where the next, lower bound already holds.

    Args:
        thresholds: Shape (t,), t of 2 or more, strictly rising.
        upper_bounds: Shape (t,), in (0, 1], never rising, and equal at the last two thresholds.

    Returns:
        One or more points; the cosine strictly rises and the bound strictly falls.

    Raises:
        ValueError: The bounds still fall at the last threshold; the thresholds end too early.
    """
    floor = _three_digits(float(upper_bounds[-1]))
    bounds = [_rounded_up(float(bound), floor=floor) for bound in upper_bounds]
    lowest = bounds.index(bounds[-1])
    if lowest == len(bounds) - 1:
        raise ValueError("the thresholds end before the bound has reached its lowest value")
    knots = [(float(thresholds[index + 1]), bounds[index]) for index in range(lowest + 1)]
    # Of equal bounds, the last one gives the highest line.
    return (*(knot for knot, after in pairwise(knots) if knot[1] > after[1]), knots[-1])


def _rounded_up(bound: float, *, floor: float) -> float:
    if bound <= floor or math.isclose(bound, floor, rel_tol=_ROUNDING):
        return floor
    if bound > _USEFUL:
        return 1.0
    exponent = math.ceil(math.log10(bound) * _STEPS_PER_DECADE) / _STEPS_PER_DECADE
    return _three_digits(10.0**exponent)


def _three_digits(bound: float) -> float:
    """Round ``bound`` up to three significant digits."""
    unit = 10.0 ** (math.floor(math.log10(bound)) - 2)
    # Without the error of the division, which made 1e-4 into 1.01e-4.
    return min(1.0, float(f"{math.ceil(round(bound / unit, 10)) * unit:.3g}"))


def render_calibration(calibration: MatchCalibration) -> str:
    """Return the text of a calibration file for ``vision.packs.calibration.parse_calibration``."""
    record = calibration.record
    lines = [
        "schema = 1",
        f"embedder_sha256 = {_text(calibration.embedder_sha256)}",
        *([f"template = {_text(calibration.template)}"] if calibration.template else []),
        *_points(calibration.points),
        "",
        "[record]",
        f"provenance = {_text(record.provenance)}",
        f"dataset = {_text(record.dataset)}",
        f"identities = {record.identities}",
        f"genuine_pairs = {record.genuine_pairs}",
        f"impostor_pairs = {record.impostor_pairs}",
    ]
    if record.failures_to_acquire is not None:
        lines.append(f"failures_to_acquire = {record.failures_to_acquire}")
    if record.command:
        lines.append(f"command = {_text(record.command)}")
    if record.reference:
        lines.append(f"reference = {_text(record.reference)}")
    if record.note:
        lines.append(f"note = {_text(record.note)}")
    if calibration.scans is not None:
        scans = calibration.scans
        lines += ["", "[scans]", f"scans = {scans.scans}", f"persons = {scans.persons}"]
        lines += [f"genuine_pairs = {scans.genuine_pairs}", f"impostor_pairs = {scans.impostor_pairs}"]
        lines += _points(scans.points)
    if calibration.cohort is not None:
        lines += ["", "[cohort]"]
        lines += [
            f"{name} = {_text(value) if isinstance(value, str) else repr(value)}"
            for name, value in calibration.cohort.as_table().items()
        ]
    return "\n".join(lines) + "\n"


def _points(points: Sequence[ScorePoint]) -> list[str]:
    return ["point = [", *(f"    {{ {_point(point)} }}," for point in points), "]"]


def _point(point: ScorePoint) -> str:
    text = f"cosine = {point.cosine!r}, fmr_upper_bound = {point.fmr_upper_bound!r}"
    return text if point.fnmr is None else f"{text}, fnmr = {point.fnmr!r}"


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, except for the one control character that JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
