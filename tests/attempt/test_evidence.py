"""Attempts whose frames do not show the person: dark, over-exposed, blurred, grey or tiny faces."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from attempt.analyst import FrameAnalyst
from attempt.capture import AttemptCapture
from attempt.frame import FrameLimits
from attempt.judgement import AttemptJudgement, judge_attempt
from liveness.fusion_model import load_fusion_model
from liveness.guidance import GuidanceSettings, Oval
from liveness.policy import LivenessPolicy
from liveness.selection import best_frame
from liveness.verdict import LivenessResult, Verdict, VerdictReason
from matcher.comparison import MatchPolicy
from matcher.persons import SCAN_SUBJECT
from tests.attempt.frames import frame_of
from tests.server.live import PLAN, pictures
from tests.server.models_once import remembering_pack
from vision.face import BgrImage
from vision.image import encode_jpeg

_FRAMES = 12


def _plain(image: BgrImage) -> BgrImage:
    return image


def _dark(image: BgrImage) -> BgrImage:
    return np.asarray(0.15 * image, np.uint8)


def _bright(image: BgrImage) -> BgrImage:
    return np.asarray(np.clip(170 + 0.4 * image, 0, 255), np.uint8)


def _blurred(image: BgrImage) -> BgrImage:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 5), np.uint8)


def _grey(image: BgrImage) -> BgrImage:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def _tiny(image: BgrImage) -> BgrImage:
    small = cv2.resize(image, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    canvas = np.full_like(image, 90)
    canvas[60 : 60 + small.shape[0], 60 : 60 + small.shape[1]] = small
    return canvas


@pytest.mark.parametrize(
    ("change", "reason", "hint"),
    [
        (_plain, None, None),
        (_dark, VerdictReason.EVIDENCE_TOO_DARK, "TOO_DARK"),
        (_bright, VerdictReason.EVIDENCE_TOO_BRIGHT, "TOO_BRIGHT"),
        (_blurred, VerdictReason.EVIDENCE_BLURRED, "BLURRED"),
        (_grey, VerdictReason.NO_COLOURS, "NO_COLOURS"),
        (_tiny, VerdictReason.FACE_TOO_SMALL, "MOVE_CLOSER"),
    ],
)
def test_live_needs_an_evidence_frame_that_shows_the_person(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[BgrImage], BgrImage],
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


def _judged(monkeypatch: pytest.MonkeyPatch, change: Callable[[BgrImage], BgrImage]) -> AttemptJudgement:
    """The judgement of an attempt with changed frames, if all signals say LIVE."""
    live = LivenessResult(
        verdict=Verdict.LIVE,
        score=90.0,
        policy=LivenessPolicy(),
        signals=(),
        reasons=(VerdictReason.LOOKS_ALIVE,),
    )
    monkeypatch.setattr("liveness.judge.judge_express", lambda **_: live)
    pack = remembering_pack()
    capture = AttemptCapture(
        analyst=FrameAnalyst(pack=pack, limits=FrameLimits()),
        plan=PLAN,
        oval=Oval(),
        guidance=GuidanceSettings(),
        random=bytes,
        subject=SCAN_SUBJECT,
    )
    for index, picture in enumerate(pictures()[:_FRAMES]):
        decoded = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
        jpeg = encode_jpeg(change(np.asarray(decoded, np.uint8)), quality=90)
        capture.capture_frame(frame_of(index, image=jpeg, capture_time_us=picture.time_us + 1), arrival=0.0)
    capture.examine_rest()
    best, kept = best_frame(capture.observations.frames), capture.best
    assert best is not None
    assert kept is not None
    assert best.index == kept.frame.index
    return judge_attempt(
        scan=capture.observations,
        examined=capture.examined,
        witnesses=capture.witnesses,
        pad_scores=capture.pad_scores,
        portrait=capture.examined[0].sample.template,
        calibration=pack.match_calibration,
        liveness_policy=LivenessPolicy(),
        match_policy=MatchPolicy(max_fmr=1e-2),
        fusion=load_fusion_model(),
        hints=(),
        too_slow=None,
    )
