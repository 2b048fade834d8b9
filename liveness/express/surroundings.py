"""Do the face's surroundings move with it, as the rest of a sheet or a screen does?"""

from collections.abc import Sequence

import numpy as np

from liveness.express.motion_steps import MotionStep, motion_steps, typical_face_width
from liveness.express.scoring import score_against_line
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_STEEPNESS = 4.0


class Surroundings:
    """How badly the face's plane, carried on, explains the background, over the face's movement.

    That they move apart is no sign of life, as a cut-out does so too: a score never exceeds 0.5, which
    speaks for neither side.
    """

    name = "surroundings"
    label = "Moves apart from what is around"

    def __init__(self, steps: Sequence[MotionStep] | None = None) -> None:
        """Take the scan's ``motion_steps``; they are made of the scan where they are not at hand."""
        self._steps = steps

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed with a plain background or a face that hardly moves."""
        if (width := typical_face_width(scan)) < settings.minimum_face_width:
            return self._unknown(f"The face is too small to compare ({width:.0f} pixels in the view).")
        ratios = [
            step.surroundings / step.moved
            for step in (motion_steps(scan) if self._steps is None else self._steps)
            if step.surroundings is not None and step.moved >= settings.surroundings_motion
        ]
        if len(ratios) < settings.minimum_steps:
            return self._unknown(
                f"Face and background could be compared in {len(ratios)} frames only: the background is "
                "plain or the face moved little."
            )
        ratio = float(np.median(ratios))
        score = min(0.5, score_against_line(ratio, settings.surroundings_line, _STEEPNESS))
        found = "they move apart" if score >= 0.5 else "they move together, as one sheet or screen does"
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=f"The background misses the face's motion by {100 * ratio:.0f} % of it: {found}.",
        )

    def _unknown(self, reason: str) -> Signal:
        return not_assessed(name=self.name, label=self.label, reason=reason)
