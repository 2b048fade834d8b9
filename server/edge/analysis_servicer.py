"""AnalysisService on the service listener: analyses one selfie or one video, and keeps nothing of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import structlog
from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import result_pb2
from google.protobuf.message import DecodeError
from grpc.aio import ServicerContext, UsageError

from liveness.selfie import SelfieResult
from server.analysis.image import ImageAnalyst
from server.analysis.results import (
    AnalysisCode,
    AnalysisMode,
    AnalysisRefused,
    ImageAnalysis,
    VideoAnalysis,
    image_request_id,
    video_inference_id,
)
from server.analysis.upload import UploadKind, UploadPlan, VideoUpload
from server.analysis.video import VideoAnalyst
from server.base.errors import Reason, Refusal
from server.base.worker_pool import WorkerPool
from server.edge.callers import CallerIdentifier
from server.edge.fields import member_of, message_of, timestamp
from server.edge.places import Places
from server.edge.result_codec import liveness_to_wire, pack_to_wire
from server.edge.status import Opened, within_deadline
from server.telemetry.metrics import Metrics
from server.verdict.outcome import PackIdentity
from vision.isolation.video import VideoContainer

_IMAGE_SECONDS = 30.0
_SETTLE_SECONDS = 0.05
UPLOAD_SECONDS = 60.0
"""Maximum duration of one upload of a video: 50 MB at 7 Mbit/s."""
IDLE_SECONDS = 10.0
"""Maximum time between two messages of an upload, which holds a place meanwhile."""

_log = structlog.get_logger(__name__)
_MODEL_ID, _MODEL_NAME = "face_liveness", "Face Liveness Detection"
_MOST_DETAIL: Final = 500
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisEnvironment:
    """The dependencies of the calls.

    Attributes:
        image_pool: Threads for selfies; no scan waits for them.
        video_pool: Threads for videos; each video occupies one for seconds.
        pack: The model pack of both analysts.
    """

    images: ImageAnalyst
    videos: VideoAnalyst
    image_pool: WorkerPool
    video_pool: WorkerPool
    pack: PackIdentity
    now: Callable[[], datetime]
    metrics: Metrics


@dataclass(kw_only=True, eq=False)
class AnalysisServicer(Opened[AnalysisEnvironment]):
    """Serves the calls of AnalysisService.

    Attributes:
        videos: Places of AnalyzeVideo; a call also holds one during its upload.
    """

    callers: CallerIdentifier
    selfies: Places
    videos: Places

    async def AnalyzeImage(  # noqa: N802 - the name is the contract's
        self,
        request: analysis_pb2.AnalyzeImageRequest,
        context: ServicerContext[Any, analysis_pb2.AnalyzeImageResponse],
    ) -> analysis_pb2.AnalyzeImageResponse:
        """Analyse one selfie; see the contract."""
        caller, env = self.callers.identify(context), self.env
        request_id = image_request_id()
        with _identified(env.metrics, "image", "requestId", request_id):
            mode = image_mode(request.mode)
            if not request.image:
                raise AnalysisRefused(
                    Reason.IMAGE_EMPTY, "the request carries no image; set `image` to its bytes"
                )
            async with (
                within_deadline(context, _IMAGE_SECONDS),
                self.selfies.hold_place(caller.scope) as place,
            ):
                analysis = await place.run(env.image_pool, env.images.analyse, request.image, mode=mode)
        if analysis.failure is not None:
            _log.error("model_failed", request_id=request_id, exc_info=analysis.failure)
        problem = None if analysis.problem is None else analysis.problem.code.value
        env.metrics.calls.count_analysis("image", problem or "ANSWERED")
        return image_to_wire(analysis, request_id=request_id, now=env.now(), pack=pack_to_wire(env.pack))

    async def AnalyzeVideo(  # noqa: N802 - the name is the contract's
        self,
        request_iterator: AsyncIterator[analysis_pb2.AnalyzeVideoRequest],
        context: ServicerContext[analysis_pb2.AnalyzeVideoRequest, analysis_pb2.AnalyzeVideoResponse],
    ) -> analysis_pb2.AnalyzeVideoResponse:
        """Analyse one video; see the contract."""
        caller, env = self.callers.identify(context), self.env
        created = env.now()
        inference_id = video_inference_id()
        with _identified(env.metrics, "video", "inferenceId", inference_id):
            async with self.videos.hold_place(caller.scope) as place:
                upload = await self._uploaded(request_iterator)
                try:
                    analysis = await place.run(
                        env.video_pool, _analyse, env.videos, upload, place.require_wanted
                    )
                except Refusal as refusal:
                    if refusal.reason is Reason.INTERNAL:
                        _log.error("model_failed", inference_id=inference_id, exc_info=refusal)
                    raise
        env.metrics.calls.count_analysis("video", "ANSWERED")
        return video_to_wire(
            analysis,
            inference_id=inference_id,
            created=created,
            completed=env.now(),
            pack=pack_to_wire(env.pack),
        )

    async def _uploaded(self, requests: AsyncIterator[analysis_pb2.AnalyzeVideoRequest]) -> VideoUpload:
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                return await self._received(aiter(requests))
        except TimeoutError as error:
            raise Refusal(
                Reason.DEADLINE_EXCEEDED,
                f"the upload took more than {UPLOAD_SECONDS:g} seconds",
                details={"maxSeconds": UPLOAD_SECONDS},
            ) from error
        except DecodeError as error:
            raise Refusal(
                Reason.INVALID_FIELD, "a message is not an AnalyzeVideoRequest", details={"field": "message"}
            ) from error

    async def _received(self, requests: AsyncIterator[analysis_pb2.AnalyzeVideoRequest]) -> VideoUpload:
        upload: VideoUpload | None = None
        while (request := await self._next(requests)) is not None:
            part = request.WhichOneof("part")
            if upload is None:
                if part != "config":
                    raise _unexpected("the first message must be `config`")
                upload = VideoUpload(upload_plan(request.config))
            elif part == "chunk":
                upload.add_chunk(request.chunk)
            elif part == "frame":
                upload.add_frame(request.frame)
            else:
                raise _unexpected(
                    "a message is empty" if part is None else "`config` came twice; send it first only"
                )
        # grpc ends the iteration both for a half-close and for a lost connection, but only the latter cancels
        # the call, a moment later. The sleep lets the cancellation arrive, so that no analysis is wasted.
        await asyncio.sleep(_SETTLE_SECONDS)
        if upload is None:
            raise AnalysisRefused(Reason.VIDEO_EMPTY, "no message arrived; send `config`, then the video")
        return upload

    async def _next(
        self, requests: AsyncIterator[analysis_pb2.AnalyzeVideoRequest]
    ) -> analysis_pb2.AnalyzeVideoRequest | None:
        try:
            return await asyncio.wait_for(anext(requests, None), IDLE_SECONDS)
        except TimeoutError as error:
            raise Refusal(
                Reason.STREAM_IDLE,
                f"nothing arrived for {IDLE_SECONDS:g} seconds; send the video again, without a pause",
                details={"idleSeconds": IDLE_SECONDS},
            ) from error


def _analyse(videos: VideoAnalyst, upload: VideoUpload, require_wanted: Callable[[], None]) -> VideoAnalysis:
    if upload.plan.kind is UploadKind.FRAMES:
        return videos.analyse_frames(upload.frames(), require_wanted=require_wanted)
    return videos.analyse_video(
        upload.video(), container=upload.plan.container, require_wanted=require_wanted
    )


@contextmanager
def _identified(metrics: Metrics, kind: str, field: str, name: str) -> Iterator[None]:
    """Count what is raised, and add the identifier of the analysis to what the caller receives."""
    try:
        yield
    except Exception as error:
        reason = error.reason if isinstance(error, Refusal) else Reason.INTERNAL
        metrics.calls.count_analysis(kind, reason.value)
        if isinstance(error, UsageError):
            # The call has ended in the meantime, and grpc has recorded that.
            raise
        if isinstance(error, Refusal):
            details = {**error.details, field: name}
            raise Refusal(reason, str(error), details=details, retry_after=error.retry_after) from error
        _log.error("analysis_failed", name=name, exc_info=error)
        raise Refusal(
            Reason.INTERNAL,
            f"the server failed; its log has the analysis {name}",
            details={"code": AnalysisCode.SERVER_ERROR.value, "incidentId": name, field: name},
        ) from error


def _unexpected(what: str) -> AnalysisRefused:
    return AnalysisRefused(Reason.UNEXPECTED_MESSAGE, what, code=AnalysisCode.INVALID_REQUEST)


def image_mode(mode: int) -> AnalysisMode:
    """Return the mode that a request names.

    Raises:
        AnalysisRefused: The value is not in the enumeration (INVALID_FIELD).
    """
    if mode == 0:
        return AnalysisMode.BASIC
    return _known("mode", member_of(AnalysisMode, analysis_pb2.AnalysisMode, mode))


def upload_plan(config: analysis_pb2.AnalyzeVideoConfig) -> UploadPlan:
    """Return the upload that a config announces, after its sizes are tested against the limits.

    Raises:
        AnalysisRefused: A field is missing or wrong, or the announced upload exceeds a limit.
    """
    wire = analysis_pb2.AnalyzeVideoConfig
    kind = _known("kind", member_of(UploadKind, wire.Kind, config.kind))
    container = None
    if config.container != 0:
        container = _known("container", member_of(VideoContainer, wire.Container, config.container))
    plan = UploadPlan(kind=kind, container=container, total_bytes=config.total_bytes)
    plan.validate()
    return plan


def image_to_wire(
    analysis: ImageAnalysis, *, request_id: str, now: datetime, pack: result_pb2.PackReference
) -> analysis_pb2.AnalyzeImageResponse:
    """Return the response of AnalyzeImage."""
    selfie, problem, full = analysis.selfie, analysis.problem, analysis.full
    return analysis_pb2.AnalyzeImageResponse(
        status="error" if selfie is None else "success",
        request_id=request_id,
        timestamp=timestamp(now),
        result=None if selfie is None else _selfie(selfie),
        error=None if problem is None else message_of(analysis_pb2.AnalysisError, problem),
        full=None if full is None else analysis_pb2.FullImageResult(liveness=liveness_to_wire(full)),
        pack=pack,
        assessment=analysis.scope,
    )


def video_to_wire(
    analysis: VideoAnalysis,
    *,
    inference_id: str,
    created: datetime,
    completed: datetime,
    pack: result_pb2.PackReference,
) -> analysis_pb2.AnalyzeVideoResponse:
    """Return the response of AnalyzeVideo.

    Args:
        created: When the call began, UTC.
        completed: When the analysis was completed, UTC.
    """
    source = analysis.source
    return analysis_pb2.AnalyzeVideoResponse(
        inference_id=inference_id,
        model_id=_MODEL_ID,
        model_name=_MODEL_NAME,
        moderation_type="video",
        status="completed",
        result=message_of(analysis_pb2.VideoResult, analysis),
        response_time_ms=max(0, round((completed - created).total_seconds() * 1000)),
        created_at=timestamp(created),
        completed_at=timestamp(completed),
        liveness=liveness_to_wire(analysis.liveness),
        video=message_of(
            analysis_pb2.VideoSummary,
            source,
            media_type=None if source.container is None else source.container.value,
            usable_frames=source.usable,
            other_size_frames=source.other_size,
            repeated_frames=source.repeated,
        ),
        pack=pack,
        assessment=analysis.scope,
    )


def _selfie(selfie: SelfieResult) -> analysis_pb2.SelfieResult:
    signals = [
        message_of(analysis_pb2.SelfieSignal, signal, detail=signal.detail[:_MOST_DETAIL])
        for signal in selfie.signals
    ]
    return message_of(analysis_pb2.SelfieResult, selfie, verdict=selfie.verdict.value, signals=signals)


def _known(field: str, value: _Value | None) -> _Value:
    if value is None:
        raise AnalysisRefused(
            Reason.INVALID_FIELD, f"{field} is missing, or unknown to this server", details={"field": field}
        )
    return value
