"""Checks in the repository: created, leased, tried and decided."""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, text, update
from sqlalchemy.exc import IntegrityError

from liveness.verdict import Verdict
from server.domain.terms import (
    OPEN_STATES,
    AttemptOutcome,
    CheckState,
    CheckStatus,
    EndedBy,
    FailureReason,
    ImagePurpose,
    RequestedOutcome,
)
from server.storage.database import Database, open_database
from server.storage.errors import (
    CheckNotFound,
    Conflict,
    RequestIdReused,
    SessionKeyMismatch,
    SessionKeyUnproven,
    StorageError,
    StorageUnavailable,
)
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.records import Place
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.tables import checks
from tests.server.databases import PostgresServer, make_tables
from tests.server.storage.samples import (
    NOW,
    SESSION_KEY,
    after,
    created,
    decided,
    decision,
    end,
    ending,
    entry,
    lease,
    new_check,
    request,
    scanning,
    sealed_record,
)

# Checks that are created, by a request once, and read back.


async def test_a_created_check_is_read_back_as_it_was_given(repository: CheckRepository) -> None:
    check = new_check()
    record = await repository.create(check, request())
    assert record == await repository.get(check.check_id)
    for name in set(check.__slots__) - {"tries", "images"}:
        assert getattr(record, name) == getattr(check, name), name
    assert (record.state, record.lease_epoch, record.streams, record.bytes_received) == (
        CheckState.CREATED, 0, 0, 0,
    )  # fmt: skip
    assert (record.status, record.session_key, record.decide_time) == (None,) * 3
    assert record.reasons == ()


async def test_another_tenant_does_not_see_the_check(repository: CheckRepository) -> None:
    check = new_check(tenant="bank-a")
    await repository.create(check, None)
    assert await repository.get(check.check_id, "bank-b") is None
    assert await repository.get(check.check_id, "bank-a") is not None
    assert await repository.get(uuid4()) is None


async def test_a_repeated_request_gives_the_first_check(repository: CheckRepository) -> None:
    first = await repository.create(new_check(), request())
    again = await repository.create(new_check(), request())
    assert again == first
    assert await repository.find_by_request(request()) == first


async def test_a_request_id_with_another_payload_is_refused_and_creates_nothing(
    repository: CheckRepository,
) -> None:
    await repository.create(new_check(), request())
    other = new_check()
    with pytest.raises(RequestIdReused):
        await repository.create(other, request(payload=b"other"))
    with pytest.raises(RequestIdReused):
        await repository.find_by_request(request(payload=b"other"))
    assert await repository.get(other.check_id) is None


async def test_request_ids_of_tenants_do_not_meet(repository: CheckRepository) -> None:
    first = await repository.create(new_check(tenant="a"), request(tenant="a"))
    assert await repository.find_by_request(request(tenant="b")) is None
    second = await repository.create(new_check(tenant="b"), request(tenant="b", payload=b"other"))
    assert first.check_id != second.check_id


async def test_the_first_checks_of_a_policy_may_come_at_once(repository: CheckRepository) -> None:
    # In each round all calls find the policy missing, and one call of each pair finds its request created.
    for n in range(4):
        made = await asyncio.gather(
            *(
                repository.create(new_check(policy=b"%d" % n), request(f"{n} {k // 2}", payload=b"same"))
                for k in range(12)
            )
        )
        assert len({record.check_id for record in made}) == 6


async def test_two_checks_share_one_stored_policy(repository: CheckRepository, database: Database) -> None:
    await repository.create(new_check(policy=b"one"), None)
    await repository.create(new_check(policy=b"one"), None)
    record = await repository.create(new_check(policy=b"two"), None)
    assert record.policy_source == b"two"
    query = text("select count(*) from policies")
    assert await database.read(lambda connection: connection.execute(query).scalar_one()) == 2


async def test_the_repository_reports_if_any_check_exists(repository: CheckRepository) -> None:
    assert not await repository.any_check()
    await created(repository)
    assert await repository.any_check()


