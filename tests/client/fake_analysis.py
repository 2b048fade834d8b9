"""An AnalysisService with answers that a test sets; it records the requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import analysis_service_pb2_grpc

from tests.client.fake_calls import Context, refuse
from tests.client.stream_plan import Refuse

__all__ = ["FakeAnalysis", "serving_analysis"]


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
    """Serves ``fake`` on a free port of loopback and yields its ``host:port``."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 16 << 20)])
    analysis_service_pb2_grpc.add_AnalysisServiceServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
