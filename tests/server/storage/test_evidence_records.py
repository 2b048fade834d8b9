"""The evidence records of checks: their terms, the order and stability of lists, and the plans of queries."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, func, select

from server.domain.terms import AttemptOutcome
from server.storage.database import Database
from server.storage.evidence_records import (
    EvidenceRecordRepository,
    Place,
    count_query,
    list_query,
    rarest_first,
)
from server.storage.records import AttemptEnding
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.tables import attempts, checks, evidence_records, record_terms
from tests.server.storage.lives import created, scanning
from tests.server.storage.plans import plan_of
from tests.server.storage.samples import NOW, after, decision, new_check, sealed_record

_ALL = (("all",),)


async def _decided(repository: CheckRepository, second: float, *terms: str, tenant: str = "default") -> UUID:
    record = await repository.create(new_check(tenant=tenant), None)
    made = replace(decision(), decide_time=after(second), record=sealed_record(terms=terms))
    await repository.decide(record.check_id, epoch=None, decision=made)
    return record.check_id


async def test_a_list_is_newest_first_and_knows_what_filters_need(
    repository: CheckRepository, records: EvidenceRecordRepository
) -> None:
    old = await _decided(repository, 1, "status:FAILURE", "attack:PRINT", "sign:emulator")
    new = await _decided(repository, 2, "status:SUCCESS")
    await _decided(repository, 3, tenant="another")
    await created(repository)

    listed = await records.list("default", _ALL, limit=10)
    assert [line.check_id for line in listed] == [new, old]
    assert (listed[1].words("attack"), listed[1].words("sign")) == (("PRINT",), ("emulator",))
    assert (listed[1].policy_name, listed[1].policy_version, listed[1].on_hold) == ("standard", 3, False)
    assert (listed[1].decide_time, listed[1].retain_until) == (after(1), after(1000))


async def test_all_conditions_of_a_list_hold(
    repository: CheckRepository, records: EvidenceRecordRepository
) -> None:
    both = await _decided(repository, 1, "status:FAILURE", "policy:high")
    await _decided(repository, 2, "status:FAILURE", "policy:low")
    other = await _decided(repository, 3, "status:SUCCESS", "policy:high")

    async def found(*terms: Sequence[str], since: datetime | None = None) -> list[UUID]:
        return [line.check_id for line in await records.list("default", terms, since=since, limit=10)]

    assert await found(("policy:high",), ("status:FAILURE",)) == [both]
    assert await found(("policy:high",), since=after(2)) == [other]
    assert await found(("subject:1", "subject:2")) == []
    # A reference may be hashed under several keys.
    either = await found(("policy:high", "status:FAILURE"), ("status:FAILURE",))
    assert either == await found(("status:FAILURE",))


async def test_the_rarest_condition_drives_a_list(repository: CheckRepository, database: Database) -> None:
    for second in (1, 2, 3):
        await _decided(repository, second, "status_policy:FAILURE:high", "reason_policy:SPOOF:high")
    await _decided(repository, 4, "status_policy:FAILURE:high")
    await _decided(repository, 5, "reason_status:SPOOF:FAILURE", tenant="another")
    terms = [("status_policy:FAILURE:high",), ("reason_policy:SPOOF:high",), ("reason_status:SPOOF:FAILURE",)]

    def drive(since: datetime | None) -> Callable[[Connection], Sequence[Sequence[str]]]:
        return lambda connection: rarest_first(connection, "default", terms, since=since, before=None)

    assert await database.read(drive(None)) == terms[::-1]
    # Both frequent conditions have one entry from then on, or none.
    assert await database.read(drive(after(4))) == [terms[1], terms[2], terms[0]]


async def test_pages_are_stable_while_checks_are_decided(
    repository: CheckRepository, records: EvidenceRecordRepository
) -> None:
    # Several checks of the same microsecond, and one that is decided between two pages.
    made = [await _decided(repository, second) for second in (1, 2, 2, 2, 3)]
    seen: list[UUID] = []
    place: Place | None = None
    while page := await records.list("default", _ALL, after=place, limit=2):
        seen += [line.check_id for line in page]
        place = page[-1].place
        await _decided(repository, 10)
    assert len(seen) == len(set(seen)) == len(made)
    assert set(seen) == set(made)


async def test_a_decision_leaves_no_reference_and_no_result_in_clear(
    repository: CheckRepository, database: Database
) -> None:
    check_id = (await scanning(repository)).check_id
    await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    ending = AttemptEnding(
        number=1,
        outcome=AttemptOutcome.DECIDED,
        frames=1,
        dropped=0,
        feedback=(),
        end_time=after(3),
        final_mac_sha256=None,
        judgement=b"judged",
        frame_hashes=b"h" * 32,
    )
    await repository.decide(check_id, epoch=1, decision=decision(), ending=ending)

    def rows(connection: Connection) -> tuple[object, object]:
        check = connection.execute(select(checks).where(checks.c.check_id == check_id)).mappings().one()
        attempt = connection.execute(select(attempts)).mappings().one()
        return (
            (
                check["subject_reference"],
                check["consent_reference"],
                check["portrait_sha256"],
            ),
            (attempt["judgement"], attempt["frame_hashes"]),
        )

    assert await database.read(rows) == (("", "", None), (None, None))


async def test_an_erased_check_has_neither_record_nor_terms(
    repository: CheckRepository, retention: RetentionRepository, database: Database
) -> None:
    check_id = await _decided(repository, 1, "status:FAILURE")
    await retention.erase(check_id, after(2000))

    def left(connection: Connection) -> list[int]:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (evidence_records, record_terms)
        ]

    assert await database.read(left) == [0, 0]


async def test_the_checks_of_a_person_are_found_by_record_and_by_clear_reference(
    repository: CheckRepository, records: EvidenceRecordRepository
) -> None:
    open_one = (await created(repository)).check_id
    decided = await _decided(repository, 1, "subject:hash")
    await _decided(repository, 2, "subject:other")
    found = await records.of_subject("default", ("subject:hash", "subject:older"), "subject-1")
    assert set(found) == {open_one, decided}
    assert await records.of_subject("another", ("subject:hash",), "subject-1") == ()


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
