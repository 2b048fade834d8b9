"""A drawing as SVG that stands in a page and takes its colours from the page's style sheet."""

from functools import singledispatch
from html import escape

from cli.demo.flash.drawing import Bar, Dot, Drawing, Label, Picture, Shape, Stroke
from cli.demo.markup import Html, jpeg_uri

__all__ = ["svg"]


def svg(drawing: Drawing) -> Html:
    """Markup of a drawing; each colour of the theme is the style sheet's variable of that name."""
    shapes = "\n".join(_markup(shape) for shape in drawing.shapes)
    return Html(
        f'<svg class="flash-strip" viewBox="0 0 {drawing.width:g} {drawing.height:g}" role="img" '
        f'aria-label="{escape(drawing.spoken)}">\n{shapes}\n</svg>'
    )


def _paint(colour: str) -> str:
    return colour if colour.startswith("#") else f"var(--{colour})"


@singledispatch
def _markup(shape: Shape) -> str:
    raise TypeError(f"{type(shape).__name__} cannot be drawn")


@_markup.register
def _bar(bar: Bar) -> str:
    outline = f";stroke:{_paint(bar.outline)}" if bar.outline else ""
    start = (
        f'<rect x="{bar.x:.1f}" y="{bar.y:.1f}" width="{bar.width:.1f}" height="{bar.height:.1f}" '
        f'rx="{bar.radius:g}" style="fill:{_paint(bar.fill)}{outline}"'
    )
    return f"{start}><title>{escape(bar.hint)}</title></rect>" if bar.hint else f"{start}/>"


@_markup.register
def _stroke(stroke: Stroke) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in stroke.points)
    dashes = ";stroke-dasharray:5 4" if stroke.dashed else ""
    return (
        f'<polyline points="{points}" style="fill:none;stroke:{_paint(stroke.colour)};'
        f'stroke-width:{stroke.width:g}{dashes}"/>'
    )


@_markup.register
def _dot(dot: Dot) -> str:
    paint = _paint(dot.colour)
    style = f"fill:none;stroke:{paint};stroke-width:1.5" if dot.hollow else f"fill:{paint}"
    return f'<circle cx="{dot.x:.1f}" cy="{dot.y:.1f}" r="{dot.radius:g}" style="{style}"/>'


@_markup.register
def _label(label: Label) -> str:
    weight = ";font-weight:600" if label.bold else ""
    return (
        f'<text x="{label.x:.1f}" y="{label.y:.1f}" text-anchor="{label.anchor}" '
        f'style="font-size:{label.size:g}px;fill:{_paint(label.colour)}{weight}">{escape(label.text)}</text>'
    )


@_markup.register
def _picture(picture: Picture) -> str:
    return (
        f'<image x="{picture.x:.1f}" y="{picture.y:.1f}" width="{picture.width:.1f}" '
        f'height="{picture.height:.1f}" href="{jpeg_uri(picture.jpeg)}"/>'
    )
