"""The actions that a challenge requests: its clock, its hints, and its requests for signs of life.

The person is asked to blink, or to turn the head, while the colours are shown. A blink does not disturb the
measurement of the light: if none was seen by the middle of the colours, the request comes then. A turn of the
head does disturb it: if the depth of the head is not measured yet, the request comes shortly before the end
of the last colour that may be needed, because reading the hint takes time.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from liveness.dynamic.challenge.script import ColourStep
from liveness.dynamic.policy import DynamicPolicy
from liveness.errors import ObservationError
from liveness.guidance import HintCode, Oval


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
        self.now = -math.inf
        """The latest time, seconds; minus infinity before the first."""
        self._began: float | None = None

    @property
    def began(self) -> float:
        """The time at which the challenge began, seconds; ``now`` until it begins."""
        return self.now if self._began is None else self._began

    def advance(self, now: float) -> None:
        """Set the clock to ``now``; the first call begins the challenge.

        Raises:
            ObservationError: ``now`` is not a finite number.
        """
        if not math.isfinite(now):
            raise ObservationError("the time of a challenge must be a finite number")
        self.now = max(self.now, now)
        if self._began is None:
            self._began = self.now

    def begin_anew(self) -> None:
        """Restart the challenge's time, so that earlier waiting does not count."""
        self._began = self.now

    def not_before(self, time: float) -> float:
        """Return the later of ``time`` and the present."""
        return max(self.now, time)


_AGAIN_SECONDS: Final = 2.0
"""The least time before the same hint is repeated."""
_NEXT_SECONDS: Final = 0.5
"""The least time before a different hint."""


class HintPacing:
    """Limits the rate of one scan's hints. Times must be passed in order."""

    def __init__(self) -> None:
        self._last: tuple[HintCode, float] | None = None

    def paced(self, code: HintCode, *, now: float) -> Hint | None:
        """Return the hint, or ``None`` if it comes too soon after the last one.

        Args:
            now: The time on the server's monotonic clock, seconds.
        """
        if self._last is not None:
            last, at = self._last
            if now - at < (_AGAIN_SECONDS if last is code else _NEXT_SECONDS):
                return None
        self._last = (code, now)
        return Hint(code)


_BLINK_FROM: Final = 0.5
"""The share of the required bits from which a person without a blink is asked to blink."""
_READING_SECONDS: Final = 0.4
"""The least time in which a person reads a hint and moves, seconds."""
_DEPTH_SECONDS: Final = 0.25
"""The time between two measurements of depth, seconds. In a shorter time a head shows little more."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A sign for which the challenge waits.

    Attributes:
        until: The end of the wait, seconds on the server's monotonic clock.
        asks: The hint to the person; ``None`` while it is unknown whether the sign was shown already.
    """

    until: float
    asks: HintCode | None


class AskedSign:
    """One sign of a living head, such as a blink. The person is asked only if it was not shown already."""

    def __init__(self, code: HintCode, *, patience_seconds: float) -> None:
        """Start without a measurement and without a request.

        Args:
            code: The hint that asks for the sign.
            patience_seconds: The longest wait for the sign, seconds.
        """
        self._code = code
        self._patience = patience_seconds
        self._shown: bool | None = None
        self.matters = False
        """Whether the sign is expected; also true once it was shown, because later frames may weaken it."""
        self._since: float | None = None

    @property
    def pending(self) -> bool:
        """Whether the sign is expected and was not shown yet."""
        return self.matters and not self._shown

    @property
    def asks(self) -> HintCode | None:
        """The hint to the person; ``None`` while it is unknown whether the sign was shown already."""
        return None if self._shown is None else self._code

    def expect(self) -> None:
        """Expect the sign from now on, without waiting yet; do nothing if the patience is 0."""
        self.matters = self._patience > 0

    def record_sign(self, shown: bool | None) -> None:
        """Record whether the frames so far show the sign; ``None`` if this was not measured."""
        if shown is not None:
            self._shown = shown

    def wait_until(self, now: float) -> float | None:
        """Return the end of the wait; ``None`` if the sign was shown or the wait is over.

        Args:
            now: The time on the server's monotonic clock, seconds; the first call begins the wait.
        """
        if self._shown:
            return None
        if self._since is None:
            self._since, self.matters = now, True
        until = self._since + self._patience
        return until if now < until else None


