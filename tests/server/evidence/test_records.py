import secrets
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from server.evidence.records import RecordVault
from server.sealing import SealBroken, WrappingKeys
from server.storage.evidence_records import StoredRecord
from tests.server.verdict.samples import OUTCOME, RECORD

_KEYS = WrappingKeys(newest="k", keys={"k": bytes(32)})


def _sign(payload: bytes, *, tenant: str | None, sandbox: bool, kind: str = "facegate-result") -> str:
    return f"{payload!r} {tenant} {sandbox} {kind}"


_VAULT = RecordVault(
    wrapping_keys=_KEYS, tenant_key=lambda tenant: tenant.encode() * 4, sign=_sign, random=secrets.token_bytes
)


def _stored() -> StoredRecord:
    sealed = _VAULT.seal(RECORD)
    return StoredRecord(
        check_id=OUTCOME.check_id,
        tenant=RECORD.tenant,
        version=sealed.version,
        decide_time=datetime.now(UTC),
        sealed=sealed.sealed,
    )


def test_a_record_opens_as_it_was_sealed() -> None:
    stored = _stored()
    assert _VAULT.open(stored) == RECORD
    assert _VAULT.delivery(stored).result == RECORD.result


def test_nothing_of_the_record_lies_in_clear() -> None:
    sealed = _VAULT.seal(RECORD)
    for secret in (b"subject", b"consent", RECORD.result, b"standard"):
        assert secret not in sealed.sealed.ciphertext
    assert not any("subject:subject" in term or "consent:consent" in term for term in sealed.terms)


@pytest.mark.parametrize("changed", [{"tenant": "other"}, {"check_id": uuid4()}, {"version": 2}])
def test_a_record_opens_in_its_own_row_only(changed: dict[str, object]) -> None:
    with pytest.raises(SealBroken):
        _VAULT.open(replace(_stored(), **changed))  # type: ignore[arg-type]  # one field of its own type
