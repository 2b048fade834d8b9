"""Renders a drawing as a PNG file."""

import io
from functools import singledispatch
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from cli.demo.flash.drawing import Bar, Dot, Drawing, Label, PlacedJpeg, Shape, Stroke

__all__ = ["png"]

_SCALE: Final = 2
_DASH: Final = (5.0, 4.0)
_ANCHORS: Final = MappingProxyType({"start": "ls", "middle": "ms", "end": "rs"})
_THEME: Final = MappingProxyType(
    {
        "card": "#ffffff",
        "ink": "#17202c",
        "soft": "#586476",
        "line": "#dde2e9",
        "track": "#e6eaf0",
        "panel": "#f6f7f9",
        "good": "#13795b",
        "bad": "#b3261e",
        "warn": "#8a5a00",
        "flash-red": "#c62f2f",
        "flash-green": "#1c8a4c",
        "flash-blue": "#2f62c9",
        "flash-behind": "#98a3b3",
    }
)
"""The page's colours in the light theme."""


def png(drawing: Drawing) -> bytes:
    """Returns the drawing at twice its size."""
    size = round(_SCALE * drawing.width), round(_SCALE * drawing.height)
    image = Image.new("RGB", size, _THEME["card"])
    canvas = _Canvas(image)
    for shape in drawing.shapes:
        _put(shape, canvas)
    written = io.BytesIO()
    image.save(written, "PNG", optimize=True)
    return written.getvalue()


class _Canvas:
    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.pen = ImageDraw.Draw(image)


def _paint(colour: str) -> str:
    return colour if colour.startswith("#") else _THEME[colour]


def _scaled(*values: float) -> tuple[float, ...]:
    return tuple(_SCALE * value for value in values)


@singledispatch
def _put(shape: Shape, canvas: _Canvas) -> None:
    raise TypeError(f"{type(shape).__name__} cannot be drawn")


@_put.register
def _bar(bar: Bar, canvas: _Canvas) -> None:
    left, top, right, bottom = _scaled(bar.x, bar.y, bar.x + bar.width, bar.y + bar.height)
    canvas.pen.rounded_rectangle(
        (left, top, max(left, right - 1), max(top, bottom - 1)),
        radius=_SCALE * bar.radius,
        fill=_paint(bar.fill),
        outline=_paint(bar.outline) if bar.outline else None,
        width=_SCALE if bar.outline else 0,
    )


@_put.register
def _stroke(stroke: Stroke, canvas: _Canvas) -> None:
    parts = _dashes(stroke.points) if stroke.dashed else [stroke.points]
    for part in parts:
        points = [(_SCALE * x, _SCALE * y) for x, y in part]
        canvas.pen.line(
            points, fill=_paint(stroke.colour), width=max(1, round(_SCALE * stroke.width)), joint="curve"
        )


@_put.register
def _dot(dot: Dot, canvas: _Canvas) -> None:
    x, y, radius = _scaled(dot.x, dot.y, dot.radius)
    paint = _paint(dot.colour)
    canvas.pen.ellipse(
        (x - radius, y - radius, x + radius, y + radius),
        fill=None if dot.hollow else paint,
        outline=paint if dot.hollow else None,
        width=3 if dot.hollow else 0,
    )


@_put.register
def _label(label: Label, canvas: _Canvas) -> None:
    canvas.pen.text(
        (_SCALE * label.x, _SCALE * label.y),
        label.text,
        font=ImageFont.load_default(_SCALE * label.size),
        fill=_paint(label.colour),
        anchor=_ANCHORS[label.anchor],
        stroke_width=0.6 if label.bold else 0,
        stroke_fill=_paint(label.colour),
    )


@_put.register
def _picture(picture: PlacedJpeg, canvas: _Canvas) -> None:
    left, top, width, height = (
        round(value) for value in _scaled(picture.x, picture.y, picture.width, picture.height)
    )
    with Image.open(io.BytesIO(picture.jpeg), formats=["JPEG"]) as opened:
        resized = opened.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    canvas.image.paste(resized, (left, top))


def _dashes(points: tuple[tuple[float, float], ...]) -> list[tuple[tuple[float, float], ...]]:
    """Returns the dashes of a dashed line."""
    drawn, left = True, _DASH[0]
    parts: list[tuple[tuple[float, float], ...]] = []
    part = [points[0]]
    for (x, y), (to_x, to_y) in pairwise(points):
        length = max(1e-9, ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5)
        gone = 0.0
        while length - gone >= left:
            gone += left
            corner = (x + (to_x - x) * gone / length, y + (to_y - y) * gone / length)
            if drawn:
                parts.append((*part, corner))
            part, drawn = [corner], not drawn
            left = _DASH[0 if drawn else 1]
        left -= length - gone
        part.append((to_x, to_y))
    if drawn and len(part) > 1:
        parts.append(tuple(part))
    return parts
