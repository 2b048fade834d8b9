from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.dynamic.judge import FlashResult, combine_flash, combine_movement
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.movement.judge import MovementResult
from liveness.dynamic.policy import ChallengeFinding, DynamicPolicy
from liveness.policy import LivenessPolicy
from liveness.verdict import LivenessResult, Verdict, VerdictReason, assessed, not_assessed

SETTINGS = load_flash_model().judge
LIVENESS = LivenessPolicy()
PASSIVE = replace(assessed(name="micro_motion", label="Motion", score=0.9, detail=""), weight=1.0)
LIT = replace(assessed(name="flash_shape", label="Shape", score=0.9, detail=""), weight=1.0)


def _express(
    verdict: Verdict = Verdict.LIVE,
    confidence: float = 90.0,
    reasons: tuple[VerdictReason, ...] = (VerdictReason.LOOKS_ALIVE,),
) -> LivenessResult:
    return LivenessResult(
        verdict=verdict, score=confidence, policy=LIVENESS, signals=(PASSIVE,), reasons=reasons
    )


def _flash(
    finding: ChallengeFinding = ChallengeFinding.RIGHT,
    reason: VerdictReason | None = None,
    bits: float = 18.0,
    odds: float = 3.0,
    late: frozenset[int] = frozenset(),
) -> FlashResult:
    return FlashResult(finding, reason, bits, odds, 0.06, (), late, (LIT,), "")


def _combine(
    express: LivenessResult, flash: FlashResult, bits: float = 12.0, *, depth: bool = False
) -> LivenessResult:
    return combine_flash(
        express=express,
        flash=flash,
        dynamic=DynamicPolicy(minimum_bits=bits, depth=depth),
        settings=SETTINGS,
    )


def test_too_few_bits_because_of_late_answers_are_a_matter_of_the_network() -> None:
    result = _combine(_express(), _flash(bits=9.0, late=frozenset({3, 4})))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reasons[0] is VerdictReason.CHALLENGE_ANSWERED_LATE
    assert _combine(_express(), _flash(late=frozenset({3}))).verdict is Verdict.LIVE


def test_a_right_answer_makes_a_live_scan_surer() -> None:
    result = _combine(_express(), _flash())
    assert result.verdict is Verdict.LIVE
    assert result.confidence > 90
    assert sum(signal.weight for signal in result.signals) == pytest.approx(1)


@pytest.mark.parametrize(
    "doubt", [VerdictReason.EVIDENCE_TOO_WEAK, VerdictReason.SHOWS_A_MEDIUM, VerdictReason.MOVES_AS_A_PLANE]
)
def test_a_right_answer_does_not_overrule_the_doubts_of_express(doubt: VerdictReason) -> None:
    # A sheet of paper is lit as a face is.
    weak = _express(Verdict.INCONCLUSIVE, 65.0, (doubt,))
    result = _combine(weak, _flash(odds=9.0))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.confidence == pytest.approx(65.0)
    assert doubt in result.reasons


@pytest.mark.parametrize("odds", [-0.5, -1.1, -9.0])
@pytest.mark.parametrize("confidence", [31.0, 40.0, 65.0])
def test_two_doubts_are_no_spoof(odds: float, confidence: float) -> None:
    """A wall behind the head and a face that hardly moves are both genuine."""
    weak = _express(Verdict.INCONCLUSIVE, confidence, (VerdictReason.EVIDENCE_TOO_WEAK,))
    result = _combine(weak, _flash(odds=odds))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert LIVENESS.spoof_threshold < result.confidence <= confidence


def test_evidence_against_a_right_answer_removes_live() -> None:
    assert _combine(_express(Verdict.LIVE, 75.0), _flash(odds=-1.0)).verdict is Verdict.INCONCLUSIVE
    assert _combine(_express(Verdict.LIVE, 99.0), _flash(odds=-0.3)).verdict is Verdict.LIVE


