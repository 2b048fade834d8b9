"""The screen flash on the demo's page: the frames, the colours, and the response of the face.

A phone keeps its frames and colours. The server's result states the colours that it found, but not the light
over time, so ``liveness.dynamic`` samples the kept frames again. Nothing here decides anything.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Final

import cv2
import numpy as np
from facegate.v1 import result_pb2, scan_pb2
from google.protobuf.duration_pb2 import Duration
from numpy.typing import NDArray

from formats.exposure import ExposureClaim
from lab.simulator.phone import TapedAttempt, TapedFrame
from liveness.dynamic import FlashModel, FlashSample
from liveness.dynamic.challenge import SHORTEST_HOLD_SECONDS, ColourStep, ScreenColour, Transition
from liveness.dynamic.measurement import (
    Appearance,
    FlashTrack,
    Sent,
    TrackView,
    appearances,
    expected_response,
    fit_drift,
    fit_response,
    light_at,
    measure_lag,
    sample_light,
    scene_lux,
)
from server.pages import Figure, TimeRow, time_chart
from vision.face import BgrImage, DetectedFace, Points
from vision.image import encode_jpeg

FaceFinder = Callable[[BgrImage], Sequence[DetectedFace]]
"""Detects faces in an image."""

_CROP_WIDTH: Final = 150
_CROP_HEIGHT: Final = 180
_CROP_QUALITY: Final = 86
_WIDE: Final = 3.4
"""Width of a crop in eye distances: the face and some of its surroundings."""
_BELOW_EYES: Final = 0.55
_LATE: Final = 0.6
"""Moment of the shown frame, as a share of the time that the colour fills the screen."""

_USUAL_LAG: Final = 0.06
_USUAL_LUX: Final = 150.0
_FEWEST: Final = 12
_SHRINK: Final = 2
_NANOSECONDS: Final = 1e9

_LEFT: Final = 90.0
_INNER: Final = 860.0
_WIDEST: Final = 142.0
_GAP: Final = 5.0
_PANEL: Final = 72
_LEAST_SCALE: Final = 0.03
_NICE: Final = (0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_BROKEN: Final = 3.0
"""A curve is interrupted at a gap of this multiple of the usual time between two measured frames."""
_SPOKEN: Final = {True: "answered", False: "contradicted", None: "undecided"}


@dataclass(frozen=True, slots=True, eq=False)
class FlashCurves:
    """The response over time, as changes of the natural logarithm of light (red, green, blue).

    The effects of camera, hand and room are removed, as in the judgement.

    Attributes:
        times: Shape (n,), seconds of the capture clock.
        face: Shape (n, 3): light of the skin.
        background: Shape (n, 3): light beside the face; None if it was not measured throughout.
        expected: Shape (n, 3): the effect that the commanded colours should have on a face, at the
            best-fitting time. It is as strong as the measured response, but at least as strong as with the
            dimmest usable screen.
    """

    times: NDArray[np.float64]
    face: NDArray[np.float64]
    background: NDArray[np.float64] | None
    expected: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class StripColumn:
    """One colour of the screen.

    Attributes:
        colour: The commanded colour, sRGB red, green, blue, 0..255.
        since: Time of its appearance, seconds of the capture clock.
        until: Time of the next colour's appearance, or of the last frame.
        crop: The face under it, JPEG; None if no frame shows a face.
        proves: Whether it was drawn at random, and so proves something; the first and the closing grey do
            not.
        agrees: Whether the server found that the face reflects it; None if it could not decide.
        signal_to_noise: Signal-to-noise ratio of the response, as the server measured it; None if it did not.
    """

    number: int
    colour: tuple[int, int, int]
    scrolls: bool
    since: float
    until: float
    crop: bytes | None
    proves: bool
    agrees: bool | None
    signal_to_noise: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashStrip:
    """A flash scan, ready to draw: its colours, at least one, and the light over time if it was measured."""

    columns: tuple[StripColumn, ...]
    curves: FlashCurves | None


def flash_strip(
    attempts: Sequence[TapedAttempt],
    steps: Sequence[result_pb2.ChallengeStep],
    *,
    find_faces: FaceFinder,
    model: FlashModel,
) -> FlashStrip | None:
    """Measure a scan again. Slow: do not call it in the event loop.

    Args:
        steps: The server's findings on the colours of the deciding attempt.

    Returns:
        The strip of the deciding attempt; None if no frame shows a colour.
    """
    said = {step.step: step for step in steps}
    attempt = next((one for one in attempts if said.keys() & {step.step for step in one.steps}), None)
    if attempt is None:
        return None
    samples = [_sample(frame, index, find_faces) for index, frame in enumerate(attempt.frames)]
    track = FlashTrack()
    for sample in samples:
        track.append_sample(sample)
    view = track.view()
    sent = [Sent(step=_colour_step(step), at=0.0, after_capture=-math.inf) for step in attempt.steps]
    shown = appearances(view, sent)
    if not shown:
        return None
    ends = [*(later.at for _, later in pairwise(shown)), attempt.frames[-1].time]
    columns = tuple(
        _column(one, until, said.get(one.step.number), attempt, samples)
        for one, until in zip(shown, ends, strict=True)
    )
    return FlashStrip(columns=columns, curves=_curves(view, shown, samples, model))


def _column(
    one: Appearance,
    until: float,
    said: result_pb2.ChallengeStep | None,
    attempt: TapedAttempt,
    samples: Sequence[FlashSample],
) -> StripColumn:
    step = one.step
    full = one.at + step.transition_seconds
    wanted = full + _LATE * max(0.0, until - full)
    there = [
        (abs(frame.time - wanted), frame.jpeg, sample.face.five_points)
        for frame, sample in zip(attempt.frames, samples, strict=True)
        if sample.face is not None and frame.step == step.number
    ]
    (found,) = said_columns([said or result_pb2.ChallengeStep()])
    return replace(
        found,
        number=step.number,
        colour=(step.colour.red, step.colour.green, step.colour.blue),
        scrolls=step.transition_seconds > 0,
        since=one.at,
        until=until,
        crop=_crop(*min(there, key=lambda frame: frame[0])[1:]) if there else None,
    )


def _crop(jpeg: bytes, points: Points) -> bytes:
    """Return the face and some of its surroundings; ``points`` are those of the half-size image."""
    pixels = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    left, right = np.asarray((points[:2] + 0.5) * _SHRINK - 0.5, np.float32)
    eyes = max(1.0, float(np.linalg.norm(right - left)))
    scale = _CROP_WIDTH / (_WIDE * eyes)
    x, y = (left + right) / 2 + (0.0, _BELOW_EYES * eyes)
    size = _CROP_WIDTH, _CROP_HEIGHT
    place = np.array([[scale, 0.0, size[0] / 2 - scale * x], [0.0, scale, size[1] / 2 - scale * y]])
    crop = cv2.warpAffine(pixels, place, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return encode_jpeg(np.asarray(crop, np.uint8), quality=_CROP_QUALITY)


def _curves(
    view: TrackView, shown: Sequence[Appearance], samples: Sequence[FlashSample], model: FlashModel
) -> FlashCurves | None:
    if len(shown) < 2:
        return None
    found, explained = measure_lag(view, shown)
    behind = found if found is not None and explained >= model.lag.least_explained else _USUAL_LAG
    rows = np.flatnonzero(view.clean & (view.times >= shown[0].at + behind))
    drift = fit_drift(view, rows) if len(rows) >= _FEWEST else None
    if drift is None:
        return None
    times = view.times[rows]
    screen = drift.clear(light_at(shown, times - behind, blur=view.frame_seconds))
    background = view.background[rows]
    response = fit_response(view, shown, lag=behind, settings=model.response)
    strengths = np.zeros(3) if response is None else np.diag(response.matrix)
    least = expected_response(scene_lux(samples) or _USUAL_LUX, model.light.faintest_screen_lux)
    return FlashCurves(
        times=times,
        face=drift.clear_of_gain(view.face[rows], screen),
        background=drift.clear(background) if np.isfinite(background).all() else None,
        expected=screen * np.maximum(strengths, least),
    )


def _sample(frame: TapedFrame, index: int, find_faces: FaceFinder) -> FlashSample:
    pixels = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
    small = np.asarray(pixels, np.uint8)
    faces = find_faces(small)
    return sample_light(
        small,
        index=index,
        capture_time=frame.time,
        arrival_time=frame.time,
        face=faces[0] if len(faces) == 1 else None,
        step=frame.step,
        step_since=frame.since,
        exposure=None if frame.exposure is None else ExposureClaim(**asdict(frame.exposure)),
    )


def _colour_step(step: scan_pb2.FlashStep) -> ColourStep:
    scrolls = step.transition == scan_pb2.TRANSITION_SCROLL_DOWN
    return ColourStep(
        number=step.step,
        colour=ScreenColour(step.color.red, step.color.green, step.color.blue),
        transition=Transition.SCROLL_DOWN if scrolls else Transition.FLAT,
        transition_seconds=min(1.0, _seconds(step.transition_duration)) if scrolls else 0.0,
        hold_seconds=max(SHORTEST_HOLD_SECONDS, _seconds(step.minimum_hold)),
        bits=0.0,
        last=step.last,
    )


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / _NANOSECONDS


def said_columns(steps: Iterable[result_pb2.ChallengeStep]) -> tuple[StripColumn, ...]:
    """Return the colours as the result states them: without frames and times."""
    return tuple(
        StripColumn(
            number=step.step,
            colour=(step.color.red, step.color.green, step.color.blue),
            scrolls=False,
            since=0.0,
            until=0.0,
            crop=None,
            proves=step.drawn_bits > 0,
            agrees=step.agrees if step.HasField("agrees") else None,
            signal_to_noise=step.signal_to_noise if step.HasField("signal_to_noise") else None,
        )
        for step in steps
    )


def colours_figures(columns: Sequence[StripColumn]) -> list[Figure]:
    """Return the colours without the light over time, for a narrow page; nothing without colours."""
    if not columns:
        return []
    caption = f"{_words(columns)}. The others are public knowledge and prove nothing."
    return [Figure(caption=caption, drawing=("colours", {"columns": [*map(_drawn, columns)]}))]


def strip_picture(strip: FlashStrip) -> dict[str, Any]:
    """Return the strip as ``charts.svg`` and ``flash_file.svg`` draw it."""
    columns = strip.columns
    width = min(_WIDEST, (_INNER + _GAP) / len(columns) - _GAP)
    height = width * _CROP_HEIGHT / _CROP_WIDTH
    chart = None if strip.curves is None else _over_time(columns, strip.curves)
    return {
        "spoken": _words(columns),
        "left": _LEFT,
        "width": width,
        "height": height,
        "gap": _GAP,
        "whole_height": height + (88 if chart is None else chart["foot"] + 112),
        "columns": [*map(_drawn, columns)],
        "chart": chart,
    }


def _drawn(column: StripColumn) -> dict[str, Any]:
    return {
        "crop": column.crop,
        "hex": _hex(column),
        "hint": _hint(column),
        "proves": column.proves,
        "agrees": column.agrees,
        "signal_to_noise": column.signal_to_noise,
    }


def _over_time(columns: Sequence[StripColumn], curves: FlashCurves) -> dict[str, Any]:
    start = columns[0].since
    end = max(columns[-1].until, float(curves.times[-1]))
    scale = _scale(curves)
    texts = [(value, f"{100 * math.expm1(value):+.0f} %" if value else "0") for value in (scale, 0.0, -scale)]
    shown = {"behind": curves.background, "": curves.face, "expected": curves.expected}
    rows = [
        TimeRow(
            name=name.capitalize(),
            kind=name,
            height=_PANEL,
            low=-scale,
            high=scale,
            scale=texts,
            levels=[(0.0, "grid")],
            curves=[
                (kind or name, _points(curves.times, values[:, channel]))
                for kind, values in shown.items()
                if values is not None
            ],
        )
        for channel, name in enumerate(("red", "green", "blue"))
    ]
    colours = [(column.since, column.until, _hex(column), "") for column in columns]
    return time_chart(
        [TimeRow(name="Over time", height=8, cells=colours), *rows],
        label=_words(columns),
        span=(start, max(end, start + 0.5)),
        ticks=[
            (start + second, str(second) if second else "0 s")
            for second in range(math.floor(end - start) + 1)
        ],
        marks=[column.since for column in columns[1:]],
        left=_LEFT,
        width=_INNER,
    )


def _hex(column: StripColumn) -> str:
    return "#{:02x}{:02x}{:02x}".format(*column.colour)


def _words(columns: Sequence[StripColumn]) -> str:
    proving = [column for column in columns if column.proves]
    answered = sum(column.agrees is True for column in proving)
    other = sum(column.agrees is False for column in proving)
    return (
        f"{len(columns)} colours of the screen; of {len(proving)} that were drawn at random the face "
        f"answered {answered}, {other} were contradicted"
    )


def _hint(column: StripColumn) -> str:
    red, green, blue = column.colour
    entered = ", slid in from the top" if column.scrolls else ""
    seconds = f"; {column.until - column.since:.2f} s" if column.until > column.since else ""
    noise = "" if column.signal_to_noise is None else f", signal to noise {column.signal_to_noise:.1f}"
    answer = f"{_SPOKEN[column.agrees]}{noise}" if column.proves else "publicly known"
    return f"Step {column.number}: {red}, {green}, {blue}{entered}{seconds}; {answer}"


def _scale(curves: FlashCurves) -> float:
    """Return the largest change that a row shows, a round number."""
    parts = [np.percentile(np.abs(curves.face), 99), np.abs(curves.expected).max()]
    if curves.background is not None:
        parts.append(np.percentile(np.abs(curves.background), 97))
    largest = max(_LEAST_SCALE, *(float(part) for part in parts)) * 1.08
    return next((nice for nice in _NICE if nice >= largest), _NICE[-1])


def _points(times: NDArray[np.float64], values: NDArray[np.float64]) -> Iterator[tuple[float, float | None]]:
    """Yield a curve's points, with a break where frames are missing."""
    longest = _BROKEN * float(np.median(np.diff(times))) if len(times) > 1 else math.inf
    last = math.inf
    for time, value in zip(times.tolist(), values.tolist(), strict=True):
        if time - last > longest:
            yield time, None
        yield time, value
        last = time
