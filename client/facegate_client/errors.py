"""What can go wrong on the client's side of the three calls.

::

    ClientError
    ├── CallRefusedError          the server answered with an error; carries its reason and numbers
    ├── ConnectionFailedError     the server cannot be reached, or was lost too often
    │   └── StreamLostError       one stream of a scan was lost; the scanner reconnects
    ├── SandboxResultError        the result is of a sandbox check, and the caller takes none
    ├── ServerNotTrustedError     a signature, key fingerprint or hash of the server does not fit
    ├── ProtocolViolatedError     the server sent something that the protocol does not allow
    ├── ScanEndedError            the server said Goodbye and a reconnect is useless
    ├── SourceError               a video, folder or camera gives no usable frames
    └── CredentialsError          a channel, certificate or API key that cannot be used as given
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "CallRefusedError",
    "ClientError",
    "ConnectionFailedError",
    "CredentialsError",
    "ProtocolViolatedError",
    "SandboxResultError",
    "ScanEndedError",
    "ServerError",
    "ServerNotTrustedError",
    "SourceError",
    "StreamLostError",
]


class ClientError(Exception):
    """Root of everything that this room raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError:
    """An error of the server, as its ``google.rpc.Status`` tells it.

    Attributes:
        code: Name of the gRPC status code, such as ``INVALID_ARGUMENT``.
        reason: Name of the ErrorReason without its prefix; empty where the error carries none.
        message: The server's words for developers.
        metadata: The numbers in the message, by name.
        retry_after_s: Seconds to wait before a retry; None where a retry is useless.
    """

    code: str
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None


class CallRefusedError(ClientError):
    """The server answered with an error.

    Attributes:
        refusal: What the server said.
    """

    def __init__(self, refusal: ServerError) -> None:
        super().__init__(f"{refusal.reason or refusal.code}: {refusal.message}")
        self.refusal = refusal


class ConnectionFailedError(ClientError):
    """The server cannot be reached, or the connection was lost more often than the client retries."""


class StreamLostError(ConnectionFailedError):
    """One stream of a scan was lost and a reconnect may help.

    Attributes:
        retry_after_s: Seconds that the server asked to wait; 0 where it said nothing.
        final: The error to raise where no reconnect is left.
    """

    def __init__(self, cause: str, *, retry_after_s: float = 0.0, final: ClientError | None = None) -> None:
        super().__init__(cause)
        self.retry_after_s = retry_after_s
        self.final: ClientError = final or ConnectionFailedError(cause)


class ServerNotTrustedError(ClientError):
    """A signature, key fingerprint or hash of the server does not fit what the client holds."""


class SandboxResultError(ClientError):
    """The result is of a sandbox check: it was made for tests, and says nothing about a person.

    Attributes:
        check_id: The check.
    """

    def __init__(self, check_id: str) -> None:
        super().__init__(
            f"the check {check_id} is a sandbox check, in which test devices, virtual cameras and repeated "
            "frames are tolerated; expected a real one: call with credentials that are not marked sandbox, "
            "or, in tests only, accept it: accept_sandbox=True, or --accept-sandbox"
        )
        self.check_id = check_id


class ProtocolViolatedError(ClientError):
    """The server sent something that the protocol does not allow at that point."""


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
    """A channel, certificate or API key cannot be used as given."""
