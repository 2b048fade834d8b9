"""Runs one movement challenge in virtual time: a simulated phone, and an attempt on its frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from attempt import (
    Action,
    AttemptCapture,
    CapturePlan,
    Frame,
    FrameAnalyst,
    FrameLimits,
    MovementRun,
    MoveOval,
)
from liveness import GuidanceSettings, Oval, face_extent
from liveness.dynamic import load_flash_model
from liveness.dynamic.challenge import OvalScript
from liveness.dynamic.movement import MovementResult, PerspectiveFinding
from liveness.dynamic.movement.judge import judge_movement
from matcher import SCAN_SUBJECT
from research.dynamic.virtual_time import frame_of, turns
from research.movement.cases import Approacher, Case, settings_of
from simulator import AppGuide, Photo, ScreenLight, simulate_flash_scan
from vision.packs import Pack

__all__ = ["PlayedAttempt", "play"]

_ROUND_TRIP: Final = 0.05
_PROCESSING: Final = 0.0
"""Server time per frame, which does not matter because a person is slower than any server."""


@dataclass(frozen=True, slots=True)
class PlayedAttempt:
    """The outcome of an attempt.

    Attributes:
        result: Result of the judge.
        seen: Finding on the perspective; ``None`` if it could not be measured.
        seconds: Time from the first oval to the end.
        ovals_filled: Number of filled ovals, of two for each approach.
    """

    result: MovementResult
    seen: PerspectiveFinding | None
    seconds: float
    ovals_filled: int


def play(case: Case, photo: Photo, *, pack: Pack) -> PlayedAttempt:
    """Run one attempt to its end.

    Args:
        case: The person or attack, and the seed of the draws.
        photo: The photo of the person or the victim.
        pack: Its detector and landmarker measure the frames, as in a server.
    """
    settings = settings_of(case)
    light, guide = ScreenLight(settings.phone, seed=case.seed), AppGuide(seed=case.seed)
    drawn = np.random.default_rng(case.seed)
    analyst, model = FrameAnalyst(pack=pack, limits=FrameLimits()), load_flash_model()
    challenge = MovementRun.drawn(drawn.bytes, rest=Oval(), analyst=analyst, model=model)
    filmed = OvalScript(drawn.bytes, rest=Oval()) if case.approacher is Approacher.RECORDED_APPROACH else None
    capture = AttemptCapture(
        analyst=analyst,
        plan=CapturePlan(),
        oval=Oval(),
        guidance=GuidanceSettings(),
        random=drawn.bytes,
        subject=SCAN_SUBJECT,
        challenge=challenge,
    )

    def sent() -> Iterator[tuple[Frame, float]]:
        for index, frame in enumerate(simulate_flash_scan(photo, settings, light, guide)):
            yield frame_of(frame, index), frame.capture_time

    def hear(action: Action, now: float) -> None:
        if isinstance(action, MoveOval):
            # An injected film does not follow the ovals; all others do.
            oval = action.oval if filmed is None else filmed.draw().oval
            guide.fill(oval, at=now + _ROUND_TRIP, seconds=action.transition_seconds)

    time = 0.0
    for turn in turns(capture, sent(), processing=_PROCESSING, hear=hear, examine=False):
        time = turn.arrival
        face = capture.observations.frames[-1].face
        if filmed is None and face is not None:
            guide.show_position(face_extent(face), frame=(settings.width, settings.height), at=time)
        if challenge.over:
            break
    record = challenge.record
    return PlayedAttempt(
        result=judge_movement(record, capture.observations, model.movement),
        seen=record.seen(model.movement.perspective),
        seconds=time,
        ovals_filled=len(record.held),
    )
