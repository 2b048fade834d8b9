"""A drawing as a list of shapes, which a page and an image file render alike."""

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["Anchor", "Bar", "Dot", "Drawing", "Label", "PlacedJpeg", "Shape", "Stroke", "shifted"]

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A filled rectangle.

    Attributes:
        x: Left side.
        y: Upper side.
        width: Width.
        height: Height.
        fill: Name of a colour of the theme, or ``#rrggbb`` for a colour that is itself the message.
        radius: Radius of the corners.
        outline: Name of a colour of the theme; empty for none.
        hint: Its tooltip; empty for none.
    """

    x: float
    y: float
    width: float
    height: float
    fill: str
    radius: float = 0.0
    outline: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points.

    Attributes:
        points: (x, y) each.
        colour: Name of a colour of the theme.
        width: Width of the line.
        dashed: Whether it is dashed.
    """

    points: tuple[tuple[float, float], ...]
    colour: str
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A circle, filled or hollow.

    Attributes:
        x: X of the centre.
        y: Y of the centre.
        radius: Radius of the circle.
        colour: Name of a colour of the theme.
        hollow: Whether only its edge is drawn.
    """

    x: float
    y: float
    radius: float
    colour: str
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text.

    Attributes:
        x: X of the anchor.
        y: Y of the base line.
        text: The text.
        size: Size of the letters.
        colour: Name of a colour of the theme.
        anchor: The end of the text at ``x``.
        bold: Whether it is bold.
    """

    x: float
    y: float
    text: str
    size: float = 12.0
    colour: str = "soft"
    anchor: Anchor = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True)
class PlacedJpeg:
    """A JPEG in a rectangle, which it fills.

    Attributes:
        x: Left side.
        y: Upper side.
        width: Width.
        height: Height.
        jpeg: The image, with the rectangle's proportions.
    """

    x: float
    y: float
    width: float
    height: float
    jpeg: bytes


Shape = Bar | Stroke | Dot | Label | PlacedJpeg


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Shapes on a sheet; lengths are in pixels at usual size, y runs down.

    Attributes:
        width: Width of the sheet.
        height: Height of the sheet.
        shapes: The shapes, in drawing order.
        spoken: The text for screen readers.
    """

    width: float
    height: float
    shapes: tuple[Shape, ...]
    spoken: str


def shifted(shape: Shape, *, right: float = 0.0, down: float = 0.0) -> Shape:
    """Returns a copy of a shape at another place."""
    if isinstance(shape, Stroke):
        return replace(shape, points=tuple((x + right, y + down) for x, y in shape.points))
    return replace(shape, x=shape.x + right, y=shape.y + down)
