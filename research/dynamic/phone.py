"""A simulated phone in virtual time, and its person: shows colours, claims them, and follows guidance."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from liveness import Gesture, GuidanceCode
from liveness.dynamic.challenge import ColourStep, HintCode
from simulator import AppGuide, ScreenLight, Side, SimulatedFrame

__all__ = ["CLOCKS_APART", "USUAL_WIDTH", "VirtualPhone"]

CLOCKS_APART: Final = 5000.0
"""The server's clock at the device's 0, seconds, so that the two clocks differ."""
_MOVES: Final = {GuidanceCode.MOVE_CLOSER: 1.12, GuidanceCode.MOVE_BACK: 1 / 1.12}
"""Factor on the width of the face in the frame after each guidance."""
_MOVE_AGAIN: Final = 1.5
"""Time before a person moves again, seconds."""
_NARROWEST, USUAL_WIDTH, _WIDEST = 0.4, 0.52, 0.7


@dataclass(slots=True)
class VirtualPhone:
    """A simulated device and the person who holds it.

    The device receives each message ``one_way`` after the server sent it, and shows the colour of a step
    then. The person follows the guidance to come closer or to go back, as far as an arm reaches, and blinks,
    turns the head or opens the mouth on request.

    Attributes:
        light: The light of the screen.
        frames: The frames of the camera, in order.
        one_way: The time from the server to the device, seconds.
        person: The movements of the person.
        face_width: The face's width as a share of the frame's.
        claimed_late: How much later than true the device claims that colours appeared, seconds; 0 if it
            states the truth.
        moved_at: When the person last moved, seconds on the server's clock.
        numbers: The numbers of the steps, in the order in which they were shown.
        paused_from: When the device paused, seconds on its own clock; ``None`` before the first pause.
        paused_until: When it went on, on the same clock; ``None`` while it pauses.
    """

    light: ScreenLight
    frames: Iterator[SimulatedFrame]
    one_way: float
    person: AppGuide
    face_width: float
    claimed_late: float
    moved_at: float = -math.inf
    numbers: list[int] = field(default_factory=list)
    paused_from: float | None = None
    paused_until: float | None = None

    def show(self, step: ColourStep, now: float) -> None:
        """Show a step when the message arrives."""
        colour = step.colour.red, step.colour.green, step.colour.blue
        self.light.show(colour, at=self._heard(now), scroll_seconds=step.transition_seconds)
        self.numbers.append(step.number)

    def guide(self, code: GuidanceCode | None, now: float) -> None:
        """Guide the person to come closer or to go back."""
        change = _MOVES.get(code) if code is not None else None
        if change is not None and now >= self.moved_at + _MOVE_AGAIN:
            self.moved_at = now
            self.face_width = min(_WIDEST, max(_NARROWEST, self.face_width * change))
            self.person.prompt_distance(self.face_width, at=self._heard(now))

    def hint(self, code: str, now: float) -> None:
        """Show the person a hint of the challenge, or the request for a gesture."""
        match code:
            case HintCode.BLINK:
                self.person.blink(at=self._heard(now))
            case HintCode.TURN_HEAD_SLIGHTLY:
                self.person.turn(at=self._heard(now))
            case Gesture.OPEN_MOUTH:
                self.person.open_mouth(at=self._heard(now))
            case Gesture.TURN_LEFT:
                self.person.turn_aside(Side.LEFT, at=self._heard(now))
            case Gesture.TURN_RIGHT:
                self.person.turn_aside(Side.RIGHT, at=self._heard(now))
            case _:
                pass

    def pause(self, now: float) -> None:
        """Send no more frames."""
        self.paused_from, self.paused_until = self._heard(now), None

    def resume(self, now: float) -> None:
        """Send frames again."""
        self.paused_until = self._heard(now)

    def sends(self, time: float) -> bool:
        """Whether a frame captured at ``time`` is sent."""
        if self.paused_from is None or time < self.paused_from:
            return True
        return self.paused_until is not None and time >= self.paused_until

    def claims(self, time: float) -> tuple[int, float | None]:
        """Return the step that the device claims to show at ``time``, and since when; 0 for no step."""
        shown, since = self.light.appeared(time - self.claimed_late)
        return (self.numbers[shown - 1], since + self.claimed_late) if shown else (0, None)

    def _heard(self, now: float) -> float:
        return now - CLOCKS_APART + self.one_way
