"""The judgement of an attempt, and the conditions of another attempt."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import ArrayLike

from attempt.analyst import ExaminedFrame
from attempt.judgement import (
    MINIMUM_MATCH_FRAMES,
    AttemptEvidence,
    AttemptJudgement,
    StandingLine,
    judge_attempt,
)
from liveness.continuity import unexamined_stretches
from liveness.doubt import DoubtTerms
from liveness.dynamic.judge import FlashResult
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.policy import ChallengeFinding, DynamicPolicy
from liveness.express.cues import FrameCues
from liveness.express.pad_network import PadScore
from liveness.fusion_model import load_fusion_model
from liveness.judge import ChallengeEvidence, FlashEvidence
from liveness.observation import FrameObservation, MotionSegment, RegionChange, ScanObservations
from liveness.policy import LivenessPolicy
from liveness.selection import best_frame
from liveness.verdict import LivenessResult, Signal, Verdict, VerdictReason
from matcher.comparison import MatchPolicy
from matcher.template import TemplateSample
from tests.attempt.capturing import capture_of, frame_at
from tests.liveness.builders import as_head, as_plane, face_at, observation, observations, scan, segment
from tests.liveness.fusing import assert_consistent
from tests.matcher.calibrations import THREE_DECADES
from tests.server.models_once import remembering_pack
from vision.face import BgrImage, Embedding
from vision.image import encode_jpeg
from vision.packs import MatchCalibration, Template


def _at(cosine: float) -> Embedding:
    """A template of that cosine to the portrait's, all of one plane."""
    return np.array([cosine, np.sqrt(1 - cosine**2), 0.0], np.float32)


def _aside(cosine: float) -> Embedding:
    """Another template of that cosine to the portrait's, in another plane."""
    return np.array([cosine, 0.0, np.sqrt(1 - cosine**2)], np.float32)


PORTRAIT = Template(np.array([1.0, 0.0, 0.0], np.float32), "form")

WATCHED = scan(observations(14), [segment(as_head(0.05), steps=14)])
"""A scan whose face was followed from the first frame to the last."""

LOST = scan(observations(14))
"""A scan whose face was lost after every frame."""


def _sample(vector: Embedding) -> TemplateSample:
    return TemplateSample(Template(vector, PORTRAIT.form_id), 0.5)


def _examined(templates: Sequence[Embedding], *, start: int = 0) -> list[ExaminedFrame]:
    return [
        ExaminedFrame(frame_index=index, sample=_sample(template))
        for index, template in enumerate(templates, start)
    ]


def _constancy(judgement: AttemptJudgement) -> Signal:
    (signal,) = [signal for signal in judgement.liveness.signals if signal.name == "identity_constancy"]
    return signal


def _result(
    verdict: Verdict = Verdict.LIVE, reasons: tuple[VerdictReason, ...] = (VerdictReason.LOOKS_ALIVE,)
) -> LivenessResult:
    score = 90.0 if verdict is Verdict.LIVE else 50.0
    return LivenessResult(verdict=verdict, score=score, policy=LivenessPolicy(), signals=(), reasons=reasons)


def _attempt(
    *,
    scan: ScanObservations = WATCHED,
    examined: Sequence[ExaminedFrame],
    witnesses: Sequence[ExaminedFrame] = (),
    pad_scores: Sequence[PadScore] = (),
    portrait: Template = PORTRAIT,
    calibration: MatchCalibration = THREE_DECADES,
    doubt: DoubtTerms | None = None,
    **changes: Any,
) -> AttemptJudgement:
    judgement = judge_attempt(
        AttemptEvidence(
            scan=scan,
            examined=tuple(examined),
            witnesses=tuple(witnesses),
            pad_scores=tuple(pad_scores),
            **changes,
        ),
        portrait=portrait,
        calibration=calibration,
        liveness_policy=LivenessPolicy(),
        match_policy=MatchPolicy(max_fmr=1e-2),
        fusion=load_fusion_model(),
        doubt=doubt,
    )
    assert_consistent(judgement.liveness)
    return judgement


