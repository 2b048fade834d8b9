"""Decides the liveness of a scan. ``judge_scan`` is the only function that does.

``judge_express`` decides by the passive signals (``liveness.fusion``), without motion if too few frames a
second arrived. ``dynamic.combine`` applies the finding of a challenge. If the policy demands gestures, a scan
without them cannot be LIVE. A scan that shows a picture (``shown_picture``) is SPOOF or in doubt. The
conditions of the capture come last: a scan of a covered face, of several persons, or one that does not show
enough of the face (``doubt``), cannot be LIVE, but it can be SPOOF: by a challenge, by repeated
frames, or by the passive signals within the range of their calibration.

Where the policy answers doubt with a challenge, a scan without one is LIVE only if its networks are sure, and
a scan with one only if it resolves the doubts of earlier attempts (``liveness.doubt``). That comes at the
very end.

A scan, film or image without colours, of an infrared or monochrome camera, is never LIVE. The PAD
networks, the cues and the screen's colours count for neither side: the networks never saw such frames, and
take them for an attack. Motion and repeated frames can still prove one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from liveness.continuity import without_unexamined_motion
from liveness.doubt import (
    DoubtTerms,
    downgrade_if_covered,
    downgrade_if_doubted,
    evidence_doubts,
    reasons_outside_calibration,
    undecided_if_unclear,
    without_doubt,
)
from liveness.dynamic.challenge import RevealedStep
from liveness.dynamic.judge import FlashResult, combine_flash, combine_movement, judge_flash
from liveness.dynamic.model import FlashModel
from liveness.dynamic.movement import MovementRecord
from liveness.dynamic.movement.judge import judge_movement
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.sample import FlashSample
from liveness.express.cues import FrameCues
from liveness.express.pad_network import PadScore, network_medians, stretch_medians
from liveness.fusion import judge_express
from liveness.fusion_model import FusionModel
from liveness.gestures import Gesture, GestureRequest, gesture_made, gesture_signal
from liveness.observation import ScanObservations
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.shown_picture import TrustedFace, find_moved_picture, find_trusted_image, with_picture
from liveness.verdict import LivenessResult, Verdict, VerdictReason


@dataclass(frozen=True, slots=True, eq=False)
class FlashEvidence:
    """The evidence of a screen flash.

    Attributes:
        steps: The revealed steps with their times, in order.
        samples: The measurements of the screen's light in the frames that count, in order.
    """

    steps: tuple[RevealedStep, ...]
    samples: tuple[FlashSample, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ChallengeEvidence:
    """The evidence of a challenge of either kind.

    Attributes:
        limits: The check's requirements for the challenge.
        flash: The evidence of a flash; ``None`` in other scans.
        movement: The evidence of a movement challenge; ``None`` in other scans.
        model: The lines of both challenges.
    """

    limits: DynamicPolicy
    flash: FlashEvidence | None
    movement: MovementRecord | None
    model: FlashModel


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureConditions:
    """Conditions of a capture that limit its verdict.

    Attributes:
        too_slow: Whether fewer frames a second arrived than the usable minimum. Motion then counts for
            neither side, and the scan cannot be LIVE.
        turned: Whether most frames were rotated.
        several_persons: Whether the frames of a file show different persons. In an attempt this is a finding
            beside liveness (``attempt.judge_attempt``).
    """

    too_slow: bool = False
    turned: bool = False
    several_persons: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLiveness:
    """The liveness of a scan.

    Attributes:
        flash: The finding of the screen flash; ``None`` without one.
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
    gestures: Sequence[GestureRequest] = (),
    doubt: DoubtTerms | None = None,
    trusted: TrustedFace | None = None,
) -> ScanLiveness:
    """Decide the liveness of one scan, or of still images (``LivenessPolicy.capture``).

    Args:
        scan: The measurements of its frames.
        identified: Indices of the frames with a template. The motion of a face that was not identified does
            not count.
        pad_scores: Scores of the PAD networks, of frames spread over the scan; empty without networks.
        cues: Measurements of the single-frame cues in selected frames.
        challenge: The evidence of the challenge; ``None`` in EXPRESS.
        gestures: The requests for gestures that the policy demands, in order.
        doubt: What doubt means for the scan; ``None`` if LIVE needs no more than the policy's threshold.
        trusted: The face of the trusted image; ``None`` if there is none, or its pixels are not known.
    """
    # 1. The passive signals of the identified face decide, by the frames before gestures were due: a mouth
    # that opens is no motion of a head.
    known = without_unexamined_motion(scan, examined=identified)
    due_at = gestures[0].follows if gestures else None
    before, known_before = (one if due_at is None else one.until(due_at) for one in (scan, known))
    colourless = bool(cues) and all(one.colourless for one in cues)
    judged = partial(
        judge_express,
        pad_scores=() if colourless else pad_scores,
        policy=policy,
        model=model,
        cues=() if colourless else cues,
        too_slow=conditions.too_slow,
    )
    express = judged(scan=known_before)
    if due_at is not None and (whole := judged(scan=known)).verdict is Verdict.SPOOF:
        # Later frames may prove an attack all the same: if they repeat others, for example.
        express = whole
    if policy.capture is CaptureKind.SCAN:
        express = undecided_if_unclear(known_before, express)
    # 2. The challenge, if there is one, confirms, weakens or overrules that.
    challenged = ScanLiveness(result=express, flash=None)
    if challenge is not None and not (colourless and challenge.flash is not None):
        challenged = _with_challenge(express, challenge, scan)
    # 3. So do the requests for gestures.
    limited = challenged.result
    for request in gestures:
        limited = _with_gesture(limited, request, known)
    # 4. A scan of the trusted image itself, or of one picture, however it is moved, shows no person.
    if policy.capture is CaptureKind.SCAN:
        flashed = challenge is not None and challenge.flash is not None
        limited = _with_pictures(limited, known_before, trusted, flashed=flashed)
    # 5. A cover, and a capture that does not show enough of the face, limit the verdict of a scan.
    if policy.capture is CaptureKind.SCAN:
        doubts = (*evidence_doubts(before, policy.evidence), *reasons_outside_calibration(known_before))
        limited = downgrade_if_doubted(downgrade_if_covered(before, limited), doubts)
    # 6. So do frames that are rotated, or that show several persons.
    limited = _several_persons(conditions, _turned(conditions, limited))
    limited = _without_colours(limited) if colourless else limited
    # 7. What is left has to be beyond doubt.
    if doubt is not None:
        networks = model.scan_networks if policy.capture is CaptureKind.SCAN else model.still_networks
        limited = without_doubt(limited, doubt, networks.calibration_for(network_medians(pad_scores)))
        if doubt.early and not stretch_medians(pad_scores):
            # Scores of a face that was not identified are left out, so that fewer may count than there are.
            limited = downgrade_if_doubted(limited, (VerdictReason.TOO_SHORT,))
    return replace(challenged, result=limited)


