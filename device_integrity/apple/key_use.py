"""Tests whether a key that outlives scans is used for one person only."""

from enum import StrEnum

from device_integrity.check import Checklist, DeviceCheck

__all__ = ["KeyOwner", "check_key_use"]


class KeyOwner(StrEnum):
    """The owner of a key according to the caller's store."""

    NEW = "NEW"
    """The key is not stored."""
    SAME_SUBJECT = "SAME_SUBJECT"
    """The key is stored for the same person only."""
    OTHER_SUBJECT = "OTHER_SUBJECT"
    """The key is stored for another person: a shared phone, or one phone that poses as many people."""


def check_key_use(verifier: str, key_use: KeyOwner | None) -> DeviceCheck:
    """Returns the test ``<verifier>.key_use``. It is soft, because families share phones.

    Args:
        verifier: The first part of the test's name, ``app_attest`` or ``app_attest_assertion``.
        key_use: The owner of the key; ``None`` if it was not looked up, or the check names no person.
    """
    checklist = Checklist(verifier, ("key_use",))
    if key_use is None:
        return checklist.not_evaluated(
            "key_use", "KEY_USE_UNKNOWN", "the owner of the key, or the subject of this check, is not known"
        )
    if key_use is KeyOwner.OTHER_SUBJECT:
        return checklist.failed(
            "key_use", "KEY_OF_ANOTHER_SUBJECT", "the key is already enrolled for another subject", soft=True
        )
    return checklist.passed("key_use", f"KEY_{key_use.value}", "the key is not enrolled for another subject")
