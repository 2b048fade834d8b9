"""What kind of attack it is: named evidence, summed for each type.

The types' sums make a multinomial (softmax) over the types that are possible at all. ``UNKNOWN`` is one
of them, so that weak evidence names nothing. Types of which no attack was at hand when the model was
fitted need facts that hardly anything else explains, and are named with little confidence
(``AttackEvidence.highest``).
"""

import math
from collections.abc import Mapping

from liveness.express.scoring import log_odds
from liveness.fusion_model import AttackEvidence, AttackFact
from liveness.signal import Signal
from liveness.verdict import AttackType

__all__ = ["attack_facts", "tell_attack_type"]

_LIVELY = ("planar_motion", "micro_motion", "blink")
_SOLID = ("planar_motion", "pose_consistency")
_SCREEN = ("moire", "screen_flicker")
_TOGETHER = 0.35
"""Below it, surroundings and stillness, whose scores end at 0.5, speak clearly."""

_TELLING = 0.5
_LONG_SECONDS = 8.0
"""People blink every 3 to 6 s: a scan as long as this shows blinks and glances of a face that has them."""


def attack_facts(
    signals: Mapping[str, Signal], *, network_odds: float | None, duration: float
) -> frozenset[AttackFact]:
    """What the signals say together.

    Args:
        signals: By name.
        network_odds: Calibrated log odds of life by the PAD networks; ``None`` where none was asked.
        duration: Of the scan, seconds; 0 for single pictures.
    """
    scores = {name: signal.score for name, signal in signals.items() if signal.score is not None}
    lively = any(scores.get(name, 0.0) >= 0.5 for name in _LIVELY)
    flat = scores.get("planar_motion", 1.0) < 0.5 or scores.get("surroundings", 1.0) < _TOGETHER
    parts_move = scores.get("micro_motion", 0.0) >= 0.5 or "blink" in scores
    eyes_watched = "eyes_open" in scores
    solid = any(scores.get(name, 0.0) >= 0.5 for name in _SOLID)
    holds = {
        AttackFact.LIVELY: lively,
        AttackFact.FLAT: flat and not scores.get("planar_motion", 0.0) >= 0.5,
        AttackFact.MOTIONLESS: scores.get("stillness", 1.0) < _TOGETHER and not lively,
        AttackFact.BLINKS: scores.get("blink", 0.0) >= 0.5,
        AttackFact.RIGID: solid and eyes_watched and not parts_move and duration >= _LONG_SECONDS,
        AttackFact.NETWORK_ATTACK: network_odds is not None and network_odds <= -_TELLING,
        AttackFact.PRINT_DOTS: scores.get("halftone", 1.0) < 0.5,
        AttackFact.SCREEN_PATTERN: any(scores.get(name, 1.0) < 0.5 for name in _SCREEN),
        AttackFact.UNSTEADY_FACE: scores.get("embedding_jitter", 1.0) < 0.5,
    }
    return frozenset(fact for fact, true in holds.items() if true)


def tell_attack_type(
    signals: Mapping[str, Signal],
    *,
    facts: frozenset[AttackFact],
    types: Mapping[AttackType, AttackEvidence],
    neutral: Mapping[str, float],
    certainty: float,
) -> tuple[AttackType, float]:
    """The likeliest type of something that was found to be an attack.

    Args:
        signals: By name.
        facts: ``attack_facts`` of them.
        types: The model's ``attack_types``.
        neutral: Log odds by signal name of a score that speaks for neither side; 0 for the others. A score
            above it, a cue that found nothing, tells no type from another.
        certainty: Probability that it is an attack at all, 0..1.

    Returns:
        The type and the confidence in it, 0..100; ``UNKNOWN`` has none.
    """
    odds = {
        kind: evidence.bias
        + sum(weight for fact, weight in evidence.facts.items() if fact in facts)
        + sum(
            weight * max(0.0, neutral.get(name, 0.0) - log_odds(score))
            for name, weight in evidence.weights.items()
            if (score := _score(signals, name)) is not None
        )
        for kind, evidence in types.items()
        if evidence.needs <= facts
    }
    highest = max(odds.values(), default=0.0)
    shares = {kind: math.exp(value - highest) for kind, value in odds.items()}
    best = max(shares, key=lambda kind: shares[kind], default=AttackType.UNKNOWN)
    if best is AttackType.UNKNOWN:
        return AttackType.UNKNOWN, 0.0
    share = min(types[best].highest, shares[best] / sum(shares.values()))
    return best, 100 * certainty * share


def _score(signals: Mapping[str, Signal], name: str) -> float | None:
    signal = signals.get(name)
    return None if signal is None else signal.score
