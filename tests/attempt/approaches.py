"""Simulated people and attackers that follow the ovals of a movement challenge, seeded by their names."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from attempt.analyst import FrameAnalyst
from attempt.capture import AttemptCapture
from attempt.challenge import Action
from attempt.frame import Frame, FrameLimits
from attempt.movement_run import MovementRun
from attempt.placement import CapturePlan
from lab.simulator import (
    AmbientPreset,
    AmbientSettings,
    AppGuide,
    FlashCameraSettings,
    FlashKind,
    FlashScanSettings,
    Geometry,
    Photo,
    RendererSettings,
    ScreenLight,
    SheetSettings,
    simulate_flash_scan,
)
from lab.studies.dynamic.virtual_time import frame_of, turns
from liveness.dynamic.challenge import MoveOval, OvalScript
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.movement.judge import judge_movement
from liveness.dynamic.policy import ChallengeFinding
from liveness.extent import face_extent
from liveness.guidance import GuidanceSettings, Oval
from matcher.persons import SCAN_SUBJECT
from vision.packs import Pack

_LENSES: Final = (48.0, 55.0, 62.0)
_AMBIENTS: Final = (AmbientPreset.SHADE, AmbientPreset.SUN)
_SECONDS: Final = 25.0


class Approacher(StrEnum):
    """The person or attack that follows the ovals."""

    GENUINE = "genuine person"
    STILL = "genuine person who holds still"
    PRINT = "print"
    TILTED_PRINT = "print, turned to and fro by 8 degrees"
    BENT_PRINT = "print, bent by a tenth of its width"
    SCREEN_REPLAY = "screen replay"
    CUT_OUT_PRINT = "cut-out print, bent over a face"
    RIGID_MASK = "rigid 3-D mask"
    RECORDED_APPROACH = "injected film of another approach"


_KINDS: Final = {
    Approacher.PRINT: FlashKind.PRINT,
    Approacher.TILTED_PRINT: FlashKind.PRINT,
    Approacher.BENT_PRINT: FlashKind.PRINT,
    Approacher.SCREEN_REPLAY: FlashKind.SCREEN_REPLAY,
    Approacher.CUT_OUT_PRINT: FlashKind.CUT_OUT_PRINT,
    Approacher.RIGID_MASK: FlashKind.RIGID_MASK,
}
_STEADY: Final = SheetSettings(yaw_degrees=3.0, pitch_degrees=2.5, shift=0.008, approach=0.015)
"""Movement of a sheet that fills an oval, which is steadier than a waved sheet."""
_SHEETS: Final = {
    Approacher.TILTED_PRINT: replace(_STEADY, yaw_degrees=8.0, pitch_degrees=5.0),
    # A hand bends it by half of that on average.
    Approacher.BENT_PRINT: replace(_STEADY, bend=0.2),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt.

    Attributes:
        attempt: Number of the attempt, from 0.
    """

    approacher: Approacher
    person: str
    geometry: Geometry
    attempt: int

    @property
    def seed(self) -> int:
        """Seed of all draws of the attempt."""
        name = f"{self.approacher.name}/{self.person}/{self.geometry}/{self.attempt}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def settings_of(case: Case) -> FlashScanSettings:
    """Return the settings of the rendering: shade and sun in turn, and one lens per person."""
    lens = _LENSES[int(case.person, 16) % len(_LENSES)]
    settings = FlashScanSettings(
        kind=_KINDS.get(case.approacher, FlashKind.GENUINE),
        seed=case.seed,
        seconds=_SECONDS,
        frames_per_second=12.0,
        nearest_wall=3.0,
        ambient=AmbientSettings(preset=_AMBIENTS[case.attempt % len(_AMBIENTS)]),
        camera=FlashCameraSettings(field_of_view_degrees=lens),
        renderer=RendererSettings(geometry=case.geometry),
        sheet=_SHEETS.get(case.approacher, _STEADY),
    )
    if case.approacher is Approacher.STILL:
        still = settings.motion
        return replace(
            settings,
            motion=replace(still, yaw_degrees=0.4, pitch_degrees=0.4, roll_degrees=0.3, shift=0.004),
        )
    return settings


_ROUND_TRIP: Final = 0.05
_PROCESSING: Final = 0.0
"""Server time per frame, which does not matter because a person is slower than any server."""


@dataclass(frozen=True, slots=True)
class PlayedAttempt:
    """The outcome of an attempt.

    Attributes:
        ovals_filled: Number of filled ovals, of two for each approach.
    """

    finding: ChallengeFinding
    ovals_filled: int


def play(case: Case, photo: Photo, *, pack: Pack) -> PlayedAttempt:
    """Run the challenge alone to its end, in virtual time; the pack measures the frames, as in a server."""
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

    for turn in turns(capture, sent(), processing=_PROCESSING, hear=hear, examine=False):
        face = capture.observations.frames[-1].face
        if filmed is None and face is not None:
            guide.show_position(face_extent(face), frame=(settings.width, settings.height), at=turn.arrival)
        if challenge.over:
            break
    result = judge_movement(challenge.record, capture.observations, model.movement)
    return PlayedAttempt(result.finding, len(challenge.record.held))
