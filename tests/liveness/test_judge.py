"""One scan to its verdict: the conditions of its capture come last, and no part contradicts another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.studies.scans import clip_windows, observe_scan, select_frames
from liveness.doubt import (
    RESOLVES,
    ChallengeKind,
    DoubtTerms,
    downgrade_if_doubted,
    evidence_doubts,
    may_be_sure_early,
    reasons_outside_calibration,
    undecided_if_unclear,
    unresolved,
    without_doubt,
)
from liveness.dynamic.judge import FlashResult, combine_flash, combine_movement
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.movement.judge import MovementResult
from liveness.dynamic.policy import ChallengeFinding, DynamicPolicy
from liveness.errors import ContradictoryResult
from liveness.express.cues import COLOURLESS, FrameCues
from liveness.express.frame_cues import measure_frame_cues
from liveness.express.pad_network import PadScore
from liveness.express.settings import ExpressSettings
from liveness.fusion import judge_express
from liveness.fusion_model import NetworkCalibration, load_fusion_model
from liveness.gestures import Gesture, GestureRequest
from liveness.judge import CaptureConditions, ChallengeEvidence, FlashEvidence, judge_scan
from liveness.observation import FrameObservation, ScanObservations
from liveness.occlusion import Cover
from liveness.policy import EVIDENCE_FLOOR, CaptureKind, CaptureLimits, LivenessPolicy
from liveness.selection import CUE_FRAMES, FrameSelector, best_frame, frame_quality, spread_of
from liveness.shown_picture import TrustedFace
from liveness.verdict import DOUBTS, TOO_LITTLE_SEEN, AttackType, LivenessResult, Verdict, VerdictReason
from matcher.persons import SCAN_SUBJECT
from tests.liveness.builders import as_head, as_plane, face_at, observation, observations, scan, segment
from tests.liveness.fusing import assert_consistent, express_results
from tests.packs import shared_pack
from vision.geometry import CHIP_SHAPE

# One scan to its verdict: the conditions of its capture come last.

_WATCHED = scan(observations(14), [segment(as_head(0.05), steps=14)])
_CLEAR = CaptureConditions()
_SLOW, _TURNED = CaptureConditions(too_slow=True), CaptureConditions(turned=True)
_SEVERAL = CaptureConditions(several_persons=True)


def _judge(
    monkeypatch: pytest.MonkeyPatch,
    conditions: CaptureConditions,
    verdict: Verdict,
    *reasons: VerdictReason,
    watched: ScanObservations = _WATCHED,
    capture: CaptureKind = CaptureKind.SCAN,
    gesture: GestureRequest | None = None,
) -> LivenessResult:
    """The verdict under the conditions if the passive signals give ``verdict``."""
    express = _express(verdict, *reasons)
    monkeypatch.setattr("liveness.judge.judge_express", lambda **_: express)
    return _judged(watched, conditions, capture=capture, gesture=gesture)


def _express(
    verdict: Verdict = Verdict.LIVE, *reasons: VerdictReason, score: float | None = None, **changes: Any
) -> LivenessResult:
    usual = {Verdict.LIVE: 90.0, Verdict.SPOOF: 20.0, Verdict.INCONCLUSIVE: 60.0}[verdict]
    return LivenessResult(
        verdict=verdict,
        score=usual if score is None else score,
        policy=LivenessPolicy(),
        signals=(),
        **({"reasons": reasons or (VerdictReason.LOOKS_ALIVE,)} | changes),
    )


def _judged(
    seen: ScanObservations,
    conditions: CaptureConditions = _CLEAR,
    *,
    identified: int = 0,
    capture: CaptureKind = CaptureKind.SCAN,
    gesture: GestureRequest | None = None,
    challenge: ChallengeEvidence | None = None,
    **changes: Any,
) -> LivenessResult:
    given: dict[str, Any] = {"pad_scores": [], "cues": [], "model": load_fusion_model()}
    result = judge_scan(
        scan=seen,
        identified={identified},
        policy=LivenessPolicy(capture=capture),
        challenge=challenge,
        conditions=conditions,
        gestures=() if gesture is None else (gesture,),
        **(given | changes),
    ).result
    assert_consistent(result)
    return result


_TURNING = scan(observations(45), [segment(as_head(0.1), steps=45)])
_SHEET = scan(observations(45), [segment(as_plane(0.1), steps=45)])


def test_too_few_frames_a_second_are_neither_live_nor_an_attack() -> None:
    assert _judged(_TURNING).verdict is Verdict.LIVE
    assert _judged(_SHEET).verdict is Verdict.SPOOF
    slow = _judged(_TURNING, _SLOW)
    assert (slow.verdict, slow.reasons[0]) == (Verdict.INCONCLUSIVE, VerdictReason.TOO_FEW_FRAMES)
    assert _judged(_SHEET, _SLOW).verdict is Verdict.INCONCLUSIVE
    both = _judged(_WATCHED, CaptureConditions(too_slow=True, turned=True))
    assert both.reasons[:2] == (VerdictReason.WRONG_ROTATION, VerdictReason.TOO_FEW_FRAMES)


def test_turned_pictures_explain_why_too_few_faces_were_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    why = VerdictReason.TOO_FEW_USABLE_FACES, VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE
    result = _judge(monkeypatch, _TURNED, Verdict.INCONCLUSIVE, *why)
    assert result.reasons == (VerdictReason.WRONG_ROTATION, VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE)


@pytest.mark.parametrize("verdict", [Verdict.SPOOF, Verdict.LIVE])
def test_turned_pictures_explain_no_decision(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    result = _judge(monkeypatch, _TURNED, verdict, VerdictReason.EVIDENCE_TOO_WEAK)
    assert (result.verdict, result.reasons) == (verdict, (VerdictReason.EVIDENCE_TOO_WEAK,))


_GREY = (FrameCues(frame_index=0, values={COLOURLESS: 1.0}),)
_NETWORK = (PadScore(frame_index=0, network="facegate_pad_v1", real_probability=0.001),)
_CHIP = np.random.default_rng(1).integers(0, 256, CHIP_SHAPE, dtype=np.uint8)
_ONE_PICTURE = scan(observations(45, chip=_CHIP), [segment(as_head(0.1), steps=45)])
"""A scan that else looks alive, and in which the face is one picture."""


def test_one_picture_is_a_doubt_that_a_flash_resolves() -> None:
    doubted = _judged(_ONE_PICTURE)
    assert (doubted.verdict, doubted.reasons) == (
        Verdict.INCONCLUSIVE,
        (VerdictReason.ONE_PICTURE_MOVED,),
    )
    evidence = ChallengeEvidence(
        limits=DynamicPolicy(),
        flash=FlashEvidence(steps=(), samples=()),
        movement=None,
        model=load_flash_model(),
    )
    flashed = _judged(_ONE_PICTURE, challenge=evidence)
    assert VerdictReason.ONE_PICTURE_MOVED not in flashed.reasons
    assert not any(signal.name == "one_picture" for signal in flashed.signals)


def test_the_trusted_image_of_a_document_is_a_spoof_whatever_else_the_scan_shows() -> None:
    trusted = TrustedFace(_CHIP, document=True)
    shown = _judged(_ONE_PICTURE, trusted=trusted)
    assert (shown.verdict, shown.reasons[0]) == (Verdict.SPOOF, VerdictReason.SHOWS_TRUSTED_IMAGE)
    still = _judged(_ONE_PICTURE, trusted=trusted, capture=CaptureKind.FRAMES)
    assert VerdictReason.SHOWS_TRUSTED_IMAGE not in still.reasons


@pytest.mark.parametrize("score", [0.001, 0.5, 0.999])
def test_a_scan_of_a_grey_camera_is_neither_live_nor_an_attack(score: float) -> None:
    scores = [replace(_NETWORK[0], real_probability=score)]
    for pad_scores in (scores, []):
        grey = _judged(_TURNING, cues=_GREY, pad_scores=pad_scores)
        assert (grey.verdict, grey.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.NO_COLOURS,))
    one_coloured = [*_GREY, FrameCues(frame_index=1, values={})]
    for cues in ([], one_coloured):
        coloured = _judged(_TURNING, cues=cues, pad_scores=_NETWORK)
        assert coloured.verdict is Verdict.SPOOF


def test_motion_proves_an_attack_without_colours_too() -> None:
    result = _judged(_SHEET, cues=_GREY, pad_scores=_NETWORK)
    assert (result.verdict, result.reasons[0]) == (Verdict.SPOOF, VerdictReason.MOVES_AS_A_PLANE)


@pytest.mark.parametrize("capture", [CaptureKind.FRAME, CaptureKind.FRAMES])
@pytest.mark.parametrize("score", [0.001, 0.999])
def test_still_images_without_colours_are_not_judged_by_the_networks(
    capture: CaptureKind, score: float
) -> None:
    for scores in ([replace(_NETWORK[0], real_probability=score)], []):
        grey = _judged(_TURNING, cues=_GREY, pad_scores=scores, capture=capture)
        assert (grey.verdict, grey.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.NO_COLOURS,))
    coloured = [FrameCues(frame_index=0, values={})]
    assert _judged(_TURNING, cues=coloured, pad_scores=_NETWORK, capture=capture).verdict is Verdict.SPOOF


_DARK = scan(observations(14, luminance=20.0), [segment(as_head(0.05), steps=14)])


@pytest.mark.parametrize("verdict", [Verdict.LIVE, Verdict.SPOOF])
def test_passive_signals_decide_nothing_in_the_dark(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    result = _judge(monkeypatch, _CLEAR, verdict, VerdictReason.NETWORK_SEES_ATTACK, watched=_DARK)
    assert (result.verdict, result.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.EVIDENCE_TOO_DARK,))


def test_dark_images_of_an_analysis_are_judged_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = (VerdictReason.NETWORK_SEES_ATTACK,)
    result = _judge(monkeypatch, _CLEAR, Verdict.SPOOF, *reasons, watched=_DARK, capture=CaptureKind.FRAME)
    assert (result.verdict, result.reasons) == (Verdict.SPOOF, reasons)


def test_motion_of_an_unidentified_face_is_not_counted() -> None:
    moved = {
        identified: [
            signal.score is not None
            for signal in _judged(_WATCHED, identified=identified).signals
            if signal.name == "planar_motion"
        ]
        for identified in (0, 99)
    }
    assert moved == {0: [True], 99: [False]}


@pytest.mark.parametrize(
    ("cover", "reason"),
    [
        (Cover.SUNGLASSES, VerdictReason.SUNGLASSES),
        (Cover.EYES, VerdictReason.EYES_NOT_VISIBLE),
        (Cover.MASK, VerdictReason.FACE_MASK),
        (Cover.MOUTH, VerdictReason.MOUTH_NOT_VISIBLE),
        (Cover.FACE, VerdictReason.FACE_OBSTRUCTED),
    ],
)
@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_covered_face_is_not_live(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict, cover: Cover, reason: VerdictReason
) -> None:
    frames = [
        replace(frame, cover=cover if at % 3 else Cover.NOTHING) for at, frame in enumerate(_WATCHED.frames)
    ]
    watched = replace(_WATCHED, frames=tuple(frames))
    result = _judge(monkeypatch, _CLEAR, verdict, VerdictReason.BLINK_NOT_SEEN, watched=watched)
    expected = {
        Verdict.LIVE: (Verdict.INCONCLUSIVE, (reason,)),
        Verdict.INCONCLUSIVE: (Verdict.INCONCLUSIVE, (reason, VerdictReason.BLINK_NOT_SEEN)),
        Verdict.SPOOF: (Verdict.SPOOF, (VerdictReason.BLINK_NOT_SEEN,)),
    }
    assert (result.verdict, result.reasons) == expected[verdict]


@pytest.mark.parametrize("capture", list(CaptureKind))
def test_a_file_of_several_persons_is_not_live(monkeypatch: pytest.MonkeyPatch, capture: CaptureKind) -> None:
    live = _judge(monkeypatch, _SEVERAL, Verdict.LIVE, VerdictReason.LOOKS_ALIVE, capture=capture)
    assert (live.verdict, live.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.SEVERAL_PERSONS,))
    unsure = _judge(
        monkeypatch, _SEVERAL, Verdict.INCONCLUSIVE, VerdictReason.EVIDENCE_TOO_WEAK, capture=capture
    )
    assert unsure.reasons == (VerdictReason.SEVERAL_PERSONS, VerdictReason.EVIDENCE_TOO_WEAK)
    spoof = _judge(monkeypatch, _SEVERAL, Verdict.SPOOF, VerdictReason.SHOWS_A_MEDIUM, capture=capture)
    assert (spoof.verdict, spoof.reasons) == (Verdict.SPOOF, (VerdictReason.SHOWS_A_MEDIUM,))


@pytest.mark.parametrize("capture", [CaptureKind.FRAME, CaptureKind.FRAMES])
def test_still_images_are_not_held_to_the_range_of_scans(
    monkeypatch: pytest.MonkeyPatch, capture: CaptureKind
) -> None:
    dark = scan([replace(frame, luminance=1.0) for frame in _WATCHED.frames], _WATCHED.motion)
    still = _judge(
        monkeypatch, _CLEAR, Verdict.LIVE, VerdictReason.LOOKS_ALIVE, watched=dark, capture=capture
    )
    assert still.verdict is Verdict.LIVE
    filmed = _judge(monkeypatch, _CLEAR, Verdict.LIVE, VerdictReason.LOOKS_ALIVE, watched=dark)
    assert filmed.verdict is Verdict.INCONCLUSIVE


_ASKED = GestureRequest(Gesture.OPEN_MOUTH, asked_at=0.2)


def _with_mouth(opened: bool) -> ScanObservations:
    """The scan in which the mouth is shut, and open in its last frames if ``opened``."""
    steps = [0.1] * 9 + [0.8] + [2.4] * len(_WATCHED.frames)
    gaps = [step if opened else 0.1 for step in steps[: len(_WATCHED.frames)]]
    frames = [replace(frame, mouth=gap) for frame, gap in zip(_WATCHED.frames, gaps, strict=True)]
    return replace(_WATCHED, frames=tuple(frames))


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_mouth_that_stays_shut_is_never_live_and_never_an_attack(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    given = VerdictReason.EVIDENCE_TOO_WEAK
    shut = _judge(monkeypatch, _CLEAR, verdict, given, watched=_with_mouth(False), gesture=_ASKED)
    expected = (
        (Verdict.INCONCLUSIVE, (VerdictReason.MOUTH_NOT_OPENED,))
        if verdict is Verdict.LIVE
        else (verdict, (given,))
    )
    assert (shut.verdict, shut.reasons) == expected
    opened = _judge(monkeypatch, _CLEAR, verdict, given, watched=_with_mouth(True), gesture=_ASKED)
    assert (opened.verdict, opened.reasons) == (verdict, (given,))
    assert [signal.passed for signal in opened.signals if signal.name == "mouth_opened"] == [True]


@pytest.mark.parametrize("side", [Gesture.TURN_LEFT, Gesture.TURN_RIGHT])
@pytest.mark.parametrize("turns", [0, 1, -1])
def test_only_a_head_that_turns_to_the_requested_side_is_live(
    monkeypatch: pytest.MonkeyPatch, side: Gesture, turns: int
) -> None:
    steps = [0.0] * 9 + [8.0] + [20.0] * len(_WATCHED.frames)
    frames = [replace(frame, yaw=turns * step) for frame, step in zip(_WATCHED.frames, steps, strict=False)]
    turned = replace(_WATCHED, frames=tuple(frames))
    request = GestureRequest(side, asked_at=0.2)
    result = _judge(
        monkeypatch, _CLEAR, Verdict.LIVE, VerdictReason.LOOKS_ALIVE, watched=turned, gesture=request
    )
    follows = turns == (1 if side is Gesture.TURN_LEFT else -1)
    assert (result.verdict is Verdict.LIVE) is follows
    assert (result.reasons == (VerdictReason.HEAD_NOT_TURNED,)) is not follows
    assert [signal.passed for signal in result.signals if signal.name == "head_turned"] == [follows]


def test_a_mouth_of_an_unidentified_face_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    express = _judge(monkeypatch, _CLEAR, Verdict.LIVE, VerdictReason.LOOKS_ALIVE)
    monkeypatch.setattr("liveness.judge.judge_express", lambda **_: express)
    opened = _with_mouth(True)
    assert _judged(opened, gesture=_ASKED).verdict is Verdict.LIVE
    other = _judged(opened, identified=99, gesture=_ASKED)
    assert (other.verdict, other.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.MOUTH_NOT_OPENED,))


def test_motion_after_the_request_does_not_count() -> None:
    """A mouth that opens moves against the rest of the face as no plane and no rigid head does."""
    flat_later = scan(observations(45), [segment(as_head(0.1), steps=20), segment(as_plane(0.1), steps=45)])
    asked = GestureRequest(Gesture.OPEN_MOUTH, asked_at=flat_later.frames[20].capture_time)
    cut = flat_later.until(asked.asked_at or 0.0)
    assert [len(part.frames) for part in cut.motion] == [20, 21]
    assert len(cut.frames) == 21
    measured = {signal.name: signal for signal in _judged(flat_later, gesture=asked).signals}
    alone = {signal.name: signal for signal in _judged(cut).signals}
    assert measured["planar_motion"] == alone["planar_motion"]


def test_frames_after_the_request_may_prove_an_attack() -> None:
    """A still picture of an open mouth, for as long as no camera stalls."""
    still = [
        replace(frame, samples=_TURNING.frames[20].samples) if frame.index > 20 else frame
        for frame in _TURNING.frames
    ]
    asked = GestureRequest(Gesture.OPEN_MOUTH, asked_at=_TURNING.frames[20].capture_time)
    result = _judged(replace(_TURNING, frames=tuple(still)), gesture=asked)
    assert (result.verdict, result.reasons[0]) == (Verdict.SPOOF, VerdictReason.FROZEN_FRAMES)


_SURE = NetworkCalibration(bias=0.0, weight=1.0, sure=90.0)
_NEVER = NetworkCalibration(bias=0.0, weight=1.0)
_OTHER = VerdictReason.SUNGLASSES


def _live(score: float) -> LivenessResult:
    return _express(score=score)


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


@pytest.mark.parametrize(
    ("score", "line", "live"), [(95.0, 95.0, True), (94.9, 95.0, False), (100.0, None, False)]
)
def test_an_early_look_has_a_line_of_its_own(score: float, line: float | None, live: bool) -> None:
    found, calibration = _live(score), replace(_SURE, sure_early=line)
    assert without_doubt(found, DoubtTerms(), calibration) == found
    judged = without_doubt(found, DoubtTerms(early=True), calibration)
    assert judged.verdict is (Verdict.LIVE if live else Verdict.INCONCLUSIVE)


def _scored(real: float, frames: int) -> list[PadScore]:
    return [PadScore(index, "one", real) for index in range(frames)]


@pytest.mark.parametrize(("frames", "live"), [(6, True), (5, False)])
def test_an_early_look_needs_a_judgement_of_each_half(frames: int, live: bool) -> None:
    model = load_fusion_model()
    known = {frozenset({"one"}): replace(_SURE, sure=60.0, sure_early=60.0)}
    lined = replace(model, scan_networks=replace(model.scan_networks, known=MappingProxyType(known)))
    judged = [
        _judged(
            _TURNING, pad_scores=_scored(0.999, frames), model=lined, doubt=DoubtTerms(early=early)
        ).verdict
        for early in (False, True)
    ]
    assert judged == [Verdict.LIVE, Verdict.LIVE if live else Verdict.INCONCLUSIVE]


def test_networks_alone_may_rule_out_that_an_early_look_is_clear() -> None:
    model = load_fusion_model()
    known = {frozenset[str](): _NEVER, frozenset({"one"}): replace(_SURE, sure_early=95.0)}
    lined = replace(model, scan_networks=replace(model.scan_networks, known=MappingProxyType(known)))
    assert may_be_sure_early(_scored(0.96, 6), lined)
    assert not may_be_sure_early(_scored(0.94, 6), lined)
    assert not may_be_sure_early(_scored(0.96, 5), lined), "each half is judged"
    assert not may_be_sure_early(_scored(0.99, 6), model), "networks without a line"
    assert not may_be_sure_early([], lined)


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
    found = _express(verdict, _OTHER)
    assert without_doubt(found, DoubtTerms(None, tuple(DOUBTS)), _NEVER) == found


def test_without_a_challenge_every_doubt_remains() -> None:
    doubts = tuple(DOUBTS)
    assert unresolved(doubts, None) == doubts
    assert unresolved((*doubts, _OTHER), ChallengeKind.FLASH) == (_OTHER,)


def test_every_doubt_has_a_challenge_that_resolves_it_and_nothing_else_has() -> None:
    assert frozenset().union(*RESOLVES.values()) == DOUBTS


def test_a_scan_is_judged_with_the_line_of_its_networks() -> None:
    assert _judged(_TURNING, doubt=DoubtTerms()).reasons == (VerdictReason.NOT_SURE,)
    for doubt in (None, DoubtTerms(ChallengeKind.GESTURES)):
        assert _judged(_TURNING, doubt=doubt).verdict is Verdict.LIVE


@pytest.mark.parametrize("reason", sorted(DOUBTS))
@pytest.mark.parametrize("short", [None, *sorted(TOO_LITTLE_SEEN)])
def test_a_capture_that_shows_too_little_raises_no_doubt(
    reason: VerdictReason, short: VerdictReason | None
) -> None:
    reasons = (_OTHER, reason) if short is None else (short, reason)
    found = _express(Verdict.INCONCLUSIVE, *reasons)
    assert found.doubts == ((reason,) if short is None else ())
    assert replace(found, verdict=Verdict.SPOOF).doubts == ()


_RANGE = ExpressSettings().calibrated
_WIDTHS = st.floats(1, 2000)
_SHARPNESS = st.floats(0, 5000)
_LIGHT = st.floats(0, 255)


def _frame(index: int, width: float, sharpness: float, luminance: float) -> FrameObservation:
    return observation(index, face=face_at(width=width), sharpness=sharpness, luminance=luminance)


_FRAMES = st.lists(st.tuples(_WIDTHS, _SHARPNESS, _LIGHT), max_size=12).map(
    lambda rows: [_frame(index, *row) for index, row in enumerate(rows)]
)


@given(verdict=st.sampled_from(Verdict), frames=_FRAMES)
def test_only_live_changes_and_only_to_inconclusive(verdict: Verdict, frames: list[FrameObservation]) -> None:
    before, watched = _express(verdict), scan(frames)
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


_DOUBT_DARK = VerdictReason.EVIDENCE_TOO_DARK
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
        (_of_light(80), (_BRIGHT,), (_BRIGHT,)),
        (_of_light(0, luminance=60.0), (), ()),
        (_of_light(0, luminance=50.0), (_BRIGHT,), (_BRIGHT,)),
        (_of_light(0, luminance=35.0), (_DOUBT_DARK, _BRIGHT), (_DOUBT_DARK, _BRIGHT)),
        (_of_light(0, sharpness=3.0), (VerdictReason.EVIDENCE_BLURRED,), ()),
        (_of_light(0, face=face_at(width=400)), (), ()),
        (_of_light(0, face=face_at(width=430)), (), (VerdictReason.FACE_TOO_LARGE,)),
        (
            scan([_frame(0, 900.0, 1500.0, 200.0)]),
            (_BRIGHT, VerdictReason.FACE_TOO_LARGE, VerdictReason.EVIDENCE_TOO_NOISY),
            (_BRIGHT, VerdictReason.FACE_TOO_LARGE),
        ),
        (scan([]), (VerdictReason.TOO_FEW_USABLE_FACES,), ()),
    ],
)
def test_light_in_which_the_networks_err_decides_for_neither_side(
    watched: ScanObservations, live: tuple[VerdictReason, ...], spoof: tuple[VerdictReason, ...]
) -> None:
    assert reasons_outside_calibration(watched) == live
    attacked = _express(Verdict.SPOOF)
    after = undecided_if_unclear(watched, attacked)
    assert_consistent(after)
    if spoof:
        assert (after.verdict, after.reasons) == (Verdict.INCONCLUSIVE, spoof)
    else:
        assert after is attacked
    # Repeated frames prove an attack in any light, and nothing but an attack is undone.
    injected = replace(attacked, attack=AttackType.INJECTION)
    for found in (injected, _express(Verdict.LIVE), _express(Verdict.INCONCLUSIVE)):
        assert undecided_if_unclear(watched, found) is found


# No part of a result contradicts another, whatever its source.

_SETTINGS = load_flash_model().judge


@st.composite
def flash_results(draw: st.DrawFn) -> FlashResult:
    finding = draw(st.sampled_from(ChallengeFinding))
    reason = None if finding is ChallengeFinding.RIGHT else draw(st.sampled_from(VerdictReason))
    return FlashResult(
        finding, reason, draw(st.floats(0, 40)), draw(st.floats(-60, 60)), 0.06, (), frozenset(), (), ""
    )


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


@pytest.mark.parametrize(
    ("score", "verdict", "confidence"),
    [(99.0, Verdict.INCONCLUSIVE, 69.0), (5.0, Verdict.INCONCLUSIVE, 31.0), (96.0, Verdict.SPOOF, 30.0)],
)
def test_a_verdict_other_than_the_scores_keeps_its_side_of_the_thresholds(
    score: float, verdict: Verdict, confidence: float
) -> None:
    result = replace(_express(score=96.0), score=score, verdict=verdict)
    assert (result.confidence, result.score) == (confidence, score)


@pytest.mark.parametrize(
    ("score", "changes"),
    [
        (69.9, {}),
        (float("nan"), {}),
        (90.0, {"reasons": ()}),
        (90.0, {"attack": AttackType.REAL}),
    ],
)
def test_contradictory_results_are_refused(score: float, changes: dict[str, Any]) -> None:
    with pytest.raises(ContradictoryResult):
        _express(score=score, **changes)


# One capture judged three times: as a scan, by its eight selected frames, and by one of them.


@dataclass(frozen=True)
class _Capture:
    """A scan with the models' answers for its selected frames."""

    scan: ScanObservations
    selected: tuple[int, ...]
    scores: tuple[PadScore, ...]
    cues: tuple[FrameCues, ...]

    def only(self, indices: Sequence[int]) -> "_Capture":
        """The part of the scan with only these frames."""
        return _Capture(
            scan=ScanObservations(
                frames=tuple(frame for frame in self.scan.frames if frame.index in indices), motion=()
            ),
            selected=tuple(indices),
            scores=tuple(score for score in self.scores if score.frame_index in indices),
            cues=tuple(cue for cue in self.cues if cue.frame_index in indices),
        )

    def judge(self, capture: CaptureKind) -> LivenessResult:
        return judge_express(
            scan=self.scan,
            pad_scores=self.scores,
            policy=LivenessPolicy(capture=capture),
            model=load_fusion_model(),
            cues=self.cues,
        )


