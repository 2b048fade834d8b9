"""Each condition of an assertion, broken once."""

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.apple import verify_assertion
from device_integrity.apple.assertion import AssertionResult
from device_integrity.device_test import DeviceFinding, Manipulation
from facegate_protocol import KeyMaterialError, sha256
from tests.device_integrity.apple.apple_in_software import APP, SoftwareKey

_H = sha256(b"the binding hash of a scan")
_KEY = SoftwareKey()


def _verify(assertion: bytes, *, stored: int = 0) -> AssertionResult:
    return verify_assertion(
        assertion=assertion, client_data=_H, public_key=_KEY.public_key, app_id=APP, stored_counter=stored
    )


def _failed(result: AssertionResult) -> tuple[str, Manipulation | None]:
    (check,) = (one for one in result.checks if one.outcome is not DeviceFinding.PASS)
    assert check.outcome is DeviceFinding.FAIL
    assert result.counter is None
    return check.name, check.sign_of


def test_an_honest_assertion_gives_the_next_counter() -> None:
    result = _verify(_KEY.assertion(_H, counter=8), stored=7)
    assert result.counter == 8
    assert [check.name for check in result.checks] == [
        f"app_attest_assertion.{check}" for check in ("format", "signature", "app", "counter")
    ]


def test_an_assertion_of_another_scan_fails() -> None:
    expected = ("app_attest_assertion.signature", Manipulation.MAN_IN_THE_MIDDLE)
    assert _failed(_verify(_KEY.assertion(sha256(b"another")))) == expected
    assert _failed(_verify(SoftwareKey().assertion(_H))) == expected


def test_the_nonce_is_signed_as_a_message_and_not_as_a_digest() -> None:
    data = cbor2.loads(_KEY.assertion(_H))["authenticatorData"]
    once = _KEY.key.sign(sha256(data + sha256(_H)), ec.ECDSA(Prehashed(SHA256())))
    wrong = cbor2.dumps({"signature": once, "authenticatorData": data})
    assert _failed(_verify(wrong))[0] == "app_attest_assertion.signature"


def test_an_assertion_of_another_app_fails() -> None:
    expected = ("app_attest_assertion.app", Manipulation.CODE_MODIFICATION)
    assert _failed(_verify(_KEY.assertion(_H, app_id="TEAM123456.org.example.repackaged"))) == expected


@pytest.mark.parametrize(("counter", "stored"), [(0, 0), (1, 1), (1, 2), (0, -1), (2**32 - 1, 2**32 - 1)])
def test_a_counter_that_did_not_rise(counter: int, stored: int) -> None:
    expected = ("app_attest_assertion.counter", Manipulation.MAN_IN_THE_MIDDLE)
    assert _failed(_verify(_KEY.assertion(_H, counter=counter), stored=stored)) == expected


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"signature": b""}, "no others"),
        ({"signature": "", "authenticatorData": bytes(37)}, "not a byte string"),
        ({"signature": bytes(81), "authenticatorData": bytes(37)}, "at most 80"),
        ({"signature": b"", "authenticatorData": bytes(36)}, "36 bytes"),
        ({"signature": b"", "authenticatorData": bytes(38)}, "38 bytes"),
    ],
)
def test_malformed_assertions_fail_the_format_test(fields: dict[str, object], says: str) -> None:
    first, *rest = _verify(cbor2.dumps(fields)).checks
    assert (first.name, first.reason) == ("app_attest_assertion.format", "MALFORMED")
    assert says in first.detail
    assert [check.outcome for check in rest] == [DeviceFinding.NOT_EVALUATED] * 3


def test_an_oversized_assertion_fails() -> None:
    assert "at most 4096" in _verify(bytes(4097)).checks[0].detail


def test_a_malformed_stored_key_raises_key_material_error() -> None:
    with pytest.raises(KeyMaterialError):
        verify_assertion(assertion=b"", client_data=_H, public_key=b"key", app_id=APP, stored_counter=0)


_HONEST = _KEY.assertion(_H)


@given(place=st.integers(0, 1000), mask=st.integers(1, 255))
def test_no_changed_byte_passes(place: int, mask: int) -> None:
    changed = bytearray(_HONEST)
    changed[place % len(_HONEST)] ^= mask
    assert _verify(bytes(changed)).counter is None
