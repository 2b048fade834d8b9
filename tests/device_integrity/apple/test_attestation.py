"""Each condition of an attestation, broken once; and arbitrary bytes, which are refused."""

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from device_integrity.apple import Environment, KeyOwner, check_key_use, verify_attestation
from device_integrity.apple.attestation import AttestationResult
from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation
from facegate_protocol import sha256
from tests.device_integrity.apple.apple_in_software import APP, NOW, SoftwareApple, SoftwareKey, issue

_H = sha256(b"the binding hash of a scan")
_APPLE, _KEY = SoftwareApple(), SoftwareKey()


def _verify(attestation: bytes, **other: object) -> AttestationResult:
    arguments: dict[str, object] = {
        "key_id": _KEY.key_id,
        "attestation_object": attestation,
        "client_data_hash": _H,
        "app_ids": frozenset({"TEAM123456.org.example.other", APP}),
        "environment": Environment.PRODUCTION,
        "key_use": KeyOwner.NEW,
        "anchors": _APPLE.anchors,
        "now": NOW,
    }
    return verify_attestation(**(arguments | other))  # type: ignore[arg-type]


def _failed(result: AttestationResult) -> DeviceTest:
    """The one check that failed."""
    (check,) = (one for one in result.checks if one.outcome is not DeviceFinding.PASS)
    assert check.outcome is DeviceFinding.FAIL
    return check


def test_an_honest_key_is_enrolled() -> None:
    result = _verify(_APPLE.attestation(_KEY, _H))
    assert [check.name.partition(".")[2] for check in result.checks] == [
        "format",
        "chain",
        "challenge",
        "key_id",
        "app",
        "environment",
        "counter",
        "key_use",
    ]
    assert all(check.outcome is DeviceFinding.PASS for check in result.checks)
    assert result.claims is not None
    assert result.key is not None
    assert result.key.public_key == _KEY.public_key
    assert (result.key.key_id, result.key.app_id, result.key.counter) == (_KEY.key_id, APP, 0)
    assert result.key.receipt == b"receipt"


def test_the_challenge_of_another_scan_fails() -> None:
    result = _verify(_APPLE.attestation(_KEY, sha256(b"of another scan")))
    check = _failed(result)
    assert (check.name, check.sign_of) == ("app_attest.challenge", Manipulation.MAN_IN_THE_MIDDLE)
    assert result.key is None


def test_a_leaf_without_the_extension_fails() -> None:
    bare = issue("leaf", by=_APPLE.intermediate, authority=False, key=_KEY.key)
    assert _failed(_verify(_APPLE.attestation(_KEY, _H, leaf=bare))).name == "app_attest.challenge"


def test_an_attestation_of_another_app_fails() -> None:
    check = _failed(_verify(_APPLE.attestation(_KEY, _H, app_id="TEAM999999.org.example.bank")))
    assert (check.name, check.sign_of) == ("app_attest.app", Manipulation.CODE_MODIFICATION)
    unknown = _verify(_APPLE.attestation(_KEY, _H), app_ids=frozenset())
    (open_check,) = (check for check in unknown.checks if check.outcome is not DeviceFinding.PASS)
    assert (open_check.name, open_check.reason) == ("app_attest.app", "NO_APPS_CONFIGURED")
    assert unknown.key is None


@pytest.mark.parametrize(
    ("aaguid", "says"),
    [
        (Environment.DEVELOPMENT.aaguid, "development"),
        (b"appattestsandbox", "unknown environment"),
        (bytes(16), "unknown environment"),
    ],
)
def test_an_attestation_of_another_environment_fails(aaguid: bytes, says: str) -> None:
    check = _failed(_verify(_APPLE.attestation(_KEY, _H, aaguid=aaguid)))
    assert check.name == "app_attest.environment"
    assert says in check.detail


def test_a_key_that_has_signed_before() -> None:
    assert _failed(_verify(_APPLE.attestation(_KEY, _H, counter=1))).name == "app_attest.counter"


def test_identifiers_and_keys_have_to_name_one_key() -> None:
    other = SoftwareKey()
    honest = _APPLE.attestation(_KEY, _H)
    assert "hash of the certificate's key" in _failed(_verify(honest, key_id=other.key_id)).detail
    assert _failed(_verify(honest, key_id=b"")).name == "app_attest.key_id"
    named = _APPLE.attestation(_KEY, _H, credential_id=other.key_id)
    assert "names another" in _failed(_verify(named)).detail
    held = _APPLE.attestation(_KEY, _H, cose_point=other.point)
    assert "holds another key" in _failed(_verify(held)).detail


def test_a_chain_of_another_root_fails() -> None:
    result = _verify(SoftwareApple(seed=2).attestation(_KEY, _H))
    check = _failed(result)
    assert result.claims is None
    assert (check.name, check.reason) == ("app_attest.chain", "CHAIN_NOT_TRUSTED")
    assert check.sign_of is Manipulation.EMULATOR


