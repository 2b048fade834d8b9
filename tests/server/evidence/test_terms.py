from dataclasses import replace

from device_integrity.check import Manipulation
from device_integrity.policy import InjectionInstrument, InjectionMethod, Sign
from server.domain.evidence_terms import reference_term
from server.evidence.terms import record_terms
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from tests.server.verdict.samples import OUTCOME

_KEY = bytes(32)


def _sign(strength: float) -> Sign:
    return Sign(
        of=Manipulation.VIRTUAL_CAMERA,
        strength=strength,
        method=InjectionMethod.VIRTUAL_CAMERA,
        instrument=InjectionInstrument.UNKNOWN,
        checks=("camera.name",),
    )


def test_a_record_is_found_by_what_the_filters_need() -> None:
    device = replace(OUTCOME.device, signs=(_sign(1.0),))
    assert set(record_terms(replace(OUTCOME, device=device), tenant_key=_KEY)) == {
        "all",
        "status:FAILURE",
        "reason:CONDITIONS",
        "reason:SPOOF",
        "reason_policy:CONDITIONS:standard",
        "reason_policy:SPOOF:standard",
        "attack:INJECTION",
        "policy:standard",
        "status_policy:FAILURE:standard",
        "sandbox:yes",
        "sign:virtual_camera",
        reference_term("subject", "subject", tenant_key=_KEY),
        reference_term("consent", "consent", tenant_key=_KEY),
    }


def test_a_sign_that_is_not_suspected_is_no_term() -> None:
    device = replace(OUTCOME.device, signs=(_sign(0.3),))
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
