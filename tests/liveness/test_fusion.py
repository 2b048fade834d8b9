import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.express.frozen_frames import Repetition, RepetitionFinding
from liveness.fusion import fuse
from liveness.fusion_model import (
    DecisionLines,
    FusionModel,
    NetworkCalibration,
    NetworkCalibrations,
    SignalGroup,
    Trace,
    Traces,
)
from liveness.fusion_model_file import load_fusion_model
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.signal import Signal, assessed, not_assessed
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason

_CUES = SignalGroup(
    bias=0.0,
    most_for=0.4,
    most_against=1.5,
    weights={"colour_gamut": 0.5, "blur_depth": 0.5},
    neutral={"colour_gamut": 0.5},
)
_MODEL = FusionModel(
    version="t",
    temporal=SignalGroup(
        bias=0.0,
        most_for=3.0,
        most_against=4.0,
        weights={
            "planar_motion": 1.0,
            "micro_motion": 0.7,
            "blink": 0.6,
            "stillness": 0.6,
            "surroundings": 0.6,
        },
        neutral={},
    ),
    cues=_CUES,
    traces=Traces(
        most_against=2.0,
        signals={
            "moire": Trace(begins=-1.0, full=-3.0, strength=1.5),
            "medium_border": Trace(begins=0.0, full=-1.0, strength=1.0),
        },
    ),
    scan_networks=NetworkCalibrations(
        known={"strong": NetworkCalibration(bias=0.0, weight=1.0)},
        unknown=NetworkCalibration(bias=-0.3, weight=0.7),
    ),
    still_networks=NetworkCalibrations(
        known={"strong": NetworkCalibration(0.0, 0.5, cues=replace(_CUES, weights={"blur_depth": 0.8}))},
        unknown=NetworkCalibration(bias=0.0, weight=0.5),
    ),
    decision=DecisionLines(telling=0.5, alone_share=0.5, injected_score=1.0, no_evidence_score=50.0),
    reliability={},
    record={},
)
_NAMES = (
    "pad_network",
    "planar_motion",
    "micro_motion",
    "blink",
    "stillness",
    "surroundings",
    "eyes_open",
    "colour_gamut",
    "blur_depth",
    "moire",
    "medium_border",
)


def _signals(**scores: float) -> tuple[Signal, ...]:
    return tuple(
        assessed(name=name, label=name, score=scores[name], detail="measured")
        if name in scores
        else not_assessed(name=name, label=name, reason="not measured")
        for name in _NAMES
    )


def _networks(scores: Mapping[str, float]) -> dict[str, float]:
    return {"unheard_of": scores["pad_network"]} if "pad_network" in scores else {}


def _fuse(
    *,
    repetition: Repetition = Repetition.NONE,
    frames: int = 45,
    usable: int | None = None,
    duration: float = 3.0,
    policy: LivenessPolicy | None = None,
    networks: Mapping[str, float] | None = None,
    **scores: float,
) -> LivenessResult:
    return fuse(
        signals=_signals(**scores),
        networks=_networks(scores) if networks is None else networks,
        repetition=RepetitionFinding(repetition, "found"),
        frames=frames,
        usable_frames=frames if usable is None else usable,
        duration=duration,
        policy=policy or LivenessPolicy(),
        model=_MODEL,
    )


@pytest.mark.parametrize(
    "scores",
    [
        {"planar_motion": 0.9},
        {"planar_motion": 0.9, "micro_motion": 0.8, "blink": 0.95, "stillness": 0.5, "surroundings": 0.5},
        {"micro_motion": 0.97, "stillness": 0.5},
        {"planar_motion": 0.85, "pad_network": 0.95, "eyes_open": 1.0},
        {"planar_motion": 0.97, "micro_motion": 0.6, "pad_network": 0.3},
    ],
)
def test_a_person_is_live(scores: dict[str, Any]) -> None:
    result = _fuse(**scores)
    assert (result.verdict, result.attack_type, result.reasons) == (
        Verdict.LIVE,
        AttackType.REAL,
        (VerdictReason.LOOKS_ALIVE,),
    )
    assert result.confidence >= 70


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
    result = _fuse(**scores)
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
    result = _fuse(repetition=repetition, planar_motion=1.0, micro_motion=1.0, blink=1.0, pad_network=1.0)
    assert (result.verdict, result.attack_type, result.reasons) == (
        Verdict.SPOOF,
        AttackType.INJECTION,
        (reason,),
    )
    assert result.confidence < 5


