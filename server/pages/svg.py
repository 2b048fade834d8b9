"""Shapes of an SVG drawing, and small charts of series of numbers.

The page's style sheet gives the colours, for the light and the dark theme.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.pages.parts import NOTHING, Html, joined

__all__ = [
    "bar_chart",
    "circle",
    "drawing",
    "element",
    "line",
    "line_chart",
    "path",
    "rectangle",
    "title",
    "words",
]

Point = tuple[float, float]
Values = NDArray[np.float64]

_WIDTH: Final = 460.0
_HEIGHT: Final = 190.0
_LEFT: Final = 42.0
_RIGHT: Final = 6.0
_TOP: Final = 10.0
_BOTTOM: Final = 24.0


def drawing(shapes: Iterable[Html], *, width: float, height: float, label: str, kind: str = "chart") -> Html:
    """Returns a drawing that scales with the page.

    Args:
        shapes: Its shapes.
        width: Width of its coordinates.
        height: Height of its coordinates.
        label: The text for screen readers.
        kind: Its class in the style sheet.
    """
    box = f"0 0 {_number(width)} {_number(height)}"
    return element("svg", joined(shapes), class_=kind, viewBox=box, role="img", aria_label=label)


def line(start: Point, end: Point, kind: str) -> Html:
    """Returns a straight line of a class."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=kind)


def path(points: Sequence[Point], kind: str = "", *, style: str = "") -> Html:
    """Returns a line through points, of a class or a style; nothing if there are fewer than two."""
    if len(points) < 2:
        return NOTHING
    steps = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
    return element("polyline", points=steps, class_=kind, style=style)


def rectangle(corner: Point, size: Point, kind: str = "", *, tooltip: str = "", **more: str | float) -> Html:
    """Returns a rectangle, with a tooltip if one is given."""
    width, height = max(0.0, size[0]), max(0.0, size[1])
    return element(
        "rect", title(tooltip), x=corner[0], y=corner[1], width=width, height=height, class_=kind, **more
    )


def circle(centre: Point, radius: float, kind: str = "", *, tooltip: str = "", style: str = "") -> Html:
    """Returns a circle, with a tooltip if one is given."""
    return element("circle", title(tooltip), cx=centre[0], cy=centre[1], r=radius, class_=kind, style=style)


def words(at: Point, text: str, kind: str = "", **more: str | float) -> Html:
    """Returns text that begins at a point; of class ``end`` or ``middle``, it ends or is centred there."""
    return element("text", Html.escape(text), x=at[0], y=at[1], class_=kind, **more)


def title(text: str) -> Html:
    """Returns the tooltip of a shape; nothing if there is no text."""
    return element("title", Html.escape(text)) if text else NOTHING


def element(tag: str, content: Html = NOTHING, **attributes: str | float) -> Html:
    """Returns an element.

    Args:
        tag: Its name.
        content: Its content.
        attributes: Attributes by name: ``_`` becomes ``-``, a trailing ``_`` is dropped; empty ones are
            omitted.
    """
    written = Html("").join(
        Html(' {}="{}"').format(
            name.rstrip("_").replace("_", "-"), value if isinstance(value, str) else _number(value)
        )
        for name, value in attributes.items()
        if value != ""
    )
    if not content:
        return Html("<{}{}/>").format(Html(tag), written)
    return Html("<{}{}>{}</{}>").format(Html(tag), written, content, Html(tag))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


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
        shapes.append(rectangle(corner, (step * 0.8, height), "bar", tooltip=f"{at}: {value:.3f}"))
    if line_at is not None:
        y = _down(line_at, 0.0, top)
        shapes.append(line((_LEFT, y), (_WIDTH - _RIGHT, y), "limit"))
    return drawing(shapes, width=_WIDTH, height=_HEIGHT, label=label)


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
        shapes.append(path(points, f"curve {name}"))
    return drawing(shapes, width=_WIDTH, height=_HEIGHT, label=label)


def _frame(low: float, high: float, across: str) -> list[Html]:
    floor = _HEIGHT - _BOTTOM
    return [
        line((_LEFT, floor), (_WIDTH - _RIGHT, floor), "axis"),
        line((_LEFT, _TOP), (_LEFT, floor), "axis"),
        words((_LEFT - 4, _TOP + 8), f"{high:.3g}", "end"),
        words((_LEFT - 4, floor), f"{low:.3g}", "end"),
        words((_LEFT, _HEIGHT - 7), across),
    ]


def _down(value: float, low: float, high: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)