def test_a_key_attested_once_signs_no_other() -> None:
    """An attested key signs a certificate, as if it were an authority."""
    attested = _APPLE.leaf(_KEY, bytes(32))
    forged = SoftwareKey()
    data = cbor2.loads(_APPLE.attestation(forged, _H))["authData"]
    leaf = _APPLE.leaf(forged, sha256(data + _H), by=attested)
    check = _failed(
        _verify(_APPLE.attestation(forged, _H, leaf=leaf, intermediate=attested), key_id=forged.key_id)
    )
    assert (check.name, check.reason) == ("app_attest.chain", "CERTIFICATE_ROLE_WRONG")


def test_the_earlier_owner_of_a_key_does_not_keep_it_from_being_read() -> None:
    result = _verify(_APPLE.attestation(_KEY, _H), key_use=KeyOwner.OTHER_SUBJECT)
    assert (result.checks[-1].outcome, result.checks[-1].soft) == (DeviceFinding.FAIL, True)
    assert result.key is not None


_ANY_KEY = bytes(53) + b"\0\x20" + bytes(32)
"""Authenticator data up to the key."""


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"fmt": "packed"}, "format is not apple-appattest"),
        ({"fmt": b"apple-appattest"}, "not a text"),
        ({"more": 1}, "no others"),
        ({"attStmt": {"x5c": []}}, "keys"),
        ({"attStmt": {"x5c": [], "receipt": b""}}, "0 items instead of 2"),
        ({"attStmt": {"x5c": [b"", b""], "receipt": b""}}, "cannot be read as a certificate"),
        ({"attStmt": {"x5c": [b"x" * 9000, b""], "receipt": b""}}, "at most 8192"),
        ({"authData": bytes(36)}, "36 bytes"),
        ({"authData": bytes(37)}, "key identifier of 32 bytes"),
        ({"authData": bytes(53) + b"\0\x20" + bytes(31)}, "key identifier of 32 bytes"),
        ({"authData": _ANY_KEY}, "ends inside"),
        ({"authData": _ANY_KEY + b"\xa0"}, "no others"),
        (
            {"authData": _ANY_KEY + cbor2.dumps({1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)})},
            "not on the curve",
        ),
        (
            {"authData": _ANY_KEY + cbor2.dumps({1: 2, 3: -35, -1: 2, -2: bytes(32), -3: bytes(32)})},
            "for ES256",
        ),
    ],
)
def test_malformed_attestations_fail_the_format_test(more: dict[str, object], says: str) -> None:
    result = _verify(_APPLE.attestation(_KEY, _H, more=more))
    first, *rest = result.checks
    assert (first.name, first.outcome, first.reason) == ("app_attest.format", DeviceFinding.FAIL, "MALFORMED")
    assert says in first.detail
    assert len(rest) == 7
    assert {check.outcome for check in rest} == {DeviceFinding.NOT_EVALUATED}
    assert (result.key, result.claims) == (None, None)


def test_a_leaf_on_another_curve_cannot_be_read() -> None:
    other = issue(
        "leaf", by=_APPLE.intermediate, authority=False, key=ec.generate_private_key(ec.SECP384R1())
    )
    check = _verify(_APPLE.attestation(_KEY, _H, leaf=other)).checks[0]
    assert "P-256" in check.detail


def test_an_unknown_critical_extension_fails() -> None:
    data = cbor2.loads(_APPLE.attestation(_KEY, _H))["authData"]
    nonce = bytes.fromhex("3024a1220420") + sha256(data + _H)
    leaf = issue(
        "leaf",
        by=_APPLE.intermediate,
        authority=False,
        key=_KEY.key,
        extensions={x509.ObjectIdentifier("1.2.840.113635.100.8.2"): nonce},
        critical=True,
    )
    check = _failed(_verify(_APPLE.attestation(_KEY, _H, leaf=leaf)))
    assert check.reason == "CERTIFICATE_NOT_UNDERSTOOD"


_HONEST = _APPLE.attestation(_KEY, _H)


@settings(deadline=None, max_examples=150)
@given(place=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_no_changed_byte_passes(place: int, mask: int) -> None:
    changed = bytearray(_HONEST)
    changed[place % len(_HONEST)] ^= mask
    result = _verify(bytes(changed))
    # The attestation does not sign the receipt, which is judged separately.
    if result.key is not None:
        assert result.key.receipt != b"receipt"


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
    use: KeyOwner | None, outcome: DeviceFinding, reason: str
) -> None:
    check = check_key_use("app_attest_assertion", use)
    assert (check.name, check.outcome, check.reason) == ("app_attest_assertion.key_use", outcome, reason)
    assert check.soft == (use is KeyOwner.OTHER_SUBJECT)
    assert check.sign_of is None
