"""Lists and replays the events of webhooks for their tenant."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from server.audit import AuditAction
from server.base.errors import Reason, Refusal
from server.base.page_tokens import Page, PageTokens
from server.compliance.access import Access
from server.configuration.tables import WebhookEndpoint
from server.domain.events import EventState
from server.storage.events import EndpointStanding, EventRepository, StoredEvent
from server.storage.records import Place


@dataclass(frozen=True, slots=True)
class KnownEndpoint:
    """An endpoint of the settings, and how it takes events."""

    name: str
    settings: WebhookEndpoint
    standing: EndpointStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCare:
    """The calls of those who watch over webhooks. A replay has its entry in the audit log."""

    events: EventRepository
    configured: Mapping[str, WebhookEndpoint]
    tokens: PageTokens

    async def page(
        self,
        access: Access,
        *,
        endpoint: str,
        state: EventState | None,
        check_id: UUID | None,
        size: int,
        page_token: str,
    ) -> Page[StoredEvent]:
        """Return a page.

        Args:
            endpoint: Name of the endpoint; empty for all.
            state: The state; ``None`` for all.
            check_id: The check; ``None`` for all.
            size: The maximum number of events, 1 or more.
            page_token: The token of the page; empty for the first.

        Raises:
            Refusal: The token is not one of this list, or there is no such endpoint (INVALID_FIELD).
        """
        if endpoint:
            self._require(access, endpoint)
        bound = ["events", endpoint, state or "", str(check_id or ""), str(access.sandbox)]
        after = self.tokens.open(page_token, Place.from_bytes, tenant=access.tenant, conditions=bound)
        found = await self.events.list(
            access.tenant,
            sandbox_only=access.sandbox,
            endpoint=endpoint,
            state=state,
            check_id=check_id,
            after=after,
            limit=size + 1,
        )
        return self.tokens.page(
            found, size, place=lambda one: one.place.to_bytes(), tenant=access.tenant, conditions=bound
        )

    async def replay(self, access: Access, *, event_id: UUID | None, endpoint: str) -> int:
        """Make one event, or all undelivered ones of an endpoint, due at once; return their number.

        Args:
            event_id: The event; ``None`` for those of ``endpoint``.

        Raises:
            Refusal: EVENT_NOT_FOUND; INVALID_FIELD if there is no such endpoint.
        """
        if event_id is None:
            self._require(access, endpoint)
        detail = {"endpoint": endpoint} if event_id is None else {"event_id": str(event_id)}
        replayed = await self.events.replay(
            access.tenant,
            sandbox_only=access.sandbox,
            event_id=event_id,
            endpoint=endpoint,
            event=access.event(AuditAction.EVENTS_REPLAYED, detail=detail),
            now=access.now,
        )
        if event_id is not None and not replayed:
            raise Refusal(
                Reason.EVENT_NOT_FOUND,
                "no event with this identifier is kept: delivered ones are for 7 days, dead ones for 30",
            )
        return replayed

    async def endpoints(self, access: Access) -> tuple[KnownEndpoint, ...]:
        """Return the endpoints of the caller's tenant, by name."""
        return tuple(
            [
                KnownEndpoint(name, settings, await self.events.standing(access.tenant, name))
                for name, settings in sorted(self.configured.items())
                if settings.tenant == access.tenant
            ]
        )

    def _require(self, access: Access, name: str) -> None:
        known = self.configured.get(name)
        if known is None or known.tenant != access.tenant:
            raise Refusal(
                Reason.INVALID_FIELD,
                "endpoint names none of your endpoints; ListEndpoints lists them",
                details={"field": "endpoint"},
            )
