"""What the client of a failed call receives: a refusal as a status, and nothing internal.

A status has rich errors (AIP-193): one ErrorInfo, and RetryInfo if a retry may help.
"""

import asyncio
import secrets
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import grpc
import structlog
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import ServicerContext
from grpc_status import rpc_status

from server.base.errors import Reason, Refusal
from server.checks.refusals import check_not_found, other_session_key, too_many_failures
from server.domain.terms import OPEN_STATES, CheckState
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
from server.telemetry.metrics import Metrics
from server.telemetry.stages import CallSpan

DOMAIN = "facegate.org"
"""The domain of every ErrorInfo."""

_C = grpc.StatusCode

_CODES: Mapping[grpc.StatusCode, tuple[Reason, ...]] = {
    _C.INVALID_ARGUMENT: (
        Reason.INVALID_FIELD,
        Reason.IMAGE_EMPTY,
        Reason.IMAGE_TOO_LARGE,
        Reason.IMAGE_TOO_MANY_PIXELS,
        Reason.IMAGE_FORMAT_NOT_SUPPORTED,
        Reason.IMAGE_MALFORMED,
        Reason.FACE_NOT_FOUND,
        Reason.MULTIPLE_FACES,
        Reason.EYE_DISTANCE_TOO_SMALL,
        Reason.FACE_CUT_OFF,
        Reason.IMAGE_NOT_CONFORMANT,
        Reason.IMAGE_REFERENCE_INVALID,
        Reason.ISO_39794_NOT_SUPPORTED,
        Reason.MODE_BELOW_POLICY,
        Reason.UNEXPECTED_MESSAGE,
        Reason.FRAME_OUT_OF_ORDER,
        Reason.FRAME_MAC_INVALID,
        Reason.FRAME_TIME_INVALID,
        Reason.FRAME_IMAGE_INVALID,
        Reason.ATTEMPT_END_INVALID,
        Reason.VIDEO_EMPTY,
        Reason.VIDEO_TOO_LARGE,
        Reason.VIDEO_FORMAT_NOT_SUPPORTED,
        Reason.VIDEO_MALFORMED,
        Reason.VIDEO_TOO_LONG,
        Reason.VIDEO_TOO_MANY_PIXELS,
        Reason.VIDEO_WITHOUT_PICTURES,
        Reason.TOO_FEW_FRAMES,
    ),
    _C.UNAUTHENTICATED: (
        Reason.UNAUTHENTICATED,
        Reason.TOKEN_INVALID,
    ),
    _C.PERMISSION_DENIED: (
        Reason.PERMISSION_DENIED,
        Reason.STEP_UP_REQUIRED,
        Reason.SESSION_KEY_MISMATCH,
        Reason.RESUME_PROOF_INVALID,
        Reason.ORIGIN_NOT_ALLOWED,
        Reason.REVIEW_CONFLICT,
    ),
    _C.UNIMPLEMENTED: (Reason.WRONG_LISTENER,),
    _C.INTERNAL: (Reason.INTERNAL,),
    _C.UNAVAILABLE: (
        Reason.NOT_SERVING,
        Reason.SERVER_OUTDATED,
        Reason.IMAGE_REFERENCE_UNAVAILABLE,
    ),
    _C.RESOURCE_EXHAUSTED: (
        Reason.OVERLOADED,
        Reason.FRAME_TOO_LARGE,
        Reason.CREDIT_EXCEEDED,
        Reason.SCAN_BUDGET_EXCEEDED,
        Reason.TOO_MANY_RECONNECTS,
        Reason.TOO_MANY_FAILURES,
        Reason.VIDEO_TOO_SLOW_TO_DECODE,
    ),
    _C.DEADLINE_EXCEEDED: (
        Reason.DEADLINE_EXCEEDED,
        Reason.STREAM_IDLE,
    ),
    _C.NOT_FOUND: (
        Reason.POLICY_NOT_FOUND,
        Reason.CHECK_NOT_FOUND,
        Reason.RESULT_EXPIRED,
        Reason.IMAGE_REFERENCE_NOT_FOUND,
        Reason.EVIDENCE_ERASED,
        Reason.EVIDENCE_IMAGE_NOT_FOUND,
        Reason.EVIDENCE_RECORD_MISSING,
        Reason.HOLD_NOT_FOUND,
        Reason.EVENT_NOT_FOUND,
        Reason.REVIEW_NOT_FOUND,
        Reason.TRUSTED_CHECK_ERASED,
    ),
    _C.FAILED_PRECONDITION: (
        Reason.IMAGE_REFERENCE_NOT_CONFIGURED,
        Reason.MODE_NOT_AVAILABLE,
        Reason.POLICY_NOT_AVAILABLE,
        Reason.NOT_SCANNED_YET,
        Reason.SCAN_IN_PROGRESS,
        Reason.TOKEN_EXPIRED,
        Reason.CHECK_CLOSED,
        Reason.PACK_CHANGED,
        Reason.CAPABILITY_MISSING,
        Reason.PROTOCOL_VERSION_NOT_SUPPORTED,
        Reason.VIDEO_NOT_AVAILABLE,
        Reason.EVIDENCE_ON_HOLD,
        Reason.CHECK_NOT_DECIDED,
        Reason.REVIEW_CLAIMED,
        Reason.REVIEW_NOT_CLAIMED,
        Reason.REVIEW_OVER,
        Reason.TRUSTED_CHECK_NOT_SUCCESSFUL,
        Reason.TRUSTED_CHECK_NOT_ENROLLED,
        Reason.TRUSTED_CHECK_TOO_WEAK,
    ),
    _C.DATA_LOSS: (Reason.EVIDENCE_UNREADABLE,),
    _C.ALREADY_EXISTS: (Reason.REQUEST_ID_REUSED,),
    _C.ABORTED: (Reason.SUPERSEDED,),
}

