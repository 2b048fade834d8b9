"""Places the rows of a video's timeline, time from left to right; the template ``charts.svg`` draws them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cli.analyze.timeline import Timeline, median_step

__all__ = ["TimelineChart", "TimelineRow", "timeline_chart"]

_LEFT: Final = 118.0
_INNER: Final = 630.0
"""Left side and width of the rows, as in the template."""

_LOW_ROW: Final = 22
_HIGH_ROW: Final = 62
_GAP: Final = 14
_MOST_TICKS: Final = 10
_GAP_STEPS: Final = 6.0
_TICKS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0)
_NETWORK_KINDS: Final = 4
_FACES: Final = {0: ("none", "no face"), 1: ("one", "one face")}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRow:
    """A row of the chart; lengths are in the units of the drawing.

    Attributes:
        name: Its name.
        top: Its upper side.
        height: Its height.
        track: Whether its background is drawn.
        cells: Left side, width, class and tooltip of each cell.
        scale: The value at its upper side; 0 for a row without values.
        absent: Why it has no values; empty if it has.
        limit: Height of a dashed line; None for none.
        lines: Points of each run of a curve.
        kind: Class of the curve.
        dots: Centre, class and tooltip of each dot.
    """

    name: str
    top: int
    height: int
    track: bool = True
    cells: Sequence[tuple[float, float, str, str]] = ()
    scale: float = 0.0
    absent: str = ""
    limit: float | None = None
    lines: Sequence[str] = ()
    kind: str = ""
    dots: Sequence[tuple[float, float, int, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineChart:
    """A timeline, ready to draw.

    Attributes:
        label: The text for screen readers.
        rows: Its rows, from above.
        foot: Lower side of the rows.
        ticks: Place and text of each mark of the time scale.
    """

    label: str
    rows: Sequence[TimelineRow]
    foot: int
    ticks: Sequence[tuple[float, str]]


def timeline_chart(timeline: Timeline, *, eyes_shut_level: float, timed: bool = True) -> TimelineChart:
    """Places the rows of a timeline.

    Args:
        timeline: At least one moment.
        eyes_shut_level: Eye aspect ratio below which eyes count as shut.
        timed: False if a moment's time is its place in the order.
    """
    step = median_step(timeline) or 0.1
    whole = timeline.seconds + step

    def x_of(time: float) -> float:
        return _LEFT + _INNER * time / whole

    def when(time: float) -> str:
        return f"{time:.2f} s" if timed else f"frame {time:g}"

    moments = timeline.moments
    times = [moment.time for moment in moments]
    # A frame covers the time up to the next frame, but not a gap in the video.
    ends = [
        min(later, time + _GAP_STEPS * step)
        for time, later in zip(times, [*times[1:], times[-1] + step], strict=True)
    ]
    widths = [x_of(end) - x_of(time) for time, end in zip(times, ends, strict=True)]
    faces, repeats = [], []
    for moment, width in zip(moments, widths, strict=True):
        kind, label = _FACES.get(moment.faces, ("several", f"{moment.faces} faces"))
        how = "" if moment.looked else ", followed"
        x = x_of(moment.time)
        faces.append((x, width, f"face {kind}", f"{when(moment.time)}: {label}{how}"))
        if moment.repeated:
            repeats.append((x, width, "repeat", f"{when(moment.time)}: the same image as before"))
    tops = [6, 42, 78, 154, 230]
    rows = (
        TimelineRow(name="face", top=tops[0], height=_LOW_ROW, track=False, cells=faces),
        TimelineRow(name="repeated", top=tops[1], height=_LOW_ROW, cells=repeats),
        _values(
            [(one.time, one.eyes_open) for one in moments],
            x_of,
            name="eyes open",
            kind="eyes",
            top=tops[2],
            limit=eyes_shut_level,
        ),
        _values(
            [(one.time, one.moved) for one in moments],
            x_of,
            name="movement",
            kind="moved",
            top=tops[3],
            limit=None,
        ),
        _networks(timeline, tops[4], x_of, when),
    )
    return TimelineChart(
        label=f"Timeline of {len(moments)} frames over {timeline.seconds:.1f} seconds"
        if timed
        else f"{len(moments)} still frames in their order",
        rows=rows,
        foot=tops[4] + _HIGH_ROW + _GAP,
        ticks=[
            (x_of(tick), f"{tick:g} s" if timed else f"{tick:g}")
            for tick in _ticks(whole)
            if timed or tick == int(tick)
        ],
    )


def _values(
    points: Sequence[tuple[float, float | None]],
    x_of: Callable[[float], float],
    *,
    name: str,
    kind: str,
    top: int,
    limit: float | None,
) -> TimelineRow:
    """Returns the row of a measurement: a line with gaps where frames have no value."""
    known = [number for _, number in points if number is not None]
    if not known:
        return TimelineRow(name=name, top=top, height=_HIGH_ROW, absent="not measured")
    scale = max(*known, limit or 0.0, 1e-6)
    return TimelineRow(
        name=name,
        top=top,
        height=_HIGH_ROW,
        scale=scale,
        limit=None if limit is None else _level(top, limit / scale),
        lines=[
            " ".join(f"{x_of(time):.2f},{_level(top, number / scale):.2f}" for time, number in run)
            for run in _runs(points)
            if len(run) > 1
        ],
        kind=kind,
    )


def _networks(
    timeline: Timeline, top: int, x_of: Callable[[float], float], when: Callable[[float], str]
) -> TimelineRow:
    """Returns the row of the networks: scores as dots, from 0 (attack) at the bottom to 1 (real)."""
    if not timeline.networks:
        return TimelineRow(name="networks", top=top, height=_HIGH_ROW, absent="no network ran")
    names = sorted({each.network for each in timeline.networks})
    return TimelineRow(
        name="networks",
        top=top,
        height=_HIGH_ROW,
        scale=1.0,
        limit=_level(top, 0.5),
        dots=[
            (
                x_of(each.time),
                _level(top, each.real_probability),
                names.index(each.network) % _NETWORK_KINDS,
                f"{when(each.time)}: {each.network} {each.real_probability:.2f}",
            )
            for each in timeline.networks
        ],
    )


def _level(top: float, share: float) -> float:
    return top + _HIGH_ROW - 3 - (_HIGH_ROW - 6) * share


def _runs(points: Sequence[tuple[float, float | None]]) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for time, number in points:
        if number is None:
            yield run
            run = []
        else:
            run.append((time, number))
    yield run


def _ticks(seconds: float) -> Iterator[float]:
    step = next((tick for tick in _TICKS if seconds / tick <= _MOST_TICKS), _TICKS[-1])
    at = 0
    while at * step <= seconds and at <= 2 * _MOST_TICKS:
        yield at * step
        at += 1
