"""Refusals as statuses with rich errors (AIP-193): one ErrorInfo, and RetryInfo if a retry may help."""

from collections.abc import Mapping

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from server.errors import Reason, Refusal

DOMAIN = "facegate.org"
"""The domain of every ErrorInfo."""

_C = grpc.StatusCode

_CODES: Mapping[grpc.StatusCode, frozenset[Reason]] = {
    _C.INVALID_ARGUMENT: frozenset(
        {
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
        }
    ),
    _C.UNAUTHENTICATED: frozenset({Reason.UNAUTHENTICATED, Reason.TOKEN_INVALID}),
    _C.PERMISSION_DENIED: frozenset(
        {
            Reason.PERMISSION_DENIED,
            Reason.SESSION_KEY_MISMATCH,
            Reason.RESUME_PROOF_INVALID,
            Reason.ORIGIN_NOT_ALLOWED,
        }
    ),
    _C.UNIMPLEMENTED: frozenset({Reason.WRONG_LISTENER}),
    _C.INTERNAL: frozenset({Reason.INTERNAL}),
    _C.UNAVAILABLE: frozenset(
        {Reason.NOT_SERVING, Reason.SERVER_OUTDATED, Reason.IMAGE_REFERENCE_UNAVAILABLE}
    ),
    _C.RESOURCE_EXHAUSTED: frozenset(
        {
            Reason.OVERLOADED,
            Reason.FRAME_TOO_LARGE,
            Reason.CREDIT_EXCEEDED,
            Reason.SCAN_BUDGET_EXCEEDED,
            Reason.TOO_MANY_RECONNECTS,
            Reason.TOO_MANY_FAILURES,
            Reason.VIDEO_TOO_SLOW_TO_DECODE,
        }
    ),
    _C.DEADLINE_EXCEEDED: frozenset({Reason.DEADLINE_EXCEEDED, Reason.STREAM_IDLE}),
    _C.NOT_FOUND: frozenset(
        {
            Reason.POLICY_NOT_FOUND,
            Reason.CHECK_NOT_FOUND,
            Reason.RESULT_EXPIRED,
            Reason.IMAGE_REFERENCE_NOT_FOUND,
            Reason.EVIDENCE_ERASED,
            Reason.EVIDENCE_IMAGE_NOT_FOUND,
            Reason.EVIDENCE_RECORD_MISSING,
            Reason.HOLD_NOT_FOUND,
        }
    ),
    _C.FAILED_PRECONDITION: frozenset(
        {
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
        }
    ),
    _C.DATA_LOSS: frozenset({Reason.EVIDENCE_UNREADABLE}),
    _C.ALREADY_EXISTS: frozenset({Reason.REQUEST_ID_REUSED}),
    _C.ABORTED: frozenset({Reason.SUPERSEDED}),
}

CODE_OF: Mapping[Reason, grpc.StatusCode] = {
    reason: code for code, reasons in _CODES.items() for reason in reasons
}
"""The status code of each reason."""


def to_status(refusal: Refusal) -> grpc.Status:
    """Converts a refusal to a gRPC status with its details in the trailers."""
    return rpc_status.to_status(to_status_message(refusal))


def to_status_message(refusal: Refusal) -> status_pb2.Status:
    """Converts a refusal to a ``google.rpc.Status`` with its details."""
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
