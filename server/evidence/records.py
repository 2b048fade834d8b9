"""Seals the evidence record of a decided check with the terms by which it is found, and opens it again."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

import structlog

from liveness import Verdict
from server.domain.terms import ALL, HOLD, SealedKind, pair_terms, reference_term, term
from server.keyring.result_signer import RESULT_TYPE
from server.keyring.sealing import (
    Context,
    SealError,
    WrappingKeys,
    WrappingKeyUnknown,
    seal,
    unseal,
)
from server.storage.evidence_records import ListedCheck, StoredRecord
from server.storage.records import SealedRecord
from server.verdict.outcome import CheckOutcome
from server.verdict.record import (
    Delivery,
    EvidenceRecord,
    RecordUnreadable,
    delivery_from_bytes,
    record_from_bytes,
    record_to_bytes,
)

_log = structlog.get_logger(__name__)
_Parts = TypeVar("_Parts")


def record_terms(outcome: CheckOutcome, *, tenant_key: bytes) -> tuple[str, ...]:
    """Return the terms of a record, each once."""
    words = [
        ("status", outcome.verdict.status.value),
        *(("reason", reason.value) for reason in outcome.verdict.reasons),
        ("policy", outcome.policy_name),
        ("sandbox", "yes" if outcome.sandbox else "no"),
        *(("attack", attack) for attack in _attacks(outcome)),
        *(("sign", sign.of.value) for sign in outcome.device.signs if sign.suspected),
    ]
    found = [ALL, *(term(name, word) for name, word in words), *pair_terms(words)]
    if outcome.subject_reference:
        found.append(reference_term("subject", outcome.subject_reference, tenant_key=tenant_key))
    if outcome.consent_reference:
        found.append(reference_term("consent", outcome.consent_reference, tenant_key=tenant_key))
    return tuple(dict.fromkeys(found))


def _attacks(outcome: CheckOutcome) -> Sequence[str]:
    """Return the type of attack, if liveness decided SPOOF and the result states it."""
    liveness = outcome.liveness
    if liveness is None or liveness.verdict is not Verdict.SPOOF or not outcome.verdict.about_person:
        return ()
    return (liveness.attack_type.value,)


def contradictions(
    listed: ListedCheck, record: EvidenceRecord, *, tenant_keys: Iterable[bytes]
) -> tuple[str, ...]:
    """Return the facts that differ between the sealed record and the columns of lists.

    The server writes both in one transaction and never changes these columns. If they differ, somebody with
    access to the database changed a column; the record is right, because its seal is intact.

    Args:
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


class SignResult(Protocol):
    """Signs; see ``server.keyring.result_signer.ResultSigner.sign``."""

    def __call__(self, payload: bytes, *, tenant: str | None, sandbox: bool, kind: str = RESULT_TYPE) -> str:
        """Return a compact JWS of exactly ``payload``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordVault:
    """Seals and opens evidence records.

    Attributes:
        wrapping_keys: Wrap the data key of each record.
    """

    wrapping_keys: WrappingKeys
    tenant_key: Callable[[str], bytes]
    sign: SignResult

    def seal(self, record: EvidenceRecord) -> SealedRecord:
        """Seal a record, and return it with the terms by which it is found."""
        aad = _context(record.tenant, record.outcome.check_id, record.version)
        return SealedRecord(
            version=record.version,
            sealed=seal(record_to_bytes(record), wrapping_keys=self.wrapping_keys, aad=aad),
            terms=record_terms(record.outcome, tenant_key=self.tenant_key(record.tenant)),
        )

    def open(self, stored: StoredRecord) -> EvidenceRecord:
        """Return a stored record.

        Raises:
            RecordUnreadable: It was altered, its wrapping key is missing, or another version of the server
                wrote it. This is logged.
        """
        return self._opened(stored, record_from_bytes)

    def delivery(self, stored: StoredRecord) -> Delivery:
        """Return the parts of a stored record that FinishCheck returns; raise as ``open`` does."""
        return self._opened(stored, delivery_from_bytes)

    def _opened(self, stored: StoredRecord, parse: Callable[[bytes], _Parts]) -> _Parts:
        aad = _context(stored.tenant, stored.check_id, stored.version)
        try:
            return parse(unseal(stored.sealed, wrapping_keys=self.wrapping_keys, aad=aad))
        except (SealError, RecordUnreadable) as error:
            _log.error("evidence_record_unreadable", check_id=str(stored.check_id), exc_info=error)
            problem = "KEY_MISSING" if isinstance(error, WrappingKeyUnknown) else "ALTERED"
            raise RecordUnreadable(str(error), problem=problem) from error


def _context(tenant: str, check_id: UUID, version: int) -> Context:
    return Context(tenant=tenant, check_id=check_id, kind=SealedKind.EVIDENCE_RECORD, version=version)
