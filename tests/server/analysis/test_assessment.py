"""The highest confidence of LIVE for a file, and the words for what was assessed."""

from dataclasses import replace

import pytest

from liveness.policy import LivenessPolicy
from liveness.selfie import SelfieResult
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason
from server.analysis.assessment import Assessment

_THREE = ("minifas_v2se", "minifasnet_v1se", "minifasnet_v2")
_WHOLE = Assessment(networks=_THREE, missing=(), cues=True, motion=True, one_person=True)


def _result(verdict: Verdict, score: float, *, live: float = 70.0) -> LivenessResult:
    return LivenessResult(
        verdict=verdict,
        score=score,
        policy=LivenessPolicy(live_threshold=live),
        signals=(),
        reasons=(VerdictReason.LOOKS_ALIVE,),
    )


@pytest.mark.parametrize(
    ("networks", "missing", "motion", "ceiling"),
    [
        (_THREE, (), True, 90.0),
        (_THREE, ("another",), True, 80.0),
        (_THREE[:1], _THREE[1:], True, 80.0),
        (("facegate_pad_v1",), (), True, 80.0),
        ((), (), True, 75.0),
        (_THREE, (), False, 80.0),
        (_THREE[:1], (), False, 75.0),
        ((), (), False, 70.0),
    ],
)
def test_the_less_was_assessed_the_lower_is_the_confidence_of_live(
    networks: tuple[str, ...], missing: tuple[str, ...], motion: bool, ceiling: float
) -> None:
    assessment = replace(_WHOLE, networks=networks, missing=missing, motion=motion)
    assert assessment.ceiling == ceiling
    bounded = assessment.bounded(_result(Verdict.LIVE, 99.0))
    assert (bounded.confidence, bounded.score, bounded.verdict) == (ceiling, 99.0, Verdict.LIVE)
    assert (bounded.attack_type, bounded.attack_type_confidence) == (AttackType.REAL, ceiling)


def test_a_change_of_persons_that_could_not_be_assessed_lowers_it() -> None:
    assert replace(_WHOLE, one_person=False).ceiling == 80.0
    assert replace(_WHOLE, one_person=None, motion=False).ceiling == 80.0


def test_a_lower_confidence_and_other_verdicts_stay() -> None:
    assert _WHOLE.bounded(_result(Verdict.LIVE, 81.0)).confidence == 81.0
    spoof = _result(Verdict.SPOOF, 3.0)
    assert _WHOLE.bounded(spoof).confidence == spoof.confidence
    undecided = _result(Verdict.INCONCLUSIVE, 99.0)
    assert _WHOLE.bounded(undecided).confidence == undecided.confidence


def test_no_confidence_of_live_is_below_its_threshold() -> None:
    bounded = replace(_WHOLE, networks=()).bounded(_result(Verdict.LIVE, 99.0, live=85.0))
    assert bounded.confidence == 85.0
    assert "at most 0.85." in replace(_WHOLE, networks=()).words(Verdict.LIVE, live=0.85)


def test_the_sum_of_the_eight_signals_has_a_limit_too() -> None:
    selfie = SelfieResult(
        verdict=Verdict.LIVE,
        confidence=0.93,
        threshold=0.58,
        face_detected=True,
        signals=(),
        not_assessed=(),
        version="1",
    )
    alone = Assessment(networks=(), missing=(), cues=False, motion=False, one_person=None)
    assert alone.bounded_sum(selfie, live=0.62).confidence == 0.7
    assert alone.bounded_sum(selfie, live=0.9).confidence == 0.9
    assert alone.bounded_sum(replace(selfie, confidence=0.65), live=0.62).confidence == 0.65
    spoof = replace(selfie, verdict=Verdict.SPOOF)
    assert alone.bounded_sum(spoof, live=0.62) == spoof


def test_the_text_names_assessed_and_unassessed_parts() -> None:
    assert _WHOLE.words(Verdict.LIVE, live=0.7) == (
        "No sign of an attack that this pack can detect; deepfakes and injected recordings were not "
        "assessed. Assessed: traces of prints and screens; PAD networks minifas_v2se, minifasnet_v1se, "
        "minifasnet_v2; motion; whether one person is shown throughout. LIVE on these grounds has a "
        "confidence of at most 0.90."
    )
    little = Assessment(
        networks=_THREE[:1], missing=("minifasnet_v2",), cues=True, motion=False, one_person=False
    )
    assert little.words(Verdict.SPOOF, live=0.7) == (
        "Deepfakes and injected recordings were not assessed. Assessed: traces of prints and screens; PAD "
        "networks minifas_v2se. Also not assessed: PAD networks that the pack lacks: minifasnet_v2; motion; "
        "whether one person is shown throughout."
    )
