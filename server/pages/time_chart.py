"""Places rows of measurements over time, from left to right; ``charts.svg`` draws them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

_GAP: Final = 14
_FIRST: Final = 6
_EDGE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRow:
    """A row of the chart. Times are seconds, values in the unit of the measurement.

    Attributes:
        height: Its height, pixels.
        cells: Beginning, end, class or colour (as ``#rrggbb``) and tooltip of each rectangle.
        low: The value at its lower side.
        high: The value at its upper side.
        scale: The values that are written at its left side, with their texts.
        levels: Horizontal lines: value and class.
        curves: Class and points of each curve, which is interrupted where a value is None.
        dots: Time, value, class and tooltip of each dot.
        absent: Why it has no values; empty if it has.
        kind: Class of its name.
    """

    name: str
    height: int
    cells: Sequence[tuple[float, float, str, str]] = ()
    low: float = 0.0
    high: float = 1.0
    scale: Sequence[tuple[float, str]] = ()
    levels: Sequence[tuple[float, str]] = ()
    curves: Sequence[tuple[str, Iterable[tuple[float, float | None]]]] = ()
    dots: Sequence[tuple[float, float, str, str]] = ()
    absent: str = ""
    kind: str = ""


def time_chart(
    rows: Sequence[TimeRow],
    *,
    label: str,
    span: tuple[float, float],
    ticks: Sequence[tuple[float, str]],
    marks: Sequence[float],
    left: float,
    width: float,
) -> dict[str, Any]:
    """Return the chart as ``charts.svg`` draws it; lengths are in the units of the drawing.

    Args:
        rows: The rows, from above.
        label: The text for screen readers.
        span: The times at the left and the right side.
        ticks: Times that are written below, with their texts.
        marks: Times of vertical lines.
        left: Left side of the rows.
    """
    start, end = span

    def x_of(time: float) -> float:
        return left + width * (min(max(time, start), end) - start) / (end - start)

    placed, top = [], _FIRST
    for row in rows:
        placed.append(_placed(row, top, x_of))
        top += row.height + _GAP
    return {
        "label": label,
        "left": left,
        "width": width,
        "rows": placed,
        "foot": top,
        "ticks": [(x_of(time), text) for time, text in ticks],
        "marks": [x_of(time) for time in marks],
    }


def _placed(row: TimeRow, top: int, x_of: Callable[[float], float]) -> dict[str, Any]:
    def y_of(value: float) -> float:
        share = (min(max(value, row.low), row.high) - row.low) / (row.high - row.low)
        return top + row.height - _EDGE - (row.height - 2 * _EDGE) * share

    return {
        "name": row.name,
        "kind": row.kind,
        "top": top,
        "height": row.height,
        "absent": row.absent,
        "cells": [
            (x_of(since), x_of(until) - x_of(since), kind, hint) for since, until, kind, hint in row.cells
        ],
        "scale": [
            (min(max(y_of(value) + 4, top + 10), top + row.height - 2), text) for value, text in row.scale
        ],
        "levels": [(y_of(value), kind) for value, kind in row.levels],
        "curves": [
            (kind, " ".join(f"{x_of(time):.2f},{y_of(value):.2f}" for time, value in run))
            for kind, points in row.curves
            for run in _runs(points)
            if len(run) > 1
        ],
        "dots": [(x_of(time), y_of(value), kind, hint) for time, value, kind, hint in row.dots],
    }


def _runs(points: Iterable[tuple[float, float | None]]) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for time, value in points:
        if value is None:
            yield run
            run = []
        else:
            run.append((time, value))
    yield run
