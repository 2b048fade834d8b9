"""Measures which part of a halved screen showed which colour, by the gradient of the light on the face.

Level and colour of the whole face say nothing about it, so only the change of a colour's *gradient* over the
face counts. The gradient that all colours share does not count either, because a head that moves changes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.dynamic import FlashSample
from liveness.dynamic.measurement import sample_frame
from research.flash_halves.screen import HalvedScreen, HalvedStep, draw_steps
from simulator import FlashScanSettings, Photo, SimulatedFrame, simulate_flash_scan
from vision.face import BgrImage
from vision.image import encode_jpeg
from vision.packs import Pack

__all__ = ["SECONDS", "FaceCourse", "answer_of", "course_of", "film_steps", "follow_lag", "steps_answers"]

_COUNT: Final = 13
_FIRST, _HOLD = 0.8, 0.45
SECONDS: Final = _FIRST + _HOLD * _COUNT
"""The length of a scan."""
_LATE: Final = 0.05
"""From the instruction to show a step to its light, seconds."""
_SETTLED: Final = 0.08
"""The time after a change that does not count: exposure, read-out and a frame."""
_QUALITY: Final = 88
_ROWS, _COLUMNS = slice(1, 15), slice(3, 13)
"""The cells of the face; as in ``liveness.dynamic.measurement.cells``."""
_BLACK: Final = 3e-4
_LAGS: Final = np.arange(0.0, 0.45, 0.01)


@dataclass(frozen=True, slots=True, eq=False)
class FaceCourse:
    """The colour of each part of the face over time.

    Attributes:
        times: Shape (t,): capture times, seconds.
        chroma: Shape (t, k, 3): logarithms of linear light (red, green, blue) less the mean of the three and
            less the mean over the face; NaN if not measured.
        steps: The steps on the screen.
    """

    times: NDArray[np.float64]
    chroma: NDArray[np.float64]
    steps: tuple[HalvedStep, ...]


def film_steps(
    photo: Photo, settings: FlashScanSettings, *, rng: np.random.Generator
) -> tuple[Iterator[SimulatedFrame], tuple[HalvedStep, ...]]:
    """Return the frames of one scan, and its steps.

    Args:
        photo: The person or the victim.
        settings: Settings of the rendering; ``SECONDS`` long.
        rng: Draws the steps.
    """
    steps = draw_steps(rng, count=_COUNT, first=_FIRST, hold=_HOLD)
    screen = HalvedScreen(settings.phone, steps, late=_LATE)
    return simulate_flash_scan(photo, settings, screen), steps


def course_of(
    filmed: tuple[Iterator[SimulatedFrame], tuple[HalvedStep, ...]], *, pack: Pack
) -> FaceCourse | None:
    """Return the course of what ``film_steps`` filmed; ``None`` if there is no face."""
    frames, steps = filmed
    times, values = [], []
    for index, frame in enumerate(frames):
        sample = _sampled(frame, index, pack)
        if sample is not None:
            times.append(frame.capture_time)
            values.append(_chroma(sample))
    return FaceCourse(np.array(times), np.stack(values), steps) if values else None


def _sampled(frame: SimulatedFrame, index: int, pack: Pack) -> FlashSample | None:
    sent = np.frombuffer(encode_jpeg(frame.pixels, quality=_QUALITY), np.uint8)
    pixels: BgrImage = np.asarray(cv2.imdecode(sent, cv2.IMREAD_COLOR), np.uint8)
    face = next(iter(pack.detector.detect(pixels)), None)
    if face is None:
        return None
    return sample_frame(
        pixels,
        index=index,
        capture_time=frame.capture_time,
        arrival_time=frame.capture_time,
        face=face,
        step=0,
        step_since=None,
    )


def _chroma(sample: FlashSample) -> NDArray[np.float64]:
    light = sample.patch[_ROWS, _COLUMNS].reshape(-1, 3).astype(np.float64)
    colours = np.log(np.maximum(light, _BLACK))
    colours -= colours.mean(axis=1, keepdims=True)
    seen = np.isfinite(colours).all(axis=1)
    return colours - colours[seen].mean(axis=0) if seen.any() else colours


def answer_of(course: FaceCourse, rows: NDArray[np.bool_], channel: int) -> NDArray[np.float64]:
    """Return a channel's difference from its usual value in some frames, shape (k,); 0 if not measured.

    Args:
        course: The scan.
        rows: The frames, shape (t,).
        channel: The channel, blue 0 to red 2, as of ``HalvedStep``.
    """
    values = course.chroma[:, :, 2 - channel]
    seen = np.isfinite(values)
    usual = np.where(seen, values, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.asarray(np.where(seen, values - usual, 0.0)[rows].mean(axis=0))


def steps_answers(
    course: FaceCourse, *, lag: float, settled: float = _SETTLED
) -> list[tuple[int, NDArray[np.float64]]]:
    """Return each step's truth, 1 if its channel was above and -1 if below, and the face's answer.

    Args:
        course: The scan.
        lag: The face's delay after the instructions, seconds.
        settled: The time after each change that does not count, seconds.
    """
    found = []
    for step in course.steps:
        since = course.times - step.at - lag
        rows = (since > settled) & (since < _HOLD)
        if rows.any():
            found.append((1 if step.above else -1, answer_of(course, rows, step.channel)))
    return found


def follow_lag(course: FaceCourse, template: NDArray[np.float64]) -> float:
    """Return the delay at which the gradient follows the screen best, seconds.

    Args:
        course: The scan.
        template: Shape (k,): the weights of the cells; see ``report.template_of``.
    """
    totals = []
    for lag in _LAGS.tolist():
        answers = steps_answers(course, lag=lag, settled=0.0)
        totals.append(sum(sign * float(template @ answer) for sign, answer in answers) / len(answers))
    return float(_LAGS[int(np.argmax(totals))])
