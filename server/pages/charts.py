"""Small charts of series of numbers: bars, and lines over a common scale."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.pages import svg
from server.pages.markup import Html

__all__ = ["bar_chart", "line_chart"]

_WIDTH: Final = 460.0
_HEIGHT: Final = 190.0
_LEFT: Final = 42.0
_RIGHT: Final = 6.0
_TOP: Final = 10.0
_BOTTOM: Final = 24.0

Values = NDArray[np.float64]


def bar_chart(
    values: Sequence[float] | Values, *, label: str, across: str, line_at: float | None = None
) -> Html:
    """Returns a chart of bars from 0 to the largest value.

    Args:
        values: Heights of the bars, at least one, each 0 or more.
        label: The text for screen readers.
        across: Name of the horizontal axis.
        line_at: A value to mark with a line; the chart includes it.
    """
    numbers = np.asarray(values, np.float64)
    top = max(float(numbers.max()), line_at or 0.0) or 1.0
    step = (_WIDTH - _LEFT - _RIGHT) / len(numbers)
    shapes = [*_frame(0.0, top, across)]
    for at, value in enumerate(numbers.tolist()):
        height = (_HEIGHT - _TOP - _BOTTOM) * value / top
        corner = (_LEFT + at * step + step * 0.1, _HEIGHT - _BOTTOM - height)
        shapes.append(svg.rectangle(corner, (step * 0.8, height), "bar", tooltip=f"{at}: {value:.3f}"))
    if line_at is not None:
        y = _down(line_at, 0.0, top)
        shapes.append(svg.line((_LEFT, y), (_WIDTH - _RIGHT, y), "limit"))
    return svg.drawing(shapes, width=_WIDTH, height=_HEIGHT, label=label)


def line_chart(
    lines: Mapping[str, Values],
    *,
    label: str,
    across: str,
) -> Html:
    """Returns a chart of lines over a common horizontal scale, each from its first to its last value.

    Args:
        lines: Name and values, finite, at least two each; the name is the class of the line.
        label: The text for screen readers.
        across: Name of the horizontal axis.
    """
    low = min(float(values.min()) for values in lines.values())
    high = max(float(values.max()) for values in lines.values())
    if high <= low:
        high = low + 1.0
    shapes = [*_frame(low, high, across)]
    for name, values in lines.items():
        across_step = (_WIDTH - _LEFT - _RIGHT) / (len(values) - 1)
        points = [
            (_LEFT + at * across_step, _down(value, low, high)) for at, value in enumerate(values.tolist())
        ]
        shapes.append(svg.path(points, f"curve {name}"))
    return svg.drawing(shapes, width=_WIDTH, height=_HEIGHT, label=label)


def _frame(low: float, high: float, across: str) -> list[Html]:
    floor = _HEIGHT - _BOTTOM
    return [
        svg.line((_LEFT, floor), (_WIDTH - _RIGHT, floor), "axis"),
        svg.line((_LEFT, _TOP), (_LEFT, floor), "axis"),
        svg.words((_LEFT - 4, _TOP + 8), f"{high:.3g}", "end"),
        svg.words((_LEFT - 4, floor), f"{low:.3g}", "end"),
        svg.words((_LEFT, _HEIGHT - 7), across),
    ]


def _down(value: float, low: float, high: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)
