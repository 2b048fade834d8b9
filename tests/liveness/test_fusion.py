"""Verdict and reasons of a scan."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.express.frozen_frames import Repetition
from liveness.fusion import fuse
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason
from tests.liveness.fusing import (
    MODEL,
    MOTION,
    MOTION_ALONE,
    SCORES,
    fused,
    fused_by_shipped_model,
    percent,
    shipped_model,
    signals_of,
)

_STRICTER = LivenessPolicy(live_threshold=80.0)


@pytest.mark.parametrize(
    "scores",
    [
        {"planar_motion": 0.85, "pad_network": 0.95, "eyes_open": 1.0},
        {"micro_motion": 0.97, "stillness": 0.5, "pad_network": 0.9},
        {"planar_motion": 0.9, "micro_motion": 0.8, "blink": 0.95, "surroundings": 0.5, "pad_network": 0.98},
    ],
)
def test_a_person_with_a_network_that_sees_a_face_is_live(scores: dict[str, Any]) -> None:
    result = fused(**scores)
    assert (result.verdict, result.attack_type, result.reasons) == (
        Verdict.LIVE,
        AttackType.REAL,
        (VerdictReason.LOOKS_ALIVE,),
    )
    assert result.confidence >= 70


@pytest.mark.parametrize(
    "scores",
    [
        {"planar_motion": 0.5},
        {"planar_motion": 1.0, "micro_motion": 1.0, "blink": 1.0, "stillness": 1.0, "surroundings": 1.0},
        {"micro_motion": 0.97, "stillness": 0.5, "eyes_open": 1.0},
    ],
)
def test_without_a_network_a_sign_of_life_gives_the_same_moderate_confidence(scores: dict[str, Any]) -> None:
    result = fused(**scores)
    assert (result.verdict, result.reasons) == (Verdict.LIVE, (VerdictReason.LOOKS_ALIVE,))
    assert result.confidence == pytest.approx(percent(MOTION_ALONE))
    stricter = fused(policy=_STRICTER, **scores)
    assert (stricter.verdict, stricter.reasons) == (
        Verdict.INCONCLUSIVE,
        (VerdictReason.EVIDENCE_TOO_WEAK,),
    )


def test_without_a_network_a_blink_alone_gives_no_confidence() -> None:
    result = fused(blink=1.0, stillness=1.0)
    assert result.score == 50
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reasons[0] is VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE


@pytest.mark.parametrize("networks", [{"strong": 0.5}, {"strong": 0.7, "second": 0.3}, {"unheard_of": 0.6}])
def test_beside_a_network_motion_alone_is_never_live(networks: dict[str, float]) -> None:
    lively = fused(networks=networks, planar_motion=1.0, micro_motion=1.0, blink=1.0, surroundings=1.0)
    assert lively.verdict is Verdict.INCONCLUSIVE
    assert VerdictReason.EVIDENCE_TOO_WEAK in lively.reasons
    assert lively.confidence == fused(networks=networks).confidence


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({"planar_motion": 0.05, "micro_motion": 0.1}, VerdictReason.MOVES_AS_A_PLANE),
        ({"micro_motion": 0.02, "stillness": 0.01}, VerdictReason.NO_SIGN_OF_LIFE),
        ({"planar_motion": 0.2, "surroundings": 0.02}, VerdictReason.MOVES_AS_A_PLANE),
        ({"planar_motion": 0.6, "micro_motion": 0.55, "pad_network": 0.0}, VerdictReason.NETWORK_SEES_ATTACK),
        ({"pad_network": 0.0}, VerdictReason.NETWORK_SEES_ATTACK),
    ],
)
def test_an_attack_is_a_spoof_with_its_reason_and_of_no_kind_that_signals_tell(
    scores: dict[str, Any], reason: VerdictReason
) -> None:
    result = fused(**scores)
    assert (result.verdict, result.attack_type, result.attack_type_confidence) == (
        Verdict.SPOOF,
        AttackType.UNKNOWN,
        0.0,
    )
    assert result.reasons[0] is reason
    assert result.confidence <= 30


@pytest.mark.parametrize(
    ("repetition", "reason"),
    [(Repetition.FROZEN, VerdictReason.FROZEN_FRAMES), (Repetition.LOOPED, VerdictReason.LOOPED_FRAMES)],
)
def test_frames_that_come_again_decide_alone(repetition: Repetition, reason: VerdictReason) -> None:
    result = fused(repetition=repetition, planar_motion=1.0, micro_motion=1.0, blink=1.0, pad_network=1.0)
    assert (result.verdict, result.attack_type, result.reasons) == (
        Verdict.SPOOF,
        AttackType.INJECTION,
        (reason,),
    )
    assert result.confidence < 5


def test_nothing_measured_is_never_live() -> None:
    result = fused()
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reasons == (VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE,)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({"pad_network": 1.0}, VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE),
        ({"pad_network": 1.0, "blink": 0.95, "stillness": 0.5}, VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE),
        ({"pad_network": 1.0, "planar_motion": 0.45}, VerdictReason.NO_SIGN_OF_LIFE),
        ({"planar_motion": 0.95, "eyes_open": 0.05}, VerdictReason.EYES_CLOSED),
    ],
)
def test_confidence_alone_is_not_enough(scores: dict[str, Any], reason: VerdictReason) -> None:
    result = fused(**scores)
    assert result.score >= 70 > result.confidence
    assert (result.verdict, result.reasons) == (Verdict.INCONCLUSIVE, (reason,))


def test_a_policy_can_demand_a_network() -> None:
    strict = LivenessPolicy(require_pad_network=True)
    without = fused(policy=strict, planar_motion=0.95)
    assert (without.verdict, without.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.NO_PAD_NETWORK,))
    assert fused(policy=strict, planar_motion=0.95, pad_network=0.9).verdict is Verdict.LIVE


@pytest.mark.parametrize(("frames", "duration"), [(1, 0.0), (7, 3.0), (40, 0.5)])
def test_a_short_scan_is_never_live_and_a_network_alone_is_heard_at_half(
    frames: int, duration: float
) -> None:
    lively = fused(frames=frames, duration=duration, planar_motion=0.98, micro_motion=0.98)
    assert lively.verdict is Verdict.INCONCLUSIVE
    assert {VerdictReason.TOO_FEW_FRAMES, VerdictReason.TOO_SHORT} & set(lively.reasons)
    real = fused(frames=frames, duration=duration, pad_network=1.0)
    assert real.verdict is Verdict.INCONCLUSIVE
    assert real.score == pytest.approx(percent((-0.3 + 0.7 * 8.0) / 2))
    attack = fused(frames=frames, duration=duration, pad_network=0.0)
    assert attack.verdict is Verdict.SPOOF


def test_motion_does_not_count_if_too_few_frames_a_second_arrived() -> None:
    lively = fused(too_slow=True, planar_motion=0.98, micro_motion=0.98, pad_network=1.0)
    assert lively.verdict is Verdict.INCONCLUSIVE
    assert lively.reasons == (VerdictReason.TOO_FEW_FRAMES,)
    assert fused(planar_motion=0.02, micro_motion=0.02, pad_network=0.6).verdict is Verdict.SPOOF
    slow = fused(too_slow=True, planar_motion=0.02, micro_motion=0.02, pad_network=0.6)
    assert (slow.verdict, slow.reasons[0]) == (Verdict.INCONCLUSIVE, VerdictReason.TOO_FEW_FRAMES)
    assert VerdictReason.MOVES_AS_A_PLANE not in slow.reasons
    assert all(signal.weight == 0 for signal in slow.signals if signal.name in MOTION)
    assert fused(too_slow=True, pad_network=0.0).verdict is Verdict.SPOOF


def test_frames_without_exactly_one_face_do_not_count() -> None:
    result = fused(frames=45, usable=5, planar_motion=0.98, pad_network=0.9)
    assert (result.verdict, result.reasons[0]) == (Verdict.INCONCLUSIVE, VerdictReason.TOO_FEW_USABLE_FACES)


def test_the_shipped_networks_keep_a_lively_replay_from_live() -> None:
    for names in shipped_model().scan_networks.known:
        for real, verdict in ((0.0, Verdict.SPOOF), (0.99, Verdict.LIVE)) if names else ():
            result = fused_by_shipped_model(
                dict.fromkeys(names, real), planar_motion=1.0, micro_motion=1.0, blink=1.0, pad_network=real
            )
            assert result.verdict is verdict, names
            assert (VerdictReason.NETWORK_SEES_ATTACK in result.reasons) == (verdict is Verdict.SPOOF)


@given(SCORES, st.integers(0, 60), st.floats(0, 6))
def test_missing_is_never_pass(scores: dict[str, Any], frames: int, duration: float) -> None:
    result = fused(frames=frames, duration=duration, **scores)
    assert 0 <= result.confidence <= 100
    assert result.reasons
    assert len(result.reasons) == len(set(result.reasons))
    if result.verdict is Verdict.LIVE:
        assert result.confidence >= 70
        assert max(scores.get(name, 0) for name in ("planar_motion", "micro_motion", "blink")) >= 0.5
        assert frames >= 8
        assert duration >= 1


def test_networks_that_contradict_each_other_prove_no_attack_in_a_scan() -> None:
    contrary = {"strong": 0.0001, "second": 0.6}
    motion: dict[str, Any] = {"planar_motion": 0.9}
    assert fused(**motion, networks={"strong": 0.0001, "second": 0.4}).verdict is Verdict.SPOOF
    found = fused(**motion, networks=contrary)
    assert found.score < LivenessPolicy().spoof_threshold
    assert found.verdict is Verdict.INCONCLUSIVE
    assert VerdictReason.NETWORK_SEES_ATTACK in found.reasons
    still = LivenessPolicy(capture=CaptureKind.FRAME)
    assert fused(**motion, networks=contrary, policy=still).verdict is Verdict.SPOOF


def test_motion_proves_an_attack_about_which_networks_contradict_each_other() -> None:
    found = fused(planar_motion=0.02, networks={"strong": 0.01, "second": 0.6})
    assert (found.verdict, found.reasons[0]) == (Verdict.SPOOF, VerdictReason.MOVES_AS_A_PLANE)


def test_every_combination_of_strong_signals_has_a_reason() -> None:
    for values in itertools.product((None, 0.02, 0.98), repeat=3):
        given_scores = dict(zip(("planar_motion", "micro_motion", "pad_network"), values, strict=True))
        scores: dict[str, Any] = {name: value for name, value in given_scores.items() if value is not None}
        assert fused(**scores).reasons


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_scan_with_a_stretch_that_looks_like_an_attack_is_not_live(first: float, second: float) -> None:
    def judged(*stretches: float) -> LivenessResult:
        return fuse(
            signals=signals_of(planar_motion=0.9, pad_network=0.95),
            networks={"strong": 0.95},
            stretches=[{"strong": real} for real in stretches],
            repetition=None,
            frames=45,
            usable_frames=45,
            duration=3.0,
            policy=LivenessPolicy(),
            model=MODEL,
        )

    assert judged().verdict is Verdict.LIVE
    found = judged(first, second)
    alone = [judged(real).verdict for real in (first, second)]
    assert found.verdict is (Verdict.LIVE if set(alone) == {Verdict.LIVE} else Verdict.INCONCLUSIVE)
    if found.verdict is Verdict.INCONCLUSIVE:
        assert found.reasons[0] is VerdictReason.NETWORK_SEES_ATTACK
    assert judged(0.0).verdict is Verdict.INCONCLUSIVE
    assert judged(0.5).verdict is Verdict.LIVE
