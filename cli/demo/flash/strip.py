"""The data of one flash scan: a face for each colour, the server's finding, and the response over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from facegate.v1 import result_pb2

from cli.demo.flash.measure import FaceFinder, FlashCurves, FlashTrace, trace_flash
from cli.demo.flash.tape import TapedAttempt
from liveness.dynamic import FlashModel
from liveness.dynamic.measurement import Appearance
from vision.face import Points
from vision.image import encode_jpeg

__all__ = ["CROP_HEIGHT", "CROP_WIDTH", "FlashStrip", "StripColumn", "flash_strip"]

CROP_WIDTH: Final = 150
CROP_HEIGHT: Final = 180
"""Size of a crop, pixels."""

_QUALITY: Final = 86
_WIDE: Final = 3.4
"""Width of a crop in eye distances: the face and some of its surroundings."""

_BELOW_EYES: Final = 0.55
_LATE: Final = 0.6
"""Moment of the shown frame, as a share of the time that the colour fills the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripColumn:
    """One colour of the screen.

    Attributes:
        number: Number of the step.
        colour: The commanded colour, sRGB red, green, blue, 0..255.
        scrolls: Whether it slid in from the top.
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
    """A flash scan, ready to draw.

    Attributes:
        columns: The colours in the order of their appearance, at least one.
        curves: The response over time; None if too few frames could be measured.
    """

    columns: tuple[StripColumn, ...]
    curves: FlashCurves | None


def flash_strip(
    attempts: Sequence[TapedAttempt],
    steps: Sequence[result_pb2.ChallengeStep],
    *,
    find_faces: FaceFinder,
    model: FlashModel,
) -> FlashStrip | None:
    """Makes the strip of a scan. Slow: do not call it in the event loop.

    Args:
        attempts: The phone's recordings.
        steps: The server's findings on the colours of the deciding attempt.
        find_faces: A pack's detector.
        model: The lines of the flash.

    Returns:
        The strip of the deciding attempt; None if no frame shows a colour.
    """
    numbers = {step.step for step in steps}
    deciding = next((one for one in attempts if numbers & {step.step for step in one.steps}), None)
    if deciding is None:
        return None
    trace = trace_flash(deciding, find_faces=find_faces, model=model)
    if not trace.shown:
        return None
    said = {step.step: step for step in steps}
    end = deciding.frames[-1].time
    ends = [*(later.at for _, later in pairwise(trace.shown)), end]
    columns = tuple(
        _column(one, until, said.get(one.step.number), deciding, trace)
        for one, until in zip(trace.shown, ends, strict=True)
    )
    return FlashStrip(columns=columns, curves=trace.curves)


def _column(
    one: Appearance,
    until: float,
    said: result_pb2.ChallengeStep | None,
    attempt: TapedAttempt,
    trace: FlashTrace,
) -> StripColumn:
    step = one.step
    return StripColumn(
        number=step.number,
        colour=(step.colour.red, step.colour.green, step.colour.blue),
        scrolls=step.transition_seconds > 0,
        since=one.at,
        until=until,
        crop=_crop_at(one, until, attempt, trace),
        proves=said is not None and said.drawn_bits > 0,
        agrees=said.agrees if said is not None and said.HasField("agrees") else None,
        signal_to_noise=said.signal_to_noise
        if said is not None and said.HasField("signal_to_noise")
        else None,
    )


def _crop_at(one: Appearance, until: float, attempt: TapedAttempt, trace: FlashTrace) -> bytes | None:
    full = one.at + one.step.transition_seconds
    wanted = full + _LATE * max(0.0, until - full)
    there = [
        (abs(frame.time - wanted), frame.jpeg, points)
        for frame, points in zip(attempt.frames, trace.points, strict=True)
        if points is not None and frame.step == one.step.number
    ]
    if not there:
        return None
    _, jpeg, points = min(there, key=lambda found: found[0])
    return _crop(jpeg, points)


def _crop(jpeg: bytes, points: Points) -> bytes:
    pixels = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    left, right = points[0], points[1]
    eyes = max(1.0, float(np.linalg.norm(right - left)))
    scale = CROP_WIDTH / (_WIDE * eyes)
    x, y = (left + right) / 2 + (0.0, _BELOW_EYES * eyes)
    place = np.array(
        [[scale, 0.0, CROP_WIDTH / 2 - scale * x], [0.0, scale, CROP_HEIGHT / 2 - scale * y]], np.float64
    )
    crop = cv2.warpAffine(
        pixels, place, (CROP_WIDTH, CROP_HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return encode_jpeg(np.asarray(crop, np.uint8), quality=_QUALITY)
