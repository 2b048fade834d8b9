"""The one owner of the liveness decision: signals in, verdict out.

Order of the decision:

1. Frames that come again are injected: SPOOF, whatever else was seen.
2. With too few frames, or too short a scan, temporal signals do not count; then a network alone can
   say SPOOF, at half its weight, and never LIVE.
3. The model's log odds over the signals that were assessed give the confidence; the policy's
   thresholds give the verdict.
4. LIVE needs more than confidence: a sign of life that was seen, eyes that were open, and a network
   where the policy demands one. Missing is never pass.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from liveness.express.frozen_frames import Repetition, RepetitionFinding
from liveness.express.scoring import log_odds
from liveness.fusion_model import FusionModel, load_fusion_model
from liveness.policy import LivenessPolicy
from liveness.signal import Signal
from liveness.verdict import AttackType, LivenessResult, Reason, Verdict

__all__ = ["FusionModel", "fuse", "load_fusion_model"]

_NETWORK = "pad_network"
_SIGNS_OF_LIFE = ("planar_motion", "micro_motion", "blink")
_NEEDED_SIGNS = ("planar_motion", "micro_motion")
"""One of them must have been assessed: a blink alone, which a mask with holes for the eyes has too, says
nothing about the face around it."""

_TEMPORAL_REASONS = {
    "planar_motion": Reason.MOVES_AS_A_PLANE,
    "surroundings": Reason.MOVES_AS_A_PLANE,
    "micro_motion": Reason.NO_SIGN_OF_LIFE,
    "stillness": Reason.NO_SIGN_OF_LIFE,
    _NETWORK: Reason.NETWORK_SEES_ATTACK,
}
_TELLING = 0.5
"""Log odds against life from which a signal is named among the reasons."""

_INJECTED_CONFIDENCE = 1.0
_ALONE_SHARE = 0.5
_ATTACK_TYPE_SHARE = 0.6
"""A guess at the kind of attack is stated with at most this share of the verdict's own certainty."""


def fuse(
    *,
    signals: Sequence[Signal],
    repetition: RepetitionFinding | None,
    frames: int,
    usable_frames: int,
    duration: float,
    policy: LivenessPolicy,
    model: FusionModel,
) -> LivenessResult:
    """Decide.

    Args:
        signals: All signals of the scan, assessed or not, with names that differ.
        repetition: Whether frames come again; ``None`` where there were too few to tell.
        frames: All frames of the scan.
        usable_frames: Of them, those with exactly one face.
        duration: Of the scan, seconds.
        policy: The check's policy.
        model: The coefficients.
    """
    by_name = {signal.name: signal for signal in signals}
    if repetition is not None and repetition.kind is not Repetition.NONE:
        frozen = repetition.kind is Repetition.FROZEN
        return LivenessResult(
            verdict=Verdict.SPOOF,
            confidence=_INJECTED_CONFIDENCE,
            attack_type=AttackType.INJECTION,
            attack_type_confidence=100 - _INJECTED_CONFIDENCE,
            signals=_weighted(signals, {"frozen_frames": 1.0}),
            reasons=(Reason.FROZEN_FRAMES if frozen else Reason.LOOPED_FRAMES,),
        )
    short = _shortage(frames, usable_frames, duration, policy)
    evidence = _evidence(by_name, model, temporal_counts=not short)
    shown = _weighted(signals, _strengths(evidence, model))
    confidence = 100 * _probability(_total(evidence, model) * (_ALONE_SHARE if short else 1.0))
    if not evidence:
        reasons = (*short, Reason.NO_SIGN_OF_LIFE_MEASURABLE)
        return LivenessResult(Verdict.INCONCLUSIVE, 50.0, AttackType.UNKNOWN, 0.0, shown, reasons)
    against = _against(evidence)
    if confidence <= policy.spoof_threshold:
        kind = _attack_type(by_name, against)
        certainty = 0.0 if kind is AttackType.UNKNOWN else _ATTACK_TYPE_SHARE * (100 - confidence)
        reasons = (*(against or (Reason.EVIDENCE_TOO_WEAK,)), *short)
        return LivenessResult(Verdict.SPOOF, confidence, kind, certainty, shown, reasons)
    doubts = (*short, *_doubts(by_name, policy))
    if confidence >= policy.live_threshold and not doubts:
        return LivenessResult(
            Verdict.LIVE, confidence, AttackType.REAL, confidence, shown, (Reason.LOOKS_ALIVE,)
        )
    if confidence < policy.live_threshold:
        doubts = (*doubts, *against, Reason.EVIDENCE_TOO_WEAK)
    return LivenessResult(
        Verdict.INCONCLUSIVE, confidence, AttackType.UNKNOWN, 0.0, shown, tuple(dict.fromkeys(doubts))
    )


