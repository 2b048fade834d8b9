"""An AnalysisService with answers that a test sets; it records the requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import pytest
from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import analysis_service_pb2_grpc

from facegate_client import AnalysisClient, ApiKey, CallRefusedError, ConnectionFailedError, open_channel
from tests.client.fake_server import LOST, Context, Refuse, refuse


class FakeAnalysis(analysis_service_pb2_grpc.AnalysisServiceServicer):
    """Refuses a set number of times, then answers."""

    def __init__(
        self,
        *,
        image: analysis_pb2.AnalyzeImageResponse | None = None,
        video: analysis_pb2.AnalyzeVideoResponse | None = None,
        refusals: tuple[Refuse, ...] = (),
    ) -> None:
        self._image = image or analysis_pb2.AnalyzeImageResponse()
        self._video = video or analysis_pb2.AnalyzeVideoResponse()
        self._refusals = list(refusals)
        self.images: list[analysis_pb2.AnalyzeImageRequest] = []
        self.uploads: list[list[analysis_pb2.AnalyzeVideoRequest]] = []
        self.authorizations: list[str] = []

    async def AnalyzeImage(
        self, request: analysis_pb2.AnalyzeImageRequest, context: Context
    ) -> analysis_pb2.AnalyzeImageResponse:
        self.images.append(request)
        await self._begin(context)
        return self._image

    async def AnalyzeVideo(
        self, requests: AsyncIterator[analysis_pb2.AnalyzeVideoRequest], context: Context
    ) -> analysis_pb2.AnalyzeVideoResponse:
        self.uploads.append([request async for request in requests])
        await self._begin(context)
        return self._video

    async def _begin(self, context: Context) -> None:
        metadata = dict(context.invocation_metadata() or ())
        self.authorizations.append(str(metadata.get("authorization", "")))
        if self._refusals:
            await refuse(context, self._refusals.pop(0))


@asynccontextmanager
async def serving_analysis(fake: FakeAnalysis) -> AsyncIterator[str]:
    """Serve ``fake`` on a free port of loopback and yield its ``host:port``."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 16 << 20)])
    analysis_service_pb2_grpc.add_AnalysisServiceServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


BUSY = Refuse(code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_after_s=4.0)
STARTING = Refuse(code=grpc.StatusCode.UNAVAILABLE, reason="NOT_SERVING", retry_after_s=2.0)
KIND = analysis_pb2.AnalyzeVideoConfig


@asynccontextmanager
async def _analysing(fake: FakeAnalysis, waits: list[float] | None = None) -> AsyncIterator[AnalysisClient]:
    async def sleep(seconds: float) -> None:
        if waits is None:
            pytest.fail("nothing is to be waited for")
        waits.append(seconds)

    async with serving_analysis(fake) as target, open_channel(target) as channel:
        yield AnalysisClient(channel=channel, api_key=ApiKey("secret"), sleep=sleep)


async def test_an_image_goes_as_it_is() -> None:
    fake = FakeAnalysis(image=analysis_pb2.AnalyzeImageResponse(request_id="lv_1"))
    async with _analysing(fake) as client:
        answer = await client.analyze_image(b"\xff\xd8\xff image", mode=analysis_pb2.ANALYSIS_MODE_FULL)
    assert answer.request_id == "lv_1"
    (request,) = fake.images
    assert (request.image, request.mode) == (b"\xff\xd8\xff image", analysis_pb2.ANALYSIS_MODE_FULL)
    assert fake.authorizations == ["Bearer secret"]


async def test_a_video_goes_in_chunks_after_its_config() -> None:
    fake = FakeAnalysis()
    video = bytes(range(256)) * 10_000
    async with _analysing(fake) as client:
        await client.analyze_video(video)
    ((config, *chunks),) = fake.uploads
    assert (config.config.kind, config.config.total_bytes) == (KIND.KIND_VIDEO, len(video))
    assert b"".join(each.chunk for each in chunks) == video
    assert all(each.WhichOneof("part") == "chunk" for each in chunks)
    assert max(len(each.chunk) for each in chunks) <= 1_048_576


async def test_still_frames_go_one_a_message() -> None:
    fake = FakeAnalysis()
    async with _analysing(fake) as client:
        await client.analyze_frames([b"first", b"second"])
    ((config, *frames),) = fake.uploads
    assert (config.config.kind, config.config.total_bytes) == (KIND.KIND_FRAMES, 11)
    assert [each.frame for each in frames] == [b"first", b"second"]


async def test_a_busy_server_is_asked_again_after_4_8_and_16_seconds() -> None:
    waits: list[float] = []
    fake = FakeAnalysis(refusals=(BUSY, BUSY, BUSY))
    async with _analysing(fake, waits) as client:
        await client.analyze_video(b"video")
    assert waits == [4.0, 8.0, 16.0]
    assert len(fake.uploads) == 4
    assert fake.uploads[0] == fake.uploads[3]


async def test_a_server_that_stays_busy_is_left_alone() -> None:
    waits: list[float] = []
    async with _analysing(FakeAnalysis(refusals=(BUSY,) * 5), waits) as client:
        with pytest.raises(CallRefusedError) as raised:
            await client.analyze_image(b"image")
    assert raised.value.refusal.reason == "OVERLOADED"
    assert waits == [4.0, 8.0, 16.0]


async def test_a_server_that_asks_for_more_time_gets_it_up_to_a_limit() -> None:
    waits: list[float] = []
    asked = [(BUSY, 20.0), (BUSY, 1e6), (STARTING, 1e6)]
    refusals = tuple(replace(refusal, retry_after_s=seconds) for refusal, seconds in asked)
    async with _analysing(FakeAnalysis(refusals=refusals), waits) as client:
        await client.analyze_image(b"image")
    assert waits == [20.0, 30.0, 30.0]


async def test_a_starting_server_is_asked_again_after_its_delay() -> None:
    waits: list[float] = []
    fake = FakeAnalysis(refusals=(STARTING, STARTING))
    async with _analysing(fake, waits) as client:
        await client.analyze_frames([b"first"] * 8)
    assert waits == [2.0, 2.0]
    assert fake.uploads[0] == fake.uploads[2]


async def test_a_proxy_without_a_server_is_asked_again_with_growing_pauses() -> None:
    waits: list[float] = []
    async with _analysing(FakeAnalysis(refusals=(LOST,) * 5), waits) as client:
        with pytest.raises(ConnectionFailedError):
            await client.analyze_image(b"image")
    for wait, longest in zip(waits, (0.25, 0.5, 1.0), strict=True):
        assert longest / 2 <= wait <= longest


async def test_busy_and_gone_share_the_tries() -> None:
    waits: list[float] = []
    async with _analysing(FakeAnalysis(refusals=(BUSY, STARTING, BUSY, STARTING)), waits) as client:
        with pytest.raises(CallRefusedError) as raised:
            await client.analyze_video(b"video")
    assert raised.value.refusal.reason == "NOT_SERVING"
    assert waits == [4.0, 2.0, 8.0]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_EMPTY"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "VIDEO_TOO_SLOW_TO_DECODE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
    ],
)
async def test_any_other_refusal_is_reported_at_once(code: grpc.StatusCode, reason: str) -> None:
    refusal = Refuse(code=code, reason=reason, metadata={"code": "INVALID_REQUEST"})
    async with _analysing(FakeAnalysis(refusals=(refusal,))) as client:
        with pytest.raises(CallRefusedError) as raised:
            await client.analyze_image(b"")
    assert raised.value.refusal.reason == reason
    assert raised.value.refusal.metadata == {"code": "INVALID_REQUEST"}
