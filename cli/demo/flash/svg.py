"""Renders a drawing as SVG inside a page, with the colours of the page's style sheet."""

from functools import singledispatch

from cli.demo.flash.drawing import Bar, Dot, Drawing, Label, PlacedJpeg, Shape, Stroke
from server.pages import Html, data_uri
from server.pages import svg as shapes

__all__ = ["svg"]


def svg(drawing: Drawing) -> Html:
    """Returns the markup of a drawing. Each colour of the theme is a variable of the style sheet."""
    return shapes.drawing(
        map(_markup, drawing.shapes),
        width=drawing.width,
        height=drawing.height,
        label=drawing.spoken,
        kind="flash-strip",
    )


def _paint(colour: str) -> str:
    return colour if colour.startswith("#") else f"var(--{colour})"


@singledispatch
def _markup(shape: Shape) -> Html:
    raise TypeError(f"{type(shape).__name__} cannot be drawn")


@_markup.register
def _bar(bar: Bar) -> Html:
    outline = f";stroke:{_paint(bar.outline)}" if bar.outline else ""
    return shapes.rectangle(
        (bar.x, bar.y),
        (bar.width, bar.height),
        tooltip=bar.hint,
        rx=bar.radius,
        style=f"fill:{_paint(bar.fill)}{outline}",
    )


@_markup.register
def _stroke(stroke: Stroke) -> Html:
    dashes = ";stroke-dasharray:5 4" if stroke.dashed else ""
    paint = _paint(stroke.colour)
    return shapes.path(stroke.points, style=f"fill:none;stroke:{paint};stroke-width:{stroke.width:g}{dashes}")


@_markup.register
def _dot(dot: Dot) -> Html:
    paint = _paint(dot.colour)
    style = f"fill:none;stroke:{paint};stroke-width:1.5" if dot.hollow else f"fill:{paint}"
    return shapes.circle((dot.x, dot.y), dot.radius, style=style)


@_markup.register
def _label(label: Label) -> Html:
    weight = ";font-weight:600" if label.bold else ""
    return shapes.words(
        (label.x, label.y),
        label.text,
        text_anchor=label.anchor,
        style=f"font-size:{label.size:g}px;fill:{_paint(label.colour)}{weight}",
    )


@_markup.register
def _picture(picture: PlacedJpeg) -> Html:
    return shapes.element(
        "image",
        x=picture.x,
        y=picture.y,
        width=picture.width,
        height=picture.height,
        href=data_uri(picture.jpeg, media_type="image/jpeg"),
    )
