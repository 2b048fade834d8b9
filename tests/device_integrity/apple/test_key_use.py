"""Whom an enrolled key is known of."""

import pytest

from device_integrity.apple import KeyUse, check_key_use
from device_integrity.check import CheckOutcome


@pytest.mark.parametrize("verifier", ["app_attest", "app_attest_assertion"])
@pytest.mark.parametrize(
    ("use", "outcome", "reason"),
    [
        (KeyUse.NEW, CheckOutcome.PASS, "KEY_NEW"),
        (KeyUse.SAME_SUBJECT, CheckOutcome.PASS, "KEY_SAME_SUBJECT"),
        (KeyUse.OTHER_SUBJECT, CheckOutcome.FAIL, "KEY_OF_ANOTHER_SUBJECT"),
        (None, CheckOutcome.NOT_EVALUATED, "KEY_USE_UNKNOWN"),
    ],
)
def test_another_persons_key_fails_softly_and_is_no_sign(
    verifier: str, use: KeyUse | None, outcome: CheckOutcome, reason: str
) -> None:
    check = check_key_use(verifier, use)
    assert (check.name, check.outcome, check.reason) == (f"{verifier}.key_use", outcome, reason)
    assert check.soft == (use is KeyUse.OTHER_SUBJECT)
    assert check.sign_of is None
