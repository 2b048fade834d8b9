"""Errors of the server.

::

    ServerError
    ├── Refusal             a call that cannot be served, with the reason for its caller
    └── ConfigurationError  settings with which the server must not start
        └── ListenerUnusable    the address of a listener cannot be used

Some packages have their own exceptions: ``server.storage.errors``, ``server.keyring.sealing``,
``server.policies.loading``, ``server.trusted_images.stores``. The message of a refusal is for the caller: it
states the error, the expected value and the remedy, and never contains biometric data, tokens, keys or
internal text.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ServerError(Exception):
    """Base class of the errors of this module."""


class ConfigurationError(ServerError):
    """The server cannot start with its configuration."""


class ListenerUnusable(ConfigurationError):
    """A listener cannot be opened: its address is in use, or is not an address of this machine."""


class Reason(StrEnum):
    """Why a call is refused; the names are those of ``facegate.v1.ErrorReason``."""

    INVALID_FIELD = "INVALID_FIELD"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    WRONG_LISTENER = "WRONG_LISTENER"
    INTERNAL = "INTERNAL"
    NOT_SERVING = "NOT_SERVING"
    OVERLOADED = "OVERLOADED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    SERVER_OUTDATED = "SERVER_OUTDATED"

    IMAGE_EMPTY = "IMAGE_EMPTY"
    IMAGE_TOO_LARGE = "IMAGE_TOO_LARGE"
    IMAGE_TOO_MANY_PIXELS = "IMAGE_TOO_MANY_PIXELS"
    IMAGE_FORMAT_NOT_SUPPORTED = "IMAGE_FORMAT_NOT_SUPPORTED"
    IMAGE_MALFORMED = "IMAGE_MALFORMED"
    FACE_NOT_FOUND = "FACE_NOT_FOUND"
    MULTIPLE_FACES = "MULTIPLE_FACES"
    EYE_DISTANCE_TOO_SMALL = "EYE_DISTANCE_TOO_SMALL"
    FACE_CUT_OFF = "FACE_CUT_OFF"
    IMAGE_NOT_CONFORMANT = "IMAGE_NOT_CONFORMANT"
    IMAGE_REFERENCE_INVALID = "IMAGE_REFERENCE_INVALID"
    IMAGE_REFERENCE_NOT_FOUND = "IMAGE_REFERENCE_NOT_FOUND"
    IMAGE_REFERENCE_NOT_CONFIGURED = "IMAGE_REFERENCE_NOT_CONFIGURED"
    IMAGE_REFERENCE_UNAVAILABLE = "IMAGE_REFERENCE_UNAVAILABLE"
    ISO_39794_NOT_SUPPORTED = "ISO_39794_NOT_SUPPORTED"

    POLICY_NOT_FOUND = "POLICY_NOT_FOUND"
    MODE_BELOW_POLICY = "MODE_BELOW_POLICY"
    MODE_NOT_AVAILABLE = "MODE_NOT_AVAILABLE"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    CHECK_NOT_FOUND = "CHECK_NOT_FOUND"
    NOT_SCANNED_YET = "NOT_SCANNED_YET"
    SCAN_IN_PROGRESS = "SCAN_IN_PROGRESS"
    RESULT_EXPIRED = "RESULT_EXPIRED"
    POLICY_NOT_AVAILABLE = "POLICY_NOT_AVAILABLE"

    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105 - a reason's name, not a secret
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - a reason's name, not a secret
    CHECK_CLOSED = "CHECK_CLOSED"
    SESSION_KEY_MISMATCH = "SESSION_KEY_MISMATCH"
    RESUME_PROOF_INVALID = "RESUME_PROOF_INVALID"
    PROTOCOL_VERSION_NOT_SUPPORTED = "PROTOCOL_VERSION_NOT_SUPPORTED"
    UNEXPECTED_MESSAGE = "UNEXPECTED_MESSAGE"
    FRAME_OUT_OF_ORDER = "FRAME_OUT_OF_ORDER"
    FRAME_MAC_INVALID = "FRAME_MAC_INVALID"
    FRAME_TIME_INVALID = "FRAME_TIME_INVALID"
    FRAME_TOO_LARGE = "FRAME_TOO_LARGE"
    FRAME_IMAGE_INVALID = "FRAME_IMAGE_INVALID"
    CREDIT_EXCEEDED = "CREDIT_EXCEEDED"
    SCAN_BUDGET_EXCEEDED = "SCAN_BUDGET_EXCEEDED"
    ATTEMPT_END_INVALID = "ATTEMPT_END_INVALID"
    SUPERSEDED = "SUPERSEDED"
    STREAM_IDLE = "STREAM_IDLE"
    TOO_MANY_RECONNECTS = "TOO_MANY_RECONNECTS"
    PACK_CHANGED = "PACK_CHANGED"
    CAPABILITY_MISSING = "CAPABILITY_MISSING"
    TOO_MANY_FAILURES = "TOO_MANY_FAILURES"
    ORIGIN_NOT_ALLOWED = "ORIGIN_NOT_ALLOWED"

    VIDEO_EMPTY = "VIDEO_EMPTY"
    VIDEO_TOO_LARGE = "VIDEO_TOO_LARGE"
    VIDEO_FORMAT_NOT_SUPPORTED = "VIDEO_FORMAT_NOT_SUPPORTED"
    VIDEO_MALFORMED = "VIDEO_MALFORMED"
    VIDEO_TOO_LONG = "VIDEO_TOO_LONG"
    VIDEO_TOO_MANY_PIXELS = "VIDEO_TOO_MANY_PIXELS"
    VIDEO_WITHOUT_PICTURES = "VIDEO_WITHOUT_PICTURES"
    TOO_FEW_FRAMES = "TOO_FEW_FRAMES"
    VIDEO_NOT_AVAILABLE = "VIDEO_NOT_AVAILABLE"
    VIDEO_TOO_SLOW_TO_DECODE = "VIDEO_TOO_SLOW_TO_DECODE"

    EVIDENCE_ON_HOLD = "EVIDENCE_ON_HOLD"
    EVIDENCE_ERASED = "EVIDENCE_ERASED"
    CHECK_NOT_DECIDED = "CHECK_NOT_DECIDED"
    EVIDENCE_IMAGE_NOT_FOUND = "EVIDENCE_IMAGE_NOT_FOUND"
    EVIDENCE_UNREADABLE = "EVIDENCE_UNREADABLE"
    HOLD_NOT_FOUND = "HOLD_NOT_FOUND"
    EVIDENCE_RECORD_MISSING = "EVIDENCE_RECORD_MISSING"
    STEP_UP_REQUIRED = "STEP_UP_REQUIRED"

    EVENT_NOT_FOUND = "EVENT_NOT_FOUND"
    REVIEW_NOT_FOUND = "REVIEW_NOT_FOUND"
    REVIEW_CLAIMED = "REVIEW_CLAIMED"
    REVIEW_NOT_CLAIMED = "REVIEW_NOT_CLAIMED"
    REVIEW_OVER = "REVIEW_OVER"
    REVIEW_CONFLICT = "REVIEW_CONFLICT"

    TRUSTED_CHECK_NOT_SUCCESSFUL = "TRUSTED_CHECK_NOT_SUCCESSFUL"
    TRUSTED_CHECK_NOT_ENROLLED = "TRUSTED_CHECK_NOT_ENROLLED"
    TRUSTED_CHECK_TOO_WEAK = "TRUSTED_CHECK_TOO_WEAK"
    TRUSTED_CHECK_ERASED = "TRUSTED_CHECK_ERASED"


class Refusal(ServerError):
    """A call that cannot be served.

    Attributes:
        reason: The code on which the caller branches.
        details: Every variable of the message, by lowerCamelCase name with its unit (AIP-193).
        retry_after: Seconds after which the same call may succeed; ``None`` if a retry does not help.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        details: Mapping[str, str | int | float] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.details: Mapping[str, str | int | float] = MappingProxyType(dict(details or {}))
        self.retry_after = retry_after


def invalid_field(field: str, message: str, **details: str | int | float) -> Refusal:
    """Return the refusal of a field of a call (INVALID_FIELD)."""
    return Refusal(Reason.INVALID_FIELD, message, details={"field": field, **details})


def unprintable_field(field: str) -> Refusal:
    """Return the refusal of a text that has characters that are not printable (INVALID_FIELD)."""
    message = f"{field} has characters that are not printable; remove them"
    return invalid_field(field, message, problem="NOT_PRINTABLE")


def camel(details: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    """Return details with their names in lowerCamelCase (AIP-193)."""
    named = {}
    for name, value in details.items():
        head, *tail = name.split("_")
        named[head + "".join(word.capitalize() for word in tail)] = value
    return named
