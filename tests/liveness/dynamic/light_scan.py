"""Flash scans as plain light, without pixels: fast enough for thousands of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.challenge.script import ColourScript, RevealedStep
from liveness.dynamic.measurement.track import Appearance, FlashTrack, Sent, TrackView, appearances
from liveness.dynamic.sample import PATCH_SIDE, FlashSample, Region
from tests.liveness.builders import face_at

_SKIN = np.array([0.30, 0.22, 0.17])
_COLOURS = np.array([0.8, 1.0, 1.4])
OFFSET = 5000.0
LAG = 0.06
_LOOKS_APART = 7
_PARTS = (np.arange(8) + 0.5) / 8
"""The moments of an exposure that are averaged, as shares of it."""


@dataclass(frozen=True)
class LightScan:
    samples: tuple[FlashSample, ...]
    revealed: tuple[RevealedStep, ...]


Answer = Callable[[RevealedStep, np.random.Generator], NDArray[np.float64]]
"""The linear light on the face during a step, shape (3,)."""


def answering(step: RevealedStep, rng: np.random.Generator) -> NDArray[np.float64]:
    """A face: the screen's own colour."""
    del rng
    return step.step.colour.linear


def guessing(step: RevealedStep, rng: np.random.Generator) -> NDArray[np.float64]:
    """An attacker who does not know the colours: any corner of the cube."""
    del step
    return np.asarray(np.where(rng.random(3) < 0.5, 0.15, 1.0))


def light_scan(
    seed: int,
    *,
    answer: Answer = answering,
    strength: float = 0.3,
    noise: float = 0.006,
    steps: int = 8,
    fps: float = 25.0,
    lag: float = LAG,
    lag_jitter: float = 0.0,
    gain: Callable[[float], float] = lambda time: 0.03 * math.sin(1.7 * time),
    room: float = 0.0,
    leaps: float = 0.0,
    exposure: float = 0.0,
    shown_after: float = 0.0,
    stamped_after: float = 0.0,
) -> LightScan:
    """A scan in which the face follows the screen.

    Args:
        answer: The light on the face during a step.
        strength: Of the answer, as a logarithm over linear light.
        noise: Of the face's light, as a logarithm.
        fps: Frames a second.
        lag: From the claimed appearance to the light.
        lag_jitter: Standard deviation of the lag between steps.
        gain: Of the camera over time, as a logarithm; face and background share it.
        room: The background's answer over the face's.
        leaps: Of the face's light, as a logarithm, at each detection; one in seven frames has a detection.
        exposure: Time over which a frame collects light, seconds.
        shown_after: From the start of a frame's exposure to that of the face's rows, seconds.
        stamped_after: From the start of a frame's exposure to its time stamp, seconds.
    """
    rng = np.random.default_rng(seed)
    script = ColourScript(rng.bytes)
    revealed: list[RevealedStep] = []
    shown: list[tuple[float, float, float, NDArray[np.float64]]] = []
    samples: list[FlashSample] = []
    time, free, leap = 0.0, 0.0, 0.0
    leaping = np.random.default_rng(seed)
    while len(samples) < 500:
        if time >= free:
            if revealed and revealed[-1].step.last:
                break
            step = (
                script.lead_in()
                if not revealed
                else script.close()
                if len(revealed) > steps
                else script.draw()
            )
            revealed.append(RevealedStep(step, OFFSET + time + 0.001))
            since = time + 0.04
            light = answer(revealed[-1], rng)
            shown.append(
                (since, since + lag + float(rng.normal(0, lag_jitter)), step.transition_seconds, light)
            )
            free = since + step.transition_seconds + step.hold_seconds
        begins = time + shown_after
        level = np.mean([_level(shown, begins + share * exposure) for share in _PARTS], axis=0)
        stamp = time + stamped_after
        on = [number for number, (since, *_) in enumerate(shown) if since <= stamp]
        grain = float(rng.normal(0, noise))
        answered = strength * _COLOURS * level
        looked = len(samples) % _LOOKS_APART == 0
        if looked:
            leap = float(leaping.normal(0, leaps))
        face = _SKIN * np.exp(answered + gain(time) + grain + leap + rng.normal(0, noise / 3, 3))
        linear = np.tile(face, (len(Region), 1)) * np.exp(rng.normal(0, 0.002, (len(Region), 3)))
        linear[Region.BACKGROUND] = 0.2 * np.exp(room * answered + gain(time) + rng.normal(0, 0.003, 3))
        samples.append(
            FlashSample(
                index=len(samples),
                capture_time=stamp,
                arrival_time=OFFSET + max(stamp, time + exposure),
                step=revealed[on[-1]].step.number if on else 0,
                step_since=shown[on[-1]][0] if on else None,
                exposure=None,
                face=face_at(),
                linear=linear.astype(np.float32),
                usable=np.ones(len(Region), np.float32),
                patch=np.full((PATCH_SIDE, PATCH_SIDE, 3), np.nan, np.float32),
                followed=leaps > 0 and not looked,
            )
        )
        time += (1 + 0.05 * float(np.clip(rng.normal(), -2, 2))) / fps
    return LightScan(tuple(samples), tuple(revealed))


def _level(shown: list[tuple[float, float, float, NDArray[np.float64]]], time: float) -> NDArray[np.float64]:
    """The light of the screen on the face at one moment."""
    level = shown[0][3]
    for _, start, length, colour in shown:
        level = level + min(1.0, max(0.0, (time - start) / max(length, 1e-3))) * (colour - level)
    return level


def track_of(scan: LightScan) -> TrackView:
    track = FlashTrack()
    for sample in scan.samples:
        track.append_sample(sample)
    return track.view()


def seen(scan: LightScan) -> tuple[TrackView, tuple[Appearance, ...]]:
    """The track, and when each step appeared."""
    sent = []
    for one in scan.revealed:
        before = [sample.capture_time for sample in scan.samples if sample.arrival_time < one.at]
        sent.append(Sent(one.step, one.at, max(before, default=-math.inf)))
    track = track_of(scan)
    return track, appearances(track, sent)
