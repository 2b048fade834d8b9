"""Doubt, and what resolves it."""

from dataclasses import replace

import pytest

from liveness.doubt import RESOLVES, ChallengeKind, DoubtTerms, unresolved, without_doubt
from liveness.fusion_model import NetworkCalibration
from liveness.fusion_model_file import load_fusion_model
from liveness.judge import CaptureConditions, judge_scan
from liveness.policy import LivenessPolicy
from liveness.verdict import DOUBTS, TOO_LITTLE_SEEN, LivenessResult, Verdict, VerdictReason
from tests.liveness.builders import as_head, observations, scan, segment

_SURE = NetworkCalibration(bias=0.0, weight=1.0, sure=90.0)
_NEVER = NetworkCalibration(bias=0.0, weight=1.0)
_OTHER = VerdictReason.SUNGLASSES


def _found(verdict: Verdict, score: float, *reasons: VerdictReason) -> LivenessResult:
    return LivenessResult(verdict=verdict, score=score, policy=LivenessPolicy(), signals=(), reasons=reasons)


def _live(score: float) -> LivenessResult:
    return _found(Verdict.LIVE, score, VerdictReason.LOOKS_ALIVE)


@pytest.mark.parametrize(
    ("score", "calibration", "live"),
    [(90.0, _SURE, True), (89.9, _SURE, False), (100.0, _NEVER, False)],
)
def test_a_scan_without_a_challenge_has_to_be_sure(
    score: float, calibration: NetworkCalibration, live: bool
) -> None:
    found = _live(score)
    judged = without_doubt(found, DoubtTerms(), calibration)
    if live:
        assert judged == found
    else:
        assert (judged.verdict, judged.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.NOT_SURE,))
        assert judged.doubts == (VerdictReason.NOT_SURE,)


@pytest.mark.parametrize("challenge", list(ChallengeKind))
def test_a_challenge_needs_no_sure_networks(challenge: ChallengeKind) -> None:
    found = _live(70.0)
    assert without_doubt(found, DoubtTerms(challenge), _NEVER) == found
    resolved = DoubtTerms(challenge, tuple(RESOLVES[challenge]))
    assert without_doubt(found, resolved, _NEVER) == found


@pytest.mark.parametrize("challenge", [None, *ChallengeKind])
def test_a_doubt_that_is_not_resolved_prevents_live(challenge: ChallengeKind | None) -> None:
    judged = without_doubt(_live(100.0), DoubtTerms(challenge, (_OTHER,)), _SURE)
    assert (judged.verdict, judged.reasons) == (Verdict.INCONCLUSIVE, (_OTHER,))


@pytest.mark.parametrize("verdict", [Verdict.SPOOF, Verdict.INCONCLUSIVE])
def test_doubt_changes_no_other_verdict(verdict: Verdict) -> None:
    found = _found(verdict, 20.0 if verdict is Verdict.SPOOF else 60.0, _OTHER)
    assert without_doubt(found, DoubtTerms(None, tuple(DOUBTS)), _NEVER) == found


def test_without_a_challenge_every_doubt_remains() -> None:
    doubts = tuple(DOUBTS)
    assert unresolved(doubts, None) == doubts
    assert unresolved((*doubts, _OTHER), ChallengeKind.FLASH) == (_OTHER,)


def test_every_doubt_has_a_challenge_that_resolves_it_and_nothing_else_has() -> None:
    assert frozenset().union(*RESOLVES.values()) == DOUBTS


@pytest.mark.parametrize("reason", sorted(DOUBTS))
@pytest.mark.parametrize("short", [None, *sorted(TOO_LITTLE_SEEN)])
def test_a_capture_that_shows_too_little_raises_no_doubt(
    reason: VerdictReason, short: VerdictReason | None
) -> None:
    reasons = (_OTHER, reason) if short is None else (short, reason)
    found = _found(Verdict.INCONCLUSIVE, 60.0, *reasons)
    assert found.doubts == ((reason,) if short is None else ())
    assert replace(found, verdict=Verdict.SPOOF).doubts == ()


def test_a_scan_is_judged_with_the_line_of_its_networks() -> None:
    seen = scan(observations(45), [segment(as_head(0.1), steps=45)])
    verdicts = [
        judge_scan(
            scan=seen,
            identified={0},
            pad_scores=[],
            cues=[],
            policy=LivenessPolicy(),
            model=load_fusion_model(),
            challenge=None,
            conditions=CaptureConditions(),
            doubt=doubt,
        ).result
        for doubt in (None, DoubtTerms(), DoubtTerms(ChallengeKind.GESTURES))
    ]
    assert [one.verdict for one in verdicts] == [Verdict.LIVE, Verdict.INCONCLUSIVE, Verdict.LIVE]
    assert verdicts[1].reasons == (VerdictReason.NOT_SURE,)
