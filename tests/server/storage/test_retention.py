"""The evidence records of checks, their lists, holds on them, and their erasure."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import Connection, func, select

from device_integrity.device_test import Manipulation
from liveness import AttackType, Verdict
from server.audit import Actor, AuditAction, AuditEvent
from server.compliance.listing import CheckFilter
from server.domain.terms import HOLD, AttemptOutcome, CheckState
from server.evidence.records import record_terms as lists_record_terms
from server.storage.approvals import ApprovalRequest, PendingApproval
from server.storage.audit_reader import AuditReader
from server.storage.database import Database, open_database
from server.storage.errors import Conflict, HoldNotFound, OnHold
from server.storage.evidence_records import (
    EvidenceRecordRepository,
    count_query,
    list_query,
    rarest_first,
)
from server.storage.holds import HoldRepository, StoredHold
from server.storage.records import Place
from server.storage.repository import CheckRepository
from server.storage.retention import DueChecks, RetentionRepository
from server.storage.tables import attempts, checks, evidence_records, pending_approvals, record_terms
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from server.verdict.outcome import CheckOutcome
from tests.server.storage.samples import (
    NOW,
    after,
    created,
    decided,
    decision,
    end,
    ending,
    entry,
    new_check,
    plan_of,
    request,
    scanning,
    sealed_record,
)
from tests.server.verdict.samples import OUTCOME, camera_sign


@dataclass(frozen=True)
class Stored:
    """The tables of decided checks over one database."""

    database: Database
    repository: CheckRepository
    records: EvidenceRecordRepository
    retention: RetentionRepository
    holds: HoldRepository


@pytest.fixture
def stored(database: Database) -> Stored:
    return Stored(
        database,
        CheckRepository(database),
        EvidenceRecordRepository(database),
        RetentionRepository(database),
        HoldRepository(database),
    )


# The evidence records of checks: their terms, the order and stability of lists, and the plans of queries.

_ALL = (("all",),)


async def _decided(repository: CheckRepository, second: float, *terms: str, tenant: str = "default") -> UUID:
    record = await repository.create(new_check(tenant=tenant), None)
    made = replace(decision(), decide_time=after(second), record=sealed_record(terms=terms))
    await repository.decide(record.check_id, epoch=None, decision=made)
    return record.check_id


async def test_a_list_is_newest_first_and_knows_what_filters_need(stored: Stored) -> None:
    old = await _decided(stored.repository, 1, "status:FAILURE", "attack:PRINT", "sign:emulator")
    new = await _decided(stored.repository, 2, "status:SUCCESS")
    await _decided(stored.repository, 3, tenant="another")
    await created(stored.repository)

    listed = await stored.records.list("default", _ALL, limit=10)
    assert [line.check_id for line in listed] == [new, old]
    assert (listed[1].words("attack"), listed[1].words("sign")) == (("PRINT",), ("emulator",))
    assert (listed[1].policy_name, listed[1].policy_version, listed[1].on_hold) == ("standard", 3, False)
    assert (listed[1].decide_time, listed[1].retain_until) == (after(1), after(1000))


async def test_the_rarest_condition_drives_a_list(stored: Stored) -> None:
    for second in (1, 2, 3):
        await _decided(stored.repository, second, "status_policy:FAILURE:high", "reason_policy:SPOOF:high")
    await _decided(stored.repository, 4, "status_policy:FAILURE:high")
    await _decided(stored.repository, 5, "reason_status:SPOOF:FAILURE", tenant="another")
    terms = [("status_policy:FAILURE:high",), ("reason_policy:SPOOF:high",), ("reason_status:SPOOF:FAILURE",)]

    def drive(since: datetime | None) -> Callable[[Connection], Sequence[Sequence[str]]]:
        return lambda connection: rarest_first(connection, "default", terms, since=since, before=None)

    assert await stored.database.read(drive(None)) == terms[::-1]
    # Both frequent conditions have one entry from then on, or none.
    assert await stored.database.read(drive(after(4))) == [terms[1], terms[2], terms[0]]


async def test_pages_are_stable_while_checks_are_decided(stored: Stored) -> None:
    made = [await _decided(stored.repository, second) for second in (1, 2, 2, 2, 3)]
    seen: list[UUID] = []
    place: Place | None = None
    while page := await stored.records.list("default", _ALL, after=place, limit=2):
        seen += [line.check_id for line in page]
        place = page[-1].place
        await _decided(stored.repository, 10)
    assert len(seen) == len(set(seen)) == len(made)
    assert set(seen) == set(made)


async def test_a_decision_leaves_no_reference_and_no_result_in_clear(stored: Stored) -> None:
    check_id = (await scanning(stored.repository)).check_id
    await stored.repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    decided = ending(outcome=AttemptOutcome.DECIDED, judgement=b"judged", frame_hashes=b"h" * 32)
    await stored.repository.decide(check_id, epoch=1, decision=decision(), ending=decided)

    def rows(connection: Connection) -> tuple[object, object]:
        check = connection.execute(select(checks).where(checks.c.check_id == check_id)).mappings().one()
        attempt = connection.execute(select(attempts)).mappings().one()
        names = ("subject_reference", "consent_reference", "portrait_sha256")
        return [check[name] for name in names], [attempt["judgement"], attempt["frame_hashes"]]

    assert await stored.database.read(rows) == (["", "", None], [None, None])


async def test_the_checks_of_a_person_are_found_by_record_and_by_clear_reference(stored: Stored) -> None:
    open_one = (await created(stored.repository)).check_id
    decided = await _decided(stored.repository, 1, "subject:hash")
    await _decided(stored.repository, 2, "subject:other")
    found = await stored.records.of_subject("default", ("subject:hash", "subject:older"), "subject-1")
    assert set(found) == {open_one, decided}
    assert await stored.records.of_subject("another", ("subject:hash",), "subject-1") == ()


_FILTERS = {
    "all": _ALL,
    "one term": (("status:FAILURE",),),
    "several": (("subject:1",), ("status:FAILURE",), ("policy:high",)),
}


@pytest.mark.parametrize("terms", _FILTERS.values(), ids=_FILTERS)
@pytest.mark.parametrize("after_place", [False, True], ids=["first page", "later page"])
async def test_a_list_is_read_from_the_index_without_a_sort(
    database: Database, terms: Sequence[Sequence[str]], *, after_place: bool
) -> None:
    query = list_query(
        "default",
        terms,
        since=NOW,
        before=after(5),
        after=Place(after(3), uuid4()) if after_place else None,
        limit=51,
    )

    words = await database.write(plan_of, query)
    for slow in ("SCAN", "Seq Scan", "TEMP B-TREE", "Sort"):
        assert slow not in words, words


async def test_the_entries_of_conditions_are_counted_in_the_index(database: Database) -> None:
    query = count_query("default", _FILTERS["several"], since=NOW, before=after(5))
    words = await database.write(plan_of, query)
    assert ("USING COVERING INDEX" in words) or ("Index Only Scan" in words), words
    for slow in ("SCAN record_terms", "Seq Scan", "TEMP B-TREE", "Sort"):
        assert slow not in words, words


# A list by any combination of conditions has the checks that a plain loop over the outcomes finds.

_KEY, _OLD_KEY = bytes(32), bytes([1]) * 32
_CHECKS = 80
_LISTS_FILTERS = 150
_STATUSES = (CheckStatus.SUCCESS, CheckStatus.FAILURE)
_REASONS = (FailureReason.SPOOF, FailureReason.NOT_SAME_PERSON)
_ATTACKS = (AttackType.PRINT, AttackType.INJECTION)
_SIGNS = (Manipulation.VIRTUAL_CAMERA, Manipulation.EMULATOR)
_POLICIES = ("standard", "high")
_PEOPLE = ("anna", "bert")


@dataclass(frozen=True, slots=True)
class _Check:
    outcome: CheckOutcome
    second: int
    held: bool

    def meets(self, chosen: CheckFilter) -> bool:
        outcome = self.outcome
        assert outcome.liveness is not None
        moment = after(self.second)
        return (
            (chosen.since is None or moment >= chosen.since)
            and (chosen.before is None or moment < chosen.before)
            and chosen.subject_reference in {"", outcome.subject_reference}
            and chosen.consent_reference in {"", outcome.consent_reference}
            and chosen.status in {None, outcome.verdict.status}
            and chosen.reason in {None, *outcome.verdict.reasons}
            and (
                chosen.attack is None
                or (outcome.liveness.verdict is Verdict.SPOOF and chosen.attack is outcome.liveness.attack)
            )
            and chosen.policy in {"", outcome.policy_name}
            and chosen.sign in {"", *(sign.of.value for sign in outcome.device.signs)}
            and chosen.sandbox in {None, outcome.sandbox}
            and (self.held or not chosen.on_hold)
        )


def _made(choice: random.Random, second: int) -> _Check:
    assert OUTCOME.liveness is not None
    verdict, score = choice.choice(((Verdict.LIVE, 90.0), (Verdict.SPOOF, 10.0)))
    liveness = replace(OUTCOME.liveness, verdict=verdict, score=score, attack=choice.choice(_ATTACKS))
    reasons = tuple(choice.sample(_REASONS, choice.randint(0, 2)))
    signs = tuple(
        replace(camera_sign(1.0), of=of) for of in choice.sample(_SIGNS, choice.choice((0, 0, 1, 2)))
    )
    outcome = replace(
        OUTCOME,
        verdict=CheckVerdict(choice.choice(_STATUSES), reasons),
        liveness=liveness,
        device=replace(OUTCOME.device, signs=signs),
        policy_name=choice.choice(_POLICIES),
        sandbox=choice.random() < 0.5,
        subject_reference=choice.choice(_PEOPLE),
        consent_reference=choice.choice(_PEOPLE),
    )
    return _Check(outcome, second, held=choice.random() < 0.5)


def _chosen(choice: random.Random) -> CheckFilter:
    return CheckFilter(
        since=choice.choice((None, None, after(_CHECKS // 4))),
        before=choice.choice((None, None, after(_CHECKS // 2))),
        subject_reference=choice.choice(("", "", "", *_PEOPLE)),
        consent_reference=choice.choice(("", "", "", *_PEOPLE)),
        status=choice.choice((None, None, *_STATUSES)),
        reason=choice.choice((None, None, *_REASONS)),
        attack=choice.choice((None, None, *_ATTACKS)),
        policy=choice.choice(("", "", *_POLICIES)),
        sign=choice.choice(("", "", *(sign.value for sign in _SIGNS))),
        sandbox=choice.choice((None, None, True, False)),
        on_hold=choice.random() < 0.2,
    )


async def test_every_combination_of_conditions_finds_what_a_loop_finds(stored: Stored) -> None:
    choice = random.Random(33)
    made = {}
    for second in range(_CHECKS):
        check = _made(choice, second)
        terms = (*lists_record_terms(check.outcome, tenant_key=_KEY), *((HOLD,) if check.held else ()))
        record = await stored.repository.create(new_check(), None)
        sealed = replace(sealed_record(), terms=terms)
        decided = replace(decision(), decide_time=after(second), record=sealed)
        await stored.repository.decide(record.check_id, epoch=None, decision=decided)
        made[record.check_id] = check
    newest = sorted(made, key=lambda check_id: -made[check_id].second)
    found_any = 0
    for _ in range(_LISTS_FILTERS):
        chosen = _chosen(choice)
        listed = await stored.records.list(
            "default", chosen.terms((_KEY, _OLD_KEY)), since=chosen.since, before=chosen.before, limit=_CHECKS
        )
        found = [line.check_id for line in listed]
        assert found == [check_id for check_id in newest if made[check_id].meets(chosen)], chosen
        found_any += bool(found)
    assert _LISTS_FILTERS / 4 < found_any < _LISTS_FILTERS


# Holds, requests for a second person, and what they do to erasure; with the entries of the audit log.


def _event(action: AuditAction, check_id: UUID, *, by: str = "anna") -> AuditEvent:
    actor = Actor(name=by, role="compliance_admin")
    return AuditEvent(tenant="default", action=action, actor=actor, check_id=check_id, purpose="case")


def _hold(reference: str = "case-17") -> StoredHold:
    return StoredHold(reference=reference, reason="court", placed_by="anna", place_time=after(30))


async def _actions(database: Database) -> list[str]:
    return [entry.action for entry in await AuditReader(database).entries("default")]


async def test_a_hold_keeps_a_check_from_retention_and_from_every_erasure(stored: Stored) -> None:
    check_id = await decided(stored.repository)
    await stored.holds.place(check_id, _hold(), event=_event(AuditAction.HOLD_PLACED, check_id))
    # The same reference again changes nothing and is not logged again.
    again = StoredHold(reference="case-17", reason="other", placed_by="bert", place_time=after(60))
    assert (
        await stored.holds.place(check_id, again, event=_event(AuditAction.HOLD_PLACED, check_id)) == _hold()
    )
    await stored.holds.place(check_id, _hold("case-18"), event=_event(AuditAction.HOLD_PLACED, check_id))
    assert await stored.retention.expired_results(after(5000), 10) == []
    with pytest.raises(OnHold) as caught:
        await stored.retention.erase(check_id, after(5000))
    assert caught.value.holds == 2
    (line,) = await stored.records.list("default", (("hold",),), limit=10)
    assert line.on_hold

    release = _event(AuditAction.HOLD_RELEASED, check_id)
    assert await stored.holds.release(check_id, "case-18", event=release, now=after(70)) == 1
    assert await stored.holds.release(check_id, "case-17", event=release, now=after(71)) == 0
    with pytest.raises(HoldNotFound):
        await stored.holds.release(check_id, "case-17", event=release, now=after(72))
    assert await stored.records.list("default", (("hold",),), limit=10) == ()
    assert [one.check_id for one in await stored.retention.expired_results(after(5000), 10)] == [check_id]
    deleted = _event(AuditAction.EVIDENCE_DELETED, check_id)
    assert await stored.retention.erase(check_id, after(5000), event=deleted) == ()
    # An erased check is not erased, and not logged, again.
    assert await stored.retention.erase(check_id, after(5001), event=deleted) == ()
    assert await _actions(stored.database) == [
        "hold.placed",
        "hold.placed",
        "hold.released",
        "hold.released",
        "evidence.deleted",
    ]


async def test_only_a_decided_check_can_be_held(stored: Stored) -> None:
    open_one = (await created(stored.repository)).check_id
    erased = await decided(stored.repository)
    await stored.retention.erase(erased, after(2000))
    for check_id in (open_one, erased):
        with pytest.raises(Conflict):
            await stored.holds.place(check_id, _hold(), event=_event(AuditAction.HOLD_PLACED, check_id))
    assert await _actions(stored.database) == []


def _request(check_id: UUID, *, by: str, arguments: bytes = b"a" * 32) -> ApprovalRequest:
    return ApprovalRequest(
        action="delete",
        arguments_sha256=arguments,
        event=_event(AuditAction.EVIDENCE_DELETED, check_id, by=by),
    )


async def _forget(
    retention: RetentionRepository, check_id: UUID, request: ApprovalRequest, now: datetime
) -> None:
    """Erase the person of a check, as the last step of a confirmed request."""
    await retention.forget_subject(
        "default",
        "subject-1",
        now,
        hashes=[],
        check_ids=[check_id],
        event=request.event,
        approvals=[request],
        forget_pseudonym=[],
    )


async def test_a_second_person_confirms_what_the_first_one_requested(stored: Stored) -> None:
    check_id = await decided(stored.repository)
    anna, bert = _request(check_id, by="anna"), _request(check_id, by="bert")
    first = await stored.retention.erase(check_id, after(30), event=anna.event, approval=anna)
    assert first == PendingApproval("anna", after(30), after(86_430))
    # The same person again, and another person with other arguments, confirm nothing.
    assert await stored.retention.erase(check_id, after(31), event=anna.event, approval=anna) == first
    other = _request(check_id, by="bert", arguments=b"b" * 32)
    assert isinstance(
        await stored.retention.erase(check_id, after(32), event=other.event, approval=other), PendingApproval
    )
    assert await stored.repository.get(check_id) is not None
    assert await stored.retention.erase(check_id, after(33), event=bert.event, approval=bert) == ()
    assert await _actions(stored.database) == [
        "approval.requested",
        "approval.requested",
        "approval.given",
        "evidence.deleted",
    ]


async def test_a_request_expires(stored: Stored) -> None:
    check_id = await decided(stored.repository)
    anna, bert = _request(check_id, by="anna"), _request(check_id, by="bert")
    await stored.retention.erase(check_id, after(30), event=anna.event, approval=anna)
    late = await stored.retention.erase(check_id, after(86_430), event=bert.event, approval=bert)
    assert late == PendingApproval("bert", after(86_430), after(172_830))
    assert await stored.retention.expire_approvals(after(7000)) == 0
    assert await stored.retention.expire_approvals(after(172_830)) == 1


async def test_a_confirmation_is_used_up_by_the_last_step_only(stored: Stored) -> None:
    check_id = await decided(stored.repository)
    anna, bert = _request(check_id, by="anna"), _request(check_id, by="bert")
    assert await stored.retention.confirmed(anna, after(30)) is not None
    for _ in range(2):
        # The call of the second person failed half-way and is repeated.
        assert await stored.retention.confirmed(bert, after(31)) is None
    await _forget(stored.retention, check_id, bert, after(32))
    assert await stored.retention.confirmed(bert, after(33)) == PendingApproval(
        "bert", after(33), after(86_433)
    )
    # The same person confirmed twice, and both are logged before anything is erased.
    assert (await _actions(stored.database))[:3] == ["approval.requested", "approval.given", "approval.given"]


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
    stored: Stored, replica: RetentionRepository
) -> None:
    check_id = await decided(stored.repository)
    await stored.retention.confirmed(_request(check_id, by="anna"), after(30))

    async def erased(by: str, at: RetentionRepository) -> None:
        request = _request(check_id, by=by)
        assert await at.confirmed(request, after(31)) is None
        both_confirmed.release()
        await everybody.wait()
        await _forget(at, check_id, request, after(31))

    both_confirmed, everybody = asyncio.Semaphore(0), asyncio.Event()

    async def start() -> None:
        for _ in range(2):
            await both_confirmed.acquire()
        everybody.set()

    await asyncio.gather(erased("bert", stored.retention), erased("carol", replica), start())
    assert await _pending(stored.database) == []
    assert await _actions(stored.database) == [
        "approval.requested",
        *["approval.given"] * 2,
        *["evidence.deleted"] * 2,
    ]


async def test_a_request_that_is_recorded_during_an_erasure_stays(
    stored: Stored, replica: RetentionRepository
) -> None:
    check_id = await decided(stored.repository)
    await stored.retention.confirmed(_request(check_id, by="anna"), after(30))
    bert, carol = _request(check_id, by="bert"), _request(check_id, by="carol")
    for asked in (bert, carol):
        assert await stored.retention.confirmed(asked, after(31)) is None
    for asked in (bert, carol):
        await _forget(stored.retention, check_id, asked, after(31))
        if asked is bert:
            await replica.confirmed(_request(check_id, by="dora"), after(32))
    assert await _pending(stored.database) == ["dora"]


async def test_of_two_people_who_ask_at_once_one_requests_and_the_other_confirms(
    stored: Stored, replica: RetentionRepository
) -> None:
    for _ in range(5):
        check_id = await decided(stored.repository)
        arguments = check_id.bytes * 2
        first, second = await asyncio.gather(
            *(
                at.confirmed(_request(check_id, by=by, arguments=arguments), after(30))
                for by, at in (("anna", stored.retention), ("bert", replica))
            )
        )
        assert [first, second].count(None) == 1
        assert (await _actions(stored.database))[-2:] == ["approval.requested", "approval.given"]


async def test_the_entry_of_retention_has_the_pseudonym_of_the_check(stored: Stored) -> None:
    check_id, other = await decided(stored.repository), await decided(stored.repository)
    placed = replace(_event(AuditAction.HOLD_PLACED, check_id), subject=b"s" * 32)
    await stored.holds.place(check_id, _hold(), event=placed)
    await stored.holds.release(
        check_id, "case-17", event=_event(AuditAction.HOLD_RELEASED, check_id), now=after(40)
    )
    for one in (check_id, other):
        await stored.retention.expire(one, after(5000), event=_event(AuditAction.EVIDENCE_EXPIRED, one))
    first, *same, of_other = [
        entry.pseudonym for entry in await AuditReader(stored.database).entries("default")
    ]
    assert first is not None
    assert set(same) == {first}
    assert of_other is None


# Erasure: the results that are due, the rows that remain, and the rows that must not remain.


async def test_erasure_leaves_a_tombstone(stored: Stored) -> None:
    check_id = (await scanning(stored.repository)).check_id
    await stored.repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    await end(stored.repository, check_id, epoch=1, judgement=b"judged")
    kept = entry("kept")
    with pytest.raises(Conflict):
        await stored.retention.erase(check_id, after(5))
    await stored.repository.decide(check_id, epoch=1, decision=decision(kept))

    assert await stored.retention.expired_results(after(999), 10) == []
    assert [r.check_id for r in await stored.retention.expired_results(after(1000), 10)] == [check_id]
    assert await stored.retention.erase(check_id, after(1001)) == (kept,)
    assert await stored.retention.erase(check_id, after(1002)) == ()

    tombstone = await stored.repository.get(check_id)
    assert tombstone is not None
    assert (tombstone.state, tombstone.erase_time) == (CheckState.ERASED, after(1001))
    assert tombstone.status is CheckStatus.FAILURE
    assert (tombstone.session_key, tombstone.portrait_template) == (None, None)
    assert (tombstone.subject_reference, tombstone.consent_reference, tombstone.portrait_report) == (
        "",
        "",
        b"",
    )
    assert await stored.repository.attempts(check_id) == ()
    assert await stored.repository.evidence(check_id) == ()
    assert await stored.retention.expired_results(after(5000), 10) == []

    def left(connection: Connection) -> list[int]:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (evidence_records, record_terms)
        ]

    assert await stored.database.read(left) == [0, 0]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_erasure_leaves_no_key_and_no_hash_of_the_request_in_any_file(stored: Stored, url: str) -> None:
    made, secret = request(), b"wrapped-key-that-must-vanish-" + uuid4().bytes
    record = await stored.repository.create(new_check(), made)
    kept = decision(entry("kept", wrapped_key=secret), result=b"the result " + secret)
    await stored.repository.decide(record.check_id, epoch=None, decision=kept)
    folder = Path(url.removeprefix("sqlite:///")).parent
    for trace in (secret, made.payload_sha256):
        assert any(trace in file.read_bytes() for file in folder.iterdir())
    await stored.retention.erase(record.check_id, after(1001))
    for trace in (secret, made.payload_sha256):
        assert not any(trace in file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_an_erasure_during_a_backup_is_completed_after_it(stored: Stored, url: str) -> None:
    secret = b"wrapped-key-that-must-vanish-" + uuid4().bytes
    check_id = await decided(
        stored.repository, decision(entry("kept", wrapped_key=secret), result=b"r" + secret)
    )
    file = Path(url.removeprefix("sqlite:///"))
    backup = sqlite3.connect(file, isolation_level=None)
    backup.execute("BEGIN")
    backup.execute("SELECT count(*) FROM checks").fetchone()
    await stored.retention.erase(check_id, after(1001))
    assert not await stored.retention.forget_erased()
    assert any(secret in one.read_bytes() for one in file.parent.iterdir())
    # Other callers do not wait for the reader meanwhile.
    assert (await created(stored.repository)).state is CheckState.CREATED
    backup.close()
    assert await stored.retention.forget_erased()
    assert not any(secret in one.read_bytes() for one in file.parent.iterdir())


async def test_a_retried_request_finds_the_tombstone(stored: Stored) -> None:
    record = await stored.repository.create(new_check(), request())
    await stored.repository.decide(record.check_id, epoch=None, decision=decision())
    await stored.retention.erase(record.check_id, after(1001))
    again = await stored.repository.create(new_check(), request())
    assert (again.check_id, again.state) == (record.check_id, CheckState.ERASED)


def _expired(check_id: UUID) -> AuditEvent:
    return _event(AuditAction.EVIDENCE_EXPIRED, check_id)


async def test_what_is_due_is_counted_apart_from_what_a_hold_keeps(stored: Stored) -> None:
    assert await stored.retention.due(after(5000)) == ()
    first = await decided(stored.repository, decision(retain_seconds=1000))
    second = await decided(stored.repository, decision(retain_seconds=2000))
    held = await decided(stored.repository, decision(retain_seconds=500))
    await stored.holds.place(held, _hold(), event=_expired(held))

    assert await stored.retention.due(after(499)) == ()
    assert await stored.retention.due(after(1000)) == (
        DueChecks(policy="standard", due=1, held=1, images=0, since=after(500)),
    )
    assert await stored.retention.due(after(2000)) == (
        DueChecks(policy="standard", due=2, held=1, images=0, since=after(500)),
    )
    for check_id in (first, second):
        assert await stored.retention.expire(check_id, after(2000), event=_expired(check_id)) == ()
    with pytest.raises(OnHold):
        await stored.retention.expire(held, after(2000), event=_expired(held))
    assert await stored.retention.due(after(2000)) == (
        DueChecks(policy="standard", due=0, held=1, images=0, since=after(500)),
    )


async def test_a_check_expires_once_and_not_before_its_time(stored: Stored) -> None:
    check_id = await decided(stored.repository, decision(retain_seconds=1000))
    with pytest.raises(Conflict):
        await stored.retention.expire(check_id, after(999), event=_expired(check_id))
    assert await stored.retention.expire(check_id, after(1000), event=_expired(check_id)) == ()
    assert await stored.retention.expire(check_id, after(1001), event=_expired(check_id)) is None
    entries = await AuditReader(stored.database).entries("default")
    assert [(entry.action, entry.check_id) for entry in entries] == [("evidence.expired", str(check_id))]


async def test_images_expire_before_their_check_and_the_record_stays(stored: Stored) -> None:
    kept = entry("kept")
    check_id = await decided(stored.repository, replace(decision(kept), images_until=after(500)))
    assert await stored.retention.expired_images(after(499), 10) == []
    with pytest.raises(Conflict):
        await stored.retention.expire_images(check_id, after(499), event=_expired(check_id))
    assert [one.check_id for one in await stored.retention.expired_images(after(500), 10)] == [check_id]
    assert await stored.retention.due(after(500)) == (
        DueChecks(policy="standard", due=0, held=0, images=1, since=after(500)),
    )
    assert await stored.retention.expire_images(check_id, after(501), event=_expired(check_id)) == (kept,)
    assert await stored.retention.expire_images(check_id, after(502), event=_expired(check_id)) is None

    check = await stored.repository.get(check_id)
    assert check is not None
    assert (check.state, check.images_until, check.images_erase_time) == (
        CheckState.DECIDED,
        None,
        after(501),
    )
    assert await stored.repository.evidence(check_id) == ()
    assert await stored.repository.referenced([kept.object_key]) == frozenset()
    assert await stored.records.find(check_id) is not None
    assert await stored.retention.due(after(999)) == ()
    # The rest is erased as of any check.
    assert await stored.retention.expire(check_id, after(1000), event=_expired(check_id)) == ()
    assert await stored.records.find(check_id) is None
    entries = await AuditReader(stored.database).entries("default")
    assert [one.action for one in entries] == ["evidence.expired"] * 2


async def test_a_hold_keeps_images_too(stored: Stored) -> None:
    check_id = await decided(stored.repository, replace(decision(entry("kept")), images_until=after(500)))
    await stored.holds.place(check_id, _hold(), event=_expired(check_id))
    assert await stored.retention.expired_images(after(600), 10) == []
    with pytest.raises(OnHold):
        await stored.retention.expire_images(check_id, after(600), event=_expired(check_id))
    assert await stored.retention.due(after(600)) == (
        DueChecks(policy="standard", due=0, held=1, images=0, since=after(500)),
    )
    assert len(await stored.repository.evidence(check_id)) == 1


async def test_the_images_of_an_erased_check_are_not_due(stored: Stored) -> None:
    check_id = await decided(stored.repository, replace(decision(entry("kept")), images_until=after(500)))
    await stored.retention.erase(check_id, after(400))
    assert await stored.retention.expired_images(after(600), 10) == []
    assert await stored.retention.expire_images(check_id, after(600), event=_expired(check_id)) is None


async def test_due_images_are_found_through_an_index(database: Database) -> None:
    query = select(checks.c.check_id).where(checks.c.images_until <= after(0)).order_by(checks.c.images_until)
    assert "ix_checks_images_until" in await database.read(plan_of, query)
