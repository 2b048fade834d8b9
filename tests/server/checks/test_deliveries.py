"""Every repeated delivery of a result is counted in the audit log, however many checks a caller repeats."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from server.audit import Actor, AuditAction
from server.checks.completion import Deliveries
from server.domain.state import CheckState
from tests.server.scan.records import check_record

_NOW = datetime(2026, 11, 26, tzinfo=UTC)
_BACKEND = Actor(name="backend", role="orchestrator")
_OTHER = Actor(name="other", role="orchestrator")


def test_repeats_of_more_checks_than_are_counted_separately_are_recorded_by_caller() -> None:
    deliveries = Deliveries(lambda tenant: tenant.encode().ljust(32))
    recorded: Counter[tuple[str, bool]] = Counter()
    repeated: list[tuple[UUID, Actor]] = [(uuid4(), _BACKEND) for _ in range(1030)]
    repeated += [(uuid4(), _OTHER), (repeated[0][0], _BACKEND)]
    for check_id, actor in repeated:
        record = check_record(check_id=check_id, state=CheckState.FINISHED)
        event = deliveries.events_of(record, subject="s", actor=actor, now=_NOW).again
        if event is not None:
            assert event.check_id == check_id
            recorded[actor.name, True] += int(event.detail["count"])
    assert deliveries.due(_NOW) == ()
    for event in deliveries.due(_NOW + timedelta(minutes=1)):
        assert event.action is AuditAction.RESULT_REPEATED
        recorded[event.actor.name, event.check_id is not None] += int(event.detail["count"])
    assert recorded == {("backend", True): 1025, ("backend", False): 6, ("other", False): 1}
