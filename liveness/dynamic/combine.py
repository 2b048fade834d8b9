"""One liveness decision from Express and the challenge.

``liveness.fusion`` decides what the passive signals say. This module decides what the challenge changes:

* Express says SPOOF: it stays so. A mask or a print answers the flash as well as a face.
* The challenge was answered wrongly, or not where it would have been: SPOOF.
* It could not be measured, or too few bits were verified: INCONCLUSIVE. Never SPOOF, and never LIVE.
* It was answered rightly, and the policy takes a blink that nobody saw: INCONCLUSIVE.
* It was answered rightly, but motion does not show a head's depth, and the policy takes it, or the light does
  not say what it lies on, as in the dark, where every part of whatever is there follows the screen alike:
  INCONCLUSIVE.
* It was answered rightly: what Express says stands, surer where both say the same; where what speaks against
  the answer outweighs LIVE it is INCONCLUSIVE. A right answer makes nobody LIVE whom Express does not: paper
  and masks are lit as a face is, so it says nothing against what Express doubts. Each stands against other
  attackers, and LIVE takes both.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from liveness.dynamic.finding import ChallengeFinding
from liveness.dynamic.judge import FlashResult
from liveness.dynamic.measurement import SHAPE
from liveness.dynamic.model import JudgeSettings
from liveness.dynamic.movement import MovementResult
from liveness.dynamic.policy import DynamicPolicy
from liveness.express.depth import depth_odds
from liveness.signal import Signal
from liveness.verdict import LivenessResult, Verdict, VerdictReason

__all__ = ["combine_flash", "combine_movement"]

_BLINK = "blink"
"""Express' signal."""
_WRONG_SCORE = 2.0
"""Confidence, 0..100, at most, once a challenge says SPOOF. Set by hand."""
_UNSURE = 0.0001
"""Probability that always remains, so that log odds are finite."""
_FLASH_SHARE = 0.5
"""Of the decision, when both took part: what is shown beside each signal, no part of the odds."""


def combine_flash(
    *,
    express: LivenessResult,
    flash: FlashResult,
    dynamic: DynamicPolicy,
    settings: JudgeSettings,
) -> LivenessResult:
    """The decision on a scan with a flash.

    Args:
        express: What the passive signals say of the same frames.
        flash: What the flash proves.
        dynamic: The floor of verified bits, and whether a blink and depth are taken.
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
                return _undecided(express, signals, VerdictReason.TOO_FEW_CHALLENGE_BITS)
            if dynamic.blink and not _blinked(express):
                return _undecided(express, signals, VerdictReason.BLINK_NOT_SEEN)
            depth_needed = dynamic.depth or not _assessed(flash.signals, SHAPE)
            if depth_needed and depth_odds(express.signals) < settings.depth_odds:
                return _undecided(express, signals, VerdictReason.DEPTH_NOT_SEEN)
            odds = min(settings.most_for, max(-settings.most_against, flash.odds))
            return _weighed(express, signals, odds)


def combine_movement(*, express: LivenessResult, movement: MovementResult) -> LivenessResult:
    """The decision on a scan with the movement challenge, the fallback for light.

    A right answer leaves Express' decision as it is: its depth is what Express' motion signals see too.

    Args:
        express: What the passive signals say of the same frames.
        movement: What the movement proves.
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
            return replace(express, signals=signals)


def _together(express: Sequence[Signal], flash: Sequence[Signal]) -> tuple[Signal, ...]:
    """All signals; the shares of those that took part sum to 1."""
    shares = sum(signal.weight for signal in express), sum(signal.weight for signal in flash)
    part = _FLASH_SHARE if min(shares) > 0 else 1.0
    rest = 1 - part if min(shares) > 0 else 1.0
    return (
        *(replace(signal, weight=signal.weight * rest) for signal in express),
        *(replace(signal, weight=signal.weight * part) for signal in flash),
    )


def _assessed(signals: Sequence[Signal], name: str) -> bool:
    return any(one.name == name and one.score is not None for one in signals)


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
    """Express' score with the flash's log odds; those for life count only where Express says LIVE.

    A right answer is never SPOOF: what speaks against it can take LIVE away. What the judge of the flash did
    not call an attack is not made one by adding it to another doubt.
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