@pytest.mark.parametrize(
    "missing",
    [
        VerdictReason.NO_SIGN_OF_LIFE,
        VerdictReason.EYES_CLOSED,
        VerdictReason.TOO_FEW_FRAMES,
        VerdictReason.NO_PAD_NETWORK,
    ],
)
def test_light_on_a_face_is_no_sign_of_life(missing: VerdictReason) -> None:
    result = _combine(_express(Verdict.INCONCLUSIVE, 95.0, (missing,)), _flash(odds=9.0))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert missing in result.reasons


@pytest.mark.parametrize("finding", list(ChallengeFinding))
def test_a_spoof_stays_one(finding: ChallengeFinding) -> None:
    spoof = _express(Verdict.SPOOF, 5.0, (VerdictReason.NETWORK_SEES_ATTACK,))
    result = _combine(
        spoof, _flash(finding, None if finding is ChallengeFinding.RIGHT else VerdictReason.SCREEN_TOO_DIM)
    )
    assert result.verdict is Verdict.SPOOF
    assert result.reasons[0] is VerdictReason.NETWORK_SEES_ATTACK
    assert result.confidence == 5.0


@pytest.mark.parametrize(
    ("finding", "reason"),
    [
        (ChallengeFinding.WRONG, VerdictReason.ANOTHER_CHALLENGE_ANSWERED),
        (ChallengeFinding.WRONG, VerdictReason.LIGHT_FITS_NO_FACE),
        (ChallengeFinding.ABSENT, VerdictReason.CHALLENGE_NOT_ANSWERED),
    ],
)
def test_a_wrong_answer_is_a_spoof(finding: ChallengeFinding, reason: VerdictReason) -> None:
    result = _combine(_express(), _flash(finding, reason, bits=30.0))
    assert result.verdict is Verdict.SPOOF
    assert result.reasons == (reason,)
    assert result.confidence <= LIVENESS.spoof_threshold


def test_an_unmeasurable_answer_is_inconclusive() -> None:
    result = _combine(
        _express(), _flash(ChallengeFinding.NOT_MEASURABLE, VerdictReason.TOO_BRIGHT_TO_MEASURE)
    )
    assert (result.verdict, result.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.TOO_BRIGHT_TO_MEASURE,))


@pytest.mark.parametrize(("floor", "verdict"), [(12.0, Verdict.LIVE), (16.0, Verdict.INCONCLUSIVE)])
def test_too_few_bits_are_undecided(floor: float, verdict: Verdict) -> None:
    result = _combine(_express(), _flash(bits=13.0), floor)
    assert result.verdict is verdict
    assert (VerdictReason.TOO_FEW_CHALLENGE_BITS in result.reasons) is (verdict is Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("taken", "seen", "verdict"),
    [
        (False, None, Verdict.LIVE),
        (True, True, Verdict.LIVE),
        (True, None, Verdict.INCONCLUSIVE),
    ],
)
def test_a_policy_may_take_a_blink(taken: bool, seen: bool | None, verdict: Verdict) -> None:
    blink = (
        assessed(name="blink", label="Blinks", score=0.95, detail="1 blink.")
        if seen
        else not_assessed(name="blink", label="Blinks", reason="None seen.")
    )
    result = combine_flash(
        express=replace(_express(), signals=(blink,)),
        flash=_flash(bits=13.0),
        dynamic=DynamicPolicy(blink=taken),
        settings=SETTINGS,
    )
    assert result.verdict is verdict
    assert (result.reasons[0] is VerdictReason.BLINK_NOT_SEEN) is (verdict is Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("planar", "nose", "lit", "verdict"),
    [
        (0.99, None, False, Verdict.LIVE),
        (0.9, 0.9, False, Verdict.LIVE),
        (0.97, None, False, Verdict.INCONCLUSIVE),
        (0.85, 0.9, False, Verdict.INCONCLUSIVE),
        (0.65, 0.97, False, Verdict.LIVE),
        (0.99, 0.2, False, Verdict.INCONCLUSIVE),
        (None, None, False, Verdict.INCONCLUSIVE),
        # If the light shows the shape, motion need not show it.
        (None, None, True, Verdict.LIVE),
        (0.1, 0.1, True, Verdict.LIVE),
    ],
)
@pytest.mark.parametrize("taken", [False, True])
def test_where_light_does_not_show_a_shape_or_the_policy_takes_depth_motion_has_to_show_it(
    planar: float | None, nose: float | None, lit: bool, verdict: Verdict, taken: bool
) -> None:
    if lit and taken:
        verdict = Verdict.INCONCLUSIVE
    found = {"planar_motion": planar, "pose_consistency": nose}
    seen = tuple(
        not_assessed(name=name, label=name, reason="Still.")
        if score is None
        else assessed(name=name, label=name, score=score, detail="")
        for name, score in found.items()
    )
    dark = not_assessed(name="flash_shape", label="Shape", reason="The screen is all the light there is.")
    result = _combine(
        replace(_express(), signals=(*_express().signals, *seen)),
        replace(_flash(), signals=(LIT if lit else dark,)),
        depth=taken,
    )
    assert result.verdict is verdict
    assert (result.reasons[0] is VerdictReason.DEPTH_NOT_SEEN) is (verdict is Verdict.INCONCLUSIVE)


