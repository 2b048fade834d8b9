"""Decides from frames and network scores whether a living person is in front of the camera.

The package is pure: no input or output, no clock, no global state. ``watch`` measures frames, ``guidance``
gives hints to the person, ``selection`` selects the best frames for the expensive models, and ``judge``
returns the verdict with its signals. ``dynamic`` has the challenges, ``express`` the passive signals,
``selfie`` the analysis of a single image.

For example, judge the frames of a scan without a challenge and without PAD networks. ``find_persons`` returns
the persons of a frame, the subject first (``matcher.persons``)::

    from liveness import LivenessPolicy, load_fusion_model
    from liveness.judge import CaptureConditions, judge_scan
    from liveness.watch import FrameWatcher

    watcher = FrameWatcher(find_faces=find_persons)
    for index, frame in enumerate(frames):
        watcher.measure(frame, index=index, capture_time=index / 15)
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

from liveness.continuity import examined_share, unexamined_stretches
from liveness.doubt import ChallengeKind, DoubtTerms, may_be_sure_early, unresolved
from liveness.errors import LivenessError
from liveness.extent import FaceExtent, UprightFaces, face_extent
from liveness.fusion_model import FusionModel, load_fusion_model
from liveness.gestures import Gesture, GestureRequest, gesture_made, head_is_at_rest
from liveness.guidance import Guidance, GuidanceSettings, GuidanceState, HintCode, Oval, guide
from liveness.judge import ChallengeEvidence, FlashEvidence
from liveness.observation import FrameObservation, ScanObservations
from liveness.observe import fine_view, observe_frame, sample_frame
from liveness.policy import EVIDENCE_FLOOR, LEAST_BETWEEN, CaptureKind, CaptureLimits, LivenessPolicy
from liveness.selection import (
    CUE_FRAMES,
    DEFAULT_COUNT,
    FrameSelector,
    frame_quality,
    spread_of,
)
from liveness.shown_picture import TrustedFace
from liveness.verdict import (
    TOO_LITTLE_SEEN,
    AttackType,
    LivenessResult,
    Signal,
    Verdict,
    VerdictReason,
    not_assessed,
)

__all__ = [
    "CUE_FRAMES",
    "DEFAULT_COUNT",
    "EVIDENCE_FLOOR",
    "LEAST_BETWEEN",
    "TOO_LITTLE_SEEN",
    "AttackType",
    "CaptureKind",
    "CaptureLimits",
    "ChallengeEvidence",
    "ChallengeKind",
    "DoubtTerms",
    "FaceExtent",
    "FlashEvidence",
    "FrameObservation",
    "FrameSelector",
    "FusionModel",
    "Gesture",
    "GestureRequest",
    "Guidance",
    "GuidanceSettings",
    "GuidanceState",
    "HintCode",
    "LivenessError",
    "LivenessPolicy",
    "LivenessResult",
    "Oval",
    "ScanObservations",
    "Signal",
    "TrustedFace",
    "UprightFaces",
    "Verdict",
    "VerdictReason",
    "examined_share",
    "face_extent",
    "fine_view",
    "frame_quality",
    "gesture_made",
    "guide",
    "head_is_at_rest",
    "load_fusion_model",
    "may_be_sure_early",
    "not_assessed",
    "observe_frame",
    "sample_frame",
    "spread_of",
    "unexamined_stretches",
    "unresolved",
]
