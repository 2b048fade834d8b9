import secrets
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import String

from device_integrity.check import Manipulation
from liveness import AttackType
from server.domain.terms import pair_terms, reference_term
from server.evidence.records import RecordVault, record_terms
from server.keyring.sealing import SealBroken, WrappingKeys
from server.storage.evidence_records import StoredRecord
from server.storage.tables import record_terms as columns
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from tests.server.verdict.samples import OUTCOME, RECORD, camera_sign

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


_KEY = bytes(32)


def test_a_record_is_found_by_what_the_filters_need() -> None:
    device = replace(OUTCOME.device, signs=(camera_sign(1.0),))
    assert set(record_terms(replace(OUTCOME, device=device), tenant_key=_KEY)) == {
        "all",
        "status:FAILURE",
        "reason:CONDITIONS",
        "reason:SPOOF",
        "attack:INJECTION",
        "policy:standard",
        "sandbox:yes",
        "sign:virtual_camera",
        "sign_attack:virtual_camera:INJECTION",
        "sign_reason:virtual_camera:CONDITIONS",
        "sign_reason:virtual_camera:SPOOF",
        "sign_status:virtual_camera:FAILURE",
        "sign_sandbox:virtual_camera:yes",
        "sign_policy:virtual_camera:standard",
        "attack_reason:INJECTION:CONDITIONS",
        "attack_reason:INJECTION:SPOOF",
        "attack_status:INJECTION:FAILURE",
        "attack_sandbox:INJECTION:yes",
        "attack_policy:INJECTION:standard",
        "reason_status:CONDITIONS:FAILURE",
        "reason_status:SPOOF:FAILURE",
        "reason_sandbox:CONDITIONS:yes",
        "reason_sandbox:SPOOF:yes",
        "reason_policy:CONDITIONS:standard",
        "reason_policy:SPOOF:standard",
        "status_sandbox:FAILURE:yes",
        "status_policy:FAILURE:standard",
        "sandbox_policy:yes:standard",
        reference_term("subject", "subject", tenant_key=_KEY),
        reference_term("consent", "consent", tenant_key=_KEY),
    }


def test_every_term_fits_into_its_column() -> None:
    longest = {
        "sign": max((one.value for one in Manipulation), key=len),
        "attack": max((one.value for one in AttackType), key=len),
        "reason": max((one.value for one in FailureReason), key=len),
        "status": max((one.value for one in CheckStatus), key=len),
        "sandbox": "yes",
        "policy": "p" * 64,
    }
    column = columns.c.term.type
    assert isinstance(column, String)
    assert column.length is not None
    assert max(map(len, pair_terms(longest.items()))) <= column.length


def test_a_sign_that_is_not_suspected_is_no_term() -> None:
    device = replace(OUTCOME.device, signs=(camera_sign(0.3),))
    assert not any(
        term.startswith("sign:") for term in record_terms(replace(OUTCOME, device=device), tenant_key=_KEY)
    )


def test_a_check_that_is_not_decided_states_no_attack() -> None:
    verdict = CheckVerdict(CheckStatus.NOT_DECIDED, (FailureReason.SERVER_FAULT,))
    terms = record_terms(replace(OUTCOME, verdict=verdict), tenant_key=_KEY)
    assert not any(term.startswith("attack:") for term in terms)


def test_empty_references_have_no_term() -> None:
    terms = record_terms(replace(OUTCOME, subject_reference="", consent_reference=""), tenant_key=_KEY)
    assert not any(term.startswith(("subject:", "consent:")) for term in terms)


def test_a_reference_reveals_nothing_without_the_key_of_its_tenant() -> None:
    one = reference_term("subject", "anna", tenant_key=_KEY)
    assert "anna" not in one
    assert one != reference_term("subject", "anna", tenant_key=bytes(31) + b"\x01")
    assert one.partition(":")[2] != reference_term("consent", "anna", tenant_key=_KEY).partition(":")[2]
