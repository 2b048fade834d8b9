"""All possible results of Express, drawn by hypothesis, and the invariants of every result."""

from hypothesis import strategies as st

from liveness.express.repetition import Repetition, RepetitionFinding
from liveness.fusion import fuse
from liveness.fusion_model import load_fusion_model
from liveness.policy import LEAST_BETWEEN, CaptureKind, LivenessPolicy
from liveness.verdict import AttackType, LivenessResult, Verdict, assessed

__all__ = ["assert_consistent", "express_results"]

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
