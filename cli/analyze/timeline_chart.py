"""The timeline of a video as a drawing: a row for each kind of measurement, time from left to right."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from cli.analyze.timeline import Moment, Timeline, median_step
from server.pages import Html, svg

__all__ = ["timeline_chart"]

_WIDTH: Final = 760.0
_LEFT: Final = 118.0
_RIGHT: Final = 12.0
_LOW_ROW: Final = 22.0
_HIGH_ROW: Final = 62.0
_GAP: Final = 14.0
_FOOT: Final = 26.0
_DOT: Final = 3.5
_MOST_TICKS: Final = 10
_GAP_STEPS: Final = 6.0
_TICKS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0)
_NETWORK_KINDS: Final = 4


def timeline_chart(timeline: Timeline, *, eyes_shut_level: float, timed: bool = True) -> Html:
    """Draws a timeline.

    Args:
        timeline: At least one moment.
        eyes_shut_level: Eye aspect ratio below which eyes count as shut.
        timed: False if a moment's time is its place in the order.
    """
    rows = _Rows(timeline, timed=timed)
    rows.faces()
    rows.repeats()
    rows.values("eyes open", lambda moment: moment.eyes_open, limit=eyes_shut_level, kind="eyes")
    rows.values("movement", lambda moment: moment.moved, limit=None, kind="moved")
    rows.networks()
    return rows.drawing()


class _Rows:
    """Rows over a common time scale."""

    def __init__(self, timeline: Timeline, *, timed: bool) -> None:
        self._timeline = timeline
        self._timed = timed
        self._step = median_step(timeline) or 0.1
        times = [moment.time for moment in timeline.moments]
        # A frame covers the time up to the next frame, but not a gap in the video.
        self._until = {
            moment.index: min(later, moment.time + _GAP_STEPS * self._step)
            for moment, later in zip(timeline.moments, [*times[1:], times[-1] + self._step], strict=True)
        }
        self._seconds = timeline.seconds + self._step
        self._top = 6.0
        self._shapes: list[Html] = []

    def faces(self) -> None:
        """Draws the row of faces: whether each frame shows no face, one or several."""
        self._name("face", _LOW_ROW)
        words = {0: ("none", "no face"), 1: ("one", "one face")}
        for moment in self._timeline.moments:
            kind, label = words.get(moment.faces, ("several", f"{moment.faces} faces"))
            how = "" if moment.looked else ", followed"
            self._cell(moment, f"face {kind}", f"{self._when(moment.time)}: {label}{how}")
        self._next(_LOW_ROW)

    def repeats(self) -> None:
        """Draws the row of repeats: the frames with the same image as the frame before."""
        self._name("repeated", _LOW_ROW)
        self._shapes.append(svg.rectangle((_LEFT, self._top), (_WIDTH - _LEFT - _RIGHT, _LOW_ROW), "track"))
        for moment in self._timeline.moments:
            if moment.repeated:
                self._cell(moment, "repeat", f"{self._when(moment.time)}: the same image as before")
        self._next(_LOW_ROW)

    def values(
        self, name: str, value: Callable[[Moment], float | None], *, limit: float | None, kind: str
    ) -> None:
        """Draws the row of a measurement: a line with gaps where frames have no value."""
        points = [(moment.time, value(moment)) for moment in self._timeline.moments]
        known = [number for _, number in points if number is not None]
        self._name(name, _HIGH_ROW)
        self._track()
        if not known:
            self._absent("not measured")
        else:
            top = max(*known, limit or 0.0, 1e-6)
            self._scale(top)
            if limit is not None:
                y = self._level(limit / top)
                self._shapes.append(svg.line((_LEFT, y), (_WIDTH - _RIGHT, y), "limit"))
            for run in _runs(points):
                self._shapes.append(
                    svg.path(
                        [(self._x(time), self._level(number / top)) for time, number in run], f"curve {kind}"
                    )
                )
        self._next(_HIGH_ROW)

    def networks(self) -> None:
        """Draws the row of the networks: scores as dots, from 0 (attack) at the bottom to 1 (real)."""
        self._name("networks", _HIGH_ROW)
        self._track()
        if not self._timeline.networks:
            self._absent("no network ran")
        else:
            self._scale(1.0)
            middle = self._level(0.5)
            self._shapes.append(svg.line((_LEFT, middle), (_WIDTH - _RIGHT, middle), "limit"))
            names = sorted({each.network for each in self._timeline.networks})
            for each in self._timeline.networks:
                kind = names.index(each.network) % _NETWORK_KINDS
                self._shapes.append(
                    svg.circle(
                        (self._x(each.time), self._level(each.real_probability)),
                        _DOT,
                        f"dot kind{kind}",
                        tooltip=f"{self._when(each.time)}: {each.network} {each.real_probability:.2f}",
                    )
                )
        self._next(_HIGH_ROW)

    def drawing(self) -> Html:
        """Returns all rows, with the time scale below."""
        ticks = [tick for tick in _ticks(self._seconds) if self._timed or tick == int(tick)]
        for tick in ticks:
            x = self._x(tick)
            self._shapes.insert(0, svg.line((x, 4), (x, self._top), "grid"))
            self._shapes.append(
                svg.words((x, self._top + 15), f"{tick:g} s" if self._timed else f"{tick:g}", "middle")
            )
        frames = len(self._timeline.moments)
        return svg.drawing(
            self._shapes,
            width=_WIDTH,
            height=self._top + _FOOT,
            label=f"Timeline of {frames} frames over {self._timeline.seconds:.1f} seconds"
            if self._timed
            else f"{frames} still frames in their order",
            kind="chart timeline",
        )

    def _when(self, time: float) -> str:
        return f"{time:.2f} s" if self._timed else f"frame {time:g}"

    def _name(self, name: str, height: float) -> None:
        self._shapes.append(svg.words((0, self._top + height / 2 + 4), name, "name"))

    def _track(self) -> None:
        self._shapes.append(svg.rectangle((_LEFT, self._top), (_WIDTH - _LEFT - _RIGHT, _HIGH_ROW), "track"))

    def _scale(self, top: float) -> None:
        self._shapes.append(svg.words((_LEFT - 5, self._top + 9), f"{top:.2g}", "end"))
        self._shapes.append(svg.words((_LEFT - 5, self._top + _HIGH_ROW), "0", "end"))

    def _absent(self, why: str) -> None:
        self._shapes.append(svg.words((_LEFT + 8, self._top + _HIGH_ROW / 2 + 4), why, "absent"))

    def _cell(self, moment: Moment, kind: str, tooltip: str) -> None:
        corner = (self._x(moment.time), self._top)
        width = self._x(self._until[moment.index]) - corner[0]
        self._shapes.append(svg.rectangle(corner, (width, _LOW_ROW), kind, tooltip=tooltip))

    def _next(self, height: float) -> None:
        self._top += height + _GAP

    def _x(self, time: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * time / self._seconds

    def _level(self, share: float) -> float:
        return self._top + _HIGH_ROW - 3 - (_HIGH_ROW - 6) * share


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
