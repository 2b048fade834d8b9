"""The actions that a challenge requests, its clock, and the pace of its hints."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from liveness.dynamic.challenge.steps import ColourStep
from liveness.errors import ObservationError
from liveness.guidance import Oval


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


class ChallengeClock:
    """The challenge's clock, seconds. It never goes back: an earlier time leaves it unchanged."""

    def __init__(self) -> None:
        """Starts without a time."""
        self._now = -math.inf
        self._began: float | None = None

    @property
    def now(self) -> float:
        """The latest time, seconds; minus infinity before the first."""
        return self._now

    @property
    def began(self) -> float:
        """The time at which the challenge began, seconds; ``now`` until it begins."""
        return self._now if self._began is None else self._began

    def advance(self, now: float) -> None:
        """Sets the clock to ``now``; the first call begins the challenge.

        Raises:
            ObservationError: ``now`` is not a finite number.
        """
        if not math.isfinite(now):
            raise ObservationError("the time of a challenge must be a finite number")
        self._now = max(self._now, now)
        if self._began is None:
            self._began = self._now

    def begin_anew(self) -> None:
        """Restarts the challenge's time, so that earlier waiting does not count."""
        self._began = self._now

    def not_before(self, time: float) -> float:
        """Returns the later of ``time`` and the present."""
        return max(self._now, time)


_AGAIN_SECONDS: Final = 2.0
"""The least time before the same hint is repeated."""
_NEXT_SECONDS: Final = 0.5
"""The least time before a different hint."""


class HintPacing:
    """Limits the rate of one scan's hints. Times must be passed in order."""

    def __init__(self) -> None:
        """Starts without an earlier hint."""
        self._last: tuple[HintCode, float] | None = None

    def paced(self, code: HintCode, *, now: float) -> Hint | None:
        """Returns the hint, or ``None`` if it comes too soon after the last one.

        Args:
            code: The hint to give.
            now: The time on the server's monotonic clock, seconds.
        """
        if self._last is not None:
            last, at = self._last
            if now - at < (_AGAIN_SECONDS if last is code else _NEXT_SECONDS):
                return None
        self._last = (code, now)
        return Hint(code)
