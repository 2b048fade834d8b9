"""Do eyes and mouth live a life of their own?

The face is laid flat over an earlier frame of itself by its own plane's motion. On a picture all
parts then match equally well; on a person a blink, a glance or a word changes eyes or mouth more than
the rest.
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
"""Lips have long edges, on which a misalignment shows more than elsewhere."""

_NOISE_FLOOR = 1e-4
_STRONG_PERCENT = 90
"""Percentile of the changes that stands for the strong ones: eyes and mouth move now and then."""


class MicroMotion:
    """Change of eyes or mouth over the change of the rest: the 90th percentile over the frames.

    A head that turns cannot be laid flat: all its parts then differ and hide what eyes and mouth do. So
    no movement of theirs counts against a face only while it moves as flat as a picture.
    """

    name = "micro_motion"
    label = "Eyes and mouth move by themselves"

    def __init__(self, steps: Sequence[MotionStep] | None = None) -> None:
        """Take the scan's ``motion_steps``; they are made of the scan where they are not at hand."""
        self._steps = steps

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        steps = motion_steps(scan) if self._steps is None else self._steps
        changes = [step.change for step in steps if step.change is not None]
        if len(changes) < settings.minimum_steps:
            return self._unknown(f"The face could be followed in {len(changes)} frames only.")
        if (width := typical_face_width(scan)) < settings.minimum_face_width:
            return self._unknown(
                f"The face is too small to see its eyes and mouth move ({width:.0f} pixels in the view)."
            )
        rest = np.array([change.rest for change in changes]) + _NOISE_FLOOR
        eyes = float(np.percentile(np.array([change.eyes for change in changes]) / rest, _STRONG_PERCENT))
        mouth = float(np.percentile(np.array([change.mouth for change in changes]) / rest, _STRONG_PERCENT))
        strongest = max(eyes, _MOUTH_SHARE * mouth)
        score = score_against_line(strongest, settings.part_line, _STEEPNESS)
        if score < 0.5 and left_over_ratio(steps) >= settings.plane_line:
            return self._unknown(
                "The head moves in depth, so that eyes and mouth cannot be compared with the rest."
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
