"""The status of a check and the reasons of a failure, shared by all code that stores or shows them."""

from enum import StrEnum

__all__ = ["ADVERSE", "FAULTS", "CheckStatus", "FailureReason"]


class CheckStatus(StrEnum):
    """The status of a decided check."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    NOT_DECIDED = "NOT_DECIDED"
    """A fault of the server prevented the decision; the status is no statement about the person."""


class FailureReason(StrEnum):
    """The reason of a failed check; the names are those of ``facegate.v1.FailureReason``."""

    NOT_SAME_PERSON = "NOT_SAME_PERSON"
    SPOOF = "SPOOF"
    LIVENESS_INCONCLUSIVE = "LIVENESS_INCONCLUSIVE"
    CHALLENGE_BITS_TOO_FEW = "CHALLENGE_BITS_TOO_FEW"
    DEVICE_NOT_TRUSTED = "DEVICE_NOT_TRUSTED"
    TRANSCRIPT_BROKEN = "TRANSCRIPT_BROKEN"
    IDENTITY_CHANGED = "IDENTITY_CHANGED"
    EXPIRED = "EXPIRED"
    ABANDONED = "ABANDONED"
    INTERRUPTED = "INTERRUPTED"
    CONDITIONS = "CONDITIONS"
    MODE_NOT_MET = "MODE_NOT_MET"
    CANCELLED = "CANCELLED"
    DEVICE_MANIPULATED = "DEVICE_MANIPULATED"
    SERVER_FAULT = "SERVER_FAULT"


FAULTS = frozenset({FailureReason.SERVER_FAULT, FailureReason.INTERRUPTED})
"""Faults of the server. They are never held against the person and are reasons of NOT_DECIDED only."""

ADVERSE = frozenset(
    {
        FailureReason.SPOOF,
        FailureReason.NOT_SAME_PERSON,
        FailureReason.IDENTITY_CHANGED,
        FailureReason.DEVICE_MANIPULATED,
        FailureReason.TRANSCRIPT_BROKEN,
    }
)
"""Reasons that fail a check even if the server also had a fault."""
