"""Judges one attempt: camera frames in; guidance, actions and one judgement out.

The package is pure: no input or output, no clock, no log, no wire types. Time, randomness and models are
passed in. The server, the analysis of files and the studies drive the same loop:

- ``AttemptCapture`` takes an attempt's frames one by one. ``capture_frame`` measures a frame and returns a
  hint for the person, ``act`` returns the actions that the device must perform, and ``examine_rest`` runs the
  embedder at the end.
- ``FlashRun`` and ``MovementRun`` are the challenges that an attempt may have.
- ``judge_attempt`` alone joins liveness, match and constancy of an attempt.
- ``PacedWatch`` measures frames without a person to guide, for files and studies.

For example, judge an EXPRESS attempt::

    import os

    from attempt import AttemptCapture, CapturePlan, FrameAnalyst, FrameLimits, judge_attempt
    from liveness import GuidanceSettings, LivenessPolicy, Oval, load_fusion_model
    from matcher import SCAN_SUBJECT, MatchPolicy

    capture = AttemptCapture(
        analyst=FrameAnalyst(pack=pack, limits=FrameLimits()),
        plan=CapturePlan(frames=18, seconds=1.7),
        oval=Oval(),
        guidance=GuidanceSettings(),
        random=os.urandom,
        subject=SCAN_SUBJECT,
    )
    for frame in frames:
        hint = capture.capture_frame(frame, arrival=clock())
        if hint is not None:
            show(hint)
        if capture.complete:
            break
    capture.verify_sample()
    capture.examine_rest()

    judgement = judge_attempt(
        capture.evidence,
        portrait=portrait.template,
        calibration=pack.match_calibration,
        liveness_policy=LivenessPolicy(),
        match_policy=MatchPolicy(max_fmr=0.01),
        fusion=load_fusion_model(),
    )
    print(judgement.liveness.verdict, judgement.match.same_person)
"""

from attempt.analyst import ExaminedFrame, FrameAnalyst, PacedWatch, SeenFrame
from attempt.capture import AttemptCapture
from attempt.challenge import Action, AttemptChallenge, Feedback, PauseCapture
from attempt.films import (
    MINIMUM_FRAMES,
    FileFrames,
    FilmCapture,
    SelectedFrame,
    StillFrames,
    VideoStudy,
    capture_clip,
    examine,
    judge_clip,
    judge_study,
)
from attempt.flash_run import FlashRun
from attempt.frame import (
    DecodedFrame,
    Frame,
    FrameDecoder,
    FrameLimits,
    FrameUnusable,
)
from attempt.judgement import (
    CAPTURE_TOO_SLOW,
    MOST_FEEDBACK,
    NETWORK_TOO_SLOW,
    SERVER_BUSY,
    AttemptEvidence,
    AttemptJudgement,
    ChallengeStepOutcome,
    evidence_of,
    identity_constancy,
    judge_attempt,
)
from attempt.last_requests import GESTURE_SECONDS
from attempt.movement_run import MovementRun
from attempt.placement import CapturePlan
from attempt.stills import (
    StillMeasurements,
    judge_still,
    landmarks_of,
    measure_still,
    observe_still,
    persons_in,
    persons_of,
)
from liveness.dynamic.challenge import MoveOval, Reveal

__all__ = [
    "CAPTURE_TOO_SLOW",
    "GESTURE_SECONDS",
    "MINIMUM_FRAMES",
    "MOST_FEEDBACK",
    "NETWORK_TOO_SLOW",
    "SERVER_BUSY",
    "Action",
    "AttemptCapture",
    "AttemptChallenge",
    "AttemptEvidence",
    "AttemptJudgement",
    "CapturePlan",
    "ChallengeStepOutcome",
    "DecodedFrame",
    "ExaminedFrame",
    "Feedback",
    "FileFrames",
    "FilmCapture",
    "FlashRun",
    "Frame",
    "FrameAnalyst",
    "FrameDecoder",
    "FrameLimits",
    "FrameUnusable",
    "MoveOval",
    "MovementRun",
    "PacedWatch",
    "PauseCapture",
    "Reveal",
    "SeenFrame",
    "SelectedFrame",
    "StillFrames",
    "StillMeasurements",
    "VideoStudy",
    "capture_clip",
    "evidence_of",
    "examine",
    "identity_constancy",
    "judge_attempt",
    "judge_clip",
    "judge_still",
    "judge_study",
    "landmarks_of",
    "measure_still",
    "observe_still",
    "persons_in",
    "persons_of",
]
