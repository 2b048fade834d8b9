"""Attempts, from their start to the end that they or others give them."""

from dataclasses import replace

import pytest

from liveness.verdict import Verdict
from server.domain.terms import AttemptOutcome, CheckState, EndedBy
from server.storage.errors import Conflict
from server.storage.records import AttemptEnding, ImagePurpose
from server.storage.repository import CheckRepository
from tests.server.storage.lives import end, lease, scanning
from tests.server.storage.samples import after, decision, entry


async def test_an_attempt_from_start_to_end(repository: CheckRepository) -> None:
    check_id = (await scanning(repository)).check_id
    started = await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    assert (started.counted, started.outcome, started.end_time, started.epoch) == (False, None, None, 1)
    counted = await repository.count_attempt(check_id, epoch=1, attempt=1, frames=8)
    assert counted.counted
    kept = entry("kept", kind=ImagePurpose.AUDIT_IMAGE)
    ended = await end(repository, check_id, epoch=1, judgement=b"judged", evidence=(kept,))
    assert ended.outcome is AttemptOutcome.RETRY
    assert (ended.frames, ended.dropped, ended.feedback) == (11, 2, ("TOO_DARK", "HOLD_STILL"))
    assert (ended.end_time, ended.final_mac_sha256, ended.judgement) == (after(9), b"m" * 32, b"judged")
    assert await repository.attempts(check_id) == (ended,)
    assert await repository.evidence(check_id) == (kept,)
    with pytest.raises(Conflict, match="no attempt 1 runs"):
        await end(repository, check_id, epoch=1)
    with pytest.raises(Conflict, match="already an attempt 1"):
        await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(9))


async def test_evidence_of_an_attempt_that_cannot_end_is_not_kept(repository: CheckRepository) -> None:
    check_id = (await scanning(repository)).check_id
    with pytest.raises(Conflict):
        await end(repository, check_id, epoch=1, evidence=(entry("never"),))
    assert await repository.referenced(["evidence/never"]) == frozenset()


async def test_a_reconnect_interrupts_the_attempt_that_ran(repository: CheckRepository) -> None:
    record = await scanning(repository)
    await repository.start_attempt(record.check_id, epoch=1, number=1, start_time=after(2))
    await lease(repository, record)
    (attempt,) = await repository.attempts(record.check_id)
    assert (attempt.outcome, attempt.end_time) == (AttemptOutcome.INTERRUPTED, after(1))


async def test_a_fenced_stream_stores_the_ending_of_its_own_attempt(
    repository: CheckRepository,
) -> None:
    record = await scanning(repository)
    check_id = record.check_id
    await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    ending = AttemptEnding(
        number=1,
        outcome=AttemptOutcome.INTERRUPTED,
        ended_by=EndedBy.SUPERSEDED,
        verdict=Verdict.LIVE,
        frames=11,
        dropped=2,
        feedback=("TOO_DARK",),
        end_time=after(9),
        final_mac_sha256=b"m" * 32,
        judgement=b"judged",
    )
    with pytest.raises(Conflict):
        # It is still running.
        await repository.end_superseded(check_id, epoch=1, ending=ending)
    await lease(repository, record)
    assert (await repository.attempts(check_id))[0].ended_by is None
    with pytest.raises(Conflict):
        await repository.end_superseded(check_id, epoch=2, ending=ending)
    ended = await repository.end_superseded(check_id, epoch=1, ending=ending)
    assert (ended.ended_by, ended.verdict, ended.frames) == (EndedBy.SUPERSEDED, Verdict.LIVE, 11)
    assert (ended.end_time, ended.judgement) == (after(1), b"judged")
    assert await repository.attempts(check_id) == (ended,)
    with pytest.raises(Conflict):
        await repository.end_superseded(check_id, epoch=1, ending=ending)
    await repository.decide(check_id, epoch=2, decision=decision())
    # The evidence record takes over the judgement.
    assert await repository.attempts(check_id) == (replace(ended, judgement=None),)


async def test_a_fenced_attempt_ends_with_the_decision_that_it_brings(repository: CheckRepository) -> None:
    record = await scanning(repository)
    check_id = record.check_id
    await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    await lease(repository, record)
    ending = AttemptEnding(
        number=1,
        outcome=AttemptOutcome.DECIDED,
        ended_by=EndedBy.SUPERSEDED,
        verdict=Verdict.SPOOF,
        frames=30,
        dropped=0,
        feedback=(),
        end_time=after(9),
        final_mac_sha256=None,
        judgement=b"judged",
    )
    for fenced in (None, 2):
        # It does not run under the current lease, and did not run under that one.
        with pytest.raises(Conflict):
            await repository.decide(check_id, epoch=None, decision=decision(), ending=ending, fenced=fenced)
    assert (await repository.attempts(check_id))[0].ended_by is None
    await repository.decide(check_id, epoch=None, decision=decision(), ending=ending, fenced=1)
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
