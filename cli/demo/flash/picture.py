"""Places the parts of a flash strip; the template ``flash_strip.svg`` draws them."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cli.demo.flash.measure import FlashCurves
from cli.demo.flash.strip import CROP_HEIGHT, CROP_WIDTH, FlashStrip, StripColumn

__all__ = ["strip_picture"]

_LEFT: Final = 90.0
_INNER: Final = 860.0
"""Left side and width of the chart, as in the template."""

_WIDEST: Final = 142.0
_GAP: Final = 5.0
_PANEL: Final = 72.0
_CHANNELS: Final = ("red", "green", "blue")
_LEAST_SCALE: Final = 0.03
_NICE: Final = (0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_BROKEN: Final = 3.0
"""A curve is interrupted at a gap of this multiple of the usual time between two measured frames."""

_SPOKEN: Final = {True: "answered", False: "contradicted", None: "undecided"}


def strip_picture(strip: FlashStrip) -> dict[str, Any]:
    """Returns the strip as the templates ``flash_strip.svg`` and ``flash_file.svg`` draw it."""
    columns, curves = strip.columns, strip.curves
    width = min(_WIDEST, (_INNER + _GAP) / len(columns) - _GAP)
    height = width * CROP_HEIGHT / CROP_WIDTH
    start = columns[0].since
    end = columns[-1].until if curves is None else max(columns[-1].until, float(curves.times[-1]))
    per_second = _INNER / max(end - start, 0.5)

    def x_of(time: float) -> float:
        return _LEFT + (min(max(time, start), end) - start) * per_second

    scale = _LEAST_SCALE if curves is None else _scale(curves)

    def y_of(value: float) -> float:
        return _PANEL / 2 - min(max(value / scale, -1.0), 1.0) * (_PANEL / 2 - 3)

    def lines(values: NDArray[np.float64] | None, channel: int) -> list[str]:
        if curves is None or values is None:
            return []
        return list(_lines(curves.times, values[:, channel], x_of, y_of))

    return {
        "spoken": _words(columns),
        "width": width,
        "height": height,
        "gap": _GAP,
        "whole_height": height + 64 + (24 if curves is None else 302),
        "columns": [
            {
                "crop": column.crop,
                "hex": "#{:02x}{:02x}{:02x}".format(*column.colour),
                "hint": _hint(column),
                "proves": column.proves,
                "agrees": column.agrees,
                "signal_to_noise": column.signal_to_noise,
                "since": x_of(column.since),
                "until": x_of(column.until),
            }
            for column in columns
        ],
        "channels": []
        if curves is None
        else [
            {
                "name": name,
                "behind": lines(curves.background, channel),
                "face": lines(curves.face, channel),
                "expected": lines(curves.expected, channel),
            }
            for channel, name in enumerate(_CHANNELS)
        ],
        "scale": [
            (
                min(max(y_of(value) + 4, 10), _PANEL - 2),
                f"{100 * math.expm1(value):+.0f} %" if value else "0",
            )
            for value in (scale, 0.0, -scale)
        ],
        "seconds": [
            (x_of(start + second), str(second) if second else "0 s")
            for second in range(math.floor(end - start) + 1)
        ],
    }


def _words(columns: Sequence[StripColumn]) -> str:
    proving = [column for column in columns if column.proves]
    answered = sum(column.agrees is True for column in proving)
    other = sum(column.agrees is False for column in proving)
    return (
        f"{len(columns)} colours of the screen and the face under each; of {len(proving)} that were "
        f"drawn at random the face answered {answered}, {other} were contradicted"
    )


def _hint(column: StripColumn) -> str:
    red, green, blue = column.colour
    entered = ", slid in from the top" if column.scrolls else ""
    seconds = column.until - column.since
    answer = _SPOKEN[column.agrees] if column.proves else "publicly known"
    return f"Step {column.number}: {red}, {green}, {blue}{entered}; {seconds:.2f} s; {answer}"


def _scale(curves: FlashCurves) -> float:
    """Returns the largest change that a panel shows, a round number."""
    parts = [np.percentile(np.abs(curves.face), 99), np.abs(curves.expected).max()]
    if curves.background is not None:
        parts.append(np.percentile(np.abs(curves.background), 97))
    largest = max(_LEAST_SCALE, *(float(part) for part in parts)) * 1.08
    return next((nice for nice in _NICE if nice >= largest), _NICE[-1])


def _lines(
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    x_of: Callable[[float], float],
    y_of: Callable[[float], float],
) -> Iterator[str]:
    """Yields the points of a curve through the values, with gaps at missing frames."""
    gaps = np.diff(times)
    breaks = np.flatnonzero(gaps > _BROKEN * np.median(gaps)) + 1
    for part in np.split(np.arange(len(times)), breaks):
        if len(part) > 1:
            yield " ".join(f"{x_of(float(times[row])):.2f},{y_of(float(values[row])):.2f}" for row in part)
