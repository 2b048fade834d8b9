"""The calls of those who watch over webhooks."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

import grpc
from facegate.v1 import event_service_pb2, event_service_pb2_grpc

from facegate_client.channel import ApiKey
from facegate_client.errors import translate_error

_CALL_SECONDS: Final = 5.0

_Answer = TypeVar("_Answer")


class Events:
    """A client of EventService, on the service listener.

    Every method raises ``CallRefusedError`` if the server refuses, and ``ConnectionFailedError`` if it cannot
    be reached. No call is repeated.
    """

    def __init__(self, *, channel: grpc.aio.Channel, api_key: ApiKey | None = None) -> None:
        """Uses a channel.

        Args:
            channel: To the service listener; the caller closes it.
            api_key: Sent with each call; ``None`` with mutual TLS.
        """
        self._stub = event_service_pb2_grpc.EventServiceStub(channel)
        self._metadata = api_key.metadata if api_key else ()

    async def all_events(
        self, request: event_service_pb2.ListEventsRequest, *, most: int
    ) -> AsyncIterator[event_service_pb2.Event]:
        """Yields events, newest first, at most ``most``, over as many pages as they take."""
        page = event_service_pb2.ListEventsRequest()
        page.CopyFrom(request)
        left = most
        while left > 0:
            response = await self._call(self._stub.ListEvents, page)
            for event in response.events[:left]:
                yield event
            left -= len(response.events)
            if not response.next_page_token:
                return
            page.page_token = response.next_page_token

    async def replay(self, request: event_service_pb2.ReplayEventsRequest) -> int:
        """Makes events due at once; returns their number."""
        return (await self._call(self._stub.ReplayEvents, request)).events

    async def endpoints(self) -> Sequence[event_service_pb2.Endpoint]:
        """Returns the endpoints of the tenant, by name."""
        request = event_service_pb2.ListEndpointsRequest()
        return (await self._call(self._stub.ListEndpoints, request)).endpoints

    async def _call(self, method: Callable[..., Awaitable[_Answer]], request: object) -> _Answer:
        try:
            return await method(request, timeout=_CALL_SECONDS, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error
