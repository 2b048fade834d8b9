"""The outbox of webhooks: what transitions write, and how events are claimed, settled and replayed."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, func, select

from server.audit import Actor, AuditAction, AuditEvent
from server.configuration.tables import WebhookEndpoint
from server.domain.events import EventKind, EventState, event_time
from server.domain.reviews import ReviewDecision, ReviewOutcome, ReviewReason
from server.domain.terms import ImagePurpose
from server.storage.audit_reader import AuditReader
from server.storage.database import Database, open_database
from server.storage.events import EventRepository, Outbox, StoredEvent
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.reviews import ReviewRepository
from server.storage.tables import events as table
from server.verdict import CheckStatus, FailureReason
from tests.server.storage.samples import (
    SESSION_KEY,
    after,
    decision,
    entry,
    lease,
    new_check,
    new_review,
)

_ACTOR = Actor(name="anna", role="compliance_admin")


def _endpoint(**changes: object) -> WebhookEndpoint:
    values = {"tenant": "default", "url": "https://bank.example/hook", "secret_files": [Path("a")]}
    return WebhookEndpoint.model_validate(values | changes)


_ENDPOINTS: Mapping[str, WebhookEndpoint] = {
    "all": _endpoint(),
    "ends": _endpoint(events=["check.decided", "check.expired"]),
    "sandbox": _endpoint(sandbox="only"),
    "both": _endpoint(sandbox="also"),
    "branch": _endpoint(tenant="branch"),
}
_OUTBOX = Outbox(_ENDPOINTS)


@pytest.fixture
def events(database: Database) -> EventRepository:
    return EventRepository(database)


@pytest.fixture
def checks(database: Database) -> CheckRepository:
    return CheckRepository(database, _OUTBOX)


@pytest.fixture
def erasing(database: Database) -> RetentionRepository:
    return RetentionRepository(database, _OUTBOX)


def _audit(action: AuditAction = AuditAction.EVENTS_REPLAYED, **detail: str) -> AuditEvent:
    return AuditEvent(tenant="default", action=action, actor=_ACTOR, detail=detail)


async def _listed(
    events: EventRepository, tenant: str = "default", **changes: Any
) -> tuple[StoredEvent, ...]:
    """Events, oldest first."""
    values: dict[str, Any] = {"sandbox_only": False, "endpoint": "", "state": None, "check_id": None}
    found = await events.list(tenant, **(values | {"after": None, "limit": 1000} | changes))
    return tuple(sorted(found, key=lambda event: (event.create_time, event.sequence)))


async def _of(events: EventRepository, endpoint: str, tenant: str = "default") -> list[str]:
    return [event.kind.value for event in await _listed(events, tenant, endpoint=endpoint)]


async def _decided(checks: CheckRepository, *reasons: FailureReason, **changes: Any) -> UUID:
    check = await checks.create(replace(new_check(), **changes), None)
    await lease(checks, check)
    status = CheckStatus.FAILURE if reasons else CheckStatus.SUCCESS
    await checks.decide(
        check.check_id, epoch=1, decision=replace(decision(), status=status, reasons=tuple(reasons))
    )
    return check.check_id


async def test_a_check_tells_of_its_scan_and_of_its_end(
    checks: CheckRepository, events: EventRepository
) -> None:
    check_id = await _decided(checks, FailureReason.SPOOF, FailureReason.NOT_SAME_PERSON)
    started, ended = await _listed(events, endpoint="all")
    assert (started.kind, ended.kind) == (EventKind.SCAN_STARTED, EventKind.CHECK_DECIDED)
    assert (started.sequence, ended.sequence) == (1, 2)
    assert json.loads(ended.body) == {
        "type": "check.decided",
        "timestamp": decision().decide_time.isoformat().replace("+00:00", "Z"),
        "data": {
            "check_id": str(check_id),
            "tenant": "default",
            "sandbox": False,
            "policy": "standard",
            "sequence": 2,
            "status": "FAILURE",
            "reasons": ["SPOOF", "NOT_SAME_PERSON"],
            "review": False,
        },
    }
    assert "subject-1" not in started.body + ended.body
    assert "consent-1" not in started.body + ended.body
    assert await _of(events, "ends") == ["check.decided"]
    assert await _of(events, "sandbox") == []
    assert await _of(events, "both") == ["check.scan_started", "check.decided"]
    assert await _of(events, "branch", "branch") == []


async def test_only_the_first_stream_is_the_start_of_a_scan(
    checks: CheckRepository, events: EventRepository
) -> None:
    check = await checks.create(new_check(), None)
    for _ in range(3):
        await lease(checks, check)
    assert await _of(events, "all") == ["check.scan_started"]


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        ((), "check.decided"),
        ((FailureReason.DEVICE_MANIPULATED, FailureReason.ABANDONED), "check.decided"),
        ((FailureReason.EXPIRED,), "check.expired"),
    ],
)
async def test_each_check_has_one_event_of_its_end(
    checks: CheckRepository, events: EventRepository, reasons: tuple[FailureReason, ...], kind: str
) -> None:
    await _decided(checks, *reasons)
    assert await _of(events, "ends") == [kind]


async def test_the_first_delivery_of_a_result_closes_its_check(
    checks: CheckRepository, events: EventRepository
) -> None:
    check_id = await _decided(checks)
    for seconds in (60, 61):
        await checks.finish(check_id, after(seconds))
    assert await _of(events, "all") == ["check.scan_started", "check.decided", "check.closed"]


async def test_sandbox_checks_are_for_endpoints_that_want_them(
    checks: CheckRepository, events: EventRepository
) -> None:
    await _decided(checks, sandbox=True)
    assert [await _of(events, name) for name in ("all", "ends")] == [[], []]
    assert (
        await _of(events, "sandbox") == await _of(events, "both") == ["check.scan_started", "check.decided"]
    )
    assert all(event.sandbox for event in await _listed(events, sandbox_only=True))


async def test_nothing_is_written_without_an_endpoint_of_the_tenant(
    database: Database, checks: CheckRepository
) -> None:
    await _decided(CheckRepository(database))
    await _decided(checks, tenant="elsewhere")
    assert await database.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one()) == 0


async def test_a_transition_that_fails_leaves_no_event(
    checks: CheckRepository, events: EventRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = await checks.create(new_check(), None)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the last step failed")

    monkeypatch.setattr("server.storage.repository.load_check", fail)
    with pytest.raises(RuntimeError):
        await lease(checks, check)
    assert await _listed(events) == ()


async def test_erasures_tell_what_is_erased_and_of_whom_nothing(
    checks: CheckRepository, erasing: RetentionRepository, events: EventRepository
) -> None:
    first, second = [await _decided(checks) for _ in range(2)]
    expired = await checks.create(new_check(), None)
    await checks.decide(expired.check_id, epoch=None, decision=replace(decision(), images_until=after(100)))
    await erasing.expire_images(expired.check_id, after(200), event=_audit(AuditAction.EVIDENCE_EXPIRED))
    await erasing.erase(first, after(300))
    assert await erasing.erase(first, after(301)) == ()
    await erasing.expire(second, after(2000), event=_audit(AuditAction.EVIDENCE_EXPIRED))
    await erasing.forget_subject(
        "default",
        "subject-1",
        after(3000),
        hashes=(),
        check_ids=(),
        event=_audit(AuditAction.SUBJECT_ERASED, reason="REQUEST", checks="2", held="0"),
        approvals=(),
        forget_pseudonym=(),
    )
    found = [event for event in await _listed(events, endpoint="all") if "erased" in event.kind]
    assert [
        (event.kind.value, event.check_id, json.loads(event.body)["data"].get("part")) for event in found
    ] == [
        ("evidence.erased", expired.check_id, "images"),
        ("evidence.erased", first, "check"),
        ("evidence.erased", second, "check"),
        ("subject.erased", None, None),
    ]
    assert json.loads(found[3].body)["data"] == {
        "tenant": "default",
        "reason": "REQUEST",
        "checks": 2,
        "held": 0,
    }
    assert await _of(events, "sandbox") == ["subject.erased"]
    assert "subject-1" not in "".join(event.body for event in await _listed(events))


async def test_erased_images_say_until_when_an_enrolled_frame_stays(
    checks: CheckRepository, erasing: RetentionRepository, events: EventRepository
) -> None:
    check_id = (await checks.create(new_check(), None)).check_id
    enrolled = replace(
        decision(entry("frame"), entry("other", kind=ImagePurpose.AUDIT_IMAGE)),
        images_until=after(100),
        enrolled_until=after(500),
    )
    await checks.decide(check_id, epoch=None, decision=enrolled)
    for moment in (200, 501):
        await erasing.expire_images(check_id, after(moment), event=_audit(AuditAction.EVIDENCE_EXPIRED))
    first, second = [
        json.loads(event.body)["data"]
        for event in await _listed(events, endpoint="all")
        if event.kind is EventKind.EVIDENCE_ERASED
    ]
    assert (first["part"], first["enrolled_until"]) == ("images", event_time(after(500)))
    assert second["part"] == "images"
    assert "enrolled_until" not in second


async def test_the_decision_of_a_review_is_one_event(
    checks: CheckRepository, database: Database, events: EventRepository
) -> None:
    reviews = ReviewRepository(database, _OUTBOX)
    check = await checks.create(new_check(), None)
    review = new_review(check.check_id)
    await checks.decide(check.check_id, epoch=None, decision=replace(decision(), review=review))
    assert json.loads((await _listed(events, endpoint="all"))[0].body)["data"]["review"] is True
    claimed = review.claimed("rita", after(100))
    made = ReviewDecision(
        reviewer="rita",
        outcome=ReviewOutcome.DENY,
        reason=ReviewReason.ATTACK_SUSPECTED,
        comment="a mask",
        decide_time=after(101),
    )
    decided = replace(claimed.decided(made), jws="signed")
    event = _audit(AuditAction.REVIEW_DECIDED)
    assert await reviews.change(claimed, event=event, now=after(100))
    changed = await asyncio.gather(*(reviews.change(decided, event=event, now=after(101)) for _ in range(2)))
    assert sorted(changed) == [False, True]
    told = (await _listed(events, endpoint="all"))[1:]
    assert [json.loads(one.body)["data"]["outcome"] for one in told] == ["DENY"]
    assert "mask" not in told[0].body


async def _claimed(events: EventRepository, now: datetime, *, limit: int = 10) -> Any:
    return await events.claim("default", "all", now, limit)


async def _settled(
    events: EventRepository, event: StoredEvent, now: datetime, *, delivered: bool = True
) -> None:
    pause = None if delivered else timedelta(seconds=5)
    await events.settle(event, answer="HTTP", now=now, delivered=delivered, pause=pause)


async def test_events_of_a_check_are_claimed_one_after_another(
    checks: CheckRepository, events: EventRepository
) -> None:
    one, other = [await _decided(checks) for _ in range(2)]
    first = await _claimed(events, after(100))
    assert {(event.check_id, event.sequence, event.attempts) for event in first} == {
        (one, 1, 1),
        (other, 1, 1),
    }
    assert await _claimed(events, after(101)) == ()
    assert not await events.is_due("default", "all", after(101))
    mine = next(event for event in first if event.check_id == one)
    await _settled(events, mine, after(102), delivered=False)
    assert await _claimed(events, after(106)) == ()
    (again,) = await _claimed(events, after(107))
    assert (again.event_id, again.attempts, again.body) == (mine.event_id, 2, mine.body)
    await _settled(events, again, after(108))
    (second,) = await _claimed(events, after(109))
    assert (second.check_id, second.sequence) == (one, 2)


async def test_another_server_takes_over_what_a_killed_one_claimed(
    checks: CheckRepository, events: EventRepository
) -> None:
    await _decided(checks)
    (lost,) = await _claimed(events, after(100))
    (taken,) = await _claimed(events, after(161))
    assert taken.event_id == lost.event_id
    # The first one was only slow: its outcome no longer counts.
    await events.settle(lost, answer="late", now=after(162), delivered=False, pause=None)
    await _settled(events, taken, after(163))
    states = [event.state for event in await _listed(events, endpoint="all")]
    assert states == [EventState.DELIVERED, EventState.WAITING]


async def test_two_servers_claim_no_event_both(
    checks: CheckRepository, events: EventRepository, url: str
) -> None:
    for _ in range(12):
        await _decided(checks)
    other = open_database(url)
    try:
        twins = (events, EventRepository(other))
        claimed = await asyncio.gather(*(_claimed(twins[n % 2], after(100), limit=3) for n in range(8)))
    finally:
        await other.close()
    ids = [event.event_id for some in claimed for event in some]
    assert len(ids) == len(set(ids)) == 12


async def test_an_endpoint_of_another_tenant_gets_nothing(
    checks: CheckRepository, events: EventRepository
) -> None:
    await _decided(checks)
    assert await events.claim("branch", "all", after(100), 10) == ()


async def test_dead_events_let_later_ones_pass_and_are_replayed(
    checks: CheckRepository, events: EventRepository, database: Database
) -> None:
    check_id = await _decided(checks)
    (first,) = await _claimed(events, after(100))
    await events.settle(first, answer="HTTP 500" * 99, now=after(101), delivered=False, pause=None)
    (second,) = await _claimed(events, after(102))
    await _settled(events, second, after(103), delivered=False)
    standing = await events.standing("default", "all")
    assert (standing.waiting, standing.dead, standing.took, standing.answer) == (1, 1, False, "HTTP")

    arguments: dict[str, Any] = {"sandbox_only": False, "event": _audit(), "now": after(104)}
    assert await events.replay("branch", event_id=first.event_id, endpoint="", **arguments) == 0
    sandbox = arguments | {"sandbox_only": True}
    assert await events.replay("default", event_id=first.event_id, endpoint="", **sandbox) == 0
    assert await events.replay("default", event_id=None, endpoint="all", **arguments) == 2
    # In their order again.
    for expected in (first, second):
        (again,) = await _claimed(events, after(105))
        assert (again.event_id, again.attempts) == (expected.event_id, 1)
        await _settled(events, again, after(105))
    assert await events.replay("default", event_id=None, endpoint="all", **arguments) == 0
    assert await events.replay("default", event_id=second.event_id, endpoint="", **arguments) == 1
    assert (await _claimed(events, after(106)))[0].event_id == second.event_id
    log = await AuditReader(database).entries("default")
    assert [entry.action for entry in log].count("events.replayed") == 2
    assert {event.check_id for event in await _listed(events, check_id=check_id)} == {check_id}


async def test_an_endpoint_that_is_gone_gives_up_all_that_waits(
    checks: CheckRepository, events: EventRepository
) -> None:
    await _decided(checks)
    assert await events.abandon("default", "all", "HTTP 410", after(100)) == 2
    assert await events.backlog("default", "all") == (0, None)
    assert {event.state for event in await _listed(events, endpoint="all")} == {EventState.DEAD}
    assert (await events.backlog("default", "both"))[0] == 2


async def test_old_events_are_deleted_and_those_of_lost_endpoints_given_up(
    checks: CheckRepository, events: EventRepository
) -> None:
    await _decided(checks)
    (first,) = await _claimed(events, after(100))
    await _settled(events, first, after(100))
    (second,) = await _claimed(events, after(100))
    await events.settle(second, answer="HTTP 500", now=after(100), delivered=False, pause=None)

    async def forgotten(days: float, *, endpoints: tuple[str, ...]) -> tuple[int, int]:
        now = after(100) + timedelta(days=days)
        given_up = await events.forget(now, endpoints=list(endpoints), limit=100)
        return given_up, len(await _listed(events, endpoint="all"))

    every = tuple(_ENDPOINTS)
    assert await forgotten(6.9, endpoints=every) == (0, 2)
    assert await forgotten(7.1, endpoints=every) == (0, 1)
    assert await forgotten(30.1, endpoints=every) == (0, 0)
    # The events of the others wait, whatever their age, unless no server knows the endpoint.
    assert (await events.backlog("default", "both"))[0] == 2
    assert await forgotten(30.2, endpoints=("all", "ends")) == (2, 0)
    assert (await events.backlog("default", "ends"))[0] == 1


async def test_lists_are_newest_first_in_pages(checks: CheckRepository, events: EventRepository) -> None:
    for _ in range(3):
        await _decided(checks)
    asked: dict[str, Any] = {"sandbox_only": False, "endpoint": "all", "check_id": None}
    page_of = partial(events.list, "default", state=EventState.WAITING, **asked)
    whole = await page_of(after=None, limit=100)
    assert len(whole) == 6
    assert [event.place for event in whole] == sorted(
        (event.place for event in whole), key=lambda place: (place.time, place.identifier), reverse=True
    )
    found: list[StoredEvent] = []
    while page := await page_of(after=found[-1].place if found else None, limit=2):
        found += page
    assert tuple(found) == whole
    assert await _listed(events, state=EventState.DEAD) == ()
    assert await _listed(events, check_id=uuid4()) == ()


async def test_a_closed_check_counts_on(
    checks: CheckRepository, erasing: RetentionRepository, events: EventRepository, database: Database
) -> None:
    """The numbers of a check go on when its delivered events are deleted."""
    check_id = await _decided(checks)
    await database.write(Connection.execute, table.delete())
    await erasing.erase(check_id, after(300))
    assert [event.sequence for event in await _listed(events, endpoint="all")] == [3]
    assert SESSION_KEY.decode() not in (await _listed(events))[0].body
