"""The signal of a face that is too still to be alive.

A person who holds still sways with breath and pulse, and a phone in the hand sways too. A print on a stand in
front of a camera on a stand shows only the camera's noise.
"""

from collections.abc import Sequence

from liveness.express.motion_steps import MotionStep, motion_steps, movement
from liveness.express.scoring import score_against_line
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_STEEPNESS = 4.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class Stillness:
    """The movement of the face within a second, the 80th percentile over the scan.

    Movement alone is no sign of life, so the score never exceeds 0.5, which counts for neither side.
    """

    name = "stillness"
    label = "Not unnaturally still"

    def __init__(self, steps: Sequence[MotionStep] | None = None) -> None:
        """Takes the scan's ``motion_steps``; ``assess`` computes them if None."""
        self._steps = steps

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        steps = motion_steps(scan) if self._steps is None else self._steps
        if len(steps) < settings.minimum_steps:
            return not_assessed(
                name=self.name,
                label=self.label,
                reason=f"The face could be followed in {len(steps)} frames only.",
            )
        moved = movement(steps)
        score = min(0.5, score_against_line(moved, settings.stillness_line, _STEEPNESS))
        found = (
            "as a held phone and a breathing person do" if score >= 0.5 else "as little as a print on a stand"
        )
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=f"The face moves by {100 * moved:.2f} % of its width within a second, {found}.",
        )