def test_nothing_measured_is_never_live() -> None:
    result = _fuse()
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
    result = _fuse(**scores)
    assert result.score >= 70 > result.confidence
    assert (result.verdict, result.reasons) == (Verdict.INCONCLUSIVE, (reason,))


def test_a_policy_can_demand_a_network() -> None:
    strict = LivenessPolicy(require_pad_network=True)
    without = _fuse(policy=strict, planar_motion=0.95)
    assert (without.verdict, without.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.NO_PAD_NETWORK,))
    assert _fuse(policy=strict, planar_motion=0.95, pad_network=0.9).verdict is Verdict.LIVE


@pytest.mark.parametrize(("frames", "duration"), [(1, 0.0), (7, 3.0), (40, 0.5)])
def test_a_short_scan_is_never_live_and_a_network_alone_is_heard_at_half(
    frames: int, duration: float
) -> None:
    lively = _fuse(frames=frames, duration=duration, planar_motion=0.98, micro_motion=0.98)
    assert lively.verdict is Verdict.INCONCLUSIVE
    assert {VerdictReason.TOO_FEW_FRAMES, VerdictReason.TOO_SHORT} & set(lively.reasons)
    real = _fuse(frames=frames, duration=duration, pad_network=1.0)
    assert real.verdict is Verdict.INCONCLUSIVE
    assert 50 < real.confidence < 90
    attack = _fuse(frames=frames, duration=duration, pad_network=0.0)
    assert attack.verdict is Verdict.SPOOF


def test_frames_without_exactly_one_face_do_not_count() -> None:
    result = _fuse(frames=45, usable=5, planar_motion=0.98, pad_network=0.9)
    assert (result.verdict, result.reasons[0]) == (Verdict.INCONCLUSIVE, VerdictReason.TOO_FEW_USABLE_FACES)


def test_a_sure_network_keeps_any_liveliness_from_live() -> None:
    replay = _fuse(planar_motion=1.0, micro_motion=1.0, blink=1.0, pad_network=0.0)
    shipped = fuse(
        signals=_signals(planar_motion=1.0, micro_motion=1.0, blink=1.0, pad_network=0.0),
        networks={"minifas_v2se": 0.0},
        repetition=None,
        frames=60,
        usable_frames=60,
        duration=4.0,
        policy=LivenessPolicy(),
        model=load_fusion_model(),
    )
    assert shipped.verdict is not Verdict.LIVE
    assert (
        replay.confidence < _fuse(planar_motion=1.0, micro_motion=1.0, blink=1.0, pad_network=0.3).confidence
    )
    assert VerdictReason.NETWORK_SEES_ATTACK not in _fuse(planar_motion=1.0, pad_network=0.9).reasons


def test_weights_are_shares_of_the_decision() -> None:
    result = _fuse(planar_motion=0.9, pad_network=0.9, stillness=0.5)
    assert sum(signal.weight for signal in result.signals) == pytest.approx(1)
    by_name = {signal.name: signal.weight for signal in result.signals}
    assert by_name["planar_motion"] == pytest.approx(1.0 / 2.3)
    assert by_name["micro_motion"] == by_name["eyes_open"] == 0
    assert [signal.name for signal in result.signals] == list(_NAMES)


_SCORES = st.dictionaries(st.sampled_from(_NAMES), st.floats(0, 1))


@given(_SCORES, st.integers(0, 60), st.floats(0, 6))
def test_missing_is_never_pass(scores: dict[str, Any], frames: int, duration: float) -> None:
    result = _fuse(frames=frames, duration=duration, **scores)
    assert 0 <= result.confidence <= 100
    assert result.reasons
    assert len(result.reasons) == len(set(result.reasons))
    if result.verdict is Verdict.LIVE:
        assert result.confidence >= 70
        assert max(scores.get(name, 0) for name in ("planar_motion", "micro_motion", "blink")) >= 0.5
        assert frames >= 8
        assert duration >= 1


