"""The calls of EventService: backends and operators watch over the webhooks of their tenant."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from facegate.v1 import event_service_pb2 as event_pb2

from server.base.errors import Reason, Refusal
from server.compliance.access import Access
from server.compliance.events import EventCare, KnownEndpoint
from server.configuration.loading import mask_url
from server.domain.events import EventState
from server.edge.evidence_codec import member
from server.edge.result_codec import check_id_of
from server.edge.scan_codec import timestamp
from server.storage.events import StoredEvent

_LARGEST_PAGE: Final = 200
_USUAL_PAGE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEnvironment:
    """The dependencies of the calls."""

    care: EventCare
    now: Callable[[], datetime]


async def _list_events(
    env: EventEnvironment, access: Access, request: event_pb2.ListEventsRequest
) -> event_pb2.ListEventsResponse:
    if request.page_size > _LARGEST_PAGE:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"page_size is {request.page_size}; at most {_LARGEST_PAGE} are allowed",
            details={"field": "page_size", "value": request.page_size, "maxValue": _LARGEST_PAGE},
        )
    page = await env.care.page(
        access,
        endpoint=request.endpoint,
        state=member(EventState, event_pb2.EventState, request.state, "state", "EVENT_STATE_"),
        check_id=check_id_of(request.check_id) if request.check_id else None,
        size=request.page_size or _USUAL_PAGE,
        page_token=request.page_token,
    )
    return event_pb2.ListEventsResponse(
        events=[_event(event) for event in page.events], next_page_token=page.next_page_token
    )


async def _replay_events(
    env: EventEnvironment, access: Access, request: event_pb2.ReplayEventsRequest
) -> event_pb2.ReplayEventsResponse:
    which = request.WhichOneof("which")
    if which is None:
        raise Refusal(
            Reason.INVALID_FIELD,
            "which events are replayed is not stated; set event_id or endpoint",
            details={"field": "which"},
        )
    event_id = None
    if which == "event_id":
        try:
            event_id = uuid.UUID(request.event_id.removeprefix("evt_"))
        except ValueError as error:
            raise Refusal(
                Reason.INVALID_FIELD, "event_id is not a UUID", details={"field": "event_id"}
            ) from error
    replayed = await env.care.replay(access, event_id=event_id, endpoint=request.endpoint)
    return event_pb2.ReplayEventsResponse(events=replayed)


async def _list_endpoints(
    env: EventEnvironment, access: Access, _request: event_pb2.ListEndpointsRequest
) -> event_pb2.ListEndpointsResponse:
    found = await env.care.endpoints(access)
    return event_pb2.ListEndpointsResponse(endpoints=[_endpoint(endpoint) for endpoint in found])


def _event(event: StoredEvent) -> event_pb2.Event:
    message = event_pb2.Event(
        event_id=str(event.event_id),
        endpoint=event.endpoint,
        type=event.kind.value,
        check_id="" if event.check_id is None else str(event.check_id),
        sequence=event.sequence,
        sandbox=event.sandbox,
        state=event_pb2.EventState.Value(f"EVENT_STATE_{event.state}"),
        create_time=timestamp(event.create_time),
        attempts=event.attempts,
        answer=event.answer,
        body=event.body,
    )
    if event.state is EventState.WAITING:
        message.next_time.CopyFrom(timestamp(event.next_time))
    if event.answer_time is not None:
        message.answer_time.CopyFrom(timestamp(event.answer_time))
    return message


def _endpoint(endpoint: KnownEndpoint) -> event_pb2.Endpoint:
    standing, settings = endpoint.standing, endpoint.settings
    if standing.answer_time is None:
        state = event_pb2.ENDPOINT_STATE_UNUSED
    elif standing.took:
        state = event_pb2.ENDPOINT_STATE_TAKING
    else:
        state = event_pb2.ENDPOINT_STATE_FAILING
    message = event_pb2.Endpoint(
        name=endpoint.name,
        url=mask_url(str(settings.url)),
        types=[kind.value for kind in settings.events],
        sandbox=settings.sandbox.value,
        state=state,
        waiting=standing.waiting,
        dead=standing.dead,
        answer=standing.answer,
    )
    if standing.oldest is not None:
        message.oldest_time.CopyFrom(timestamp(standing.oldest))
    if standing.answer_time is not None:
        message.answer_time.CopyFrom(timestamp(standing.answer_time))
    return message


EVENT_CALLS: Final[Mapping[str, Callable[[EventEnvironment, Access, Any], Any]]] = {
    "ListEvents": _list_events,
    "ReplayEvents": _replay_events,
    "ListEndpoints": _list_endpoints,
}
"""What each call of EventService does; the contract describes it."""