async def test_a_cancelled_call_leaves_the_database_usable(repository: CheckRepository) -> None:
    for delay in range(25):
        task = asyncio.create_task(repository.create(new_check(), None))
        await asyncio.sleep(delay * 0.0005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await repository.ping()
    # If a cancelled call had kept the write lock, these would wait for it in vain, and raise.
    assert (await scanning(repository)).state is CheckState.SCANNING


# The lease of a check: one stream holds it, and a newer one fences the older.


async def test_the_first_stream_binds_its_session_key(repository: CheckRepository) -> None:
    record = await scanning(repository)
    assert record.state is CheckState.SCANNING
    assert (record.lease_epoch, record.streams, record.lease_owner) == (1, 1, "replica-1")
    assert record.lease_until == after(16)
    assert record.session_key == SESSION_KEY
    assert record.session_key_sha256 == hashlib.sha256(SESSION_KEY).digest()


@pytest.mark.parametrize(
    ("key", "proven", "error"),
    [(b"another", True, SessionKeyMismatch), (SESSION_KEY, False, SessionKeyUnproven)],
)
async def test_another_or_an_unproven_session_key_is_refused_and_does_not_fence(
    repository: CheckRepository, *, key: bytes, proven: bool, error: type[Exception]
) -> None:
    record = await scanning(repository)
    with pytest.raises(error):
        await repository.acquire_lease(
            record.check_id, session_key=key, proven=proven, owner="x", now=after(2), lease_seconds=15
        )
    assert await repository.get(record.check_id) == record


async def test_a_newer_stream_fences_the_older_in_everything(repository: CheckRepository) -> None:
    old = await scanning(repository)
    check_id = old.check_id
    await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    new = await lease(repository, old)
    assert (new.lease_epoch, new.streams) == (2, 2)

    with pytest.raises(Conflict) as caught:
        await repository.start_attempt(check_id, epoch=1, number=2, start_time=after(3))
    assert (caught.value.state, caught.value.lease_epoch) == (CheckState.SCANNING, 2)
    with pytest.raises(Conflict):
        await repository.count_attempt(check_id, epoch=1, attempt=1, frames=8)
    with pytest.raises(Conflict):
        await end(repository, check_id, epoch=1)
    with pytest.raises(Conflict):
        await repository.decide(check_id, epoch=1, decision=decision(entry("fenced")))
    with pytest.raises(Conflict):
        await repository.suspend(check_id, epoch=1, bytes_received=5, resume_until=after(9))
    assert not await repository.renew_lease(check_id, epoch=1, now=after(3), lease_seconds=15)
    assert await repository.evidence(check_id) == ()
    assert await repository.get(check_id) == new


async def test_a_renewed_lease_lasts_and_notes_the_bytes(repository: CheckRepository) -> None:
    record = await scanning(repository)
    assert await repository.renew_lease(
        record.check_id, epoch=1, now=after(10), lease_seconds=15, bytes_received=4096
    )
    renewed = await repository.get(record.check_id)
    assert renewed is not None
    assert (renewed.lease_until, renewed.bytes_received) == (after(25), 4096)
    assert await repository.renew_lease(record.check_id, epoch=1, now=after(11), lease_seconds=15)
    again = await repository.get(record.check_id)
    assert again is not None
    assert again.bytes_received == 4096
    assert not await repository.renew_lease(uuid4(), epoch=1, now=NOW, lease_seconds=15)


async def test_a_suspended_check_waits_and_may_be_resumed(repository: CheckRepository) -> None:
    record = await scanning(repository)
    await repository.suspend(record.check_id, epoch=1, bytes_received=77, resume_until=after(21))
    waiting = await repository.get(record.check_id)
    assert waiting is not None
    assert (waiting.state, waiting.lease_owner, waiting.lease_until) == (CheckState.WAITING, None, None)
    assert (waiting.bytes_received, waiting.resume_until) == (77, after(21))
    assert not await repository.renew_lease(record.check_id, epoch=1, now=after(2), lease_seconds=15)
    resumed = await lease(repository, waiting)
    assert (resumed.state, resumed.lease_epoch) == (CheckState.SCANNING, 2)
    assert resumed.resume_until is None


async def test_due_are_passed_deadlines_that_no_stream_holds(repository: CheckRepository) -> None:
    waiting_long = await repository.create(new_check(scan_seconds=10), None)
    dead = await lease(repository, await repository.create(new_check(scan_seconds=500), None), seconds=20)
    alive = await lease(repository, await repository.create(new_check(scan_seconds=600), None), seconds=690)
    decided = await repository.create(new_check(scan_seconds=5), None)
    await repository.decide(decided.check_id, epoch=None, decision=decision())

    assert await repository.due(after(9.9), 10) == []
    assert [r.check_id for r in await repository.due(after(10), 10)] == [waiting_long.check_id]
    assert [r.check_id for r in await repository.due(after(501), 10)] == [
        waiting_long.check_id,
        dead.check_id,
    ]
    assert [r.check_id for r in await repository.due(after(501), 1)] == [waiting_long.check_id]
    assert len(await repository.due(after(601), 10)) == 2
    first, second = await repository.due(after(601), 10)
    assert await repository.due(after(601), 10, after=first) == [second]
    assert await repository.due(after(601), 10, after=second) == []
    assert alive.check_id in {r.check_id for r in await repository.due(after(700), 10)}


# Attempts, from their start to the end that they or others give them.


async def test_an_attempt_from_start_to_end(repository: CheckRepository) -> None:
    check_id = (await scanning(repository)).check_id
    await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    (started,) = await repository.attempts(check_id)
    assert (started.counted, started.outcome, started.end_time, started.epoch) == (False, None, None, 1)
    await repository.count_attempt(check_id, epoch=1, attempt=1, frames=8)
    (counted,) = await repository.attempts(check_id)
    assert counted.counted
    kept = entry("kept", kind=ImagePurpose.AUDIT_IMAGE)
    await end(repository, check_id, epoch=1, judgement=b"judged", evidence=(kept,))
    (ended,) = await repository.attempts(check_id)
    assert ended.outcome is AttemptOutcome.RETRY
    assert (ended.frames, ended.dropped, ended.feedback) == (11, 2, ("TOO_DARK", "HOLD_STILL"))
    assert (ended.end_time, ended.final_mac_sha256, ended.judgement) == (after(9), b"m" * 32, b"judged")
    assert await repository.evidence(check_id) == (kept,)
    with pytest.raises(Conflict, match="no attempt 1 runs"):
        await end(repository, check_id, epoch=1)
    with pytest.raises(Conflict, match="already an attempt 1"):
        await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(9))


