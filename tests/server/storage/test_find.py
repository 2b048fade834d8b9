"""Finding an orchestrator's checks, and what is due, on both databases."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from server.domain.terms import CheckStatus, RequestedOutcome
from server.storage.database import Database
from server.storage.errors import StorageUnavailable
from server.storage.records import Place
from server.storage.repository import CheckRepository
from server.storage.tables import checks
from tests.server.storage.samples import NOW, new_check, request

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