@cache
def _captured(clip: Path, pack_name: str) -> _Capture:
    pack = shared_pack(pack_name)
    window = next(clip_windows(clip, seconds=3.0))
    scan = observe_scan(window, pack, subject=SCAN_SUBJECT)
    selected = select_frames(scan.frames)
    faces = {frame.index: frame.face for frame in scan.frames if frame.face is not None}
    return _Capture(
        scan=scan,
        selected=selected,
        scores=tuple(
            PadScore(index, network.name, network.real_probability(window[index][1], faces[index]))
            for index in selected
            for network in pack.pad_networks
        ),
        cues=tuple(
            measure_frame_cues(window[index][1], faces[index], frame_index=index)
            for index in spread_of(selected, CUE_FRAMES)
        ),
    )


@pytest.fixture
def person(assets: Path) -> _Capture:
    clip = assets / "data/video/live/KwaiVGI__assets__examples__driving__d3.mp4"
    return _captured(clip, f"open:{assets / 'models'}")


@pytest.fixture
def replay(assets: Path) -> _Capture:
    clip = assets / "data/video/spoof/lestari15__videos__fake.mp4"
    return _captured(clip, f"open:{assets / 'models'}")


def test_a_person_is_live_as_a_scan_as_frames_and_as_one_frame(person: _Capture) -> None:
    frames = person.only(person.selected)
    one = person.only(person.selected[3:4])
    as_scan, as_frames, as_one = (
        person.judge(CaptureKind.SCAN),
        frames.judge(CaptureKind.FRAMES),
        one.judge(CaptureKind.FRAME),
    )
    assert (as_scan.verdict, as_scan.reasons) == (Verdict.LIVE, (VerdictReason.LOOKS_ALIVE,))
    assert (as_frames.verdict, as_frames.reasons) == (Verdict.LIVE, (VerdictReason.LOOKS_GENUINE,))
    assert (as_one.verdict, as_one.reasons) == (Verdict.LIVE, (VerdictReason.LOOKS_GENUINE,))
    assert as_one.confidence < as_scan.confidence


