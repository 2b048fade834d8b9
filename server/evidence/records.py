"""Seals the evidence record of a decided check, and opens it again."""

from collections.abc import Callable
from typing import Protocol

from server.domain.terms import SealedKind
from server.evidence.terms import record_terms
from server.result_signer import RESULT_TYPE
from server.sealing import Context, Random, WrappingKeys, context, seal, unseal
from server.storage.evidence_records import StoredRecord
from server.storage.records import SealedRecord
from server.verdict.record import (
    Delivery,
    EvidenceRecord,
    delivery_from_bytes,
    record_from_bytes,
    record_to_bytes,
)

__all__ = ["RecordVault", "SignResult"]


class SignResult(Protocol):
    """Signs; see ``server.result_signer.ResultSigner.sign``."""

    def __call__(self, payload: bytes, *, tenant: str | None, sandbox: bool, kind: str = RESULT_TYPE) -> str:
        """Returns a compact JWS of exactly ``payload``."""
        ...


class RecordVault:
    """Seals and opens evidence records."""

    def __init__(
        self,
        *,
        wrapping_keys: WrappingKeys,
        tenant_key: Callable[[str], bytes],
        sign: SignResult,
        random: Random,
    ) -> None:
        """Sets the keys.

        Args:
            wrapping_keys: Wrap the data key of each record.
            tenant_key: Returns the key of a tenant, with which references are hashed.
            sign: Signs results.
            random: Returns unpredictable bytes.
        """
        self._keys = wrapping_keys
        self._tenant_key = tenant_key
        self._random = random
        self.sign = sign

    def seal(self, record: EvidenceRecord) -> SealedRecord:
        """Seals a record, and returns it with the terms by which it is found."""
        aad = _context(record.tenant, record)
        return SealedRecord(
            version=record.version,
            sealed=seal(record_to_bytes(record), wrapping_keys=self._keys, aad=aad, random=self._random),
            terms=record_terms(record.outcome, tenant_key=self._tenant_key(record.tenant)),
        )

    def open(self, stored: StoredRecord) -> EvidenceRecord:
        """Returns a stored record.

        Raises:
            SealError: It was altered, or its wrapping key is missing.
            RecordUnreadable: Another version of the server wrote it.
        """
        return record_from_bytes(self._opened(stored))

    def delivery(self, stored: StoredRecord) -> Delivery:
        """Returns the parts of a stored record that FinishCheck returns; raises as ``open`` does."""
        return delivery_from_bytes(self._opened(stored))

    def _opened(self, stored: StoredRecord) -> bytes:
        aad = context(
            tenant=stored.tenant,
            check_id=stored.check_id,
            kind=SealedKind.EVIDENCE_RECORD,
            version=stored.version,
        )
        return unseal(stored.sealed, wrapping_keys=self._keys, aad=aad)


def _context(tenant: str, record: EvidenceRecord) -> Context:
    return context(
        tenant=tenant,
        check_id=record.outcome.check_id,
        kind=SealedKind.EVIDENCE_RECORD,
        version=record.version,
    )
