"""The terms by which evidence records are found: filter words, and keyed hashes of references."""

import hmac
from collections.abc import Iterable
from itertools import combinations
from typing import Final

__all__ = ["ALL", "HOLD", "pair_terms", "reference_term", "term"]

_DOMAIN: Final = b"facegate/v1/evidence-reference"
# The names of pairs have this order, and the text of a policy is last.
_NAMES: Final = ("sign", "attack", "reason", "status", "sandbox", "policy")

ALL: Final = "all"
"""The term of every record."""

HOLD: Final = "hold"
"""The term of a record that is on hold."""


def term(name: str, word: str) -> str:
    """Returns a term such as ``"status:FAILURE"``."""
    return f"{name}:{word}"


def pair_terms(words: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Returns the terms of every two words together, such as ``"status_policy:FAILURE:high"``.

    Each of two words may be frequent, though few records have both. A query with two separate terms would
    read all entries of one of them.

    Args:
        words: Names and words, such as ``("status", "FAILURE")``. Two words of one name make no pair.
    """
    ordered = sorted(words, key=lambda named: _NAMES.index(named[0]))
    return tuple(
        term(f"{one}_{other}", f"{one_word}:{other_word}")
        for (one, one_word), (other, other_word) in combinations(ordered, 2)
        if one != other
    )


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