async def test_a_fenced_stream_stores_the_ending_of_its_own_attempt(
    repository: CheckRepository,
) -> None:
    record = await scanning(repository)
    check_id = record.check_id
    await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    interrupted = ending(
        outcome=AttemptOutcome.INTERRUPTED,
        ended_by=EndedBy.SUPERSEDED,
        verdict=Verdict.LIVE,
        judgement=b"judged",
    )
    with pytest.raises(Conflict):
        # It is still running.
        await repository.end_superseded(check_id, epoch=1, ending=interrupted)
    await lease(repository, record)
    assert (await repository.attempts(check_id))[0].ended_by is None
    with pytest.raises(Conflict):
        await repository.end_superseded(check_id, epoch=2, ending=interrupted)
    await repository.end_superseded(check_id, epoch=1, ending=interrupted)
    (ended,) = await repository.attempts(check_id)
    assert (ended.ended_by, ended.verdict, ended.frames) == (EndedBy.SUPERSEDED, Verdict.LIVE, 11)
    assert (ended.end_time, ended.judgement) == (after(1), b"judged")
    with pytest.raises(Conflict):
        await repository.end_superseded(check_id, epoch=1, ending=interrupted)
    await repository.decide(check_id, epoch=2, decision=decision())
    # The evidence record takes over the judgement.
    assert await repository.attempts(check_id) == (replace(ended, judgement=None),)


