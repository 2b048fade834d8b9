"""Converts failures of calls to answers for the client: a refusal, and nothing internal."""

import secrets
import traceback
from datetime import UTC, datetime

import structlog

from server.checks.refusals import too_many_failures
from server.domain.state import OPEN_STATES, CheckState
from server.errors import Reason, Refusal
from server.storage.errors import (
    CheckNotFound,
    Conflict,
    HoldNotFound,
    ObjectNotFound,
    OnHold,
    RequestIdReused,
    SchemaOutdated,
    SessionKeyMismatch,
    SessionKeyUnproven,
    StorageError,
    StorageUnavailable,
    TriesExceeded,
)

__all__ = ["as_refusal", "forget_traces"]

_RETRY_SECONDS = 2.0
_log = structlog.get_logger(__name__)


def as_refusal(error: Exception, *, method: str) -> Refusal:
    """Logs the failure of a call, and returns what the client receives: a refusal without internal text.

    Args:
        error: The exception that ended the call.
        method: The full name of the method.
    """
    if isinstance(error, Refusal):
        _log.info("call_refused", method=method, reason=error.reason.value)
        return error
    if isinstance(error, SchemaOutdated):
        _log.error("database_too_new", method=method, why=str(error))
        # Devices of every version know what to do after the other reason.
        reason = Reason.NOT_SERVING if method.endswith("/ScanFace") else Reason.SERVER_OUTDATED
        return Refusal(
            reason, "this server is too old for its database; another one answers", retry_after=_RETRY_SECONDS
        )
    if isinstance(error, StorageUnavailable):
        _log.error("storage_unavailable", method=method, exc_info=error)
        return Refusal(
            Reason.NOT_SERVING, "the server cannot reach its storage; try again", retry_after=_RETRY_SECONDS
        )
    if isinstance(error, StorageError) and (refusal := _of_storage(error)) is not None:
        _log.info("call_refused", method=method, reason=refusal.reason.value, exc_info=error)
        return refusal
    incident = secrets.token_hex(8)
    _log.error("call_failed", method=method, incident_id=incident, exc_info=error)
    return Refusal(
        Reason.INTERNAL,
        f"the server failed; its log has the incident {incident}",
        details={"incidentId": incident},
    )


def _of_storage(error: StorageError) -> Refusal | None:
    """Returns the refusal for an error of the storage that no room expected, mostly of a lost race.

    The rooms refuse what they expect, with more of its facts. ``None``: the database contradicts itself.
    """
    match error:
        case Conflict(state=CheckState.ERASED):
            return Refusal(Reason.EVIDENCE_ERASED, "the check was erased during this call")
        case Conflict() if error.state in OPEN_STATES:
            return Refusal(
                Reason.SCAN_IN_PROGRESS,
                "a scan changed the check during this call; repeat it",
                details={"state": error.state.value},
                retry_after=_RETRY_SECONDS,
            )
        case Conflict():
            return Refusal(
                Reason.NOT_SERVING,
                "another call changed the check during this call; repeat it",
                retry_after=_RETRY_SECONDS,
            )
        case CheckNotFound():
            return Refusal(Reason.CHECK_NOT_FOUND, "no check has this identifier")
        case TriesExceeded():
            return too_many_failures(error, now=datetime.now(UTC))
        case RequestIdReused():
            return Refusal(Reason.REQUEST_ID_REUSED, f"{error}; take a new UUID for a new request")
        case OnHold():
            return Refusal(Reason.EVIDENCE_ON_HOLD, str(error), details={"holds": error.holds})
        case HoldNotFound():
            return Refusal(Reason.HOLD_NOT_FOUND, str(error))
        case ObjectNotFound():
            return Refusal(
                Reason.EVIDENCE_UNREADABLE,
                "an image of the check is missing; restore it from the backup",
                details={"problem": "LOST"},
            )
        case SessionKeyMismatch():
            return Refusal(Reason.SESSION_KEY_MISMATCH, "reconnect with the key that the scan began with")
        case SessionKeyUnproven():
            return Refusal(Reason.RESUME_PROOF_INVALID, "prove the session key when you resume the scan")
        case _:
            return None


def forget_traces(error: BaseException) -> None:
    """Clears the frames of an error's tracebacks, which refer to the uploaded data.

    grpc keeps the error of an aborted call in a reference cycle, which would hold megabytes for each call
    until the garbage collector runs.
    """
    left: list[BaseException | None] = [error]
    while left:
        found = left.pop()
        if found is not None and found.__traceback__ is not None:
            traceback.clear_frames(found.__traceback__)
            found.__traceback__ = None
            left += [found.__cause__, found.__context__]
