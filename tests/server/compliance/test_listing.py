"""The terms by which a list is read: together where each alone may be frequent, and both together rare."""

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
        (CheckFilter(reason=FailureReason.SPOOF), ["reason:SPOOF"]),
        (CheckFilter(policy="high", status=CheckStatus.FAILURE), ["status_policy:FAILURE:high"]),
        (CheckFilter(policy="high", reason=FailureReason.SPOOF), ["reason_policy:SPOOF:high"]),
        (
            CheckFilter(status=CheckStatus.FAILURE, reason=FailureReason.SPOOF),
            ["reason:SPOOF", "status:FAILURE"],
        ),
        (
            CheckFilter(policy="high", status=CheckStatus.FAILURE, reason=FailureReason.SPOOF, sandbox=False),
            ["reason_policy:SPOOF:high", "status:FAILURE", "sandbox:no"],
        ),
        (
            CheckFilter(sign="emulator", attack=AttackType.PRINT, policy="high", on_hold=True),
            ["hold", "sign:emulator", "attack:PRINT", "policy:high"],
        ),
    ],
)
def test_the_most_selective_term_is_first(chosen: CheckFilter, terms: list[str]) -> None:
    assert chosen.terms(_KEYS) == tuple((term,) for term in terms)


def test_a_reference_is_sought_under_every_key() -> None:
    found = CheckFilter(subject_reference="anna", policy="high").terms(_KEYS)
    hashed = tuple(reference_term("subject", "anna", tenant_key=key) for key in _KEYS)
    assert found == (hashed, ("policy:high",))
