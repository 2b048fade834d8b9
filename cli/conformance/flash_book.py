"""The colours of one stream: which step each frame names, and how long each was shown."""

from dataclasses import dataclass, field
from typing import Final

from facegate.v1 import scan_pb2

from cli.conformance.rules import Rule, Violation
from server.scan.messages import FrameMessage

__all__ = ["FlashBook"]

_SHORTEST_HOLD_SECONDS: Final = 0.35
_TOLERANCE_SECONDS: Final = 0.05


@dataclass(slots=True)
class FlashBook:
    """The steps that were revealed in a stream, and those that frames named.

    Attributes:
        revealed: The steps, by number, with the time when each was sent, seconds of the loop's clock.
        since_us: When each step appeared, as the frames state, microseconds of the capture clock.
        named: The step that the latest frame named; 0 for none.
    """

    revealed: dict[int, tuple[scan_pb2.FlashStep, float]] = field(default_factory=dict)
    since_us: dict[int, int] = field(default_factory=dict)
    named: int = 0
    _shown: int = 0

    def reveal(self, step: scan_pb2.FlashStep, at: float) -> None:
        """Notes a step that is sent."""
        self.revealed[step.step] = (step, at)

    def begin_attempt(self) -> None:
        """Begins an attempt, with a normal screen."""
        self._shown = 0

    def accept(self, frame: FrameMessage, *, flashing: bool, captured: float) -> None:
        """Tests the statement of a frame about the screen.

        Args:
            frame: The frame.
            flashing: Whether the plan of its attempt is a flash.
            captured: When it was captured, or somewhat later, seconds of the loop's clock.

        Raises:
            Violation: A rule is broken.
        """
        number, since = frame.flash_step, frame.flash_step_since_us
        self.named = number
        if number == 0 or not flashing:
            if number or since:
                raise Violation(
                    Rule.FLASH,
                    f"frame {frame.index} names flash step {number} since {since} us, and none is shown",
                )
            return
        if number not in self.revealed:
            raise Violation(
                Rule.FLASH, f"frame {frame.index} names flash step {number}, which was not revealed"
            )
        if not 0 < since <= frame.capture_time_us:
            raise Violation(
                Rule.FLASH,
                f"frame {frame.index} was captured at {frame.capture_time_us} us and names a step "
                f"since {since} us",
            )
        if number != self._shown:
            self._next(frame, captured)
        elif since != self.since_us[number]:
            raise Violation(
                Rule.FLASH, f"frame {frame.index} states another time for the appearance of step {number}"
            )

    def _next(self, frame: FrameMessage, captured: float) -> None:
        number, since = frame.flash_step, frame.flash_step_since_us
        first = min(self.revealed)
        if number < self._shown or (number > first and number - 1 not in self.since_us):
            raise Violation(
                Rule.FLASH_HOLD,
                f"frame {frame.index} names step {number} after step {self._shown}: show each step, in order",
            )
        _, sent = self.revealed[number]
        appeared = captured - (frame.capture_time_us - since) / 1e6
        if appeared < sent - _TOLERANCE_SECONDS:
            raise Violation(
                Rule.FLASH,
                f"step {number} appeared {sent - appeared:.2f} s before it was revealed, by frame "
                f"{frame.index}",
            )
        if number - 1 in self.since_us:
            before, _ = self.revealed[number - 1]
            held = (since - self.since_us[number - 1]) / 1e6
            transition = before.transition_duration.ToNanoseconds() / 1e9
            needed = transition + max(_SHORTEST_HOLD_SECONDS, before.minimum_hold.ToNanoseconds() / 1e9)
            if held < needed - _TOLERANCE_SECONDS:
                raise Violation(
                    Rule.FLASH_HOLD,
                    f"step {number - 1} was shown for {held:.2f} s; at least {needed:.2f} s are due",
                )
        self._shown = number
        self.since_us[number] = since
