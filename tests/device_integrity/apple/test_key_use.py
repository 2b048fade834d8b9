"""The person for whom a key is enrolled."""

import pytest

from device_integrity.apple import KeyOwner, check_key_use
from device_integrity.check import DeviceFinding


@pytest.mark.parametrize("verifier", ["app_attest", "app_attest_assertion"])
@pytest.mark.parametrize(
    ("use", "outcome", "reason"),
    [
        (KeyOwner.NEW, DeviceFinding.PASS, "KEY_NEW"),
        (KeyOwner.SAME_SUBJECT, DeviceFinding.PASS, "KEY_SAME_SUBJECT"),
        (KeyOwner.OTHER_SUBJECT, DeviceFinding.FAIL, "KEY_OF_ANOTHER_SUBJECT"),
        (None, DeviceFinding.NOT_EVALUATED, "KEY_USE_UNKNOWN"),
    ],
)
def test_another_persons_key_fails_softly_and_is_no_sign(
    verifier: str, use: KeyOwner | None, outcome: DeviceFinding, reason: str
) -> None:
    check = check_key_use(verifier, use)
    assert (check.name, check.outcome, check.reason) == (f"{verifier}.key_use", outcome, reason)
    assert check.soft == (use is KeyOwner.OTHER_SUBJECT)
    assert check.sign_of is None
