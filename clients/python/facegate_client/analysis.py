"""Analyses of single selfies and videos for the orchestrator: no check is created, nothing is stored."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, TypeVar

import grpc
from facegate.v1 import analysis_service_pb2, analysis_service_pb2_grpc

from facegate_client.channel import ApiKey
from facegate_client.errors import refusal_of, translate_error
from facegate_client.scan_stream import ReconnectPolicy
from facegate_client.stream_call import answer_of

_Answer = TypeVar("_Answer")

_IMAGE_SECONDS: Final = 10.0
_VIDEO_SECONDS: Final = 120.0
_CHUNK_BYTES: Final = 1 << 20
_OVERLOADED: Final = "OVERLOADED"
_FIRST_PAUSE: Final = 4.0
"""Pause before the first retry if the server is busy, seconds. It doubles, as the API demands: 4, 8, 16."""
_UNREACHABLE: Final = ReconnectPolicy()
"""The pauses if the server cannot be reached, starts or stops; they are those of a scan's reconnects."""
_PAUSES: Final = 3
"""The most retries of a call, for both causes together. Each retry sends the whole upload again."""


class AnalysisClient:
    """A client of AnalysisService, on the service listener.

    A call is retried up to three times if the server is busy (after 4, 8 and 16 seconds), or if it cannot be
    reached, starts or stops (gRPC's UNAVAILABLE; with the pauses of ``ReconnectPolicy``). If the server asks
    for a longer pause, that is used, up to 30 seconds. Any other error is raised at once.
    """

    def __init__(
        self,
        *,
        channel: grpc.aio.Channel,
        api_key: ApiKey | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Use a channel.

        Args:
            channel: To the service listener; the caller closes it.
            api_key: Sent with each call; ``None`` with mutual TLS, or on an open loopback listener.
            sleep: Waits before a retry, seconds; tests pass one that returns at once.
        """
        self._stub = analysis_service_pb2_grpc.AnalysisServiceStub(channel)
        self._metadata = api_key.metadata if api_key else ()
        self._sleep = sleep

    async def analyze_image(
        self,
        image: bytes,
        *,
        mode: analysis_service_pb2.AnalysisMode.ValueType = analysis_service_pb2.ANALYSIS_MODE_BASIC,
        timeout_s: float = _IMAGE_SECONDS,
    ) -> analysis_service_pb2.AnalyzeImageResponse:
        """Analyse one selfie.

        Args:
            image: JPEG, PNG, WebP or BMP, at most 10,000,000 bytes.
            timeout_s: Deadline of each call, seconds.

        Raises:
            CallRefusedError: The server refused; ``refusal.metadata["code"]`` is the API's code.
            ConnectionFailedError: The server cannot be reached.
        """
        request = analysis_service_pb2.AnalyzeImageRequest(image=image, mode=mode)
        return await self._with_retries(
            lambda: self._stub.AnalyzeImage(request, timeout=timeout_s, metadata=self._metadata)
        )

    async def analyze_video(
        self, video: bytes, *, timeout_s: float = _VIDEO_SECONDS
    ) -> analysis_service_pb2.AnalyzeVideoResponse:
        """Analyse one video file.

        Args:
            video: MP4, MOV, AVI, WebM or MKV, at most 50,000,000 bytes.
            timeout_s: Deadline of each call, seconds.

        Raises:
            CallRefusedError: As for ``analyze_image``.
            ConnectionFailedError: The server cannot be reached.
        """
        return await self._upload(
            lambda: _video_messages(video),
            timeout_s=timeout_s,
        )

    async def analyze_frames(
        self, frames: Sequence[bytes], *, timeout_s: float = _VIDEO_SECONDS
    ) -> analysis_service_pb2.AnalyzeVideoResponse:
        """Analyse still frames of one scan, in the order of their capture.

        Args:
            frames: Images as for ``analyze_image``; 8 to 120 of them.
            timeout_s: Deadline of each call, seconds.

        Raises:
            CallRefusedError: As for ``analyze_image``.
            ConnectionFailedError: The server cannot be reached.
        """
        return await self._upload(
            lambda: _frame_messages(frames),
            timeout_s=timeout_s,
        )

    async def _upload(
        self,
        messages: Callable[[], Iterator[analysis_service_pb2.AnalyzeVideoRequest]],
        *,
        timeout_s: float,
    ) -> analysis_service_pb2.AnalyzeVideoResponse:
        return await self._with_retries(
            lambda: answer_of(self._stub.AnalyzeVideo(messages(), timeout=timeout_s, metadata=self._metadata))
        )

    async def _with_retries(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        busy = unreachable = 0
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                refusal = refusal_of(error)
                asked = refusal.retry_after_s or 0.0
                if busy + unreachable == _PAUSES:
                    raise translate_error(error) from error
                if refusal.reason == _OVERLOADED:
                    pause = max(_FIRST_PAUSE * 2.0**busy, min(asked, _UNREACHABLE.longest_asked_s))
                    busy += 1
                elif error.code() is grpc.StatusCode.UNAVAILABLE:
                    unreachable += 1
                    pause = _UNREACHABLE.delay(
                        unreachable, asked_s=asked, jitter=random.SystemRandom().random()
                    )
                else:
                    raise translate_error(error) from error
            await self._sleep(pause)


def _video_messages(video: bytes) -> Iterator[analysis_service_pb2.AnalyzeVideoRequest]:
    yield _config(analysis_service_pb2.AnalyzeVideoConfig.KIND_VIDEO, total=len(video))
    for start in range(0, len(video), _CHUNK_BYTES):
        yield analysis_service_pb2.AnalyzeVideoRequest(chunk=video[start : start + _CHUNK_BYTES])


def _frame_messages(frames: Sequence[bytes]) -> Iterator[analysis_service_pb2.AnalyzeVideoRequest]:
    yield _config(analysis_service_pb2.AnalyzeVideoConfig.KIND_FRAMES, total=sum(map(len, frames)))
    for frame in frames:
        yield analysis_service_pb2.AnalyzeVideoRequest(frame=frame)


def _config(
    kind: analysis_service_pb2.AnalyzeVideoConfig.Kind.ValueType, *, total: int
) -> analysis_service_pb2.AnalyzeVideoRequest:
    return analysis_service_pb2.AnalyzeVideoRequest(
        config=analysis_service_pb2.AnalyzeVideoConfig(kind=kind, total_bytes=total)
    )
