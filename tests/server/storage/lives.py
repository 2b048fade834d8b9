"""Checks in every state, for tests of the repository."""

from uuid import UUID

from server.domain.terms import AttemptOutcome
from server.storage.records import AttemptEnding, AttemptRecord, CheckRecord, EvidenceEntry
from server.storage.repository import CheckRepository
from tests.server.storage.samples import SESSION_KEY, after, new_check


async def created(repository: CheckRepository) -> CheckRecord:
    return await repository.create(new_check(), None)


async def scanning(repository: CheckRepository) -> CheckRecord:
    record = await created(repository)
    return await lease(repository, record)


async def lease(repository: CheckRepository, record: CheckRecord, *, seconds: float = 15) -> CheckRecord:
    return await repository.acquire_lease(
        record.check_id,
        session_key=SESSION_KEY,
        proven=True,
        owner="replica-1",
        now=after(1),
        lease_seconds=seconds,
    )


async def end(
    repository: CheckRepository,
    check_id: UUID,
    *,
    epoch: int,
    judgement: bytes | None = None,
    evidence: tuple[EvidenceEntry, ...] = (),
) -> AttemptRecord:
    return await repository.end_attempt(
        check_id,
        epoch=epoch,
        ending=AttemptEnding(
            number=1,
            outcome=AttemptOutcome.RETRY,
            frames=11,
            dropped=2,
            feedback=("TOO_DARK", "HOLD_STILL"),
            end_time=after(9),
            final_mac_sha256=b"m" * 32,
            judgement=judgement,
        ),
        evidence=evidence,
    )
