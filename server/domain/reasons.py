"""A check's status and why it did not succeed, as everything that stores or shows them names them."""

from enum import StrEnum

__all__ = ["ADVERSE", "FAULTS", "CheckStatus", "FailureReason"]


class CheckStatus(StrEnum):
    """The answer."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    NOT_DECIDED = "NOT_DECIDED"
    """A fault of the server kept it from deciding; it says nothing about the person."""


class FailureReason(StrEnum):
    """Why a check failed; the names are those of ``facegate.v1.FailureReason``."""

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
"""Faults of the server. They say nothing about a person, and are reasons of NOT_DECIDED alone."""

ADVERSE = frozenset(
    {
        FailureReason.SPOOF,
        FailureReason.NOT_SAME_PERSON,
        FailureReason.IDENTITY_CHANGED,
        FailureReason.DEVICE_MANIPULATED,
        FailureReason.TRANSCRIPT_BROKEN,
    }
)
"""Reasons that no fault of the server takes back."""
