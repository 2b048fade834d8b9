"""Decides from frames and network scores whether a living person is in front of the camera.

The package is pure: no input or output, no clock, no global state. ``watch`` measures frames, ``guidance``
gives hints to the person, ``selection`` selects the best frames for the expensive models, and ``judge_scan``
returns the verdict with its signals. ``dynamic`` has the challenges, ``express`` the passive signals,
``selfie`` the analysis of a single image.

For example, judge the frames of a scan without a challenge and without PAD networks::

    from liveness import CaptureConditions, LivenessPolicy, load_fusion_model, judge_scan
    from liveness.watch import FrameWatcher

    watcher = FrameWatcher(find_faces=pack.detector.detect)
    for index, frame in enumerate(frames):
        watcher.watch(frame, index=index, capture_time=index / 15)
    scan = watcher.observations

    liveness = judge_scan(
        scan=scan,
        identified=range(len(scan.frames)),
        pad_scores=(),
        cues=(),
        policy=LivenessPolicy(),
        model=load_fusion_model(),
        challenge=None,
        conditions=CaptureConditions(),
    )
    print(liveness.result.verdict, liveness.result.confidence)
"""

from liveness.challenge_evidence import ChallengeEvidence
from liveness.fusion_model import FusionModel
from liveness.fusion_model_file import load_fusion_model
from liveness.judge import CaptureConditions, ScanLiveness, judge_scan
from liveness.observation import FrameObservation, ScanObservations
from liveness.policy import LivenessPolicy
from liveness.signal import Signal
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason

__all__ = [
    "AttackType",
    "CaptureConditions",
    "ChallengeEvidence",
    "FrameObservation",
    "FusionModel",
    "LivenessPolicy",
    "LivenessResult",
    "ScanLiveness",
    "ScanObservations",
    "Signal",
    "Verdict",
    "VerdictReason",
    "judge_scan",
    "load_fusion_model",
]
