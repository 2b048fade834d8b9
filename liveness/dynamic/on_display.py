"""The step that is on display: since when, and how long it was held."""

from dataclasses import dataclass

from liveness.dynamic.sample import FlashSample
from liveness.dynamic.steps import ColourStep

__all__ = ["StepOnDisplay"]


@dataclass(slots=True)
class StepOnDisplay:
    """One step from its reveal to the next.

    Attributes:
        step: What it is.
        at: When it was revealed, seconds of the server's clock.
        earliest: Device time, seconds, of the last frame that had arrived by then: it cannot have appeared
            before.
        held: Frames that arrived of it after it was held.
        held_at: When the last needed of them arrived, seconds of the server's clock; ``None`` before.
        away: Whether the face was away, or the capture paused, while it was on display.
    """

    step: ColourStep
    at: float
    earliest: float
    held: int = 0
    held_at: float | None = None
    away: bool = False

    @property
    def lasts(self) -> float:
        """Seconds that it has to be shown: transition and hold."""
        return self.step.transition_seconds + self.step.hold_seconds

    def holds(self, sample: FlashSample) -> bool:
        """Whether a frame claims to show the step a whole hold after it appeared."""
        if sample.step != self.step.number or sample.step_since is None:
            return False
        # Whatever is claimed, it cannot have appeared before frames that arrived before it was sent.
        since = max(sample.step_since, self.earliest)
        return sample.capture_time >= since + self.lasts
