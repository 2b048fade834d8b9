"""The outbox of webhooks: an event is written in the transaction of what it tells, and delivered afterwards.

A row is one event for one endpoint. Whoever delivers claims it for a while (``_CLAIM``): another replica
takes over what a replica left behind that was killed. An event may therefore arrive twice, but none is lost.
The events of a check are delivered in their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from server.audit import AuditEvent
from server.configuration.tables import SandboxEvents, WebhookEndpoint
from server.domain.events import EventKind, EventState, event_body
from server.storage.audit import append
from server.storage.check_rows import newest_first
from server.storage.database import Repository, count_changed, find_all, reads, writes
from server.storage.records import CheckRecord, Place
from server.storage.tables import checks, events

_CLAIM: Final = timedelta(seconds=60)
"""How long a claimed event is left to its claimer: several times what one attempt may take."""
_KEEP_DELIVERED: Final = timedelta(days=7)
_KEEP_DEAD: Final = timedelta(days=30)
_UNCLAIMED: Final = timedelta(days=4)
"""How long an event of an endpoint that this server does not have may wait: longer than all retries take."""
_LONGEST_ANSWER: Final = 256


class Outbox:
    """Writes the events of transitions, for the endpoints of the settings that want them."""

    def __init__(self, endpoints: Mapping[str, WebhookEndpoint]) -> None:
        """Set the endpoints, by name."""
        self._endpoints = endpoints

    def of_check(
        self,
        connection: Connection,
        check: CheckRecord,
        kind: EventKind,
        now: datetime,
        **facts: str | bool | Sequence[str] | None,
    ) -> None:
        """Write an event of a check, whose row this transaction has locked.

        Args:
            facts: Further facts, without any reference to a person or a consent.
        """
        names = self._names(check.tenant, kind, sandbox=check.sandbox)
        if not names:
            return
        # The check counts its events, because delivered rows are deleted.
        counted = update(checks).where(checks.c.check_id == check.check_id).values(events=checks.c.events + 1)
        sequence = connection.execute(counted.returning(checks.c.events)).scalar_one()
        data = {
            "check_id": str(check.check_id),
            "tenant": check.tenant,
            "sandbox": check.sandbox,
            "policy": check.policy_name,
            "sequence": sequence,
            **facts,
        }
        about = {"check_id": check.check_id, "sequence": sequence, "sandbox": check.sandbox}
        _insert(connection, names, kind, data, now=now, tenant=check.tenant, **about)

    def of_tenant(
        self, connection: Connection, tenant: str, kind: EventKind, now: datetime, **facts: str | int
    ) -> None:
        """Write an event of a tenant that is about no single check, also for endpoints of sandbox checks."""
        names = self._names(tenant, kind, sandbox=None)
        data = {"tenant": tenant, **facts}
        about = {"check_id": None, "sequence": 0, "sandbox": False}
        _insert(connection, names, kind, data, now=now, tenant=tenant, **about)

    def _names(self, tenant: str, kind: EventKind, *, sandbox: bool | None) -> list[str]:
        unwanted = {True: SandboxEvents.NEVER, False: SandboxEvents.ONLY, None: None}[sandbox]
        return [
            name
            for name, endpoint in self._endpoints.items()
            if endpoint.tenant == tenant and kind in endpoint.events and endpoint.sandbox is not unwanted
        ]


NO_WEBHOOKS: Final = Outbox({})
"""The outbox of a server without endpoints."""


def _insert(
    connection: Connection,
    names: Sequence[str],
    kind: EventKind,
    data: Mapping[str, object],
    *,
    now: datetime,
    **about: Any,
) -> None:
    body = event_body(kind, now, data)
    rows = [
        about
        | {
            "event_id": uuid4(),
            "kind": kind,
            "body": body,
            "endpoint": name,
            "create_time": now,
            "state": EventState.WAITING,
            "attempts": 0,
            "next_time": now,
            "answer": "",
        }
        for name in names
    ]
    if rows:
        connection.execute(insert(events), rows)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event for one endpoint.

    Attributes:
        event_id: Identifies the message for the endpoint, in every attempt and replay.
        check_id: The check; ``None`` if it is about no single check.
        sequence: Its number among the events of the check, from 1; 0 without a check.
        body: What is sent.
        attempts: The number of attempts that began since it was written or replayed.
        next_time: When the next attempt is due; while one runs, when another server takes over.
        answer: The outcome of the last attempt, in words; empty before.
        answer_time: When the last attempt ended; ``None`` before.
        end_time: When it was delivered or given up; ``None`` while it waits.
    """

    event_id: UUID
    tenant: str
    endpoint: str
    kind: EventKind
    check_id: UUID | None
    sequence: int
    sandbox: bool
    body: str = field(repr=False)
    create_time: datetime
    state: EventState
    attempts: int
    next_time: datetime
    answer: str
    answer_time: datetime | None
    end_time: datetime | None

    @property
    def place(self) -> Place:
        """Its place in the order of lists, newest first."""
        return Place(self.create_time, self.event_id)