def test_a_replay_is_a_spoof_as_a_scan_and_never_live(replay: _Capture) -> None:
    as_scan = replay.judge(CaptureKind.SCAN)
    assert as_scan.verdict is Verdict.SPOOF, as_scan
    assert as_scan.attack_type is AttackType.UNKNOWN
    as_frames = replay.only(replay.selected).judge(CaptureKind.FRAMES)
    assert as_frames.verdict is not Verdict.LIVE
    assert as_frames.confidence < 50
    each = [replay.only((index,)).judge(CaptureKind.FRAME) for index in replay.selected]
    assert all(as_one.verdict is not Verdict.LIVE for as_one in each)
    assert median(as_one.confidence for as_one in each) < 40


def test_a_check_takes_neither_eight_frames_nor_one_for_a_scan(person: _Capture) -> None:
    for indices in (person.selected, person.selected[3:4]):
        result = person.only(indices).judge(CaptureKind.SCAN)
        assert result.verdict is Verdict.INCONCLUSIVE, result
        assert VerdictReason.LOOKS_GENUINE not in result.reasons


def test_single_frames_are_judged_without_motion(person: _Capture) -> None:
    moving = person.judge(CaptureKind.FRAMES)
    still = replace(person, scan=replace(person.scan, motion=())).judge(CaptureKind.FRAMES)
    assert moving.confidence == still.confidence
    weights = {signal.name: signal.weight for signal in moving.signals}
    assert weights["pad_network"] > 0
    assert all(weights[name] == 0 for name in ("planar_motion", "micro_motion", "blink", "stillness"))
    assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("capture", list(CaptureKind))
def test_every_signal_is_named_however_little_there_is(person: _Capture, capture: CaptureKind) -> None:
    full = [signal.name for signal in person.judge(CaptureKind.SCAN).signals]
    for indices in (person.selected, person.selected[:1], ()):
        result = person.only(indices).judge(capture)
        assert [signal.name for signal in result.signals] == full
        assert result.reasons
        if not indices:
            assert (result.verdict, result.confidence) == (Verdict.INCONCLUSIVE, 50.0)
