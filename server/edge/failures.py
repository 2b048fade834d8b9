"""Converts failures of calls to answers for the client: a refusal, and nothing internal."""

import secrets
import traceback

import structlog

from server.errors import Reason, Refusal
from server.storage.errors import StorageUnavailable

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
    if isinstance(error, StorageUnavailable):
        _log.error("storage_unavailable", method=method, exc_info=error)
        return Refusal(
            Reason.NOT_SERVING, "the server cannot reach its storage; try again", retry_after=_RETRY_SECONDS
        )
    incident = secrets.token_hex(8)
    _log.error("call_failed", method=method, incident_id=incident, exc_info=error)
    return Refusal(
        Reason.INTERNAL,
        f"the server failed; its log has the incident {incident}",
        details={"incidentId": incident},
    )


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
