"""No part of a result contradicts another, whatever its source."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.dynamic.judge import FlashResult, combine_flash, combine_movement
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.movement.judge import MovementResult
from liveness.dynamic.policy import ChallengeFinding, DynamicPolicy
from liveness.errors import ContradictoryResult
from liveness.policy import LivenessPolicy
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason
from tests.liveness.results import assert_consistent, express_results

_SETTINGS = load_flash_model().judge


@st.composite
def flash_results(draw: st.DrawFn) -> FlashResult:
    finding = draw(st.sampled_from(ChallengeFinding))
    reason = None if finding is ChallengeFinding.RIGHT else draw(st.sampled_from(VerdictReason))
    return FlashResult(
        finding, reason, draw(st.floats(0, 40)), draw(st.floats(-60, 60)), 0.06, (), frozenset(), (), ""
    )


@given(result=express_results())
def test_express_results_are_consistent(result: LivenessResult) -> None:
    assert_consistent(result)


@given(
    express=express_results(),
    flash=flash_results(),
    blink=st.booleans(),
    depth=st.booleans(),
    bits=st.floats(10, 20),
)
def test_flash_results_are_consistent(
    express: LivenessResult, flash: FlashResult, blink: bool, depth: bool, bits: float
) -> None:
    limits = DynamicPolicy(minimum_bits=bits, blink=blink, depth=depth)
    assert_consistent(combine_flash(express=express, flash=flash, dynamic=limits, settings=_SETTINGS))


@given(express=express_results(), finding=st.sampled_from(ChallengeFinding), blink=st.booleans())
def test_movement_results_are_consistent(
    express: LivenessResult, finding: ChallengeFinding, blink: bool
) -> None:
    movement = MovementResult(finding, 3.0, (), "")
    assert_consistent(
        combine_movement(express=express, movement=movement, dynamic=DynamicPolicy(blink=blink))
    )


@given(result=express_results(), verdict=st.sampled_from([Verdict.SPOOF, Verdict.INCONCLUSIVE]))
def test_changing_only_the_verdict_is_consistent(result: LivenessResult, verdict: Verdict) -> None:
    assert_consistent(replace(result, verdict=verdict))


def _live(score: float, **changes: object) -> LivenessResult:
    given = {"reasons": (VerdictReason.LOOKS_ALIVE,), **changes}
    return LivenessResult(verdict=Verdict.LIVE, score=score, policy=LivenessPolicy(), signals=(), **given)  # type: ignore[arg-type]  # any field may be changed


@pytest.mark.parametrize(
    ("score", "verdict", "confidence"),
    [(99.0, Verdict.INCONCLUSIVE, 69.0), (5.0, Verdict.INCONCLUSIVE, 31.0), (96.0, Verdict.SPOOF, 30.0)],
)
def test_a_verdict_other_than_the_scores_keeps_its_side_of_the_thresholds(
    score: float, verdict: Verdict, confidence: float
) -> None:
    result = replace(_live(96.0), score=score, verdict=verdict)
    assert (result.confidence, result.score) == (confidence, score)


@pytest.mark.parametrize(
    ("score", "changes"),
    [
        (69.9, {}),
        (100.1, {}),
        (float("nan"), {}),
        (90.0, {"reasons": ()}),
        (90.0, {"attack": AttackType.REAL}),
    ],
)
def test_contradictory_results_are_refused(score: float, changes: dict[str, object]) -> None:
    with pytest.raises(ContradictoryResult):
        _live(score, **changes)
