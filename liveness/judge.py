"""The one way from what a scan shows to its verdict.

``express.judge`` decides by the passive signals (``liveness.fusion``), ``dynamic.combine`` says what a
challenge changes of that, and last comes what stood in the way of the capture: a scan of too few frames a
second shows nobody to be alive, and can still show a spoof.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from liveness.challenge_evidence import ChallengeEvidence
from liveness.continuity import of_known_face
from liveness.dynamic.combine import combine_flash, combine_movement
from liveness.dynamic.judge import FlashResult, judge_flash
from liveness.dynamic.movement import judge_movement
from liveness.express.interface import FrameCues, PadScore
from liveness.express.judge import judge_express
from liveness.fusion_model import FusionModel
from liveness.observation import ScanObservations
from liveness.policy import LivenessPolicy
from liveness.verdict import LivenessResult, Verdict, VerdictReason

__all__ = ["CaptureConditions", "ScanLiveness", "judge_scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureConditions:
    """What stood in the way of the capture.

    Attributes:
        too_slow: Whether fewer frames a second came than the usable minimum.
        turned: Whether pictures were turned most of the time.
    """

    too_slow: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLiveness:
    """What a scan says of liveness.

    Attributes:
        result: The verdict.
        flash: What the screen's flash proves; ``None`` without one.
    """

    result: LivenessResult
    flash: FlashResult | None


def judge_scan(
    *,
    scan: ScanObservations,
    identified: Collection[int],
    pad_scores: Sequence[PadScore],
    cues: Sequence[FrameCues],
    policy: LivenessPolicy,
    model: FusionModel,
    challenge: ChallengeEvidence | None,
    conditions: CaptureConditions,
) -> ScanLiveness:
    """Judge one scan.

    Args:
        scan: What was measured on its frames.
        identified: Indices of the frames of which templates were made: how an unknown face moves counts for
            nobody.
        pad_scores: What the PAD networks said of selected frames; empty without networks.
        cues: What the single-frame cues measured in selected frames.
        policy: Thresholds of liveness.
        model: Of the fusion.
        challenge: What its challenge leaves; ``None`` in EXPRESS.
        conditions: What stood in the way.
    """
    express = judge_express(
        scan=of_known_face(scan, examined=identified),
        pad_scores=pad_scores,
        policy=policy,
        model=model,
        cues=cues,
    )
    challenged = ScanLiveness(result=express, flash=None)
    if challenge is not None:
        challenged = _with_challenge(express, challenge, scan)
    return replace(challenged, result=_under(conditions, challenged.result))


def _with_challenge(
    express: LivenessResult, challenge: ChallengeEvidence, scan: ScanObservations
) -> ScanLiveness:
    """What the challenge changes of Express' decision, and what it proves."""
    if challenge.flash is not None:
        flash = judge_flash(
            samples=challenge.flash.samples, revealed=challenge.flash.steps, model=challenge.model
        )
        result = combine_flash(
            express=express, flash=flash, dynamic=challenge.limits, settings=challenge.model.judge
        )
        return ScanLiveness(result=result, flash=flash)
    if challenge.movement is not None:
        movement = judge_movement(challenge.movement, scan, challenge.model.movement)
        return ScanLiveness(result=combine_movement(express=express, movement=movement), flash=None)
    return ScanLiveness(result=express, flash=None)


def _under(conditions: CaptureConditions, found: LivenessResult) -> LivenessResult:
    """The verdict under the conditions of the capture."""
    if conditions.too_slow and found.verdict is Verdict.LIVE:
        found = replace(found, verdict=Verdict.INCONCLUSIVE, reasons=(VerdictReason.TOO_FEW_FRAMES,))
    if conditions.turned and found.verdict is Verdict.INCONCLUSIVE:
        # Turned pictures are why too few show a usable face.
        others = (reason for reason in found.reasons if reason is not VerdictReason.TOO_FEW_USABLE_FACES)
        found = replace(found, reasons=(VerdictReason.WRONG_ROTATION, *others))
    return found
