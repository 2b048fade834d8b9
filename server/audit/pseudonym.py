"""Pseudonyms of people in the audit log.

An entry carries HMAC-SHA-256 of the subject's hash under a random key of that subject. Erasing the person
destroys this key: from then on, nobody can compute the pseudonym from the reference. The entries do not
change, so the chain stays whole.
"""

import hmac
from collections.abc import Iterable
from typing import Final

__all__ = ["SUBJECT_KEY_BYTES", "pseudonym", "subject_hash", "subject_hashes"]

SUBJECT_KEY_BYTES: Final = 32
"""The length of the key of a subject."""

_SUBJECT_DOMAIN: Final = b"facegate/v1/audit-subject"
_PSEUDONYM_DOMAIN: Final = b"facegate/v1/audit-pseudonym"


def subject_hash(tenant_key: bytes, subject: str) -> bytes | None:
    """Returns the hash under which the audit log knows a person, 32 bytes; ``None`` without a reference.

    Args:
        tenant_key: The key of the tenant, 32 bytes (``KeyRing.memory.tenant_key``).
        subject: The subject reference; empty for none.
    """
    return hmac.digest(tenant_key, _SUBJECT_DOMAIN + subject.encode(), "sha256") if subject else None


def subject_hashes(tenant_keys: Iterable[bytes], subject: str) -> tuple[bytes, ...]:
    """Returns the hashes of a person under every key that the tenant has and had; none without a reference.

    Args:
        tenant_keys: The keys of the tenant, newest first (``KeyRing.memory.tenant_keys``).
        subject: The subject reference; empty for none.
    """
    found = (subject_hash(key, subject) for key in tenant_keys)
    return tuple(one for one in found if one is not None)


def pseudonym(key: bytes, subject: bytes) -> bytes:
    """Returns the pseudonym of a person, 32 bytes.

    Args:
        key: The key of the subject, 32 random bytes.
        subject: What ``subject_hash`` returns.
    """
    return hmac.digest(key, _PSEUDONYM_DOMAIN + subject, "sha256")
