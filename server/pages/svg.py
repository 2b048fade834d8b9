"""Shapes of an SVG drawing. The page's style sheet gives the colours, for the light and the dark theme."""

from collections.abc import Iterable, Sequence

from server.pages.markup import NOTHING, Html, joined

__all__ = ["circle", "drawing", "element", "line", "path", "rectangle", "title", "words"]

Point = tuple[float, float]


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