@given(_SCORES, st.sampled_from(_NAMES), st.floats(0, 1), st.floats(0, 1))
def test_more_life_never_lowers_confidence(
    scores: dict[str, Any], name: str, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert _fuse(**{**scores, name: low}).confidence <= _fuse(**{**scores, name: high}).confidence + 1e-9


def test_every_combination_of_strong_signals_has_a_reason() -> None:
    for values in itertools.product((None, 0.02, 0.98), repeat=3):
        given_scores = dict(zip(("planar_motion", "micro_motion", "pad_network"), values, strict=True))
        scores: dict[str, Any] = {name: value for name, value in given_scores.items() if value is not None}
        assert _fuse(**scores).reasons


@pytest.mark.parametrize("capture", [CaptureKind.FRAME, CaptureKind.FRAMES])
def test_a_single_picture_is_live_by_a_network_alone_and_never_by_its_motion(capture: CaptureKind) -> None:
    stills = LivenessPolicy(capture=capture)
    live = _fuse(policy=stills, frames=1, duration=0.0, pad_network=0.98)
    assert (live.verdict, live.reasons) == (Verdict.LIVE, (VerdictReason.LOOKS_GENUINE,))
    spoof = _fuse(policy=stills, frames=1, duration=0.0, pad_network=0.02)
    assert (spoof.verdict, spoof.reasons) == (Verdict.SPOOF, (VerdictReason.NETWORK_SEES_ATTACK,))
    lively = _fuse(policy=stills, planar_motion=1.0, micro_motion=1.0, blink=1.0)
    assert (lively.verdict, lively.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.NO_PAD_NETWORK,))
    cues = _fuse(policy=stills, moire=1.0, medium_border=1.0)
    assert cues.verdict is Verdict.INCONCLUSIVE
    assert VerdictReason.NO_PAD_NETWORK in cues.reasons
    asleep = _fuse(policy=stills, frames=1, duration=0.0, pad_network=0.98, eyes_open=0.0)
    assert (asleep.verdict, asleep.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.EYES_CLOSED,))


def test_cues_of_a_medium_turn_a_picture_that_the_network_takes_for_real() -> None:
    stills = LivenessPolicy(capture=CaptureKind.FRAME)
    alone = _fuse(policy=stills, frames=1, duration=0.0, pad_network=0.9)
    seen = _fuse(policy=stills, frames=1, duration=0.0, pad_network=0.9, moire=0.02, medium_border=0.02)
    assert alone.verdict is Verdict.LIVE
    assert seen.confidence < 50
    assert VerdictReason.SHOWS_A_MEDIUM in seen.reasons


@pytest.mark.parametrize("capture", [CaptureKind.FRAME, CaptureKind.FRAMES])
def test_only_frames_of_a_scan_can_come_again(capture: CaptureKind) -> None:
    found = _fuse(policy=LivenessPolicy(capture=capture), repetition=Repetition.FROZEN, pad_network=1.0)
    assert found.verdict is Verdict.LIVE


def test_networks_are_calibrated_each_by_itself_and_averaged() -> None:
    def confidence(**networks: float) -> float:
        return _fuse(networks=networks, planar_motion=0.5).confidence

    assert confidence(strong=0.9) == pytest.approx(90)
    assert confidence(strong=0.5) == pytest.approx(50)
    assert confidence(unheard_of=0.5) < 50
    both = confidence(strong=0.9, unheard_of=0.9)
    assert confidence(unheard_of=0.9) < both < confidence(strong=0.9)


def test_cues_of_a_picture_count_as_its_networks_leave_room_for_them() -> None:
    stills = LivenessPolicy(capture=CaptureKind.FRAME)

    def confidence(*networks: str, **cues: Any) -> float:
        return _fuse(policy=stills, networks=dict.fromkeys(networks, 0.5), **cues).confidence

    # Beside "strong" the gamut has no weight and the blur more than beside others, or without a network.
    assert confidence("strong", colour_gamut=0.02) == pytest.approx(50)
    assert confidence("strong", blur_depth=0.1) < confidence("unheard_of", blur_depth=0.1) < 50
    assert confidence("unheard_of", colour_gamut=0.1) == pytest.approx(confidence(colour_gamut=0.1))
    both = confidence("strong", "unheard_of", blur_depth=0.1)
    assert confidence("strong", blur_depth=0.1) < both < confidence("unheard_of", blur_depth=0.1)


