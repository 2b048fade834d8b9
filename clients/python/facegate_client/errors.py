"""The exceptions of the client.

::

    ClientError
    ├── CallRefusedError          the server answered with an error; has its reason and numbers
    ├── ConnectionFailedError     the server cannot be reached, or the connection was lost too often
    │   └── StreamLostError       one stream of a scan was lost; the scanner reconnects
    ├── SandboxResultError        the result is of a sandbox check, which the caller does not accept
    ├── ServerNotTrustedError     a signature, key fingerprint or hash of the server is not the expected one
    ├── ProtocolViolatedError     the server sent a message that the protocol does not allow
    ├── ScanEndedError            the server sent a Goodbye and a reconnect is useless
    ├── SourceError               a video, folder or camera gives no usable frames
    └── CredentialsError          a channel, certificate, API key or secret cannot be used as given

gRPC's errors are converted to these; the server's refusal decides whether a reconnect may help.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from facegate_client.proxies import proxy_to_others
from facegate_protocol.texts import REFUSALS, ScanEffect


class ClientError(Exception):
    """The base class of all exceptions of this package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError:
    """An error of the server, from its ``google.rpc.Status``.

    Attributes:
        code: Name of the gRPC status code, such as ``INVALID_ARGUMENT``.
        reason: Name of the ErrorReason without its prefix; empty if the error has none.
        metadata: The numbers in the message, by name.
        retry_after_s: Seconds to wait before a retry; ``None`` if the server names none.
    """

    code: str
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None


class CallRefusedError(ClientError):
    """The server answered with an error."""

    def __init__(self, refusal: ServerError) -> None:
        super().__init__(f"{refusal.reason or refusal.code}: {refusal.message}")
        self.refusal = refusal


class ConnectionFailedError(ClientError):
    """The server cannot be reached, or the connection was lost more often than the client retries."""


class StreamLostError(ConnectionFailedError):
    """One stream of a scan was lost and a reconnect may help.

    Attributes:
        retry_after_s: The wait that the server asked for, seconds; 0 if it asked for none.
        final: The error to raise if no reconnect is left.
    """

    def __init__(self, cause: str, *, retry_after_s: float = 0.0, final: ClientError | None = None) -> None:
        super().__init__(cause)
        self.retry_after_s = retry_after_s
        self.final: ClientError = final or ConnectionFailedError(cause)


class ServerNotTrustedError(ClientError):
    """A signature, key fingerprint or hash of the server does not match the one that the client expects."""


class SandboxResultError(ClientError):
    """The result is of a sandbox check. It was made for tests and proves nothing about a person."""

    def __init__(self, check_id: str) -> None:
        super().__init__(
            f"the check {check_id} is a sandbox check, in which test devices, virtual cameras and repeated "
            "frames are tolerated; expected a real one: call with credentials that are not marked sandbox, "
            "or, in tests only, accept it: accept_sandbox=True, or --accept-sandbox"
        )
        self.check_id = check_id


class ProtocolViolatedError(ClientError):
    """The server sent a message that the protocol does not allow at that point."""


class ScanEndedError(ClientError):
    """The server ended the stream without a result and a reconnect is useless.

    Attributes:
        reason: Name of the Goodbye.Reason without its prefix, such as ``SUPERSEDED``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the server ended the scan: {reason}")
        self.reason = reason


class SourceError(ClientError):
    """A video, folder or camera cannot be opened or gives no usable frames."""


class CredentialsError(ClientError):
    """A channel, certificate, API key or secret cannot be used as given."""


ERROR_DOMAIN: Final = "facegate.org"
"""The domain of every ErrorInfo of the server."""

_TRIED: Final = re.compile(r"\bipv[46]:\S+:(\d+)")
"""The port of each address in a message of gRPC."""
_TOO_LARGE: Final = (
    "the server does not read it: a trusted image has at most 2,000,000 bytes, an image to analyse "
    "10,000,000; send a smaller one, such as a JPEG of lower quality"
)
_STATUS_KEY = "grpc-status-details-bin"
_CODES = {code.value[0]: code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK}
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
    """Read the ErrorInfo and RetryInfo of an error. Without them the reason is empty.

    Code and message are those that the server sent: through a proxy that resets a stream after the server's
    status, as HAProxy before 3.2 does, grpc.aio itself reports CANCELLED.
    """
    status = _status(error)
    code, message = error.code().name, error.details() or ""
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in message:
        message += f" ({_TOO_LARGE})"
    if status.code in _CODES:
        code, message = _CODES[status.code], status.message
    reason = ""
    metadata: dict[str, str] = {}
    retry_after: float | None = None
    for detail in status.details:
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
        code=code,
        reason=reason,
        message=message,
        metadata=metadata,
        retry_after_s=retry_after,
    )


def translate_error(error: grpc.aio.AioRpcError) -> ClientError:
    """Return this package's error for an error of a unary call."""
    refusal = refusal_of(error)
    if not refusal.reason and error.code() in _LOSS_CODES:
        return ConnectionFailedError(f"{refusal.code}: {refusal.message}{_proxy_named(refusal.message)}")
    return CallRefusedError(refusal)


def _proxy_named(message: str) -> str:
    """Return the end of an error that names the proxy to other machines, if gRPC's message shows its failure.

    The message has the name that was not found, or the address that was tried: the proxy's, if one was taken.
    """
    proxy = proxy_to_others()
    if proxy is None:
        return ""
    tried = str(proxy.port) in _TRIED.findall(message) or f" {proxy.address}: " in message
    return proxy.words if tried else ""


def translated_in_stream(error: grpc.aio.AioRpcError) -> ClientError:
    """Return this package's error for an error of a stream: `StreamLostError` if a reconnect may help."""
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
