"""How much each kind of evidence counts in a scan: networks, motion, cues and traces."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.verdict import VerdictReason
from tests.liveness.fusing import (
    MOTION,
    NAMES,
    SCORES,
    fused,
    fused_by_shipped_model,
    odds,
    percent,
    shipped_model,
)


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


@given(st.dictionaries(st.sampled_from(MOTION), st.floats(0, 1), min_size=1), st.floats(0, 1))
def test_motion_never_raises_confidence_beside_a_shipped_set_that_decides_by_itself(
    motion: dict[str, Any], real: float
) -> None:
    for names, calibration in shipped_model().scan_networks.known.items():
        if names and calibration.motion_for == 0:
            networks = dict.fromkeys(names, real)
            moved = fused_by_shipped_model(networks, **motion, pad_network=real)
            assert moved.score <= fused_by_shipped_model(networks, pad_network=real).score


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


def test_an_absent_trace_has_no_weight() -> None:
    without = fused(planar_motion=0.8)
    for score in (0.4, 0.9, 1.0):
        found = fused(planar_motion=0.8, moire=score)
        assert found.confidence == without.confidence
        assert next(signal.weight for signal in found.signals if signal.name == "moire") == 0


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
