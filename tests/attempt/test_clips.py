"""Recorded scans are judged as attempts are."""

from dataclasses import replace

from attempt.clips import capture_clip, judge_clip
from attempt.frame import Frame
from attempt.judgement import judge_attempt
from liveness.fusion_model_file import load_fusion_model
from liveness.policy import LivenessPolicy
from liveness.verdict import Verdict, VerdictReason
from matcher.comparison import MatchPolicy
from matcher.persons import SCAN_SUBJECT
from tests.attempt.frames import frame_of
from tests.attempt.networks import CountingNetwork
from tests.server.live import pictures
from tests.server.models_once import remembering_pack

_POLICY = LivenessPolicy()
_FUSION = load_fusion_model()


def _frames(**changes: object) -> list[Frame]:
    return [
        frame_of(index, image=picture.jpeg, capture_time_us=picture.time_us + 1, **changes)
        for index, picture in enumerate(pictures())
    ]


def test_a_recorded_scan_has_the_verdict_of_an_attempt_with_the_same_frames() -> None:
    pack = replace(remembering_pack(), pad_networks=(CountingNetwork(real=0.99),))
    capture = capture_clip(_frames(), pack=pack, subject=SCAN_SUBJECT)
    capture.examine_rest()
    cues = [frame.cues for frame in capture.examined if frame.cues is not None]
    found = judge_clip(capture, pad_scores=capture.pad_scores, cues=cues, policy=_POLICY, fusion=_FUSION)
    attempt = judge_attempt(
        scan=capture.observations,
        examined=capture.examined,
        witnesses=capture.witnesses,
        pad_scores=capture.pad_scores,
        portrait=capture.examined[0].sample.template,
        calibration=pack.match_calibration,
        liveness_policy=_POLICY,
        match_policy=MatchPolicy(max_fmr=0.01),
        fusion=_FUSION,
        hints=capture.hints,
        too_slow=None,
    )
    # The signal of constancy is all that an attempt adds.
    assert replace(attempt.liveness, signals=attempt.liveness.signals[:-1]) == found
    assert attempt.liveness.signals[-1].name == "identity_constancy"
    assert capture.pad_scores


def test_a_rotated_recording_shows_no_person() -> None:
    capture = capture_clip(_frames(rotation_degrees=180), pack=remembering_pack(), subject=SCAN_SUBJECT)
    capture.examine_rest()
    found = judge_clip(capture, pad_scores=(), cues=(), policy=_POLICY, fusion=_FUSION)
    assert not capture.examined
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reasons[0] is VerdictReason.WRONG_ROTATION
