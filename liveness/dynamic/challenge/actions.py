"""What a challenge wants done next; who runs the scan does it and asks again."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from liveness.dynamic.challenge.steps import ColourStep
from liveness.guidance import Oval

__all__ = [
    "Action",
    "Complete",
    "EndReason",
    "FallBack",
    "Hint",
    "HintCode",
    "MoveOval",
    "Pause",
    "Resume",
    "Reveal",
    "Wait",
]


class HintCode(StrEnum):
    """What to tell the person; the names of the wire's feedback codes."""

    NO_FACE = "NO_FACE"
    MULTIPLE_FACES = "MULTIPLE_FACES"
    MOVE_CLOSER = "MOVE_CLOSER"
    MOVE_BACK = "MOVE_BACK"
    CENTER_FACE = "CENTER_FACE"
    FACE_CUT_OFF = "FACE_CUT_OFF"
    HOLD_STILL = "HOLD_STILL"
    TOO_BRIGHT = "TOO_BRIGHT"
    TOO_DARK = "TOO_DARK"
    RAISE_SCREEN_BRIGHTNESS = "RAISE_SCREEN_BRIGHTNESS"
    BLINK = "BLINK"
    TURN_HEAD_SLIGHTLY = "TURN_HEAD_SLIGHTLY"


class EndReason(StrEnum):
    """Why a challenge came to its end; the judge decides what it proves."""

    PROVEN = "PROVEN"
    """Enough was verified, or followed."""
    EXHAUSTED = "EXHAUSTED"
    """All steps were shown."""
    LIGHT = "LIGHT"
    """The light does not let the flash be measured, and nothing else is offered."""
    FACE_AWAY = "FACE_AWAY"
    """The face was away too often."""
    NOT_FOLLOWED = "NOT_FOLLOWED"
    """The person did not follow the oval in time."""
    TIMED_OUT = "TIMED_OUT"
    """It took too long, or no frames showed the step on display."""
    NOT_READY = "NOT_READY"
    """The face never was in its place."""


@dataclass(frozen=True, slots=True)
class Reveal:
    """Send this step to the device, now."""

    step: ColourStep


@dataclass(frozen=True, slots=True)
class MoveOval:
    """Send this oval to the device, now.

    Attributes:
        number: Of the change, from 1.
        oval: Where it goes.
        transition_seconds: How long it takes to get there.
    """

    number: int
    oval: Oval
    transition_seconds: float


@dataclass(frozen=True, slots=True)
class Hint:
    """Tell the person."""

    code: HintCode


@dataclass(frozen=True, slots=True)
class Pause:
    """Tell the device to hold frames back, and the person why."""

    code: HintCode


@dataclass(frozen=True, slots=True)
class Resume:
    """Tell the device to send frames again."""


@dataclass(frozen=True, slots=True)
class FallBack:
    """End the flash and begin the movement challenge.

    Attributes:
        code: What made the flash unmeasurable: TOO_BRIGHT or RAISE_SCREEN_BRIGHTNESS.
    """

    code: HintCode


@dataclass(frozen=True, slots=True)
class Complete:
    """End the capture: whatever can be seen was seen."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until the next frame, or until this time of the server's monotonic clock, seconds."""

    until: float


Action: TypeAlias = Reveal | MoveOval | Hint | Pause | Resume | FallBack | Complete | Wait