def test_cues_of_a_scan_count_alike_beside_every_network() -> None:
    def fall(network: str) -> float:
        plain = _fuse(networks={network: 0.5}, planar_motion=0.55)
        gaudy = _fuse(networks={network: 0.5}, planar_motion=0.55, colour_gamut=0.1)
        return plain.confidence - gaudy.confidence

    assert fall("strong") == pytest.approx(fall("unheard_of"), abs=3)
    assert fall("strong") > 5


def test_no_amount_of_life_drowns_a_room_that_moves_with_the_face() -> None:
    lively: dict[str, Any] = {"planar_motion": 0.98, "micro_motion": 0.98, "blink": 0.95}
    apart, together = (_fuse(**lively, surroundings=score) for score in (0.5, 0.02))
    assert together.confidence < apart.confidence - 20
    assert VerdictReason.MOVES_AS_A_PLANE in together.reasons


def test_cues_for_life_count_for_less_than_cues_against_it() -> None:
    neutral = _fuse(planar_motion=0.5).confidence
    assert 0 < _fuse(planar_motion=0.5, colour_gamut=1.0, blur_depth=1.0).confidence - neutral < 15
    assert neutral - _fuse(planar_motion=0.5, colour_gamut=0.0, blur_depth=0.0).confidence > 25


def test_cues_do_not_speak_for_life_where_a_medium_is_seen() -> None:
    good: dict[str, Any] = {"planar_motion": 0.5, "colour_gamut": 1.0, "blur_depth": 1.0}
    assert _fuse(**good, moire=0.02).confidence == _fuse(planar_motion=0.5, moire=0.02).confidence
    assert _fuse(**good, moire=0.9).confidence > _fuse(planar_motion=0.5, moire=0.9).confidence
    weights = {signal.name: signal.weight for signal in _fuse(**good, moire=0.02).signals}
    assert weights["colour_gamut"] == weights["blur_depth"] == 0
    bad: dict[str, Any] = {"planar_motion": 0.5, "colour_gamut": 0.1}
    assert _fuse(**bad, moire=0.02).confidence < _fuse(planar_motion=0.5, moire=0.02).confidence


def test_a_trace_that_is_not_seen_says_nothing_and_takes_no_part() -> None:
    without = _fuse(planar_motion=0.8)
    for score in (0.4, 0.9, 1.0):
        found = _fuse(planar_motion=0.8, moire=score)
        assert found.confidence == without.confidence
        assert next(signal.weight for signal in found.signals if signal.name == "moire") == 0


def test_traces_together_take_no_more_than_their_limit() -> None:
    def odds(**scores: Any) -> float:
        share = _fuse(planar_motion=0.8, **scores).confidence / 100
        return math.log(share / (1 - share))

    alone = odds()
    assert alone - odds(moire=0.01) == pytest.approx(1.5)
    assert alone - odds(medium_border=0.1) == pytest.approx(1.0)
    assert alone - odds(moire=0.01, medium_border=0.1) == pytest.approx(2.0)
    # Halfway between its `begins` and its `full`.
    assert alone - odds(moire=1 / (1 + math.exp(2.0))) == pytest.approx(0.75)
    seen = _fuse(planar_motion=0.8, moire=0.01)
    assert 0 < next(signal.weight for signal in seen.signals if signal.name == "moire") < 1
    assert VerdictReason.SHOWS_A_MEDIUM in _fuse(planar_motion=0.5, moire=0.01, medium_border=0.1).reasons


@given(_SCORES, st.sampled_from([CaptureKind.FRAME, CaptureKind.FRAMES]))
def test_stills_are_never_live_without_a_network(scores: dict[str, Any], capture: CaptureKind) -> None:
    result = _fuse(policy=LivenessPolicy(capture=capture), frames=8, **scores)
    assert result.reasons
    if result.verdict is Verdict.LIVE:
        assert "pad_network" in scores
