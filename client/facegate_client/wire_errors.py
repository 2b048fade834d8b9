"""Converts gRPC's errors to those of this package, and decides whether a reconnect may help."""

from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from facegate_client.errors import (
    CallRefusedError,
    ClientError,
    ConnectionFailedError,
    ServerError,
    StreamLostError,
)
from facegate_protocol.texts import REFUSALS, ScanEffect

__all__ = ["ERROR_DOMAIN", "RETRY_REASONS", "refusal_of", "translate_error", "translated_in_stream"]

ERROR_DOMAIN: Final = "facegate.org"
"""The domain of every ErrorInfo of the server."""

_STATUS_KEY = "grpc-status-details-bin"
# The codes of the transport itself when a connection breaks or a proxy gives up.
_LOSS_CODES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
    }
)
RETRY_REASONS = frozenset(
    reason for reason, advice in REFUSALS.items() if advice.scan is ScanEffect.RECONNECT
)
"""The server's reasons after which a device reconnects without asking."""


def refusal_of(error: grpc.aio.AioRpcError) -> ServerError:
    """Reads the ErrorInfo and RetryInfo of an error. Without them the reason is empty."""
    reason = ""
    metadata: dict[str, str] = {}
    retry_after: float | None = None
    for detail in _status(error).details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            if info.domain == ERROR_DOMAIN:
                reason, metadata = info.reason, dict(info.metadata)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
            retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return ServerError(
        code=error.code().name,
        reason=reason,
        message=error.details() or "",
        metadata=metadata,
        retry_after_s=retry_after,
    )


def translate_error(error: grpc.aio.AioRpcError) -> ClientError:
    """Returns this package's error for an error of a unary call."""
    refusal = refusal_of(error)
    if not refusal.reason and error.code() in _LOSS_CODES:
        return ConnectionFailedError(f"{refusal.code}: {refusal.message}")
    return CallRefusedError(refusal)


def translated_in_stream(error: grpc.aio.AioRpcError) -> ClientError:
    """Returns this package's error for an error of a stream: `StreamLostError` if a reconnect may help."""
    final = translate_error(error)
    refusal = refusal_of(error)
    if isinstance(final, ConnectionFailedError) or refusal.reason in RETRY_REASONS:
        return StreamLostError(str(final), retry_after_s=refusal.retry_after_s or 0.0, final=final)
    return final


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()