def _judge(
    monkeypatch: pytest.MonkeyPatch,
    *,
    verdict: Verdict = Verdict.LIVE,
    reasons: tuple[VerdictReason, ...] = (VerdictReason.LOOKS_ALIVE,),
    templates: Sequence[Embedding] = (_at(0.9),) * 4,
    witnesses: Sequence[Embedding] = (),
    further: Sequence[ExaminedFrame] = (),
    watched: ScanObservations = WATCHED,
    **changes: Any,
) -> AttemptJudgement:
    """The judgement if the passive signals give ``verdict``."""
    monkeypatch.setattr("liveness.judge.judge_express", lambda **_: _result(verdict, reasons))
    return _attempt(
        scan=watched,
        examined=[*_examined(templates), *further],
        witnesses=_examined(witnesses, start=len(templates)),
        **changes,
    )


def test_cues_of_the_selected_frames_and_all_scores_of_networks_reach_the_judge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, object] = {}

    def judged(**arguments: object) -> LivenessResult:
        given.update(arguments)
        return _result()

    monkeypatch.setattr("liveness.judge.judge_express", judged)
    cues = FrameCues(frame_index=1, values={"moire": 2.0})
    first, second, third = _examined([_at(0.9)] * 3)
    # Networks are run on other frames than the selected ones.
    scores = (PadScore(4, "one", 0.9), PadScore(4, "other", 0.8), PadScore(9, "one", 0.7))
    _attempt(
        examined=[third, first, replace(second, cues=cues)],
        witnesses=_examined([_at(0.9)], start=5),
        pad_scores=scores,
    )
    assert given["cues"] == [cues]
    assert given["pad_scores"] == scores


def test_live_and_the_same_person_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    judgement = _judge(monkeypatch, hints=("TOO_DARK",))
    assert judgement.match is not None
    assert judgement.match.same_person
    assert judgement.match_frames == 4
    assert judgement.identity_constant is True
    assert not judgement.retryable
    assert judgement.feedback == ()
    signal = _constancy(judgement)
    # The calibration supports a bound of 1e-3: similarity 80.
    assert signal.score == pytest.approx(0.8)
    assert (signal.passed, signal.weight) == (True, 0.0)
    assert "they represent 100 % of the frames" in signal.detail
    assert "at a bound on FMR of 0.001. Above 0.03" in signal.detail
    assert len(signal.detail) <= 500


@pytest.mark.parametrize(
    ("measured", "hint", "spoof_stands"),
    [
        ({"luminance": 25.0}, "TOO_DARK", False),
        ({"luminance": 230.0}, "TOO_BRIGHT", False),
        ({"sharpness": 5.0}, "BLURRED", True),
        ({"sharpness": 2000.0}, "LOW_VIDEO_QUALITY", True),
        ({"face": face_at(width=40.0)}, "MOVE_CLOSER", True),
        ({"face": face_at(width=900.0)}, "MOVE_BACK", False),
    ],
)
def test_frames_that_do_not_show_the_person_are_tried_again_with_the_hint_that_helps(
    monkeypatch: pytest.MonkeyPatch, measured: dict[str, object], hint: str, *, spoof_stands: bool
) -> None:
    watched = scan(observations(14, **measured), [segment(as_head(0.05), steps=14)])
    live = _judge(monkeypatch, watched=watched)
    assert live.liveness.verdict is Verdict.INCONCLUSIVE
    assert live.retryable
    assert not live.adverse
    assert live.feedback == (hint,)
    spoof = _judge(monkeypatch, verdict=Verdict.SPOOF, watched=watched)
    assert (spoof.liveness.verdict is Verdict.SPOOF) is spoof_stands
    assert spoof.retryable is not spoof_stands


_LINE = StandingLine()


@pytest.mark.parametrize(
    ("frames", "selected", "complete", "ample"),
    [
        (46, _LINE.selected, False, True),
        (45, _LINE.selected, False, False),
        (46, _LINE.selected - 1, False, False),
        (9, 1, True, True),
    ],
)
def test_findings_against_a_person_count_once_enough_frames_were_measured(
    monkeypatch: pytest.MonkeyPatch, frames: int, selected: int, complete: bool, ample: bool
) -> None:
    judged = functools.partial(
        _judge,
        monkeypatch,
        watched=scan(observations(frames), [segment(as_head(0.05), steps=frames)]),
        complete=complete,
    )
    same, other = [_at(0.9)] * selected, [_at(0.1)] * selected
    assert judged(verdict=Verdict.SPOOF, templates=same).stands is ample
    for verdict in (Verdict.LIVE, Verdict.INCONCLUSIVE):
        judgement = judged(verdict=verdict, templates=same)
        assert not judgement.adverse
        assert not judgement.stands
    if selected >= MINIMUM_MATCH_FRAMES:
        assert judged(templates=other).stands is ample
        changed = judged(templates=[*[_at(0.25)] * (selected - 1), _aside(0.25)])
        assert changed.identity_constant is False
        assert changed.stands is ample


