"""Selfies and still frames, their upload, and how surely they are live."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from liveness.fusion_model import load_fusion_model
from liveness.policy import LivenessPolicy
from liveness.selfie import SIGNAL_NAMES, SelfieResult, SelfieSettings, load_selfie_model
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason
from matcher.persons import PHOTO_SUBJECT, SubjectRule
from server.analysis.assessment import Assessment
from server.analysis.image import ImageAnalyst
from server.analysis.results import (
    AnalysisCode,
    AnalysisMode,
    AnalysisRefused,
)
from server.analysis.stills import FRAME_LIMITS, SELFIE_LIMITS, decode_still
from server.analysis.upload import (
    LEAST_CHUNK_BYTES,
    MOST_BYTES,
    MOST_CHUNK_BYTES,
    UploadKind,
    UploadPlan,
    VideoUpload,
)
from server.analysis.video import MAXIMUM_STILLS
from server.base.errors import Reason, Refusal
from tests.formats.samples import png
from tests.hostile.decoding import decoders
from tests.hostile.face_files import person, turned
from tests.hostile.image_files import iso_media
from tests.server.analysis.uploads import blank, two_persons, with_bystander
from tests.server.live import portrait
from tests.server.models_once import remembering_pack
from vision.errors import DecoderUnavailable, ModelFailed
from vision.face import BgrImage, DetectedFace
from vision.image import DecodeLimits, encode_jpeg
from vision.isolation.video import VideoContainer
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
    # Neither pixels nor templates are shown by accident.
    assert "array(" in repr(analysis.study)
    assert "array(" not in repr(analysis)


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


def test_no_face_is_an_answer() -> None:
    for pixels in (blank()[0], np.zeros((1, 1, 3), np.uint8), person()[:40, :40]):
        selfie = encode_jpeg(np.ascontiguousarray(pixels))
        analysis = _analyst().analyse(selfie, mode=AnalysisMode.FULL)
        assert analysis.problem is not None
        assert analysis.problem.code is AnalysisCode.NO_FACE_DETECTED
        assert (analysis.selfie, analysis.full) == (None, None)
    # Nor is an uncertain one.
    strict = _analyst(settings=SelfieSettings(min_face_confidence=1.0))
    uncertain = strict.analyse(portrait(), mode=AnalysisMode.BASIC)
    assert uncertain.problem is not None
    assert uncertain.problem.code is AnalysisCode.NO_FACE_DETECTED


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


def test_real_selfies_and_prints_are_answered(assets: Path) -> None:
    analyst = _analyst()
    seen: set[str] = set()
    for folder in ("live", "spoof"):
        for path in sorted((assets / "data" / "pad" / folder).iterdir())[::180]:
            analysis = analyst.analyse(path.read_bytes(), mode=AnalysisMode.FULL)
            assert (analysis.selfie is None) is (analysis.problem is not None)
            seen.add("verdict" if analysis.selfie else "problem")
    assert "verdict" in seen


def _picture(format_: str) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(np.arange(96 * 64 * 3, dtype=np.uint32).reshape(64, 96, 3).astype(np.uint8)).save(
        stored, format_
    )
    return stored.getvalue()


def _refusal(content: bytes, limits: DecodeLimits = SELFIE_LIMITS, index: int | None = None) -> Refusal:
    with pytest.raises(AnalysisRefused) as caught:
        decode_still(content, limits=limits, still_decoder=decoders(), frame_index=index)
    assert caught.value.code is AnalysisCode.INVALID_REQUEST
    assert caught.value.details["code"] == "INVALID_REQUEST"
    return caught.value


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "BMP"])
def test_every_format_of_the_contract_is_read(format_: str) -> None:
    decoded = decode_still(_picture(format_), limits=SELFIE_LIMITS, still_decoder=decoders())
    assert decoded.pixels.shape == (64, 96, 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.IMAGE_EMPTY),
        (b"<svg/>", Reason.IMAGE_FORMAT_NOT_SUPPORTED),
        (b"data:image/jpeg;base64,/9j/4AAQ", Reason.IMAGE_FORMAT_NOT_SUPPORTED),
        (_picture("JPEG2000"), Reason.IMAGE_FORMAT_NOT_SUPPORTED),
        (_picture("JPEG")[:300], Reason.IMAGE_MALFORMED),
        (png(20_000, 20_000), Reason.IMAGE_TOO_MANY_PIXELS),
        (b"\xff\xd8\xff" + bytes(10_000_000), Reason.IMAGE_TOO_LARGE),
    ],
    ids=["nothing", "svg", "base64", "JPEG 2000", "cut off", "huge", "too many bytes"],
)
def test_an_unusable_still_is_refused_with_its_reason(content: bytes, reason: Reason) -> None:
    assert _refusal(content).reason is reason


def test_a_still_frame_is_named_and_smaller_than_a_selfie() -> None:
    large = cv2.imencode(".jpg", np.zeros((2000, 2000, 3), np.uint8))[1].tobytes()
    decode_still(large, limits=SELFIE_LIMITS, still_decoder=None)
    refusal = _refusal(large, FRAME_LIMITS, 7)
    assert refusal.reason is Reason.IMAGE_TOO_MANY_PIXELS
    assert str(refusal).startswith("still frame 7: ")
    assert refusal.details["frameIndex"] == 7
    assert refusal.details["maxPixels"] == FRAME_LIMITS.max_pixels


def test_a_busy_decoder_is_no_fault_of_the_file() -> None:
    class Busy:
        def decode_still(self, data: bytes, *, header: object) -> np.ndarray:
            raise DecoderUnavailable("all are busy", retry_after=3.0)

    with pytest.raises(Refusal) as caught:
        decode_still(_picture("WEBP"), limits=SELFIE_LIMITS, still_decoder=Busy())
    assert (caught.value.reason, caught.value.retry_after) == (Reason.OVERLOADED, 3.0)


_AVI = b"RIFF\0\0\0\0AVI "
_HEAD = _AVI + bytes(LEAST_CHUNK_BYTES)


def _video(total_bytes: int = 0) -> VideoUpload:
    return VideoUpload(UploadPlan(kind=UploadKind.VIDEO, total_bytes=total_bytes))


def _frames(total_bytes: int = 0) -> VideoUpload:
    return VideoUpload(UploadPlan(kind=UploadKind.FRAMES, total_bytes=total_bytes))


def _reason(caught: pytest.ExceptionInfo[AnalysisRefused]) -> Reason:
    return caught.value.reason


def test_chunks_become_the_file() -> None:
    upload = _video(total_bytes=len(_HEAD) + 5000 + 3)
    for chunk in (_HEAD, b"a" * 5000, b"end"):
        upload.add_chunk(chunk)
    assert upload.video() == _HEAD + b"a" * 5000 + b"end"


@pytest.mark.parametrize("chunk", [b"", bytes(MOST_CHUNK_BYTES + 1)], ids=["empty", "too long"])
def test_a_chunk_has_bytes_and_not_too_many(chunk: bytes) -> None:
    with pytest.raises(AnalysisRefused) as caught:
        _video().add_chunk(chunk)
    assert _reason(caught) is Reason.INVALID_FIELD
    assert caught.value.details["field"] == "chunk"


def test_a_flood_of_crumbs_ends_at_the_second() -> None:
    upload = _video()
    upload.add_chunk(_AVI)
    with pytest.raises(AnalysisRefused) as caught:
        upload.add_chunk(b"a")
    assert _reason(caught) is Reason.UNEXPECTED_MESSAGE


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", None),
        (iso_media(b"avif"), "AVIF"),
    ],
)
def test_anything_but_a_video_is_refused_at_its_first_chunk(start: bytes, name: str | None) -> None:
    with pytest.raises(AnalysisRefused) as caught:
        _video().add_chunk(start + bytes(LEAST_CHUNK_BYTES))
    assert _reason(caught) is Reason.VIDEO_FORMAT_NOT_SUPPORTED
    assert caught.value.details.get("format") == name


def test_the_first_byte_too_many_ends_it() -> None:
    upload = _video()
    upload.add_chunk(_AVI + bytes(MOST_CHUNK_BYTES - len(_AVI)))
    for _ in range(MOST_BYTES // MOST_CHUNK_BYTES - 1):
        upload.add_chunk(bytes(MOST_CHUNK_BYTES))
    upload.add_chunk(bytes(MOST_BYTES % MOST_CHUNK_BYTES))
    with pytest.raises(AnalysisRefused) as caught:
        upload.add_chunk(b"x")
    assert _reason(caught) is Reason.VIDEO_TOO_LARGE
    assert upload.video() == b""


def test_more_than_announced_and_fewer_are_refused() -> None:
    more = _video(total_bytes=len(_HEAD) - 1)
    with pytest.raises(AnalysisRefused) as caught:
        more.add_chunk(_HEAD)
    assert _reason(caught) is Reason.VIDEO_MALFORMED
    fewer = _video(total_bytes=len(_HEAD) + 1)
    fewer.add_chunk(_HEAD)
    with pytest.raises(AnalysisRefused) as caught:
        fewer.video()
    assert _reason(caught) is Reason.VIDEO_MALFORMED
    assert caught.value.details["totalBytes"] == len(_HEAD) + 1


def test_frames_and_chunks_do_not_mix() -> None:
    with pytest.raises(AnalysisRefused) as caught:
        _video().add_frame(b"x")
    assert _reason(caught) is Reason.UNEXPECTED_MESSAGE
    with pytest.raises(AnalysisRefused) as caught:
        _frames().add_chunk(_HEAD)
    assert _reason(caught) is Reason.UNEXPECTED_MESSAGE


def test_limits_of_still_frames() -> None:
    for frame, reason in ((b"", Reason.IMAGE_EMPTY), (bytes(10_000_001), Reason.IMAGE_TOO_LARGE)):
        with pytest.raises(AnalysisRefused) as caught:
            _frames().add_frame(frame)
        assert _reason(caught) is reason
        assert caught.value.details["frameIndex"] == 0
    upload = _frames()
    for _ in range(MAXIMUM_STILLS):
        upload.add_frame(b"x")
    with pytest.raises(AnalysisRefused) as caught:
        upload.add_frame(b"x")
    assert _reason(caught) is Reason.VIDEO_TOO_LARGE


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (UploadPlan(kind=UploadKind.VIDEO, total_bytes=MOST_BYTES + 1), Reason.VIDEO_TOO_LARGE),
        (UploadPlan(kind=UploadKind.FRAMES, container=VideoContainer.MP4), Reason.INVALID_FIELD),
    ],
)
def test_plans_that_cannot_be_kept(plan: UploadPlan, reason: Reason) -> None:
    with pytest.raises(AnalysisRefused) as caught:
        plan.validate()
    assert _reason(caught) is reason


# The highest confidence of LIVE for a file, and the words for what was assessed.

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
        ((), (), True, 75.0),
        (_THREE, (), False, 80.0),
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
    little = replace(_WHOLE, networks=_THREE[:1], missing=("another",), motion=False, one_person=False)
    assessed, _, missing = little.words(Verdict.SPOOF, live=0.7).partition("Also not assessed: ")
    assert "minifas_v2se" in assessed
    assert all(part in missing for part in ("another", "motion", "one person"))
    whole = _WHOLE.words(Verdict.LIVE, live=0.7)
    assert "Also not assessed" not in whole
    assert all(part in whole for part in ("eepfakes", *_THREE, "motion", "one person", "at most 0.90"))
