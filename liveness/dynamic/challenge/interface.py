"""The interface between a flash challenge and the meter that measures its steps."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from liveness.dynamic.challenge.steps import ColourStep
from liveness.dynamic.sample import FlashSample

__all__ = ["Disturbance", "Light", "Meter", "StepReading"]


class Disturbance(StrEnum):
    """Why too few frames of a step count.

    A blink is not a disturbance: the measured skin excludes the eyes.
    """

    MOVED = "MOVED"
    """The face moved too fast for its light to be measured."""
    EXPOSURE_JUMP = "EXPOSURE_JUMP"
    """The brightness of the whole frame, face and background, changed at once."""
    FACE_LOST = "FACE_LOST"
    """No face was detected, or too little of it is in the frame."""


class Light(StrEnum):
    """Whether the light lets a flash be measured."""

    OK = "OK"
    """The screen's light is measurable, or there are too few frames to decide."""
    TOO_BRIGHT = "TOO_BRIGHT"
    """Other light drowns the screen's, or saturates the skin."""
    TOO_DARK_TO_SEE_FACE = "TOO_DARK_TO_SEE_FACE"
    """The face is nearly black even under the screen's light."""
    WEAK = "WEAK"
    """The surroundings are dim, yet the screen's light is barely measurable: the display is set too dark."""


@dataclass(frozen=True, slots=True)
class StepReading:
    """The measurement of one step so far.

    Attributes:
        step: The number of the step.
        frames: The number of undisturbed frames that show the step fully.
        snr: The response to this step's colour against the noise of its mean: how far the nearest other
            colour is, in standard deviations; 0 where unknown.
        agrees: Whether the measured colour is the commanded one, and distinct from every other; ``None`` if
            that cannot be decided, or not yet.
        disturbed: Why frames do not count, if too few remain.
        settled: Whether enough frames show the step, after lag and transition.
    """

    step: int
    frames: int
    snr: float
    agrees: bool | None
    disturbed: frozenset[Disturbance]
    settled: bool


class Meter(Protocol):
    """The part of ``liveness.dynamic.meter.FlashMeter`` that the challenge uses."""

    def add(self, sample: FlashSample) -> None:
        """Adds the measurement of the next frame."""

    def revealed(self, step: ColourStep, at: float) -> None:
        """Records that ``step`` was sent at ``at``, seconds on the server's monotonic clock."""

    def refresh(self) -> None:
        """Includes every added frame in the answers that follow."""

    def readings(self) -> tuple[StepReading, ...]:
        """Returns the measurement of each step."""
        ...

    def verified_bits(self) -> float:
        """Returns the sum of the colour bits of all steps with a right answer.

        Nothing is deducted for lucky guesses.
        """
        ...

    def light(self) -> Light:
        """Returns whether the light lets the flash be measured."""
        ...

    def shape_shows(self) -> bool:
        """Returns whether the face responds and the screen is not nearly the only light.

        In the screen's light alone every part of the face responds equally, whatever its shape. Then, or
        before there is a response, only motion can show the shape of the surface.
        """
        ...

    def doubtful(self) -> bool:
        """Returns whether more steps may settle the doubt that keeps a right answer from counting."""
        ...

    def lag(self) -> float | None:
        """Returns the delay of the face after the claimed appearance, seconds; ``None`` while unknown."""
        ...
