"""The fusion of signals, and the model that it reads."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.studies.liveness_fusion.fit import model_text
from lab.studies.liveness_fusion.parts import CUES, OWN, PUBLIC, sets_of
from lab.studies.liveness_fusion.parts import MOTION as MODEL_MOTION
from liveness.errors import FusionModelError
from liveness.express.repetition import Repetition
from liveness.express.signals import SIGNALS
from liveness.fusion import fuse
from liveness.fusion_model import (
    DecisionLines,
    Motion,
    NetworkCalibration,
    SignalGroup,
    Trace,
    Traces,
    load_fusion_model,
    parse_fusion_model,
)
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason
from tests.liveness.fusing import (
    MODEL,
    MOTION,
    MOTION_ALONE,
    NAMES,
    SCORES,
    fused,
    odds,
    percent,
    signals_of,
)

_STRICTER = LivenessPolicy(live_threshold=80.0)
_STILLS = LivenessPolicy(capture=CaptureKind.FRAME)


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


@pytest.mark.parametrize("scores", [{}, {"blink": 1.0, "stillness": 1.0}])
def test_without_a_network_nothing_and_a_blink_alone_give_no_confidence(scores: dict[str, Any]) -> None:
    result = fused(**scores)
    assert (result.verdict, result.score) == (Verdict.INCONCLUSIVE, 50)
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
        ({"stillness": 0.01}, VerdictReason.NO_SIGN_OF_LIFE),
        ({"pose_consistency": 0.01}, VerdictReason.MOVES_AS_A_PLANE),
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


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ({"frames": 7, "duration": 3.0}, VerdictReason.TOO_FEW_FRAMES),
        ({"frames": 40, "duration": 0.5}, VerdictReason.TOO_SHORT),
        ({"frames": 45, "usable": 5}, VerdictReason.TOO_FEW_USABLE_FACES),
    ],
)
def test_a_short_scan_is_never_live_and_a_network_alone_is_heard_at_half(
    shown: dict[str, Any], reason: VerdictReason
) -> None:
    lively = fused(**shown, planar_motion=0.98, micro_motion=0.98)
    assert (lively.verdict, lively.reasons[0]) == (Verdict.INCONCLUSIVE, reason)
    real = fused(**shown, pad_network=1.0)
    assert real.verdict is Verdict.INCONCLUSIVE
    assert real.score == pytest.approx(percent((-0.3 + 0.7 * 8.0) / 2))
    attack = fused(**shown, pad_network=0.0)
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


def test_the_shipped_networks_keep_a_lively_replay_from_live() -> None:
    model = load_fusion_model()
    for names in model.scan_networks.known:
        for real, verdict in ((0.0, Verdict.SPOOF), (0.99, Verdict.LIVE)) if names else ():
            lively: dict[str, Any] = {
                "planar_motion": 1.0,
                "micro_motion": 1.0,
                "blink": 1.0,
                "pad_network": real,
            }
            result = fused(model=model, networks=dict.fromkeys(names, real), **lively)
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
    assert fused(**motion, networks=contrary, policy=_STILLS).verdict is Verdict.SPOOF
    moved = fused(planar_motion=0.02, networks={"strong": 0.01, "second": 0.6})
    assert (moved.verdict, moved.reasons[0]) == (Verdict.SPOOF, VerdictReason.MOVES_AS_A_PLANE)


def test_who_sits_still_is_no_attack_if_networks_contradict_each_other() -> None:
    still: dict[str, Any] = {"stillness": 0.01, "micro_motion": 0.05}
    one = {"strong": 0.02, "second": 0.99}
    found = fused(**still, networks=one)
    assert (found.verdict, found.reasons[-1]) == (Verdict.INCONCLUSIVE, VerdictReason.EVIDENCE_TOO_WEAK)
    assert VerdictReason.NO_SIGN_OF_LIFE in found.reasons
    assert fused(**still, networks={"strong": 0.02, "second": 0.4}).verdict is Verdict.SPOOF
    # A still picture that deceives every network is no person of whom some see life.
    assert fused(**still, networks={"strong": 0.6}).verdict is Verdict.SPOOF
    signs: tuple[dict[str, Any], ...] = ({"planar_motion": 0.01}, {"moire": 0.001, "medium_border": 0.1})
    for sign in signs:
        assert fused(**still, **sign, networks=one).verdict is Verdict.SPOOF, sign


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


@pytest.mark.parametrize("capture", [CaptureKind.FRAME, CaptureKind.FRAMES])
def test_a_single_picture_is_live_by_a_network_alone_and_never_by_its_motion(capture: CaptureKind) -> None:
    stills = LivenessPolicy(capture=capture)
    live = fused(policy=stills, frames=1, duration=0.0, pad_network=0.98)
    assert (live.verdict, live.reasons) == (Verdict.LIVE, (VerdictReason.LOOKS_GENUINE,))
    spoof = fused(policy=stills, frames=1, duration=0.0, pad_network=0.02)
    assert (spoof.verdict, spoof.reasons) == (Verdict.SPOOF, (VerdictReason.NETWORK_SEES_ATTACK,))
    lively = fused(policy=stills, planar_motion=1.0, micro_motion=1.0, blink=1.0)
    assert (lively.verdict, lively.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.NO_PAD_NETWORK,))
    cues = fused(policy=stills, moire=1.0, medium_border=1.0)
    assert cues.verdict is Verdict.INCONCLUSIVE
    assert VerdictReason.NO_PAD_NETWORK in cues.reasons
    asleep = fused(policy=stills, frames=1, duration=0.0, pad_network=0.98, eyes_open=0.0)
    assert (asleep.verdict, asleep.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.EYES_CLOSED,))


def test_cues_of_a_medium_turn_a_picture_that_the_network_takes_for_real() -> None:
    alone = fused(policy=_STILLS, frames=1, duration=0.0, pad_network=0.9)
    seen = fused(policy=_STILLS, frames=1, duration=0.0, pad_network=0.9, moire=0.02, medium_border=0.02)
    assert alone.verdict is Verdict.LIVE
    assert seen.confidence < 50
    assert VerdictReason.SHOWS_A_MEDIUM in seen.reasons


@pytest.mark.parametrize("capture", [CaptureKind.FRAME, CaptureKind.FRAMES])
def test_only_frames_of_a_scan_can_come_again(capture: CaptureKind) -> None:
    found = fused(policy=LivenessPolicy(capture=capture), repetition=Repetition.FROZEN, pad_network=1.0)
    assert found.verdict is Verdict.LIVE


def test_cues_of_a_picture_count_as_its_set_of_networks_leaves_room_for_them() -> None:
    def score(*networks: str, **cues: Any) -> float:
        return fused(policy=_STILLS, networks=dict.fromkeys(networks, 0.5), **cues).score

    # Beside "strong" the gamut has no weight, and the blur has more than without a network.
    assert score("strong", colour_gamut=0.02) == pytest.approx(50)
    assert score("strong", blur_depth=0.1) == pytest.approx(percent(-1.5))
    assert score(blur_depth=0.1) == pytest.approx(percent(0.5 * odds(10)))
    assert score("strong", "second", blur_depth=0.1) == pytest.approx(percent(0.3 * odds(10)))
    # Beside an unknown set they do not count.
    assert score("unheard_of", colour_gamut=0.1, blur_depth=0.1) == pytest.approx(50)


def test_cues_for_life_count_for_less_than_cues_against_it() -> None:
    neutral = fused(policy=_STILLS, networks={"strong": 0.5}).score
    good = fused(policy=_STILLS, networks={"strong": 0.5}, blur_depth=1.0).score
    bad = fused(policy=_STILLS, networks={"strong": 0.5}, blur_depth=0.0).score
    assert 0 < good - neutral < 15
    assert neutral - bad > 25


def test_cues_add_no_life_if_a_medium_is_detected() -> None:
    def result(**scores: Any) -> LivenessResult:
        return fused(policy=_STILLS, networks={"strong": 0.5}, **scores)

    assert result(blur_depth=1.0, moire=0.02).score == result(moire=0.02).score
    assert result(blur_depth=1.0, moire=0.9).score > result(moire=0.9).score
    weights = {signal.name: signal.weight for signal in result(blur_depth=1.0, moire=0.02).signals}
    assert weights["blur_depth"] == 0
    assert result(blur_depth=0.3, moire=0.02).score < result(moire=0.02).score


@given(SCORES, st.sampled_from([CaptureKind.FRAME, CaptureKind.FRAMES]))
def test_stills_are_never_live_without_a_network(scores: dict[str, Any], capture: CaptureKind) -> None:
    result = fused(policy=LivenessPolicy(capture=capture), frames=8, **scores)
    assert result.reasons
    if result.verdict is Verdict.LIVE:
        assert "pad_network" in scores


def test_beside_a_weak_network_a_sign_of_life_adds_its_calibrated_evidence() -> None:
    weak = {"weak": 0.8}
    still, lively = fused(networks=weak, planar_motion=0.4), fused(networks=weak, planar_motion=0.6)
    network = -0.2 + 0.5 * odds(80)
    assert lively.score == pytest.approx(percent(network + 0.6))
    assert still.score == pytest.approx(percent(network + odds(40)))
    assert fused(networks=weak, blink=1.0).score == pytest.approx(percent(network))


def test_weights_are_shares_of_the_decision() -> None:
    def weights(**scores: Any) -> dict[str, float]:
        result = fused(**scores)
        assert [signal.name for signal in result.signals] == list(NAMES)
        found = {signal.name: signal.weight for signal in result.signals}
        assert sum(found.values()) == pytest.approx(1)
        return {name: weight for name, weight in found.items() if weight}

    # Motion takes part if it counts: against life, or for it without a network.
    assert weights(planar_motion=0.2, pad_network=0.9, stillness=0.5) == pytest.approx(
        {"planar_motion": 1.0 / 1.7, "pad_network": 0.7 / 1.7}
    )
    assert weights(planar_motion=0.9, pad_network=0.9, stillness=0.5) == {"pad_network": 1.0}
    assert weights(planar_motion=0.9, micro_motion=0.8, stillness=0.3) == pytest.approx(
        {"planar_motion": 1.0 / 2.3, "micro_motion": 0.7 / 2.3, "stillness": 0.6 / 2.3}
    )


@given(SCORES, st.sampled_from(NAMES), st.floats(0, 1), st.floats(0, 1))
def test_more_life_never_lowers_confidence(
    scores: dict[str, Any], name: str, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert fused(**{**scores, name: low}).confidence <= fused(**{**scores, name: high}).confidence + 1e-9


@given(
    st.sampled_from([{"strong"}, {"strong", "second"}, {"unheard_of"}]),
    st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1)),
    st.dictionaries(st.sampled_from(MOTION), st.floats(0, 1), min_size=1),
    st.data(),
)
def test_motion_never_raises_confidence_beside_networks(
    names: set[str], scores: dict[str, Any], motion: dict[str, Any], data: st.DataObject
) -> None:
    networks = data.draw(st.fixed_dictionaries({name: st.floats(0, 1) for name in sorted(names)}))
    others = {name: score for name, score in scores.items() if name not in MOTION}
    unmoved = fused(networks=networks, **others)
    assert fused(networks=networks, **others, **motion).score <= unmoved.score


def test_networks_are_calibrated_together_as_a_set() -> None:
    def score(**networks: float) -> float:
        return fused(networks=networks, planar_motion=0.5).score

    assert score(strong=0.9) == pytest.approx(90)
    assert score(strong=0.5) == pytest.approx(50)
    mean = (odds(90) + odds(70)) / 2
    assert score(strong=0.9, second=0.7) == pytest.approx(percent(0.4 + 0.8 * mean))
    assert score(strong=0.9, second=0.7) == score(second=0.7, strong=0.9)


@pytest.mark.parametrize("names", [{"unheard_of"}, {"second"}, {"strong", "unheard_of"}, {"strong", "weak"}])
def test_a_set_that_the_model_does_not_know_has_the_calibration_of_unknown_sets(names: set[str]) -> None:
    result = fused(networks=dict.fromkeys(names, 0.9), planar_motion=1.0)
    assert result.score == pytest.approx(percent(-0.3 + 0.7 * odds(90)))


def test_networks_that_are_equally_certain_of_opposites_cancel_each_other() -> None:
    split = fused(networks={"strong": 1.0, "second": 0.0}, planar_motion=0.5)
    assert split.score == pytest.approx(percent(0.4))
    assert fused(networks={"strong": 1.0}).score == pytest.approx(percent(8.0))
    assert fused(networks={"strong": 0.0}).score == pytest.approx(percent(-8.0))


def test_cues_of_a_scan_do_not_count() -> None:
    for networks in ({}, {"strong": 0.8}, {"unheard_of": 0.8}):
        plain = fused(networks=networks, planar_motion=0.55)
        for score in (0.02, 0.98):
            gaudy = fused(networks=networks, planar_motion=0.55, colour_gamut=score, blur_depth=score)
            assert gaudy.score == plain.score
            weights = {signal.name: signal.weight for signal in gaudy.signals}
            assert weights["colour_gamut"] == weights["blur_depth"] == 0


@pytest.mark.parametrize("networks", [{}, {"strong": 0.8}, {"weak": 0.95}])
def test_no_amount_of_life_drowns_a_room_that_moves_with_the_face(networks: dict[str, float]) -> None:
    lively: dict[str, Any] = {"planar_motion": 0.98, "micro_motion": 0.98, "blink": 0.95}
    apart, together = (fused(networks=networks, **lively, surroundings=score) for score in (0.5, 0.02))
    assert together.score < apart.score - 20
    assert VerdictReason.MOVES_AS_A_PLANE in together.reasons


def test_motion_takes_no_more_than_its_limit() -> None:
    sheet: dict[str, Any] = dict.fromkeys(MOTION, 0.0)
    assert odds(fused(networks={"strong": 0.9}, **sheet).score) == pytest.approx(odds(90) - 4.0)


def test_traces_together_take_no_more_than_their_limit() -> None:
    def log_odds(**scores: Any) -> float:
        return odds(fused(planar_motion=0.8, **scores).score)

    alone = log_odds()
    assert alone - log_odds(moire=0.01) == pytest.approx(1.5)
    assert alone - log_odds(medium_border=0.1) == pytest.approx(1.0)
    assert alone - log_odds(moire=0.01, medium_border=0.1) == pytest.approx(2.0)
    # Halfway between its `begins` and its `full`.
    assert alone - log_odds(moire=1 / (1 + math.exp(2.0))) == pytest.approx(0.75)
    seen = fused(planar_motion=0.8, moire=0.01)
    assert 0 < next(signal.weight for signal in seen.signals if signal.name == "moire") < 1
    assert VerdictReason.SHOWS_A_MEDIUM in fused(planar_motion=0.5, moire=0.01, medium_border=0.1).reasons


_NETWORKS = """
[{name}.none]
bias = 0.0
weight = 0.0
motion_for = 1.1
[{name}.default]
bias = 0.1
weight = 0.7
motion_for = 0.0
[{name}.minifas_v2se]
bias = -0.2
weight = 0.9
motion_for = 0.3
[{name}."minifas_v2se + minifasnet_v2"]
bias = -0.4
weight = 1.2
motion_for = 0.0
"""
_GOOD = f"""
version = "t"
[motion]
most_against = 3.5
[motion.weights]
planar_motion = 1
[traces]
most_against = 2.5
[traces.signals.medium_border]
begins = 0.5
full = -1.5
strength = 2.0
{_NETWORKS.format(name="scan_networks")}
{_NETWORKS.format(name="still_networks")}
[still_networks.minifas_v2se.cues]
bias = 0.0
most_for = 0.4
most_against = 1.5
[still_networks.minifas_v2se.cues.weights]
moire = 0.3
[still_networks.minifas_v2se.cues.neutral]
moire = 1.2
[decision]
telling = 0.4
alone_share = 0.6
injected_score = 2
no_evidence_score = 48.0
[record]
command = "none"
"""


def test_the_shipped_model_names_existing_signals_and_its_origin() -> None:
    model = load_fusion_model()
    names = {signal.name for signal in SIGNALS if signal.against is not None}
    assert set(model.motion.weights) == set(MODEL_MOTION)
    assert set(MODEL_MOTION) <= names
    assert model.motion.weights["planar_motion"] > 0
    assert model.motion.most_against > 0
    assert set(model.traces.signals) <= names
    for calibration in model.still_networks.known.values():
        assert calibration.cues is not None
        assert set(calibration.cues.weights) == set(CUES)
        assert calibration.cues.most_for < calibration.cues.most_against
    assert set(CUES) <= names
    assert not set(model.traces.signals) & set(CUES)
    assert {one.cues for one in (model.scan_networks.unknown, *model.scan_networks.known.values())} == {None}
    assert {"commands", "data", "limits", "decision"} <= set(model.record)


def test_the_shipped_model_calibrates_every_set_of_public_networks_and_our_own_network() -> None:
    model = load_fusion_model()
    sets = {frozenset(), *sets_of([*PUBLIC, OWN])}
    assert len(sets) == 9
    assert set(model.scan_networks.known) == set(model.still_networks.known) == sets
    for names in sets - {frozenset()}:
        on_scans, on_stills = (
            model.scan_networks.calibration_for(names),
            model.still_networks.calibration_for(names),
        )
        assert on_scans.weight > on_stills.weight > 0
        assert on_scans.weight >= model.scan_networks.unknown.weight > 0
        assert on_stills.weight >= model.still_networks.unknown.weight > 0


def test_only_several_public_networks_are_ever_sure() -> None:
    model = load_fusion_model()
    for known in (model.scan_networks.known, model.still_networks.known):
        sure = {names for names, one in known.items() if one.sure is not None}
        assert {names for names, one in known.items() if one.sure_early is not None} <= sure
        assert frozenset(PUBLIC) in sure
        assert all(len(names) > 1 for names in sure)
    assert model.scan_networks.unknown.sure is None
    assert model.still_networks.unknown.sure is None


def test_in_the_shipped_model_a_sign_of_life_counts_only_without_a_strong_network() -> None:
    networks = load_fusion_model().scan_networks
    # Without a network it is enough for the policy "standard" (70), and not for "high" (80).
    assert 70 <= 100 / (1 + math.exp(-networks.calibration_for(()).motion_for)) < 80
    assert networks.calibration_for(()).weight == 0
    assert {names for names, one in networks.known.items() if one.motion_for} == {
        frozenset(),
        frozenset({OWN}),
    }
    assert networks.unknown.motion_for == 0


def test_the_numbers_of_the_shipped_model_are_within_their_ranges() -> None:
    model = load_fusion_model()
    assert min(model.motion.most_against, model.traces.most_against, model.decision.telling) > 0
    assert min(model.motion.weights.values()) >= 0
    assert all(one.full < one.begins and one.strength >= 0 for one in model.traces.signals.values())
    for networks in (model.scan_networks, model.still_networks):
        for one in (networks.unknown, *networks.known.values()):
            assert min(one.weight, one.motion_for) >= 0
            assert (one.sure_early or 100) >= (one.sure or 0)
            assert one.cues is None or min(one.cues.most_for, one.cues.most_against) > 0


def test_a_good_text_is_read() -> None:
    model = parse_fusion_model(_GOOD)
    assert model.version == "t"
    assert model.motion == Motion(most_against=3.5, weights={"planar_motion": 1.0})
    assert set(model.scan_networks.known) == {
        frozenset(),
        frozenset({"minifas_v2se"}),
        frozenset({"minifas_v2se", "minifasnet_v2"}),
    }
    assert model.scan_networks.calibration_for(["minifas_v2se"]) == NetworkCalibration(
        bias=-0.2, weight=0.9, motion_for=0.3
    )
    assert model.still_networks.calibration_for(["minifas_v2se"]).cues == SignalGroup(
        bias=0.0, most_for=0.4, most_against=1.5, weights={"moire": 0.3}, neutral={"moire": 1.2}
    )
    assert model.traces == Traces(2.5, {"medium_border": Trace(begins=0.5, full=-1.5, strength=2.0)})
    assert model.decision == DecisionLines(
        telling=0.4, alone_share=0.6, injected_score=2.0, no_evidence_score=48.0
    )


def test_the_calibration_of_networks_is_that_of_exactly_their_set() -> None:
    networks = parse_fusion_model(_GOOD).scan_networks
    assert networks.calibration_for(()).motion_for == 1.1
    assert networks.calibration_for(["minifas_v2se"]).weight == 0.9
    assert networks.calibration_for({"minifasnet_v2": 0.1, "minifas_v2se": 0.9}).weight == 1.2
    for names in (["minifasnet_v2"], ["minifas_v2se", "other"], ["none"], ["default"]):
        assert networks.calibration_for(names) is networks.unknown
    assert networks.unknown == NetworkCalibration(bias=0.1, weight=0.7)


def test_a_model_is_written_as_it_is_read() -> None:
    for model in (parse_fusion_model(_GOOD), load_fusion_model()):
        assert parse_fusion_model(model_text(model)) == model


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ('version = "t"', "version = 3"),
        ("most_against = 3.5", "most_against = nan"),
        ("planar_motion = 1", 'planar_motion = "1"'),
        ("planar_motion = 1", "planar_motion = true"),
        ("[motion.weights]", "[motion.wrong]"),
        ("weight = 0.7", ""),
        ("bias = 0.1", "bias = inf"),
        ("[scan_networks.default]", "[scan_networks.other]"),
        ("[scan_networks.none]", "[scan_networks.other]"),
        ("[still_networks.minifas_v2se.cues.weights]", "[still_networks.minifas_v2se.cues.wait]"),
        ("moire = 1.2", "moire = nan"),
        ("full = -1.5", ""),
        ("[traces.signals.medium_border]", "[[traces.signals.medium_border]]"),
        ("telling = 0.4", ""),
        ('command = "none"', "command = 1"),
        ("[record]", "[records]"),
        ("version", "="),
    ],
)
def test_a_wrong_text_is_refused(part: str, instead: str) -> None:
    assert part in _GOOD
    with pytest.raises(FusionModelError):
        parse_fusion_model(_GOOD.replace(part, instead, 1))


_SCORES = st.floats(0, 1)


@given(begins=st.floats(-8, 8), width=st.floats(0.1, 5), score=_SCORES, other=_SCORES)
def test_a_trace_is_seen_from_where_it_begins_and_the_more_the_lower_its_score(
    begins: float, width: float, score: float, other: float
) -> None:
    trace = Trace(begins=begins, full=begins - width, strength=1.0)
    assert 0 <= trace.clearness(score) <= 1
    low, high = sorted((score, other))
    assert trace.clearness(low) >= trace.clearness(high)
    assert trace.clearness(1 / (1 + math.exp(-begins - 0.01))) == 0
    assert trace.clearness(1 / (1 + math.exp(width + 0.01 - begins))) == 1


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(FusionModelError):
        parse_fusion_model(text)
