"""The calls of EventService: backends and operators watch over the webhooks of their tenant."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from facegate.v1 import event_service_pb2 as event_pb2

from server.base.errors import invalid_field
from server.compliance.access import Access
from server.compliance.events import EventCare, KnownEndpoint
from server.configuration.loading import mask_url
from server.domain.events import EventState
from server.edge.fields import check_id_of, message_of, page_size, stated_member
from server.storage.events import StoredEvent


async def _list_events(
    care: EventCare, access: Access, request: event_pb2.ListEventsRequest
) -> event_pb2.ListEventsResponse:
    page = await care.page(
        access,
        endpoint=request.endpoint,
        state=stated_member(EventState, event_pb2.EventState, request.state, "state"),
        check_id=check_id_of(request.check_id) if request.check_id else None,
        size=page_size(request),
        page_token=request.page_token,
    )
    return event_pb2.ListEventsResponse(
        events=[_event(event) for event in page.entries], next_page_token=page.next_page_token
    )


async def _replay_events(
    care: EventCare, access: Access, request: event_pb2.ReplayEventsRequest
) -> event_pb2.ReplayEventsResponse:
    which = request.WhichOneof("which")
    if which is None:
        raise invalid_field("which", "which events are replayed is not stated; set event_id or endpoint")
    event_id = None
    if which == "event_id":
        event_id = check_id_of(request.event_id.removeprefix("evt_"), field="event_id")
    replayed = await care.replay(access, event_id=event_id, endpoint=request.endpoint)
    return event_pb2.ReplayEventsResponse(events=replayed)


async def _list_endpoints(
    care: EventCare, access: Access, _request: event_pb2.ListEndpointsRequest
) -> event_pb2.ListEndpointsResponse:
    found = await care.endpoints(access)
    return event_pb2.ListEndpointsResponse(endpoints=[_endpoint(endpoint) for endpoint in found])


def _event(event: StoredEvent) -> event_pb2.Event:
    return message_of(
        event_pb2.Event,
        event,
        type=event.kind.value,
        next_time=event.next_time if event.state is EventState.WAITING else None,
    )


def _endpoint(endpoint: KnownEndpoint) -> event_pb2.Endpoint:
    standing, settings = endpoint.standing, endpoint.settings
    if standing.answer_time is None:
        state = event_pb2.ENDPOINT_STATE_UNUSED
    elif standing.took:
        state = event_pb2.ENDPOINT_STATE_TAKING
    else:
        state = event_pb2.ENDPOINT_STATE_FAILING
    return message_of(
        event_pb2.Endpoint,
        standing,
        name=endpoint.name,
        url=mask_url(str(settings.url)),
        types=[kind.value for kind in settings.events],
        sandbox=settings.sandbox.value,
        state=state,
        oldest_time=standing.oldest,
    )


EVENT_CALLS: Final[Mapping[str, Callable[[EventCare, Access, Any], Any]]] = {
    "ListEvents": _list_events,
    "ReplayEvents": _replay_events,
    "ListEndpoints": _list_endpoints,
}
"""What each call of EventService does; the contract describes it."""
