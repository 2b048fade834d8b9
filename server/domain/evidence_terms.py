"""The terms by which evidence records are found: filter words, and keyed hashes of references."""

import hmac
from typing import Final

__all__ = ["ALL", "HOLD", "policy_term", "reason_policy_term", "reference_term", "term"]

_DOMAIN: Final = b"facegate/v1/evidence-reference"

ALL: Final = "all"
"""The term of every record."""

HOLD: Final = "hold"
"""The term of a record that is on hold."""


def term(name: str, word: str) -> str:
    """Returns a term such as ``"status:FAILURE"``."""
    return f"{name}:{word}"


def policy_term(policy: str, status: str) -> str:
    """Returns the term of a policy and a status together.

    Most checks may have the same policy, and most the same status, but only few may have both. A query with
    two separate terms would read all entries of one of them.
    """
    return term("status_policy", f"{status}:{policy}")


def reason_policy_term(policy: str, reason: str) -> str:
    """Returns the term of a policy and a reason together, which may never meet, though each is frequent."""
    return term("reason_policy", f"{reason}:{policy}")


def reference_term(name: str, reference: str, *, tenant_key: bytes) -> str:
    """Returns the term of a reference, which reveals nothing without the tenant's key.

    Args:
        name: ``"subject"`` or ``"consent"``.
        reference: The reference as the orchestrator gave it; not empty.
        tenant_key: The key of the tenant, 32 bytes.
    """
    named = name.encode()
    data = _DOMAIN + len(named).to_bytes(2, "big") + named + reference.encode()
    return term(name, hmac.digest(tenant_key, data, "sha256").hex())
