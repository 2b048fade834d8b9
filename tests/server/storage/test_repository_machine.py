"""The repository against a model: random calls in random order must return what the model predicts."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

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

from server.domain.terms import OPEN_STATES, AttemptOutcome, CheckState, FailureReason
from server.storage.database import open_database
from server.storage.errors import Conflict, SessionKeyMismatch, SessionKeyUnproven, StorageError
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from tests.server.databases import PostgresServer, make_tables
from tests.server.storage.samples import after, decision, ending, entry, new_check

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
    max_examples=10,
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
