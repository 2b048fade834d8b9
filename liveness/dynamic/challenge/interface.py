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
        snr: How far the expected response to the nearest other colour is from that to this one, in standard
            deviations of the mean over the frames; 0 if unknown.
        agrees: Whether the face reflects the commanded colour; ``None`` if neither this colour nor clearly
            another explains the light best, or if there are too few frames.
        clear: Whether ``agrees`` stands out from noise by itself.
        disturbed: The disturbances that left too few frames; empty if there are enough.
        settled: Whether enough frames show the step, after lag and transition.
        late: Whether the answer came too late to be verified.
    """

    step: int
    frames: int
    snr: float
    agrees: bool | None
    disturbed: frozenset[Disturbance]
    settled: bool
    clear: bool = False
    late: bool = False


class Meter(Protocol):
    """The part of ``liveness.dynamic.meter.FlashMeter`` that the challenge uses."""

    def add(self, sample: FlashSample) -> None:
        """Adds the measurement of the next frame."""

    def note_drawn(self, step: ColourStep, at: float) -> None:
        """Records that ``step`` was drawn at ``at``, seconds on the server's monotonic clock."""

    def note_sent(self, at: float) -> None:
        """Records when the step drawn last was sent, on the same clock."""

    def refresh(self) -> None:
        """Measures again, so that later calls include all frames that were added."""

    def readings(self) -> tuple[StepReading, ...]:
        """Returns the measurement of each step."""
        ...

    def verified_bits(self) -> float:
        """Returns the sum of the colour bits of all steps with a right answer that did not come too late.

        Nothing is deducted for lucky guesses.
        """
        ...

    def light(self) -> Light:
        """Returns whether the light lets the flash be measured."""
        ...

    def shape_shows(self) -> bool:
        """Returns whether the flash shows the shape of a head. Otherwise only motion can show it."""
        ...

    def right(self) -> bool:
        """Returns whether the challenge is answered by the frames so far, as the judge finds."""
        ...

    def doubtful(self) -> bool:
        """Returns whether the challenge is not measurable yet, but may be after more steps."""
        ...

    def lag(self) -> float | None:
        """Returns how long after the claimed appearance of a colour the face shows it, seconds.

        ``None`` while unknown.
        """
        ...
