"""One scan to its verdict: the conditions of its capture come last."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from liveness.dynamic.model import load_flash_model
from liveness.dynamic.policy import DynamicPolicy
from liveness.express.cues import COLOURLESS, FrameCues
from liveness.express.pad_network import PadScore
from liveness.fusion_model import load_fusion_model
from liveness.gestures import Gesture, GestureRequest
from liveness.judge import CaptureConditions, ChallengeEvidence, FlashEvidence, ScanLiveness, judge_scan
from liveness.observation import ScanObservations
from liveness.occlusion import Cover
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.shown_picture import TrustedFace
from liveness.verdict import LivenessResult, Verdict, VerdictReason
from tests.liveness.builders import as_head, as_plane, observations, scan, segment
from tests.liveness.results import assert_consistent
from vision.geometry import CHIP_SHAPE

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
    express = LivenessResult(
        verdict=verdict,
        score=90.0 if verdict is Verdict.LIVE else 20.0,
        policy=LivenessPolicy(),
        signals=(),
        reasons=reasons,
    )
    monkeypatch.setattr("liveness.judge.judge_express", lambda **_: express)
    judged = _judged(watched, conditions, capture=capture, gesture=gesture)
    assert judged.flash is None
    assert_consistent(judged.result)
    return judged.result


def _judged(
    seen: ScanObservations,
    conditions: CaptureConditions,
    *,
    identified: int = 0,
    capture: CaptureKind = CaptureKind.SCAN,
    gesture: GestureRequest | None = None,
    challenge: ChallengeEvidence | None = None,
    trusted: TrustedFace | None = None,
) -> ScanLiveness:
    return judge_scan(
        scan=seen,
        identified={identified},
        pad_scores=[],
        cues=[],
        policy=LivenessPolicy(capture=capture),
        model=load_fusion_model(),
        challenge=challenge,
        conditions=conditions,
        gestures=() if gesture is None else (gesture,),
        trusted=trusted,
    )


@pytest.mark.parametrize("verdict", list(Verdict))
def test_under_clear_conditions_the_signals_decide(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    result = _judge(monkeypatch, _CLEAR, verdict, VerdictReason.LOOKS_ALIVE)
    assert (result.verdict, result.reasons) == (verdict, (VerdictReason.LOOKS_ALIVE,))


def test_too_few_frames_a_second_are_never_live() -> None:
    turning = scan(observations(45), [segment(as_head(0.1), steps=45)])
    assert _judged(turning, _CLEAR).result.verdict is Verdict.LIVE
    slow = _judged(turning, _SLOW).result
    assert (slow.verdict, slow.reasons[0]) == (Verdict.INCONCLUSIVE, VerdictReason.TOO_FEW_FRAMES)


def test_too_few_frames_a_second_are_no_attack() -> None:
    sheet = scan(observations(45), [segment(as_plane(0.1), steps=45)])
    assert _judged(sheet, _CLEAR).result.verdict is Verdict.SPOOF
    assert _judged(sheet, _SLOW).result.verdict is Verdict.INCONCLUSIVE


def test_turned_pictures_explain_why_too_few_faces_were_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    why = VerdictReason.TOO_FEW_USABLE_FACES, VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE
    result = _judge(monkeypatch, _TURNED, Verdict.INCONCLUSIVE, *why)
    assert result.reasons == (VerdictReason.WRONG_ROTATION, VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE)


@pytest.mark.parametrize("verdict", [Verdict.SPOOF, Verdict.LIVE])
def test_turned_pictures_explain_no_decision(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    result = _judge(monkeypatch, _TURNED, verdict, VerdictReason.EVIDENCE_TOO_WEAK)
    assert (result.verdict, result.reasons) == (verdict, (VerdictReason.EVIDENCE_TOO_WEAK,))


def test_rotated_frames_explain_a_slow_scan() -> None:
    result = _judged(_WATCHED, CaptureConditions(too_slow=True, turned=True)).result
    assert result.reasons[:2] == (VerdictReason.WRONG_ROTATION, VerdictReason.TOO_FEW_FRAMES)


_GREY = (FrameCues(frame_index=0, values={COLOURLESS: 1.0}),)
_NETWORK = (PadScore(frame_index=0, network="facegate_pad_v1", real_probability=0.001),)
_TURNING = scan(observations(45), [segment(as_head(0.1), steps=45)])


def _still(*, flashed: bool) -> ScanLiveness:
    """The judgement of a scan that else looks alive, and in which the face is one picture."""
    chip = np.random.default_rng(1).integers(0, 256, CHIP_SHAPE, dtype=np.uint8)
    seen = scan(observations(45, chip=chip), [segment(as_head(0.1), steps=45)])
    evidence = ChallengeEvidence(
        limits=DynamicPolicy(),
        flash=FlashEvidence(steps=(), samples=()) if flashed else None,
        movement=None,
        model=load_flash_model(),
    )
    return _judged(seen, _CLEAR, challenge=evidence if flashed else None)


def test_one_picture_is_a_doubt_that_a_flash_resolves() -> None:
    doubted = _still(flashed=False).result
    assert (doubted.verdict, doubted.reasons) == (
        Verdict.INCONCLUSIVE,
        (VerdictReason.ONE_PICTURE_MOVED,),
    )
    flashed = _still(flashed=True).result
    assert VerdictReason.ONE_PICTURE_MOVED not in flashed.reasons
    assert not any(signal.name == "one_picture" for signal in flashed.signals)


def test_the_trusted_image_of_a_document_is_a_spoof_whatever_else_the_scan_shows() -> None:
    chip = np.random.default_rng(1).integers(0, 256, CHIP_SHAPE, dtype=np.uint8)
    seen = scan(observations(45, chip=chip), [segment(as_head(0.1), steps=45)])
    shown = _judged(seen, _CLEAR, trusted=TrustedFace(chip, document=True)).result
    assert (shown.verdict, shown.reasons[0]) == (Verdict.SPOOF, VerdictReason.SHOWS_TRUSTED_IMAGE)
    still = _judged(seen, _CLEAR, trusted=TrustedFace(chip, document=True), capture=CaptureKind.FRAMES).result
    assert VerdictReason.SHOWS_TRUSTED_IMAGE not in still.reasons


def _of_colours(
    cues: Sequence[FrameCues],
    seen: ScanObservations = _TURNING,
    *,
    pad_scores: Sequence[PadScore] = _NETWORK,
    capture: CaptureKind = CaptureKind.SCAN,
    challenge: ChallengeEvidence | None = None,
) -> LivenessResult:
    result = judge_scan(
        scan=seen,
        identified={0},
        pad_scores=pad_scores,
        cues=cues,
        policy=LivenessPolicy(capture=capture),
        model=load_fusion_model(),
        challenge=challenge,
        conditions=_CLEAR,
    ).result
    assert_consistent(result)
    return result


def test_a_grey_camera_is_no_attack() -> None:
    assert _of_colours([]).verdict is Verdict.SPOOF
    grey = _of_colours(_GREY)
    assert (grey.verdict, grey.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.NO_COLOURS,))


@pytest.mark.parametrize("score", [0.001, 0.5, 0.999])
def test_a_scan_without_colours_is_never_live(score: float) -> None:
    scores = [replace(_NETWORK[0], real_probability=score)]
    assert _of_colours(_GREY, pad_scores=scores).verdict is Verdict.INCONCLUSIVE
    assert _of_colours(_GREY, pad_scores=()).verdict is Verdict.INCONCLUSIVE


def test_one_frame_with_colours_is_enough_for_the_networks() -> None:
    coloured = FrameCues(frame_index=1, values={})
    assert _of_colours([*_GREY, coloured]).verdict is Verdict.SPOOF


def test_motion_proves_an_attack_without_colours_too() -> None:
    sheet = scan(observations(45), [segment(as_plane(0.1), steps=45)])
    result = _of_colours(_GREY, sheet)
    assert (result.verdict, result.reasons[0]) == (Verdict.SPOOF, VerdictReason.MOVES_AS_A_PLANE)


@pytest.mark.parametrize("capture", [CaptureKind.FRAME, CaptureKind.FRAMES])
@pytest.mark.parametrize("score", [0.001, 0.999])
def test_still_images_without_colours_are_not_judged_by_the_networks(
    capture: CaptureKind, score: float
) -> None:
    for scores in ([replace(_NETWORK[0], real_probability=score)], []):
        grey = _of_colours(_GREY, pad_scores=scores, capture=capture)
        assert (grey.verdict, grey.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.NO_COLOURS,))
    assert _of_colours([FrameCues(frame_index=0, values={})], capture=capture).verdict is Verdict.SPOOF


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
            for signal in _judged(_WATCHED, _CLEAR, identified=identified).result.signals
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


def test_a_face_that_was_covered_for_a_moment_may_be_live(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [
        replace(frame, cover=Cover.NOTHING if at % 3 else Cover.MASK)
        for at, frame in enumerate(_WATCHED.frames)
    ]
    watched = replace(_WATCHED, frames=tuple(frames))
    result = _judge(monkeypatch, _CLEAR, Verdict.LIVE, VerdictReason.LOOKS_ALIVE, watched=watched)
    assert result.verdict is Verdict.LIVE


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
    assert _judged(opened, _CLEAR, identified=0, gesture=_ASKED).result.verdict is Verdict.LIVE
    other = _judged(opened, _CLEAR, identified=99, gesture=_ASKED).result
    assert (other.verdict, other.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.MOUTH_NOT_OPENED,))


def test_without_the_demand_the_mouth_is_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    result = _judge(monkeypatch, _CLEAR, Verdict.LIVE, VerdictReason.LOOKS_ALIVE, watched=_with_mouth(False))
    assert result.verdict is Verdict.LIVE
    assert not any(signal.name == "mouth_opened" for signal in result.signals)


def test_motion_after_the_request_does_not_count() -> None:
    """A mouth that opens moves against the rest of the face as no plane and no rigid head does."""
    flat_later = scan(observations(45), [segment(as_head(0.1), steps=20), segment(as_plane(0.1), steps=45)])
    asked = GestureRequest(Gesture.OPEN_MOUTH, asked_at=flat_later.frames[20].capture_time)
    cut = flat_later.until(asked.asked_at or 0.0)
    assert [len(part.frames) for part in cut.motion] == [20, 21]
    assert len(cut.frames) == 21
    judged = _judged(flat_later, _CLEAR, gesture=asked).result
    measured = {signal.name: signal for signal in judged.signals}
    alone = {signal.name: signal for signal in _judged(cut, _CLEAR).result.signals}
    assert measured["planar_motion"] == alone["planar_motion"]


def test_frames_after_the_request_may_prove_an_attack() -> None:
    """A still picture of an open mouth, for as long as no camera stalls."""
    turning = scan(observations(45), [segment(as_head(0.1), steps=45)])
    still = [
        replace(frame, samples=turning.frames[20].samples) if frame.index > 20 else frame
        for frame in turning.frames
    ]
    asked = GestureRequest(Gesture.OPEN_MOUTH, asked_at=turning.frames[20].capture_time)
    result = _judged(replace(turning, frames=tuple(still)), _CLEAR, gesture=asked).result
    assert (result.verdict, result.reasons[0]) == (Verdict.SPOOF, VerdictReason.FROZEN_FRAMES)