def _shortage(frames: int, usable_frames: int, duration: float, policy: LivenessPolicy) -> tuple[Reason, ...]:
    short: list[Reason] = []
    if frames < policy.minimum_frames:
        short.append(Reason.TOO_FEW_FRAMES)
    elif usable_frames < policy.minimum_frames:
        short.append(Reason.TOO_FEW_USABLE_FACES)
    if duration < policy.minimum_seconds:
        short.append(Reason.TOO_SHORT)
    return tuple(short)


def _evidence(
    by_name: Mapping[str, Signal], model: FusionModel, *, temporal_counts: bool
) -> dict[str, float]:
    """Weighted log odds of every signal that takes part."""
    found: dict[str, float] = {}
    if temporal_counts:
        for name, weight in model.temporal_weights.items():
            signal = by_name.get(name)
            if signal is not None and signal.score is not None:
                found[name] = weight * log_odds(signal.score)
    network = by_name.get(_NETWORK)
    if network is not None and network.score is not None:
        found[_NETWORK] = model.network_bias + model.network_weight * log_odds(network.score)
    return found


def _total(evidence: Mapping[str, float], model: FusionModel) -> float:
    temporal = [value for name, value in evidence.items() if name != _NETWORK]
    total = evidence.get(_NETWORK, 0.0)
    if temporal:
        total += min(model.temporal_limit, max(-model.temporal_limit, model.temporal_bias + sum(temporal)))
    return total


def _against(evidence: Mapping[str, float]) -> tuple[Reason, ...]:
    """Why it looks like an attack, the strongest evidence first."""
    telling = sorted((value, name) for name, value in evidence.items() if value <= -_TELLING)
    return tuple(dict.fromkeys(_TEMPORAL_REASONS[name] for _, name in telling if name in _TEMPORAL_REASONS))


def _doubts(by_name: Mapping[str, Signal], policy: LivenessPolicy) -> tuple[Reason, ...]:
    """What keeps a scan from LIVE however high its confidence."""
    doubts: list[Reason] = []
    signs = [by_name[name].score for name in _SIGNS_OF_LIFE if name in by_name]
    seen = [score for score in signs if score is not None]
    needed = [by_name[name].score for name in _NEEDED_SIGNS if name in by_name]
    if all(score is None for score in needed):
        doubts.append(Reason.NO_SIGN_OF_LIFE_MEASURABLE)
    elif max(seen) < 0.5:
        doubts.append(Reason.NO_SIGN_OF_LIFE)
    eyes = by_name.get("eyes_open")
    if eyes is not None and eyes.score is not None and eyes.score < policy.minimum_eyes_open:
        doubts.append(Reason.EYES_CLOSED)
    network = by_name.get(_NETWORK)
    if policy.require_pad_network and (network is None or network.score is None):
        doubts.append(Reason.NO_PAD_NETWORK)
    return tuple(doubts)


def _attack_type(by_name: Mapping[str, Signal], against: tuple[Reason, ...]) -> AttackType:
    """A guess from what was seen: pictures are flat or still, recordings are lively on a screen."""
    lively = any(
        signal.score is not None and signal.score >= 0.5
        for name, signal in by_name.items()
        if name in _SIGNS_OF_LIFE
    )
    if lively and Reason.NETWORK_SEES_ATTACK in against:
        return AttackType.SCREEN_REPLAY
    if not lively and (Reason.MOVES_AS_A_PLANE in against or Reason.NO_SIGN_OF_LIFE in against):
        return AttackType.PRINT
    return AttackType.UNKNOWN


def _strengths(evidence: Mapping[str, float], model: FusionModel) -> dict[str, float]:
    return {
        name: model.network_weight if name == _NETWORK else model.temporal_weights[name] for name in evidence
    }


def _weighted(signals: Sequence[Signal], strengths: Mapping[str, float]) -> tuple[Signal, ...]:
    """The signals with their shares of the decision."""
    total = sum(strengths.values())
    if total <= 0:
        return tuple(signals)
    return tuple(replace(signal, weight=strengths.get(signal.name, 0.0) / total) for signal in signals)


def _probability(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))