@pytest.mark.parametrize(
    ("reason", "hints", "feedback"),
    [
        (VerdictReason.EYES_CLOSED, [], ["EYES_CLOSED"]),
        (VerdictReason.SHOWS_TRUSTED_IMAGE, [], ["TURN_HEAD_SLIGHTLY"]),
        (VerdictReason.ONE_PICTURE_MOVED, [], ["TURN_HEAD_SLIGHTLY"]),
        (VerdictReason.EVIDENCE_TOO_WEAK, ["TOO_DARK"], ["TOO_DARK", "TURN_HEAD_SLIGHTLY"]),
        # A sign that was shown is not asked for again.
        (
            VerdictReason.BLINK_NOT_SEEN,
            ["TURN_HEAD_SLIGHTLY", "BLINK", "CENTER_FACE"],
            ["BLINK", "CENTER_FACE"],
        ),
        # Too few frames without slowness blame no lens.
        (VerdictReason.TOO_FEW_FRAMES, [], ["TIMED_OUT"]),
    ],
)
def test_an_inconclusive_attempt_is_tried_again_with_what_the_person_can_change(
    monkeypatch: pytest.MonkeyPatch, reason: VerdictReason, hints: list[str], feedback: list[str]
) -> None:
    judgement = _judge(monkeypatch, verdict=Verdict.INCONCLUSIVE, reasons=(reason,), hints=tuple(hints))
    assert judgement.retryable
    assert list(judgement.feedback) == feedback


def test_doubt_that_a_challenge_follows_gives_no_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = (VerdictReason.ONE_PICTURE_MOVED, VerdictReason.EYES_CLOSED)
    judgement = _judge(monkeypatch, verdict=Verdict.INCONCLUSIVE, reasons=reasons, doubt=DoubtTerms())
    assert judgement.retryable
    assert judgement.feedback == ("EYES_CLOSED",)


@pytest.mark.parametrize(("bits", "hint"), [(13.0, "TOO_BRIGHT"), (9.0, "HOLD_STILL")])
def test_if_all_colours_are_proven_stillness_does_not_help(
    monkeypatch: pytest.MonkeyPatch, bits: float, hint: str
) -> None:
    found = FlashResult(
        ChallengeFinding.NOT_MEASURABLE,
        VerdictReason.CHALLENGE_NOT_MEASURABLE,
        bits,
        odds=0.0,
        lag=0.06,
        steps=(),
        late=frozenset(),
        signals=(),
        detail="",
    )
    monkeypatch.setattr("liveness.judge.judge_flash", lambda **_: found)
    challenge = ChallengeEvidence(
        limits=DynamicPolicy(),
        flash=FlashEvidence(steps=(), samples=()),
        movement=None,
        model=load_flash_model(),
    )
    judgement = _judge(monkeypatch, challenge=challenge)
    assert judgement.liveness.verdict is Verdict.INCONCLUSIVE
    assert judgement.retryable
    assert judgement.feedback == (hint,)


@pytest.mark.parametrize(
    ("reasons", "hints", "feedback", "explained"),
    [
        ((VerdictReason.TOO_SHORT, VerdictReason.EVIDENCE_TOO_WEAK), [], ["TIMED_OUT"], None),
        (
            (VerdictReason.TOO_FEW_USABLE_FACES, VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE),
            ["WRONG_ROTATION"],
            ["WRONG_ROTATION"],
            (VerdictReason.WRONG_ROTATION, VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE),
        ),
        (
            (VerdictReason.TOO_SHORT, VerdictReason.TOO_FEW_USABLE_FACES),
            ["NO_FACE", "WRONG_ROTATION"],
            ["NO_FACE", "WRONG_ROTATION", "TIMED_OUT"],
            None,
        ),
    ],
)
def test_no_movement_is_requested_after_too_few_frames(
    monkeypatch: pytest.MonkeyPatch,
    reasons: tuple[VerdictReason, ...],
    hints: list[str],
    feedback: list[str],
    explained: tuple[VerdictReason, ...] | None,
) -> None:
    judgement = _judge(monkeypatch, verdict=Verdict.INCONCLUSIVE, reasons=reasons, hints=tuple(hints))
    assert list(judgement.feedback) == feedback
    assert judgement.liveness.reasons == (explained or reasons)


