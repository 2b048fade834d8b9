import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.express.frozen_frames import Repetition, RepetitionFinding
from liveness.fusion import FusionModel, fuse, load_fusion_model
from liveness.policy import LivenessPolicy
from liveness.signal import Signal, assessed, not_assessed
from liveness.verdict import AttackType, LivenessResult, Reason, Verdict

_MODEL = FusionModel(
    version="t",
    temporal_limit=4.0,
    temporal_bias=0.0,
    temporal_weights={
        "planar_motion": 1.0,
        "micro_motion": 0.7,
        "blink": 0.6,
        "stillness": 0.6,
        "surroundings": 0.6,
    },
    network_bias=-0.3,
    network_weight=0.7,
    record={},
)
_NAMES = ("pad_network", "planar_motion", "micro_motion", "blink", "stillness", "surroundings", "eyes_open")


def _signals(**scores: float) -> tuple[Signal, ...]:
    return tuple(
        assessed(name=name, label=name, score=scores[name], detail="measured")
        if name in scores
        else not_assessed(name=name, label=name, reason="not measured")
        for name in _NAMES
    )


def _fuse(
    *,
    repetition: Repetition = Repetition.NONE,
    frames: int = 45,
    usable: int | None = None,
    duration: float = 3.0,
    policy: LivenessPolicy | None = None,
    **scores: float,
) -> LivenessResult:
    return fuse(
        signals=_signals(**scores),
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
        (Reason.LOOKS_ALIVE,),
    )
    assert result.confidence >= 70


@pytest.mark.parametrize(
    ("scores", "reason", "kind"),
    [
        ({"planar_motion": 0.05, "micro_motion": 0.1}, Reason.MOVES_AS_A_PLANE, AttackType.PRINT),
        ({"micro_motion": 0.02, "stillness": 0.01}, Reason.NO_SIGN_OF_LIFE, AttackType.PRINT),
        ({"planar_motion": 0.2, "surroundings": 0.02}, Reason.MOVES_AS_A_PLANE, AttackType.PRINT),
        (
            {"planar_motion": 0.6, "micro_motion": 0.55, "pad_network": 0.0},
            Reason.NETWORK_SEES_ATTACK,
            AttackType.SCREEN_REPLAY,
        ),
        ({"pad_network": 0.0}, Reason.NETWORK_SEES_ATTACK, AttackType.UNKNOWN),
    ],
)
def test_an_attack_is_a_spoof_with_its_reason(
    scores: dict[str, Any], reason: Reason, kind: AttackType
) -> None:
    result = _fuse(**scores)
    assert (result.verdict, result.attack_type) == (Verdict.SPOOF, kind)
    assert result.reasons[0] is reason
    assert result.confidence <= 30


@pytest.mark.parametrize(
    ("repetition", "reason"),
    [(Repetition.FROZEN, Reason.FROZEN_FRAMES), (Repetition.LOOPED, Reason.LOOPED_FRAMES)],
)
def test_frames_that_come_again_decide_alone(repetition: Repetition, reason: Reason) -> None:
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
    assert result.reasons == (Reason.NO_SIGN_OF_LIFE_MEASURABLE,)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({"pad_network": 1.0}, Reason.NO_SIGN_OF_LIFE_MEASURABLE),
        ({"pad_network": 1.0, "blink": 0.95, "stillness": 0.5}, Reason.NO_SIGN_OF_LIFE_MEASURABLE),
        ({"pad_network": 1.0, "planar_motion": 0.45}, Reason.NO_SIGN_OF_LIFE),
        ({"planar_motion": 0.95, "eyes_open": 0.05}, Reason.EYES_CLOSED),
    ],
)
def test_confidence_alone_is_not_enough(scores: dict[str, Any], reason: Reason) -> None:
    result = _fuse(**scores)
    assert result.confidence >= 70
    assert (result.verdict, result.reasons) == (Verdict.INCONCLUSIVE, (reason,))


def test_a_policy_can_demand_a_network() -> None:
    strict = LivenessPolicy(require_pad_network=True)
    without = _fuse(policy=strict, planar_motion=0.95)
    assert (without.verdict, without.reasons) == (Verdict.INCONCLUSIVE, (Reason.NO_PAD_NETWORK,))
    assert _fuse(policy=strict, planar_motion=0.95, pad_network=0.9).verdict is Verdict.LIVE


@pytest.mark.parametrize(("frames", "duration"), [(1, 0.0), (7, 3.0), (40, 0.5)])
def test_a_short_scan_is_never_live_and_a_network_alone_is_heard_at_half(
    frames: int, duration: float
) -> None:
    lively = _fuse(frames=frames, duration=duration, planar_motion=0.98, micro_motion=0.98)
    assert lively.verdict is Verdict.INCONCLUSIVE
    assert {Reason.TOO_FEW_FRAMES, Reason.TOO_SHORT} & set(lively.reasons)
    real = _fuse(frames=frames, duration=duration, pad_network=1.0)
    assert real.verdict is Verdict.INCONCLUSIVE
    assert 50 < real.confidence < 90
    attack = _fuse(frames=frames, duration=duration, pad_network=0.0)
    assert attack.verdict is Verdict.SPOOF


def test_frames_without_exactly_one_face_do_not_count() -> None:
    result = _fuse(frames=45, usable=5, planar_motion=0.98, pad_network=0.9)
    assert (result.verdict, result.reasons[0]) == (Verdict.INCONCLUSIVE, Reason.TOO_FEW_USABLE_FACES)


def test_a_sure_network_keeps_any_liveliness_from_live() -> None:
    replay = _fuse(planar_motion=1.0, micro_motion=1.0, blink=1.0, pad_network=0.0)
    shipped = fuse(
        signals=_signals(planar_motion=1.0, micro_motion=1.0, blink=1.0, pad_network=0.0),
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
    assert Reason.NETWORK_SEES_ATTACK not in _fuse(planar_motion=1.0, pad_network=0.9).reasons


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
