"""Decisions with their evidence, and what follows them."""

import asyncio
from uuid import uuid4

import pytest

from server.domain.terms import AttemptOutcome, CheckState, CheckStatus, EndedBy, FailureReason
from server.storage.errors import CheckNotFound, Conflict, StorageUnavailable
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.records import ImagePurpose
from server.storage.repository import CheckRepository
from tests.server.storage.lives import created, end, lease, scanning
from tests.server.storage.samples import NOW, after, decision, entry, sealed_record


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
    check_id = (await created(repository)).check_id
    await repository.decide(check_id, epoch=None, decision=decision(entry("kept")))
    assert await repository.referenced(["evidence/kept", "evidence/orphan"]) == {"evidence/kept"}
    assert await repository.referenced([]) == frozenset()


async def test_an_unknown_check_raises_not_found(repository: CheckRepository) -> None:
    with pytest.raises(CheckNotFound):
        await repository.finish(uuid4(), NOW)
    with pytest.raises(CheckNotFound):
        await repository.decide(uuid4(), epoch=None, decision=decision())
    assert await repository.attempts(uuid4()) == ()
