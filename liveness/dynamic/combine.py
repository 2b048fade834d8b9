"""Combines Express' result and a challenge's finding into one liveness verdict.

``liveness.fusion`` judges the passive signals. The challenge changes that verdict as follows:

* Express says SPOOF: SPOOF. A mask or a print answers the flash as well as a face.
* The challenge is WRONG or ABSENT: SPOOF.
* The challenge is NOT_MEASURABLE, or too few bits are verified: INCONCLUSIVE, never SPOOF or LIVE. If answers
  came too late to be verified, that is the reason.
* The challenge is RIGHT, but the policy requires a blink and none was measured: INCONCLUSIVE.
* The challenge is RIGHT, but motion does not show a head's depth, and depth is required: by the policy, or
  because the light does not show the shape of a head. (In the dark, every part of any surface follows the
  screen equally; in even light, those of a head may differ as little as those of a bent sheet.) INCONCLUSIVE.
* The challenge is RIGHT otherwise: Express' verdict stands. Its confidence rises if the flash's signals
  support LIVE; if they outweigh LIVE, the verdict is INCONCLUSIVE. A right answer never turns another verdict
  into LIVE, because paper and masks are lit as a face is. Express and the flash stop different attacks, and
  LIVE requires both.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from liveness.dynamic.judge import FlashResult
from liveness.dynamic.measurement import SHAPE
from liveness.dynamic.model import JudgeSettings
from liveness.dynamic.movement import MovementResult
from liveness.dynamic.policy import ChallengeFinding, DynamicPolicy
from liveness.express.depth import depth_odds
from liveness.signal import NEITHER, Signal
from liveness.verdict import LivenessResult, Verdict, VerdictReason

_BLINK = "blink"
"""The name of Express' blink signal."""
_WRONG_SCORE = 2.0
"""The highest confidence, 0..100, of a SPOOF by a challenge. Set by hand."""
_UNSURE = 0.0001
"""The least distance of a probability from 0 and 1, so that log odds are finite."""
_FLASH_SHARE = 0.5
"""The flash's share of the displayed weights if Express also took part. It does not enter the odds."""


def combine_flash(
    *,
    express: LivenessResult,
    flash: FlashResult,
    dynamic: DynamicPolicy,
    settings: JudgeSettings,
) -> LivenessResult:
    """Returns the liveness result of a scan with a flash.

    Args:
        express: The result of the passive signals of the same frames.
        flash: The result of the flash.
        dynamic: The least verified bits, and whether a blink and depth are required.
        settings: ``FlashModel.judge``.
    """
    signals = _together(express.signals, flash.signals)
    if express.verdict is Verdict.SPOOF:
        reasons = express.reasons if flash.reason is None else (*express.reasons, flash.reason)
        return replace(express, signals=signals, reasons=tuple(dict.fromkeys(reasons)))
    reason = VerdictReason.CHALLENGE_NOT_MEASURABLE if flash.reason is None else flash.reason
    match flash.finding:
        case ChallengeFinding.WRONG | ChallengeFinding.ABSENT:
            return _spoof(express, signals, reason)
        case ChallengeFinding.NOT_MEASURABLE:
            return _undecided(express, signals, reason)
        case ChallengeFinding.RIGHT:
            if flash.verified_bits < dynamic.minimum_bits:
                few = VerdictReason.TOO_FEW_CHALLENGE_BITS
                return _undecided(
                    express, signals, VerdictReason.CHALLENGE_ANSWERED_LATE if flash.late else few
                )
            if dynamic.blink and not _blinked(express):
                return _undecided(express, signals, VerdictReason.BLINK_NOT_SEEN)
            depth_needed = dynamic.depth or not _shaped(flash.signals)
            if depth_needed and depth_odds(express.signals) < settings.depth_odds:
                return _undecided(express, signals, VerdictReason.DEPTH_NOT_SEEN)
            odds = min(settings.most_for, max(-settings.most_against, flash.odds))
            return _weighed(express, signals, odds)


