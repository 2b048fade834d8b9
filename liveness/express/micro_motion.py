"""The signal of eyes and mouth that move independently of the rest of the face.

The face is aligned with an earlier frame of itself by the motion of its plane. All parts of a flat image
then match equally well. In a living face, a blink, a glance or a word changes eyes or mouth more than the
rest.
"""

from collections.abc import Sequence

import numpy as np

from liveness.express.motion_steps import MotionStep, left_over_ratio, motion_steps, typical_face_width
from liveness.express.scoring import score_against_line
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_STEEPNESS = 3.0
_MOUTH_SHARE = 0.8
"""The weight of the mouth's change. Lips have long edges, which show a misalignment more than other parts."""

_NOISE_FLOOR = 1e-4
_STRONG_PERCENT = 90
"""The percentile of the changes that represents the strong ones, because eyes and mouth move only
sometimes."""


class MicroMotion:
    """The change of eyes or mouth over the change of the rest: the 90th percentile over the frames.

    A head that turns does not align as a plane: all its parts differ, which hides the movement of eyes and
    mouth. A lack of such movement therefore counts against a face only if the face moves like a flat picture.
    """

    name = "micro_motion"
    label = "Eyes and mouth move within the face"

    def __init__(self, steps: Sequence[MotionStep] | None = None) -> None:
        """Takes the scan's ``motion_steps``; ``assess`` computes them if None."""
        self._steps = steps

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        steps = motion_steps(scan) if self._steps is None else self._steps
        changes = [step.change for step in steps if step.change is not None]
        if len(changes) < settings.minimum_steps:
            return self._unknown(f"The face could be followed in {len(changes)} frames only.")
        if (width := typical_face_width(scan)) < settings.minimum_face_width:
            return self._unknown(
                f"The face is too small to measure eyes and mouth ({width:.0f} pixels in the view)."
            )
        rest = np.array([change.rest for change in changes]) + _NOISE_FLOOR
        eyes = float(np.percentile(np.array([change.eyes for change in changes]) / rest, _STRONG_PERCENT))
        mouth = float(np.percentile(np.array([change.mouth for change in changes]) / rest, _STRONG_PERCENT))
        strongest = max(eyes, _MOUTH_SHARE * mouth)
        score = score_against_line(strongest, settings.part_line, _STEEPNESS)
        if score < 0.5 and left_over_ratio(steps) >= settings.plane_line:
            return self._unknown(
                "The head moves in depth, so eyes and mouth cannot be compared with the rest."
            )
        part = "eyes" if eyes >= _MOUTH_SHARE * mouth else "mouth"
        found = "by themselves" if score >= 0.5 else "no more than a picture's"
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=f"The {part} changed {strongest:.1f} times as much as the rest of the face: {found}.",
        )

    def _unknown(self, reason: str) -> Signal:
        return not_assessed(name=self.name, label=self.label, reason=reason)