CODE_OF: Mapping[Reason, grpc.StatusCode] = {
    reason: code for code, reasons in _CODES.items() for reason in reasons
}
"""The status code of each reason."""
_RETRY_SECONDS = 2.0
_STARTING_RETRY_SECONDS = 1.0
_log = structlog.get_logger(__name__)
_Environment = TypeVar("_Environment")


def to_status(refusal: Refusal) -> grpc.Status:
    """Convert a refusal to a gRPC status with its details in the trailers."""
    return rpc_status.to_status(to_status_message(refusal))


def to_status_message(refusal: Refusal) -> status_pb2.Status:
    """Convert a refusal to a ``google.rpc.Status`` with its details."""
    details = [
        _packed(
            error_details_pb2.ErrorInfo(
                reason=refusal.reason.value,
                domain=DOMAIN,
                metadata={key: str(value) for key, value in refusal.details.items()},
            )
        )
    ]
    if refusal.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(refusal.retry_after * 1000))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return status_pb2.Status(code=CODE_OF[refusal.reason].value[0], message=str(refusal), details=details)


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def as_refusal(error: Exception, *, method: str) -> Refusal:
    """Log the failure of a call, and return what the client receives: a refusal without internal text.

    The error's tracebacks are cleared, because their frames refer to the uploaded data: grpc keeps the error
    of an aborted call in a reference cycle, which would hold megabytes until the garbage collector runs.

    Args:
        method: The full name of the method.
    """
    refusal = _refusal(error, method)
    left: list[BaseException | None] = [error]
    while left:
        found = left.pop()
        if found is not None and found.__traceback__ is not None:
            traceback.clear_frames(found.__traceback__)
            found.__traceback__ = None
            left += [found.__cause__, found.__context__]
    return refusal


def counted_refusal(error: Exception, *, method: str, span: CallSpan, metrics: Metrics) -> Refusal:
    """Return ``as_refusal`` of a call that its span and the metrics count as refused."""
    refusal = as_refusal(error, method=method)
    span.mark_refused(refusal.reason.value)
    metrics.calls.call_refused(refusal.reason.value)
    return refusal


def _refusal(error: Exception, method: str) -> Refusal:
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
    """Return the refusal for an error of the storage that no room expected, mostly of a lost race.

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
            return check_not_found()
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
            return other_session_key()
        case SessionKeyUnproven():
            return Refusal(Reason.RESUME_PROOF_INVALID, "prove the session key when you resume the scan")
        case _:
            return None


class Opened(Generic[_Environment]):
    """What serves only after the server has opened its storage and loaded its models."""

    _env: _Environment | None = None

    def open(self, env: _Environment) -> None:
        """Begin to serve with this environment; before, every call is refused with NOT_SERVING."""
        self._env = env

    @property
    def env(self) -> _Environment:
        """The environment.

        Raises:
            Refusal: The server is starting (NOT_SERVING).
        """
        if self._env is None:
            raise Refusal(
                Reason.NOT_SERVING, "the server is starting; try again", retry_after=_STARTING_RETRY_SECONDS
            )
        return self._env


@asynccontextmanager
async def within_deadline(
    context: ServicerContext[Any, Any], most_seconds: float, *, repeating: str = "it is safe to repeat it"
) -> AsyncIterator[None]:
    """End a call at its deadline, or after ``most_seconds``, with a refusal (DEADLINE_EXCEEDED).

    Args:
        most_seconds: The longest duration, also without a deadline.
        repeating: What the refusal says about repeating the call.
    """
    # If the caller sets no deadline, grpc returns None here, contrary to its type annotations.
    seconds = min(context.time_remaining() or most_seconds, most_seconds)
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Refusal(
            Reason.DEADLINE_EXCEEDED, f"the call did not end within its deadline; {repeating}"
        ) from error
