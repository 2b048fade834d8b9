"""Measures the frames of a flash again, with the server's own code, for the curves on the page.

The server's result states the colours that it found, but not the light over time. So ``liveness.dynamic``
samples the sent frames again. Nothing here decides anything.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from facegate.v1 import scan_pb2
from google.protobuf.duration_pb2 import Duration
from numpy.typing import NDArray

from cli.demo.flash.tape import TapedAttempt, TapedFrame
from liveness.dynamic import ExposureReading, FlashModel, FlashSample
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
    sample_frame,
    scene_lux,
)
from vision.face import BgrImage, DetectedFace, Points

__all__ = ["FaceFinder", "FlashCurves", "FlashTrace", "trace_flash"]

FaceFinder = Callable[[BgrImage], Sequence[DetectedFace]]
"""Detects faces in an image."""

_USUAL_LAG: Final = 0.06
_USUAL_LUX: Final = 150.0
_FEWEST: Final = 12
_SHRINK: Final = 2
_NANOSECONDS: Final = 1e9


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
        lag: Seconds by which the face follows the screen; None if no lag stands out.
    """

    times: NDArray[np.float64]
    face: NDArray[np.float64]
    background: NDArray[np.float64] | None
    expected: NDArray[np.float64]
    lag: float | None


@dataclass(frozen=True, slots=True, eq=False)
class FlashTrace:
    """The measurements of an attempt's frames.

    Attributes:
        points: For each frame the face's five points (``vision.face``) in the frame's own pixels; None
            unless exactly one face was found.
        shown: The steps that frames claim, and the times of their appearance.
        curves: The response; None if too few frames could be measured.
    """

    points: tuple[Points | None, ...]
    shown: tuple[Appearance, ...]
    curves: FlashCurves | None


def trace_flash(attempt: TapedAttempt, *, find_faces: FaceFinder, model: FlashModel) -> FlashTrace:
    """Measures an attempt. Slow: do not call it in the event loop.

    Args:
        attempt: The attempt with its frames and steps.
        find_faces: A pack's detector.
        model: The lines of the flash.
    """
    track = FlashTrack()
    samples: list[FlashSample] = []
    points: list[Points | None] = []
    for index, frame in enumerate(attempt.frames):
        sample = _sample(frame, index, find_faces)
        samples.append(sample)
        points.append(None if sample.face is None else _enlarged(sample.face.five_points))
        track.append_sample(sample)
    view = track.view()
    sent = [Sent(step=_colour_step(step), at=0.0, after_capture=-math.inf) for step in attempt.steps]
    shown = appearances(view, sent)
    return FlashTrace(points=tuple(points), shown=shown, curves=_curves(view, shown, samples, model))


def _curves(
    view: TrackView, shown: Sequence[Appearance], samples: Sequence[FlashSample], model: FlashModel
) -> FlashCurves | None:
    if len(shown) < 2:
        return None
    found, explained = measure_lag(view, shown)
    lag = found if explained >= model.lag.least_explained else None
    behind = _USUAL_LAG if lag is None else lag
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
        lag=lag,
    )


def _sample(frame: TapedFrame, index: int, find_faces: FaceFinder) -> FlashSample:
    pixels = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
    small = np.asarray(pixels, np.uint8)
    faces = find_faces(small)
    return sample_frame(
        small,
        index=index,
        capture_time=frame.time,
        arrival_time=frame.time,
        face=faces[0] if len(faces) == 1 else None,
        step=frame.step,
        step_since=frame.since,
        exposure=_reading(frame),
    )


def _reading(frame: TapedFrame) -> ExposureReading | None:
    said = frame.exposure
    if said is None:
        return None
    return ExposureReading(
        exposure_seconds=said.exposure_time_ns / _NANOSECONDS,
        iso=float(said.iso),
        exposure_locked=said.exposure_locked,
        white_balance_locked=said.white_balance_locked,
        readout_seconds=said.rolling_shutter_skew_ns / _NANOSECONDS or None,
    )


def _enlarged(points: Points) -> Points:
    """Converts points of the half-size image to the frame's own pixels."""
    return np.asarray((points + 0.5) * _SHRINK - 0.5, np.float32)


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
