"""The terms by which a list is read: in pairs where each alone may be frequent, and both together rare."""

import pytest

from liveness import AttackType
from server.compliance.listing import CheckFilter
from server.domain.evidence_terms import reference_term
from server.domain.reasons import CheckStatus, FailureReason

_KEYS = (bytes(32), bytes([1]) * 32)


@pytest.mark.parametrize(
    ("chosen", "terms"),
    [
        (CheckFilter(), ["all"]),
        (CheckFilter(policy="high"), ["policy:high"]),
        (CheckFilter(status=CheckStatus.FAILURE), ["status:FAILURE"]),
        (CheckFilter(on_hold=True), ["hold"]),
        (CheckFilter(policy="high", status=CheckStatus.FAILURE), ["status_policy:FAILURE:high"]),
        (CheckFilter(policy="high", reason=FailureReason.SPOOF), ["reason_policy:SPOOF:high"]),
        (CheckFilter(policy="high", attack=AttackType.PRINT), ["attack_policy:PRINT:high"]),
        (CheckFilter(policy="high", sign="emulator", on_hold=True), ["hold", "sign_policy:emulator:high"]),
        (CheckFilter(status=CheckStatus.FAILURE, sandbox=True), ["status_sandbox:FAILURE:yes"]),
        (
            CheckFilter(policy="high", attack=AttackType.PRINT, reason=FailureReason.SPOOF),
            ["attack_reason:PRINT:SPOOF", "attack_policy:PRINT:high", "reason_policy:SPOOF:high"],
        ),
    ],
)
def test_words_are_sought_in_pairs(chosen: CheckFilter, terms: list[str]) -> None:
    assert chosen.terms(_KEYS) == tuple((term,) for term in terms)


def test_a_reference_is_sought_under_every_key() -> None:
    found = CheckFilter(subject_reference="anna", policy="high").terms(_KEYS)
    hashed = tuple(reference_term("subject", "anna", tenant_key=key) for key in _KEYS)
    assert found == (hashed, ("policy:high",))
