"""The life of a check in the log and in the metrics, one line for each step, with the check's identifier.

::

    check_created → scan_begun → attempt_judged → check_decided → check_finished → check_erased

A scan may begin several times, after a lost connection, and have several attempts. A check may be decided
without a scan. The lines have no verdict and no reason: a log is kept longer than the evidence, and in other
places.
"""

from uuid import UUID

import structlog

from server.domain.terms import AttemptOutcome, EndedBy
from server.storage.records import CheckRecord
from server.telemetry.metrics import Metrics
from server.telemetry.stages import check_bound
from server.verdict import CheckVerdict

_log = structlog.get_logger(__name__)


def check_created(record: CheckRecord, *, metrics: Metrics) -> None:
    """Note that a check was created."""
    metrics.checks.check_created(sandbox=record.sandbox)
    _log.info(
        "check_created",
        policy=record.policy_name,
        mode=record.requested_mode.value,
        sandbox=record.sandbox,
    )


def scan_begun(record: CheckRecord) -> None:
    """Note that a stream of a check got its lease."""
    _log.info("scan_begun", stream=record.streams)


def attempt_judged(*, outcome: AttemptOutcome, ended_by: EndedBy, frames: int) -> None:
    """Note that the outcome of an attempt is durable."""
    _log.info("attempt_judged", outcome=outcome.value, ended_by=ended_by.value, frames=frames)


def check_decided(record: CheckRecord, verdict: CheckVerdict, *, metrics: Metrics) -> None:
    """Note that the decision of a check is durable."""
    metrics.checks.check_decided(
        status=verdict.status.value,
        reasons=[reason.value for reason in verdict.reasons],
        sandbox=record.sandbox,
    )
    with check_bound(record.check_id):
        _log.info("check_decided", status=verdict.status.value)


def check_finished() -> None:
    """Note that the result of a check was returned to its orchestrator."""
    _log.info("check_finished")


def check_erased(check_id: UUID, *, part: str) -> None:
    """Note that a check, or only its images, were erased.

    Args:
        part: ``check`` or ``images``.
    """
    with check_bound(check_id):
        _log.info("check_erased", part=part)
