"""The evidence that a challenge collects for the judge."""

from dataclasses import dataclass

from liveness.dynamic.challenge import RevealedStep
from liveness.dynamic.model import FlashModel
from liveness.dynamic.movement import MovementRecord
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.sample import FlashSample

__all__ = ["ChallengeEvidence", "FlashEvidence"]


@dataclass(frozen=True, slots=True, eq=False)
class FlashEvidence:
    """The evidence of a screen flash.

    Attributes:
        steps: The revealed steps with their times, in order.
        samples: The measurements of the screen's light in the frames that count, in order.
    """

    steps: tuple[RevealedStep, ...]
    samples: tuple[FlashSample, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ChallengeEvidence:
    """The evidence of a challenge of either kind.

    Attributes:
        limits: The check's requirements for the challenge.
        flash: The evidence of a flash; ``None`` in other scans.
        movement: The evidence of a movement challenge; ``None`` in other scans.
        model: The lines of both challenges.
    """

    limits: DynamicPolicy
    flash: FlashEvidence | None
    movement: MovementRecord | None
    model: FlashModel
