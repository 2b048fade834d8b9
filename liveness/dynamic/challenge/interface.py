"""What a flash challenge asks of whatever measures its steps, and what it is told."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from liveness.dynamic.challenge.steps import ColourStep
from liveness.dynamic.sample import FlashSample

__all__ = ["Disturbance", "Light", "Meter", "StepReading"]


class Disturbance(StrEnum):
    """Why too few frames of a step count. A blink is none: skin is measured, and the eyes are left out."""

    MOVED = "MOVED"
    """The face moved faster than its light can be followed."""
    EXPOSURE_JUMP = "EXPOSURE_JUMP"
    """The whole picture changed its brightness at once, the background like the face."""
    FACE_LOST = "FACE_LOST"
    """No face was found, or too little of it."""


class Light(StrEnum):
    """What the light allows."""

    OK = "OK"
    """The screen's light shows, or it is too early to say."""
    TOO_BRIGHT = "TOO_BRIGHT"
    """Other light drowns the screen's, or saturates the skin."""
    TOO_DARK_TO_SEE_FACE = "TOO_DARK_TO_SEE_FACE"
    """The face is nearly black even under the screen's light."""
    WEAK = "WEAK"
    """The surroundings are dim, and still the screen's light hardly shows: its brightness is low."""


@dataclass(frozen=True, slots=True)
class StepReading:
    """What is known of one step so far.

    Attributes:
        step: Its number.
        frames: Frames that show it fully, undisturbed.
        snr: The response to this step's colour against the noise of its mean: how far the nearest other
            colour is, in standard deviations; 0 where unknown.
        agrees: Whether the colour measured is the one commanded, clear of every other; ``None`` where it
            cannot be told, or not yet.
        disturbed: Why frames were left out, where too few are left.
        settled: Whether enough frames show it, after lag and transition.
    """

    step: int
    frames: int
    snr: float
    agrees: bool | None
    disturbed: frozenset[Disturbance]
    settled: bool


class Meter(Protocol):
    """What the challenge asks of a ``liveness.dynamic.meter.FlashMeter``."""

    def add(self, sample: FlashSample) -> None:
        """Takes the next frame."""

    def revealed(self, step: ColourStep, at: float) -> None:
        """Learns that ``step`` was sent at ``at``, seconds of the server's monotonic clock."""

    def refresh(self) -> None:
        """Takes every frame that was added into the next answers."""

    def readings(self) -> tuple[StepReading, ...]:
        """What is known of each step."""
        ...

    def verified_bits(self) -> float:
        """Bits of all steps that were verified, not net of chance."""
        ...

    def light(self) -> Light:
        """Whether the light lets the flash be measured."""
        ...

    def shape_shows(self) -> bool:
        """Whether the light can say what it falls on."""
        ...

    def doubtful(self) -> bool:
        """Whether more steps may tell what keeps a right answer from being a face's."""
        ...

    def lag(self) -> float | None:
        """Seconds by which the face follows the claimed appearance; ``None`` while unknown."""
        ...
