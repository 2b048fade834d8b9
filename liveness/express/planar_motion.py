"""The signal of a face that moves as a body with depth, not as a flat picture.

Two views of a plane are related by a homography (Hartley and Zisserman, Multiple View Geometry,
2nd ed., 13.1). A turning head and a talking mouth leave motion that no homography explains.
"""

from collections.abc import Sequence

from liveness.express.motion_steps import (
    MotionStep,
    left_over_ratio,
    motion_steps,
    movement,
    typical_face_width,
)
from liveness.express.scoring import score_against_line
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_STEEPNESS = 4.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class PlanarMotion:
    """Left-over motion over motion, the 80th percentile over the scan's tracked frames."""

    name = "planar_motion"
    label = "Moves like a head, not like a sheet"

    def __init__(self, steps: Sequence[MotionStep] | None = None) -> None:
        """Takes the scan's ``motion_steps``; ``assess`` computes them if None."""
        self._steps = steps

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed if the face hardly moves or is too small."""
        steps = motion_steps(scan) if self._steps is None else self._steps
        if len(steps) < settings.minimum_steps:
            return self._unknown(f"The face could be followed in {len(steps)} frames only.")
        if (width := typical_face_width(scan)) < settings.minimum_face_width:
            return self._unknown(
                f"The face is too small to measure its depth ({width:.0f} pixels in the view)."
            )
        moved = movement(steps)
        if moved < settings.least_motion:
            return self._unknown(
                f"The face moved by {100 * moved:.2f} % of its width, too little to measure its depth."
            )
        ratio = left_over_ratio(steps)
        score = score_against_line(ratio, settings.plane_line, _STEEPNESS)
        found = "more than a flat picture leaves" if score >= 0.5 else "as little as a flat picture leaves"
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=f"A plane's motion leaves {100 * ratio:.1f} % of the movement unexplained, {found}.",
        )

    def _unknown(self, reason: str) -> Signal:
        return not_assessed(name=self.name, label=self.label, reason=reason)
