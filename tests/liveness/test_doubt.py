from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.doubt import (
    RESOLVES,
    ChallengeKind,
    DoubtTerms,
    downgrade_if_doubted,
    evidence_doubts,
    reasons_outside_calibration,
    undecided_if_unclear,
    unresolved,
    without_doubt,
)
from liveness.express.settings import ExpressSettings
from liveness.fusion_model import NetworkCalibration, load_fusion_model
from liveness.judge import CaptureConditions, judge_scan
from liveness.observation import FrameObservation, ScanObservations
from liveness.policy import EVIDENCE_FLOOR, CaptureLimits, LivenessPolicy
from liveness.selection import FrameSelector, best_frame, frame_quality
from liveness.verdict import DOUBTS, TOO_LITTLE_SEEN, AttackType, LivenessResult, Verdict, VerdictReason
from tests.liveness.builders import as_head, face_at, observation, observations, scan, segment
from tests.liveness.results import assert_consistent

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


_RANGE = ExpressSettings().calibrated
_ALWAYS = VerdictReason.LOOKS_ALIVE
_WIDTHS = st.floats(1, 2000)
_SHARPNESS = st.floats(0, 5000)
_LIGHT = st.floats(0, 255)


def _frame(index: int, width: float, sharpness: float, luminance: float) -> FrameObservation:
    return observation(index, face=face_at(width=width), sharpness=sharpness, luminance=luminance)


_FRAMES = st.lists(st.tuples(_WIDTHS, _SHARPNESS, _LIGHT), max_size=12).map(
    lambda rows: [_frame(index, *row) for index, row in enumerate(rows)]
)


def _result(verdict: Verdict) -> LivenessResult:
    score = 90.0 if verdict is Verdict.LIVE else 20.0
    return LivenessResult(
        verdict=verdict, score=score, policy=LivenessPolicy(), signals=(), reasons=(_ALWAYS,)
    )


@given(verdict=st.sampled_from(Verdict), frames=_FRAMES)
def test_only_live_changes_and_only_to_inconclusive(verdict: Verdict, frames: list[FrameObservation]) -> None:
    before, watched = _result(verdict), scan(frames)
    doubts = (*evidence_doubts(watched, EVIDENCE_FLOOR), *reasons_outside_calibration(watched))
    after = downgrade_if_doubted(before, doubts)
    assert_consistent(after)
    if verdict is Verdict.LIVE and doubts:
        assert after.verdict is Verdict.INCONCLUSIVE
        assert set(after.reasons) == set(doubts)
        assert len(after.reasons) == len(set(doubts))
    else:
        assert after is before


@given(width=_WIDTHS, sharpness=_SHARPNESS, light=_LIGHT)
def test_live_needs_everything_within_the_limits(width: float, sharpness: float, light: float) -> None:
    watched = scan([_frame(0, width, sharpness, light)])

    def kept(limits: CaptureLimits, *, slack: float) -> bool:
        # The extent of a face is computed from its points, with the precision of 32 bits.
        return (
            limits.min_face_width * (1 - slack) <= width <= limits.max_face_width * (1 + slack)
            and limits.min_sharpness <= sharpness <= limits.max_sharpness
            and limits.min_luminance <= light <= limits.max_luminance
        )

    for limits, doubts in (
        (EVIDENCE_FLOOR, evidence_doubts(watched, EVIDENCE_FLOOR)),
        (_RANGE, reasons_outside_calibration(watched)),
    ):
        if kept(limits, slack=-1e-3):
            assert not doubts
        if not kept(limits, slack=1e-3):
            assert doubts


@pytest.mark.parametrize(
    ("width", "sharpness", "light", "why"),
    [
        (230.0, 120.0, 25.0, (VerdictReason.EVIDENCE_TOO_DARK,)),
        (230.0, 120.0, 235.0, (VerdictReason.EVIDENCE_TOO_BRIGHT,)),
        (230.0, 5.0, 130.0, (VerdictReason.EVIDENCE_BLURRED,)),
        (40.0, 120.0, 130.0, (VerdictReason.FACE_TOO_SMALL,)),
        (
            40.0,
            5.0,
            25.0,
            tuple(map(VerdictReason, ("EVIDENCE_TOO_DARK", "FACE_TOO_SMALL", "EVIDENCE_BLURRED"))),
        ),
    ],
)
def test_each_cause_has_its_reason(
    width: float, sharpness: float, light: float, why: tuple[VerdictReason, ...]
) -> None:
    watched = scan([_frame(index, width, sharpness, light) for index in range(3)])
    assert evidence_doubts(watched, EVIDENCE_FLOOR) == why
    assert reasons_outside_calibration(watched) == why


