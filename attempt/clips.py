"""Captures and judges the frames of a recorded scan as an attempt does, without a person to guide.

Studies drive an attempt with this. The measurements, the selected and the scored frames, and the verdict are
those of the server, but a recording does not react to hints.
"""

from collections.abc import Iterable, Sequence

from attempt.analyst import FrameAnalyst
from attempt.capture import AttemptCapture
from attempt.frame import Frame, FrameLimits
from attempt.placement import WRONG_ROTATION, CapturePlan
from liveness import (
    FusionModel,
    GuidanceSettings,
    LivenessPolicy,
    LivenessResult,
    Oval,
)
from liveness.express import FrameCues, PadScore
from liveness.judge import CaptureConditions, judge_scan
from matcher import SubjectRule
from vision.packs import Pack

__all__ = ["capture_clip", "judge_clip"]


def capture_clip(frames: Iterable[Frame], *, pack: Pack, subject: SubjectRule) -> AttemptCapture:
    """Returns the capture of a recorded scan. ``AttemptCapture.examine_rest`` has not run.

    Args:
        frames: The frames of the scan, in order, of any size.
        pack: The models.
        subject: Defines which faces count as persons.

    Raises:
        FrameUnusable: A frame's image cannot be used.
        ModelFailed: A model failed.
    """
    capture = AttemptCapture(
        analyst=FrameAnalyst(pack=pack, limits=FrameLimits(min_side=1)),
        plan=CapturePlan(),
        oval=Oval(),
        guidance=GuidanceSettings(),
        random=bytes,
        subject=subject,
    )
    for frame in frames:
        capture.take(frame, arrival=frame.capture_time_us / 1e6)
    return capture


def judge_clip(
    capture: AttemptCapture,
    *,
    pad_scores: Sequence[PadScore],
    cues: Sequence[FrameCues],
    policy: LivenessPolicy,
    fusion: FusionModel,
) -> LivenessResult:
    """Judges the liveness of a recorded scan; there is no portrait to match.

    Args:
        capture: Its capture, after ``examine_rest``.
        pad_scores: The scores of the PAD networks that are judged.
        cues: The cues of recapture that are judged.
        policy: The thresholds.
        fusion: The liveness model.
    """
    return judge_scan(
        scan=capture.observations,
        identified={
            frame.frame_index for frame in (*capture.examined, *capture.witnesses) if frame.sample.comparable
        },
        pad_scores=pad_scores,
        cues=cues,
        policy=policy,
        model=fusion,
        challenge=None,
        conditions=CaptureConditions(turned=capture.hints[:1] == (WRONG_ROTATION,)),
    ).result