def combine_movement(
    *, express: LivenessResult, movement: MovementResult, dynamic: DynamicPolicy
) -> LivenessResult:
    """Returns the liveness result of a scan with the movement challenge, the fallback of the flash.

    A right answer does not change Express' result, because Express' motion signals measure the same depth. If
    a blink is required and none was measured, the result is INCONCLUSIVE: a rigid mask approaches as well.

    Args:
        express: The result of the passive signals of the same frames.
        movement: The result of the movement challenge.
        dynamic: Whether a blink is required; nothing else of it counts.
    """
    signals = (*express.signals, *movement.signals)
    if express.verdict is Verdict.SPOOF:
        return replace(express, signals=signals)
    match movement.finding:
        case ChallengeFinding.WRONG:
            return _spoof(express, signals, VerdictReason.MOVES_AS_A_PLANE)
        case ChallengeFinding.ABSENT | ChallengeFinding.NOT_MEASURABLE:
            return _undecided(express, signals, VerdictReason.CHALLENGE_NOT_MEASURABLE)
        case ChallengeFinding.RIGHT:
            if dynamic.blink and not _blinked(express):
                return _undecided(express, signals, VerdictReason.BLINK_NOT_SEEN)
            return replace(express, signals=signals)


def _together(express: Sequence[Signal], flash: Sequence[Signal]) -> tuple[Signal, ...]:
    """Returns all signals, with weights that sum to 1 over the assessed ones."""
    shares = sum(signal.weight for signal in express), sum(signal.weight for signal in flash)
    part = _FLASH_SHARE if min(shares) > 0 else 1.0
    rest = 1 - part if min(shares) > 0 else 1.0
    return (
        *(replace(signal, weight=signal.weight * rest) for signal in express),
        *(replace(signal, weight=signal.weight * part) for signal in flash),
    )


def _shaped(signals: Sequence[Signal]) -> bool:
    """Returns whether the light shows the shape of a head; one that counts for neither side does not."""
    return any(one.name == SHAPE and one.score is not None and one.score > NEITHER for one in signals)


def _blinked(express: LivenessResult) -> bool:
    return any(one.name == _BLINK and one.passed for one in express.signals)


def _spoof(express: LivenessResult, signals: tuple[Signal, ...], reason: VerdictReason) -> LivenessResult:
    return replace(
        express,
        verdict=Verdict.SPOOF,
        score=min(express.score, _WRONG_SCORE),
        signals=signals,
        reasons=tuple(dict.fromkeys((reason, *_doubts(express)))),
    )


def _undecided(express: LivenessResult, signals: tuple[Signal, ...], reason: VerdictReason) -> LivenessResult:
    return replace(
        express,
        verdict=Verdict.INCONCLUSIVE,
        signals=signals,
        reasons=tuple(dict.fromkeys((reason, *_doubts(express)))),
    )


def _doubts(express: LivenessResult) -> tuple[VerdictReason, ...]:
    return tuple(one for one in express.reasons if one is not VerdictReason.LOOKS_ALIVE)


def _weighed(express: LivenessResult, signals: tuple[Signal, ...], odds: float) -> LivenessResult:
    """Adds the flash's log odds to Express' score; log odds for life count only if Express' verdict is LIVE.

    With a right answer, signals against a face can turn LIVE only into INCONCLUSIVE, never into SPOOF.
    """
    alive = express.verdict is Verdict.LIVE
    held = min(1 - _UNSURE, max(_UNSURE, express.score / 100))
    total = math.log(held / (1 - held)) + (odds if alive else min(0.0, odds))
    score = 100 / (1 + math.exp(-total))
    if alive and score >= express.policy.live_threshold:
        return replace(express, score=score, signals=signals, reasons=(VerdictReason.LOOKS_ALIVE,))
    doubts = _doubts(express)
    if not doubts or score < express.policy.live_threshold:
        doubts = (*doubts, VerdictReason.EVIDENCE_TOO_WEAK)
    return replace(
        express,
        verdict=Verdict.INCONCLUSIVE,
        score=score,
        signals=signals,
        reasons=tuple(dict.fromkeys(doubts)),
    )
