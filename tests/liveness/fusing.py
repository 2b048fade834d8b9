"""A small model of fusion, what it makes of scores, and the invariants of every result."""

import math
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st

from liveness.express.repetition import Repetition, RepetitionFinding
from liveness.fusion import fuse
from liveness.fusion_model import (
    DecisionLines,
    FusionModel,
    Motion,
    NetworkCalibration,
    NetworkCalibrations,
    SignalGroup,
    Trace,
    Traces,
    load_fusion_model,
)
from liveness.policy import LEAST_BETWEEN, CaptureKind, LivenessPolicy
from liveness.verdict import AttackType, LivenessResult, Signal, Verdict, assessed, not_assessed

# A small model of fusion, and what it makes of scores.

MOTION_ALONE = 1.1
"""Log odds of life that a sign of life gives without a network."""
_CUES = SignalGroup(
    bias=0.0,
    most_for=0.4,
    most_against=1.5,
    weights={"colour_gamut": 0.5, "blur_depth": 0.5},
    neutral={"colour_gamut": 0.5},
)
MODEL = FusionModel(
    version="t",
    motion=Motion(
        most_against=4.0,
        weights={
            "planar_motion": 1.0,
            "micro_motion": 0.7,
            "stillness": 0.6,
            "surroundings": 0.6,
            "pose_consistency": 0.5,
        },
    ),
    traces=Traces(
        most_against=2.0,
        signals={
            "moire": Trace(begins=-1.0, full=-3.0, strength=1.5),
            "medium_border": Trace(begins=0.0, full=-1.0, strength=1.0),
        },
    ),
    scan_networks=NetworkCalibrations(
        known={
            frozenset(): NetworkCalibration(bias=0.0, weight=0.0, motion_for=MOTION_ALONE),
            frozenset({"strong"}): NetworkCalibration(bias=0.0, weight=1.0),
            frozenset({"strong", "second"}): NetworkCalibration(bias=0.4, weight=0.8),
            frozenset({"weak"}): NetworkCalibration(bias=-0.2, weight=0.5, motion_for=0.6),
        },
        unknown=NetworkCalibration(bias=-0.3, weight=0.7),
    ),
    still_networks=NetworkCalibrations(
        known={
            frozenset(): NetworkCalibration(bias=0.0, weight=0.0, cues=_CUES),
            frozenset({"strong"}): NetworkCalibration(
                bias=0.0, weight=0.5, cues=replace(_CUES, weights={"blur_depth": 0.8})
            ),
            frozenset({"strong", "second"}): NetworkCalibration(
                bias=0.0, weight=0.6, cues=replace(_CUES, weights={"blur_depth": 0.3})
            ),
        },
        unknown=NetworkCalibration(bias=0.0, weight=0.5),
    ),
    decision=DecisionLines(telling=0.5, alone_share=0.5, injected_score=1.0, no_evidence_score=50.0),
    record={},
)
NAMES = (
    "pad_network",
    "planar_motion",
    "micro_motion",
    "blink",
    "stillness",
    "surroundings",
    "pose_consistency",
    "eyes_open",
    "colour_gamut",
    "blur_depth",
    "moire",
    "medium_border",
)
MOTION = ("planar_motion", "micro_motion", "blink", "stillness", "surroundings", "pose_consistency")


def signals_of(**scores: float) -> tuple[Signal, ...]:
    return tuple(
        assessed(name=name, label=name, score=scores[name], detail="measured")
        if name in scores
        else not_assessed(name=name, label=name, reason="not measured")
        for name in NAMES
    )


def percent(log_odds: float) -> float:
    """A score, 0 to 100."""
    return 100 / (1 + math.exp(-log_odds))


def odds(score: float) -> float:
    """The log odds of a score, 0 to 100."""
    return math.log(score / (100 - score))


def fused(
    *,
    repetition: Repetition = Repetition.NONE,
    frames: int = 45,
    usable: int | None = None,
    duration: float = 3.0,
    policy: LivenessPolicy | None = None,
    networks: Mapping[str, float] | None = None,
    too_slow: bool = False,
    model: FusionModel = MODEL,
    **scores: float,
) -> LivenessResult:
    """What the model makes of the named signals' scores; a ``pad_network`` is a set that it does not know."""
    unknown = {"unheard_of": scores["pad_network"]} if "pad_network" in scores else {}
    return fuse(
        signals=signals_of(**scores),
        networks=unknown if networks is None else networks,
        repetition=RepetitionFinding(repetition, "found"),
        frames=frames,
        usable_frames=frames if usable is None else usable,
        duration=duration,
        policy=policy or LivenessPolicy(),
        model=model,
        too_slow=too_slow,
    )


SCORES = st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1))


# All possible results of Express, drawn by hypothesis, and the invariants of every result.

_MODEL = load_fusion_model()
_SIGNALS = ("planar_motion", "micro_motion", "blink", "stillness", "eyes_open", "moire", "blur_depth")
_NETWORKS = ("minifas_v2se", "minifasnet_v2", "facegate_pad_v1", "other")


@st.composite
def policies(draw: st.DrawFn) -> LivenessPolicy:
    spoof = draw(st.floats(0, 100 - LEAST_BETWEEN))
    live = draw(st.floats(spoof + LEAST_BETWEEN, 100))
    if live - LEAST_BETWEEN < spoof:
        live = 100.0
    return LivenessPolicy(
        live_threshold=live,
        spoof_threshold=spoof,
        require_pad_network=draw(st.booleans()),
        capture=draw(st.sampled_from(CaptureKind)),
    )


@st.composite
def express_results(draw: st.DrawFn) -> LivenessResult:
    """The fusion's result for any signals."""
    scores = draw(st.dictionaries(st.sampled_from(_SIGNALS), st.floats(0, 1)))
    frames = draw(st.integers(0, 60))
    return fuse(
        signals=[assessed(name=name, label=name, score=score, detail="") for name, score in scores.items()],
        networks=draw(st.dictionaries(st.sampled_from(_NETWORKS), st.floats(0, 1))),
        repetition=draw(
            st.none() | st.builds(RepetitionFinding, st.sampled_from(Repetition), st.just("found"))
        ),
        frames=frames,
        usable_frames=draw(st.integers(0, frames)),
        duration=draw(st.floats(0, 20)),
        policy=draw(policies()),
        model=_MODEL,
    )


def assert_consistent(result: LivenessResult) -> None:
    policy = result.policy
    match result.verdict:
        case Verdict.LIVE:
            assert policy.live_threshold <= result.confidence <= 100
            assert result.attack_type is AttackType.REAL
            assert result.attack_type_confidence == result.confidence
        case Verdict.SPOOF:
            assert 0 <= result.confidence <= policy.spoof_threshold
            assert result.attack_type is not AttackType.REAL
        case Verdict.INCONCLUSIVE:
            assert policy.spoof_threshold < result.confidence < policy.live_threshold
            assert result.attack_type is AttackType.UNKNOWN
    assert 0 <= result.attack_type_confidence <= 100
    if result.attack_type is AttackType.UNKNOWN:
        assert result.attack_type_confidence == 0
    assert result.reasons
