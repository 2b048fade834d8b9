"""The colours of an attempt: which step each frame names, and how long each was shown."""

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
    """The steps that were revealed in an attempt, and those that frames named.

    Attributes:
        revealed: The steps, by number, with the time when each was sent, seconds of the loop's clock.
        since_us: When each step appeared, as the frames state, microseconds of the capture clock.
        named: The step that the latest frame named; 0 for none.
    """

    revealed: dict[int, tuple[scan_pb2.FlashStep, float]] = field(default_factory=dict)
    since_us: dict[int, int] = field(default_factory=dict)
    named: int = 0
    _shown: int = 0
    _captured_us: int = 0

    def reveal(self, step: scan_pb2.FlashStep, at: float) -> None:
        """Notes a step that is sent."""
        self.revealed[step.step] = (step, at)

    def begin_attempt(self) -> None:
        """Begins an attempt, with a normal screen."""
        self.revealed.clear()
        self.since_us.clear()
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
        before_us, self._captured_us = self._captured_us, frame.capture_time_us
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
            self._next(frame, captured, before_us)
        elif since != self.since_us[number]:
            raise Violation(
                Rule.FLASH, f"frame {frame.index} states another time for the appearance of step {number}"
            )

    def _next(self, frame: FrameMessage, captured: float, before_us: int) -> None:
        number, since = frame.flash_step, frame.flash_step_since_us
        # A device that captures nothing for a while names no frame for the steps that it shows meanwhile.
        unnamed = [step for step in self.revealed if step < number and step not in self.since_us]
        too_short = (since - before_us) / 1e6 < self._needed(unnamed) - _TOLERANCE_SECONDS
        if number < self._shown or (unnamed and too_short):
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
        if self._shown:
            held = (since - self.since_us[self._shown]) / 1e6
            needed = self._needed([self._shown, *unnamed])
            if held < needed - _TOLERANCE_SECONDS:
                raise Violation(
                    Rule.FLASH_HOLD,
                    f"step {number} was shown {held:.2f} s after step {self._shown}; "
                    f"at least {needed:.2f} s are due",
                )
        self._shown = number
        self.since_us[number] = since

    def _needed(self, numbers: list[int]) -> float:
        """Returns the shortest time in which steps can be shown, seconds."""
        steps = [self.revealed[number][0] for number in numbers]
        return sum(
            step.transition_duration.ToNanoseconds() / 1e9
            + max(_SHORTEST_HOLD_SECONDS, step.minimum_hold.ToNanoseconds() / 1e9)
            for step in steps
        )
