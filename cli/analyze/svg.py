"""Shapes of an SVG drawing; colours come from the page's style sheet, so that they follow light and dark."""

import html
from collections.abc import Iterable, Sequence

from cli.markup import Html, joined

__all__ = ["circle", "drawing", "line", "path", "rectangle", "title", "words"]

Point = tuple[float, float]


def drawing(shapes: Iterable[Html], *, width: float, height: float, label: str, kind: str = "chart") -> Html:
    """A drawing that grows with the page.

    Args:
        shapes: What is in it.
        width: Of its coordinates.
        height: Of its coordinates.
        label: What it shows, for whoever does not see it.
        kind: Its class in the style sheet.
    """
    return Html(
        f'<svg class="{_attribute(kind)}" viewBox="0 0 {_number(width)} {_number(height)}" role="img" '
        f'aria-label="{_attribute(label)}">{joined(shapes)}</svg>'
    )


def line(start: Point, end: Point, kind: str) -> Html:
    """A straight line of a class."""
    return Html(
        f'<line x1="{_number(start[0])}" y1="{_number(start[1])}" x2="{_number(end[0])}" '
        f'y2="{_number(end[1])}" class="{_attribute(kind)}"/>'
    )


def path(points: Sequence[Point], kind: str) -> Html:
    """A line through points; nothing where there are fewer than two."""
    if len(points) < 2:
        return Html("")
    steps = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
    return Html(f'<polyline points="{steps}" class="{_attribute(kind)}"/>')


def rectangle(corner: Point, size: Point, kind: str, *, told: str = "") -> Html:
    """A rectangle; ``told`` is shown to who points at it."""
    return Html(
        f'<rect x="{_number(corner[0])}" y="{_number(corner[1])}" width="{_number(max(0.0, size[0]))}" '
        f'height="{_number(max(0.0, size[1]))}" class="{_attribute(kind)}">{title(told)}</rect>'
    )


def circle(centre: Point, radius: float, kind: str, *, told: str = "") -> Html:
    """A circle; ``told`` is shown to who points at it."""
    return Html(
        f'<circle cx="{_number(centre[0])}" cy="{_number(centre[1])}" r="{_number(radius)}" '
        f'class="{_attribute(kind)}">{title(told)}</circle>'
    )


def words(at: Point, text: str, kind: str = "") -> Html:
    """Text that begins (or, by its class, ends) at a point."""
    place = f'x="{_number(at[0])}" y="{_number(at[1])}"'
    return Html(f'<text {place} class="{_attribute(kind)}">{html.escape(text)}</text>')


def title(text: str) -> Html:
    """What is told of a shape; nothing where there is no text."""
    return Html(f"<title>{html.escape(text)}</title>" if text else "")


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _attribute(text: str) -> str:
    return html.escape(text, quote=True)
