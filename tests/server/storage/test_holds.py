"""Holds, requests for a second person, and what they do to erasure; with the entries of the audit log."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import select

from server.audit import Actor, AuditAction, AuditEvent
from server.storage.approvals import ApprovalRequest, PendingApproval
from server.storage.audit_reader import AuditReader
from server.storage.database import Database, open_database
from server.storage.errors import Conflict, HoldNotFound, OnHold
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.holds import HoldRepository, StoredHold
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.tables import pending_approvals
from tests.server.storage.lives import created
from tests.server.storage.samples import after, decision


@pytest.fixture
def holds(database: Database) -> HoldRepository:
    return HoldRepository(database)


def _event(
    action: AuditAction, check_id: UUID, *, by: str = "anna", detail: Mapping[str, str] | None = None
) -> AuditEvent:
    return AuditEvent(
        tenant="default",
        action=action,
        actor=Actor(name=by, role="compliance_admin"),
        check_id=check_id,
        purpose="case",
        detail=detail or {},
    )


def _hold(reference: str = "case-17") -> StoredHold:
    return StoredHold(reference=reference, reason="court", placed_by="anna", place_time=after(30))


async def _decided(repository: CheckRepository) -> UUID:
    check_id = (await created(repository)).check_id
    await repository.decide(check_id, epoch=None, decision=decision())
    return check_id


async def _actions(database: Database) -> list[str]:
    return [entry.action for entry in await AuditReader(database).entries("default")]


async def test_a_hold_keeps_a_check_from_retention_and_from_every_erasure(
    repository: CheckRepository,
    retention: RetentionRepository,
    records: EvidenceRecordRepository,
    holds: HoldRepository,
    database: Database,
) -> None:
    check_id = await _decided(repository)
    await holds.place(check_id, _hold(), event=_event(AuditAction.HOLD_PLACED, check_id))
    # The same reference again changes nothing and is not logged again.
    again = StoredHold(reference="case-17", reason="other", placed_by="bert", place_time=after(60))
    assert await holds.place(check_id, again, event=_event(AuditAction.HOLD_PLACED, check_id)) == _hold()
    await holds.place(check_id, _hold("case-18"), event=_event(AuditAction.HOLD_PLACED, check_id))
    assert await retention.expired_results(after(5000), 10) == []
    with pytest.raises(OnHold) as caught:
        await retention.erase(check_id, after(5000))
    assert caught.value.holds == 2
    (line,) = await records.list("default", (("hold",),), limit=10)
    assert line.on_hold

    release = _event(AuditAction.HOLD_RELEASED, check_id)
    assert await holds.release(check_id, "case-18", event=release, now=after(70)) == 1
    assert await holds.release(check_id, "case-17", event=release, now=after(71)) == 0
    with pytest.raises(HoldNotFound):
        await holds.release(check_id, "case-17", event=release, now=after(72))
    assert await records.list("default", (("hold",),), limit=10) == ()
    assert [one.check_id for one in await retention.expired_results(after(5000), 10)] == [check_id]
    deleted = _event(AuditAction.EVIDENCE_DELETED, check_id)
    assert await retention.erase(check_id, after(5000), event=deleted) == ()
    # An erased check is not erased, and not logged, again.
    assert await retention.erase(check_id, after(5001), event=deleted) == ()
    assert await _actions(database) == [
        "hold.placed",
        "hold.placed",
        "hold.released",
        "hold.released",
        "evidence.deleted",
    ]


async def test_only_a_decided_check_can_be_held(
    repository: CheckRepository, retention: RetentionRepository, holds: HoldRepository, database: Database
) -> None:
    open_one = (await created(repository)).check_id
    erased = await _decided(repository)
    await retention.erase(erased, after(2000))
    for check_id in (open_one, erased):
        with pytest.raises(Conflict):
            await holds.place(check_id, _hold(), event=_event(AuditAction.HOLD_PLACED, check_id))
    assert await _actions(database) == []


def _request(check_id: UUID, *, by: str, arguments: bytes = b"a" * 32) -> ApprovalRequest:
    return ApprovalRequest(
        action="delete",
        arguments_sha256=arguments,
        event=_event(AuditAction.EVIDENCE_DELETED, check_id, by=by),
        valid=timedelta(hours=1),
    )


async def test_a_second_person_confirms_what_the_first_one_requested(
    repository: CheckRepository, retention: RetentionRepository, database: Database
) -> None:
    check_id = await _decided(repository)
    anna, bert = _request(check_id, by="anna"), _request(check_id, by="bert")
    first = await retention.erase(check_id, after(30), event=anna.event, approval=anna)
    assert first == PendingApproval("anna", after(30), after(3630))
    # The same person again, and another person with other arguments, confirm nothing.
    assert await retention.erase(check_id, after(31), event=anna.event, approval=anna) == first
    other = _request(check_id, by="bert", arguments=b"b" * 32)
    assert isinstance(
        await retention.erase(check_id, after(32), event=other.event, approval=other), PendingApproval
    )
    assert await repository.get(check_id) is not None
    assert await retention.erase(check_id, after(33), event=bert.event, approval=bert) == ()
    assert await _actions(database) == [
        "approval.requested",
        "approval.requested",
        "approval.given",
        "evidence.deleted",
    ]


async def test_a_request_expires(repository: CheckRepository, retention: RetentionRepository) -> None:
    check_id = await _decided(repository)
    anna, bert = _request(check_id, by="anna"), _request(check_id, by="bert")
    await retention.erase(check_id, after(30), event=anna.event, approval=anna)
    late = await retention.erase(check_id, after(3630), event=bert.event, approval=bert)
    assert late == PendingApproval("bert", after(3630), after(7230))
    assert await retention.expire_approvals(after(7000)) == 0
    assert await retention.expire_approvals(after(7230)) == 1


async def test_a_confirmation_is_used_up_by_the_last_step_only(
    repository: CheckRepository, retention: RetentionRepository, database: Database
) -> None:
    check_id = await _decided(repository)
    anna, bert = _request(check_id, by="anna"), _request(check_id, by="bert")
    assert await retention.confirmed(anna, after(30)) is not None
    for _ in range(2):
        # The call of the second person failed half-way and is repeated.
        assert await retention.confirmed(bert, after(31)) is None
    await retention.forget_subject(
        "default",
        "subject-1",
        after(32),
        hashes=[],
        check_ids=[check_id],
        event=bert.event,
        approval=bert,
        forget_pseudonym=[],
    )
    assert await retention.confirmed(bert, after(33)) == PendingApproval("bert", after(33), after(3633))
    # The same person confirmed twice, and both are logged before anything is erased.
    assert (await _actions(database))[:3] == ["approval.requested", "approval.given", "approval.given"]


@pytest_asyncio.fixture
async def replica(url: str, database: Database) -> AsyncIterator[RetentionRepository]:
    """The same database, as another server uses it."""
    other = open_database(url)
    yield RetentionRepository(other)
    await other.close()


async def _pending(database: Database) -> list[str]:
    query = select(pending_approvals.c.requested_by)
    return await database.read(lambda connection: list(connection.scalars(query)))


async def test_two_people_who_confirm_at_once_leave_no_request(
    repository: CheckRepository,
    retention: RetentionRepository,
    replica: RetentionRepository,
    database: Database,
) -> None:
    check_id = await _decided(repository)
    await retention.confirmed(_request(check_id, by="anna"), after(30))

    async def erased(by: str, at: RetentionRepository) -> None:
        request = _request(check_id, by=by)
        assert await at.confirmed(request, after(31)) is None
        both_confirmed.release()
        await everybody.wait()
        await at.forget_subject(
            "default",
            "subject-1",
            after(31),
            hashes=[],
            check_ids=[check_id],
            event=request.event,
            approval=request,
            forget_pseudonym=[],
        )

    both_confirmed, everybody = asyncio.Semaphore(0), asyncio.Event()

    async def start() -> None:
        for _ in range(2):
            await both_confirmed.acquire()
        everybody.set()

    await asyncio.gather(erased("bert", retention), erased("carol", replica), start())
    assert await _pending(database) == []
    assert await _actions(database) == [
        "approval.requested",
        *["approval.given"] * 2,
        *["evidence.deleted"] * 2,
    ]


async def test_a_request_that_is_recorded_during_an_erasure_stays(
    repository: CheckRepository,
    retention: RetentionRepository,
    replica: RetentionRepository,
    database: Database,
) -> None:
    check_id = await _decided(repository)
    await retention.confirmed(_request(check_id, by="anna"), after(30))
    forget = {"check_ids": [check_id], "forget_pseudonym": []}
    bert, carol = _request(check_id, by="bert"), _request(check_id, by="carol")
    for request in (bert, carol):
        assert await retention.confirmed(request, after(31)) is None
    for request in (bert, carol):
        await retention.forget_subject(
            "default",
            "subject-1",
            after(31),
            hashes=[],
            event=request.event,
            approval=request,
            **forget,  # type: ignore[arg-type]  # its fields
        )
        if request is bert:
            await replica.confirmed(_request(check_id, by="dora"), after(32))
    assert await _pending(database) == ["dora"]


async def test_of_two_people_who_ask_at_once_one_requests_and_the_other_confirms(
    repository: CheckRepository,
    retention: RetentionRepository,
    replica: RetentionRepository,
    database: Database,
) -> None:
    for _ in range(5):
        check_id = await _decided(repository)
        arguments = check_id.bytes * 2
        first, second = await asyncio.gather(
            *(
                at.confirmed(_request(check_id, by=by, arguments=arguments), after(30))
                for by, at in (("anna", retention), ("bert", replica))
            )
        )
        assert [first, second].count(None) == 1
        assert (await _actions(database))[-2:] == ["approval.requested", "approval.given"]


async def test_the_entry_of_retention_has_the_pseudonym_of_the_check(
    repository: CheckRepository, retention: RetentionRepository, holds: HoldRepository, database: Database
) -> None:
    check_id, other = await _decided(repository), await _decided(repository)
    placed = replace(_event(AuditAction.HOLD_PLACED, check_id), subject=b"s" * 32)
    await holds.place(check_id, _hold(), event=placed)
    await holds.release(check_id, "case-17", event=_event(AuditAction.HOLD_RELEASED, check_id), now=after(40))
    for one in (check_id, other):
        await retention.expire(one, after(5000), event=_event(AuditAction.EVIDENCE_EXPIRED, one))
    first, *same, of_other = [entry.pseudonym for entry in await AuditReader(database).entries("default")]
    assert first is not None
    assert set(same) == {first}
    assert of_other is None