async def test_a_fenced_attempt_ends_with_the_decision_that_it_brings(repository: CheckRepository) -> None:
    record = await scanning(repository)
    check_id = record.check_id
    await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    await lease(repository, record)
    spoof = ending(
        outcome=AttemptOutcome.DECIDED,
        ended_by=EndedBy.SUPERSEDED,
        verdict=Verdict.SPOOF,
        judgement=b"judged",
    )
    for fenced in (None, 2):
        # It does not run under the current lease, and did not run under that one.
        with pytest.raises(Conflict):
            await repository.decide(check_id, epoch=None, decision=decision(), ending=spoof, fenced=fenced)
    assert (await repository.attempts(check_id))[0].ended_by is None
    await repository.decide(check_id, epoch=None, decision=decision(), ending=spoof, fenced=1)
    (attempt,) = await repository.attempts(check_id)
    assert (attempt.outcome, attempt.ended_by) == (AttemptOutcome.DECIDED, EndedBy.SUPERSEDED)
    decided = await repository.get(check_id)
    assert decided is not None
    assert decided.state is CheckState.DECIDED


async def test_an_attempt_of_a_server_that_is_gone_ended_with_it(repository: CheckRepository) -> None:
    record = await scanning(repository)
    check_id = record.check_id
    for number, epoch in ((1, 1), (2, 2), (3, 3)):
        await repository.start_attempt(check_id, epoch=epoch, number=number, start_time=after(2))
        await lease(repository, record, seconds=0 if number == 1 else 15)
    # The first lease was held when the second was acquired, the second had expired, and the third is held.
    assert [attempt.ended_by for attempt in await repository.attempts(check_id)] == [
        None,
        EndedBy.SERVER_STOPPED,
        None,
    ]
    await repository.start_attempt(check_id, epoch=4, number=4, start_time=after(3))
    await repository.decide(check_id, epoch=None, decision=replace(decision(), decide_time=after(5)))
    # The first and the third stream never stored their end; the decision ended the fourth.
    assert [attempt.ended_by for attempt in await repository.attempts(check_id)] == [
        EndedBy.SERVER_STOPPED,
        EndedBy.SERVER_STOPPED,
        EndedBy.SERVER_STOPPED,
        EndedBy.CHECK_CLOSED,
    ]


# Decisions with their evidence, and what follows them.


async def test_a_decision_is_one_with_its_evidence(
    repository: CheckRepository, records: EvidenceRecordRepository
) -> None:
    check_id = (await scanning(repository)).check_id
    await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    await end(repository, check_id, epoch=1, evidence=(entry("first"),))
    await repository.start_attempt(check_id, epoch=1, number=2, start_time=after(10))
    kept = (entry("b", attempt=2), entry("a", kind=ImagePurpose.AUDIT_IMAGE, attempt=2))
    await repository.decide(check_id, epoch=1, decision=decision(*kept))
    decided = await repository.get(check_id)
    assert decided is not None
    assert decided.state is CheckState.DECIDED
    assert decided.status is CheckStatus.FAILURE
    assert decided.reasons == (FailureReason.SPOOF, FailureReason.NOT_SAME_PERSON)
    assert (decided.decide_time, decided.retain_until) == (after(20), after(1000))
    assert (decided.subject_reference, decided.consent_reference) == ("", "")
    stored = await records.find(check_id)
    assert stored is not None
    assert (stored.tenant, stored.version, stored.decide_time) == ("default", 1, after(20))
    assert stored.sealed == sealed_record().sealed
    assert await records.find(check_id, "another") is None
    assert (decided.lease_owner, decided.lease_until, decided.portrait_template) == (None, None, None)
    assert (decided.portrait_report, decided.session_key, decided.session_key_sha256) == (b"", None, None)
    assert await repository.evidence(check_id) == (entry("first"), *kept)
    interrupted = (await repository.attempts(check_id))[1]
    assert interrupted.outcome is AttemptOutcome.INTERRUPTED
    # No stream held the lease any more.
    assert interrupted.ended_by is EndedBy.SERVER_STOPPED
    for again in (1, None):
        with pytest.raises(Conflict) as caught:
            await repository.decide(check_id, epoch=again, decision=decision())
        assert caught.value.state is CheckState.DECIDED
    with pytest.raises(Conflict):
        await lease(repository, decided)