class AskedSigns:
    """Depth and a blink, as the policy requires them. At the end the challenge waits first for depth."""

    def __init__(self, policy: DynamicPolicy, *, depth_line: float) -> None:
        """Start without a measurement.

        Args:
            policy: The policy, which decides which signs are required, and the patience for each.
            depth_line: The log odds from which motion shows a head's depth.
        """
        self._policy = policy
        self._depth_line = depth_line
        self._depth = AskedSign(HintCode.TURN_HEAD_SLIGHTLY, patience_seconds=policy.depth_patience_seconds)
        self._blink = AskedSign(HintCode.BLINK, patience_seconds=policy.blink_patience_seconds)
        self._depth_at = -math.inf
        self._turning = False

    @property
    def awaits_blink(self) -> bool:
        """Whether a blink is expected and was not shown yet.

        False while the head should turn, because the landmarks of open eyes also fall and rise then.
        """
        return self._blink.pending and not (self._turning and self._depth.pending)

    @property
    def awaits_depth(self) -> bool:
        """Whether depth is expected, shown already or not."""
        return self._depth.matters

    @property
    def pending(self) -> bool:
        """Whether depth or a blink is expected and was not shown yet."""
        return self._depth.pending or self._blink.pending

    def depth_due(self, now: float, *, decides: bool) -> bool:
        """Return whether to measure depth with the next frame.

        Args:
            now: The time on the server's monotonic clock, seconds.
            decides: Whether the next frame may be the last one before the challenge decides which signs are
                missing. Then depth is always measured, so that the challenge decides by the same frames as
                the judge.
        """
        return self.awaits_depth and (decides or now >= self._depth_at + _DEPTH_SECONDS)

    def prepare(self, *, share: float, last: bool, shape_shows: bool) -> None:
        """Expect the required signs if it is time for them. Call it before each colour.

        Args:
            share: The proven bits so far, divided by the required bits.
            last: Whether a right answer to the next colour would prove the required bits.
            shape_shows: See ``missing``.
        """
        if self._policy.blink and share >= _BLINK_FROM:
            self._blink.expect()
        if last and self._takes_depth(shape_shows=shape_shows):
            self._depth.expect()

    def ahead(self, seconds: float) -> HintCode | None:
        """Return the hint to give during the current colour, or ``None``.

        Args:
            seconds: The remaining time of the colour on display.
        """
        if self._depth.pending and self._depth.asks is not None and seconds <= _READING_SECONDS:
            self._turning = True
            return self._depth.asks
        return self._blink.asks if self._blink.pending else None

    def record_signs(self, *, blinked: bool, depth: float | None, at: float) -> None:
        """Add the measurements of a frame.

        Args:
            blinked: Whether the frames so far show a blink.
            depth: The log odds of depth from the frames so far; ``None`` if not measured with this frame.
            at: The arrival time of the frame, seconds on the server's monotonic clock.
        """
        self._blink.record_sign(blinked)
        if depth is not None:
            self._depth_at = at
            self._depth.record_sign(depth >= self._depth_line)

    def missing(self, now: float, *, shape_shows: bool) -> Missing | None:
        """Return the sign for which the challenge waits; ``None`` if it waits for none.

        Args:
            now: The time on the server's monotonic clock, seconds. The first call that finds a sign missing
                begins its wait.
            shape_shows: Whether the light suffices to measure the shape of the surface; if not, depth is
                required under every policy.
        """
        takes_depth = self._takes_depth(shape_shows=shape_shows)
        for sign, taken in ((self._depth, takes_depth), (self._blink, self._policy.blink)):
            until = sign.wait_until(now) if taken else None
            if until is not None:
                self._turning = sign is self._depth
                return Missing(until, sign.asks)
        return None

    def _takes_depth(self, *, shape_shows: bool) -> bool:
        return self._policy.depth or not shape_shows
