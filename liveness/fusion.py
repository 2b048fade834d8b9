"""The verdict of the passive signals. Only this module decides it.

Order of the decision:

1. Repeated frames of a scan are injected: SPOOF, regardless of the other signals.
2. The PAD networks give the log odds of life. Motion and traces of a medium only count against life: a
   replayed person moves as a person does. Without a network, or with a weak one, a sign of life adds a little
   (``NetworkCalibration.motion_for``).
3. With too few frames, too few of them a second, or too short a scan, motion does not count: between frames
   that are far apart a head moves like a sheet. Networks and traces then count with half their log odds
   (``DecisionLines.alone_share``), and can give SPOOF but never LIVE.
4. The policy's thresholds turn the confidence into the verdict. LIVE also requires measured motion that is
   not that of a sheet, open eyes, and a network if the policy requires one. A missing measurement never
   counts as passed. Networks that contradict each other about a scan do not count for SPOOF, since noise and
   unusual light mislead some of them first, and neither does a missing sign of life then: a person may sit
   still. What moves as a plane, or shows a medium, still does.

If the policy's ``CaptureKind`` is that of still images, motion never counts, single-frame cues do, networks
are calibrated for stills, and LIVE requires a network's score. Only analyses are judged in this way, never
checks.

Only repeated frames give a type of attack. The other signals do not distinguish a print, a screen and a mask
on sources that were not used to set the lines (docs/accuracy.md).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from liveness.express.cues import FrameCues
from liveness.express.pad_network import PadScore, network_medians, stretch_medians
from liveness.express.repetition import Repetition, RepetitionFinding
from liveness.express.signals import (
    LIFE_SIGNS,
    SIGNALS,
    Blink,
    EyesOpen,
    FrozenFrames,
    PadNetworks,
    PassiveEvidence,
    express_signals,
)
from liveness.fusion_model import FusionModel, Motion, NetworkCalibration, SignalGroup, Traces
from liveness.observation import ScanObservations
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.verdict import (
    NEITHER,
    AttackType,
    LivenessResult,
    Signal,
    Verdict,
    VerdictReason,
    log_odds,
    network_log_odds,
)

_REASONS = {signal.name: signal.against for signal in SIGNALS if signal.against is not None}

_SUREST = log_odds(1.0)
"""The log odds of the highest score. A trace is shown with the weight of a signal that gives the same log
odds at this score."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The evidence as weighted log odds of life.

    Attributes:
        network: Log odds of all networks together; ``None`` without networks.
        strengths: The weight of every signal that takes part, by its name.
        odds: The log odds of the same signals, by name.
        total: The sum of all log odds, each group within its limits.
        unmoved: The part of it that missing signs of life have, 0 or less.
    """

    network: float | None
    strengths: Mapping[str, float]
    odds: Mapping[str, float]
    total: float
    unmoved: float


def judge_express(
    *,
    scan: ScanObservations,
    pad_scores: Sequence[PadScore],
    policy: LivenessPolicy,
    model: FusionModel,
    cues: Sequence[FrameCues] = (),
    too_slow: bool = False,
) -> LivenessResult:
    """Judge one attempt.

    Args:
        scan: The attempt's frames and motion (``liveness.watch.ScanCollector.observations``).
        pad_scores: The scores of the pack's PAD networks, of frames spread over the scan; empty without
            networks.
        policy: Thresholds of the check's policy.
        model: The fusion model (``liveness.fusion_model.load_fusion_model()``).
        cues: The single-frame cues of selected frames; empty if they were not measured.
        too_slow: Whether fewer frames a second arrived than the motion signals need.
    """
    is_scan = policy.capture is CaptureKind.SCAN
    evidence = PassiveEvidence(scan=scan, pad_scores=pad_scores, cues=cues)
    # 1. Score every signal.
    signals = express_signals(evidence, capture=policy.capture)
    # 2. Fuse them: the networks decide, all others count against life only. Repeated frames are no camera's.
    return fuse(
        signals=signals,
        networks=network_medians(pad_scores),
        stretches=stretch_medians(pad_scores) if is_scan else (),
        repetition=evidence.repetition if is_scan else None,
        frames=len(scan.frames),
        usable_frames=len(scan.usable),
        duration=scan.duration,
        policy=policy,
        model=model,
        too_slow=too_slow,
    )


def fuse(
    *,
    signals: Sequence[Signal],
    networks: Mapping[str, float],
    stretches: Sequence[Mapping[str, float]] = (),
    repetition: RepetitionFinding | None,
    frames: int,
    usable_frames: int,
    duration: float,
    policy: LivenessPolicy,
    model: FusionModel,
    too_slow: bool = False,
) -> LivenessResult:
    """Return the liveness result of the passive signals.

    Args:
        signals: All signals of the scan, assessed or not, with different names.
        networks: The probability of a real face, 0..1, by the name of the PAD network; empty without
            networks.
        stretches: The same probabilities for parts of the scan. A part that looks like an attack by itself
            prevents LIVE, so that one good part cannot make the whole scan LIVE.
        repetition: How frames repeat; ``None`` if there were too few frames. It counts only for a scan: still
            images have no times, and a repeated one was sent twice.
        frames: The number of frames of the scan.
        usable_frames: The number of frames with exactly one face.
        duration: The duration of the scan, seconds.
        policy: The check's policy.
        too_slow: Whether fewer frames a second arrived than motion signals need; ignored for still images.
    """
    scores = {signal.name: signal.score for signal in signals if signal.score is not None}
    scan = policy.capture is CaptureKind.SCAN
    if scan and repetition is not None and repetition.kind is not Repetition.NONE:
        return _injected(signals, repetition, policy, score=model.decision.injected_score)
    short = _shortage(frames, usable_frames, duration, policy, too_slow=too_slow) if scan else ()
    calibrations = model.scan_networks if scan else model.still_networks
    evidence = _evidence(
        scores,
        networks,
        calibrations.calibration_for(networks),
        motion=model.motion if scan and not short else None,
        traces=model.traces,
    )
    shown = _weighted(signals, evidence.strengths)
    result = partial(LivenessResult, policy=policy, signals=shown)
    if not evidence.odds:
        missing = VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE if scan else VerdictReason.NO_PAD_NETWORK
        score = model.decision.no_evidence_score
        return result(verdict=Verdict.INCONCLUSIVE, score=score, reasons=(*short, missing))
    share = model.decision.alone_share if short else 1.0
    score = 100 * _probability(evidence.total * share)
    against = _against(evidence.odds, telling=model.decision.telling)
    proven = evidence.total
    if scan and evidence.network is not None and max(networks.values()) > NEITHER:
        proven -= min(0.0, evidence.network)
        if min(networks.values()) <= NEITHER:
            proven -= evidence.unmoved
    proven_score = 100 * _probability(proven * share)
    if proven_score <= policy.spoof_threshold:
        reasons = (*(against or (VerdictReason.EVIDENCE_TOO_WEAK,)), *short)
        return result(verdict=Verdict.SPOOF, score=score, reasons=reasons)
    doubts = (*short, *_doubts(scores, policy, asked=evidence.network is not None))
    if any(_attacked(part, calibrations.calibration_for(part), policy) for part in stretches):
        doubts = (VerdictReason.NETWORK_SEES_ATTACK, *doubts)
    if score >= policy.live_threshold and not doubts:
        looks = VerdictReason.LOOKS_ALIVE if scan else VerdictReason.LOOKS_GENUINE
        return result(verdict=Verdict.LIVE, score=score, reasons=(looks,))
    if score < policy.live_threshold:
        doubts = (*doubts, *against, VerdictReason.EVIDENCE_TOO_WEAK)
    return result(verdict=Verdict.INCONCLUSIVE, score=score, reasons=tuple(dict.fromkeys(doubts)))


def _injected(
    signals: Sequence[Signal], repetition: RepetitionFinding, policy: LivenessPolicy, *, score: float
) -> LivenessResult:
    frozen = repetition.kind is Repetition.FROZEN
    return LivenessResult(
        verdict=Verdict.SPOOF,
        score=score,
        policy=policy,
        signals=_weighted(signals, {FrozenFrames.name: 1.0}),
        reasons=(VerdictReason.FROZEN_FRAMES if frozen else VerdictReason.LOOPED_FRAMES,),
        attack=AttackType.INJECTION,
    )


def _shortage(
    frames: int, usable_frames: int, duration: float, policy: LivenessPolicy, *, too_slow: bool
) -> tuple[VerdictReason, ...]:
    short: list[VerdictReason] = []
    if frames < policy.minimum_frames or too_slow:
        short.append(VerdictReason.TOO_FEW_FRAMES)
    elif usable_frames < policy.minimum_frames:
        short.append(VerdictReason.TOO_FEW_USABLE_FACES)
    if duration < policy.minimum_seconds:
        short.append(VerdictReason.TOO_SHORT)
    return tuple(short)


def _evidence(
    scores: Mapping[str, float],
    networks: Mapping[str, float],
    calibration: NetworkCalibration,
    *,
    motion: Motion | None,
    traces: Traces,
) -> _Evidence:
    odds: dict[str, float] = {}
    strengths: dict[str, float] = {}
    total = 0.0 if networks else calibration.bias
    unmoved = 0.0
    # 1. The PAD networks: their mean, calibrated as a set.
    network = _network_odds(networks, calibration)
    if network is not None:
        odds[PadNetworks.name], strengths[PadNetworks.name] = network, calibration.weight
        total += network
    # 2. Motion: against life, or, for networks that cannot decide by themselves, a little for it.
    if motion is not None:
        found = {
            name: weight * min(0.0, log_odds(scores[name]))
            for name, weight in motion.weights.items()
            if name in scores
        }
        against = max(-motion.most_against, sum(found.values()))
        as_plane = sum(
            value for name, value in found.items() if _REASONS[name] is VerdictReason.MOVES_AS_A_PLANE
        )
        unmoved = against - max(-motion.most_against, as_plane)
        total += against
        odds |= found
        strengths |= {name: motion.weights[name] for name, value in found.items() if value < 0}
        signs = [name for name in scores if name in LIFE_SIGNS and scores[name] >= NEITHER]
        if calibration.motion_for > 0 and signs:
            total += calibration.motion_for
            odds |= {name: calibration.motion_for / len(signs) for name in signs}
            strengths |= {name: motion.weights.get(name, 0.0) for name in signs}
    # 3. Cues of single frames, as far as no trace of a medium contradicts them.
    if calibration.cues is not None:
        cues, plain = calibration.cues, 1 - _clearest_trace(scores, traces)
        found = {
            name: weight * (log_odds(scores[name]) - cues.neutral.get(name, 0.0))
            for name, weight in cues.weights.items()
            if name in scores
        }
        total += _held(found, replace(cues, most_for=plain * cues.most_for))
        odds |= found
        strengths |= {
            name: cues.weights[name] * (plain if value > 0 else 1.0) for name, value in found.items()
        }
    # 4. Traces of a medium: only against life.
    seen = {
        name: -trace.strength * trace.clearness(scores[name])
        for name, trace in traces.signals.items()
        if name in scores
    }
    total += max(-traces.most_against, sum(seen.values()))
    odds |= {name: odds.get(name, 0.0) + value for name, value in seen.items()}
    strengths |= {name: strengths.get(name, 0.0) - value / _SUREST for name, value in seen.items()}
    return _Evidence(network=network, strengths=strengths, odds=odds, total=total, unmoved=unmoved)


def highest_score(networks: Mapping[str, float], calibration: NetworkCalibration) -> float:
    """Return the highest confidence of a scan that the networks allow; 100 without networks.

    Everything else counts against life, but for a sign of life beside weak networks.
    """
    odds = _network_odds(networks, calibration)
    return 100.0 if odds is None else 100 * _probability(odds + calibration.motion_for)


def _attacked(networks: Mapping[str, float], calibration: NetworkCalibration, policy: LivenessPolicy) -> bool:
    """Return whether the networks by themselves judge a part of the scan as SPOOF."""
    return highest_score(networks, calibration) <= policy.spoof_threshold


def _network_odds(networks: Mapping[str, float], calibration: NetworkCalibration) -> float | None:
    """Return the calibrated log odds of a set of networks; ``None`` without networks."""
    if not networks:
        return None
    mean = float(np.mean([network_log_odds(score) for score in networks.values()]))
    return calibration.bias + calibration.weight * mean


def _clearest_trace(scores: Mapping[str, float], traces: Traces) -> float:
    """Return how clear the clearest trace of a medium is, 0..1. It makes cues count less for life."""
    return max(
        (
            trace.clearness(scores[name])
            for name, trace in traces.signals.items()
            if trace.strength > 0 and name in scores
        ),
        default=0.0,
    )


def _held(odds: Mapping[str, float], group: SignalGroup) -> float:
    if not odds:
        return 0.0
    speaking_for = sum(value for value in odds.values() if value > 0)
    against = sum(value for value in odds.values() if value < 0)
    return group.bias + min(group.most_for, speaking_for) + max(-group.most_against, against)


def _against(odds: Mapping[str, float], *, telling: float) -> tuple[VerdictReason, ...]:
    """Return the reasons against life, the strongest evidence first."""
    strong = sorted((value, name) for name, value in odds.items() if value <= -telling)
    return tuple(dict.fromkeys(_REASONS[name] for _, name in strong))


def _doubts(scores: Mapping[str, float], policy: LivenessPolicy, *, asked: bool) -> tuple[VerdictReason, ...]:
    """Return the reasons that prevent LIVE at any confidence."""
    doubts: list[VerdictReason] = []
    scan = policy.capture is CaptureKind.SCAN
    if scan:
        signs = [scores[name] for name in LIFE_SIGNS if name in scores]
        if not signs:
            doubts.append(VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE)
        elif max(signs) < NEITHER and scores.get(Blink.name, 0.0) < NEITHER:
            doubts.append(VerdictReason.NO_SIGN_OF_LIFE)
    if scores.get(EyesOpen.name, 1.0) < policy.minimum_eyes_open:
        doubts.append(VerdictReason.EYES_CLOSED)
    if not asked and (policy.require_pad_network or not scan):
        doubts.append(VerdictReason.NO_PAD_NETWORK)
    return tuple(doubts)


def _weighted(signals: Sequence[Signal], strengths: Mapping[str, float]) -> tuple[Signal, ...]:
    """Return the signals with their shares of the decision."""
    total = sum(strengths.values())
    if total <= 0:
        return tuple(signals)
    return tuple(replace(signal, weight=strengths.get(signal.name, 0.0) / total) for signal in signals)


def _probability(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))
