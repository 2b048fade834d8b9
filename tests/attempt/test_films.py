from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from attempt.films import FileFrames, FilmCapture, StillFrames, capture_clip, examine, judge_clip
from attempt.frame import Frame
from attempt.judgement import judge_attempt
from liveness.fusion_model import load_fusion_model
from liveness.policy import LivenessPolicy
from liveness.selection import DEFAULT_COUNT
from liveness.verdict import Verdict, VerdictReason
from matcher.comparison import MatchPolicy
from matcher.persons import SCAN_SUBJECT
from tests.attempt.frames import frame_of
from tests.attempt.networks import CountingNetwork
from tests.server.analysis.uploads import genuine
from tests.server.live import pictures
from tests.server.models_once import remembering_pack
from vision.face import BgrImage
from vision.packs import Pack

_RATE = 10.0
_Kind = Callable[[Sequence[BgrImage]], FileFrames]


def _pack() -> Pack:
    return replace(remembering_pack(), pad_networks=(CountingNetwork(),))


def _film(frames: Sequence[BgrImage]) -> FilmCapture:
    film = FilmCapture(_pack(), subject=SCAN_SUBJECT)
    for index, pixels in enumerate(frames):
        film.take_film_frame(pixels, index / _RATE)
    return film


def _stills(frames: Sequence[BgrImage]) -> StillFrames:
    stills = StillFrames(_pack(), subject=SCAN_SUBJECT)
    for pixels in frames:
        stills.take_still_frame(pixels)
    return stills


def _scored(frames: FileFrames) -> list[int]:
    return [score.frame_index for score in frames.pad_scores]


def _blurred(frames: Sequence[BgrImage]) -> list[BgrImage]:
    """The second half shows the face badly, so that frames of it are not selected."""
    half = len(frames) // 2
    return [
        *frames[:half],
        *(np.asarray(cv2.GaussianBlur(frame, (0, 0), 3), np.uint8) for frame in frames[half:]),
    ]


@pytest.mark.parametrize("kind", [_film, _stills])
def test_how_well_frames_show_the_face_does_not_choose_the_scored_ones(kind: _Kind) -> None:
    clear, blurred = kind(genuine()), kind(_blurred(genuine()))
    assert _scored(blurred) == _scored(clear)
    if kind is _stills:
        # A film of two seconds has fewer detections than frames to select.
        selected = [[frame.index for frame in one.selected] for one in (clear, blurred)]
        assert selected[0] != selected[1]


@pytest.mark.parametrize("kind", [_film, _stills])
def test_the_scored_frames_are_spread_over_the_file(kind: _Kind) -> None:
    file = kind(genuine())
    scored = _scored(file)
    assert scored[0] == 0
    assert len(genuine()) - scored[-1] <= 4
    assert np.diff(scored).max() <= 4
    study = examine(file, pack=_pack())
    assert study.pad_scores == file.pad_scores
    assert len(study.selected) == DEFAULT_COUNT or kind is _film


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