def test_a_scan_outside_of_the_fit_has_its_reasons() -> None:
    assert reasons_outside_calibration(scan([_frame(0, 900.0, 1500.0, 200.0)])) == (
        VerdictReason.EVIDENCE_TOO_BRIGHT,
        VerdictReason.FACE_TOO_LARGE,
        VerdictReason.EVIDENCE_TOO_NOISY,
    )


def test_one_good_frame_is_evidence_and_does_not_make_a_dark_scan_one_that_the_fit_knows() -> None:
    watched = scan([_frame(index, 230.0, 120.0, 130.0 if index == 2 else 20.0) for index in range(5)])
    assert evidence_doubts(watched, EVIDENCE_FLOOR) == ()
    assert reasons_outside_calibration(watched) == (VerdictReason.EVIDENCE_TOO_DARK,)


def test_without_a_usable_frame_there_is_no_evidence() -> None:
    nobody = scan([observation(0, face=None, faces=0, sharpness=None, luminance=None)])
    for watched in (scan([]), nobody):
        assert evidence_doubts(watched, EVIDENCE_FLOOR) == (VerdictReason.TOO_FEW_USABLE_FACES,)
        assert reasons_outside_calibration(watched) == (VerdictReason.TOO_FEW_USABLE_FACES,)


@given(frames=_FRAMES, followed=st.sets(st.integers(0, 11)))
def test_the_best_frame_is_the_one_that_the_selector_keeps_as_evidence(
    frames: list[FrameObservation], followed: set[int]
) -> None:
    offered = [
        observation(one.index, face=one.face, sharpness=one.sharpness, luminance=one.luminance, followed=True)
        if one.index in followed
        else one
        for one in frames
    ]
    selector = FrameSelector(count=3)
    for one in offered:
        selector.select_frame(one)
    best = best_frame(offered)
    assert (None if best is None else best.index) == selector.best
    assert best is None or frame_quality(best) > 0


_DARK = VerdictReason.EVIDENCE_TOO_DARK
_BRIGHT = VerdictReason.EVIDENCE_TOO_BRIGHT


def _of_light(black: int, *, luminance: float = 130.0, **changes: object) -> ScanObservations:
    """A scan in which nothing is darker than ``black``, and the brightest thing is white."""
    samples = np.tile(np.asarray([black, 255], np.uint8), (64, 32))
    return scan(observations(5, samples=samples, luminance=luminance, **changes))


@pytest.mark.parametrize(
    ("watched", "live", "spoof"),
    [
        (_of_light(0), (), ()),
        (_of_light(48), (), ()),
        (_of_light(53), (), (_BRIGHT,)),
        (_of_light(70), (), (_BRIGHT,)),
        (_of_light(80), (_BRIGHT,), (_BRIGHT,)),
        (_of_light(0, luminance=60.0), (), ()),
        (_of_light(0, luminance=50.0), (_BRIGHT,), (_BRIGHT,)),
        (_of_light(0, luminance=35.0), (_DARK, _BRIGHT), (_DARK, _BRIGHT)),
        (_of_light(0, sharpness=3.0), (VerdictReason.EVIDENCE_BLURRED,), ()),
        (_of_light(0, face=face_at(width=400)), (), ()),
        (_of_light(0, face=face_at(width=430)), (), (VerdictReason.FACE_TOO_LARGE,)),
        (scan([]), (VerdictReason.TOO_FEW_USABLE_FACES,), ()),
    ],
)
def test_light_in_which_the_networks_err_decides_for_neither_side(
    watched: ScanObservations, live: tuple[VerdictReason, ...], spoof: tuple[VerdictReason, ...]
) -> None:
    assert reasons_outside_calibration(watched) == live
    attacked = _result(Verdict.SPOOF)
    after = undecided_if_unclear(watched, attacked)
    assert_consistent(after)
    if spoof:
        assert (after.verdict, after.reasons) == (Verdict.INCONCLUSIVE, spoof)
    else:
        assert after is attacked


def test_repeated_frames_prove_an_attack_in_any_light() -> None:
    injected = replace(_result(Verdict.SPOOF), attack=AttackType.INJECTION)
    assert undecided_if_unclear(_of_light(200), injected) is injected


@pytest.mark.parametrize("verdict", [Verdict.LIVE, Verdict.INCONCLUSIVE])
def test_only_spoof_is_undone(verdict: Verdict) -> None:
    found = _result(verdict)
    assert undecided_if_unclear(_of_light(200), found) is found
