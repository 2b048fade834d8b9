"""What a flash challenge asks of whatever measures its steps."""

from typing import Protocol

from liveness.dynamic.meter import Light, StepReading
from liveness.dynamic.sample import FlashSample
from liveness.dynamic.steps import ColourStep

__all__ = ["Meter"]


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
