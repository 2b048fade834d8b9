from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from liveness.fusion_model import load_fusion_model
from liveness.policy import LivenessPolicy
from liveness.selfie import SIGNAL_NAMES, SelfieSettings, load_selfie_model
from liveness.verdict import Verdict
from matcher.persons import PHOTO_SUBJECT, SubjectRule
from server.analysis.image import ImageAnalyst
from server.analysis.results import AnalysisCode, AnalysisMode, AnalysisRefused
from server.base.errors import Reason
from tests.hostile.face_files import person, turned
from tests.server.analysis.uploads import blank, two_persons, with_bystander
from tests.server.live import portrait
from tests.server.models_once import remembering_pack
from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace
from vision.image import encode_jpeg
from vision.packs import Pack


class _Broken:
    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        raise ModelFailed("the detector failed (RuntimeError)")


def _analyst(
    pack: Pack | None = None, settings: SelfieSettings | None = None, subject: SubjectRule = PHOTO_SUBJECT
) -> ImageAnalyst:
    return ImageAnalyst(
        pack=pack or remembering_pack(),
        selfie_settings=settings or SelfieSettings(),
        selfie_model=load_selfie_model(),
        fusion=load_fusion_model(),
        policy=LivenessPolicy(),
        subject=subject,
    )


def test_basic_gives_the_eight_signals_and_nothing_else() -> None:
    analysis = _analyst().analyse(portrait(), mode=AnalysisMode.BASIC)
    selfie = analysis.selfie
    assert selfie is not None
    assert analysis.problem is None
    assert tuple(signal.name for signal in selfie.signals) == SIGNAL_NAMES
    assert sum(signal.weight for signal in selfie.signals) == pytest.approx(1.0)
    confidence = sum(signal.weight * (signal.score or 0.0) for signal in selfie.signals)
    assert selfie.verdict is Verdict.LIVE
    assert selfie.confidence == pytest.approx(min(confidence, 0.7), abs=1e-4)
    assert analysis.scope == (
        "No sign of an attack that this pack can detect; deepfakes and injected recordings were not "
        "assessed. "
        "Assessed: the eight signals of a selfie. Also not assessed: PAD networks; motion. LIVE on these "
        "grounds has a confidence of at most 0.70."
    )
    assert (selfie.threshold, selfie.face_detected) == (0.58, True)
    assert analysis.full is None
    assert analysis.study is not None
    assert analysis.study.pad_scores == ()


def test_full_adds_a_verdict_on_one_frame_that_claims_nothing_over_time() -> None:
    analysis = _analyst().analyse(portrait(), mode=AnalysisMode.FULL)
    assert analysis.full is not None
    assert analysis.study is not None
    by_name = {signal.name: signal for signal in analysis.full.signals}
    for name in ("planar_motion", "micro_motion", "blink", "stillness", "frozen_frames"):
        assert not by_name[name].assessed, name
        assert by_name[name].weight == 0.0
    assert by_name["sharpness"].assessed
    assert {score.frame_index for score in analysis.study.pad_scores} <= {0}
    basic = _analyst().analyse(portrait(), mode=AnalysisMode.BASIC)
    assert basic.selfie == analysis.selfie


def test_a_pack_without_networks_never_judges_one_frame_live() -> None:
    pack = replace(remembering_pack(), pad_networks=())
    analysis = _analyst(pack).analyse(portrait(), mode=AnalysisMode.FULL)
    assert analysis.full is not None
    assert analysis.full.verdict is not Verdict.LIVE


def test_the_image_is_turned_upright_before_detection() -> None:
    upright = _analyst().analyse(turned(1), mode=AnalysisMode.BASIC)
    aside = _analyst().analyse(turned(6), mode=AnalysisMode.BASIC)
    assert aside.study is not None
    assert upright.study is not None
    assert aside.study.pixels.shape == upright.study.pixels.shape
    assert aside.selfie is not None
    assert upright.selfie is not None
    assert aside.selfie.verdict is upright.selfie.verdict


_NO_FACE: dict[str, Callable[[], BgrImage]] = {
    "blank": lambda: blank()[0],
    "one pixel": lambda: np.zeros((1, 1, 3), np.uint8),
    "a corner": lambda: person()[:40, :40],
}


@pytest.mark.parametrize("name", _NO_FACE)
def test_no_face_is_an_answer(name: str) -> None:
    pixels = np.ascontiguousarray(_NO_FACE[name]())
    analysis = _analyst().analyse(encode_jpeg(pixels), mode=AnalysisMode.FULL)
    assert analysis.problem is not None
    assert analysis.problem.code is AnalysisCode.NO_FACE_DETECTED
    assert (analysis.selfie, analysis.full) == (None, None)


def test_an_uncertain_detection_is_no_face() -> None:
    analysis = _analyst(settings=SelfieSettings(min_face_confidence=1.0)).analyse(
        portrait(), mode=AnalysisMode.BASIC
    )
    assert analysis.problem is not None
    assert analysis.problem.code is AnalysisCode.NO_FACE_DETECTED


def test_several_faces_are_an_answer_of_their_own() -> None:
    analysis = _analyst().analyse(encode_jpeg(two_persons()[0]), mode=AnalysisMode.FULL)
    assert analysis.problem is not None
    assert analysis.problem.code is AnalysisCode.MULTIPLE_FACES_DETECTED
    assert "2 faces" in analysis.problem.message
    assert analysis.problem.message.count("pixels wide") == 2
    assert analysis.selfie is None


def test_a_bystander_in_the_corner_does_not_matter_unless_settings_say_so() -> None:
    selfie = encode_jpeg(with_bystander(count=1)[0])
    assert _analyst().analyse(selfie, mode=AnalysisMode.FULL).problem is None
    strict = _analyst(subject=replace(PHOTO_SUBJECT, background_width=0.0))
    problem = strict.analyse(selfie, mode=AnalysisMode.FULL).problem
    assert problem is not None
    assert problem.code is AnalysisCode.MULTIPLE_FACES_DETECTED


def test_a_model_that_fails_is_an_answer_and_kept_for_the_log() -> None:
    analysis = _analyst(replace(remembering_pack(), detector=_Broken())).analyse(
        portrait(), mode=AnalysisMode.BASIC
    )
    assert analysis.problem is not None
    assert analysis.problem.code is AnalysisCode.INFERENCE_ERROR
    assert "RuntimeError" not in analysis.problem.message
    assert isinstance(analysis.failure, ModelFailed)


def test_a_file_that_is_no_picture_is_refused() -> None:
    with pytest.raises(AnalysisRefused) as caught:
        _analyst().analyse(b"no picture", mode=AnalysisMode.BASIC)
    assert caught.value.reason is Reason.IMAGE_FORMAT_NOT_SUPPORTED


def test_no_pixels_and_no_templates_are_shown_by_accident() -> None:
    analysis = _analyst().analyse(portrait(), mode=AnalysisMode.FULL)
    assert "array" not in repr(analysis)


def test_real_selfies_and_prints_are_answered(assets: Path) -> None:
    analyst = _analyst()
    seen: set[str] = set()
    for folder in ("live", "spoof"):
        for path in sorted((assets / "data" / "pad" / folder).iterdir())[::180]:
            analysis = analyst.analyse(path.read_bytes(), mode=AnalysisMode.FULL)
            assert (analysis.selfie is None) is (analysis.problem is not None)
            seen.add("verdict" if analysis.selfie else "problem")
    assert "verdict" in seen
