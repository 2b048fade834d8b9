import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import result_pb2
from google.protobuf import json_format

from attempt.films import VideoStudy
from liveness.observation import ScanObservations
from liveness.policy import LivenessPolicy
from liveness.selfie import SIGNAL_NAMES, SelfieResult
from liveness.signal import Signal, assessed, not_assessed
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason
from server.analysis.assessment import Assessment
from server.analysis.errors import AnalysisCode, AnalysisRefused
from server.analysis.results import (
    AnalysisMode,
    AnalysisProblem,
    ImageAnalysis,
    VideoAnalysis,
    VideoSource,
)
from server.analysis.upload import UploadKind, UploadPlan
from server.edge.analysis_codec import image_mode, image_to_wire, upload_plan, video_to_wire
from server.errors import Reason as RefusalReason
from vision.image_format import ImageFormat, ImageHeader
from vision.isolation.video import VideoContainer

_NOW = datetime(2026, 2, 7, 10, 4, 55, tzinfo=UTC)
_PACK = result_pb2.PackReference(name="embedded")
_HEADER = ImageHeader(ImageFormat.JPEG, 3000, 4000, 3, 8)
_FULL = LivenessResult(
    verdict=Verdict.SPOOF,
    score=12.0,
    policy=LivenessPolicy(),
    attack=AttackType.INJECTION,
    signals=(
        assessed(name="moire", label="No moiré", score=0.1, detail="A pixel grid shows."),
        not_assessed(name="blink", label="Blinks", reason="One frame."),
    ),
    reasons=(VerdictReason.NETWORK_SEES_ATTACK,),
)


def _selfie() -> SelfieResult:
    signals = tuple(
        Signal(name, name.replace("_", " ").title(), 0.75, 0.125, True, f"Found {name}.")
        for name in SIGNAL_NAMES
    )
    return SelfieResult(
        verdict=Verdict.LIVE,
        confidence=0.75,
        threshold=0.58,
        face_detected=True,
        signals=signals,
        not_assessed=(),
        version="1",
    )