def test_a_shape_that_counts_for_neither_side_does_not_replace_depth() -> None:
    even = replace(LIT, score=0.5)
    result = _combine(_express(), replace(_flash(), signals=(even,)))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reasons[0] is VerdictReason.DEPTH_NOT_SEEN


@given(
    confidence=st.floats(0, 100),
    odds=st.floats(-50, 50),
    bits=st.floats(0, 40),
    finding=st.sampled_from(list(ChallengeFinding)),
)
def test_live_needs_all_of_it(confidence: float, odds: float, bits: float, finding: ChallengeFinding) -> None:
    verdict = Verdict.LIVE if confidence >= LIVENESS.live_threshold else Verdict.INCONCLUSIVE
    express = _express(verdict, confidence, (VerdictReason.EVIDENCE_TOO_WEAK,))
    reason = None if finding is ChallengeFinding.RIGHT else VerdictReason.CHALLENGE_NOT_MEASURABLE
    result = _combine(express, _flash(finding, reason, bits, odds))
    assert 0 <= result.confidence <= 100
    assert result.reasons
    if finding is ChallengeFinding.RIGHT:
        assert result.verdict is not Verdict.SPOOF
    if result.verdict is Verdict.LIVE:
        assert express.verdict is Verdict.LIVE
        assert finding is ChallengeFinding.RIGHT
        assert bits >= 12
    if finding is ChallengeFinding.NOT_MEASURABLE:
        assert result.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (ChallengeFinding.RIGHT, Verdict.LIVE),
        (ChallengeFinding.WRONG, Verdict.SPOOF),
        (ChallengeFinding.ABSENT, Verdict.INCONCLUSIVE),
        (ChallengeFinding.NOT_MEASURABLE, Verdict.INCONCLUSIVE),
    ],
)
def test_the_movement_finding_decides_the_verdict(finding: ChallengeFinding, verdict: Verdict) -> None:
    movement = MovementResult(finding, 3.0, (), "")
    result = combine_movement(express=_express(), movement=movement, dynamic=DynamicPolicy())
    assert result.verdict is verdict


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("finding", [ChallengeFinding.RIGHT, ChallengeFinding.NOT_MEASURABLE])
def test_a_movement_without_the_required_blink_is_never_live(finding: ChallengeFinding, seen: bool) -> None:
    blinks = (assessed(name="blink", label="Blinks", score=0.95, detail="1 blink."),) if seen else ()
    express = replace(_express(), signals=(*_express().signals, *blinks))
    movement = MovementResult(finding, 3.0, (), "")
    result = combine_movement(express=express, movement=movement, dynamic=DynamicPolicy(blink=True))
    right = finding is ChallengeFinding.RIGHT
    assert (result.verdict is Verdict.LIVE) is (right and seen)
    assert (VerdictReason.BLINK_NOT_SEEN in result.reasons) is (right and not seen)