async def test_a_decision_whose_evidence_cannot_be_written_is_not_taken(repository: CheckRepository) -> None:
    record = await scanning(repository)
    twice = entry("the same object")
    with pytest.raises(StorageUnavailable):
        await repository.decide(record.check_id, epoch=1, decision=decision(twice, twice))
    assert await repository.get(record.check_id) == record
    assert await repository.evidence(record.check_id) == ()


async def test_only_one_of_many_deciders_wins(
    repository: CheckRepository, records: EvidenceRecordRepository
) -> None:
    check_id = (await scanning(repository)).check_id
    outcomes = await asyncio.gather(
        *(repository.decide(check_id, epoch=None, decision=decision(result=bytes([n]))) for n in range(10)),
        return_exceptions=True,
    )
    won = [number for number, outcome in enumerate(outcomes) if outcome is None]
    assert len(won) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 9
    stored = await records.find(check_id)
    assert stored is not None
    assert stored.sealed.ciphertext == bytes(won)


async def test_finishing_is_idempotent_and_needs_a_decision(repository: CheckRepository) -> None:
    check_id = (await scanning(repository)).check_id
    with pytest.raises(Conflict):
        await repository.finish(check_id, after(30))
    await repository.decide(check_id, epoch=1, decision=decision())
    first = await repository.finish(check_id, after(31))
    assert (first.state, first.finish_time) == (CheckState.FINISHED, after(31))
    assert await repository.finish(check_id, after(99)) == first


async def test_referenced_distinguishes_kept_objects_from_orphans(repository: CheckRepository) -> None:
    await decided(repository, decision(entry("kept")))
    assert await repository.referenced(["evidence/kept", "evidence/orphan"]) == {"evidence/kept"}
    assert await repository.referenced([]) == frozenset()


async def test_an_unknown_check_raises_not_found(repository: CheckRepository) -> None:
    with pytest.raises(CheckNotFound):
        await repository.finish(uuid4(), NOW)
    with pytest.raises(CheckNotFound):
        await repository.decide(uuid4(), epoch=None, decision=decision())
    assert await repository.attempts(uuid4()) == ()


# Finding an orchestrator's checks, and what is due.

_ASKED = RequestedOutcome(status=CheckStatus.SUCCESS, delay_seconds=5)


async def test_checks_are_found_newest_first_by_what_is_asked(repository: CheckRepository) -> None:
    made = []
    for second in range(3):
        check = replace(
            new_check(),
            check_id=uuid4(),
            subject_reference="person",
            create_time=NOW + timedelta(seconds=second),
        )
        made.append((await repository.create(check, request(str(uuid4())))).check_id)

    async def found(**conditions: object) -> list[object]:
        chosen = {"sandbox": False, "limit": 10} | conditions
        return [each.check_id for each in await repository.find("default", **chosen)]  # type: ignore[arg-type]

    assert await found(subject=("person", ("subject:none",))) == made[::-1]
    assert await found(subject=("nobody", ("subject:none",))) == []
    assert await found(sandbox=True) == []
    assert await found(since=NOW + timedelta(seconds=1), before=NOW + timedelta(seconds=2)) == [made[1]]
    assert await found(after=Place(NOW + timedelta(seconds=1), made[1])) == [made[0]]
    assert await found(check_id=made[2]) == [made[2]]


