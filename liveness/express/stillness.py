"""Is the face as still as only a thing can be?

A person who holds still sways with breath and pulse, and so does the phone in the hand; a picture on a
stand in front of a camera on a stand shows nothing but the camera's noise.
"""

from collections.abc import Sequence

from liveness.express.motion_steps import MotionStep, motion_steps, movement
from liveness.express.scoring import score_against_line
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_STEEPNESS = 4.0


class Stillness:
    """Movement of the face within a second, the 80th percentile over the scan.

    That a face moves is no sign of life: a score never exceeds 0.5, which speaks for neither side.
    """

    name = "stillness"
    label = "Not unnaturally still"

    def __init__(self, steps: Sequence[MotionStep] | None = None) -> None:
        """Take the scan's ``motion_steps``; they are made of the scan where they are not at hand."""
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
            "as a held phone and a breathing person do" if score >= 0.5 else "which is as still as a thing"
        )
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=f"The face moves by {100 * moved:.2f} % of its width within a second, {found}.",
        )
