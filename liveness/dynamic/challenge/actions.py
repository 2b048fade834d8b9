"""The actions that a challenge requests. Its caller performs one and then requests the next."""

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
    """A hint to the person; the names are those of the wire's feedback codes."""

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
    """Why a challenge ended. It is no finding; the judge decides that."""

    PROVEN = "PROVEN"
    """Enough steps were verified, or enough ovals followed."""
    EXHAUSTED = "EXHAUSTED"
    """All steps were shown."""
    LIGHT = "LIGHT"
    """The light does not let the flash be measured, and the policy has no fallback."""
    FACE_AWAY = "FACE_AWAY"
    """The face was away too often."""
    NOT_FOLLOWED = "NOT_FOLLOWED"
    """The person did not follow the oval in time."""
    TIMED_OUT = "TIMED_OUT"
    """The challenge took too long, or no frames showed the step on display."""
    NOT_READY = "NOT_READY"
    """The face was never in place."""


@dataclass(frozen=True, slots=True)
class Reveal:
    """Send this step to the device now."""

    step: ColourStep


@dataclass(frozen=True, slots=True)
class MoveOval:
    """Send this oval to the device now.

    Attributes:
        number: The number of the change, from 1.
        oval: The oval's new place and size.
        transition_seconds: The duration of the change, seconds.
    """

    number: int
    oval: Oval
    transition_seconds: float


@dataclass(frozen=True, slots=True)
class Hint:
    """Give the person this hint."""

    code: HintCode


@dataclass(frozen=True, slots=True)
class Pause:
    """Make the device hold frames back, and give the person the reason."""

    code: HintCode


@dataclass(frozen=True, slots=True)
class Resume:
    """Let the device send frames again."""


@dataclass(frozen=True, slots=True)
class FallBack:
    """End the flash and begin the movement challenge.

    Attributes:
        code: The reason why the flash is unmeasurable: TOO_BRIGHT or RAISE_SCREEN_BRIGHTNESS.
    """

    code: HintCode


@dataclass(frozen=True, slots=True)
class Complete:
    """End the capture: further frames would add nothing."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until the next frame, or until this time on the server's monotonic clock, seconds."""

    until: float


Action: TypeAlias = Reveal | MoveOval | Hint | Pause | Resume | FallBack | Complete | Wait