async def test_a_requested_outcome_is_due_in_its_time_and_only_in_the_sandbox(
    repository: CheckRepository, database: Database
) -> None:
    check = replace(
        new_check(),
        check_id=uuid4(),
        sandbox=True,
        requested_outcome=_ASKED,
        outcome_due=NOW + timedelta(seconds=5),
    )
    await repository.create(check, None)
    assert await repository.due(NOW, 10, outcomes=True) == []
    (due,) = await repository.due(NOW + timedelta(seconds=5), 10, outcomes=True)
    assert (due.check_id, due.requested_outcome) == (check.check_id, _ASKED)
    assert await repository.due(NOW + timedelta(seconds=5), 10, outcomes=True, after=due) == []
    with pytest.raises((IntegrityError, StorageUnavailable)):
        await database.write(Connection.execute, update(checks).values(sandbox=False))


# The repository against a model: random calls in random order must return what the model predicts.


_CLOSED = {CheckState.DECIDED, CheckState.FINISHED}


@dataclass
class Model:
    """The predicted state of a check."""

    state: CheckState = CheckState.CREATED
    key: bytes | None = None
    epoch: int = 0
    attempts: dict[int, tuple[int, AttemptOutcome | None, bool]] = field(default_factory=dict)
    evidence: int = 0
    deadline: int = 0
    lease_until: int | None = None
    resume_until: int | None = None
    closing: FailureReason | None = None

    def interrupt(self) -> None:
        for number, (epoch, outcome, counted) in self.attempts.items():
            self.attempts[number] = (epoch, outcome or AttemptOutcome.INTERRUPTED, counted)

    def holds(self, epoch: int) -> bool:
        return self.state is CheckState.SCANNING and epoch == self.epoch

    def runs(self, number: int, epoch: int) -> bool:
        attempt = self.attempts.get(number)
        return attempt is not None and attempt[0] == epoch and attempt[1] is None


