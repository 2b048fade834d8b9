"""Compares the columns outside the seal, by which a record is listed, with the record itself."""

from collections.abc import Iterable

from server.domain.evidence_terms import HOLD
from server.evidence.terms import record_terms
from server.storage.evidence_records import ListedCheck
from server.verdict.record import EvidenceRecord

__all__ = ["contradictions"]


def contradictions(
    listed: ListedCheck, record: EvidenceRecord, *, tenant_keys: Iterable[bytes]
) -> tuple[str, ...]:
    """Returns the facts that differ between the sealed record and the columns of lists.

    The server writes both in one transaction and never changes these columns. If they differ, somebody with
    access to the database changed a column; the record is right, because its seal is intact.

    Args:
        listed: The line of the list.
        record: The opened record of the same check.
        tenant_keys: The keys that the tenant has and had, with which references may be hashed.

    Returns:
        Some of ``status``, ``reasons``, ``policy``, ``sandbox``, ``create_time``, ``decide_time``,
        ``retain_until``, ``terms`` and ``hold``, in this order.
    """
    outcome = record.outcome
    terms = frozenset(listed.terms) - {HOLD}
    agreements = {
        "status": listed.status is outcome.verdict.status,
        "reasons": listed.reasons == tuple(outcome.verdict.reasons),
        "policy": (listed.policy_name, listed.policy_version)
        == (outcome.policy_name, outcome.policy_version),
        "sandbox": listed.sandbox == outcome.sandbox,
        "create_time": listed.create_time == record.times.create,
        "decide_time": listed.decide_time == record.times.decide,
        "retain_until": listed.retain_until == record.times.retain_until,
        "terms": any(terms == frozenset(record_terms(outcome, tenant_key=key)) for key in tenant_keys),
        "hold": listed.on_hold == (HOLD in listed.terms),
    }
    return tuple(name for name, agrees in agreements.items() if not agrees)