def _with_challenge(
    express: LivenessResult, challenge: ChallengeEvidence, scan: ScanObservations
) -> ScanLiveness:
    """Apply the challenge's finding to the decision by the passive signals."""
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
        return ScanLiveness(
            result=combine_movement(express=express, movement=movement, dynamic=challenge.limits), flash=None
        )
    return ScanLiveness(result=express, flash=None)


def _with_gesture(found: LivenessResult, request: GestureRequest, scan: ScanObservations) -> LivenessResult:
    """Turn LIVE into INCONCLUSIVE if the person did not make the gesture on request."""
    found = replace(found, signals=(*found.signals, gesture_signal(scan, request)))
    if found.verdict is not Verdict.LIVE or gesture_made(scan, request):
        return found
    missing = (
        VerdictReason.MOUTH_NOT_OPENED
        if request.gesture is Gesture.OPEN_MOUTH
        else VerdictReason.HEAD_NOT_TURNED
    )
    return replace(found, verdict=Verdict.INCONCLUSIVE, reasons=(missing,))


def _with_pictures(
    found: LivenessResult, scan: ScanObservations, trusted: TrustedFace | None, *, flashed: bool
) -> LivenessResult:
    """Apply the findings of shown pictures. A flash resolves those that are only possible."""
    found = with_picture(found, find_trusted_image(scan, trusted), doubts=not flashed)
    return found if flashed else with_picture(found, find_moved_picture(scan), doubts=True)


def _turned(conditions: CaptureConditions, found: LivenessResult) -> LivenessResult:
    """Add the rotation to the reasons of INCONCLUSIVE if most frames were rotated."""
    if conditions.turned and found.verdict is Verdict.INCONCLUSIVE:
        # Few usable faces are a consequence of the rotation.
        others = (reason for reason in found.reasons if reason is not VerdictReason.TOO_FEW_USABLE_FACES)
        found = replace(found, reasons=(VerdictReason.WRONG_ROTATION, *others))
    return found


def _several_persons(conditions: CaptureConditions, found: LivenessResult) -> LivenessResult:
    """Turn a verdict other than SPOOF into INCONCLUSIVE if the frames show several persons."""
    return found.undecided(VerdictReason.SEVERAL_PERSONS) if conditions.several_persons else found


def _without_colours(found: LivenessResult) -> LivenessResult:
    """Turn a verdict other than SPOOF into INCONCLUSIVE, because no capture without colours can be LIVE."""
    if found.verdict is Verdict.SPOOF:
        return found
    told = found.undecided(VerdictReason.NO_COLOURS)
    return replace(
        told, reasons=tuple(one for one in told.reasons if one is not VerdictReason.NO_PAD_NETWORK)
    )