def _as_json(message: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(
        json_format.MessageToJson(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    )
    return made


def test_success_is_the_older_contracts_answer_field_by_field() -> None:
    analysis = ImageAnalysis(header=_HEADER, selfie=_selfie(), problem=None)
    answer = _as_json(image_to_wire(analysis, request_id="lv_0123456789abcdef", now=_NOW, pack=_PACK))
    assert set(answer) == {"status", "request_id", "timestamp", "result", "pack", "assessment"}
    assert answer["status"] == "success"
    assert answer["request_id"] == "lv_0123456789abcdef"
    assert answer["timestamp"] == "2026-02-07T10:04:55Z"
    result = answer["result"]
    assert set(result) == {"verdict", "confidence", "threshold", "face_detected", "signals"}
    assert (result["verdict"], result["confidence"], result["threshold"]) == ("LIVE", 0.75, 0.58)
    assert [signal["name"] for signal in result["signals"]] == list(SIGNAL_NAMES)
    for signal in result["signals"]:
        assert set(signal) == {"name", "label", "score", "weight", "passed", "detail"}
    assert sum(signal["weight"] for signal in result["signals"]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "code",
    [
        AnalysisCode.NO_FACE_DETECTED,
        AnalysisCode.MULTIPLE_FACES_DETECTED,
        AnalysisCode.INFERENCE_ERROR,
    ],
)
def test_a_problem_is_an_error_without_a_result(code: AnalysisCode) -> None:
    analysis = ImageAnalysis(header=_HEADER, selfie=None, problem=AnalysisProblem(code, "Take another."))
    answer = _as_json(image_to_wire(analysis, request_id="lv_0", now=_NOW, pack=_PACK))
    assert answer["status"] == "error"
    assert answer["error"] == {"code": code.value, "message": "Take another."}
    assert "result" not in answer
    assert "full" not in answer


def test_the_full_answer_accompanies_the_older_one() -> None:
    analysis = ImageAnalysis(header=_HEADER, selfie=_selfie(), problem=None, full=_FULL)
    answer = image_to_wire(analysis, request_id="lv_0", now=_NOW, pack=_PACK)
    assert answer.result.verdict == "LIVE"
    liveness = answer.full.liveness
    assert liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF
    assert liveness.attack_type == result_pb2.ATTACK_TYPE_INJECTION
    assert [signal.HasField("score") for signal in liveness.signals] == [True, False]
    assert list(liveness.explanations) == ["The PAD network detects an attack."]


def _video(container: VideoContainer | None = VideoContainer.WEBM) -> VideoAnalysis:
    nothing = ScanObservations(frames=(), motion=())
    return VideoAnalysis(
        source=VideoSource(
            container=container,
            frames=31,
            usable=29,
            seconds=None if container is None else 5.5,
            other_size=2,
            repeated=1,
            complete=False,
        ),
        liveness=_FULL,
        study=VideoStudy(observations=nothing, selected=(), identified=frozenset(), pad_scores=(), cues=()),
        assessment=Assessment(networks=("net",), missing=(), cues=True, motion=True, one_person=True),
    )


def test_a_video_is_the_older_contracts_answer_field_by_field() -> None:
    answer = _as_json(
        video_to_wire(
            _video(),
            inference_id="inf_000102030405060708",
            created=_NOW,
            completed=_NOW + timedelta(seconds=2.1),
            pack=_PACK,
        )
    )
    older = {
        "inference_id",
        "model_id",
        "model_name",
        "moderation_type",
        "status",
        "result",
        "response_time_ms",
        "created_at",
        "completed_at",
    }
    assert set(answer) == older | {"liveness", "video", "pack", "assessment"}
    assert answer["assessment"].startswith("Deepfakes and injected recordings were not assessed. ")
    assert (answer["model_id"], answer["model_name"]) == ("face_liveness", "Face Liveness Detection")
    assert (answer["status"], answer["moderation_type"]) == ("completed", "video")
    assert answer["response_time_ms"] == 2100
    assert answer["created_at"] == "2026-02-07T10:04:55Z"
    assert answer["completed_at"] == "2026-02-07T10:04:57.100Z"
    assert answer["result"] == {
        "is_real": False,
        "is_spoof": True,
        "real_probability": 0.12,
        "confidence": 0.88,
        "attack_type": 6,
        "attack_type_name": "injection",
        "attack_type_confidence": 0.88,
    }
    assert answer["video"] == {
        "media_type": "video/webm",
        "frames": 31,
        "usable_frames": 29,
        "seconds": 5.5,
        "other_size_frames": 2,
        "complete": False,
        "repeated_frames": 1,
    }


def test_still_frames_have_no_length_and_no_container() -> None:
    answer = video_to_wire(_video(None), inference_id="inf_0", created=_NOW, completed=_NOW, pack=_PACK)
    assert not answer.video.HasField("seconds")
    assert answer.video.media_type == ""


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    answer = video_to_wire(
        _video(), inference_id="inf_0", created=_NOW, completed=_NOW - timedelta(hours=1), pack=_PACK
    )
    assert answer.response_time_ms == 0


def test_modes() -> None:
    assert image_mode(analysis_pb2.ANALYSIS_MODE_UNSPECIFIED) is AnalysisMode.BASIC
    assert image_mode(analysis_pb2.ANALYSIS_MODE_BASIC) is AnalysisMode.BASIC
    assert image_mode(analysis_pb2.ANALYSIS_MODE_FULL) is AnalysisMode.FULL
    with pytest.raises(AnalysisRefused) as caught:
        image_mode(9)
    assert caught.value.reason is RefusalReason.INVALID_FIELD


_Config = analysis_pb2.AnalyzeVideoConfig


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (_Config.CONTAINER_UNSPECIFIED, None),
        *((_Config.Container.Value(f"CONTAINER_{each.name}"), each) for each in VideoContainer),
    ],
)
def test_every_container_can_be_announced(container: Any, expected: VideoContainer | None) -> None:
    plan = upload_plan(_Config(kind=_Config.KIND_VIDEO, container=container, total_bytes=12))
    assert plan == UploadPlan(kind=UploadKind.VIDEO, container=expected, total_bytes=12)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (_Config(), "kind"),
        (_Config(kind=7), "kind"),  # type: ignore[arg-type]  # no value of the enumeration, on purpose
        (_Config(kind=_Config.KIND_VIDEO, container=9), "container"),  # type: ignore[arg-type]  # likewise
        (_Config(kind=_Config.KIND_FRAMES, container=_Config.CONTAINER_MP4), "container"),
    ],
)
def test_announcements_that_make_no_sense(config: analysis_pb2.AnalyzeVideoConfig, field: str) -> None:
    with pytest.raises(AnalysisRefused) as caught:
        upload_plan(config)
    assert caught.value.reason is RefusalReason.INVALID_FIELD
    assert caught.value.details["field"] == field


def test_an_announcement_of_too_much_is_refused_before_any_byte_comes() -> None:
    with pytest.raises(AnalysisRefused) as caught:
        upload_plan(_Config(kind=_Config.KIND_VIDEO, total_bytes=50_000_001))
    assert caught.value.reason is RefusalReason.VIDEO_TOO_LARGE
