"""Draws a flash strip: faces, the colours below them, and the response over time."""

import math
from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap
from typing import Final

import numpy as np
from facegate.v1 import result_pb2
from numpy.typing import NDArray

from cli.demo.flash.drawing import Bar, Dot, Drawing, Label, PlacedJpeg, Shape, Stroke, shifted
from cli.demo.flash.measure import FlashCurves
from cli.demo.flash.strip import CROP_HEIGHT, CROP_WIDTH, FlashStrip, StripColumn

__all__ = ["file_picture", "page_picture"]

_WIDTH: Final = 960.0
_LEFT: Final = 90.0
_INNER: Final = _WIDTH - _LEFT - 10.0
_WIDEST: Final = 142.0
_GAP: Final = 5.0
_SWATCH: Final = 20.0
_BAND: Final = 8.0
_PANEL: Final = 72.0
_CHANNELS: Final = ("red", "green", "blue")
_LEAST_SCALE: Final = 0.03
_NICE: Final = (0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_BROKEN: Final = 3.0
"""A curve is interrupted at a gap of this multiple of the usual time between two measured frames."""

_MARGIN: Final = 20.0
_SPOKEN: Final = {True: "answered", False: "contradicted", None: "undecided"}
_ROW: Final = 21.0
_MIDDLE: Final = 0.5
_NEXT_LINE: Final = 15.0
_LINE: Final = 130
_DETAIL_LINE: Final = 96
"""Letters."""

_SCORE_BAR: Final = (248.0, 104.0)
"""Left side and width; the longest of the labels before it is 236 wide."""


def page_picture(strip: FlashStrip) -> Drawing:
    """Returns the strip for a page, without the other data of the check."""
    shapes = list(_columns(strip.columns))
    column = _column_width(len(strip.columns))
    down = column * CROP_HEIGHT / CROP_WIDTH + _SWATCH + 44
    if strip.curves is None:
        text = "Too few frames could be measured for the light on the face over time."
        shapes.append(Label(_LEFT, down + 14, text))
        down += 24
    else:
        shapes += (shifted(shape, down=down) for shape in _chart(strip.columns, strip.curves))
        down += _chart_height()
    return Drawing(width=_WIDTH, height=down, shapes=tuple(shapes), spoken=_words(strip))


def file_picture(
    strip: FlashStrip,
    *,
    title: str,
    outcome: str,
    tone: str,
    sentences: Sequence[str],
    signals: Sequence[result_pb2.Signal],
) -> Drawing:
    """Returns the strip for a separate file, with the outcome above and the flash's signals below.

    Args:
        strip: The strip.
        title: Title of the scenario.
        outcome: Outcome of the check.
        tone: Name of the theme's colour for the outcome.
        sentences: Reasons of the outcome.
        signals: Signals of the flash.
    """
    inner = page_picture(strip)
    shapes: list[Shape] = [
        Label(0, 20, title, 20, "ink", bold=True),
        Label(_WIDTH, 20, outcome, 16, tone, "end", bold=True),
    ]
    down = 42.0
    for sentence in sentences:
        for line in wrap(sentence, _LINE):
            shapes.append(Label(0, down, line, 13))
            down += 18
    down += 4
    shapes += (shifted(shape, down=down) for shape in inner.shapes)
    down += inner.height + 18
    for signal in signals:
        detail_lines = _lines_of(signal.detail)
        shapes += (shifted(shape, down=down) for shape in _signal(signal, detail_lines))
        down += _ROW + _NEXT_LINE * (len(detail_lines) - 1)
    return Drawing(
        width=_WIDTH + 2 * _MARGIN,
        height=down + 2 * _MARGIN,
        shapes=tuple(shifted(shape, right=_MARGIN, down=_MARGIN) for shape in shapes),
        spoken=f"{title}: {outcome}. {inner.spoken}",
    )


def _words(strip: FlashStrip) -> str:
    proving = [column for column in strip.columns if column.proves]
    answered = sum(column.agrees is True for column in proving)
    other = sum(column.agrees is False for column in proving)
    return (
        f"{len(strip.columns)} colours of the screen and the face under each; of {len(proving)} that were "
        f"drawn at random the face answered {answered}, {other} were contradicted"
    )


def _column_width(count: int) -> float:
    return min(_WIDEST, (_INNER + _GAP) / count - _GAP)


def _hex(colour: tuple[int, int, int]) -> str:
    red, green, blue = colour
    return f"#{red:02x}{green:02x}{blue:02x}"


def _columns(columns: Sequence[StripColumn]) -> Iterator[Shape]:
    width = _column_width(len(columns))
    height = width * CROP_HEIGHT / CROP_WIDTH
    swatch = height + 7
    yield Label(0, height / 2 + 4, "Face", 12, "ink", bold=True)
    yield Label(0, swatch + 14, "Screen", 12, "ink", bold=True)
    yield Label(0, swatch + _SWATCH + 17, "Answer, SNR", 12, "ink", bold=True)
    for place, column in enumerate(columns):
        x = _LEFT + place * (width + _GAP)
        if column.crop is None:
            yield Bar(x, 0, width, height, "track", 4)
            yield Label(x + width / 2, height / 2, "no face", 11, anchor="middle")
        else:
            yield PlacedJpeg(x, 0, width, height, column.crop)
        yield Bar(x, swatch, width, _SWATCH, _hex(column.colour), 4, "line", _hint(column))
        yield from _answer(column, x + width / 2, swatch + _SWATCH + 13)


def _hint(column: StripColumn) -> str:
    red, green, blue = column.colour
    entered = ", slid in from the top" if column.scrolls else ""
    seconds = column.until - column.since
    answer = _SPOKEN[column.agrees] if column.proves else "publicly known"
    return f"Step {column.number}: {red}, {green}, {blue}{entered}; {seconds:.2f} s; {answer}"


def _answer(column: StripColumn, x: float, y: float) -> Iterator[Shape]:
    if not column.proves:
        yield Label(x, y + 4, "known", 11, anchor="middle")
        return
    tone = {True: "good", False: "bad", None: "soft"}[column.agrees]
    noise = column.signal_to_noise
    yield Dot(x - 12, y, 4.5, tone, hollow=column.agrees is None)
    yield Label(x - 2, y + 4, "-" if noise is None else f"{noise:.0f}", 12, "ink")


def _chart_height() -> float:
    return _BAND + 8 + len(_CHANNELS) * (_PANEL + 8) + 46


def _chart(columns: Sequence[StripColumn], curves: FlashCurves) -> Iterator[Shape]:
    start, end = columns[0].since, max(columns[-1].until, float(curves.times[-1]))
    per_second = _INNER / max(end - start, 0.5)

    def x_of(time: float) -> float:
        return _LEFT + (min(max(time, start), end) - start) * per_second

    yield Label(0, _BAND, "Over time", 12, "ink", bold=True)
    for column in columns:
        left, right = x_of(column.since), x_of(column.until)
        yield Bar(left, 0, max(1.0, right - left), _BAND, _hex(column.colour), 0, "line")
    scale = _scale(curves)
    top = _BAND + 8
    for channel in range(len(_CHANNELS)):
        shapes = _panel(columns, curves, channel=channel, scale=scale, x_of=x_of)
        yield from (shifted(shape, down=top) for shape in shapes)
        top += _PANEL + 8
    yield from _seconds(start, end, top, x_of)
    yield from _legend(top + 28)


def _scale(curves: FlashCurves) -> float:
    """Returns the largest change that a panel shows, a round number."""
    parts = [np.percentile(np.abs(curves.face), 99), np.abs(curves.expected).max()]
    if curves.background is not None:
        parts.append(np.percentile(np.abs(curves.background), 97))
    largest = max(_LEAST_SCALE, *(float(part) for part in parts)) * 1.08
    return next((nice for nice in _NICE if nice >= largest), _NICE[-1])


def _panel(
    columns: Sequence[StripColumn],
    curves: FlashCurves,
    *,
    channel: int,
    scale: float,
    x_of: Callable[[float], float],
) -> Iterator[Shape]:
    name, middle = _CHANNELS[channel], _PANEL / 2

    def y_of(value: float) -> float:
        return middle - min(max(value / scale, -1.0), 1.0) * (middle - 3)

    yield Bar(_LEFT, 0, _INNER, _PANEL, "panel", 4)
    for column in columns[1:]:
        x = x_of(column.since)
        yield Stroke(((x, 0), (x, _PANEL)), "line")
    yield Stroke(((_LEFT, middle), (_LEFT + _INNER, middle)), "line")
    yield Label(0, middle + 4, name.capitalize(), 12, f"flash-{name}", bold=True)
    for value in (scale, 0.0, -scale):
        share = 100 * math.expm1(value)
        text = f"{share:+.0f} %" if value else "0"
        yield Label(_LEFT - 6, min(max(y_of(value) + 4, 10), _PANEL - 2), text, 10, anchor="end")
    if curves.background is not None:
        for line in _lines(curves.times, curves.background[:, channel], x_of, y_of):
            yield Stroke(line, "flash-behind", 1.4)
    for line in _lines(curves.times, curves.face[:, channel], x_of, y_of):
        yield Stroke(line, f"flash-{name}", 2.2)
    for line in _lines(curves.times, curves.expected[:, channel], x_of, y_of):
        yield Stroke(line, "ink", 1.2, dashed=True)


def _lines(
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    x_of: Callable[[float], float],
    y_of: Callable[[float], float],
) -> Iterator[tuple[tuple[float, float], ...]]:
    """Yields a curve through the values, with gaps at missing frames."""
    gaps = np.diff(times)
    breaks = np.flatnonzero(gaps > _BROKEN * np.median(gaps)) + 1
    for part in np.split(np.arange(len(times)), breaks):
        if len(part) > 1:
            yield tuple((x_of(float(times[row])), y_of(float(values[row]))) for row in part)


def _seconds(start: float, end: float, y: float, x_of: Callable[[float], float]) -> Iterator[Shape]:
    for second in range(math.floor(end - start) + 1):
        text = f"{second} s" if second == 0 else str(second)
        yield Label(x_of(start + second), y + 6, text, 10, anchor="start" if second == 0 else "middle")


def _legend(y: float) -> Iterator[Shape]:
    x = _LEFT
    for name in _CHANNELS:
        yield Stroke(((x, y - 4), (x + 12, y - 4)), f"flash-{name}", 2.2)
        x += 14
    yield Label(x + 4, y, "light on the face, measured", 11)
    x += 166
    yield Stroke(((x, y - 4), (x + 30, y - 4)), "flash-behind", 1.4)
    yield Label(x + 36, y, "behind it", 11)
    x += 104
    yield Stroke(((x, y - 4), (x + 30, y - 4)), "ink", 1.2, dashed=True)
    yield Label(x + 36, y, "what the colours cause on a face", 11)
    x += 240
    for tone, hollow, text, room in (
        ("good", False, "colour answered", 112),
        ("bad", False, "another colour", 104),
        ("soft", True, "undecided", 0),
    ):
        yield Dot(x, y - 4, 4.5, tone, hollow)
        yield Label(x + 9, y, text, 11)
        x += room


def _lines_of(detail: str) -> list[str]:
    """Wraps the detail of a signal into lines, without a break between a number and its percent sign."""
    lines = wrap(detail.replace(" %", "\N{NO-BREAK SPACE}%"), _DETAIL_LINE)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines] or [""]


def _signal(signal: result_pb2.Signal, lines: Sequence[str]) -> Iterator[Shape]:
    assessed, (left, width) = signal.HasField("score"), _SCORE_BAR
    yield Label(0, 12, signal.label or signal.name, 12, "ink", bold=True)
    yield Bar(left, 4, width, 8, "track", 4)
    neutral = assessed and round(signal.score, 2) == _MIDDLE
    if assessed:
        tone = "soft" if neutral else "good" if signal.score >= _MIDDLE else "bad"
        yield Bar(left, 4, max(3.0, width * signal.score), 8, tone, 4)
    score = "neutral" if neutral else f"{signal.score:.2f}" if assessed else "-"
    yield Label(392, 12, score, 10.5 if neutral else 12, "ink", "end")
    for number, line in enumerate(lines):
        yield Label(404, 12 + _NEXT_LINE * number, line, 12)