@dataclass(frozen=True, slots=True)
class EndpointStanding:
    """What waits for an endpoint, and what it answered last.

    Attributes:
        waiting: The number of events that wait.
        dead: The number of events that are kept and were given up.
        oldest: When the oldest of those that wait was written; ``None`` without any.
        answer: The last answer, in words; empty if there is none among the events that are kept.
        answer_time: When it came; ``None`` without one.
        took: Whether the endpoint took the event.
    """

    waiting: int
    dead: int
    oldest: datetime | None
    answer: str
    answer_time: datetime | None
    took: bool


_EVENTS = select(*(events.c[each.name] for each in fields(StoredEvent)))


class EventRepository(Repository):
    """Claims, settles, lists and replays events."""

    @reads
    def is_due(self, connection: Connection, tenant: str, endpoint: str, now: datetime) -> bool:
        """Return whether there is an event to claim, so that nothing is written if there is none."""
        query = select(events.c.event_id).where(_due(tenant, endpoint, now)).limit(1)
        return connection.execute(query).first() is not None

    @writes
    def claim(
        self, connection: Connection, tenant: str, endpoint: str, now: datetime, limit: int
    ) -> tuple[StoredEvent, ...]:
        """Claim events that are due, the longest due first, at most one of each check.

        Each must be settled with ``settle``; after a while, another server may claim it otherwise.
        """
        chosen = (
            select(events.c.event_id)
            .where(_due(tenant, endpoint, now))
            .order_by(events.c.next_time, events.c.event_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        claimed = (
            update(events)
            .where(events.c.event_id.in_(connection.execute(chosen).scalars().all()))
            .values(attempts=events.c.attempts + 1, next_time=now + _CLAIM)
            .returning(*_EVENTS.selected_columns)
        )
        return find_all(connection, claimed, StoredEvent)

    @writes
    def settle(
        self,
        connection: Connection,
        event: StoredEvent,
        *,
        answer: str,
        now: datetime,
        delivered: bool,
        pause: timedelta | None = None,
    ) -> bool:
        """Store the outcome of an attempt.

        Args:
            answer: The outcome in words; it is cut to 256 characters.
            pause: The time until the next attempt; ``None`` for no further one.

        Returns:
            False without effect: another server claimed the event meanwhile, or it was given up.
        """
        values: dict[str, Any] = {"answer": answer[:_LONGEST_ANSWER], "answer_time": now}
        if delivered or pause is None:
            values |= {"state": EventState.DELIVERED if delivered else EventState.DEAD, "end_time": now}
        else:
            values |= {"next_time": now + pause}
        settled = (
            update(events)
            .where(events.c.event_id == event.event_id, events.c.end_time.is_(None))
            .where(events.c.attempts == event.attempts)
            .values(values)
        )
        return bool(count_changed(connection, settled))

    @writes
    def abandon(self, connection: Connection, tenant: str, endpoint: str, answer: str, now: datetime) -> int:
        """Give up all events that wait for an endpoint; return their number."""
        waiting = and_(_of_endpoint(tenant, endpoint), events.c.end_time.is_(None))
        return _given_up(connection, waiting, answer, now)

    @reads
    def list(
        self,
        connection: Connection,
        tenant: str,
        *,
        sandbox_only: bool,
        endpoint: str,
        state: EventState | None,
        check_id: UUID | None,
        after: Place | None,
        limit: int,
    ) -> tuple[StoredEvent, ...]:
        """Return a page of events, newest first.

        Args:
            sandbox_only: Whether only events of sandbox checks are listed.
            endpoint: Its name; empty for all.
            state: The state; ``None`` for all.
            check_id: The check; ``None`` for all.
            after: Only events that follow this place.
        """
        query = _EVENTS.where(events.c.tenant == tenant)
        if sandbox_only:
            query = query.where(events.c.sandbox)
        if endpoint:
            query = query.where(events.c.endpoint == endpoint)
        if state is not None:
            query = query.where(events.c.state == state)
        if check_id is not None:
            query = query.where(events.c.check_id == check_id)
        query = newest_first(query, events.c.create_time, events.c.event_id, after=after, limit=limit)
        return find_all(connection, query, StoredEvent)

    @writes
    def replay(
        self,
        connection: Connection,
        tenant: str,
        *,
        sandbox_only: bool,
        event_id: UUID | None,
        endpoint: str,
        event: AuditEvent,
        now: datetime,
    ) -> int:
        """Make one event, or every undelivered event of an endpoint, due at once; log it if there is any.

        Args:
            event_id: The event, in whatever state; ``None`` for those of ``endpoint``.
            event: What is logged.

        Returns:
            The number of events.
        """
        chosen = events.c.tenant == tenant
        if sandbox_only:
            chosen = and_(chosen, events.c.sandbox)
        if event_id is not None:
            chosen = and_(chosen, events.c.event_id == event_id)
        else:
            chosen = and_(chosen, events.c.endpoint == endpoint, events.c.state != EventState.DELIVERED)
        values = {"state": EventState.WAITING, "attempts": 0, "next_time": now, "end_time": None}
        replayed = count_changed(connection, update(events).where(chosen).values(values))
        if replayed:
            append(connection, event, now=now)
        return replayed

    @reads
    def standing(self, connection: Connection, tenant: str, endpoint: str) -> EndpointStanding:
        """Return what waits for an endpoint, and what it answered last."""
        dead = select(func.count()).where(_of_endpoint(tenant, endpoint), events.c.state == EventState.DEAD)
        last = (
            select(events.c.answer, events.c.answer_time, events.c.state)
            .where(_of_endpoint(tenant, endpoint), events.c.answer_time.is_not(None))
            .order_by(events.c.answer_time.desc())
            .limit(1)
        )
        row = connection.execute(last).one_or_none()
        waiting, oldest = connection.execute(_backlog(tenant, endpoint)).one()
        return EndpointStanding(
            waiting=waiting,
            dead=connection.execute(dead).scalar_one(),
            oldest=oldest,
            answer="" if row is None else row.answer,
            answer_time=None if row is None else row.answer_time,
            took=row is not None and row.state is EventState.DELIVERED,
        )

    @reads
    def backlog(self, connection: Connection, tenant: str, endpoint: str) -> tuple[int, datetime | None]:
        """Return the number of events that wait for an endpoint, and when the oldest was written."""
        waiting, oldest = connection.execute(_backlog(tenant, endpoint)).one()
        return waiting, oldest

    @writes
    def forget(self, connection: Connection, now: datetime, *, endpoints: Sequence[str], limit: int) -> int:
        """Delete events that ended long ago, and give up those that wait for endpoints that are gone.

        Args:
            limit: The number of events that are deleted at once.

        Returns:
            The number of events that were given up.
        """
        old = or_(
            and_(events.c.state == EventState.DELIVERED, events.c.end_time <= now - _KEEP_DELIVERED),
            and_(events.c.state == EventState.DEAD, events.c.end_time <= now - _KEEP_DEAD),
        )
        ended = select(events.c.event_id).where(events.c.end_time.is_not(None), old).limit(limit)
        connection.execute(delete(events).where(events.c.event_id.in_(ended)))
        gone = and_(
            events.c.end_time.is_(None),
            events.c.endpoint.not_in(endpoints),
            events.c.next_time <= now - _UNCLAIMED,
        )
        return _given_up(connection, gone, "no server has this endpoint any more", now)


def _of_endpoint(tenant: str, endpoint: str) -> ColumnElement[bool]:
    # An endpoint that settings gave to another tenant must not get events of the former one.
    return and_(events.c.tenant == tenant, events.c.endpoint == endpoint)


def _backlog(tenant: str, endpoint: str) -> "Select[int, datetime | None]":
    return select(func.count(), func.min(events.c.create_time)).where(
        _of_endpoint(tenant, endpoint), events.c.end_time.is_(None)
    )


def _due(tenant: str, endpoint: str, now: datetime) -> ColumnElement[bool]:
    """Return the condition of events that may be sent now: no earlier one of their check waits."""
    earlier = events.alias()
    before = exists().where(
        earlier.c.tenant == events.c.tenant,
        earlier.c.endpoint == events.c.endpoint,
        earlier.c.check_id == events.c.check_id,
        earlier.c.end_time.is_(None),
        earlier.c.sequence < events.c.sequence,
    )
    waiting = and_(events.c.end_time.is_(None), events.c.next_time <= now)
    return and_(_of_endpoint(tenant, endpoint), waiting, ~before)


def _given_up(connection: Connection, chosen: ColumnElement[bool], answer: str, now: datetime) -> int:
    values = {"state": EventState.DEAD, "end_time": now, "answer": answer, "answer_time": now}
    return count_changed(connection, update(events).where(chosen).values(values))
