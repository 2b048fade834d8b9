"""Converts requests and analyses between ``facegate.v1.AnalysisService`` and ``server.analysis``."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import result_pb2

from liveness.selfie import SelfieResult
from server.analysis.errors import AnalysisRefused
from server.analysis.results import AnalysisMode, ImageAnalysis, VideoAnalysis
from server.analysis.upload import UploadKind, UploadPlan
from server.edge.result_codec import liveness_to_wire
from server.edge.scan_codec import timestamp
from server.errors import Reason
from vision.isolation.video import VideoContainer

__all__ = ["image_mode", "image_to_wire", "upload_plan", "video_to_wire"]

_MODEL_ID, _MODEL_NAME = "face_liveness", "Face Liveness Detection"
_MOST_DETAIL: Final = 500
_MODES: Final[Mapping[int, AnalysisMode]] = MappingProxyType(
    {
        analysis_pb2.ANALYSIS_MODE_UNSPECIFIED: AnalysisMode.BASIC,
        analysis_pb2.ANALYSIS_MODE_BASIC: AnalysisMode.BASIC,
        analysis_pb2.ANALYSIS_MODE_FULL: AnalysisMode.FULL,
    }
)
_KINDS: Final[Mapping[int, UploadKind]] = MappingProxyType(
    {
        analysis_pb2.AnalyzeVideoConfig.KIND_VIDEO: UploadKind.VIDEO,
        analysis_pb2.AnalyzeVideoConfig.KIND_FRAMES: UploadKind.FRAMES,
    }
)
_CONTAINERS: Final[Mapping[int, VideoContainer | None]] = MappingProxyType(
    {
        analysis_pb2.AnalyzeVideoConfig.CONTAINER_UNSPECIFIED: None,
        analysis_pb2.AnalyzeVideoConfig.CONTAINER_MP4: VideoContainer.MP4,
        analysis_pb2.AnalyzeVideoConfig.CONTAINER_MOV: VideoContainer.MOV,
        analysis_pb2.AnalyzeVideoConfig.CONTAINER_AVI: VideoContainer.AVI,
        analysis_pb2.AnalyzeVideoConfig.CONTAINER_WEBM: VideoContainer.WEBM,
        analysis_pb2.AnalyzeVideoConfig.CONTAINER_MKV: VideoContainer.MKV,
    }
)


def image_mode(mode: int) -> AnalysisMode:
    """Returns the mode that a request names.

    Raises:
        AnalysisRefused: The value is not in the enumeration (INVALID_FIELD).
    """
    known = _MODES.get(mode)
    if known is None:
        raise _unknown("mode")
    return known


def upload_plan(config: analysis_pb2.AnalyzeVideoConfig) -> UploadPlan:
    """Returns the upload that a config announces, after its sizes are tested against the limits.

    Raises:
        AnalysisRefused: A field is missing or wrong, or the announced upload exceeds a limit.
    """
    kind = _KINDS.get(config.kind)
    if kind is None:
        raise _unknown("kind")
    if config.container not in _CONTAINERS:
        raise _unknown("container")
    plan = UploadPlan(kind=kind, container=_CONTAINERS[config.container], total_bytes=config.total_bytes)
    plan.validate()
    return plan


def image_to_wire(
    analysis: ImageAnalysis, *, request_id: str, now: datetime, pack: result_pb2.PackReference
) -> analysis_pb2.AnalyzeImageResponse:
    """Returns the response of AnalyzeImage."""
    message = analysis_pb2.AnalyzeImageResponse(
        status="error" if analysis.selfie is None else "success",
        request_id=request_id,
        timestamp=timestamp(now),
        pack=pack,
        assessment=analysis.scope,
    )
    if analysis.selfie is not None:
        message.result.CopyFrom(_selfie(analysis.selfie))
    if analysis.problem is not None:
        message.error.code = analysis.problem.code.value
        message.error.message = analysis.problem.message
    if analysis.full is not None:
        message.full.liveness.CopyFrom(liveness_to_wire(analysis.full))
    return message


def video_to_wire(
    analysis: VideoAnalysis,
    *,
    inference_id: str,
    created: datetime,
    completed: datetime,
    pack: result_pb2.PackReference,
) -> analysis_pb2.AnalyzeVideoResponse:
    """Returns the response of AnalyzeVideo.

    Args:
        analysis: The analysis.
        inference_id: The identifier of the response.
        created: When the call began, UTC.
        completed: When the analysis was completed, UTC.
        pack: The pack that was used.
    """
    source = analysis.source
    return analysis_pb2.AnalyzeVideoResponse(
        inference_id=inference_id,
        model_id=_MODEL_ID,
        model_name=_MODEL_NAME,
        moderation_type="video",
        status="completed",
        result=analysis_pb2.VideoResult(
            is_real=analysis.is_real,
            is_spoof=analysis.is_spoof,
            real_probability=analysis.real_probability,
            confidence=analysis.confidence,
            attack_type=analysis.attack_type,
            attack_type_name=analysis.attack_type_name,
            attack_type_confidence=analysis.attack_type_confidence,
        ),
        response_time_ms=max(0, round((completed - created).total_seconds() * 1000)),
        created_at=timestamp(created),
        completed_at=timestamp(completed),
        liveness=liveness_to_wire(analysis.liveness),
        video=analysis_pb2.VideoSummary(
            media_type="" if source.container is None else source.container.value,
            frames=source.frames,
            usable_frames=source.usable,
            seconds=source.seconds,
            other_size_frames=source.other_size,
            complete=source.complete,
            repeated_frames=source.repeated,
        ),
        pack=pack,
        assessment=analysis.scope,
    )


def _selfie(selfie: SelfieResult) -> analysis_pb2.SelfieResult:
    return analysis_pb2.SelfieResult(
        verdict=selfie.verdict.value,
        confidence=selfie.confidence,
        threshold=selfie.threshold,
        face_detected=selfie.face_detected,
        signals=[
            analysis_pb2.SelfieSignal(
                name=signal.name,
                label=signal.label,
                score=signal.score or 0.0,
                weight=signal.weight,
                passed=bool(signal.passed),
                detail=signal.detail[:_MOST_DETAIL],
            )
            for signal in selfie.signals
        ],
    )


def _unknown(field: str) -> AnalysisRefused:
    return AnalysisRefused(
        Reason.INVALID_FIELD, f"{field} is missing, or unknown to this server", details={"field": field}
    )
