"""Camera frames in; guidance, actions and one judgement out: the only loop from a frame to what it means.

A pure room: no input or output, no clock, no log, nothing of the wire. Time, randomness and models are handed
in. The server, the analysis of files and the studies drive it:

- ``AttemptCapture`` takes an attempt's frames one by one: ``take`` works one in and says what to tell the
  person, ``act`` says what the device is to do, ``examine_rest`` asks the expensive models at the end.
- ``FlashRun`` and ``MovementRun`` are the challenges that an attempt may have beside its frames.
- ``judge_attempt`` joins liveness, match and constancy of one attempt. Nobody else does.
- ``PacedWatch`` is the part that files and studies need which have pictures and no person to guide.
"""

from attempt.actions import Action, Feedback, MoveOval, PauseCapture, Reveal
from attempt.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from attempt.capture import AttemptCapture
from attempt.errors import AttemptError, FrameUnusable
from attempt.flash_run import FlashRun
from attempt.frame import Frame, FrameExposure, FrameLimits
from attempt.judgement import AttemptJudgement, evidence_of, judge_attempt
from attempt.movement_run import MovementRun
from attempt.pictures import DecodedPicture
from attempt.placement import CapturePlan
from attempt.watch import PacedWatch

__all__ = [
    "Action",
    "AttemptCapture",
    "AttemptError",
    "AttemptJudgement",
    "CapturePlan",
    "DecodedPicture",
    "ExaminedFrame",
    "Feedback",
    "FlashRun",
    "Frame",
    "FrameAnalyst",
    "FrameExposure",
    "FrameLimits",
    "FrameUnusable",
    "MoveOval",
    "MovementRun",
    "PacedWatch",
    "PauseCapture",
    "Reveal",
    "SeenFrame",
    "evidence_of",
    "judge_attempt",
]
