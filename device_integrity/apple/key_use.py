"""Whether a key that outlives scans is used for one person."""

from enum import StrEnum

from device_integrity.check import DeviceCheck
from device_integrity.checklist import Checklist

__all__ = ["KeyOwner", "check_key_use"]


class KeyOwner(StrEnum):
    """Whom the caller's store knows a key of."""

    NEW = "NEW"
    """Of nobody."""
    SAME_SUBJECT = "SAME_SUBJECT"
    """Of the same person only."""
    OTHER_SUBJECT = "OTHER_SUBJECT"
    """Of another person: a shared phone, or one phone that plays many people."""


def check_key_use(verifier: str, key_use: KeyOwner | None) -> DeviceCheck:
    """Check ``<verifier>.key_use``: whether the key is known of another person. Soft: families share phones.

    Args:
        verifier: First part of the check's name, ``app_attest`` or ``app_attest_assertion``.
        key_use: Whom the store knows the key of; ``None`` where nobody looked, or a person is not named.
    """
    checklist = Checklist(verifier, ("key_use",))
    if key_use is None:
        return checklist.not_evaluated(
            "key_use", "KEY_USE_UNKNOWN", "it is not known whose the key is, or whose scan this is"
        )
    if key_use is KeyOwner.OTHER_SUBJECT:
        return checklist.failed(
            "key_use", "KEY_OF_ANOTHER_SUBJECT", "the key is enrolled for another person already", soft=True
        )
    return checklist.passed("key_use", f"KEY_{key_use.value}", "the key is known of nobody else")
