"""What the challenge of a scan leaves for its judge."""

from dataclasses import dataclass

from liveness.dynamic.challenge import RevealedStep
from liveness.dynamic.model import FlashModel
from liveness.dynamic.movement import MovementRecord
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.sample import FlashSample

__all__ = ["ChallengeEvidence", "FlashEvidence"]


@dataclass(frozen=True, slots=True, eq=False)
class FlashEvidence:
    """What a flash leaves.

    Attributes:
        steps: What was revealed and when, in order.
        samples: What the frames that count show of the screen's light, in order.
    """

    steps: tuple[RevealedStep, ...]
    samples: tuple[FlashSample, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ChallengeEvidence:
    """What either challenge leaves.

    Attributes:
        limits: What the check asks of a flash.
        flash: Of a flash; ``None`` in other scans.
        movement: Of the movement challenge; ``None`` in other scans.
        model: Lines of both.
    """

    limits: DynamicPolicy
    flash: FlashEvidence | None
    movement: MovementRecord | None
    model: FlashModel