@pytest.mark.parametrize("verdict", [Verdict.LIVE, Verdict.INCONCLUSIVE, Verdict.SPOOF])
def test_another_person_is_never_tried_again(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    judgement = _judge(monkeypatch, verdict=verdict, templates=[_at(0.1)] * 4)
    assert judgement.match is not None
    assert not judgement.match.same_person
    assert not judgement.retryable


def test_a_spoof_is_never_tried_again_even_where_too_few_faces_were_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for templates in ([], [_at(0.9)] * 4):
        judgement = _judge(monkeypatch, verdict=Verdict.SPOOF, templates=templates)
        assert not judgement.retryable


@pytest.mark.parametrize("count", range(MINIMUM_MATCH_FRAMES))
def test_too_few_faces_are_not_compared_and_tried_again(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    judgement = _judge(monkeypatch, templates=[_at(0.9)] * count)
    assert judgement.match is None
    assert judgement.match_frames == 0
    assert judgement.identity_constant is (True if count >= 2 else None)
    assert judgement.retryable


def test_a_change_of_face_during_the_scan_is_never_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each is close enough to the portrait, but not to the other: cosine 0.25 * 0.25.
    templates = [_at(0.25), _at(0.25), _aside(0.25)]
    judgement = _judge(monkeypatch, verdict=Verdict.INCONCLUSIVE, templates=templates)
    assert judgement.identity_constant is False
    assert not judgement.retryable
    signal = _constancy(judgement)
    assert signal.passed is False
    assert "Least similar to the others: frame 2," in signal.detail


def test_a_witness_counts_for_constancy_and_not_for_the_match(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = _judge(monkeypatch)
    beside = _judge(monkeypatch, witnesses=[_at(-0.2)])
    assert beside.match == alone.match
    assert beside.match_frames == alone.match_frames == 4
    assert alone.identity_constant is True
    assert "in 5 frames, in 1 of them" in _constancy(beside).detail
    for watched in (WATCHED, LOST):
        other = _judge(monkeypatch, watched=watched, witnesses=[_at(-0.2)])
        assert (other.identity_constant, other.retryable) == (False, False)


def test_a_face_that_was_lost_again_and_again_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    judgement = _judge(monkeypatch, watched=LOST)
    assert judgement.identity_constant is None
    assert judgement.retryable
    assert judgement.feedback == ("HOLD_STILL",)
    signal = _constancy(judgement)
    assert signal.passed is None
    assert signal.score is None
    assert "29 % of the frames" in signal.detail


_TURNED_AWAY = replace(_sample(_at(-0.2)), comparable=False)
"""The template of a face in profile, which resembles nobody's."""


def test_a_face_in_profile_counts_neither_for_the_match_nor_as_another_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frontal = _judge(monkeypatch)
    turned = _judge(monkeypatch, further=[ExaminedFrame(9, _TURNED_AWAY)])
    assert turned.match == frontal.match
    assert turned.match_frames == frontal.match_frames == 4
    assert turned.identity_constant is True


def test_groups_that_both_match_the_portrait_are_one_person(monkeypatch: pytest.MonkeyPatch) -> None:
    judgement = _judge(monkeypatch, templates=[_at(0.35)] * 2 + [_aside(0.35)] * 2)
    assert judgement.identity_constant is True
    assert "both groups match the portrait" in _constancy(judgement).detail


@pytest.mark.parametrize("lost_after", [4, 7, 9])
def test_a_person_who_was_lost_and_not_seen_from_the_front_again_is_asked_to_look_straight(
    monkeypatch: pytest.MonkeyPatch, lost_after: int
) -> None:
    followed = segment(as_head(0.05), steps=14)
    first, second = (
        followed.until(followed.times[lost_after - 1]),
        segment(as_head(0.05), steps=14 - lost_after),
    )
    second = replace(second, frames=np.arange(lost_after, 14))
    judgement = _judge(
        monkeypatch,
        watched=scan(observations(14), [first, second]),
        further=[ExaminedFrame(12, _TURNED_AWAY)],
    )
    undecided = lost_after < 14 * 2 / 3
    assert judgement.identity_constant is (None if undecided else True)
    assert judgement.retryable is undecided
    assert judgement.feedback == (("LOOK_STRAIGHT",) if undecided else ())


def test_a_face_that_was_not_identified_after_a_loss_cannot_make_a_picture_look_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[Sequence[PadScore]] = []

    def judged(*, pad_scores: Sequence[PadScore], **_others: object) -> LivenessResult:
        given.append(pad_scores)
        return _result()

    monkeypatch.setattr("liveness.judge.judge_express", judged)
    followed = segment(as_head(0.05), steps=14)
    of_picture, of_accomplice = PadScore(2, "network", 0.3), PadScore(11, "network", 0.99)
    against = PadScore(12, "network", 0.1)
    _attempt(
        # The victim's picture, then the accomplice, who never faces the camera.
        scan=scan(observations(14), [followed.until(followed.times[9])]),
        examined=[*_examined([_at(0.9)] * 4), ExaminedFrame(11, _TURNED_AWAY)],
        pad_scores=(of_picture, of_accomplice, against),
    )
    assert given == [(of_picture, against)]


def test_a_slow_stream_may_be_repeated_unless_it_shows_a_spoof(monkeypatch: pytest.MonkeyPatch) -> None:
    few = (VerdictReason.TOO_FEW_FRAMES,)
    slow = _judge(monkeypatch, verdict=Verdict.INCONCLUSIVE, reasons=few, too_slow="NETWORK_TOO_SLOW")
    assert slow.retryable
    assert slow.feedback[0] == "NETWORK_TOO_SLOW"
    camera = _judge(monkeypatch, verdict=Verdict.INCONCLUSIVE, reasons=few, too_slow="CAPTURE_TOO_SLOW")
    assert camera.feedback == ("CAPTURE_TOO_SLOW",)
    spoof = _judge(monkeypatch, verdict=Verdict.SPOOF, too_slow="NETWORK_TOO_SLOW")
    assert spoof.liveness.verdict is Verdict.SPOOF
    assert not spoof.retryable


@pytest.mark.parametrize("slow", ["NETWORK_TOO_SLOW", "CAPTURE_TOO_SLOW"])
def test_a_busy_server_blames_neither_line_nor_camera(monkeypatch: pytest.MonkeyPatch, slow: str) -> None:
    few, late = (VerdictReason.TOO_FEW_FRAMES,), (VerdictReason.CHALLENGE_ANSWERED_LATE,)
    judged = functools.partial(_judge, monkeypatch, verdict=Verdict.INCONCLUSIVE, busy=True)
    assert judged(reasons=few, too_slow=slow).feedback == ("SERVER_BUSY",)
    assert judged(reasons=late).feedback == ("SERVER_BUSY",)
    assert judged(reasons=(VerdictReason.EVIDENCE_TOO_DARK,)).feedback == ("TOO_DARK",)


def test_a_face_that_is_too_small_in_most_frames_is_named_before_the_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = functools.partial(
        _judge,
        monkeypatch,
        verdict=Verdict.INCONCLUSIVE,
        reasons=(VerdictReason.TOO_FEW_FRAMES,),
        hints=("MOVE_CLOSER", "CENTER_FACE"),
        too_slow="NETWORK_TOO_SLOW",
    )
    assert judged(obstacle="MOVE_CLOSER").feedback == ("MOVE_CLOSER", "NETWORK_TOO_SLOW", "CENTER_FACE")
    assert judged().feedback == ("NETWORK_TOO_SLOW", "MOVE_CLOSER", "CENTER_FACE")


def test_feedback_is_at_most_eight_codes_and_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    hints = ("TURN_HEAD_SLIGHTLY", *(f"CODE_{number}" for number in range(12)))
    judgement = _judge(
        monkeypatch,
        verdict=Verdict.INCONCLUSIVE,
        reasons=(VerdictReason.EVIDENCE_TOO_WEAK,),
        hints=tuple(hints),
    )
    assert len(judgement.feedback) == 8
    assert len(set(judgement.feedback)) == 8


def test_a_picture_gets_no_life_from_another_face_that_is_cut_in_for_moments() -> None:
    frames: list[FrameObservation] = []
    motion: list[MotionSegment] = []
    of_picture: list[int] = []
    lively = RegionChange(eyes=0.01, mouth=0.004, rest=0.002)
    for turn in range(32):
        picture = turn % 2 == 0
        shown = range(len(frames), len(frames) + (7 if picture else 3))
        frames += [
            observation(index, capture_time=index / 24, followed=index != shown[0], eyes=None)
            for index in shown
        ]
        path, change = (as_plane(0.002), None) if picture else (as_head(0.3), lively)
        cut = segment(path, steps=len(shown), change=change, seed=turn)
        motion.append(replace(cut, frames=np.array(shown)))
        of_picture += [shown[0]] if picture else []
    watched = scan(frames, motion)
    examined = [ExaminedFrame(index, _sample(_at(0.9))) for index in of_picture[:8]]
    # As the capture does it: of the stretches without a selected frame only the longest are identified.
    unseen = unexamined_stretches(watched, examined=of_picture[:8])
    witnesses = [ExaminedFrame(stretch.detected[0], _sample(_at(0.9))) for stretch in unseen[:8]]
    assert {frame.frame_index for frame in witnesses} == set(of_picture[8:])

    def judged(*probabilities: float) -> AttemptJudgement:
        """The judgement with a network that gives each frame of the picture such a probability."""
        scores = [PadScore(index, "network", real) for real in probabilities for index in of_picture]
        return _attempt(scan=watched, examined=examined, witnesses=witnesses, pad_scores=scores)

    for judgement in (judged(), judged(0.9), judged(1.0)):
        # There is no other obstacle: the portrait's person is shown, and no other person was identified.
        assert judgement.match is not None
        assert judgement.match.same_person
        assert judgement.identity_constant is True
        assert judgement.liveness.verdict is not Verdict.LIVE
        assert VerdictReason.NO_SIGN_OF_LIFE in judgement.liveness.reasons
    assert judged().liveness.verdict is Verdict.SPOOF


# Attempts whose frames do not show the person: dark, over-exposed, blurred, grey or tiny faces.

_FRAMES = 12


def _tiny(image: BgrImage) -> BgrImage:
    small = cv2.resize(image, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    canvas = np.full_like(image, 90)
    canvas[60 : 60 + small.shape[0], 60 : 60 + small.shape[1]] = small
    return canvas


@pytest.mark.parametrize(
    ("change", "reason", "hint"),
    [
        (lambda image: image, None, None),
        (lambda image: 0.15 * image, VerdictReason.EVIDENCE_TOO_DARK, "TOO_DARK"),
        (lambda image: np.clip(170 + 0.4 * image, 0, 255), VerdictReason.EVIDENCE_TOO_BRIGHT, "TOO_BRIGHT"),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 5), VerdictReason.EVIDENCE_BLURRED, "BLURRED"),
        (lambda image: image[..., [1, 1, 1]], VerdictReason.NO_COLOURS, "NO_COLOURS"),
        (_tiny, VerdictReason.FACE_TOO_SMALL, "MOVE_CLOSER"),
    ],
)
def test_live_needs_an_evidence_frame_that_shows_the_person(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[BgrImage], ArrayLike],
    reason: VerdictReason | None,
    hint: str | None,
) -> None:
    judgement = _judged(monkeypatch, change)
    if reason is None:
        assert judgement.liveness.verdict is Verdict.LIVE
    else:
        assert judgement.liveness.verdict is Verdict.INCONCLUSIVE
        assert reason in judgement.liveness.reasons
        assert judgement.retryable
        assert hint in judgement.feedback


def _judged(monkeypatch: pytest.MonkeyPatch, change: Callable[[BgrImage], ArrayLike]) -> AttemptJudgement:
    """The judgement of an attempt with changed frames, if all signals say LIVE."""
    monkeypatch.setattr("liveness.judge.judge_express", lambda **_: _result())
    capture = capture_of()
    for index in range(_FRAMES):
        frame = frame_at(index)
        decoded = cv2.imdecode(np.frombuffer(frame.image, np.uint8), cv2.IMREAD_COLOR)
        changed = np.ascontiguousarray(change(np.asarray(decoded, np.uint8)), np.uint8)
        capture.capture_frame(replace(frame, image=encode_jpeg(changed, quality=90)), arrival=0.0)
    capture.examine_rest()
    best, kept = best_frame(capture.observations.frames), capture.best
    assert best is not None
    assert kept is not None
    assert best.index == kept.frame.index
    return _attempt(
        scan=capture.observations,
        examined=capture.examined,
        witnesses=capture.witnesses,
        pad_scores=capture.pad_scores,
        portrait=capture.examined[0].sample.template,
        calibration=remembering_pack().match_calibration,
    )
