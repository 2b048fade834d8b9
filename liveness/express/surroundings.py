"""The signal of a background that moves with the face, as it does on a sheet or a screen."""

from collections.abc import Sequence

import numpy as np

from liveness.express.motion_steps import MotionStep, motion_steps, typical_face_width
from liveness.express.scoring import score_against_line
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_STEEPNESS = 4.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class Surroundings:
    """Scores low if the background moves with the face, as it does on a sheet or a screen.

    The plane of the face is extended over the background. The measurement is the median, over the steps in
    which the face moved, of the background's deviation from that plane's motion, divided by the face's
    movement: near 0 if both move together. Independent movement is no sign of life, because a cut-out moves
    independently too, so the score never exceeds 0.5, which counts for neither side.
    """

    name = "surroundings"
    label = "Moves apart from the background"

    def __init__(self, steps: Sequence[MotionStep] | None = None) -> None:
        """Takes the scan's ``motion_steps``; ``assess`` computes them if None."""
        self._steps = steps

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed if the background is plain or the face hardly moves."""
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
        found = "they move apart" if score >= 0.5 else "they move together, as a sheet or a screen does"
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=(
                "The motions of face and background differ by "
                f"{100 * ratio:.0f} % of the face's motion: {found}."
            ),
        )

    def _unknown(self, reason: str) -> Signal:
        return not_assessed(name=self.name, label=self.label, reason=reason)