class RepositoryMachine(RuleBasedStateMachine):
    checks = Bundle("checks")

    def __init__(self, server: PostgresServer | None = None) -> None:
        super().__init__()
        self.server = server
        self.folder = Path(tempfile.mkdtemp(prefix="facegate-test-"))
        self.runner = asyncio.Runner()
        self.models: dict[UUID, Model] = {}
        self.objects = 0

    @initialize()
    def open(self) -> None:
        if self.server is None:
            self.url = f"sqlite:///{self.folder / 'checks.db'}"
        else:
            self.url = self.runner.run(self.server.new_database())
        self.runner.run(make_tables(self.url))
        self.database = open_database(self.url)
        self.repository = CheckRepository(self.database)
        self.records = EvidenceRecordRepository(self.database)
        self.retention = RetentionRepository(self.database)

    def teardown(self) -> None:
        self.runner.run(self.database.close())
        if self.server is not None:
            self.runner.run(self.server.drop_database(self.url))
        self.runner.close()
        shutil.rmtree(self.folder)

    def attempt(self, call: Callable[[], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            try:
                return await call()
            except StorageError as error:
                return error

        return self.runner.run(run())

    @rule(target=checks, deadline=st.integers(5, 60))
    def create(self, deadline: int) -> Any:
        check = new_check(scan_seconds=deadline)
        self.attempt(lambda: self.repository.create(check, None))
        self.models[check.check_id] = Model(deadline=deadline)
        return multiple(check.check_id)

    @rule(
        check_id=checks,
        key=st.sampled_from([b"one", b"one", b"two"]),
        proven=st.sampled_from([True, True, False]),
        now=st.integers(0, 60),
    )
    def acquire(self, check_id: UUID, key: bytes, proven: bool, now: int) -> None:
        model = self.models[check_id]
        answer = self.attempt(
            lambda: self.repository.acquire_lease(
                check_id, session_key=key, proven=proven, owner="o", now=after(now), lease_seconds=15
            )
        )
        if model.state not in OPEN_STATES or model.closing is not None:
            assert isinstance(answer, Conflict)
        elif model.key not in {None, key}:
            assert isinstance(answer, SessionKeyMismatch)
        elif model.key is not None and not proven:
            assert isinstance(answer, SessionKeyUnproven)
        else:
            model.interrupt()
            model.state, model.key = CheckState.SCANNING, key
            model.epoch += 1
            model.lease_until, model.resume_until = now + 15, None
            assert answer.lease_epoch == model.epoch

    @rule(check_id=checks, back=st.integers(0, 1), now=st.integers(0, 60))
    def renew(self, check_id: UUID, back: int, now: int) -> None:
        model = self.models[check_id]
        epoch = model.epoch - back
        answer = self.attempt(
            lambda: self.repository.renew_lease(check_id, epoch=epoch, now=after(now), lease_seconds=15)
        )
        assert answer is (model.holds(epoch) and model.closing is None)
        if answer:
            model.lease_until = now + 15

    @rule(check_id=checks, back=st.integers(0, 1), until=st.integers(0, 80))
    def suspend(self, check_id: UUID, back: int, until: int) -> None:
        model = self.models[check_id]
        epoch = model.epoch - back
        answer = self.attempt(
            lambda: self.repository.suspend(
                check_id, epoch=epoch, bytes_received=1, resume_until=after(until)
            )
        )
        assert isinstance(answer, Conflict) is not model.holds(epoch)
        if model.holds(epoch):
            model.state, model.lease_until, model.resume_until = CheckState.WAITING, None, until

    @rule(check_id=checks, reason=st.sampled_from([FailureReason.CANCELLED, FailureReason.ABANDONED]))
    def request_close(self, check_id: UUID, reason: FailureReason) -> None:
        model = self.models[check_id]
        answer = self.attempt(lambda: self.repository.request_close(check_id, reason))
        if model.state in OPEN_STATES and model.closing is None:
            model.closing = reason
        assert (answer.state, answer.closing) == (model.state, model.closing)

    @rule(check_id=checks, number=st.integers(1, 3), back=st.integers(0, 1))
    def start(self, check_id: UUID, number: int, back: int) -> None:
        model = self.models[check_id]
        epoch = model.epoch - back
        answer = self.attempt(
            lambda: self.repository.start_attempt(check_id, epoch=epoch, number=number, start_time=after(1))
        )
        allowed = model.holds(epoch) and number not in model.attempts
        assert isinstance(answer, Conflict) is not allowed
        if allowed:
            model.attempts[number] = (epoch, None, False)

    @rule(check_id=checks, number=st.integers(1, 3), back=st.integers(0, 1))
    def count(self, check_id: UUID, number: int, back: int) -> None:
        model = self.models[check_id]
        epoch = model.epoch - back
        answer = self.attempt(
            lambda: self.repository.count_attempt(check_id, epoch=epoch, attempt=number, frames=8)
        )
        allowed = model.holds(epoch) and model.runs(number, epoch)
        assert isinstance(answer, Conflict) is not allowed
        if allowed:
            model.attempts[number] = (epoch, None, True)

    @rule(check_id=checks, number=st.integers(1, 3), back=st.integers(0, 1), pictures=st.integers(0, 2))
    def end(self, check_id: UUID, number: int, back: int, pictures: int) -> None:
        model = self.models[check_id]
        epoch = model.epoch - back
        answer = self.attempt(
            lambda: self.repository.end_attempt(
                check_id,
                epoch=epoch,
                ending=ending(number),
                evidence=self.pictures(pictures),
            )
        )
        allowed = model.holds(epoch) and model.runs(number, epoch)
        assert isinstance(answer, Conflict) is not allowed
        if allowed:
            model.attempts[number] = (epoch, AttemptOutcome.RETRY, model.attempts[number][2])
            model.evidence += pictures

    @rule(
        check_id=checks,
        back=st.sampled_from([0, 1, None]),
        pictures=st.integers(0, 2),
        number=st.sampled_from([None, 1, 2, 3]),
    )
    def decide(self, check_id: UUID, back: int | None, pictures: int, number: int | None) -> None:
        model = self.models[check_id]
        epoch = None if back is None else model.epoch - back
        answer = self.attempt(
            lambda: self.repository.decide(
                check_id,
                epoch=epoch,
                decision=decision(*self.pictures(pictures), retain_seconds=100),
                ending=None if number is None else ending(number, outcome=AttemptOutcome.DECIDED),
            )
        )
        allowed = model.state in OPEN_STATES and epoch in {None, model.epoch}
        allowed = allowed and (number is None or model.runs(number, model.epoch))
        assert isinstance(answer, Conflict) is not allowed
        if allowed:
            if number is not None:
                model.attempts[number] = (model.epoch, AttemptOutcome.DECIDED, model.attempts[number][2])
            model.interrupt()
            model.state, model.lease_until, model.resume_until = CheckState.DECIDED, None, None
            model.key = None
            model.evidence += pictures

    @rule(check_id=checks)
    def finish(self, check_id: UUID) -> None:
        model = self.models[check_id]
        answer = self.attempt(lambda: self.repository.finish(check_id, after(40)))
        assert isinstance(answer, Conflict) is (model.state not in _CLOSED)
        if model.state in _CLOSED:
            model.state = CheckState.FINISHED

    @rule(check_id=checks)
    def erase(self, check_id: UUID) -> None:
        model = self.models[check_id]
        answer = self.attempt(lambda: self.retention.erase(check_id, after(200)))
        if model.state in OPEN_STATES:
            assert isinstance(answer, Conflict)
        else:
            assert len(answer) == model.evidence
            model.state, model.evidence = CheckState.ERASED, 0

    @rule()
    def crash(self) -> None:
        """Start a new process, which knows only the contents of the file."""
        self.runner.run(self.database.close())
        self.database = open_database(self.url)
        self.repository = CheckRepository(self.database)
        self.records = EvidenceRecordRepository(self.database)
        self.retention = RetentionRepository(self.database)

    @rule(now=st.integers(0, 80))
    def due(self, now: int) -> None:
        found = {record.check_id for record in self.runner.run(self.repository.due(after(now), 1000))}
        assert found == {
            check_id
            for check_id, model in self.models.items()
            if model.state in OPEN_STATES
            and model.deadline <= now
            and (model.lease_until is None or model.lease_until <= now)
        }

    @invariant()
    def database_is_as_the_model(self) -> None:
        if self.models:
            self.runner.run(self.compare())

    async def compare(self) -> None:
        for check_id, model in self.models.items():
            record = await self.repository.get(check_id)
            assert record is not None
            assert (record.state, record.lease_epoch, record.streams) == (
                model.state,
                model.epoch,
                model.epoch,
            )
            if model.state is not CheckState.ERASED:
                assert record.session_key == model.key
            assert (record.lease_until is None) is (model.lease_until is None)
            resumable = None if model.resume_until is None else after(model.resume_until)
            assert record.resume_until == resumable
            assert (record.portrait_template is None) is (model.state not in OPEN_STATES)
            stored = await self.records.find(check_id)
            assert (stored is None) is (model.state not in _CLOSED)
            assert (record.subject_reference == "") is (model.state not in OPEN_STATES)
            assert len(await self.repository.evidence(check_id)) == model.evidence
            assert {
                a.number: (a.epoch, a.outcome, a.counted) for a in await self.repository.attempts(check_id)
            } == model.attempts
        expired = {record.check_id for record in await self.retention.expired_results(after(100), 1000)}
        assert expired == {i for i, model in self.models.items() if model.state in _CLOSED}

    def pictures(self, count: int) -> Any:
        self.objects += count
        return tuple(entry(f"object-{self.objects - n}") for n in range(count))


_SETTINGS = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestRepositoryMachine = RepositoryMachine.TestCase
TestRepositoryMachine.settings = _SETTINGS


@pytest.mark.slow
def test_postgresql_follows_the_same_state_machine(postgres: PostgresServer) -> None:
    class OnPostgresql(RepositoryMachine):
        def __init__(self) -> None:
            super().__init__(postgres)

    run_state_machine_as_test(OnPostgresql, settings=settings(_SETTINGS, max_examples=20))
