"""Finds out whether a fault of the server is the reason that a check has no verdict."""

from collections.abc import Sequence

from server.domain.terms import AttemptOutcome, EndedBy
from server.storage.records import AttemptRecord
from server.verdict import FailureReason

__all__ = ["server_fault"]

_FAULTS = {
    EndedBy.SERVER_FAULT: FailureReason.SERVER_FAULT,
    EndedBy.SERVER_STOPPED: FailureReason.INTERRUPTED,
}


def server_fault(attempts: Sequence[AttemptRecord]) -> FailureReason | None:
    """Returns the server's fault that ended an attempt after the last judged one; ``None`` if there is none.

    A judged attempt with too few frames to count is ignored, because it does not judge the person.

    Args:
        attempts: The attempts of the check, by number.
    """
    for attempt in reversed(attempts):
        ended_by = attempt.ended_by
        if ended_by is None and attempt.outcome is AttemptOutcome.INTERRUPTED:
            # Its stream was superseded and did not record why it ended.
            ended_by = EndedBy.SERVER_STOPPED
        if ended_by in _FAULTS:
            return _FAULTS[ended_by]
        if attempt.counted and attempt.judgement is not None:
            return None
    return None
